"""Bad requests, each in the words of every OpenFlow version that can say it.

`CASES` has one for every input of `tests/data/error_table.txt`.  Its bytes are made here, by a
`Dialect` for each version, from the specifications' structures and not by the product's encoder,
which would refuse to make most of them.  In OpenFlow 1.0 a match is Nicira's extended one.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.session.fake import raw

OF10, OF13, OF14, OF15 = 1, 4, 5, 6
ALL = (OF10, OF13, OF14, OF15)
NO_BUFFER = ANY = 0xFFFFFFFF
NICIRA = 0x2320

#: Messages whose numbers OpenFlow 1.0 has elsewhere.
TEN = {"port_mod": 15, "barrier": 18, "multipart": 16, "queues": 20}
NUMBERS = {
    "config": 9,
    "packet_out": 13,
    "flow": 14,
    "group": 15,
    "port_mod": 16,
    "table_mod": 17,
    "multipart": 18,
    "barrier": 20,
    "queues": 22,
    "role": 24,
    "meter": 29,
}


def oxm(field: int, value: bytes, mask: bytes = b"", *, kind: int = 0x8000) -> bytes:
    """One TLV of a match."""
    body = value + mask
    return struct.pack("!HBB", kind, field << 1 | bool(mask), len(body)) + body


def experimenter_oxm(field: int, who: int, value: bytes) -> bytes:
    return oxm(field, struct.pack("!I", who) + value, kind=0xFFFF)


def padded(body: bytes) -> bytes:
    return body + bytes(-len(body) % 8)


def action(kind: int, body: bytes, length: int | None = None) -> bytes:
    """An action; `body` is padded to a multiple of eight."""
    whole = padded(bytes(4) + body)
    return struct.pack("!HH", kind, len(whole) if length is None else length) + whole[4:]


def nicira(subtype: int, body: bytes, vendor: int = NICIRA) -> bytes:
    return action(0xFFFF, struct.pack("!IH", vendor, subtype) + body)


def set_field(tlv: bytes) -> bytes:
    return action(25, tlv)


def instruction(kind: int, body: bytes = bytes(4), length: int | None = None) -> bytes:
    return struct.pack("!HH", kind, 4 + len(body) if length is None else length) + body


def apply(*actions: bytes, kind: int = 4) -> bytes:
    """An apply-actions instruction (kind 3: write-actions)."""
    return instruction(kind, bytes(4) + b"".join(actions))


IP = oxm(5, b"\x08\x00")
ARP = oxm(5, b"\x08\x06")
MPLS = oxm(5, b"\x88\x47")
PBB = oxm(5, b"\x88\xe7")
IPV6 = oxm(5, b"\x86\xdd")
TAGGED = oxm(6, b"\x10\x05")
PORT_1 = oxm(0, struct.pack("!I", 1))
LEARN = nicira(16, bytes(26))
NOTE = nicira(8, bytes(6))
CT_MARK = oxm(107, struct.pack("!I", 1), kind=1)


def ct(*nested: bytes) -> bytes:
    """ct(commit) with actions inside."""
    head = struct.pack("!HIHB3xH", 1, 0, 0, 255, 0)
    return nicira(35, head + b"".join(nested))


CT = ct()
#: nat(src=10.0.0.1)
NAT = nicira(36, struct.pack("!HHHI4x", 0, 1, 1, 0x0A000001))


@dataclass(frozen=True)
class Dialect:
    """One version's way to say what all versions mean."""

    version: int

    def message(self, name: str, body: bytes = b"") -> bytes:
        number = TEN.get(name) if self.version == OF10 else None
        return raw(self.version, NUMBERS[name] if number is None else number, body)

    def match(self, *tlvs: bytes, kind: int = 1, length: int | None = None) -> bytes:
        """An ofp_match with its padding."""
        body = b"".join(tlvs)
        size = 4 + len(body) if length is None else length
        return padded(struct.pack("!HH", kind, size) + body)

    def flow(
        self,
        *tlvs: bytes,
        do: tuple[bytes, ...] = (),
        instructions: bytes = b"",
        matching: bytes = b"",
        command: int = 0,
        table: int = 0,
        flags: int = 0,
        buffer: int = NO_BUFFER,
        priority: int = 5,
    ) -> bytes:
        """A FLOW_MOD with a match of TLVs, which applies the actions `do`."""
        if self.version == OF10:
            fields, actions = b"".join(tlvs), b"".join(do)
            head = struct.pack(
                "!QHHHHIHHH6x", 0, command, 0, 0, priority, buffer, 0xFFFF, flags, len(fields)
            )
            return raw(1, 4, struct.pack("!II", NICIRA, 13) + head + padded(fields) + actions)
        head = struct.pack(
            "!QQBBHHHIIIHH", 0, 0, table, command, 0, 0, priority, buffer, ANY, ANY, flags, 0
        )
        return self.message(
            "flow",
            head + (matching or self.match(*tlvs)) + (apply(*do) if do else b"") + instructions,
        )

    def plain_flow(self, actions: bytes = b"", flags: int = 0) -> bytes:
        """A FLOW_MOD of OpenFlow 1.0's own that matches everything."""
        head = struct.pack("!I36xQHHHHIHH", 0x3FFFFF, 0, 0, 0, 0, 5, NO_BUFFER, 0xFFFF, flags)
        return self.message("flow", head + actions)

    def output(self, port: int) -> bytes:
        if self.version == OF10:
            return action(0, struct.pack("!HH", port & 0xFFFF, 0))
        return action(0, struct.pack("!IH6x", port, 0))

    def write(self, tlv: bytes) -> bytes:
        """An action that writes a field."""
        return nicira(33, tlv) if self.version == OF10 else set_field(tlv)

    def group_action(self, number: int) -> bytes:
        word = struct.pack("!I", number)
        return nicira(40, bytes(2) + word) if self.version == OF10 else action(22, word)

    def meter_flow(self, number: int) -> bytes:
        """A flow that passes a meter: an instruction, in OpenFlow 1.5 an action."""
        word = struct.pack("!I", number)
        if self.version == OF15:
            return self.flow(do=(action(29, word),))
        return self.flow(instructions=instruction(6, word))

    def packet_out(
        self, in_port: int, actions: bytes, buffer: int = NO_BUFFER, preset: bytes = b""
    ) -> bytes:
        count = len(actions)
        if self.version == OF10:
            body = struct.pack("!IHH", buffer, in_port & 0xFFFF, count)
        elif self.version == OF15:
            body = struct.pack("!IHxx", buffer, count)
            body += self.match(oxm(0, struct.pack("!I", in_port)), preset)
        else:
            body = struct.pack("!IIH6x", buffer, in_port, count)
        data = bytes(60) if buffer == NO_BUFFER else b""
        return self.message("packet_out", body + actions + data)

    def bucket_command(self, command: int, place: int, *buckets: bytes) -> bytes:
        """A change of group 1's buckets, OpenFlow 1.5."""
        body = b"".join(buckets)
        head = struct.pack("!HBxIHxxI", command, 0, 1, len(body), place)
        return self.message("group", head + body)

    def bucket(
        self,
        action: bytes = b"",
        *,
        weight: int | None = None,
        length: int | None = None,
        number: int = 1,
    ) -> bytes:
        """A bucket that outputs to port 1, unless it has another action."""
        actions = action or self.output(1)
        if self.version < OF15:
            size = 16 + len(actions) if length is None else length
            return struct.pack("!HHII4x", size, weight or 0, ANY, ANY) + actions
        properties = b"" if weight is None else struct.pack("!HHHxx", 0, 8, weight)
        size = 8 + len(actions) + len(properties) if length is None else length
        return struct.pack("!HHI", size, len(actions), number) + actions + properties

    def group(self, number: int, *buckets: bytes, command: int = 0, kind: int = 0) -> bytes:
        body = b"".join(buckets)
        head = struct.pack("!HBxI", command, kind, number)
        if self.version == OF15:
            head += struct.pack("!HxxI", len(body), ANY)
        return self.message("group", head + body)

    def meter(self, number: int, *bands: bytes, command: int = 0, flags: int = 1) -> bytes:
        return self.message("meter", struct.pack("!HHI", command, flags, number) + b"".join(bands))

    def port_mod(self, port: int, address: bytes) -> bytes:
        if self.version == OF10:
            return self.message("port_mod", struct.pack("!H6sIII4x", port, address, 0, 0, 0))
        body = struct.pack("!I4x6s2xII", port, address, 0, 0)
        return self.message("port_mod", body + (bytes(8) if self.version == OF13 else b""))

    def table_mod(self, table: int = 0, config: int = 0) -> bytes:
        return self.message("table_mod", struct.pack("!B3xI", table, config))

    def stats(self, kind: int, body: bytes = b"") -> bytes:
        pad = b"" if self.version == OF10 else bytes(4)
        return self.message("multipart", struct.pack("!HH", kind, 0) + pad + body)

    def role(self, role: int, generation: int = 0) -> bytes:
        if self.version == OF10:
            # Nicira's roles: other, primary, secondary.
            return raw(1, 4, struct.pack("!III", NICIRA, 10, role - 1))
        return self.message("role", struct.pack("!I4xQ", role, generation))


