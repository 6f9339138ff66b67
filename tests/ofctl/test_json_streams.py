"""`--json` of what does not end: `monitor`, `watch:` and `snoop` print one object a line."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from ofctl.__main__ import main
from ovsflow import Switch
from ovsflow.openflow.constants import Version
from tests.ofctl.oracle import VERSIONS as NAMES
from tests.ofctl.scripts import FRAME
from tests.switch.talker import VERSIONS, attach, flow_mod, output

ROOT = Path(__file__).parents[2]
ECHO_REQUEST = 2
PATIENCE = 60.0

WATCH_REPLY = {
    1: {"NXST_FLOW_MONITOR reply"},
    4: {"ONFST_FLOW_MONITOR reply"},
    5: {"OFPST_FLOW_MONITOR reply"},
    6: {"OFPST_FLOW_MONITOR reply"},
}
TOLD = {"OFPT_PORT_STATUS", "OFPT_FLOW_REMOVED", "NXT_PACKET_IN2"}

Line = dict[str, object]


class Stream:
    """The lines of a program that runs, each read as JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._collect)
        self._reader.start()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(iter(self._process.stdout.readline, ""))

    def wait_for(
        self, wanted: set[str], meanwhile: Callable[[], None] = lambda: None
    ) -> list[Line]:
        """All lines, once each kind of message was among them."""
        deadline = time.monotonic() + PATIENCE
        while True:
            # One object a line: what is not JSON ends the test here.
            lines: list[Line] = [json.loads(line) for line in list(self._lines)]
            if wanted <= {str(line["message"]) for line in lines}:
                return lines
            assert time.monotonic() < deadline, "".join(self._lines)
            meanwhile()
            time.sleep(0.05)

    def end(self) -> None:
        self._process.terminate()
        self._reader.join()


@contextmanager
def stream(rundir: Path, version: int, *words: str) -> Iterator[Stream]:
    """Runs ofctl with `--json`."""
    with subprocess.Popen(
        [sys.executable, "-m", "ofctl", "-O", NAMES[Version(version)], "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OVSFLOW_RUNDIR": str(rundir)},
    ) as process:
        running = Stream(process)
        try:
            yield running
        finally:
            running.end()


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Path]:
    ports = ["a=1:memory", "b=2:memory"]
    with Switch("br0", workers=0, rundir=tmp_path, ports=ports):
        yield tmp_path


def tell(rundir: Path, version: int, *words: str) -> None:
    command, *rest = words
    assert main(["-O", NAMES[Version(version)], command, f"unix:{rundir}/br0.mgmt", *rest]) == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_monitor_prints_an_object_for_each_message(switch: Path, version: int) -> None:
    tell(switch, version, "add-flow", "table=3,actions=drop")
    words = ("monitor", f"unix:{switch}/br0.mgmt", "65534", "watch:")
    with stream(switch, version, *words) as running:
        first = running.wait_for(WATCH_REPLY[version])
        tell(switch, version, "add-flow", "send_flow_rem,in_port=1,actions=2")
        tell(switch, version, "packet-out", f"in_port=2,packet={FRAME},actions=controller")
        tell(switch, version, "mod-port", "a", "down")
        tell(switch, version, "del-flows", "in_port=1")
        lines = running.wait_for(TOLD)
    assert all(set(line) == {"message", "body"} for line in lines)
    assert all(isinstance(line["body"], dict) for line in lines)
    assert "table_id" in json.dumps(first)
    for line in lines:
        body = line["body"]
        assert isinstance(body, dict)
        if "PACKET_IN" in str(line["message"]):
            assert {"reason", "data"} <= set(body)
            assert FRAME in str(body["data"])
        if line["message"] == "OFPT_FLOW_REMOVED":
            assert {"match", "cookie", "priority", "reason", "packet_count"} <= set(body)
        if line["message"] == "OFPT_PORT_STATUS":
            assert {"reason", "port"} <= set(body)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_time_stands_beside_each_message(switch: Path, version: int) -> None:
    def change_a_port() -> None:
        for state in ("down", "up"):
            tell(switch, version, "mod-port", "a", state)

    words = ("--timestamp", "monitor", f"unix:{switch}/br0.mgmt", "65534")
    with stream(switch, version, *words) as running:
        lines = running.wait_for({"OFPT_PORT_STATUS"}, change_a_port)
    assert all(set(line) == {"time", "message", "body"} for line in lines)
    assert all(datetime.fromisoformat(str(line["time"])).tzinfo is None for line in lines)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_snoop_prints_an_object_for_each_message(tmp_path: Path, version: int) -> None:
    ports = ["a=1:memory", "b=2:memory"]
    with Switch("br0", workers=0, rundir=tmp_path, ports=ports) as running_switch:
        talker = attach(running_switch, version)
        with stream(tmp_path, version, "snoop", f"unix:{tmp_path}/br0.snoop") as running:
            running.wait_for({"OFPT_ECHO_REPLY"}, lambda: talker.say(ECHO_REQUEST, b""))
            talker.ask(flow_mod(version, actions=output(version, 2), xid=0x1234))
            lines = running.wait_for({"OFPT_FLOW_MOD", "OFPT_BARRIER_REQUEST"})
        talker.sock.close()
    assert all(set(line) == {"message", "body"} for line in lines)
    (sent,) = (line["body"] for line in lines if line["message"] == "OFPT_FLOW_MOD")
    assert isinstance(sent, dict)
    assert {"command", "match", "instructions", "priority", "table_id"} <= set(sent)
