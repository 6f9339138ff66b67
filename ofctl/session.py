"""A command's conversation with one switch: the connection, its names, its printer.

Owns what every command needs: opening, port names in and out, and turning an error reply into a
sentence and exit status 1.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from ofctl.address import find
from ofctl.connection import Connection, SwitchRefusedError
from ofctl.errors import CommandError, parse_sentence, refused_sentence
from ofctl.printing.message import MessagePrinter
from ofctl.settings import Settings
from ovsflow.errors import ParseError
from ovsflow.openflow.codec import Received
from ovsflow.openflow.constants import VERSION_NAMES, Version
from ovsflow.openflow.handshake import BarrierRequest, FeaturesReply, FeaturesRequest
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.port_stats import PortDescReply, PortDescRequest
from ovsflow.openflow.table_stats import (
    TableFeature,
    TableFeaturesReply,
    TableFeaturesRequest,
    TableStats,
    TableStatsReply,
    TableStatsRequest,
)
from ovsflow.openflow.text.names import NUMBERS, Names, find_port
from ovsflow.openflow.wire import Body

T = TypeVar("T")


class Session:
    """One switch, as a command sees it.

    Attributes:
        target: The switch as it was typed.
        settings: The command line's options.
        connection: The connection.
    """

    def __init__(self, target: str, settings: Settings) -> None:
        """Connects; raises `UsageError` or `HostError` when that fails."""
        self.target = target
        self.settings = settings
        self.connection = Connection(
            find(target), settings.versions, settings.timeout, settings.tls
        )
        self._ports: tuple[PortDesc, ...] | None = None
        self._tables: dict[int, str] | None = None

    @property
    def version(self) -> int:
        """The version that both sides speak."""
        return self.connection.version

    def close(self) -> None:
        """Ends the session."""
        self.connection.close()

    def ports(self) -> tuple[PortDesc, ...]:
        """The switch's ports, asked for once."""
        if self._ports is None:
            if self.version == Version.OF10:
                self._ports = self.connection.ask(FeaturesRequest(), FeaturesReply).ports
            else:
                parts = self.connection.collect(PortDescRequest(), PortDescReply)
                self._ports = tuple(port for part in parts for port in part.ports)
        return self._ports

    def names(self, *, tables: bool = True) -> Names:
        """Names of the switch's ports and, if they are asked for, its tables."""
        ports = {port.number: port.name for port in self.ports()}
        return Names(ports, self._table_names() if tables else {})

    def _table_names(self) -> dict[int, str]:
        """Tables that have a name; none of a switch that does not tell."""
        connection = self.connection
        if self._tables is None:
            found: Sequence[TableStats | TableFeature] = ()
            try:
                if self.version == Version.OF10:
                    stats = connection.collect(TableStatsRequest(), TableStatsReply)
                    found = [table for part in stats for table in part.tables]
                else:
                    features = connection.collect(TableFeaturesRequest(), TableFeaturesReply)
                    found = [table for part in features for table in part.tables]
            except SwitchRefusedError:
                pass
            self._tables = {table.table_id: table.name for table in found if table.name}
        return self._tables

    def port(self, word: str) -> int:
        """The port that a person means, by number or name."""
        number = find_port(word)
        if number is None:
            number = find_port(word, self.names(tables=False))
        if number is None:
            raise CommandError(f"{self.target}: couldn't find port `{word}'")
        return number

    def printer(self, *, tables: bool = False) -> MessagePrinter:
        """Prints this switch's messages; with names of `tables` if messages tell of any."""
        names = self.names(tables=tables) if self.settings.shows_names else NUMBERS
        return MessagePrinter(
            names, self.settings.paint, self.settings.stats, self.settings.more + 1
        )

    def show(self, messages: Iterable[Received], *, tables: bool = False) -> None:
        """Prints messages as they come."""
        printer = self.printer(tables=tables)
        for message in messages:
            sys.stdout.write(printer.text(message))

    def parse(self, read: Callable[[Names], T], place: str = "") -> T:
        """Reads text; the switch's names are asked for only when the text does not do without.

        Args:
            read: Reads the text with these names.
            place: Where the text stands, for the error (`FILE:LINE`).
        """
        for ask in (False, True):
            try:
                return read(self.names(tables=False) if ask else NUMBERS)
            except ParseError:
                continue
        try:
            return read(self.names())
        except ParseError as error:
            raise CommandError(parse_sentence(error, place)) from None

    def change(self, bodies: Iterable[Body]) -> None:
        """Sends messages that have no reply; an error ends the command with a sentence."""
        self._raise(self.connection.tell(bodies))

    def change_bytes(self, messages: Sequence[bytes]) -> None:
        """As `change`, for messages in bytes."""
        self._raise(self.connection.tell_bytes(messages))

    def settle(self, sent: Mapping[int, Body]) -> None:
        """Waits until the switch has dealt with what was written, by transaction id."""
        self._raise(self.connection.settle_request(BarrierRequest(), sent))

    def _raise(self, errors: Sequence[SwitchRefusedError]) -> None:
        if errors:
            sentences = [refused_sentence(self.target, error) for error in errors]
            raise CommandError("\n".join(sentences))

    def needs(self, version: Version, command: str) -> None:
        """Ends the command with a sentence if the session's version is too old for it."""
        if self.version < version:
            name = VERSION_NAMES[version]
            number = f"{name[-2]}.{name[-1]}"
            raise CommandError(f"{command} needs OpenFlow {number} or later ('-O {name}')")