def band(kind: int = 1) -> bytes:
    return struct.pack("!HHII4x", kind, 16, 1000, 0)


@dataclass(frozen=True)
class Case:
    """A bad request: how it is said, which versions can say it, and what must come before."""

    say: Callable[[Dialect], bytes]
    versions: tuple[int, ...] = ALL
    before: Callable[[Dialect], tuple[bytes, ...]] = lambda _: ()
    #: Flows that a table of the switch may hold.
    table_limit: int = 0


def matching(*tlvs: bytes) -> Case:
    """A flow with a match."""
    return Case(lambda d: d.flow(*tlvs))


def doing(*actions: bytes, on: tuple[bytes, ...] = (), versions: tuple[int, ...] = ALL) -> Case:
    """A flow with actions."""
    return Case(lambda d: d.flow(*on, do=actions), versions)


MODERN = (OF13, OF14, OF15)
SECONDARY, UNKNOWN_ROLE = 3, 9
GENERATION = 10


def instructing(*parts: bytes, table: int = 0) -> Case:
    """A flow with instructions."""
    return Case(lambda d: d.flow(instructions=b"".join(parts), table=table), MODERN)


def while_secondary(say: Callable[[Dialect], bytes], versions: tuple[int, ...] = ALL) -> Case:
    """A request of a controller whose role lets it only read."""
    return Case(say, versions, before=lambda d: (d.role(SECONDARY, GENERATION),))


