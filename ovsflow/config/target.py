"""Where to connect and where to listen: `tcp:HOST:PORT`, `punix:PATH` and their kin.

The address is taken apart, not looked up: names are resolved when the connection is made.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Self

from ovsflow.errors import ConfigError, ParseError

DEFAULT_TCP_PORT: Final = 6653


@dataclass(frozen=True, slots=True)
class Target:
    """An address to connect to or to listen on.

    Attributes:
        scheme: `tcp`, `ssl`, `unix`, or passive: `ptcp`, `pssl`, `punix`.
        host: Address or name, without brackets; empty for unix sockets.
        port: TCP port; 0 when listening asks the host for a free one.
        path: Path of a unix socket, else empty.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def passive(self) -> bool:
        """Whether the switch listens there, rather than connects."""
        return self.scheme.startswith("p")

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme in ("ssl", "pssl")

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.path:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        """The text that `parse` reads."""
        if self.path:
            return f"{self.scheme}:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            f"{self.scheme}:{self.port}:{host}"
            if self.passive
            else f"{self.scheme}:{host}:{self.port}"
        )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a target.

        Forms: `tcp:HOST[:PORT]`, `ssl:…`, `unix:PATH`, and passive `ptcp:[PORT][:ADDR]`,
        `pssl:…`, `punix:PATH`.

        An IPv6 address stands in brackets.  A passive TCP target without an address listens on
        loopback only.

        Raises:
            ParseError: With the column where it stops making sense.
        """
        scheme, colon, rest = text.partition(":")
        known = ("tcp", "ssl", "unix", "ptcp", "pssl", "punix")
        if not colon or scheme not in known:
            raise ParseError(f"'{scheme}' is none of {', '.join(known)}", text, 0)
        column = len(scheme) + 1
        if scheme in ("unix", "punix"):
            if not rest:
                raise ParseError("a path must follow", text, column)
            return cls(scheme, path=rest)
        if scheme in ("ptcp", "pssl"):
            port_text, colon, host = rest.partition(":")
            port = (
                _parse_tcp_port(text, port_text, column, lowest=0)
                if port_text
                else DEFAULT_TCP_PORT
            )
            if colon:
                host = _parse_host(text, host, column + len(port_text) + 1)
            return cls(scheme, host or "127.0.0.1", port)
        host, port_text, port_column = _split_host(text, rest, column)
        port = (
            _parse_tcp_port(text, port_text, port_column, lowest=1)
            if port_text
            else DEFAULT_TCP_PORT
        )
        return cls(scheme, host, port)


def _split_host(text: str, rest: str, column: int) -> tuple[str, str, int]:
    """Splits `HOST[:PORT]` into host, port text and the port's column."""
    if rest.startswith("["):
        closing = rest.find("]")
        if closing < 0:
            raise ParseError("the bracket is not closed", text, column)
        after = rest[closing + 1 :]
        if after and not after.startswith(":"):
            raise ParseError("a colon must follow the bracket", text, column + closing + 1)
        return _parse_host(text, rest[: closing + 1], column), after[1:], column + closing + 2
    if rest.count(":") > 1:
        raise ParseError("an IPv6 address must stand in brackets", text, column)
    host, _, port_text = rest.partition(":")
    return _parse_host(text, host, column), port_text, column + len(host) + 1


def _parse_host(text: str, host: str, column: int) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1].partition("%")[0])) + (
                f"%{host[1:-1].partition('%')[2]}" if "%" in host else ""
            )
        except ValueError:
            raise ParseError(f"'{host[1:-1]}' is not an IPv6 address", text, column) from None
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", host):
        raise ParseError(f"'{host}' is not a host name or address", text, column)
    return host


def _parse_tcp_port(text: str, port: str, column: int, *, lowest: int) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", port) or not lowest <= int(port) <= 0xFFFF:
        raise ParseError(f"'{port}' is not a TCP port ({lowest}..65535)", text, column)
    return int(port)


@dataclass(frozen=True, slots=True)
class PacketInLimit:
    """How many packet-ins one controller is sent at most.

    Attributes:
        rate: Packets a second, 0 for no limit; `None` as the switch's settings say.
        burst: Packets at once; `None` as the switch's settings say.
    """

    rate: int | None = None
    burst: int | None = None

    def __post_init__(self) -> None:
        """Checks the values."""
        for name, value in (("rate", self.rate), ("burst", self.burst)):
            if value is not None and not 0 <= value <= 0xFFFFFFFF:
                raise ConfigError(f"packet_in_{name}: {value} is not in 0..{0xFFFFFFFF}")


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """A controller that the switch connects to.

    Attributes:
        target: Where it listens.
        probe: Seconds of silence before an echo request, and again before the connection is
            given up; 0 never probes.  `None` stands for 5, and for 0 on unix sockets.
        max_backoff: Longest wait between two attempts, in seconds.
        packet_ins: How many packet-ins it is sent at most.
    """

    target: Target
    probe: float | None = None
    max_backoff: float = 8.0
    packet_ins: PacketInLimit = PacketInLimit()

    def __post_init__(self) -> None:
        """Checks the values."""
        if self.target.passive:
            raise ConfigError(
                f"controller {self.target}: the switch listens there; put it under 'listen'"
            )
        if self.probe is not None and self.probe < 0:
            raise ConfigError(f"controller {self.target}: probe must not be negative")
        if self.max_backoff < 0.1:
            raise ConfigError(f"controller {self.target}: max_backoff must be at least 0.1 seconds")

    @property
    def probe_seconds(self) -> float:
        """The probe interval that applies; 0 for none."""
        if self.probe is not None:
            return self.probe
        return 0.0 if self.target.path else 5.0


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """An address on which the switch accepts controllers and `ofctl`."""

    target: Target

    def __post_init__(self) -> None:
        """Checks the values."""
        if not self.target.passive:
            raise ConfigError(
                f"listen {self.target}: the switch connects there; put it under 'controllers', "
                f"or write p{self.target.scheme}:"
            )
