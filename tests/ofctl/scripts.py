"""Every command as lines to type, and where ofctl answers otherwise than ovs-ofctl, and why.

Each script starts on an empty switch and leaves it empty; `@` is the switch, `FILE.txt` a file of
`FILES`.  A command that no script types is found missing by `test_every_command.py`.
"""

import re

from ovsflow.openflow.constants import Version

ONE, TWO = "p1", "p2"

FILES = {
    "flows.txt": (
        "priority=10,in_port=1,actions=output:2\n"
        "table=1,tcp,tun_id=5,tp_dst=80,actions=resubmit(,2),output:2\n"
        "# a comment\n\n"
        "cookie=7,idle_timeout=60,dl_vlan=5,actions=output:1,output:3\n"
    ),
    "others.txt": (
        "priority=10,in_port=1,actions=output:3\n"
        "table=1,tcp,tun_id=5,tp_dst=80,actions=resubmit(,2),output:2\n"
        "priority=11,udp,actions=drop\n"
    ),
    "commands.txt": (
        "add in_port=1,actions=2\nadd in_port=2,actions=1\n"
        "modify in_port=1,actions=3\ndelete in_port=2\n"
    ),
    "wrong.txt": "in_port=1,actions=2\nin_port=1,actions=frobnicate\n",
    "groups.txt": "group_id=1,type=all,bucket=output:1\ngroup_id=2,type=indirect,bucket=output:2\n",
    "bundle.txt": (
        "flow add in_port=1,actions=2\ngroup add group_id=3,type=all,bucket=1\n"
        "flow add in_port=2,actions=group:3\n"
    ),
    "failing.txt": "flow add in_port=1,actions=2\nflow add in_port=2,actions=group:77\n",
    "spelled.txt": "dl_vlan=5,actions=strip_vlan,mod_dl_src:02:00:00:00:00:01,output:1\n",
    "message.bin": "\x04\x02\x00\x08\x00\x00\x00\x01",
}

FRAME = (
    "505400000007505400000005080045000020000000004001f9fcc0a80001c0a800020800000000000000aabbccdd"
)

