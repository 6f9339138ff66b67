"""Cutting text into keys and values, with the column of every piece.

Owns `Piece`, some text that remembers where it stood, so that every error can point at its place,
and `pairs`, the one tokenizer of the language: `key`, `key=value`, `key:value` and `key(value)`,
between commas or blanks.  It knows no keyword.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ovsflow.errors import ParseError

BLANKS = " \t\r\n"
SEPARATORS = ", \t\r\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, and the column at which it stands in the whole."""

    text: str
    column: int = 0

    def cut(self, start: int, stop: int | None = None) -> "Piece":
        """The part from `start` up to `stop`."""
        return Piece(self.text[start:stop], self.column + start)

    def strip(self) -> "Piece":
        """Without blanks at both ends."""
        start = len(self.text) - len(self.text.lstrip(BLANKS))
        return Piece(self.text.strip(BLANKS), self.column + start)

    def partition(self, mark: str) -> "tuple[Piece, Piece | None]":
        """What stands before and after the first `mark`; `None` when there is no mark."""
        at = self.text.find(mark)
        if at < 0:
            return self, None
        return self.cut(0, at), self.cut(at + len(mark))

    def words(self, separators: str = SEPARATORS) -> "list[Piece]":
        """The parts between runs of separators."""
        found: list[Piece] = []
        start = 0
        for at, letter in enumerate(self.text + separators[0]):
            if letter in separators:
                if at > start:
                    found.append(self.cut(start, at))
                start = at + 1
        return found


@dataclass(frozen=True, slots=True)
class Pair:
    """One `key=value`; the value is empty when there is none."""

    key: Piece
    value: Piece

    @property
    def name(self) -> str:
        """The key's text."""
        return self.key.text


def bad(piece: Piece, message: str) -> ParseError:
    """The error for a piece that is not understood."""
    return ParseError(message, piece.text, piece.column)


def pairs(piece: Piece) -> Iterator[Pair]:
    """Yields the keys and values of a list.

    A value behind `=` or `:` ends at a separator outside parentheses; one behind `(` ends at its
    `)`, unless `->` follows, as in `check_pkt_larger(9)->reg0[0]`.
    """
    text, at = piece.text, 0
    while True:
        while at < len(text) and text[at] in SEPARATORS:
            at += 1
        if at == len(text):
            return
        start = at
        while at < len(text) and text[at] not in ":=(" + SEPARATORS:
            at += 1
        key = piece.cut(start, at)
        delimiter = text[at : at + 1]
        at += len(delimiter)
        start = at
        if delimiter in (":", "="):
            at = value_end(text, at, SEPARATORS)
        elif delimiter == "(":
            at = value_end(text, at, ")")
            if text[at : at + 3] == ")->":
                at = value_end(text, at, SEPARATORS)
        yield Pair(key, piece.cut(start, at))
        at += 1 if at < len(text) and delimiter in (":", "=", "(") else 0


def value_end(text: str, at: int, delimiters: str) -> int:
    """Where a value that starts at `at` ends: at a delimiter that is not inside parentheses."""
    depth = 0
    while at < len(text):
        letter = text[at]
        if depth == 0 and letter in delimiters:
            return at
        depth += (letter == "(") - (letter == ")" and depth > 0)
        at += 1
    return at
