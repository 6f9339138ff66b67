"""Messages as JSON.

Owns the one rule: a message's attributes by their names, numbers as numbers, bytes in hexadecimal,
addresses as people write them, and matches, actions and instructions in the flow language.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import cast

from ovsflow.openflow.actions import Action
from ovsflow.openflow.fields import by_name
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.text.flow_forms import Form, masked, show_count, show_vlan, value_shows
from ovsflow.openflow.text.flow_places import Kind
from ovsflow.openflow.text.names import NUMBERS, Names, render_port
from ovsflow.openflow.text.render import render_actions, render_instructions, render_match
from ovsflow.openflow.text.values import render_value

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]

_PORTS = ("port", "in_port", "out_port", "watch_port", "number")
_WIRE_ONLY = ("more", "nicira", "properties", "form", "buffer_id", "buckets_stats")


def plain(value: object, version: int, names: Names = NUMBERS) -> Json:
    """A message, or a part of one, as what `json` can write."""
    if isinstance(value, Match):
        return match_form(value, names)
    if isinstance(value, Instructions):
        return render_instructions(value, version, names)
    if isinstance(value, Action):
        return render_actions((value,), version, names)
    if isinstance(value, tuple | list):
        if value and all(isinstance(item, Action) for item in value):
            return render_actions(cast("Iterable[Action]", value), version, names)
        return [plain(item, version, names) for item in value]
    if isinstance(value, bytes):
        return value.hex(":") if len(value) == 6 else value.hex()
    if isinstance(value, Enum):
        return int(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if is_dataclass(value):
        return {
            each.name: _attribute(each.name, getattr(value, each.name), version, names)
            for each in fields(value)
            if each.name not in _WIRE_ONLY
        }
    return str(value)


def _attribute(name: str, value: object, version: int, names: Names) -> Json:
    if name in _PORTS and isinstance(value, int):
        # Reserved ports by name, others by number.
        word = render_port(value)
        return value if word.isdigit() else word
    if name == "cookie" and isinstance(value, int):
        return f"{value:#x}"
    if name == "datapath_id" and isinstance(value, int):
        return f"{value:016x}"
    return plain(value, version, names)


def match_form(match: Match, names: Names = NUMBERS) -> dict[str, Json]:
    """A match: `text` as it is printed, and each field by name."""
    form: dict[str, Json] = {"text": render_match(match, names=names)}
    for item in match:
        known = by_name(item.name)
        if known is not None:
            form[item.name] = render_value(known, item.value, item.mask, names)
    return form


def dump(form: Json) -> str:
    """JSON text, with the end of its last line."""
    return json.dumps(form, indent=2) + "\n"


def item(form: Json) -> str:
    """JSON text that stands in a list."""
    return json.dumps([form], indent=2)[2:-2]


def list_of(items: Iterable[str]) -> Iterator[str]:
    """The list of such texts, piece by piece."""
    before = "[\n"
    for text in items:
        yield before
        yield text
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def flow_form(version: int, names: Names = NUMBERS) -> Form:
    """A flow in a list."""
    shows = value_shows(lambda number: json.dumps(render_port(number, names))[1:-1])
    numbers = (Kind.TABLE, Kind.SECONDS, Kind.NANOSECONDS, Kind.AGE)
    return Form(
        lambda flow: item(plain(flow, version, names)),
        shows
        | {(kind, False): (str,) for kind in numbers}
        | {
            (Kind.COUNT, False): (show_count,),
            (Kind.VLAN, False): (str, show_vlan),
            (Kind.DECIMAL, True): (
                *shows[Kind.DECIMAL, True],
                masked(lambda value, mask: f"{value}/{mask:#x}"),
            ),
        },
    )


def line(form: Json) -> str:
    """JSON text on one line, for streams."""
    return json.dumps(form) + "\n"
