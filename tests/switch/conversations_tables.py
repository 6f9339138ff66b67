"""Conversations to put to two switches: flows, bundles, packet-ins, tables, groups and meters."""

import struct
from collections.abc import Iterator

from tests.switch.conversations import CONTROLLER, Step, clean, packet_out_body, role
from tests.switch.talker import (
    ANY,
    NICIRA,
    ONF,
    flow_mod,
    flow_request,
    in_port,
    message,
    output,
)

# -- Flow tables -----------------------------------------------------------------------------------


def removed(versions: tuple[int, ...]) -> Iterator[Step]:
    """FLOW_REMOVED: who hears it, why, and in each version's form."""
    version = versions[0]
    yield from clean(0, version)
    wanted, actions = 1, output(version, 2)

    def flow(**more: int | bytes) -> bytes:
        numbers: dict[str, int | bytes] = {"flags": wanted, "cookie": 0x99, "actions": actions}
        return flow_mod(version, match=in_port(version, 1), **{**numbers, **more})  # type: ignore[arg-type]

    yield 0, flow()
    yield 0, flow(command=3)
    yield 0, flow(flags=0)
    yield 0, flow(command=4)
    # Replaced: nothing is told.
    yield 0, flow()
    yield 0, flow(cookie=0x98, idle=77, hard=88)
    yield 0, flow(command=4, priority=7)
    yield 0, flow(command=4, out_port=3)
    yield 0, flow(command=4, out_port=2)
    # The flag of a replacement counts.
    yield 0, flow()
    yield 0, flow(flags=0)
    yield 0, flow(command=3)
    if version == 1:
        for setting in (1, 2, 0):
            yield 0, message(1, 4, struct.pack("!III", NICIRA, 12, 2 if setting == 1 else 0))
            yield 0, message(1, 4, struct.pack("!III", NICIRA, 16, setting))
            yield 0, flow()
            yield 0, flow(command=3)
        return
    yield 0, flow(cookie_mask=0)
    yield 0, flow(command=3, cookie=1, cookie_mask=1)
    yield 0, flow(command=3, cookie=2, cookie_mask=2)
    yield 0, flow(command=3)
    if min(versions) < 5:
        # Before OpenFlow 1.4 there is no reason for what follows; Open vSwitch says nothing.
        return
    # With its group, and with its meter.
    yield 0, group_mod(version, 0, 5)
    yield 0, flow(actions=struct.pack("!HHI", 22, 8, 5))
    yield 0, group_mod(version, 2, 5)
    band = struct.pack("!HHII4x", 1, 16, 1000, 100)
    yield 0, message(version, 29, struct.pack("!HHI", 0, 1, 6) + band)
    metered = struct.pack("!HHI", 6, 8, 6) if version < 6 else b""
    if metered:
        plain = flow_mod(version, match=in_port(version, 1), flags=wanted)
        body = plain[8:] + metered
        yield 0, message(version, 14, body)
    yield 0, message(version, 29, struct.pack("!HHI", 2, 0, 6))


def group_mod(version: int, command: int, number: int, port: int = 2) -> bytes:
    """A group with one bucket, or none for a delete."""
    action = output(version, port)
    if command == 2:
        buckets = b""
    elif version == 6:
        buckets = struct.pack("!HHI", 8 + len(action), len(action), 0) + action
    else:
        buckets = struct.pack("!HHII4x", 16 + len(action), 0, ANY, ANY) + action
    head = struct.pack("!HBxI", command, 0, number)
    if version == 6:
        head += struct.pack("!HxxI", len(buckets), ANY)
    return message(version, 15, head + buckets)


def counted(versions: tuple[int, ...]) -> Iterator[Step]:
    """What ADD and MODIFY do to counters, cookies, timeouts and flags, by version."""
    version = versions[0]
    yield from clean(0, version)

    def flow(**more: int | bytes) -> bytes:
        return flow_mod(version, match=in_port(version, 1), **more)  # type: ignore[arg-type]

    def packets() -> Iterator[Step]:
        out = 0xFFF9 if version == 1 else 0xFFFFFFF9
        yield 0, message(version, 13, packet_out_body(version, output(version, out)))

    dump = message(version, 16 if version == 1 else 18, _flows(version))
    reset = 4
    changes: list[dict[str, int | bytes]] = [
        {"command": 0, "cookie": 2},
        {"command": 0, "cookie": 3, "idle": 60, "hard": 600, "flags": 1},
        {"command": 0, "flags": reset} if version > 1 else {"command": 0},
        {"command": 1, "cookie": 5, "actions": output(version, 3), "idle": 5},
        {"command": 2, "cookie": 6, "actions": output(version, 2), "flags": 1},
        {"command": 2, "flags": reset} if version > 1 else {"command": 2},
        {"command": 1, "priority": 7, "cookie": 8},
        {"command": 2, "priority": 8, "cookie": 9},
    ]
    yield 0, flow(cookie=1, actions=output(version, 2))
    for change in changes:
        yield from packets()
        yield 0, dump
        yield 0, flow(**change)
        yield 0, dump
    yield from clean(0, version)


