"""What a switch is told: port specifications, targets, TOML documents, and their errors."""

import tomllib
from pathlib import Path

import pytest

from ovsflow.config import (
    LOCAL_PORT,
    ControllerConfig,
    FailMode,
    ListenConfig,
    PortConfig,
    SwitchConfig,
    Target,
    load,
)
from ovsflow.config.document import from_document
from ovsflow.config.port import assign_numbers
from ovsflow.config.switch import parse_dpid, parse_protocols
from ovsflow.config.target import PacketInLimit
from ovsflow.errors import ConfigError, ParseError


@pytest.mark.parametrize(
    ("spec", "name", "number", "kind", "options"),
    [
        ("veth1", "veth1", None, "system", {}),
        ("veth1=1", "veth1", 1, "system", {}),
        ("eth0=0xfeff", "eth0", 0xFEFF, "system", {}),
        ("vxlan0=2:vxlan", "vxlan0", 2, "vxlan", {}),
        ("vxlan0:vxlan,dst_port=4790", "vxlan0", None, "vxlan", {"dst_port": "4790"}),
        (
            "v=3:vxlan,remote_ip=flow,local_ip=2001:db8::1",
            "v",
            3,
            "vxlan",
            {"remote_ip": "flow", "local_ip": "2001:db8::1"},
        ),
        ("cap:pcap,out=/tmp/x.pcap", "cap", None, "pcap", {"out": "/tmp/x.pcap"}),
        ("br0:internal", "br0", LOCAL_PORT, "internal", {}),
        ("br0=LOCAL:internal", "br0", LOCAL_PORT, "internal", {}),
        ("s1-eth1=1", "s1-eth1", 1, "system", {}),
    ],
)
def test_port_specification_is_read(
    spec: str, name: str, number: int | None, kind: str, options: dict[str, str]
) -> None:
    port = PortConfig.parse(spec)
    assert (port.name, port.number, port.kind, dict(port.options)) == (name, number, kind, options)