def goto(table: int) -> bytes:
    return instruction(1, struct.pack("!B3x", table))


def grouping(say: Callable[[Dialect], bytes]) -> Case:
    return Case(say, MODERN)


WILD_11 = struct.pack("!HHII", 0, 88, 0, 0x3FF) + (bytes(6) + b"\xff" * 6) * 2 + bytes(8)
WILD_11 += (bytes(4) + b"\xff" * 4) * 2 + bytes(4) + bytes(8) + bytes(8) + b"\xff" * 8

MATCHES: dict[str, Case] = {
    "unknown OXM": matching(oxm(60, b"\0\0")),
    "unknown OXM class": matching(oxm(0, b"\0\0", kind=0x7777)),
    "wrong OXM length": matching(oxm(0, b"\0\0\0")),
    "NSH": matching(oxm(5, b"\x89\x4f"), experimenter_oxm(1, 0x5AD650, b"\0")),
    "ERSPAN": matching(experimenter_oxm(12, NICIRA, b"\1")),
    "connection state": matching(IP, oxm(105, struct.pack("!I", 1), kind=1)),
    "in_phy_port": matching(PORT_1, oxm(1, struct.pack("!I", 1))),
    "PBB": matching(PBB, oxm(37, b"\0\0\7"), oxm(41, b"\1")),
    "IPv6 extension headers": matching(IPV6, oxm(39, b"\0\1")),
    "prerequisite missing": matching(oxm(14, b"\0\x50")),
    "prerequisite later in the list": matching(oxm(10, b"\x06"), IP),
    "same field twice": matching(PORT_1, PORT_1),
    "same field under two names": matching(oxm(3, b"\2" * 6), oxm(1, b"\2" * 6, kind=0)),
    "value bit outside mask": matching(IP, oxm(12, b"\x0a\0\0\x01", b"\xff\0\0\0")),
    "partial mask on unmaskable field": matching(oxm(0, b"\0\0\0\x01", b"\0\0\0\xff")),
    "mask of all ones on unmaskable field": matching(oxm(0, b"\0\0\0\x01", b"\xff" * 4)),
    "pcp 9": matching(TAGGED, oxm(7, b"\x09")),
    "vid 0x2005": matching(oxm(6, b"\x20\x05")),
    "dscp 64": matching(IP, oxm(8, b"\x40")),
    "arp_op 0x100": matching(ARP, oxm(21, b"\x01\x00")),
    "in_port 0xff00": matching(oxm(0, struct.pack("!I", 0xFF00))),
    "label over 20 bits": matching(MPLS, oxm(34, b"\0\x10\0\0")),
    "tun_flags bit 1": matching(oxm(104, b"\0\2", kind=1)),
    "ct_state bit 9": matching(oxm(105, struct.pack("!I", 0x200), kind=1)),
    "match type unknown": Case(lambda d: d.flow(matching=d.match(kind=7)), MODERN),
    "match length wrong": Case(lambda d: d.flow(matching=d.match(length=100)), MODERN),
    "flow_mod cut short in the match": Case(
        lambda d: d.flow()[:2] + b"\0\x30" + d.flow()[4:48], MODERN
    ),
    "standard match of OpenFlow 1.1": Case(lambda d: d.flow(matching=WILD_11), MODERN),
    "match on dp_hash": matching(oxm(35, struct.pack("!I", 1), kind=1)),
    "match on recirc_id": matching(oxm(36, struct.pack("!I", 1), kind=1)),
    "tun_metadata slot not mapped": matching(oxm(40, bytes(4), kind=1)),
}

