"""A command's conversation with one switch: the connection, its names, its printer.

Owns what every command needs: opening, port names in and out, and turning an error reply into a
sentence and exit status 1.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ofctl.address import find
from ofctl.connection import Connection, SwitchRefusedError
from ofctl.errors import CommandError, parse_sentence, refused_sentence
from ofctl.printing.message import MessagePrinter
from ofctl.settings import Settings
from ovsflow.errors import ParseError
from ovsflow.openflow.codec import Received
from ovsflow.openflow.constants import VERSION_NAMES, Version
from ovsflow.openflow.handshake import FeaturesReply, FeaturesRequest
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.port_stats import PortDescReply, PortDescRequest
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

    def port_names(self) -> Names:
        """Names of the switch's ports."""
        return Names({port.number: port.name for port in self.ports()})

    def port(self, word: str) -> int:
        """The port that a person means, by number or name."""
        number = find_port(word)
        if number is None:
            number = find_port(word, self.port_names())
        if number is None:
            raise CommandError(f"{self.target}: couldn't find port `{word}'")
        return number

    def printer(self) -> MessagePrinter:
        """Prints this switch's messages."""
        names = self.port_names() if self.settings.shows_names else NUMBERS
        return MessagePrinter(
            names, self.settings.paint, self.settings.stats, self.settings.more + 1
        )

    def show(self, messages: Iterable[Received]) -> None:
        """Prints messages as they come."""
        printer = self.printer()
        for message in messages:
            sys.stdout.write(printer.text(message))

    def parse(self, read: Callable[[Names], T], place: str = "") -> T:
        """Reads text; the switch's names are asked for only when the text does not do without.

        Args:
            read: Reads the text with these names.
            place: Where the text stands, for the error (`FILE:LINE`).
        """
        try:
            return read(NUMBERS)
        except ParseError as error:
            first = error
        try:
            return read(self.port_names())
        except ParseError as error:
            raise CommandError(parse_sentence(error, place)) from first

    def change(self, bodies: Iterable[Body]) -> None:
        """Sends messages that have no reply; an error ends the command with a sentence."""
        self._raise(self.connection.tell(bodies))

    def change_bytes(self, messages: Sequence[bytes]) -> None:
        """As `change`, for messages in bytes."""
        self._raise(self.connection.tell_bytes(messages))

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
