"""Two hosts, two switches, one VXLAN port each, one controller: the main job on one screen.

    h1 (10.0.0.1) --veth-- s1 ==IP underlay== s2 --veth-- h2 (10.0.0.2)

Every node is a network namespace.  The switches are two `ovsflow run` processes; the controller
is `ovsflow controller overlay`, an os-ken application that programs both over TCP.
"""

import argparse
import json
import re
import sys
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from ovsflow.errors import OvsflowError
from ovsflow.testing.lab import Lab, Node, Overlay, Process, termination_as_exit

VNI = 10
CONTROLLER_PORT = 6653
PYTHON = sys.executable

console = Console(highlight=False, emoji=False)


def step(text: str) -> None:
    """Prints a heading."""
    console.print(f"\n[bold cyan]▸ {text}[/]")


def show_command(node: Node, command: str, output: str) -> None:
    """Prints a command as typed, and what it printed."""
    console.print(f"[green]{node.name}$[/] [bold]{command}[/]")
    console.print(output.rstrip(), markup=False, soft_wrap=True)


def bring_up(lab: Lab) -> Overlay:
    """Builds the network and starts controller and switches."""
    net = Overlay(lab)
    lab.controller(net.s1, CONTROLLER_PORT, "overlay", "--set", f"vni={VNI}", "--host", "0.0.0.0")
    for number, node in ((1, net.s1), (2, net.s2)):
        lab.switch(
            node,
            f"br{number}",
            *("--dpid", f"{number}"),
            *("--port", "veth1=1"),
            *("--port", "vxlan0=2:vxlan"),
            *("--controller", f"tcp:172.31.1.1:{CONTROLLER_PORT}"),
        )
        lab.wait_for(partial(programmed, node, f"br{number}"), f"controller of br{number}")
    return net


def programmed(node: Node, bridge: str) -> bool:
    """Whether the controller has programmed the switch."""
    flows = json.loads(node.ofctl("dump-flows", bridge, "--json"))
    return len(flows) >= 3


def capture(lab: Lab, node: Node) -> Process:
    """Starts to record what crosses the underlay."""
    process = lab.start(
        node,
        "tcpdump",
        *("tcpdump", "-i", "under0", "-U", "-c", "8", "-s", "200"),
        *("-w", str(lab.directory / "wire.pcap"), "udp port 4789"),
    )
    lab.wait_for(lambda: "listening on" in process.output(), "tcpdump", process)
    return process


def decode_capture(path: Path, node: Node) -> str:
    """Has tshark, which knows nothing of ovsflow, read the capture."""
    text = node.run("tshark", "-r", str(path), "-d", "udp.port==4789,vxlan", "-T", "fields",
        *("-E", "separator=|", "-e", "ip.src", "-e", "ip.dst", "-e", "udp.srcport"),
        *("-e", "vxlan.vni", "-e", "_ws.col.Info"))  # fmt: skip
    lines = []
    for line in text.splitlines():
        columns = line.split("|")
        if len(columns) == 5 and columns[3]:
            sources, targets = columns[0].split(","), columns[1].split(",")
            lines.append(
                f"{sources[0]} → {targets[0]}  UDP {columns[2].split(',')[0]} → 4789  "
                f"VNI {columns[3]}  │ {columns[4]}"
            )
    return "\n".join(lines)


def stream(net: Overlay, lab: Lab, seconds: int) -> float:
    """Runs a TCP stream from h1 to h2; returns Gbit/s."""
    server = lab.start(net.h2, "iperf3", "iperf3", "-s", "-1")
    lab.wait_for(lambda: ":5201 " in net.h2.run("ss", "-Hltn"), "iperf3", server)
    report = json.loads(
        net.h1.run("iperf3", "-c", "10.0.0.2", "-t", str(seconds), "-J", timeout=seconds + 30)
    )
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def checksum_errors(node: Node) -> int:
    """TcpInCsumErrors of a host."""
    found = re.search(r"TcpInCsumErrors\s+(\d+)", node.run("nstat", "-asz", "TcpInCsumErrors"))
    return int(found[1]) if found else -1