FLOWS: dict[str, Case] = {
    "flow_mod command unknown": Case(lambda d: d.flow(command=9)),
    "flow_mod flags unknown": Case(lambda d: d.flow(flags=0x8000)),
    "table 255 on add": Case(lambda d: d.flow(table=255), MODERN),
    "table 254": Case(lambda d: d.flow(table=254), MODERN),
    "delete on table 255": Case(lambda d: d.flow(command=3, table=255, priority=9), MODERN),
    "overlap": Case(lambda d: d.flow(PORT_1, flags=2), before=lambda d: (d.flow(IP),)),
    "table full": Case(lambda d: d.flow(PORT_1), before=lambda d: (d.flow(IP),), table_limit=1),
    "unknown instruction": instructing(instruction(99)),
    "experimenter instruction": instructing(instruction(0xFFFF, struct.pack("!I", 1))),
    "duplicate instruction": instructing(apply(action(18, b"")), apply(action(18, b""))),
    "goto the same table": instructing(goto(3), table=3),
    "goto a lower table": instructing(goto(1), table=3),
    "instruction length": instructing(instruction(1, length=7)),
    "meter missing": Case(lambda d: d.meter_flow(77), MODERN),
    "meter 0": Case(lambda d: d.meter_flow(0), MODERN),
}

