"""A barrier's reply means that every frame received from then on sees the change."""

import sys
from pathlib import Path

from ovsflow.testing.lab import Lab

PROBE = Path(__file__).with_name("barrier_probe.py")


def test_a_frame_sent_after_the_barriers_reply_meets_the_changed_flows(lab: Lab) -> None:
    host, node = lab.node("h"), lab.node("s")
    for number in (1, 2, 3):
        lab.link(host, f"eth{number}", node, f"veth{number}", 1500)
    ports = [word for number in (1, 2, 3) for word in ("--port", f"veth{number}={number}")]
    lab.switch(node, "br0", *ports)
    text = host.run(sys.executable, str(PROBE), f"{node.rundir}/br0.mgmt", "4000", timeout=100)
    assert text == "held 4000\n"