def _flows(version: int) -> bytes:
    head = struct.pack("!HH", 1, 0) + (b"" if version == 1 else bytes(4))
    return head + flow_request(version)


def others_terms(versions: tuple[int, ...]) -> Iterator[Step]:
    """Flows of each version, told to all versions."""
    yield from clean(1, versions[1])
    for who, version in enumerate(versions):
        yield (
            who,
            flow_mod(
                version,
                match=in_port(version, who + 1),
                actions=output(version, 1) + output(version, 2),
                priority=who + 1,
                cookie=0x10 + who,
                importance=who if version > 4 else 0,
            ),
        )
    # What OpenFlow 1.0 can only say with Nicira's extension.
    match = bytes.fromhex("80000a02") + b"\x86\xdd" + bytes.fromhex("80003610") + bytes(range(16))
    yield 1, flow_mod(4, match=match, table=3, actions=output(4, CONTROLLER))
    for who, version in enumerate(versions):
        yield who, message(version, 16 if version == 1 else 18, _flows(version))
        aggregate = struct.pack("!HH", 2, 0) + (b"" if version == 1 else bytes(4))
        yield who, message(version, 16 if version == 1 else 18, aggregate + flow_request(version))
        for subtype in (0, 1):
            nxm = struct.pack("!HHII4xHHB3x", 0xFFFF, 0, NICIRA, subtype, 0xFFFF, 0, 0xFF)
            if version == 1:
                yield who, message(1, 16, nxm)
    yield from clean(1, versions[1])


# -- Bundles ---------------------------------------------------------------------------------------


def bundles(versions: tuple[int, ...]) -> Iterator[Step]:
    version = versions[0]
    yield from clean(0, version)

    def control(number: int, kind: int, flags: int = 3) -> Step:
        body = struct.pack("!IHH", number, kind, flags)
        if version == 4:
            return 0, message(4, 4, struct.pack("!II", ONF, 2300) + body)
        return 0, message(version, 33, body)

    def add(number: int, inner: bytes, flags: int = 3, xid: int = 7) -> Step:
        body = struct.pack("!IHH", number, 0, flags) + inner
        if version == 4:
            return 0, message(4, 4, struct.pack("!II", ONF, 2301) + body, xid)
        return 0, message(version, 34, body, xid)

    def flow(number: int, **more: int | bytes) -> bytes:
        made: dict[str, int | bytes] = {"actions": output(version, 2), "priority": number, **more}
        return flow_mod(version, **made)  # type: ignore[arg-type]

    dump = 0, message(version, 18, _flows(version))
    groups = 0, message(version, 18, struct.pack("!HH4x", 7, 0) + _all_groups(version))
    overlap, another = (flow(1, match=in_port(version, port), flags=2) for port in (1, 3))
    to_group = struct.pack("!HHI", 22, 8, 9)
    for number, content, flags in (
        (1, [flow(1), flow(2)], 3),
        # Order counts: what comes first makes room for, or refers to, what comes later.
        (2, [flow(9, command=3), group_mod(version, 0, 9), flow(3, actions=to_group)], 3),
        (3, [group_mod(version, 1, 9, 3), flow(4), overlap, flow(1, priority=1)], 1),
        # The last overlaps: nothing of it stays, neither flows nor groups.  (Open vSwitch dies when
        # it has to bring a deleted group back.)
        (4, [group_mod(version, 1, 9, 1), flow(9, command=3), flow(1), another], 3),
        (5, [group_mod(version, 0, 9), flow(5)], 2),
        (6, [group_mod(version, 0, 8), flow(6), group_mod(version, 0, 8)], 0),
        (7, [], 3),
    ):
        yield control(number, 0, flags)
        for inner in content:
            yield add(number, inner, flags)
        yield control(number, 2, flags)
        yield dump
        yield control(number, 4, flags)
        yield dump
        yield groups
    # Without opening, without closing; discarded; with faults.
    yield add(20, flow(20))
    yield control(20, 4)
    yield dump
    yield control(21, 0)
    yield add(21, flow(21))
    yield control(21, 6)
    yield control(21, 6)
    yield dump
    yield control(22, 2)
    yield control(24, 0, 1)
    yield add(24, flow(24), 2)
    yield control(25, 0)
    yield add(25, flow(25), xid=99)
    yield add(25, message(version, 20))
    yield add(25, message(version, 2))
    yield control(25, 2)
    yield add(25, flow(25))
    yield control(26, 0)
    yield control(26, 2)
    yield control(26, 2)
    yield from clean(0, version)