ACTIONS: dict[str, Case] = {
    "unknown action": doing(action(99, bytes(4))),
    "learn in write_actions": instructing(apply(LEARN, kind=3)),
    "note in write_actions": instructing(apply(NOTE, kind=3)),
    "push_pbb": doing(action(26, b"\x88\xe7\0\0"), versions=MODERN),
    "copy_ttl_in": doing(action(12, bytes(4)), on=(MPLS,), versions=MODERN),
    "copy_ttl_out": doing(action(11, bytes(4)), on=(MPLS,), versions=MODERN),
    "set_field eth_type": doing(set_field(IP), versions=MODERN),
    "set_field ip_proto": doing(set_field(oxm(10, b"\6")), on=(IP,), versions=MODERN),
    "set_field mpls_bos": doing(set_field(oxm(36, b"\1")), on=(MPLS,), versions=MODERN),
    "action length": doing(action(0, bytes(12), length=12)),
    "unknown vendor": doing(nicira(1, bytes(6), vendor=0x12345)),
    "unknown subtype": doing(nicira(9999, bytes(6))),
    "output to ANY": Case(lambda d: d.flow(do=(d.output(ANY),))),
    "output to UNSET": Case(lambda d: d.flow(do=(d.output(0xFFFFFFF7),)), MODERN),
    "output to 0xff00": Case(lambda d: d.flow(do=(d.output(0xFF00),))),
    "output to port 0": Case(lambda d: d.flow(do=(d.output(0),))),
    "output to port 4000": Case(lambda d: d.flow(do=(d.output(4000),))),
    "output to TABLE": Case(lambda d: d.flow(do=(d.output(0xFFFFFFF9),))),
    "push_vlan 0x9100": doing(action(17, b"\x91\x00\0\0"), versions=MODERN),
    "push_mpls 0x0800": doing(action(19, b"\x08\x00\0\0"), versions=MODERN),
    "reg_load value too wide": doing(
        nicira(7, struct.pack("!HIQ", 3, 0x00010004, 16)), versions=(OF10, OF13, OF14)
    ),
    "reg_load range outside field": doing(
        nicira(7, struct.pack("!HIQ", 0x7C1, 0x00010004, 1)), versions=(OF10, OF13, OF14)
    ),
    "group missing": Case(lambda d: d.flow(do=(d.group_action(88),))),
    "pop_vlan without a tag": doing(action(18, bytes(4)), versions=MODERN),
    "pop_mpls without a label": doing(action(20, b"\x08\0\0\0"), versions=MODERN),
    "dec_ttl without IP": doing(action(24, bytes(4)), versions=MODERN),
    "set_field without its header": doing(set_field(oxm(12, bytes(4))), versions=MODERN),
    "ct": doing(CT, on=(IP,)),
    "ct that translates and writes": Case(lambda d: d.flow(IP, do=(ct(NAT, d.write(CT_MARK)),))),
    "ct without IP": doing(CT),
    "ct_clear": doing(nicira(43, bytes(6))),
    "resubmit to the original direction": doing(nicira(44, b"\xff\xf8\3" + bytes(3)), on=(IP,)),
    "set_field ct_mark outside ct": Case(lambda d: d.flow(do=(d.write(CT_MARK),))),
    "encap": doing(nicira(46, bytes(6)), versions=MODERN),
    "decap": doing(nicira(47, bytes(6)), versions=MODERN),
    "dec_nsh_ttl": doing(nicira(48, bytes(6)), versions=MODERN),
    "delete_field": doing(nicira(50, struct.pack("!IH", 0x00015004, 0))),
    "set_field in_port": doing(set_field(PORT_1), versions=MODERN),
    "illegal value": doing(set_field(oxm(8, b"\x40")), on=(IP,), versions=MODERN),
    "vlan_vid without the present bit": doing(
        set_field(oxm(6, b"\0\5")), on=(TAGGED,), versions=MODERN
    ),
    "bad padding": doing(set_field(oxm(3, b"\2" * 6) + b"\0\1"), versions=MODERN),
    "set_field unknown OXM": doing(set_field(oxm(60, b"\0\0")), versions=MODERN),
    "set_field wrong OXM length": doing(set_field(oxm(3, b"\0\0")), versions=MODERN),
    "masked set_field": doing(
        set_field(oxm(12, b"\x0a\0\0\0", b"\xff\0\0\0")), on=(IP,), versions=(OF13, OF14)
    ),
    "conjunction with another action": Case(
        lambda d: d.flow(do=(nicira(34, b"\0\2\0\0\0\1"), d.output(1)))
    ),
    "conjunction of one clause": doing(nicira(34, b"\0\1\0\0\0\1")),
}

REQUESTS: dict[str, Case] = {
    "unknown message": Case(lambda d: raw(d.version, 99)),
    "unknown multipart": Case(lambda d: d.stats(99)),
    "wrong message length": Case(lambda d: d.message("barrier", b"\0")),
    "packet_out from TABLE": Case(lambda d: d.packet_out(0xFFFFFFF9, d.output(1))),
    "packet_out to 0xff00": Case(lambda d: d.packet_out(1, d.output(0xFF00))),
    "packet_out of buffer 9": Case(lambda d: d.packet_out(1, d.output(1), buffer=9)),
    "packet_out that presets a header": Case(
        lambda d: d.packet_out(1, d.output(1), preset=IP), (OF15,)
    ),
    "flow_mod while secondary": while_secondary(lambda d: d.flow()),
    "group_mod while secondary": while_secondary(lambda d: d.group(2, d.bucket()), MODERN),
    "meter_mod while secondary": while_secondary(lambda d: d.meter(2, band()), MODERN),
    "packet_out while secondary": while_secondary(lambda d: d.packet_out(1, d.output(1))),
    "port_mod while secondary": while_secondary(lambda d: d.port_mod(1, bytes(6))),
    "table_mod while secondary": while_secondary(lambda d: d.table_mod(), MODERN),
    "stale generation": Case(
        lambda d: d.role(SECONDARY, GENERATION - 1),
        MODERN,
        before=lambda d: (d.role(SECONDARY, GENERATION),),
    ),
    "unknown role": Case(lambda d: d.role(UNKNOWN_ROLE, GENERATION)),
    "set_config flags": Case(lambda d: d.message("config", struct.pack("!HH", 0x10, 0)), MODERN),
    "port_mod of an unknown port": Case(lambda d: d.port_mod(99, bytes(6))),
    "port_mod with a wrong address": Case(lambda d: d.port_mod(1, b"\x02" * 6)),
    "queue stats of a bad port": Case(
        lambda d: d.stats(5, struct.pack("!HxxI" if d.version == OF10 else "!II", 99, ANY))
    ),
    "queue config of a bad port": Case(
        lambda d: d.message("queues", struct.pack("!Hxx" if d.version == OF10 else "!I4x", 99)),
        (OF10, OF13),
    ),
}

