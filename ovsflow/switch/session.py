"""One controller's conversation: bytes in, bytes out; no socket, no clock.

    bytes ──receive──► Intake ──slices of table changes──► Datapath.apply ──► errors ──┐
                          └──other messages──► handlers (one per kind of message) ─────┴──► output

What a message asks for is done before the next one is looked at, so a barrier is answered when
all before it is done.  A long dump is the one thing that takes many steps: while it lasts the
session is `busy`, leaves the messages behind it where they are, and `work` goes on with one
piece of the dump at a time, so that the owner can serve others in between.

What the owner of the socket must do: send `take_output` when `wake` was called or `receive`
returned, stop reading while the session is `busy`, set `congested` while the peer does not
read, and close once `ended` says why and the output is out.
"""

from collections.abc import Callable, Iterator
from typing import Final

from ovsflow.config.target import PacketInLimit
from ovsflow.errors import DecodeError, EncodeError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import (
    HEADER_BYTES,
    SPOKEN,
    ErrorType,
    MessageType,
    MonitorEvent,
    PortReason,
    Role,
    RoleReason,
    Version,
)
from ovsflow.openflow.failure import ErrorMessage, error_for
from ovsflow.openflow.flow_stats import FlowStats
from ovsflow.openflow.handshake import EchoReply, EchoRequest, Hello
from ovsflow.openflow.monitor import FlowMonitorReply
from ovsflow.openflow.notices import PortStatus, RoleStatus
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.wire import Body
from ovsflow.switch.bridge import Bridge
from ovsflow.switch.bundles import Bundles
from ovsflow.switch.controllers import StatusReason, tell
from ovsflow.switch.features import told_to, type_numbers
from ovsflow.switch.forwarding import forward, messages_of
from ovsflow.switch.handlers import BUNDLED, handle
from ovsflow.switch.intake import BrokenStreamError, Intake, Piece
from ovsflow.switch.interest import Interest, Subject
from ovsflow.switch.left_out import MAX_FLOWS, UPDATES_HIGH, LeftOut, paused
from ovsflow.switch.monitors import Monitors

#: Messages that change tables or send packets: the datapath takes them as they are.
TABLE_CHANGES: Final = (
    MessageType.FLOW_MOD,
    MessageType.GROUP_MOD,
    MessageType.METER_MOD,
    MessageType.TABLE_MOD,
    MessageType.PACKET_OUT,
)

#: Bytes of output above which a dump waits until the owner has taken them.
OUTPUT_HIGH: Final = 1 << 18

#: Bytes of a request that an error echoes: all, but for what must still fit into one message.
ECHOED_BYTES: Final = 0xFFFF - 32

#: Pieces of a dump that are looked for in one go: those with little in them cost time too.
PIECES_AT_ONCE: Final = 8

_BULK: Final = {int(version): bytes(type_numbers(version, *TABLE_CHANGES)) for version in Version}
_HELLO_INCOMPATIBLE: Final = 0
_BAD_VERSION: Final = 0
_IS_SECONDARY: Final = 10


