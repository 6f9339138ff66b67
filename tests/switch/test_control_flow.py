"""What each action of a list does to the walk: resubmit, clone, stack, learn and their like.

A row is a set of flows and what then becomes of one frame; ports 1 to 4 are the switch's.  What
leaves is named by port and by the frame's destination address, which flows set to tell copies
apart.
"""

from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.switch.tracing import Trace
from tests.switch.samples import FRAMES, summed

FRAME = summed(FRAMES["udp"])
PORTS = (1, 2, 3, 4)
#: For each destination address that flows write, one letter; "-" is the frame's own.
LETTERS = {bytes([2, 0, 0, 0, 0, 16 * 10 + n]): "abcdef"[n] for n in range(6)}


def mark(letter: str) -> str:
    """Sets the destination address that stands for a letter."""
    address = next(address for address, known in LETTERS.items() if known == letter)
    return f"set_field:{address.hex(':')}->eth_dst"


A, B, C = mark("a"), mark("b"), mark("c")

#: Flows (table 0 unless they say so), and what leaves after one frame into port 1.
ROWS: dict[str, tuple[list[str], str]] = {
    # Lists run in order, and a copy is as the packet was then.
    "output twice": ([f"actions=2,{A},3,{B},2"], "2- 3a 2b"),
    "not back where it came from": (["actions=1,2"], "2-"),
    "IN_PORT": (["actions=in_port,2"], "1- 2-"),
    "all": (["actions=all"], "2- 3- 4-"),
    "a port that is not there": (["actions=99,2"], "2-"),
    "drop": (["actions=drop"], ""),
    "no output": ([f"actions={A}"], ""),
    "note does nothing": ([f"actions={A},note:01.02.03,2"], "2a"),
    "sample does nothing": (
        ["actions=sample(probability=65535,collector_set_id=1,obs_domain_id=2,obs_point_id=3),2"],
        "2-",
    ),
    # Resubmit comes back; what the rule it found did to the packet stays.
    "resubmit comes back": (
        [f"actions={A},resubmit(,1),2", f"table=1,actions=3,{B}"],
        "3a 2b",
    ),
    "resubmit to a miss": (["actions=resubmit(,1),2"], "2-"),
    "resubmit as if from another port": (
        ["in_port=1,actions=resubmit:4,2", "in_port=4,actions=3,in_port,4"],
        "3- 1- 4- 2-",
    ),
    "resubmit to a lower table": (
        [
            "in_port=1,actions=set_field:1->reg0,resubmit(,5)",
            "priority=40000,reg0=2,actions=2",
            "table=5,actions=set_field:2->reg0,resubmit(,0),3",
        ],
        "2- 3-",
    ),
    "resubmit does not end at an expired TTL": (
        ["udp,actions=resubmit(,1),2", "table=1,udp,actions=clone(mod_nw_ttl:1,dec_ttl,3)"],
        "2-",
    ),
    "goto and resubmit": (
        ["actions=resubmit(,1),goto_table:2", "table=1,actions=3", f"table=2,actions={A},2"],
        "3- 2a",
    ),
    "resubmit without end": (["actions=2,resubmit(,0)"], ""),
    "exit ends every list": (
        ["actions=resubmit(,1),2", "table=1,actions=3,exit,4"],
        "3-",
    ),
    "exit leaves the action set": (
        ["actions=write_actions(output:4),goto_table:1", "table=1,actions=3,exit,2"],
        "3- 4-",
    ),
    # Clone puts everything back.
    "clone": (
        [
            f"actions=set_field:1->reg0,clone({A},set_field:2->reg0,2),resubmit(,1)",
            "table=1,reg0=1,actions=3",
            "table=1,reg0=2,actions=4",
        ],
        "2a 3-",
    ),
    "clone keeps no stack": (
        [
            "actions=push:in_port,clone(pop:reg0),pop:reg1,output:reg1,2,resubmit(,1)",
            "table=1,reg1=1,actions=3",
        ],
        "2- 3-",
    ),
    "exit in a clone": (["actions=clone(2,exit,3),4"], "2- 4-"),
    # Registers, moves and the stack.
    "output to a register": (["actions=set_field:3->reg5,output:reg5[0..15]"], "3-"),
    "output to bits of a register": (["actions=set_field:0x340->reg5,output:reg5[8..11]"], "3-"),
    "move": (["actions=move:eth_src->eth_dst,2"], "2d"),
    "move bits": (
        [
            "udp,actions=move:udp_dst[0..7]->reg0[8..15],resubmit(,1)",
            "table=1,reg0=0x7800,actions=2",
        ],
        "2-",
    ),
    "load bits": (
        [
            "actions=load:5->reg0[4..7],load:1->xreg0[0],resubmit(,1)",
            "table=1,reg0=0x50,reg1=1,actions=2",
        ],
        "2-",
    ),
    "stack turns order round": (
        [
            "actions=set_field:2->reg0,set_field:3->reg1,push:reg0[],push:reg1[],pop:reg0[],"
            "pop:reg1[],output:reg0[],output:reg1[]"
        ],
        "3- 2-",
    ),
    "stack of addresses": (["actions=push:eth_src,pop:eth_dst,2"], "2d"),
    "stack outlives a resubmit": (
        [
            "actions=resubmit(,1),pop:reg0,output:reg0",
            "table=1,actions=set_field:4->reg1,push:reg1",
        ],
        "4-",
    ),
    "pop of an empty stack": (["actions=set_field:2->reg0,pop:reg0,output:reg0"], "2-"),
    "write_metadata": (
        ["actions=write_metadata:0xf5/0xff,goto_table:1", "table=1,metadata=0xf5,actions=2"],
        "2-",
    ),
    "in_port may be written": (["actions=set_field:0->in_port,1,2"], "1- 2-"),
    # Length and flags decide.
    "check_pkt_larger, larger": (
        [
            "actions=check_pkt_larger(59)->reg0[0],resubmit(,1)",
            "table=1,reg0=1,actions=2",
            "table=1,reg0=0,actions=3",
        ],
        "2-",
    ),
    "check_pkt_larger, just as long": (
        [
            "actions=check_pkt_larger(60)->reg0[0],resubmit(,1)",
            "table=1,reg0=1,actions=2",
            "table=1,reg0=0,actions=3",
        ],
        "3-",
    ),
    "check_pkt_larger in a resubmit": (
        [
            "actions=resubmit(,1),2",
            "table=1,actions=check_pkt_larger(59)->reg0[0],resubmit(,2),4",
            "table=2,reg0=1,actions=3",
        ],
        "3- 4- 2-",
    ),
    # The action set.
    "action set at the end": (
        [f"actions=write_actions({A},output:2),goto_table:1", "table=1,actions=3"],
        "3- 2a",
    ),
    "action set merges": (
        [
            f"actions=write_actions({A},output:2),goto_table:1",
            f"table=1,actions=write_actions({B},output:3)",
        ],
        "3b",
    ),
    "clear_actions": (
        ["actions=write_actions(output:2),goto_table:1", "table=1,actions=3,clear_actions"],
        "3-",
    ),
    "clear and write": (
        [
            f"actions=write_actions({A},output:2),goto_table:1",
            "table=1,actions=clear_actions,write_actions(output:3)",
        ],
        "3-",
    ),
    "action set without an end": ([f"actions=write_actions({A})"], ""),
    "action set and a table miss": (["actions=write_actions(output:2),goto_table:1"], ""),
    "action set in a resubmit": (
        ["actions=resubmit(,1),2", f"table=1,actions=write_actions({A},output:3)"],
        "2- 3a",
    ),
    # Conjunctions.
    "conjunction": (
        [
            "priority=9,udp,nw_src=10.1.2.3,actions=conjunction(7,1/2)",
            "priority=9,udp,tp_dst=0x5678,actions=conjunction(7,2/2)",
            "priority=8,actions=4",
            "priority=9,conj_id=7,actions=2",
        ],
        "2-",
    ),
    "half a conjunction": (
        [
            "priority=9,udp,nw_src=10.1.2.3,actions=conjunction(7,1/2)",
            "priority=9,udp,tp_dst=1,actions=conjunction(7,2/2)",
            "priority=8,actions=4",
            "priority=9,conj_id=7,actions=2",
        ],
        "4-",
    ),
    # Bundles and links.
    "bundle, the first that lives": (
        ["actions=bundle(eth_src,0,active_backup,ofport,members:99,3,4)"],
        "3-",
    ),
    "bundle_load": (
        ["actions=bundle_load(eth_src,0,active_backup,ofport,reg0[0..15],members:4,3),output:reg0"],
        "4-",
    ),
    "bundle_load, none lives": (
        [
            "actions=bundle_load(eth_src,0,active_backup,ofport,reg0[0..15],members:98,99),"
            "resubmit(,1)",
            "table=1,reg0=0xffff,actions=2",
        ],
        "2-",
    ),
    "multipath to one link": (
        [
            "actions=multipath(eth_src,50,modulo_n,1,0,reg0[]),resubmit(,1)",
            "table=1,reg0=0,actions=2",
        ],
        "2-",
    ),
    # Queues exist in name only.
    "enqueue": (["actions=enqueue:2:7,3"], "2- 3-"),
    "set_queue": (["actions=set_queue:7,2,pop_queue,3"], "2- 3-"),
    # Truncation.
    "output cut": (["actions=output(port=2,max_len=14),3"], "2-/14 3-"),
    "output cut to more": (["actions=output(port=2,max_len=1000),3"], "2- 3-"),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Switch]:
    with Switch(ports=[f"p{number}={number}:memory" for number in PORTS], workers=0) as switch:
        yield switch


