"""The `ovsflow` command, as people type it: a switch in a process of its own, no root."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "ovsflow"]


def environment(rundir: Path) -> dict[str, str]:
    return {**os.environ, "OVSFLOW_RUNDIR": str(rundir), "COLUMNS": "160"}


class Running:
    """`ovsflow run` and commands about it."""

    def __init__(self, rundir: Path, *args: str) -> None:
        self.rundir = rundir
        self.process = subprocess.Popen(
            [*COMMAND, "run", *args], env=environment(rundir), stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 20
        while not (rundir / "br0.mgmt").is_socket():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def ovsflow(self, *args: str) -> "subprocess.CompletedProcess[str]":
        return call(self.rundir, *args)

    def json(self, *args: str) -> object:
        done = self.ovsflow(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=20)
        return self.process.returncode, log


def call(rundir: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *args], env=environment(rundir), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(
        tmp_path_factory.mktemp("run"),
        *("--dpid", "a1", "--port", "p1=1:memory", "--port", "p2:memory"),
        *("--controller", "tcp:127.0.0.1:1", "--listen", "ptcp:0"),
    )
    yield running
    code, _ = running.end()
    assert code == 0
    assert list(running.rundir.iterdir()) == []


def test_show_tells_who_and_whom(switch: Running) -> None:
    shown = switch.json("show", "br0")
    assert isinstance(shown, dict)
    assert shown["dpid"] == "00000000000000a1"
    assert shown["pid"] == switch.process.pid
    assert [(port["number"], port["name"]) for port in shown["ports"]] == [(1, "p1"), (2, "p2")]
    (controller,) = shown["controllers"]
    assert controller["target"] == "tcp:127.0.0.1:1"
    assert controller["connected"] is False
    text = switch.ovsflow("show").stdout
    assert "br0" in text
    assert "tcp:127.0.0.1:1" in text


def test_ports_are_added_listed_and_removed(switch: Running) -> None:
    added = switch.json("port", "add", "br0", "p3=9:memory")
    assert isinstance(added, list)
    assert added[0]["number"] == 9
    listed = switch.json("port", "list")
    assert isinstance(listed, list)
    assert [port["name"] for port in listed] == ["p1", "p2", "p3"]
    assert switch.ovsflow("port", "del", "br0", "p3").returncode == 0
    assert "p3" not in switch.ovsflow("port", "list", "br0").stdout


def test_stats_trace_macs_list_and_log_work(switch: Running) -> None:
    stats = switch.json("stats", "br0")
    assert isinstance(stats, dict)
    assert isinstance(stats["drops"], dict)
    assert {"ports", "cache", "tables"} <= set(stats)
    traced = switch.json("trace", "br0", "in_port=p1,ip,nw_dst=10.0.0.2")
    assert isinstance(traced, dict)
    assert traced["steps"][0]["table"] == 0
    assert switch.json("macs") == []
    listed = switch.json("list")
    assert isinstance(listed, list)
    assert [each["name"] for each in listed] == ["br0"]
    assert switch.ovsflow("log", "br0", "debug").returncode == 0
    for args in (("stats",), ("trace", "br0", "in_port=1"), ("macs",), ("list",)):
        done = switch.ovsflow(*args)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_stages_are_measured_while_asked_for(switch: Running) -> None:
    measured = switch.json("stats", "br0", "--cycles", "--seconds", "0")
    assert isinstance(measured, list)
    stages = ("receive", "extract", "lookup", "translate", "execute", "send")
    assert [set(worker) for worker in measured] == [{"packets", *(f"{s}_ns" for s in stages)}]
    told = switch.ovsflow("stats", "--cycles", "--seconds", "0").stdout
    assert all(stage in told for stage in stages)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("show", "br9"), 1, "no switch named 'br9' is running; running: br0"),
        (("port", "add", "br0", "p1:memory"), 1, "port p1 is there already"),
        (("port", "add", "br0", "x:tapp"), 2, "did you mean 'tap'?\n  x:tapp\n    ^"),
        (("port", "add", "br0", "nosuch0"), 1, "port nosuch0: there is no such device"),
        (("port", "del", "br0", "p8"), 1, "there is no port 'p8'; there are: p1, p2"),
        (("trace", "br0", "in_prt=1"), 2, "^"),
        (("trace", "br0", "in_port=1", "xyz"), 1, "hexadecimal"),
    ],
)
def test_mistakes_are_one_sentence(
    switch: Running, args: tuple[str, ...], code: int, words: str
) -> None:
    done = switch.ovsflow(*args)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("ovsflow: ")
    assert words in done.stderr
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("show",), 1, "no switch is running; start one with 'ovsflow run'"),
        (("run", "--port", "x=y"), 2, "'y' is not a port number (1..65279, LOCAL)\n  x=y\n    ^"),
        (("run", "--controller", "tcq:x"), 2, "'tcq' is none of"),
        (("run", "--controller", "ptcp:1"), 2, "put it under 'listen'"),
        (("run", "--controller", "ssl:x"), 2, "give private_key, certificate and ca_certificate"),
        (("run", "--protocols", "OpenFlow12"), 2, "unknown 'OpenFlow12'"),
        (("run", "--dpid", "zz"), 2, "hexadecimal"),
        (("run", "none.toml"), 2, "none.toml: no such file"),
        (("run", "--port", "nosuch0"), 1, "port nosuch0: there is no such device"),
        (("run", "--listen", "ptcp:1:203.0.113.9"), 1, "cannot listen on ptcp:1:203.0.113.9"),
        (("run", "--private-key", "x"), 2, "TLS needs"),
        (("controller", "nosuch"), 2, "no application 'nosuch'"),
    ],
)
def test_what_cannot_start_says_why(
    tmp_path: Path, args: tuple[str, ...], code: int, words: str
) -> None:
    done = call(tmp_path, *args)
    assert "Traceback" not in done.stderr
    assert words in done.stderr
    assert done.returncode == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(tmp_path: Path, number: int) -> None:
    running = Running(tmp_path, "--port", "p1:memory")
    second = call(tmp_path, "run", "--port", "p1:memory")
    assert second.returncode == 1
    assert "br0 is running already" in second.stderr
    code, log = running.end(number)
    assert code == 0
    assert "br0: ends" in log
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_switch_left_is_replaced(tmp_path: Path) -> None:
    first = Running(tmp_path, "--port", "p1:memory")
    first.end(signal.SIGKILL)
    assert (tmp_path / "br0.mgmt").exists()
    listed = call(tmp_path, "list", "--json")
    assert json.loads(listed.stdout) == []
    (tmp_path / "br0.mgmt").unlink()
    second = Running(tmp_path, "--port", "p1:memory")
    assert second.end()[0] == 0


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        running = Running(tmp_path / "run", "--port", "p1:memory")
        assert listener.recv(100) == b"READY=1"
        running.end()
        assert listener.recv(100) == b"STOPPING=1"


def test_configuration_file_and_command_line_meet(tmp_path: Path) -> None:
    config = tmp_path / "br0.toml"
    config.write_text('dpid = "7"\n[ports.p1]\nkind = "memory"\nnumber = 4\n')
    running = Running(tmp_path / "run", str(config), "--port", "p2:memory")
    shown = running.json("show")
    assert isinstance(shown, dict)
    assert shown["dpid"].endswith("7")
    assert [(port["number"], port["name"]) for port in shown["ports"]] == [(1, "p2"), (4, "p1")]
    running.end()


@pytest.mark.parametrize("args", [(), ("run",), ("port",), ("trace",), ("controller",)])
def test_help_has_examples(tmp_path: Path, args: tuple[str, ...]) -> None:
    done = call(tmp_path, *args, "--help")
    assert done.returncode == 0
    assert "examples:" in done.stdout
