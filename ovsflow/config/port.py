"""What a port is told: its name, number, kind and options.

Read from `NAME[=OFPORT][:KIND[,key=value]…]` or made from Python.  Whether the device exists,
or the kind takes an option, is answered where the port is opened.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Self

from ovsflow.config.words import did_you_mean
from ovsflow.errors import ConfigError, ParseError

PORT_KINDS: Final = ("system", "tap", "internal", "vxlan", "patch", "pcap", "memory")
LOCAL_PORT: Final = 0xFFFFFFFE
LAST_PORT: Final = 0xFEFF


@dataclass(frozen=True, slots=True)
class PortConfig:
    """A port to open.

    Attributes:
        name: Name of the port; for `system`, `tap` and `internal` also the device's.
        kind: One of `PORT_KINDS`.
        number: OpenFlow port number, 1..0xfeff or `LOCAL_PORT`; `None` for the lowest free one.
        options: The kind's options, as text (`remote_ip=flow`).
    """

    name: str
    kind: str = "system"
    number: int | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Checks the values."""
        if not self.name or len(self.name) > 64 or re.search(r"[\s/:=,]", self.name):
            raise ConfigError(
                f"port name '{self.name}' must be 1 to 64 characters without space and /:=,"
            )
        if self.kind not in PORT_KINDS:
            raise ConfigError(
                f"port {self.name}: unknown kind '{self.kind}'; "
                f"{did_you_mean(self.kind, PORT_KINDS)}"
            )
        if self.number is not None and not (
            1 <= self.number <= LAST_PORT or self.number == LOCAL_PORT
        ):
            raise ConfigError(f"port {self.name}: number {self.number} is not in 1..{LAST_PORT}")

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Reads `NAME[=OFPORT][:KIND[,key=value]…]`, as in `vxlan0=2:vxlan,dst_port=4790`.

        Raises:
            ParseError: With the column where it stops making sense.
        """
        head, colon, tail = spec.partition(":")
        name, equals, number_text = head.partition("=")
        if not name:
            raise ParseError("a port name must come first", spec, 0)
        number = _parse_port_number(spec, number_text, len(name) + 1) if equals else None
        kind = "system"
        options: dict[str, str] = {}
        if colon:
            kind, options = _parse_kind(spec, tail, len(head) + 1)
        if number is None and kind == "internal":
            number = LOCAL_PORT
        try:
            return cls(name, kind, number, MappingProxyType(options))
        except ConfigError as error:
            column = len(name) + 1 if equals and "number" in str(error) else 0
            raise ParseError(str(error), spec, column) from error


def _parse_port_number(spec: str, text: str, column: int) -> int:
    if text.upper() == "LOCAL":
        return LOCAL_PORT
    if not re.fullmatch(r"[0-9]+|0[xX][0-9a-fA-F]+", text):
        raise ParseError(f"'{text}' is not a port number (1..{LAST_PORT}, LOCAL)", spec, column)
    number = int(text, 0) if text.lower().startswith("0x") else int(text)
    if not 1 <= number <= LAST_PORT:
        raise ParseError(f"port number {text} is not in 1..{LAST_PORT}", spec, column)
    return number


def _parse_kind(spec: str, tail: str, column: int) -> tuple[str, dict[str, str]]:
    kind, *pairs = tail.split(",")
    if kind not in PORT_KINDS:
        raise ParseError(
            f"unknown port kind '{kind}'; {did_you_mean(kind, PORT_KINDS)}", spec, column
        )
    column += len(kind) + 1
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ParseError(f"expected key=value, found '{pair}'", spec, column)
        if key in options:
            raise ParseError(f"option '{key}' is given twice", spec, column)
        options[key] = value
        column += len(pair) + 1
    return kind, options


def assign_numbers(
    ports: Sequence[PortConfig], taken: Iterable[int] = ()
) -> tuple[PortConfig, ...]:
    """Gives each port without a number the lowest free one, in order.

    Raises:
        ConfigError: A number or a name is used twice.
    """
    used = set(taken)
    names: set[str] = set()
    for port in ports:
        if port.name in names:
            raise ConfigError(f"port {port.name} is given twice")
        names.add(port.name)
        if port.number is not None:
            if port.number in used:
                raise ConfigError(f"port {port.name}: number {port.number} is already used")
            used.add(port.number)
    numbered = []
    candidate = 1
    for port in ports:
        if port.number is None:
            while candidate in used:
                candidate += 1
            used.add(candidate)
            port = replace(port, number=candidate)
        numbered.append(port)
    return tuple(numbered)
