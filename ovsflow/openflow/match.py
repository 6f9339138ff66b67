"""What a flow matches: the model, independent of version and wire.

Owns `Match`, an ordered list of fields with values and masks, as people write it: names are those
of the field table (`fields.py`), numbers are plain integers, right-aligned. The order is kept
because a TLV list needs prerequisites first and because a dump should show what was sent. Bytes
are `match_codec.py`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class MatchField:
    """One field of a match.

    Attributes:
        name: Canonical name in the field table.
        value: The value, right-aligned; no bit outside `mask`.
        mask: Which bits count; `None` for all of the field's.
        size: Bytes of the value, for fields of variable length (tun_metadata) only, else 0.
    """

    name: str
    value: int
    mask: int | None = None
    size: int = 0

    def __post_init__(self) -> None:
        """Refuses bits outside the mask."""
        if self.value < 0:
            raise ValueError(f"{self.name}: negative value")
        if self.mask is not None and self.value & ~self.mask:
            raise ValueError(f"{self.name}: value {self.value:#x} has bits outside its mask")


Spec = int | tuple[int, int]
"""An exact value, or a value and a mask."""


@dataclass(frozen=True, slots=True)
class Match:
    """Fields that must all agree; an empty match agrees with every packet.

    Attributes:
        fields: The fields, each at most once, prerequisites before what needs them.
        unknown: TLVs of a report (a packet's metadata) that are not known here, each with the
            number of known ones before it.
        idle_wildcards: Wildcard bits of OpenFlow 1.0 that a peer set and that say nothing beside
            the others; two matches that differ in them are equal.
    """

    fields: tuple[MatchField, ...] = ()
    unknown: tuple[tuple[int, bytes], ...] = ()
    idle_wildcards: int = field(default=0, compare=False, repr=False)

    @classmethod
    def of(cls, **fields: Spec) -> Self:
        """A match from keywords: `Match.of(in_port=1, ip_dst=(0x0a000000, 0xff000000))`."""
        return cls(
            tuple(
                MatchField(name, *spec) if isinstance(spec, tuple) else MatchField(name, spec)
                for name, spec in fields.items()
            )
        )

    def __iter__(self) -> Iterator[MatchField]:
        """The fields, in order."""
        return iter(self.fields)

    def __len__(self) -> int:
        """How many fields are matched."""
        return len(self.fields)

    def __contains__(self, name: object) -> bool:
        """Whether the field of that name is matched."""
        return any(field.name == name for field in self.fields)

    def find(self, name: str) -> MatchField | None:
        """The field of that name, if it is matched at all."""
        return next((field for field in self.fields if field.name == name), None)

    def value(self, name: str) -> int | None:
        """The value of a field that is matched exactly or in part."""
        field = self.find(name)
        return None if field is None else field.value

    def exact(self, name: str) -> int | None:
        """The value of a field that is matched without a mask."""
        field = self.find(name)
        return None if field is None or field.mask is not None else field.value

    def having(self, *fields: MatchField) -> Self:
        """This match with `fields` at its end, in place of what had their names."""
        left = self.without(*(field.name for field in fields))
        return replace(left, fields=left.fields + fields)

    def without(self, *names: str) -> Self:
        """This match without some fields."""
        return replace(self, fields=tuple(item for item in self.fields if item.name not in names))


MATCH_ALL = Match()
"""The match that agrees with every packet."""
