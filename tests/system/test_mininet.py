"""Mininet on ovsflow: its own test bodies, the `mn` command, and two Mininets joined by VXLAN."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ovsflow.testing.lab import Lab

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

# Namespaces of its own for each Mininet: devices, processes and mounts end with it.
PRIVATE = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")


HOST = """
    mount -t tmpfs none /run && mkdir /run/kept && mount --bind "$0" /run/kept &&
    ip link set lo up && exec "$@"
"""


def private(kept: Path, *args: str, timeout: float = 110) -> str:
    """Runs a command as a private host, which sees `kept` as /run/kept; returns what it printed."""
    done = subprocess.run(
        [*PRIVATE, "sh", "-c", HOST, str(kept), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_mininets_own_bodies_pass(tmp_path: Path) -> None:
    source = subprocess.run(
        [ROOT / "tools" / "mininet-source"], capture_output=True, text=True, check=True
    ).stdout.strip()
    text = private(tmp_path, sys.executable, str(HERE / "mininet_bodies.py"), source)
    assert "Ran 7 tests" in text


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """The one-line file for `mn --custom`."""
    path = tmp_path / "ovsflow-mininet.py"
    path.write_text("from ovsflow.mininet import switches\n")
    return path


def mn(custom: Path, *args: str) -> list[str]:
    """The `mn` command with ovsflow as its switch, for a private host that sees the file."""
    file = f"/run/kept/{custom.name}"
    return [sys.executable, "/usr/bin/mn", "--custom", file, "--switch", "ovsflow", *args]


IPERF = """
from mininet.net import Mininet
from mininet.node import RemoteController
from mininet.topo import LinearTopo
from ovsflow.mininet import OvsflowSwitch

net = Mininet(LinearTopo(3), switch=OvsflowSwitch, controller=RemoteController, waitConnected=True)
net.start()
net["h3"].cmd("iperf -s > /dev/null &")
net["h1"].cmd("until echo | telnet 10.0.0.3 5001 | grep -q Connected; do sleep 0.1; done")
print(net["h1"].cmd("iperf -f k -t 2 -c 10.0.0.3"))
net["h3"].cmd("kill %iperf")
net.stop()
"""


# A controller that is connected may not have programmed the switches yet.
PROGRAMMED = """
import time

def programmed(net):
    while not all("CONTROLLER" in switch.dpctl("dump-flows") for switch in net.switches):
        time.sleep(0.1)

tests = {"programmed": programmed}
"""


def test_mn_linear_pingall_and_iperf_with_a_remote_controller(custom: Path) -> None:
    script = (
        f"{sys.executable} -m ovsflow controller learning & "
        "until ss -Hltn | grep -q :6653; do sleep 0.1; done; " + '"$@"; s=$?; kill $!; exit $s'
    )
    with custom.open("a") as file:
        file.write(PROGRAMMED)
    common = ("--topo", "linear,3", "--controller", "remote", "--wait")
    pings = mn(custom, *common, "--test", "programmed+pingall")
    text = private(custom.parent, "sh", "-c", script, "sh", *pings)
    assert "0% dropped" in text, text
    # `mn --test iperf` waits for a line that newer iperf versions do not print.
    text = private(custom.parent, "sh", "-c", script, "sh", sys.executable, "-c", IPERF)
    rates = re.findall(r"([\d.]+) Kbits/sec", text)
    assert rates, text
    assert all(float(rate) > 0 for rate in rates), text


def test_mn_in_namespaces_of_their_own(custom: Path) -> None:
    text = private(custom.parent, *mn(custom, "--topo", "single,3", "--controller", "none",
        "--switch", "ovsflowbr,inNamespace=True", "--test", "pingall"))  # fmt: skip
    assert "0% dropped" in text


JOINED = """
import sys
from mininet.net import Mininet
from mininet.topo import Topo
from ovsflow.mininet import OvsflowSwitch

number, peer = int(sys.argv[1]), sys.argv[2]
topo = Topo()
switch = topo.addSwitch("s1", vxlan=True)
for i in (1, 2):
    host = topo.addHost(f"h{i}", ip=f"10.0.{number}.{i}/16", mac=f"02:00:00:00:0{number}:0{i}")
    topo.addLink(host, switch)
net = Mininet(topo, switch=OvsflowSwitch, controller=None)
net.start()
switch = net["s1"]
tunnel = switch.vxlanOfport
for flow in (
    f"table=0,in_port={tunnel},tun_id=5,actions=resubmit(,1)",
    f"table=0,priority=0,actions=set_field:5->tun_id,set_field:{peer}->tun_dst,NORMAL",
    "table=1,actions=NORMAL",
):
    print(switch.dpctl("add-flow", flow), end="")
print("ready", flush=True)
for line in sys.stdin:
    host, *command = line.split()
    if host == "quit":
        break
    print(net[host].cmd(*command), flush=True)
net.stop()
"""


def test_two_mininets_joined_by_their_vxlan_ports(lab: Lab) -> None:
    a, b = lab.node("a"), lab.node("b")
    lab.link(a, "under0", b, "under0", 1600)
    lab.address(a, "under0", "172.31.1.1/24")
    lab.address(b, "under0", "172.31.1.2/24")
    mount = 'mount -t tmpfs none /run && exec "$@"'
    isolate = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c")
    running = []
    for number, node, peer in ((1, a, "172.31.1.2"), (2, b, "172.31.1.1")):
        process = subprocess.Popen(
            node.command(*(*isolate, mount, "sh", sys.executable, "-c", JOINED, str(number), peer)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        running.append(process)
    try:
        for process in running:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line == "ready\n", line
        first = running[0]
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdin.write("h1 ping -c3 -i0.2 -W2 10.0.2.1\nh2 ping -c3 -i0.2 -W2 10.0.2.2\nquit\n")
        first.stdin.flush()
        text = first.stdout.read()
        assert text.count("3 received") == 2, text
    finally:
        for process in running:
            process.terminate()
            process.communicate(timeout=20)


def test_json_of_a_mininet_switch(tmp_path: Path) -> None:
    """`dpctl` reaches the switch that Mininet started."""
    script = (
        "from mininet.net import Mininet; from mininet.topo import SingleSwitchTopo; "
        "from ovsflow.mininet import OvsflowBridge; "
        "net = Mininet(SingleSwitchTopo(2), switch=OvsflowBridge, controller=None); net.start(); "
        "print('JSON', net['s1'].dpctl('dump-ports-desc', '--json')); net.stop()"
    )
    text = private(tmp_path, sys.executable, "-c", script)
    ports = json.loads(text.split("JSON", 1)[1])
    assert {1, 2} <= {port["number"] for port in ports if isinstance(port["number"], int)}
