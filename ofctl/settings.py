"""The options of the command line, as one typed thing."""

import sys
from dataclasses import dataclass, field

from ofctl.connection import SPOKEN, TlsFiles
from ovsflow.openflow.constants import Version
from ovsflow.openflow.text.paint import COLOURED, PLAIN, Paint

VERSION_WORDS = {
    "openflow10": Version.OF10,
    "openflow13": Version.OF13,
    "openflow14": Version.OF14,
    "openflow15": Version.OF15,
}
_NOT_SPOKEN = ("openflow11", "openflow12")


@dataclass(frozen=True)
class Settings:
    """Options.

    Attributes:
        versions: Versions to offer.
        strict: Match flows exactly, for changes and deletions.
        bundle: Apply changes all together or not at all.
        readd: `replace-flows` adds what is there already.
        may_create: `mod-group` adds a group that is not there.
        names: Show names of ports; `None` to show them on a terminal only.
        stats: Show counters of flows.
        sort: What to sort flows by; empty for the switch's order.
        descending: Sort from high to low.
        color: Colour the output.
        timestamp: Put the time before each message that `monitor` shows.
        json: Print JSON.
        more: How much more detail to print.
        timeout: Seconds after which to give up.
        packet_in_format: Form of packet-ins that `monitor` asks for.
        tls: Files for `ssl:`.
    """

    versions: tuple[int, ...] = SPOKEN
    strict: bool = False
    bundle: bool = False
    readd: bool = False
    may_create: bool = False
    names: bool | None = None
    stats: bool = True
    sort: str = ""
    descending: bool = False
    color: bool = False
    timestamp: bool = False
    json: bool = False
    more: int = 0
    timeout: float | None = None
    packet_in_format: str = ""
    tls: TlsFiles = field(default_factory=TlsFiles)

    @property
    def paint(self) -> Paint:
        """The colours."""
        return COLOURED if self.color else PLAIN

    @property
    def shows_names(self) -> bool:
        """Whether ports are shown by name."""
        return sys.stdout.isatty() if self.names is None else self.names


def parse_versions(text: str) -> tuple[int, ...]:
    """Reads `OpenFlow13,OpenFlow14`; `1.3`, `of13` and `OXM-OpenFlow13` are understood too.

    Raises:
        ValueError: A word is no version that this program speaks; the text says which.
    """
    found: set[int] = set()
    for part in text.replace(" ", ",").split(","):
        if not part:
            continue
        plain = part.lower().removeprefix("oxm-").replace(".", "").replace("-table_id", "")
        plain = plain.replace("+table_id", "").removeprefix("v")
        if plain.isdigit():
            plain = f"openflow{plain}"
        elif plain.startswith("of") and plain[2:].isdigit():
            plain = f"openflow{plain[2:]}"
        if plain in ("any", "oxm"):
            found |= set(SPOKEN if plain == "any" else SPOKEN[1:])
        elif plain == "nxm":
            found.add(Version.OF10)
        elif plain in VERSION_WORDS:
            found.add(VERSION_WORDS[plain])
        elif plain in _NOT_SPOKEN:
            # Newer and older versions are enough to talk to any switch; say so only when alone.
            continue
        else:
            raise ValueError(f"{part}: unknown OpenFlow version")
    if not found:
        raise ValueError(f"{text}: ofctl speaks OpenFlow10, OpenFlow13, OpenFlow14 and OpenFlow15")
    return tuple(sorted(found))