SCRIPTS: dict[str, tuple[str, ...]] = {
    "the switch": (
        *("show @", "dump-desc @", "dump-ports @", "dump-ports @ 1", "dump-ports @ p2"),
        *(
            "dump-ports @ LOCAL",
            "dump-ports @ nowhere",
            "dump-ports-desc @",
            "dump-ports-desc @ p1",
        ),
        *("get-frags @", "set-frags @ drop", "get-frags @", "set-frags @ nx-match", "get-frags @"),
        *("set-frags @ reassemble", "set-frags @ sideways", "set-frags @ normal"),
        *(
            "queue-stats @",
            "queue-stats @ 1",
            "queue-stats @ ALL ALL",
            "queue-stats @ 1 7",
            "queue-get-config @",
        ),
        *("queue-get-config @ 1", "queue-get-config @ nowhere", "probe @", "ping @ 10", "ping @"),
        *("benchmark @ 10 10", "show nowhere:1", "show", "show @ @", "no-such-command @"),
    ),
    "ports": (
        *("mod-port @ 1 down", "dump-ports-desc @", "mod-port @ 1 up", "mod-port @ p2 no-receive"),
        *(
            "show @",
            "mod-port @ p2 receive",
            "mod-port @ p2 no-forward",
            "mod-port @ p2 no-packet-in",
        ),
        *("show @", "mod-port @ p2 forward", "mod-port @ p2 packet-in", "mod-port @ 99 up"),
        *("mod-port @ p1 sideways", "mod-port @ p1 no-flood", "show @", "mod-port @ p1 flood"),
    ),
    "tables": (
        *("dump-tables @", "dump-table-desc @", "mod-table @ 0 evict", "dump-table-desc @"),
        *("mod-table @ 0 noevict", "mod-table @ 0 vacancy:20,80", "mod-table @ 0 sideways"),
        *(
            "mod-table @ 0 drop",
            "mod-table @ 999 evict",
            "mod-table @ 3 name:",
            "dump-table-features @",
        ),
        *("dump-flows @ table=third", "dump-tlv-map @", "--names dump-tables @"),
    ),
    "flows": (
        *("add-flow @ in_port=1,actions=2", "add-flow @ in_port=p1,actions=p2"),
        *("add-flow @ in_port=1,actions=frobnicate", "add-flow @ in_port=1", "add-flow @"),
        *("dump-flows @", "add-flows @ flows.txt", "add-flows @ wrong.txt", "add-flows @ none.txt"),
        *(
            "dump-flows @",
            "dump-flows @ table=1",
            "dump-flows @ out_port=2",
            "dump-flows @ cookie=7/-1",
        ),
        *("--names dump-flows @", "--no-stats dump-flows @", "--names --no-stats dump-flows @"),
        *("--sort dump-flows @", "--rsort dump-flows @", "--color=always dump-flows @"),
        *("dump-aggregate @", "dump-aggregate @ table=1", "dump-flows @ priority=0"),
        *(
            "mod-flows @ in_port=1,actions=3",
            "--strict mod-flows @ priority=10,in_port=1,actions=1",
        ),
        *("dump-flows @ in_port=1", "--strict del-flows @ priority=10,in_port=1", "dump-flows @"),
        *("del-flows @ dl_vlan=5", "dump-flows @", "add-flows @ commands.txt", "dump-flows @"),
        *(
            "add-flow @ check_overlap,priority=32768,actions=1",
            "del-flows @ actions=1",
            "del-flows @",
        ),
    ),
    "sets of flows": (
        *("--bundle add-flows @ flows.txt", "dump-flows @", "diff-flows @ flows.txt"),
        *("diff-flows @ others.txt", "diff-flows flows.txt others.txt", "diff-flows others.txt @"),
        *("diff-flows @ @", "diff-flows @ none.txt", "replace-flows @ others.txt", "dump-flows @"),
        *("replace-flows @ flows.txt", "--readd replace-flows @ flows.txt", "dump-flows @"),
        *("--bundle replace-flows @ others.txt", "dump-flows @", "--bundle del-flows @"),
        *("add-flows @ spelled.txt", "diff-flows @ spelled.txt", "del-flows @"),
        *("bundle @ bundle.txt", "dump-flows @", "bundle @ failing.txt", "dump-flows @"),
        *("--bundle add-flow @ actions=group:78", "del-groups @", "del-flows @"),
    ),
    "groups": (
        *("add-group @ group_id=1,type=select,bucket=weight:10,output:1,bucket=output:2",),
        *(
            "add-group @ group_id=1,type=all,bucket=output:1",
            "add-group @ type=all",
            "dump-groups @",
        ),
        *("dump-groups @ 1", "dump-groups @ sideways", "mod-group @ group_id=1,type=all,bucket=3"),
        *("mod-group @ group_id=9,type=all,bucket=3", "dump-group-stats @ group_id=1"),
        *("--may-create mod-group @ group_id=9,type=all,bucket=3", "dump-group-stats @"),
        *("dump-group-features @", "insert-buckets @ group_id=9,command_bucket_id=last,bucket=2"),
        *(
            "insert-buckets @ group_id=9,command_bucket_id=last,bucket=bucket_id:5,2",
            "dump-groups @",
        ),
        *("remove-buckets @ group_id=9,command_bucket_id=first", "dump-groups @"),
        *("del-groups @ group_id=9", "dump-groups @", "del-groups @", "add-groups @ groups.txt"),
        *("dump-groups @", "del-groups @", "--bundle add-groups @ groups.txt", "del-groups @"),
    ),
    "meters": (
        *("add-meter @ meter=1,kbps,burst,bands=type=drop,rate=5,burst_size=7", "dump-meters @"),
        *(
            "add-meter @ meter=1,kbps,bands=type=drop,rate=5",
            "add-meter @ meter=1",
            "dump-meter @ meter=1",
        ),
        *(
            "dump-meters @ meter=1",
            "dump-meter @ meter=8",
            "meter-stats @",
            "meter-stats @ meter=1",
            "meter-features @",
        ),
        *("mod-meter @ meter=1,pktps,bands=type=drop,rate=9", "dump-meters @"),
        *(
            "mod-meter @ meter=9,pktps,bands=type=drop,rate=9",
            "del-meter @ meter=1",
            "del-meters @",
        ),
    ),
    "packets": (
        f"packet-out @ in_port=1,packet={FRAME},actions=output:2",
        *(f"packet-out @ 1 output:2 {FRAME}", "packet-out @ in_port=1,packet=zz,actions=2"),
        "packet-out @ in_port=1",
    ),
    "without a switch": (
        *(
            "parse-flow tcp,tp_dst=80,actions=2",
            "parse-flow actions=frobnicate",
            "parse-flows flows.txt",
        ),
        *("parse-flows wrong.txt", "parse-group group_id=1,type=all,bucket=output:1"),
        *("ofp-print 0402000800000001", "ofp-print 04020008000000", "ofp-parse message.bin"),
    ),
}