GROUPS: dict[str, Case] = {
    "reserved group id": grouping(lambda d: d.group(0xFFFFFF01, d.bucket())),
    "weights on all": grouping(lambda d: d.group(2, d.bucket(weight=3))),
    "indirect without a bucket": grouping(lambda d: d.group(2, kind=2)),
    "indirect with two buckets": grouping(
        lambda d: d.group(2, d.bucket(), d.bucket(number=2), kind=2)
    ),
    "failover bucket without a watch": grouping(lambda d: d.group(2, d.bucket(), kind=3)),
    "group that exists": grouping(lambda d: d.group(1, d.bucket())),
    "unknown group on modify": grouping(lambda d: d.group(9, d.bucket(), command=1)),
    "bad group type": grouping(lambda d: d.group(2, d.bucket(), kind=9)),
    "bad group command": grouping(lambda d: d.group(2, command=9)),
    "bad bucket length": grouping(lambda d: d.group(2, d.bucket(length=15))),
    "delete of a missing group": grouping(lambda d: d.group(77, command=2)),
    "insert after a missing bucket": Case(
        lambda d: d.bucket_command(3, 9, d.bucket(number=2)), (OF15,)
    ),
    "remove of a missing bucket": Case(lambda d: d.bucket_command(5, 9), (OF15,)),
    "bucket twice": Case(lambda d: d.bucket_command(3, 0xFFFFFFFE, d.bucket()), (OF15,)),
    "group that runs itself": grouping(lambda d: d.group(3, d.bucket(d.group_action(3)))),
    "group that runs a missing group": grouping(lambda d: d.group(3, d.bucket(d.group_action(88)))),
    "delete of a chained group": Case(
        lambda d: d.group(1, command=2),
        MODERN,
        before=lambda d: (d.group(3, d.bucket(d.group_action(1))),),
    ),
}

METERS: dict[str, Case] = {
    "meter that exists": grouping(lambda d: d.meter(1, band())),
    "modify of a missing meter": grouping(lambda d: d.meter(9, band(), command=1)),
    "bad meter command": grouping(lambda d: d.meter(2, band(), command=9)),
    "bad meter flags": grouping(lambda d: d.meter(2, band(), flags=0x80)),
    "unsupported band": grouping(lambda d: d.meter(2, band(9))),
    "no bands": grouping(lambda d: d.meter(2)),
    "too many bands": grouping(lambda d: d.meter(2, *[band()] * 9)),
    "delete of a missing meter": grouping(lambda d: d.meter(77, command=2)),
}

TABLES: dict[str, Case] = {
    "table_mod of a missing table": Case(lambda d: d.table_mod(254), MODERN),
    "table_mod config unknown": Case(lambda d: d.table_mod(0, 0x40), MODERN),
    "table features that change": Case(lambda d: d.stats(12, struct.pack("!HB61x", 64, 0)), MODERN),
}

CASES: dict[str, Case] = {
    **MATCHES,
    **FLOWS,
    **ACTIONS,
    **REQUESTS,
    **GROUPS,
    **TABLES,
    **METERS,
}


def existing(dialect: Dialect) -> tuple[bytes, ...]:
    """Group 1 and meter 1, where the version has groups and meters."""
    if dialect.version == OF10:
        return ()
    return (dialect.group(1, dialect.bucket()), dialect.meter(1, band()))
