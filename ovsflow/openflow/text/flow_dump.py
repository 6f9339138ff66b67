"""Flows straight from the bytes of a reply to text, for dumps of very many of them.

Owns no word of the language: the second flow of a *shape* is read and printed the long way with
marks in place of its values (`flow_places.py` says where they stand, `flow_forms.py` how they are
shown), and what comes out, a hole for each mark, is the mold for all flows of this shape.  A mold
is proved before it is used: it must print a second set of marks, and the flow itself, as the long
way does.  A shape whose values are not found in its text, and a value that is not printed by
itself, go the long way for ever.

Two flows are of one shape if they are as long and differ in nothing but values.  Shapes whose
values stand in the same places make a *layout*: one mask of bits leaves what tells them apart.

Only OpenFlow 1.3 and later.
"""

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from ovsflow.errors import OvsflowError
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_stats_entry import decode_flows
from ovsflow.openflow.text.flow_forms import Form, OddValueError, Show
from ovsflow.openflow.text.flow_places import ADDRESSES, Place, places_of
from ovsflow.openflow.wire import BAD_REQUEST_LEN, records

_MOST_SHAPES, _MOST_LAYOUTS = 8192, 256
"""Shapes and layouts that are remembered; when there are more, all are forgotten."""

_MOST_PLACES = 20
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


def split_flows(data: bytes) -> Iterator[bytes]:
    """Cuts flows that stand back to back; raises `DecodeError` where that cannot be."""
    return records(data, 8, BAD_REQUEST_LEN, "flow", length_at=0)


@dataclass(frozen=True, slots=True)
class _Mold:
    """The text of a shape.

    Attributes:
        text: The text, with `%s` for each value.
        layout: Cuts the values out of a flow.
        plan: Which value comes next in the text, and how it is shown.
    """

    text: str
    layout: struct.Struct
    plan: tuple[tuple[int, Show], ...]

    def fill(self, record: bytes) -> str:
        """The text of one flow."""
        cut = self.layout.unpack(record)
        return self.text % tuple([show(cut[at]) for at, show in self.plan])


@dataclass(slots=True)
class _Layout:
    """Shapes whose values stand in the same places; `None` stands for one seen once."""

    mask: int
    molds: dict[int, Callable[[bytes], str] | None] = field(default_factory=dict)


class FlowDump:
    """Prints the flows of one switch.

    Attributes:
        version: Wire version, 1.3 or later.
        form: What is printed.
    """

    def __init__(self, version: int, form: Form) -> None:
        assert version >= Version.OF13
        self.version = version
        self.form = form
        self._layouts: dict[int, list[_Layout]] = {}
        self._layout_count = self._shape_count = 0

    def text(self, record: bytes) -> str:
        """The text of one flow.

        Raises:
            DecodeError: It is not valid.
        """
        number = int.from_bytes(record, "big")
        layouts = self._layouts.get(len(record), [])
        for place, layout in enumerate(layouts):
            shape = number & layout.mask
            if shape in layout.molds:
                mold = layout.molds[shape]
                if mold is None:
                    if layout.mask != self._mask(record):
                        continue  # With a value that is fixed this is another shape.
                    mold = layout.molds[shape] = self._mold(record)
                try:
                    text = mold(record)
                except OddValueError:
                    continue
                if place:
                    # Those that are met more often come to stand before the others.
                    layouts[place - 1 : place + 1] = layout, layouts[place - 1]
                return text
        self._remember(record, number)
        return self._long(record)

    def _long(self, record: bytes) -> str:
        (flow,) = decode_flows(record, self.version)
        return self.form.render(flow)

    def _places(self, record: bytes) -> list[Place]:
        """What is free to change in a flow of this shape."""
        found = places_of(record, self.version) or []
        return [
            place
            for place in found[:_MOST_PLACES]
            if self.form.fixed.get(place.kind) != _number(record, place)
        ]

    def _mask(self, record: bytes) -> int:
        """The bits of a flow that do not change among those of its shape."""
        mask = (1 << 8 * len(record)) - 1
        for place in self._places(record):
            mask &= ~(((1 << 8 * place.size) - 1) << 8 * (len(record) - place.at - place.size))
        return mask

    def _remember(self, record: bytes, number: int) -> None:
        if self._shape_count >= _MOST_SHAPES or self._layout_count >= _MOST_LAYOUTS:
            self._layouts.clear()
            self._shape_count = self._layout_count = 0
        mask = self._mask(record)
        layouts = self._layouts.setdefault(len(record), [])
        layout = next((known for known in layouts if known.mask == mask), None)
        if layout is None:
            layout = _Layout(mask)
            layouts.append(layout)
            self._layout_count += 1
        if layout.molds.setdefault(number & mask, None) is None:
            self._shape_count += 1

    def _mold(self, record: bytes) -> Callable[[bytes], str]:
        """Makes the mold of a flow's shape; the long way if there can be none."""
        places = [
            place for place in self._places(record) if (place.kind, place.masked) in self.form.shows
        ]
        one, other = (_marked(record, places, which) for which in (0, 1))
        try:
            mold = _cast(places, self.form, one, self._long(one))
            if mold is not None:
                proved = all(mold.fill(each) == self._long(each) for each in (other, record))
                return mold.fill if proved else self._long
        except (OvsflowError, OddValueError):
            pass
        return self._long


def _number(record: bytes, place: Place) -> int:
    return int.from_bytes(record[place.at : place.at + place.size], "big")


def _marked(record: bytes, places: Sequence[Place], which: int) -> bytes:
    """A flow with marks for values."""
    marked = bytearray(record)
    for number, place in enumerate(places):
        marked[place.at : place.at + place.size] = place.mark(2 * number + which)
    return bytes(marked)


def _cast(places: Sequence[Place], form: Form, marked: bytes, text: str) -> _Mold | None:
    """Finds the marks of a flow in its text; `None` if one of them is missing."""
    layout = _cutter(places, len(marked))
    cut = layout.unpack(marked)
    known: dict[str, tuple[int, Show]] = {}
    for at, place in enumerate(places):
        for show in form.shows[place.kind, place.masked]:
            fixed = form.fixed.get(place.kind)
            known[show(cut[at])] = at, show if fixed is None else _unless(fixed, show)
    if not known:
        return _Mold(text.replace("%", "%%"), layout, ())
    words = "|".join(re.escape(word) for word in sorted(known, key=len, reverse=True))
    parts = re.split(rf"(?<![0-9a-fx.])({words})(?![0-9a-fx.:])", text)
    plan = tuple(known[word] for word in parts[1::2])
    if form.complete and len({at for at, _ in plan}) < len(places):
        return None
    return _Mold("%s".join(part.replace("%", "%%") for part in parts[::2]), layout, plan)


def _cutter(places: Sequence[Place], size: int) -> struct.Struct:
    """Cuts values out of a flow."""
    layout, at = "!", 0
    for place in places:
        whole = place.kind in ADDRESSES or place.masked
        code = f"{place.size}s" if whole else _CODES[place.size]
        layout += f"{place.at - at}x{code}"
        at = place.at + place.size
    return struct.Struct(f"{layout}{size - at}x")


def _unless(fixed: int, show: Show) -> Show:
    """Shows all values but one."""

    def shown(value: int) -> str:
        if value == fixed:
            raise OddValueError
        return cast("Callable[[int], str]", show)(value)

    return shown
