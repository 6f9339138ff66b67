"""The whole boundary between Python and Rust, on one page.

Everything that touches a packet or a flow happens on the other side of this page.  OpenFlow
messages cross it as bytes; a controller's mistake comes back as an error *message*, host
trouble as `OSError` with the port's name in `filename`, a caller's mistake as `ValueError`.
Every method releases the interpreter lock while it works.  Times are `time.monotonic_ns()`.
"""

from typing import final

__all__ = [
    "Datapath",
    "Event",
    "Field",
    "Port",
    "PortCounters",
    "fields",
    "run_of_bundled",
    "run_of_messages",
]

@final
class Field:
    """One row of the field table: what a match or set_field can name.

    Attributes:
        name: Canonical name, as `ovs-ofctl` knows it (`tun_id`, `eth_src`).
        aliases: Other names for the same field.
        bits: Width in bits.
        wire_bytes: Bytes of the value in an OXM/NXM TLV.
        maskable: Whether any mask is allowed.
        writable: Whether set_field may write it.
        prerequisite: Name of the prerequisite (`ipv4`, `tcp`, `vlan`, `none`...).
        format: How people write it (`decimal`, `hexadecimal`, `ethernet`, `ipv4`, `ipv6`, ...).
        maximum: All legal bits; also the mask of an exact match.
        headers: `(since, header)` pairs: the wire version (1, 4, 5, 6) from which the switch uses
            this code point when it encodes, and the TLV header without mask bit; a 64-bit header
            holds the experimenter id in its low half.
        decodes: Every header that is accepted for this field.
        slot: `(word, shift, width)` in a flow key; fields that share bits are views of one another.
    """

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def bits(self) -> int: ...
    @property
    def wire_bytes(self) -> int: ...
    @property
    def maskable(self) -> bool: ...
    @property
    def writable(self) -> bool: ...
    @property
    def prerequisite(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def maximum(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def decodes(self) -> tuple[int, ...]: ...
    @property
    def slot(self) -> tuple[int, int, int]: ...

def fields() -> tuple[Field, ...]:
    """The field table, in the order in which a switch encodes matches."""

def run_of_messages(
    stream: bytes | bytearray, start: int, limit: int, version: int, types: bytes
) -> int:
    """Where the run of whole messages of one version and some types ends that begins at `start`.

    It is `start` itself if there is none.  A run ends with the message that reaches `limit`.
    """

def run_of_bundled(
    stream: bytes | bytearray, start: int, limit: int, version: int, types: bytes
) -> tuple[int, int, int, bytes, int] | None:
    """A run of BUNDLE_ADD messages for one bundle: each with one message of some types in it.

    Returns:
        `(bundle id, flags, number of messages, the messages without envelopes, where the run
        ends)`, or `None` when an envelope is not of that kind: transaction ids that differ,
        properties, anything cut short.
    """

@final
class Port:
    """A port as it is now.  `config` and `state` are OFPPC_* and OFPPS_* of OpenFlow 1.3.

    `backend` says in words how packets enter and leave (`packet socket, vnet header`).
    `speed` is in kbit/s, 0 if unknown; `mtu` in bytes, 0 if unlimited.
    """

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def options(self) -> dict[str, str]: ...
    @property
    def hw_addr(self) -> bytes: ...
    @property
    def config(self) -> int: ...
    @property
    def state(self) -> int: ...
    @property
    def speed(self) -> int: ...
    @property
    def mtu(self) -> int: ...
    @property
    def backend(self) -> str: ...
    @property
    def added_ns(self) -> int: ...

@final
class PortCounters:
    """Numbers of one port since it was added.  `drops` maps reason names to packets."""

    @property
    def number(self) -> int: ...
    @property
    def rx_packets(self) -> int: ...
    @property
    def rx_bytes(self) -> int: ...
    @property
    def tx_packets(self) -> int: ...
    @property
    def tx_bytes(self) -> int: ...
    @property
    def rx_dropped(self) -> int: ...
    @property
    def tx_dropped(self) -> int: ...
    @property
    def rx_errors(self) -> int: ...
    @property
    def tx_errors(self) -> int: ...
    @property
    def drops(self) -> dict[str, int]: ...

@final
class Event:
    """Something that controllers may want to hear of.

    Attributes:
        kind: `packet_in`, `flow_removed`, `flow_added`, `flow_modified`, `flow_deleted`,
            `table_status`, `port_error`.
        reason: The message's reason code, in OpenFlow 1.4's numbers; for `flow_deleted`, OFPRR_*.
        table_id: Table it came from; 255 if none.
        cookie: Cookie of the rule, or all ones.
        controller_id: Which connections a packet-in is for (0: the usual ones).
        listeners: Those who get a packet-in, as `set_listeners` numbers them; `None` for everybody.
        origin: The `origin` given to `apply` by the change that caused it; 0 if none did.
    """

    @property
    def kind(self) -> str: ...
    @property
    def reason(self) -> int: ...
    @property
    def table_id(self) -> int: ...
    @property
    def cookie(self) -> int: ...
    @property
    def controller_id(self) -> int: ...
    @property
    def listeners(self) -> list[int] | None: ...
    @property
    def origin(self) -> int: ...
    def encode(self, version: int, xid: int = 0, *, format: str = "standard") -> bytes:
        """The whole OpenFlow message for a session of `version` (0x01, 0x04, 0x05, 0x06).

        Packets are told whole, since none is kept in a buffer.  A changed flow is a reply to a
        request for flows (OFPMP_FLOW, in 1.5 OFPMP_FLOW_DESC).  Empty for an event that the
        version has no message for.

        Args:
            version: Wire version of the session.
            xid: Transaction id.
            format: Packet-in format: `standard`, `nxt_packet_in`, `nxt_packet_in2`.
        """

@final
class Datapath:
    """One switch's packets, tables, caches and ports."""

    def __new__(cls, name: str, *, datapath_id: int = 0, workers: int = 1) -> Datapath:
        """Makes an empty datapath.

        Args:
            name: Name of the bridge, used in errors and thread names.
            datapath_id: The 64-bit datapath id.
            workers: Threads that move packets.  With 0 there is no thread: packets move when
                `inject` or `poll` is called, in the caller's thread, so that tests are exact.

        Raises:
            OSError: Threads or their descriptors could not be made.
        """

    def add_port(
        self, number: int, name: str, kind: str, options: dict[str, str], now_ns: int
    ) -> Port:
        """Opens a port and starts to receive from it.

        Args:
            number: OpenFlow port number, 1..0xfeff, or 0xfffffffe for LOCAL.
            name: Name of the port; for `system`, `tap` and `internal` also the device's.
            kind: `system`, `tap`, `internal`, `vxlan`, `patch`, `pcap`, `memory`.
            options: The kind's options, as text (`remote_ip=flow`).
            now_ns: The time.

        Raises:
            OSError: The host refused; `filename` is the port's name.
            ValueError: Unknown kind or option, or a number or name that is in use.
        """

    def remove_port(self, number: int, now_ns: int) -> None:
        """Closes a port.  Raises `KeyError` when there is none of that number."""

    def ports(self) -> list[Port]:
        """All ports, by number."""

    def set_port(
        self,
        number: int,
        *,
        config: int | None = None,
        state: int | None = None,
        hw_addr: bytes | None = None,
        speed: int | None = None,
        mtu: int | None = None,
    ) -> Port:
        """Changes what is known of a port: PORT_MOD's config, and what netlink tells.

        Raises `KeyError` when there is none of that number.
        """

    def port_counters(self) -> list[PortCounters]:
        """The numbers of every port, by port number."""

    def apply(
        self,
        version: int,
        messages: bytes,
        now_ns: int,
        *,
        atomic: bool = False,
        origin: int = 0,
        table_ids: bool = False,
    ) -> bytes:
        """Applies FLOW_MOD, GROUP_MOD, METER_MOD, TABLE_MOD and PACKET_OUT messages, in order.

        When it returns, every packet received from now on sees the new state.

        Args:
            version: Wire version of the session (each header's own version byte is not looked at).
            messages: Whole messages, back to back.
            now_ns: The time.
            atomic: All or nothing, as a bundle wants it; stops at the first error.
            origin: A number for the session, told in events that these changes cause.
            table_ids: OpenFlow 1.0: the session uses NXT_FLOW_MOD_TABLE_ID.

        Returns:
            OFPT_ERROR messages to send back, each with its request's xid and bytes.
        """

    def check(self, version: int, messages: bytes, *, table_ids: bool = False) -> bytes:
        """Reads messages as `apply` would, and changes nothing, as for what waits in a bundle.

        Args:
            version: Wire version of the session.
            messages: Whole messages, back to back.
            table_ids: OpenFlow 1.0: the session uses NXT_FLOW_MOD_TABLE_ID.

        Returns:
            OFPT_ERROR for the first that can never be applied, whatever the tables hold, or nothing
            at all.
        """

    def query(
        self, version: int, request: bytes, now_ns: int, cursor: int = 0
    ) -> tuple[bytes, int | None]:
        """Answers one step of a multipart request about tables, flows, groups or meters.

        Args:
            version: Wire version of the session.
            request: The whole MULTIPART_REQUEST (STATS_REQUEST on 1.0) about flows, flow
                descriptions, aggregates, tables, their features and descriptions, groups or meters.
            now_ns: The time, for durations.
            cursor: 0 first, then what the last call returned.

        Returns:
            Whole reply messages (or OFPT_ERROR), back to back, at most about 256 KiB, with
            OFPMPF_REPLY_MORE where more follow; and the cursor of the next step, `None` at the end.
        """

    def execute(self, port: int, frame: bytes, now_ns: int) -> None:
        """Lets a frame arrive at a port, as if its device had received it."""

    def receive(self, port: int) -> list[bytes]:
        """Takes what a `memory` port was given to send, checksums filled in, segments cut."""

    def poll(self, now_ns: int) -> int:
        """With `workers=0`: moves what is waiting at all ports; returns the number of packets."""

    def events(self, limit: int = 64) -> list[Event]:
        """Takes up to `limit` waiting events.  `event_fd` becomes readable when there are some."""

    def event_fd(self) -> int:
        """A descriptor that is readable while events wait; it stays the datapath's own."""

    def tick(self, now_ns: int) -> int | None:
        """Expires flows and MAC addresses; returns when to call again, `None` for never.

        A change of the tables may make it due earlier: call it after `apply` too, and when
        `event_fd` was readable, for packets teach flows and addresses.
        """

    def configure(self, settings: dict[str, str | int | bool]) -> None:
        """Changes settings.

        They are `fragments` (normal, drop, nx-match), `miss` (drop, controller), `packet_in_rate`
        (a second to each listener that has no rate of its own, 0 for no limit), `packet_in_burst`,
        `mac_aging` (seconds), `invalid_ttl_to_controller`, `controllers_connected` (as
        `set_listeners`: everybody or nobody), `compat` (spec, ovs), `table_limit`,
        `cache_entries`, `flow_monitors` (whether to tell `flow_added`
        and its kin), `stage_times` (whether to measure what each stage of a worker takes; setting
        it begins anew).

        Raises `ValueError` with the setting's name when it is unknown or its value illegal.
        """

    def set_listeners(
        self, listeners: list[tuple[int, int, int, bool, int | None, int | None]] | None
    ) -> None:
        """Names those who hear packet-ins; `None`, as at the start, for everybody at once.

        Args:
            listeners: For each its number, told in events; its controller id; a bit for each
                reason that it wants, in OpenFlow 1.4's numbers; whether it wants packets that no
                flow matched; its rate (a second, 0 for no limit) and its burst, `None` as the
                settings say.  A number that was there before keeps what it has used up.
        """

    def trace(self, match: bytes, frame: bytes | None, now_ns: int) -> str:
        """Walks the tables and tells the walk, with no effect on state.

        Args:
            match: OXM/NXM TLVs of OpenFlow 1.3 with the packet's fields (in_port, tun_id, ...).
            frame: The packet itself, or `None` for one made up from `match`.
            now_ns: The time.

        Returns:
            JSON: `{"key": {...}, "events": [...], "datapath_actions": [...], "mask": {...},
            "megaflow": "...", "steps": [...], "more": [...], "leaves": [...], "drop": null,
            "why": null}`.  A step is `{"table": 0, "rule": "...", "cookie": ..., "priority": ...,
            "match_tlvs": hex, "instructions": hex}`; `rule` is null where nothing matched, and
            the hexadecimal parts are as OpenFlow 1.3 writes them.  An event is `{"depth": 0}`
            and one of `table` (a step), `action` and `write_actions` (OpenFlow 1.5's bytes),
            `instruction`, `learns` (a step) and `note`.  `more` are the walks of a packet that
            comes back to the tables, with the first five members; `leaves` says what becomes of
            this very `frame`: `port` or `controller`, `tunnel`, `frame`; `picks`; `drop`.
        """

    def statistics(self) -> str:
        """JSON: `{"cache": {}, "drops": {reason: packets}, "packet_ins": [], "tables": [], …}`.

        `workers` are one for each thread; `packet_ins` says what each listener was sent (`passed`)
        and what not, because of its limit (`limited`).
        """

    def mac_table(self) -> list[tuple[int, int, bytes, int]]:
        """What NORMAL has learned: `(port, vlan, address, age in seconds)`.

        The longest unseen come first; those last seen at one time by VLAN and address.
        """

    def close(self) -> None:
        """Stops the workers and closes all ports.  Safe to call twice."""
