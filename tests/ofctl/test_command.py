"""The command against a switch that answers as the test says."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ofctl.__main__ import main
from ofctl.address import Address, find
from ofctl.settings import parse_versions
from ovsflow.errors import UsageError
from ovsflow.openflow import codec
from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.constants import BundleControlType, FlowModCommand, Version
from ovsflow.openflow.error_names import number_of
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats import FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.flow_stats_entry import FlowStats
from ovsflow.openflow.handshake import (
    BarrierRequest,
    EchoReply,
    EchoRequest,
    FeaturesReply,
    FeaturesRequest,
    GetConfigReply,
    GetConfigRequest,
)
from ovsflow.openflow.modify import PortMod
from ovsflow.openflow.nicira import FlowModTableId
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.port_stats import PortDescReply, PortDescRequest
from ovsflow.openflow.table_stats import (
    TableFeature,
    TableFeaturesReply,
    TableFeaturesRequest,
    TableStatsReply,
    TableStatsRequest,
)
from ovsflow.openflow.text.parse import parse_flow
from ovsflow.openflow.wire import Body
from tests.ofctl.fake_switch import Answer, FakeSwitch

PORTS = (
    PortDesc(1, b"\2\0\0\0\0\1", "p1"),
    PortDesc(2, b"\2\0\0\0\0\2", "vxlan0"),
    PortDesc(0xFFFFFFFE, b"\2\0\0\0\0\3", "br0"),
)
LINES = (
    "priority=10,in_port=1,actions=output:2",
    "table=1,tcp,tun_id=5,actions=set_field:192.0.2.1->tun_dst,output:2",
    "priority=5,actions=drop",
)

Start = Callable[..., FakeSwitch]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a switch named br0 where the command looks for it."""
    monkeypatch.setenv("OVSFLOW_RUNDIR", str(tmp_path))
    monkeypatch.setenv("OVS_RUNDIR", str(tmp_path / "nobody's"))
    running: list[FakeSwitch] = []

    def begin(answer: Answer | None = None, versions: tuple[int, ...] = (1, 4, 5, 6)) -> FakeSwitch:
        switch = FakeSwitch(tmp_path / "br0.mgmt", answer or usual, versions)
        running.append(switch.__enter__())
        return switch

    yield begin
    for switch in running:
        switch.__exit__(None, None, None)


def flows(version: int) -> tuple[FlowStats, ...]:
    mods = [parse_flow(line, version=version) for line in LINES]
    return tuple(
        FlowStats(
            match=mod.match,
            instructions=mod.instructions,
            table_id=mod.table_id,
            priority=mod.priority,
            duration_sec=2,
            duration_nsec=500_000_000,
            packet_count=7,
            byte_count=700,
        )
        for mod in mods
    )


def usual(body: Body) -> Sequence[Body]:
    """A switch with three ports and three flows, told in two parts."""
    match body:
        case FeaturesRequest():
            return (FeaturesReply(0xAB, capabilities=0x4F),)
        case GetConfigRequest():
            return (GetConfigReply(0, 128),)
        case PortDescRequest():
            return (PortDescReply(PORTS),)
        case TableFeaturesRequest() | TableStatsRequest() as request:
            named = TableFeaturesReply((TableFeature(3, "third"),))
            return (named if isinstance(request, TableFeaturesRequest) else TableStatsReply(),)
        case EchoRequest(data):
            return (EchoReply(data),)
        case FlowStatsRequest():
            known = flows(Version.OF15)
            return (FlowStatsReply(known[:2], more=True), FlowStatsReply(known[2:]))
    return ()


def refuse(name: str) -> Answer:
    """A switch that refuses changes with one error."""

    def answer(body: Body) -> Sequence[Body]:
        if not isinstance(body, FlowMod):
            return usual(body)
        number = number_of(Version.OF15, name)
        assert number is not None
        return (ErrorMessage(number.type, number.code, codec.encode(body, 6, 0)[:64]),)

    return answer


def test_add_flow_sends_the_flow_and_a_barrier(start: Start) -> None:
    switch = start()
    assert main(["add-flow", "br0", LINES[0]]) == 0
    assert switch.received == [parse_flow(LINES[0], version=6), BarrierRequest()]