@pytest.fixture
def switch(shared: Switch) -> Iterator[Switch]:
    yield shared
    shared.del_flows()


def outcome(switch: Switch, frame: bytes = FRAME) -> str:
    """What leaves after a frame into port 1, port by port."""
    switch.inject(1, frame)
    words = []
    for port in PORTS:
        for left in switch.receive(port):
            assert left[6:] in (frame[6:], frame[6 : len(left)]), left.hex()
            letter = LETTERS.get(left[:6], "d" if left[:6] == frame[6:12] else "-")
            words.append(f"{port}{letter}" + (f"/{len(left)}" if len(left) < len(frame) else ""))
    return " ".join(words)


@pytest.mark.parametrize("name", ROWS)
def test_flows_do_what_they_say(switch: Switch, name: str) -> None:
    flows, wanted = ROWS[name]
    for flow in flows:
        switch.add_flow(flow)
    by_port = sorted(wanted.split(), key=lambda word: word[0])
    told = switch.trace("in_port=1", FRAME)
    # Twice: once by a walk, once by what the walk left in the cache.
    assert outcome(switch) == " ".join(by_port), switch.trace("in_port=1", FRAME)
    assert outcome(switch) == " ".join(by_port)
    assert traced(told) == " ".join(by_port), told["text"]
    for action in told["datapath_actions"]:
        assert action == action.lower().replace("local", "LOCAL"), "a word that nobody types"


def traced(told: Trace) -> str:
    """What a trace says becomes of the frame, as `outcome` tells it."""
    words = []
    for left in told["leaves"]:
        if "port" in left:
            frame = bytes.fromhex(left["frame"])
            letter = LETTERS.get(frame[:6], "d" if frame[:6] == FRAME[6:12] else "-")
            cut = f"/{len(frame)}" if len(frame) < len(FRAME) else ""
            words.append(f"{left['port']}{letter}{cut}")
    return " ".join(sorted(words, key=lambda word: word[0]))
