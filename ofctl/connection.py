"""A blocking OpenFlow client: one socket, one request at a time.

Owns the session from HELLO on: the version, transaction ids, answers to ECHO, and the putting
together of multipart replies.  What a reply means is the commands' business.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ofctl.address import Address
from ovsflow.errors import DecodeError, HostError, OvsflowError
from ovsflow.openflow import codec
from ovsflow.openflow.codec import Received
from ovsflow.openflow.constants import VERSION_NAMES, MessageType, Version
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import BarrierRequest, EchoReply, EchoRequest, Hello
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.wire import Body

SPOKEN = (Version.OF10, Version.OF13, Version.OF14, Version.OF15)
_READ_BYTES = 1 << 18

PART_BYTES, PART_FLAGS = 16, 11
"""A multipart reply of OpenFlow 1.3 and later: where its flags end, and its body begins."""

# How many messages may be on their way before the client asks whether all went well.
_WINDOW = 512

B = TypeVar("B", bound=Body)


class SwitchRefusedError(OvsflowError):
    """The switch answered with an error.

    Attributes:
        error: What it said.
        version: The session's version, in whose numbers it said so.
        xid: Transaction id of the request.
        request: The request, if it is known.
    """

    def __init__(
        self, error: ErrorMessage, version: int, xid: int, request: Body | None = None
    ) -> None:
        super().__init__("the switch refused a request")
        self.error = error
        self.version = version
        self.xid = xid
        self.request = request


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files for `ssl:` addresses; empty for none."""

    private_key: str = ""
    certificate: str = ""
    ca_certificate: str = ""


class _Sent(Mapping[int, Body]):
    """Messages in bytes by transaction id, read again only when one is asked for."""

    def __init__(self, first: int, messages: Sequence[bytes]) -> None:
        self._first = first
        self._messages = messages

    def __getitem__(self, xid: int) -> Body:
        if not 0 <= xid - self._first < len(self._messages):
            raise KeyError(xid)
        return codec.decode(self._messages[xid - self._first]).body

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._first, self._first + len(self._messages)))

    def __len__(self) -> int:
        return len(self._messages)

    def __contains__(self, xid: object) -> bool:
        return isinstance(xid, int) and 0 <= xid - self._first < len(self._messages)