def test_error_in_the_text_points_at_its_column_and_sends_nothing(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    switch = start()
    assert main(["add-flow", "br0", "in_port=1,actions=outptu:2"]) == 1
    message, line, caret = capsys.readouterr().err.splitlines()
    assert message == "ofctl: unknown action outptu"
    assert line[caret.index("^") :].startswith("outptu")
    assert not switch.of(FlowMod)


def test_refusal_becomes_a_sentence_that_names_the_flow(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start(refuse("OFPFMFC_OVERLAP"))
    assert main(["add-flow", "br0", LINES[0]]) == 1
    sentence = capsys.readouterr().err
    assert "OFPFMFC_OVERLAP" in sentence
    assert "priority=10,in_port=1 actions=output:2" in sentence


def test_port_names_are_understood_and_asked_for_only_then(start: Start) -> None:
    switch = start()
    assert main(["add-flow", "br0", "in_port=p1,actions=output:vxlan0"]) == 0
    assert switch.of(FlowMod) == [parse_flow("in_port=1,actions=output:2", version=6)]
    assert len(switch.of(PortDescRequest)) == 1


def test_flow_file_takes_command_words_comments_and_standard_input(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = start()
    text = (
        "# all of them\nin_port=1,actions=2\n\nmodify in_port=1,actions=3 # x\ndelete in_port=1\n"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["add-flows", "br0", "-"]) == 0
    commands = [body.command for body in switch.of(FlowMod) if isinstance(body, FlowMod)]
    assert commands == [FlowModCommand.ADD, FlowModCommand.MODIFY, FlowModCommand.DELETE]


def test_error_in_a_flow_file_names_file_and_line_and_sends_nothing(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    switch = start()
    file = tmp_path / "flows.txt"
    file.write_text("in_port=1,actions=2\nin_port=1,action\n")
    assert main(["add-flows", "br0", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"ofctl: {file}:2: must specify an action")
    assert not switch.of(FlowMod)


@pytest.mark.parametrize(
    ("words", "command", "table"),
    [
        (["mod-flows", "br0", "in_port=1,actions=2"], FlowModCommand.MODIFY, 0),
        (["--strict", "mod-flows", "br0", "in_port=1,actions=2"], FlowModCommand.MODIFY_STRICT, 0),
        (["del-flows", "br0"], FlowModCommand.DELETE, 0xFF),
        (["del-flows", "br0", "table=2", "--strict"], FlowModCommand.DELETE_STRICT, 2),
    ],
)
def test_change_is_strict_when_asked(
    start: Start, words: list[str], command: int, table: int
) -> None:
    switch = start()
    assert main(words) == 0
    (flow,) = switch.of(FlowMod)
    assert isinstance(flow, FlowMod)
    assert (flow.command, flow.table_id) == (command, table)


DUMP = """\
OFPST_FLOW reply (OF1.5) (xid=0x2): flags=[more]
 cookie=0x0, duration=2.500s, table=0, n_packets=7, n_bytes=700, priority=10,in_port=1 \
actions=output:2
 cookie=0x0, duration=2.500s, table=1, n_packets=7, n_bytes=700, tcp,tun_id=0x5 \
actions=set_field:192.0.2.1->tun_dst,output:2
OFPST_FLOW reply (OF1.5) (xid=0x2):
 cookie=0x0, duration=2.500s, table=0, n_packets=7, n_bytes=700, priority=5 actions=drop
"""


def test_dump_flows_prints_every_part(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    assert main(["dump-flows", "br0"]) == 0
    assert capsys.readouterr().out == DUMP


def test_dump_flows_sorts_and_shows_names(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    assert main(["dump-flows", "br0", "--no-stats", "--rsort", "--names"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        " table=1, tcp,tun_id=0x5 actions=set_field:192.0.2.1->tun_dst,output:vxlan0",
        " priority=10,in_port=p1 actions=output:vxlan0",
        " priority=5 actions=drop",
    ]


def test_dump_flows_filters_at_the_switch(start: Start) -> None:
    switch = start()
    assert main(["dump-flows", "br0", "table=1,tcp,cookie=5/-1,out_port=vxlan0"]) == 0
    (request,) = switch.of(FlowStatsRequest)
    assert isinstance(request, FlowStatsRequest)
    assert (request.table_id, request.out_port) == (1, 2)
    assert (request.cookie, request.cookie_mask) == (5, 0xFFFFFFFFFFFFFFFF)
    assert request.match == parse_flow("tcp,actions=drop").match


def test_json_tells_the_same(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start()
    assert main(["--json", "dump-flows", "br0"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [flow["priority"] for flow in found] == [10, 32768, 5]
    assert found[1]["match"]["tun_id"] == "0x5"
    assert found[1]["instructions"] == "set_field:192.0.2.1->tun_dst,output:2"
    assert found[0]["packet_count"] == 7


def test_show_tells_features_ports_and_configuration(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start(versions=(4,))
    assert main(["show", "br0"]) == 0
    text = capsys.readouterr().out
    assert "OFPT_FEATURES_REPLY (OF1.3) (xid=0x2): dpid:00000000000000ab\n" in text
    assert " 2(vxlan0): addr:02:00:00:00:00:02\n" in text
    assert text.rindex("LOCAL(br0)") > text.rindex("2(vxlan0)")
    assert text.endswith("frags=normal miss_send_len=128\n")


@pytest.mark.parametrize(
    ("ours", "theirs", "spoken"),
    [("", (1, 4), 4), ("OpenFlow10", (1, 4, 6), 1), ("OpenFlow13,OpenFlow14", (1, 4, 5, 6), 5)],
)
def test_newest_common_version_is_spoken(
    start: Start, ours: str, theirs: tuple[int, ...], spoken: int
) -> None:
    switch = start(versions=theirs)
    options = ["-O", ours] if ours else []
    assert main([*options, "add-flow", "br0", "actions=load:5->reg0"]) == 0
    assert switch.of(FlowMod) == [
        codec.decode(codec.encode(parse_flow("actions=load:5->reg0", version=spoken), spoken)).body
    ]


def test_no_common_version_is_a_sentence(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(versions=(4,))
    assert main(["-O", "OpenFlow15", "show", "br0"]) == 1
    assert "version negotiation failed" in capsys.readouterr().err


def test_openflow_10_names_tables_after_asking(start: Start) -> None:
    switch = start(versions=(1,))
    assert main(["add-flow", "br0", "table=3,in_port=1,actions=2"]) == 0
    assert switch.of(FlowModTableId) == [FlowModTableId(True)]
    (flow,) = switch.of(FlowMod)
    assert isinstance(flow, FlowMod)
    assert (flow.table_id, flow.table_in_command) == (3, True)


def test_bundle_is_opened_filled_and_committed(start: Start) -> None:
    def answer(body: Body) -> Sequence[Body]:
        if isinstance(body, BundleControl):
            return (BundleControl(body.bundle_id, body.type + 1, body.flags),)
        return usual(body)

    switch = start(answer)
    assert main(["--bundle", "add-flow", "br0", LINES[0]]) == 0
    opened, added, committed = switch.received
    assert isinstance(opened, BundleControl)
    assert opened.type == BundleControlType.OPEN_REQUEST
    assert isinstance(added, BundleAdd)
    assert codec.decode(added.message).body == parse_flow(LINES[0], version=6)
    assert isinstance(committed, BundleControl)
    assert committed.type == BundleControlType.COMMIT_REQUEST


def test_diff_and_replace_bring_a_switch_to_a_file(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    switch = start()
    file = tmp_path / "flows.txt"
    file.write_text(f"{LINES[1]}\npriority=10,in_port=1,actions=3\ntable=4,udp,actions=1\n")
    assert main(["diff-flows", "br0", str(file)]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "-priority=10,in_port=1 actions=output:2",
        "+priority=10,in_port=1 actions=output:3",
        "-priority=5 actions=drop",
        "+table=4 udp actions=output:1",
    ]
    assert main(["replace-flows", "br0", str(file)]) == 0
    sent = [body for body in switch.of(FlowMod) if isinstance(body, FlowMod)]
    assert sorted((flow.command, flow.priority, flow.table_id) for flow in sent) == [
        (FlowModCommand.ADD, 10, 0),
        (FlowModCommand.ADD, 0x8000, 4),
        (FlowModCommand.DELETE_STRICT, 5, 0),
    ]
    assert main(["diff-flows", str(file), str(file)]) == 0


def test_mod_port_finds_the_port_by_name(start: Start) -> None:
    switch = start()
    assert main(["mod-port", "br0", "vxlan0", "no-forward"]) == 0
    assert switch.of(PortMod) == [PortMod(2, PORTS[1].hw_addr, 1 << 5, 1 << 5)]


def test_mod_port_says_in_openflow_10_what_only_that_can_say(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    switch = start()
    assert main(["mod-port", "br0", "vxlan0", "no-flood"]) == 0
    assert switch.of(PortMod) == [PortMod(2, PORTS[1].hw_addr, 1 << 4, 1 << 4)]
    assert main(["-O", "OpenFlow13", "mod-port", "br0", "vxlan0", "no-flood"]) == 1
    assert "only OpenFlow 1.0 can say no-flood" in capsys.readouterr().err


@pytest.mark.parametrize(("asked", "spoken"), [("OpenFlow10", 5), ("OpenFlow13", 4)])
def test_bundle_takes_a_version_that_has_it(start: Start, asked: str, spoken: int) -> None:
    def answer(body: Body) -> Sequence[Body]:
        if isinstance(body, BundleControl):
            return (BundleControl(body.bundle_id, body.type + 1, body.flags),)
        return usual(body)

    switch = start(answer)
    assert main(["-O", asked, "--bundle", "add-flow", "br0", LINES[0]]) == 0
    (added,) = switch.of(BundleAdd)
    assert isinstance(added, BundleAdd)
    assert added.message[0] == spoken


def test_packet_out_takes_both_forms(start: Start) -> None:
    switch = start()
    frame = "ffffffffffff0000000000010800"
    assert main(["packet-out", "br0", f"in_port=1 packet={frame} actions=output:2"]) == 0
    assert main(["packet-out", "br0", "p1", "output:2", frame]) == 0
    one, other = switch.of(PacketOut)
    assert one == other


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "nowhere"], "nowhere is not a bridge or a socket; running here: br0\n"),
        (["show"], "'show' command requires at least 1 arguments"),
        (["show", "a", "b"], "'show' command takes at most 1 arguments"),
        (["shwo", "br0"], "unknown command 'shwo'; use --help for help"),
        (["add-flow", "br0", "tcp"], "must specify an action"),
        (["dump-flows", "br0", "priority=0"], "unknown keyword priority"),
        (["mod-port", "br0", "p9", "up"], "br0: couldn't find port `p9'"),
        (["mod-port", "br0", "p1", "uo"], "unknown mod-port command 'uo'; there are up, down,"),
        (["set-frags", "br0", "some"], "handling mode; there are normal, drop,"),
        (["--sort=foo", "dump-flows", "br0"], "foo: unknown field to sort by; there are priority"),
        (["dump-flows", "br0", "ip", "tcp"], "'dump-flows' command takes at most 2 arguments"),
        (["add-tlv-map", "br0", "x"], "tunnel options (tun_metadata) are Geneve's"),
        (["-O", "OpenFlow13", "dump-table-desc", "br0"], "needs OpenFlow 1.4 or later"),
        (["ct-flush", "br0"], "ct-flush: connection tracking is nothing that ofctl manages"),
        (["dump-ipfix-flow", "br0"], "dump-ipfix-flow: IPFIX exporters"),
        (["ofp-print", "zz"], "trailing garbage following hex bytes"),
    ],
)
def test_mistake_is_a_sentence_and_status_1(
    start: Start, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start()
    try:
        status = main(words)
    except SystemExit as left:
        status = int(left.code or 0)
    assert status == 1
    assert sentence in capsys.readouterr().err


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    from ofctl.commands.registry import ALL

    for command in ALL:
        with pytest.raises(SystemExit) as left:
            main([command.name, "--help"])
        assert left.value.code == 0
        text = capsys.readouterr().out
        assert command.summary in text
        for example in command.examples:
            assert example in text


def test_who_asks_for_a_bridge_is_told_that_none_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVSFLOW_RUNDIR", str(tmp_path))
    monkeypatch.setenv("OVS_RUNDIR", str(tmp_path / "nobody's"))
    with pytest.raises(UsageError, match="br0 is not a bridge or a socket; none runs here"):
        find("br0")


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("tcp:192.0.2.1", Address("tcp", "", "192.0.2.1", 6653)),
        ("tcp:host:6654", Address("tcp", "", "host", 6654)),
        ("tcp:[::1]:6654", Address("tcp", "", "::1", 6654)),
        ("ssl:host", Address("ssl", "", "host", 6653)),
        ("unix:/run/x.sock", Address("unix", "/run/x.sock")),
    ],
)
def test_address_is_understood(target: str, address: Address) -> None:
    assert find(target) == address
    assert find(str(address)) == address


@pytest.mark.parametrize("target", ["tcp:", "tcp:h:0", "tcp:h:x", "ptcp:6653", "tcp:[::1", "no"])
def test_bad_address_is_refused(target: str) -> None:
    with pytest.raises(UsageError):
        find(target)


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        ("OpenFlow13", (4,)),
        ("openflow10,OpenFlow14", (1, 5)),
        ("1.3 of15", (4, 6)),
        ("OpenFlow11,OpenFlow12,OpenFlow13", (4,)),
        ("any", (1, 4, 5, 6)),
    ],
)
def test_versions_are_understood(text: str, versions: tuple[int, ...]) -> None:
    assert parse_versions(text) == versions


@pytest.mark.parametrize("text", ["", "OpenFlow16", "OpenFlow11", "x"])
def test_unknown_versions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"OpenFlow"):
        parse_versions(text)


def test_tables_have_their_names_in_and_out(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    switch = start()
    assert main(["add-flow", "br0", "table=third,in_port=p1,actions=resubmit(,third)"]) == 0
    sent = [body for body in switch.received if isinstance(body, FlowMod)]
    assert sent == [parse_flow("table=3,in_port=1,actions=resubmit(,3)", version=6)]
    assert main(["dump-flows", "br0", "table=fourth"]) == 1
    assert 'unknown table "fourth"' in capsys.readouterr().err


def test_naming_a_table_tells_what_it_can_do_again(start: Start) -> None:
    switch = start()
    assert main(["mod-table", "br0", "third", "name:last"]) == 0
    asked = [body for body in switch.received if isinstance(body, TableFeaturesRequest)]
    assert asked[-1] == TableFeaturesRequest((TableFeature(3, "last"),))
    assert main(["mod-table", "br0", "4", "name:last"]) == 1
    assert main(["mod-table", "br0", "all", "name:last"]) == 1
