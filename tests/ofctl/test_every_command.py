"""Every command, typed to ofctl and to ovs-ofctl, on our switch and on Open vSwitch.

What is printed and the exit status are the same; on standard error both say something or both say
nothing, since ofctl says in a sentence what ovs-ofctl prints as a message.
"""

import io
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from ofctl.__main__ import main
from ofctl.commands.registry import ALL as COMMANDS
from ovsflow.openflow.constants import Version
from tests.ofctl.live import Pair, pair
from tests.ofctl.oracle import VERSIONS
from tests.ofctl.scripts import APART, FILES, SCRIPTS, explained, lines_of
from tests.ofctl.test_open_vswitch import steady

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

# Which forms of messages it chose among; ofctl has one for each version.
_FORMATS = ("usable protocols", "chosen protocol", "chosen version")
_NOISE = re.compile(r"^\d{4}-\d\d-\d\dT.*\n", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a line came to."""

    line: str
    status: int
    printed: tuple[str, ...]
    complains: bool
    said: str

    def differs(self, other: "Outcome") -> bool:
        mine = (self.status, sorted(self.printed) if "sort" in self.line else self.printed)
        theirs = (other.status, sorted(other.printed) if "sort" in other.line else other.printed)
        return mine != theirs or self.complains != other.complains


@pytest.fixture(scope="module")
def switches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(line: str, version: int, target: str) -> list[str]:
    typed = line.replace("@", target).split(" ")
    typed = [f"./{word}" if word.endswith((".txt", ".bin")) else word for word in typed]
    return ["-O", VERSIONS[Version(version)], *typed]


def theirs(line: str, version: int, target: str) -> Outcome:
    command = ["ovs-ofctl", *words(line, version, target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = _NOISE.sub("", done.stderr)
    printed = [text for text in steady(done.stdout) if not text.startswith(_FORMATS)]
    return Outcome(line, done.returncode, tuple(printed), bool(said), said)


def ours(line: str, version: int, target: str) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(words(line, version, target))
        except SystemExit as ended:
            status = int(ended.code or 0)
    said = err.getvalue()
    return Outcome(line, status, tuple(steady(out.getvalue())), bool(said), said)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_lines_do_the_same(switches: Pair, version: int, script: str) -> None:
    different = []
    for name, target in (("Open vSwitch", switches.theirs), ("ovsflow", switches.ours)):
        outcomes = []
        for program in (theirs, ours):
            outcomes.append([program(line, version, target) for line in lines_of(script, version)])
            ours("mod-table @ 0 novacancy", Version.OF14, target)
        different += [
            f"{name}:\n  ours   {one}\n  theirs {other}"
            for other, one in zip(*outcomes, strict=True)
            if one.differs(other) and not explained(one.line, version, name)
        ]
    assert not different, "\n".join(different)


def test_every_command_is_typed_somewhere() -> None:
    typed = {word for lines in SCRIPTS.values() for line in lines for word in line.split(" ")}
    missing = {command.name for command in COMMANDS} - typed - APART.keys()
    assert not missing
    assert not APART.keys() & typed


@pytest.mark.parametrize("name", [name for name, where in APART.items() if where == "not offered"])
def test_what_is_not_offered_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ.pop("OVSFLOW_RUNDIR", None)
    assert main([name, "nowhere", "something"]) == 1
