"""Words that people may choose from, and sentences about words that are not known."""

import difflib
from collections.abc import Iterable
from typing import Final

from ovsflow.errors import ConfigError

#: How much a switch may log.
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the closest known word, or lists all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def refuse_unknown(where: str, keys: Iterable[str], known: Iterable[str]) -> None:
    """Raises `ConfigError` for the first of `keys` that is not among `known`."""
    known = tuple(known)
    for key in keys:
        if key not in known:
            raise ConfigError(f"{where}: unknown key '{key}'; {did_you_mean(key, known)}")