def _all_groups(version: int) -> bytes:
    return struct.pack("!I4x", 0xFFFFFFFC) if version == 6 else b""


# -- Packet-ins ------------------------------------------------------------------------------------


def packet_ins(versions: tuple[int, ...]) -> Iterator[Step]:
    """Each format in each version, with what actions have set."""
    version = versions[0]
    yield from clean(0, version)
    load = struct.pack("!HHIHHIQ", 0xFFFF, 24, NICIRA, 7, 31, 0x00010004, 0x1234)
    to_controller = output(version, CONTROLLER)
    for form in (0, 1, 2, 3):
        yield 0, message(version, 4, struct.pack("!III", NICIRA, 16, form))
        yield 0, message(version, 13, packet_out_body(version, load + to_controller))


# -- Tables, groups, meters ------------------------------------------------------------------------


def forwarded(versions: tuple[int, ...]) -> Iterator[Step]:
    """REQUESTFORWARD: only to those who asked, only what took effect."""
    asking = struct.pack("!HHI", 11, 8, 3) + struct.pack("!HHI", 10, 8, 1)
    yield from clean(0, versions[0])
    yield 0, group_mod(versions[0], 0, 1)
    yield 1, message(versions[1], 28, asking)
    for command, number in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 2)):
        yield 0, group_mod(versions[0], command, number)
    band = struct.pack("!HHII4x", 1, 16, 1000, 100)
    for command, meter in ((0, 1), (0, 1), (1, 1), (2, 1)):
        body = struct.pack("!HHI", command, command != 2, meter) + (b"" if command == 2 else band)
        yield 0, message(versions[0], 29, body)
    yield 1, role(versions[1], 3, 1)
    yield 0, group_mod(versions[0], 0, 4)
    band = struct.pack("!HHI", 0, 1, 7) + band
    yield 0, message(versions[0], 29, band)
    yield 1, role(versions[1], 1, 1)
    yield 1, group_mod(versions[1], 2, 1)
    yield from clean(0, versions[0])


def groups_on_10(versions: tuple[int, ...]) -> Iterator[Step]:
    """What Nicira's extension tells OpenFlow 1.0 of groups."""
    yield from clean(1, versions[1])
    yield 1, group_mod(versions[1], 0, 1)
    body = struct.pack("!HHI", 16, 16, 5) + output(6, 2)
    body = struct.pack("!HHI", 8 + 16 + 8 + 8, 16, 5) + output(6, 2)
    body += struct.pack("!HHI", 1, 8, 2) + struct.pack("!HHI", 2, 8, 1)
    head = struct.pack("!HBxI", 0, 3, 2) + struct.pack("!HxxI", len(body), ANY)
    yield 1, message(6, 15, head + body)
    for subtype in (7, 8):
        for number in (0xFFFFFFFC, 1, 2, 9):
            request = struct.pack("!HHII4xI4x", 0xFFFF, 0, NICIRA, subtype, number)
            yield 0, message(1, 16, request)
    yield 0, message(1, 4, struct.pack("!IIHBxIHxxI", NICIRA, 31, 0, 0, 7, 0, ANY))
    yield 0, message(1, 4, struct.pack("!IIHBxIHxxI", NICIRA, 31, 0, 0, 7, 0, ANY))
    yield 1, message(6, 18, struct.pack("!HH4xI4x", 7, 0, 0xFFFFFFFC))
    yield from clean(0, 1)
    yield 1, message(6, 18, struct.pack("!HH4xI4x", 7, 0, 0xFFFFFFFC))


def table_mods(versions: tuple[int, ...]) -> Iterator[Step]:
    """TABLE_MOD: configuration, eviction and vacancy, right and wrong."""
    version = versions[0]
    eviction = struct.pack("!HHI", 2, 8, 2)
    vacancy = struct.pack("!HHBBxx", 3, 8, 20, 40)
    wrong = struct.pack("!HHBBxx", 3, 8, 80, 40)
    for table in (3, 0xFF):
        for config in (0, 1, 2, 3):
            yield 0, message(version, 17, struct.pack("!BxxxI", table, config))
    if version == 4:
        return
    for table, config, properties in (
        (5, 4, b""),
        (5, 4, eviction),
        (5, 8, vacancy),
        (5, 12, eviction + vacancy),
        (5, 0, b""),
        (5, 8, wrong),
        (5, 8, struct.pack("!HHBBxx", 3, 8, 20, 101)),
        (5, 8, b""),
        (5, 0, struct.pack("!HHI", 2, 4, 0)),
        (0xFF, 4, b""),
        (0xFF, 0, b""),
    ):
        yield 0, message(version, 17, struct.pack("!BxxxI", table, config) + properties)