class Session:
    """A conversation with one peer.

    Attributes:
        bridge: What all sessions share.
        number: The session's number, also the `origin` of its changes.
        peer: Who is at the other end, for people.
        version: Wire version, 0 until it is negotiated.
        packet_ins: How many packet-ins the peer is sent at most.
        interest: What the peer wants to hear.
        bundles: Bundles that are open.
        monitors: Flows that the peer watches.
        cause: Transaction id of the request that is being carried out, for monitors.
        miss_send_len: As SET_CONFIG said.
        packet_in_format: How packet-ins are to be encoded.
        removed_in_nxm: Whether removed flows are told in Nicira's form (OpenFlow 1.0).
        controller_id: Which packet-ins are for this session (Nicira).
        short_id: What the controller calls itself (OpenFlow 1.5); 0xffff if it did not say.
        flow_mod_table_id: Whether FLOW_MODs of OpenFlow 1.0 name a table (Nicira).
        congested: Set by the owner while the peer does not read.
        ended: Why the conversation is over, `None` while it is not.
    """

    def __init__(
        self,
        bridge: Bridge,
        *,
        peer: str,
        service: bool,
        wake: Callable[[], None],
        packet_ins: PacketInLimit | None = None,
    ) -> None:
        """Begins with a HELLO.

        Args:
            bridge: What all sessions share.
            peer: Who is at the other end, for people.
            service: The peer connected to the switch: it hears nothing unasked before it asks.
            wake: Called when there is output that no `receive` or `work` of this session made.
            packet_ins: How many packet-ins the peer is sent at most.
        """
        self.bridge = bridge
        self.peer = peer
        self.service = service
        self.packet_ins = packet_ins or PacketInLimit()
        self.version = 0
        self.interest = Interest(Version.OF13, awake=False)
        self.bundles = Bundles()
        self._singly = 0
        self.monitors = Monitors(as_ovs=bridge.as_ovs)
        self._left_out: LeftOut | None = None
        self.miss_send_len = 0 if service else 128
        self.packet_in_format = "standard"
        self.removed_in_nxm = False
        self.controller_id = 0
        self.short_id = 0xFFFF
        self.flow_mod_table_id = False
        self.congested = False
        self.ended: str | None = None
        self.cause: int | None = None
        self.now_ns = 0
        self.messages = 0
        self._wake = wake
        self._inside = False
        self._intake = Intake()
        self._output = bytearray()
        self._dump: Iterator[bytes] | None = None
        self.number = bridge.join(self)
        self._output += codec.encode(Hello(bridge.protocols), max(bridge.protocols), 0)

    # -- For the owner of the socket -------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> None:
        """Takes bytes as they came and does what they ask for."""
        if self.ended is None:
            self._intake.feed(data)
            self.work(now_ns)

    def work(self, now_ns: int) -> None:
        """Goes on with what waits: one piece of a dump, then messages until the next dump."""
        self.now_ns = now_ns
        self._inside = True
        try:
            if self._dump is not None:
                self._continue_dump()
            while self._dump is None and self.ended is None:
                if self.version == 0 and not self._peek_hello():
                    break
                if self.bundles and self._take_bundled():
                    continue
                piece = self._intake.take(self.version, _BULK.get(self.version, b""))
                if piece is None:
                    break
                self._take_piece(piece)
        except BrokenStreamError as error:
            self.end(str(error))
        finally:
            self._inside = False

    @property
    def busy(self) -> bool:
        """Whether `work` has more to do, without more input."""
        return self._dump is not None and self.ended is None

    @property
    def open(self) -> bool:
        """Whether a version was agreed on and the conversation goes on."""
        return self.version != 0 and self.ended is None

    @property
    def waiting(self) -> int:
        """Bytes of output that nobody took yet."""
        return len(self._output)

    def take_output(self) -> bytes:
        """What is to be sent now."""
        if self._left_out is not None and not self.congested:
            left_out, self._left_out = self._left_out, None
            for body in left_out.tell(self.version):
                self._output += codec.encode(body, self.version, 0)
        output = bytes(self._output)
        self._output.clear()
        return output

    def probe(self) -> None:
        """Asks whether the peer is alive."""
        if self.open:
            self.send(EchoRequest())

    def end(self, reason: str) -> None:
        """Ends the conversation; what is in the output may still be sent."""
        if self.ended is None:
            was_open, role = self.open, self.role
            self.ended = reason
            self._dump = None
            self.bundles.clear()
            self.monitors.clear()
            self.bridge.leave(self.number)
            if was_open:
                tell(self, role, StatusReason.CONTROLLER_REMOVED, up=False)
            self._stir()

    # -- For handlers and the bridge ---------------------------------------------------------------

    @property
    def role(self) -> Role:
        """The session's role now."""
        return self.bridge.roles.role(self.number)

    def write(self, data: bytes) -> None:
        """Sends whole messages."""
        if self.bridge.snoopers and not self.service:
            self.bridge.mirror(data)
        self._output += data
        self._stir()

    def send(self, body: Body, xid: int = 0) -> None:
        """Sends a message in the session's version."""
        self.write(codec.encode(body, self.version, xid))

    def fail(self, error: DecodeError, request: bytes) -> None:
        """Answers a request with an error."""
        answer = error_for(error, self.version, request[:ECHOED_BYTES])
        self.send(answer, int.from_bytes(request[4:8], "big"))

    def begin_dump(self, pieces: Iterator[bytes]) -> None:
        """Answers a request with many pieces, one for each `work`; the first is sent at once."""
        self._dump = pieces
        self._continue_dump()

    def apply(self, messages: bytes, *, atomic: bool = False) -> bytes:
        """Has the datapath apply table changes; returns the errors, encoded."""
        if not self.monitors or atomic:
            return self._apply(messages, atomic=atomic)
        # Whoever watches flows is told its own changes by their transaction ids, one by one.
        errors = b""
        for message in messages_of(messages):
            self.cause = int.from_bytes(message[4:8], "big")
            errors += self._apply(message, atomic=False)
            self.bridge.deliver()
        self.cause = None
        return errors

    def _apply(self, messages: bytes, *, atomic: bool) -> bytes:
        errors = self.bridge.datapath.apply(
            self.version,
            messages,
            self.now_ns,
            atomic=atomic,
            origin=self.number,
            table_ids=self.flow_mod_table_id,
        )
        self.bridge.on_change()
        if not (atomic and errors):
            forward(self, messages, errors)
        return errors

    def check(self, messages: bytes) -> ErrorMessage | None:
        """What the first table change that can never be applied would be refused with."""
        datapath = self.bridge.datapath
        errors = datapath.check(self.version, messages, table_ids=self.flow_mod_table_id)
        for error in messages_of(errors):
            body = codec.decode(error).body
            if isinstance(body, ErrorMessage):
                return body
        return None

    def require_write(self) -> None:
        """Raises IS_SECONDARY unless the session may change the switch."""
        if self.role is Role.SECONDARY:
            raise DecodeError("the session is secondary", ErrorType.BAD_REQUEST, _IS_SECONDARY)

    def hears(self, subject: Subject, reason: int) -> bool:
        """Whether the session wants a message."""
        return self.open and self.interest.wants(subject, reason, self.role)

    def tell_port(self, reason: PortReason, port: PortDesc) -> None:
        """Sends PORT_STATUS."""
        self.send(PortStatus(reason, told_to(port, self.version)))

    def tell_role(self, reason: RoleReason) -> None:
        """Sends ROLE_STATUS, of which OpenFlow 1.0 knows nothing."""
        if self.version >= Version.OF13:
            self.send(RoleStatus(self.role, reason, self.bridge.roles.generation))

    def tell_change(self, change: MonitorEvent, flow: FlowStats, reason: int, *, own: bool) -> None:
        """Sends a flow monitor's update, if a monitor wants it."""
        cause = (self.cause or 0) if own else None
        late = self._left_out is not None or (self.congested and self.waiting > UPDATES_HIGH)
        # By the time that the peer reads it a transaction id would say nothing to it.
        update = self.monitors.update(change, flow, reason=reason, cause=cause, in_full=late)
        if update is None or not self.open:
            return
        if not late:
            self.send(FlowMonitorReply((update,)))
            return
        if self._left_out is None:
            self.send(paused(self.version))
            self._left_out = LeftOut()
        self._left_out.add(flow, update)
        if len(self._left_out) > MAX_FLOWS:
            self.end("the peer does not read its flow updates")

    # -- Inside --------------------------------------------------------------------------------

    def _stir(self) -> None:
        if not self._inside:
            self._wake()

    def _peek_hello(self) -> bool:
        """Whether to go on reading before the version is known: only a HELLO may come."""
        header = self._intake.first_header()
        if len(header) < 2:
            return False
        if header[0] == 0 or header[1] != MessageType.HELLO:
            self.end("the first message is not HELLO")
            return False
        return True

    def _take_piece(self, piece: Piece) -> None:
        data = piece.data
        if self.bridge.snoopers and not self.service:
            self.bridge.mirror(data)
        if piece.bulk:
            self._change_tables(data)
            return
        self.messages += 1
        try:
            if self.version == 0:
                self._negotiate(data)
            elif data[1] == MessageType.ECHO_REQUEST:
                # In any version, that somebody who only wants to know gets an answer.
                xid = int.from_bytes(data[4:8], "big")
                self.send(EchoReply(data[HEADER_BYTES:]), xid)
            else:
                self._check_version(data)
                handle(self, data)
        except DecodeError as error:
            self.fail(error, data)
        except EncodeError as error:
            # The peer asked for something that its version cannot be told.
            self.fail(DecodeError(str(error), ErrorType.BAD_REQUEST, 1), data)

    def _take_bundled(self) -> bool:
        """Keeps a run of messages for an open bundle; false if they need a look one by one."""
        if self.role is Role.SECONDARY or self.bridge.snoopers:
            return False
        self.bundles.expire(self.now_ns)
        if self._singly:
            self._singly -= 1
            return False
        run = self._intake.peek_bundled(self.version, BUNDLED[self.version])
        if run is None:
            return False
        if self.check(run.messages) is not None or not self.bundles.add_many(
            run.bundle, run.flags, run.messages, run.count, self.now_ns
        ):
            # One of them will be refused: each is looked at by itself.
            self._singly = run.count - 1
            return False
        self.messages += run.count
        self._intake.skip_to(run.end)
        return True

    def _check_version(self, data: bytes) -> None:
        """Only HELLO and echo replies may speak another version than the one agreed on."""
        free = (MessageType.ECHO_REPLY, MessageType.HELLO)
        if data[0] != self.version and data[1] not in free:
            raise DecodeError(
                f"version {data[0]:#04x} in a session of {self.version:#04x}",
                ErrorType.BAD_REQUEST,
                _BAD_VERSION,
            )

    def _change_tables(self, data: bytes) -> None:
        if self.role is not Role.SECONDARY:
            self.write(self.apply(data))
            return
        refusal = DecodeError("the session is secondary", ErrorType.BAD_REQUEST, _IS_SECONDARY)
        for message in messages_of(data):
            self.fail(refusal, message)

    def _negotiate(self, data: bytes) -> None:
        """Picks the highest version that both sides speak."""
        ours = self.bridge.protocols
        hello = codec.decode(data).body
        assert isinstance(hello, Hello)
        shared = [version for version in ours if version in hello.versions]
        if not shared:
            text = f"this side speaks {', '.join(f'{version:#04x}' for version in ours)}"
            error = ErrorMessage(ErrorType.HELLO_FAILED, _HELLO_INCOMPATIBLE, text.encode())
            spoken = min((v for v in SPOKEN if v >= data[0]), default=max(ours))
            self.write(codec.encode(error, spoken, int.from_bytes(data[4:8], "big")))
            self.end("no OpenFlow version in common")
            return
        self.version = max(shared)
        # Before it is awake: the others are told of it, it need not be told of itself.
        tell(self, self.role, StatusReason.CONTROLLER_ADDED)
        self.interest = Interest(self.version, awake=not self.service)
        self.bridge.audience_changed()

    def _continue_dump(self) -> None:
        assert self._dump is not None
        for _ in range(PIECES_AT_ONCE):
            if len(self._output) >= OUTPUT_HIGH:
                return
            piece = next(self._dump, None)
            if piece is None:
                self._dump = None
                return
            self.write(piece)
            if len(piece) >= OUTPUT_HIGH // 4:
                return