@pytest.mark.parametrize(
    ("spec", "column", "words"),
    [
        ("", 0, "name must come first"),
        ("=1", 0, "name must come first"),
        ("veth1=", 6, "not a port number"),
        ("veth1=x", 6, "not a port number"),
        ("veth1=0", 6, "not in 1..65279"),
        ("veth1=65280", 6, "not in 1..65279"),
        ("veth1:vlan", 6, "unknown port kind 'vlan'; did you mean 'vxlan'?"),
        ("vx=2:vxlan,dst_port", 11, "expected key=value"),
        ("vx=2:vxlan,a=1,=3", 15, "expected key=value"),
        ("vx=2:vxlan,a=1,a=2", 15, "given twice"),
        ("a/b", 0, "port name 'a/b'"),
    ],
)
def test_port_specification_error_names_the_column(spec: str, column: int, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        PortConfig.parse(spec)
    assert words in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp:127.0.0.1:6653", Target("tcp", "127.0.0.1", 6653)),
        ("tcp:controller.example", Target("tcp", "controller.example", 6653)),
        ("tcp:[2001:db8::1]:6633", Target("tcp", "2001:db8::1", 6633)),
        ("tcp:[::1]", Target("tcp", "::1", 6653)),
        ("ssl:10.0.0.1:6653", Target("ssl", "10.0.0.1", 6653)),
        ("unix:/run/x", Target("unix", path="/run/x")),
        ("ptcp:", Target("ptcp", "127.0.0.1", 6653)),
        ("ptcp:6654", Target("ptcp", "127.0.0.1", 6654)),
        ("ptcp:0", Target("ptcp", "127.0.0.1", 0)),
        ("ptcp:6654:0.0.0.0", Target("ptcp", "0.0.0.0", 6654)),
        ("ptcp:6654:[::]", Target("ptcp", "::", 6654)),
        ("pssl:6653:10.1.2.3", Target("pssl", "10.1.2.3", 6653)),
        ("punix:/tmp/a b", Target("punix", path="/tmp/a b")),
    ],
)
def test_target_is_read_and_written_back(text: str, expected: Target) -> None:
    target = Target.parse(text)
    assert target == expected
    assert Target.parse(str(target)) == target


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("udp:1.2.3.4", 0, "'udp' is none of"),
        ("127.0.0.1", 0, "is none of"),
        ("tcp:", 4, "not a host name"),
        ("tcp:1.2.3.4:0", 12, "not a TCP port (1..65535)"),
        ("tcp:1.2.3.4:70000", 12, "not a TCP port"),
        ("tcp:1.2.3.4:http", 12, "not a TCP port"),
        ("tcp:::1:6653", 4, "must stand in brackets"),
        ("tcp:[::1", 4, "not closed"),
        ("tcp:[::1]6653", 9, "a colon must follow"),
        ("tcp:[zz]:1", 4, "not an IPv6 address"),
        ("ptcp:x", 5, "not a TCP port (0..65535)"),
        ("ptcp:1:a b", 7, "not a host name"),
        ("unix:", 5, "a path must follow"),
    ],
)
def test_target_error_names_the_column(text: str, column: int, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        Target.parse(text)
    assert words in str(caught.value)
    assert caught.value.column == column


def test_only_loopback_and_unix_targets_are_local() -> None:
    local = ["ptcp:1", "ptcp:1:[::1]", "punix:/x", "ptcp:1:localhost"]
    remote = ["ptcp:1:0.0.0.0", "ptcp:1:[::]", "ptcp:1:host.example"]
    assert [Target.parse(text).local for text in local] == [True] * len(local)
    assert [Target.parse(text).local for text in remote] == [False] * len(remote)


def test_probe_is_five_seconds_but_none_on_unix_sockets() -> None:
    assert ControllerConfig(Target.parse("tcp:h")).probe_seconds == 5
    assert ControllerConfig(Target.parse("unix:/x")).probe_seconds == 0
    assert ControllerConfig(Target.parse("unix:/x"), probe=3).probe_seconds == 3


def test_ports_without_a_number_get_the_lowest_free_one() -> None:
    ports = [PortConfig("a"), PortConfig("b", number=1), PortConfig("c"), PortConfig("d", number=4)]
    numbered = assign_numbers([*ports, PortConfig("e")])
    assert [port.number for port in numbered] == [2, 1, 3, 4, 5]
    assert [port.number for port in assign_numbers([PortConfig("x")], taken=[1, 2])] == [3]


FULL = """
bridge = "br7"
dpid = "00:00:00:00:00:00:00:a1"
fail_mode = "standalone"
protocols = ["OpenFlow13", "openflow10"]
workers = 2
max_connections = 10
controllers = [
  "tcp:127.0.0.1:6653",
  { target = "unix:/run/c", probe = 2.5, max_backoff = 4, packet_in_rate = 100 },
]
listen = ["ptcp:6654"]

[ports.veth1]
number = 1

[ports.vxlan0]
number = 2
kind = "vxlan"
options = { dst_port = 4790, csum = true, remote_ip = "flow" }

[ports.br7]
kind = "internal"

[settings]
packet_in_rate = 500
fragments = "drop"

[describe]
datapath = "rack 7"
"""


def test_document_says_everything() -> None:
    config = from_document(tomllib.loads(FULL))
    assert config.name == "br7"
    assert config.dpid == 0xA1
    assert config.fail_mode is FailMode.STANDALONE
    assert config.protocols == (1, 4)
    assert config.workers == 2
    assert config.max_connections == 10
    assert [str(each.target) for each in config.controllers] == [
        "tcp:127.0.0.1:6653",
        "unix:/run/c",
    ]
    assert config.controllers[1].probe == 2.5
    assert config.controllers[1].packet_ins == PacketInLimit(100, None)
    assert config.controllers[0].packet_ins == PacketInLimit()
    assert config.listen == (ListenConfig(Target("ptcp", "127.0.0.1", 6654)),)
    assert [(port.name, port.number, port.kind) for port in config.ports] == [
        ("veth1", 1, "system"),
        ("vxlan0", 2, "vxlan"),
        ("br7", LOCAL_PORT, "internal"),
    ]
    assert dict(config.ports[1].options) == {
        "dst_port": "4790",
        "csum": "true",
        "remote_ip": "flow",
    }
    assert dict(config.settings) == {"packet_in_rate": 500, "fragments": "drop"}
    assert config.describe.datapath == "rack 7"


def test_empty_document_is_a_switch_with_defaults() -> None:
    assert from_document({}) == SwitchConfig()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('brigde = "x"', "unknown key 'brigde'; did you mean 'bridge'?"),
        ("bridge = 3", "bridge must be text"),
        ('bridge = "a b"', "bridge name 'a b'"),
        ('dpid = "xyz"', "dpid 'xyz' must be 1 to 16 hexadecimal digits"),
        ('dpid = "0"', "not all zero"),
        ('fail_mode = "secur"', "unknown 'secur'; did you mean 'secure'?"),
        ('protocols = ["OpenFlow12"]', "unknown 'OpenFlow12'; did you mean"),
        ("protocols = []", "at least one"),
        ("workers = -1", "workers: -1 is not in 0..64"),
        ("workers = true", "workers must be a whole number"),
        ("controllers = [3]", "controllers must be a list of texts or tables"),
        ('controllers = [{ taget = "tcp:h" }]', "unknown key 'taget'; did you mean 'target'?"),
        ("controllers = [{ probe = 3 }]", "controllers.target must be text"),
        ('controllers = ["ptcp:1"]', "put it under 'listen'"),
        ('controllers = ["ssl:h"]', "give private_key, certificate and ca_certificate"),
        ('listen = ["tcp:h"]', "put it under 'controllers'"),
        ("listen = [1]", "listen must be a list of texts"),
        ("[ports.a]\nnumbr = 1", "ports.a: unknown key 'numbr'; did you mean 'number'?"),
        ('[ports.a]\nkind = "tapp"', "port a: unknown kind 'tapp'; did you mean 'tap'?"),
        ("[ports.a]\nnumber = 0", "port a: number 0 is not in"),
        ("[ports.a]\nnumber = 1\n[ports.b]\nnumber = 1", "port b: number 1 is already used"),
        ("[ports.a.options]\nx = [1]", "ports.a.options.x must be text, a whole number"),
        ("[settings]\npacket_in_rat = 1", "did you mean 'packet_in_rate'?"),
        ('[settings]\npacket_in_rate = "1"', "settings.packet_in_rate must be a whole number"),
        ('[describe]\nserial = "1"', "describe: unknown key 'serial'"),
        (f'[describe]\nserial_number = "{"9" * 32}"', "longer than 31 bytes"),
        ('[tls]\ncertificate = "c"', "tls.private_key must be text"),
    ],
)
def test_document_error_names_the_key(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_document(tomllib.loads(text))
    assert words in str(caught.value)


def test_file_errors_name_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load(missing)
    broken = tmp_path / "broken.toml"
    broken.write_text("a = ")
    with pytest.raises(ConfigError, match=r"broken\.toml: Invalid value"):
        load(broken)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('controllers = ["tcq:h"]')
    with pytest.raises(ConfigError, match=r"wrong\.toml: 'tcq' is none of .*'tcq:h'"):
        load(wrong)
    good = tmp_path / "good.toml"
    good.write_text(FULL)
    assert load(good).name == "br7"


def test_dpid_and_protocols_are_read_as_people_write_them() -> None:
    assert parse_dpid("0xA1") == parse_dpid("00000000000000a1") == 0xA1
    assert parse_protocols(["OpenFlow15", "openflow10", " OpenFlow13"]) == (1, 4, 6)