def multiparts(versions: tuple[int, ...]) -> Iterator[Step]:
    """Every kind of request about flows, groups, meters and ports that are there, and are not."""
    version = versions[0]
    yield from clean(0, version)
    for number in range(3):
        actions = output(version, number + 1)
        match = in_port(version, number + 1)
        yield 0, flow_mod(version, match=match, actions=actions, table=number, cookie=number)
    table = 0xFFF9 if version == 1 else 0xFFFFFFF9
    for port in (1, 2):
        body = packet_out_body(version, output(version, table), port)
        yield 0, message(version, 13, body)
    pad = b"" if version == 1 else bytes(4)

    def ask(kind: int, body: bytes = b"", flags: int = 0) -> Step:
        head = struct.pack("!HH", kind, flags) + pad
        return 0, message(version, 16 if version == 1 else 18, head + body)

    for kind in (1, 2):
        for wanted in (0xFF, 1, 2, 9):
            yield ask(kind, flow_request(version, table=wanted))
    yield ask(2, b"\0")
    yield ask(1)
    if version == 1:
        for port in (1, 77):
            yield ask(4, struct.pack("!H6x", port)[:8] + b"\0")
        return
    band = struct.pack("!HHII4x", 1, 16, 1000, 100)
    for number in (4, 5):
        yield 0, group_mod(version, 0, number)
        yield 0, message(version, 29, struct.pack("!HHI", 0, 1, number) + band)
    yield 0, flow_mod(version, actions=struct.pack("!HHI", 22, 8, 4), table=7)
    for number in (0xFFFFFFFC, 4, 5, 6):
        yield ask(6, struct.pack("!I4x", number))
        yield ask(7, struct.pack("!I4x", number) if version == 6 else b"")
    for number in (ANY, 4, 5, 6):
        yield ask(9, struct.pack("!I4x", number))
        yield ask(10, struct.pack("!I4x", number))
    yield ask(5, struct.pack("!II", 77, ANY))
    yield ask(4, struct.pack("!I4x", 77)[:4])
    yield ask(3, bytes(3))
    for kind in (20, 99, 0xFFFE):
        yield ask(kind)
    yield ask(0xFFFF, struct.pack("!II", 0x123456, 1))
    yield ask(0xFFFF, struct.pack("!II", NICIRA, 99))
    yield from clean(0, version)


def monitors(versions: tuple[int, ...]) -> Iterator[Step]:
    """Flow monitors: initial flows, others' changes, own changes, and their end."""
    version = versions[0]
    yield from clean(1, versions[1])

    def flow(**more: int | bytes) -> bytes:
        return flow_mod(versions[1], match=in_port(versions[1], 1), **more)  # type: ignore[arg-type]

    def watch(number: int, flags: int, command: int = 0) -> bytes:
        if version == 1:
            nxm = {0x3F: 0x3F, 0x17: 0x17}.get(flags, flags)
            body = struct.pack("!IHHHB5x", number, nxm, 0xFFFF, 0, 0xFF)
            return message(1, 16, struct.pack("!HHII4x", 0xFFFF, 0, NICIRA, 2) + body)
        body = struct.pack("!IIIHBBHH4x", number, ANY, ANY, flags, 0xFF, command, 1, 4)
        return message(version, 18, struct.pack("!HH4x", 16, 0) + body)

    yield 1, flow(cookie=1, actions=output(versions[1], 2))
    yield 0, watch(1, 0x1F)
    yield 1, flow(cookie=2, priority=5, idle=7, hard=9)
    yield 1, flow(command=1, cookie=2, actions=output(versions[1], 3))
    yield 1, flow(command=4)
    yield 1, flow(command=3)
    # What the watcher does itself is told in short.
    yield 0, flow_mod(version, match=in_port(version, 3), actions=output(version, 2), xid=0x77)
    yield 0, flow_mod(version, command=3, xid=0x78)
    # No more of it.
    if version == 1:
        yield 0, message(1, 4, struct.pack("!III", NICIRA, 21, 1))
    else:
        yield 0, watch(1, 0, 2)
    yield 1, flow(cookie=1)
    yield from clean(1, versions[1])