def tell(net: Overlay, lab: Lab, seconds: int) -> None:
    """Shows the main job at work."""
    recorder = capture(lab, net.s1)
    step("Ping through the overlay (IPv4 and IPv6)")
    ping = net.h1.run("ping", "-c", "3", "-i", "0.2", "-W", "2", "10.0.0.2")
    show_command(net.h1, "ping -c 3 10.0.0.2", ping)
    net.h1.run("ping", "-6", "-c", "1", "-W", "2", "fd00::2")
    step(f"A TCP stream of {seconds} s, every offload left on")
    with console.status(f"iperf3 for {seconds} s"):
        rate = stream(net, lab, seconds)
    console.print(f"h1 → h2: [bold]{rate:.2f} Gbit/s[/]")
    step("What the controller programmed, and what it counted")
    show_command(
        net.s1, "ofctl dump-flows br1", net.s1.ofctl("-O", "OpenFlow13", "dump-flows", "br1")
    )
    step("What the wire looked like, as tshark decodes it")
    recorder.stop()
    console.print(decode_capture(lab.directory / "wire.pcap", net.s1), markup=False, soft_wrap=True)
    summary(net, ping, rate)


def summary(net: Overlay, ping: str, rate: float) -> None:
    """Prints the one-screen summary."""
    table = Table(show_header=False, box=None)
    loss = re.search(r"(\d+)% packet loss", ping)
    times = re.search(r"= ([\d.]+)/([\d.]+)/", ping)
    table.add_row("ping h1 → h2", f"{loss[1]} % lost" if loss else "?",
        f"{times[2]} ms on average" if times else "")  # fmt: skip
    table.add_row("TCP h1 → h2", f"{rate:.2f} Gbit/s",
        f"{checksum_errors(net.h2)} checksum errors")  # fmt: skip
    for node, bridge in ((net.s1, "br1"), (net.s2, "br2")):
        flows = json.loads(node.ofctl("dump-flows", bridge, "--json"))
        table.add_row(f"switch {bridge}", f"{len(flows)} flows", "one VXLAN port, UDP 4789")
    console.print(Panel(table, title="ovsflow", expand=False))


def keep(net: Overlay, lab: Lab) -> None:
    """Leaves everything up until a key is pressed, and says what to try."""
    bin_dir = Path(PYTHON).parent
    step(
        "Everything stays up until you press Enter (or Ctrl-C).  In another terminal, as root, try:"
    )
    for node, command in (
        (net.h1, "ping 10.0.0.2"),
        (net.h1, "iperf3 -c 10.0.0.2   (with iperf3 -s in h2)"),
        (net.s1, f"env OVSFLOW_RUNDIR={net.s1.rundir} {bin_dir}/ovsflow show br1"),
        (net.s1, f"env OVSFLOW_RUNDIR={net.s1.rundir} {bin_dir}/ofctl dump-flows br1"),
        (net.s1, f"ovs-ofctl -O OpenFlow13 dump-flows unix:{net.s1.rundir}/br1.mgmt"),
        (net.s2, f"env OVSFLOW_RUNDIR={net.s2.rundir} {bin_dir}/ovsflow stats br2"),
        (net.s1, "tcpdump -ni under0 udp port 4789"),
    ):
        console.print(f"  ip netns exec {node.namespace} {command}", markup=False, soft_wrap=True)
    try:
        input()
    except EOFError:
        # No terminal: stay until somebody ends us.
        while True:
            time.sleep(3600)


def main() -> int:
    """Runs the demonstration."""
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave it up to play with")
    parser.add_argument("--seconds", type=int, default=5, help="length of the TCP stream (5)")
    options = parser.parse_args()
    try:
        with termination_as_exit(), Lab() as lab:
            step("Four namespaces, two switches, one controller")
            with console.status("starting"):
                net = bring_up(lab)
            console.print("h1 ── s1 ══ underlay 172.31.1.0/24 ══ s2 ── h2", markup=False)
            tell(net, lab, options.seconds)
            if options.keep:
                keep(net, lab)
    except OvsflowError as error:
        console.print(f"[red]demo failed:[/] {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
