"""Reads a switch from a TOML document.

A key that is not known is refused by its name, with the key that was probably meant; a value of
the wrong type by its name and the type that is wanted.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ovsflow.config.port import LOCAL_PORT, PortConfig
from ovsflow.config.switch import (
    DescConfig,
    FailMode,
    SwitchConfig,
    TlsConfig,
    parse_dpid,
    parse_protocols,
)
from ovsflow.config.target import ControllerConfig, ListenConfig, PacketInLimit, Target
from ovsflow.config.words import did_you_mean, refuse_unknown
from ovsflow.errors import ConfigError, ParseError

_WORDS: Final = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "a table",
}

_KEYS: Final = (
    "bridge",
    "dpid",
    "fail_mode",
    "protocols",
    "workers",
    "max_connections",
    "max_connections_per_peer",
    "controllers",
    "listen",
    "ports",
    "settings",
    "describe",
    "tls",
)


def load(path: str | Path) -> SwitchConfig:
    """Reads a switch from one TOML file.

    Raises:
        ConfigError: The file cannot be read or used; the text names the file and the key.
    """
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return from_document(document)
    except ParseError as error:
        raise ConfigError(f"{path}: {error}: '{error.text}'") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def from_document(document: Mapping[str, object]) -> SwitchConfig:
    """Makes a switch from a parsed TOML document; raises `ConfigError` naming the key."""
    refuse_unknown("top level", document, _KEYS)
    table = _Table("", document)
    given: dict[str, object] = {}
    for key in ("workers", "max_connections", "max_connections_per_peer"):
        if key in document:
            given[key] = table.number(key)
    listen = [ListenConfig(Target.parse(text)) for text in table.texts("listen")]
    config = SwitchConfig(
        name=table.text("bridge", "br0"),
        dpid=parse_dpid(table.text("dpid")) if "dpid" in document else None,
        ports=_ports(table.table("ports")),
        controllers=tuple(_controller(each) for each in table.items("controllers")),
        listen=tuple(listen),
        fail_mode=_fail_mode(table.text("fail_mode", "secure")),
        settings=MappingProxyType(dict(table.table("settings").scalars())),
        describe=_describe(table.table("describe")),
        tls=_tls(table.table("tls")) if "tls" in document else None,
        **given,  # type: ignore[arg-type]  # each value was checked to be a whole number
    )
    if "protocols" in document:
        config = replace(config, protocols=parse_protocols(table.texts("protocols")))
    return config


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table that says where it stands when a value has the wrong type."""

    where: str
    values: Mapping[str, object]

    def _typed(self, key: str, kind: type, default: object) -> object:
        value = self.values.get(key, default)
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ConfigError(f"{self.where}{key} must be {_WORDS[kind]}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self._typed(key, str, default)
        assert isinstance(value, str)
        return value

    def number(self, key: str, default: int | None = None) -> int:
        value = self._typed(key, int, default)
        assert isinstance(value, int)
        return value

    def real(self, key: str, default: float | None = None) -> float:
        value = self._typed(key, float, default)
        assert isinstance(value, float | int)
        return float(value)

    def items(self, key: str) -> list[object]:
        value = self._typed(key, list, [])
        assert isinstance(value, list)
        return value

    def texts(self, key: str) -> list[str]:
        texts = [each for each in self.items(key) if isinstance(each, str)]
        if len(texts) != len(self.items(key)):
            raise ConfigError(f"{self.where}{key} must be a list of texts")
        return texts

    def table(self, key: str) -> "_Table":
        value = self._typed(key, dict, {})
        assert isinstance(value, dict)
        return _Table(f"{self.where}{key}.", value)

    def scalars(self) -> Iterable[tuple[str, str | int | bool]]:
        for key, value in self.values.items():
            if not isinstance(value, str | int | bool):
                raise ConfigError(f"{self.where}{key} must be text, a whole number, true or false")
            yield key, value


def _ports(table: _Table) -> tuple[PortConfig, ...]:
    ports = []
    for name in table.values:
        port = table.table(name)
        refuse_unknown(port.where.rstrip("."), port.values, ("number", "kind", "options"))
        options = {key: _option_text(value) for key, value in port.table("options").scalars()}
        kind = port.text("kind", "system")
        number = port.number("number") if "number" in port.values else None
        if number is None and kind == "internal":
            number = LOCAL_PORT
        ports.append(PortConfig(name, kind, number, MappingProxyType(options)))
    return tuple(ports)


def _option_text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _controller(value: object) -> ControllerConfig:
    if isinstance(value, str):
        return ControllerConfig(Target.parse(value))
    if not isinstance(value, dict):
        raise ConfigError("controllers must be a list of texts or tables")
    known = ("target", "probe", "max_backoff", "packet_in_rate", "packet_in_burst")
    refuse_unknown("controllers", value, known)
    table = _Table("controllers.", value)
    return ControllerConfig(
        Target.parse(table.text("target")),
        probe=table.real("probe") if "probe" in value else None,
        max_backoff=table.real("max_backoff", 8.0),
        packet_ins=PacketInLimit(
            rate=table.number("packet_in_rate") if "packet_in_rate" in value else None,
            burst=table.number("packet_in_burst") if "packet_in_burst" in value else None,
        ),
    )


def _fail_mode(text: str) -> FailMode:
    try:
        return FailMode(text)
    except ValueError:
        raise ConfigError(f"fail_mode: unknown '{text}'; {did_you_mean(text, FailMode)}") from None


def _describe(table: _Table) -> DescConfig:
    known = [each.name for each in fields(DescConfig)]
    refuse_unknown("describe", table.values, known)
    return DescConfig(**{key: table.text(key) for key in table.values})


def _tls(table: _Table) -> TlsConfig:
    known = [each.name for each in fields(TlsConfig)]
    refuse_unknown("tls", table.values, known)
    return TlsConfig(**{key: table.text(key) for key in known})