class Connection:
    """A session with a switch.

    Attributes:
        address: Where the switch is.
        version: What both sides speak.
    """

    def __init__(
        self,
        address: Address,
        versions: Iterable[int] = SPOKEN,
        timeout: float | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        """Connects and says HELLO.

        Args:
            address: Where the switch is.
            versions: Versions to offer.
            timeout: Seconds that everything together may take; `None` for no limit.
            tls: Keys, for `ssl`.

        Raises:
            HostError: Nobody listens, or the versions have none in common.
        """
        self.address = address
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._framer = Framer()
        self._waiting: list[bytes] = []
        self._next_xid = 1
        self._socket = connect(address, timeout, tls or TlsFiles())
        self.version = 0
        try:
            self._hello(tuple(sorted(versions)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Connection":
        """The connection itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Closes the connection."""
        self.close()

    def close(self) -> None:
        """Ends the session."""
        self._socket.close()

    def send(self, body: Body) -> int:
        """Sends a message; returns its transaction id."""
        xid = self.reserve_xid()
        self.write(codec.encode(body, self.version, xid))
        return xid

    def write(self, data: bytes) -> None:
        """Sends whole messages."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(error) from None

    def receive(self) -> Received:
        """Waits for the next message; ECHO requests are answered on the way."""
        while True:
            message = codec.decode(self.read())
            if not isinstance(message.body, EchoRequest):
                return message
            self.write(codec.encode(EchoReply(message.body.data), self.version, message.xid))

    def read(self) -> bytes:
        """Waits for the next message, as bytes."""
        while not self._waiting:
            try:
                self._socket.settimeout(self._left())
                data = self._socket.recv(_READ_BYTES)
            except OSError as error:
                raise self._lost(error) from None
            if not data:
                raise HostError(f"{self.address}: the switch closed the connection")
            self._waiting += self._framer.feed(data)
        return self._waiting.pop(0)

    def request(self, body: Body) -> Received:
        """Sends a request and waits for its reply.

        Raises:
            SwitchRefusedError: The reply is an error.
        """
        return self._answer(self.send(body), body)

    def _answer(self, xid: int, request: Body) -> Received:
        while True:
            message = self.receive()
            self._aside(message, xid, request)
            if message.xid == xid:
                return message

    def _aside(self, message: Received, xid: int, request: Body) -> None:
        """Answers an ECHO; raises for the error that answers a request."""
        if isinstance(message.body, EchoRequest):
            self.write(codec.encode(EchoReply(message.body.data), self.version, message.xid))
        elif isinstance(message.body, ErrorMessage) and message.xid == xid:
            raise SwitchRefusedError(message.body, self.version, xid, request)

    def parts(self, request: StatsRequest) -> Iterator[Received]:
        """Sends a multipart request; yields each part of the reply as it comes."""
        xid = self.send(request)
        more = True
        while more:
            message = self._answer(xid, request)
            body = message.body
            more = isinstance(body, StatsReply) and body.more
            yield message

    def byte_parts(self, request: StatsRequest) -> Iterator[bytes]:
        """As `parts`, in bytes: for replies that are too long to be made into objects."""
        xid = self.send(request)
        more = True
        while more:
            data = self.read()
            _, kind, known = codec.header_of(data)
            if kind == MessageType.MULTIPART_REPLY and known == xid and len(data) >= PART_BYTES:
                more = bool(data[PART_FLAGS] & 1)
                yield data
            else:
                self._aside(codec.decode(data), xid, request)

    def collect(self, request: StatsRequest, kind: type[B]) -> list[B]:
        """Sends a multipart request; returns the parts of the reply, which must be of one kind."""
        return [self._checked(message, kind) for message in self.parts(request)]

    def ask(self, request: Body, kind: type[B]) -> B:
        """Sends a request and returns the reply, which must be of one kind."""
        return self._checked(self.request(request), kind)

    def _checked(self, message: Received, kind: type[B]) -> B:
        if not isinstance(message.body, kind):
            name = type(message.body).__name__
            raise HostError(f"{self.address}: the switch answered with {name}")
        return message.body

    def tell(self, bodies: Iterable[Body]) -> list[SwitchRefusedError]:
        """Sends messages that have no reply, then a barrier; returns the errors that came."""
        errors: list[SwitchRefusedError] = []
        sent: dict[int, Body] = {}
        for body in bodies:
            sent[self.send(body)] = body
            if len(sent) >= _WINDOW:
                errors += self._settle(sent)
        return errors + self._settle(sent)

    def tell_bytes(self, messages: Sequence[bytes]) -> list[SwitchRefusedError]:
        """As `tell`, for messages in bytes, whose transaction ids are written over."""
        errors: list[SwitchRefusedError] = []
        for start in range(0, len(messages), _WINDOW):
            first = self._next_xid
            window = [
                message[:4] + xid.to_bytes(4, "big") + message[8:]
                for xid, message in enumerate(messages[start : start + _WINDOW], first)
            ]
            self._next_xid += len(window)
            self.write(b"".join(window))
            errors += self.settle_request(BarrierRequest(), _Sent(first, window))
        return errors

    def _settle(self, sent: dict[int, Body]) -> list[SwitchRefusedError]:
        """Waits until the switch has dealt with all that was sent."""
        errors = self.settle_request(BarrierRequest(), sent)
        sent.clear()
        return errors

    def settle_request(self, last: Body, sent: Mapping[int, Body]) -> list[SwitchRefusedError]:
        """Sends a last request and waits for its reply; returns all errors until then.

        Args:
            last: The request.
            sent: What was sent before, by transaction id.
        """
        end = self.send(last)
        errors = []
        while True:
            message = self.receive()
            mine = message.xid == end or message.xid in sent
            if isinstance(message.body, ErrorMessage) and mine:
                request = last if message.xid == end else sent[message.xid]
                refused = SwitchRefusedError(message.body, self.version, message.xid, request)
                errors.append(refused)
            if message.xid == end:
                return errors

    def reserve_xid(self) -> int:
        """A transaction id that nothing has used yet."""
        xid = self._next_xid
        self._next_xid += 1
        return xid

    def _left(self) -> float | None:
        """Seconds until the deadline."""
        if self._deadline is None:
            return None
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _lost(self, error: OSError) -> HostError:
        return HostError(f"{self.address}: {error.strerror or error}")

    def _hello(self, versions: tuple[int, ...]) -> None:
        highest = versions[-1]
        self.write(codec.encode(Hello(versions), highest, self.reserve_xid()))
        data = self.read()
        try:
            message = codec.decode(data)
        except DecodeError as error:
            raise HostError(f"{self.address}: does not speak OpenFlow ({error})") from None
        if not isinstance(message.body, Hello):
            raise HostError(f"{self.address}: the switch did not say HELLO")
        common = set(versions) & set(message.body.versions)
        if not common and min(highest, message.version) in versions:
            common = {min(highest, message.version)}
        if not common:
            offered = ", ".join(_version_name(version) for version in versions)
            peer = ", ".join(_version_name(version) for version in message.body.versions)
            raise HostError(
                f"{self.address}: version negotiation failed: we speak {offered}, "
                f"the switch speaks {peer or _version_name(message.version)}"
            )
        self.version = max(common)


def _version_name(version: int) -> str:
    return VERSION_NAMES[Version(version)] if version in VERSION_NAMES else f"0x{version:02x}"


def connect(address: Address, timeout: float | None, tls: TlsFiles) -> socket.socket:
    """A socket to the switch; raises `HostError` when nobody is there."""
    try:
        if address.kind == "unix":
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            plain.settimeout(timeout)
            plain.connect(address.path)
            return plain
        plain = socket.create_connection((address.host, address.port), timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secured(plain, tls) if address.kind == "ssl" else plain
    except OSError as error:
        raise HostError(f"connecting to {address} ({error.strerror or error})") from None


def _secured(plain: socket.socket, tls: TlsFiles) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # OpenFlow's certificates name switches, not hosts.
    context.check_hostname = False
    if tls.ca_certificate:
        context.load_verify_locations(tls.ca_certificate)
    else:
        raise HostError("ssl: needs --ca-cert, the certificate that vouches for the switch")
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.private_key or None)
    return context.wrap_socket(plain)
