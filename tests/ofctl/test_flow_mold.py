"""The short way from a line to a FLOW_MOD gives the bytes of the long way, whatever the line."""

import random
import re
from collections.abc import Callable
from functools import partial

import pytest

from ovsflow.errors import EncodeError, ParseError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.text.flow_mold import FlowMolds
from ovsflow.openflow.text.parse import parse_flow
from tests.ofctl.flow_maker import FlowMaker

_ADDRESS = re.compile(r"\b(\d+)\.(\d+)\.(\d+)\.(\d+)\b")
_NUMBER = re.compile(r"(?<=[=:])(\d+)(?=[,\s/-]|$)")


def another(line: str, chance: random.Random) -> str:
    """The same line with some other values, not all of them possible."""
    if chance.random() < 0.7:
        line = _ADDRESS.sub(lambda _: ".".join(str(chance.randrange(280)) for _ in range(4)), line)
    values = ("0", "7", "010", "0x10", "65279", "65533", "70000", "1" * 21, "5_0", "0b1", "2", "9")
    return _NUMBER.sub(lambda _: chance.choice(values), line)


def outcome(encode: Callable[[], bytes]) -> bytes | str:
    """What comes out, or what is wrong."""
    try:
        return encode()
    except (ParseError, EncodeError) as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("version", [Version.OF13, Version.OF14, Version.OF15])
def test_lines_of_one_shape_are_encoded_as_one_by_one(version: int) -> None:
    molds = FlowMolds(version)
    chance = random.Random(version)

    def parse(line: str) -> FlowMod:
        return parse_flow(line, None, version)

    def whole(line: str) -> bytes:
        return codec.encode(parse(line), version)

    compared = 0
    for seed in range(500):
        first = FlowMaker(seed, version).flow()
        for line in (first, *(another(first, chance) for _ in range(5))):
            expected = outcome(partial(whole, line))
            assert outcome(partial(molds.encode, line, parse)) == expected, line
            compared += isinstance(expected, bytes)
    assert compared > 600


SHAPES = (
    "priority={0},ip,nw_dst=10.{1}.2.{2},actions=set_field:{0}->tun_id,output:{2}",
    "tun_id={0},actions=set_field:10.2.3.{1}->tun_dst,set_field:{2}->reg1,output:{2}",
    "cookie={0},tcp,nw_src=10.{1}.0.0/16,tp_dst={0} actions=LOCAL,output:{1},2,output:{2}",
    "ip,nw_src=10.{1}.0.{2} actions=mod_dl_src:02:00:00:00:00:{1:02x},mod_nw_dst:10.0.0.{2},"
    "dec_ttl,output:{1}",
    "tcp,tp_dst={0} actions=load:{1:#x}->NXM_NX_REG0[],load:{2}->reg1[0..7],resubmit(,3)",
    "dl_vlan={1},idle_timeout={0} actions=strip_vlan,set_tunnel:{0},group:{2}",
    "vlan_vid={3}/0x1fff actions=set_field:{3}->vlan_vid,mod_vlan_vid:{1},write_metadata:{0}",
    "reg2={0} actions=push_vlan:0x8100,set_field:{3}->vlan_vid,set_queue:{2},output:{1}",
    " cookie={0:#x}, duration={1}.5s, table=0, n_packets={0}, n_bytes={2}, hard_timeout={0}, "
    "ip,nw_dst=10.0.{2}.{1} actions=output:{1}",
    "udp actions=output:{1},set_field:{2}->udp_dst,write_metadata:5,goto_table:9",
    "in_port={1},dl_dst=02:00:00:00:00:{1:02x},reg1={0:#x} actions=drop",
    "table=1,udp6,ipv6_dst=2001:db8::{1:x}:{2:x},udp_src={0},actions=output:{2}",
    "delete ip,nw_dst=10.0.{2}.{1}",
)
LONG_SHAPES = (
    "arp,nw_dst=10.0.{2}.{1},actions=mod_nw_dst:10.0.0.1,output:{1}",
    "udp actions=clone(dec_ttl,output:{1}),output:{2}",
    "udp actions=mod_vlan_vid:{1},clone(dec_ttl,clone(output:{2})),output:{1}",
    "tcp actions=load:{1}->reg0[0..3],learn(table=1,priority={0},reg0={1},output:NXM_NX_REG1[])",
    "tcp actions=write_metadata:{0}/{1}",
    "modify metadata={0},actions=clone(output:{1}),output:{2}",
    "ip,nw_dst=10.0.0.{1},ip_dst=10.0.0.{2},actions=normal",
)


@pytest.mark.parametrize("shape", [*SHAPES, *LONG_SHAPES])
def test_shapes_that_people_generate(shape: str) -> None:
    molds = FlowMolds(Version.OF13)
    chance = random.Random(1)
    long_ways: list[str] = []

    def parse(line: str) -> FlowMod:
        long_ways.append(line)
        return parse_flow(line, None, Version.OF13)

    for _ in range(300):
        first = chance.choice((1, 2, chance.randrange(0x10000)))
        values = first, *chance.choices(range(256), k=2)
        line = shape.format(*values, chance.choice((5, 4096, 8191, 8192, 4096 + values[1])))
        try:
            expected = codec.encode(parse_flow(line, None, Version.OF13), Version.OF13)
        except ParseError:
            continue
        assert molds.encode(line, parse) == expected, line
    if shape in SHAPES:
        assert len(long_ways) < (150 if "{3}" in shape else 10)
