"""`monitor` in all its forms, by ofctl and by ovs-ofctl at once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ovsflow.openflow.constants import Version
from tests.ofctl.live import Pair, pair
from tests.ofctl.oracle import VERSIONS, run
from tests.ofctl.scripts import FRAME
from tests.ofctl.test_open_vswitch import steady, wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = {"ours": (sys.executable, "-m", "ofctl"), "theirs": ("ovs-ofctl",)}
# Answers at once, and so tells that all is set up, and then says nothing.
SILENT = "watch:!initial,table=200"
FORMS = (
    f"65534 {SILENT}",
    "watch:",
    "watch:!initial,!add,!delete",
    "watch:!modify",
    "watch:!actions",
    "watch:!own",
    "watch:!own,!initial,table=9",
    "watch:table=9",
    "watch:out_port=3,table=9,in_port=1",
    "watch:table=9 watch:!initial,table=8",
)
CHANGES = (
    "add-flow @ table=9,cookie=5,in_port=1,actions=2",
    "add-flow @ table=8,send_flow_rem,tcp,actions=3",
    f"packet-out @ in_port=2,packet={FRAME},actions=controller(reason=no_match)",
    "mod-flows @ table=9,in_port=1,actions=3",
    "mod-port @ 1 down",
    "mod-port @ 1 up",
    "del-flows @ table=9",
    "del-flows @ table=8",
    "add-flow @ table=9,priority=7,in_port=2,actions=drop",
)
FIRST = "add-flow @ table=9,priority=3,arp,actions=3"
PATIENCE, PAUSE = 30.0, 0.3


@pytest.fixture(scope="module")
def switches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as both:
        yield both


@contextmanager
def monitor(program: str, version: int, target: str, form: str, file: Path) -> Iterator[None]:
    """Runs one program while its output goes to a file."""
    words = [*PROGRAMS[program], "-O", VERSIONS[Version(version)], "monitor", target]
    with file.open("wb") as out:
        process = subprocess.Popen(
            [*words, *form.split()],
            env=os.environ | {"PYTHONPATH": str(ROOT), "OVS_RUNDIR": str(file.parent)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def quiet(files: list[Path]) -> None:
    """Waits until all have begun and none grows any more."""
    deadline, sizes = time.monotonic() + PATIENCE, None
    while time.monotonic() < deadline:
        time.sleep(PAUSE)
        now = [file.stat().st_size for file in files]
        if all(now) and now == sizes:
            return
        sizes = now
    raise AssertionError({file.name: file.read_text()[-200:] for file in files})


def shown(file: Path) -> list[str]:
    """What a program told, without its goodbye and what it says of its own questions."""
    lines = steady(file.read_text())
    return [line for line in lines if "terminating with signal" not in line]


def change(version: int, target: str, line: str) -> None:
    done = run(version, *line.replace("@", target).split(" "))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("switch", ["theirs", "ours"])
def test_each_form_tells_the_same(
    switches: Pair, switch: str, version: int, tmp_path: Path
) -> None:
    target = getattr(switches, switch)
    change(version, target, "del-flows @")
    change(version, target, FIRST)
    files = {
        (form, program): tmp_path / f"{at}.{program}"
        for at, form in enumerate(FORMS)
        for program in PROGRAMS
    }
    with ExitStack() as stack:
        for (form, program), file in files.items():
            stack.enter_context(monitor(program, version, target, form, file))
        quiet(list(files.values()))
        for line in CHANGES:
            change(version, target, line)
        wait_for([files["watch:", program] for program in PROGRAMS], "in_port=2")
        wait_for([files[FORMS[0], program] for program in PROGRAMS], "PACKET_IN")
        quiet(list(files.values()))
    change(version, target, "del-flows @")
    different = [
        f"{form}\n  ours   {shown(files[form, 'ours'])}\n  theirs {shown(files[form, 'theirs'])}"
        for form in FORMS
        if shown(files[form, "ours"]) != shown(files[form, "theirs"])
    ]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != Version.OF10])
def test_newer_versions_have_no_word_for_invalid_ttl(switches: Pair, version: int) -> None:
    for program in PROGRAMS.values():
        words = [*program, "-O", VERSIONS[Version(version)], "monitor", switches.ours]
        done = subprocess.run(
            [*words, "invalid_ttl"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert (done.returncode, "invalid_ttl" in done.stderr) == (1, True)
