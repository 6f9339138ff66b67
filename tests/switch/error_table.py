"""Reads `tests/data/error_table.txt`: the error that each bad input gets, in each version."""

from dataclasses import dataclass
from pathlib import Path

from ovsflow.openflow.failure import ErrorMessage

TABLE = Path(__file__).parent.parent / "data" / "error_table.txt"
VERSIONS = {"1.0": 1, "1.3": 4, "1.4": 5, "1.5": 6}
EXPERIMENTERS = {"NX": 0x2320, "ONF": 0x4F4E4600}

#: A type and a code; an experimenter's error: type, code, experimenter, and in OpenFlow 1.0
#: the experimenter, its type and its code.  Nothing for what is no error.
Number = tuple[int, ...] | None


@dataclass(frozen=True)
class Row:
    """A line of the table: inputs, and what each version answers them."""

    inputs: tuple[str, ...]
    numbers: dict[int, Number]


def rows() -> list[Row]:
    """The rows of the table, from the top."""
    lines = TABLE.read_text().splitlines()
    return [_row(line) for line in lines if line and not line.startswith("#")]


def numbers() -> dict[str, dict[int, Number]]:
    """What each version answers each input."""
    return {name: row.numbers for row in rows() for name in row.inputs}


def said(error: ErrorMessage, version: int) -> Number:
    """The numbers of an error, as the table has them."""
    if not error.experimenter:
        return (error.type, error.code)
    if version == VERSIONS["1.0"]:
        return (error.experimenter, error.type, error.code)
    return (error.type, error.code, error.experimenter)


def _row(line: str) -> Row:
    columns, _, inputs = line.partition("|")
    first, *others = columns.split()
    spelled = dict(column.split("=") for column in others)
    answer, answers = first, {}
    for name, version in VERSIONS.items():
        if name != "1.0":
            answer = spelled.get(name, answer)
        answers[version] = _number(spelled.get(name, answer), version)
    return Row(tuple(name.strip() for name in inputs.split(";")), answers)


def _number(text: str, version: int) -> Number:
    if text == "fine":
        return None
    who, _, pair = text.rpartition(":")
    values = tuple(int(value) for value in pair.split(","))
    if not who:
        return values
    if version == VERSIONS["1.0"]:
        return (EXPERIMENTERS[who], *values)
    return (0xFFFF, *values, EXPERIMENTERS[who])