APART = {
    "monitor": "test_monitors.py",
    "snoop": "test_snoop.py",
    "parse-actions": "ovs-ofctl's reads bytes, not text; test_command.py",
    "parse-meter": "ovs-ofctl has none; test_command.py",
    "add-tlv-map": "not offered",
    "del-tlv-map": "not offered",
    "ct-flush": "not offered",
    "ct-flush-zone": "not offered",
    "dump-ipfix-bridge": "not offered",
    "dump-ipfix-flow": "not offered",
    "ofp-parse-pcap": "not offered",
}
"""Commands that no script types, and where they are tested."""

OLD, NEW = (Version.OF10,), (Version.OF13, Version.OF14, Version.OF15)
ALL = (*OLD, *NEW)

OVSFLOW, ANYWHERE = ("ovsflow",), ("ovsflow", "Open vSwitch")
EXPLAINED: tuple[tuple[str, tuple[int, ...], tuple[str, ...], str], ...] = (
    ("^benchmark ", ALL, ANYWHERE, "its figures are measured"),
    (" (no-)?flood$", NEW, ANYWHERE, "ovs-ofctl leaves out what the version cannot say"),
    ("^dump-groups @ sideways", ALL, ANYWHERE, "ovs-ofctl shows all groups instead"),
    ("spelled.txt", ALL, ANYWHERE, "ovs-ofctl tells two spellings of one flow as different flows"),
    (
        "queue-stats @ 1 7|dump-meter @ meter=8",
        ALL,
        ANYWHERE,
        "ovs-ofctl calls a refusal a success",
    ),
    ("^parse-flows flows", OLD, ANYWHERE, "ovs-ofctl chooses one form of message for a file"),
    ("^dump-table-features", NEW, OVSFLOW, "ovs-ofctl leaves out fields that it does not know"),
    ("^meter-features", (Version.OF15,), OVSFLOW, "ovs-ofctl reads the form of OpenFlow 1.3 only"),
)
"""Lines on which outcomes differ, in which versions, on which switch, and why."""


IMPOSSIBLE = (("replace-flows", OLD, "ovs-ofctl cannot replace flows of several tables"),)
"""What is not typed, in which versions, and why."""


def lines_of(script: str, version: int) -> list[str]:
    """The lines of a script that can be typed in a version."""
    return [
        line
        for line in SCRIPTS[script]
        if not any(what in line and version in versions for what, versions, _ in IMPOSSIBLE)
    ]


def explained(line: str, version: int, switch: str) -> bool:
    """Whether a difference is known."""
    return any(
        version in versions and switch in switches and re.search(what, line)
        for what, versions, switches, _ in EXPLAINED
    )
