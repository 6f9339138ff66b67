"""Where running switches are found."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovsflow.errors import HostError
from ovsflow.switch.rundir import Rundir, is_alive, prepare, running


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVSFLOW_RUNDIR", str(tmp_path / "run"))
    return prepare()


@pytest.fixture
def listener(directory: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(directory / "br0.ctl"))
        sock.listen()
        yield sock


def test_directory_is_made_where_it_is_asked_for(directory: Path) -> None:
    assert directory.is_dir()
    assert directory.name == "run"


def test_directory_falls_back_to_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OVSFLOW_RUNDIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("ovsflow.switch.rundir._SYSTEM", Path("/proc/none"))
    assert prepare() == tmp_path / "ovsflow"


def test_no_directory_is_one_sentence_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVSFLOW_RUNDIR", "/proc/none")
    with pytest.raises(HostError, match=r"no directory for sockets: /proc/none .*OVSFLOW_RUNDIR"):
        prepare()


def test_stale_sockets_are_replaced(directory: Path) -> None:
    for name in ("br0.ctl", "br0.mgmt"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(directory / name))
    rundir = Rundir(directory, "br0")
    rundir.claim()
    assert not rundir.management.exists()
    assert not rundir.openflow.exists()
    assert rundir.pid.read_text() == f"{os.getpid()}\n"
    rundir.release()
    assert list(directory.iterdir()) == []


def test_a_running_switch_is_not_replaced(directory: Path, listener: socket.socket) -> None:
    assert is_alive(directory / "br0.ctl")
    with pytest.raises(HostError, match="a switch named br0 is running already"):
        Rundir(directory, "br0").claim()
    assert (directory / "br0.ctl").exists()
    assert running() == {"br0": directory / "br0.ctl"}


def test_dead_switches_are_not_listed(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(directory / "br9.ctl"))
    assert running() == {}


def test_a_pid_file_that_is_a_link_is_not_followed(directory: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (directory / "br0.pid").symlink_to(victim)
    rundir = Rundir(directory, "br0")
    rundir.claim()
    assert victim.read_text() == "precious"
    rundir.release()
