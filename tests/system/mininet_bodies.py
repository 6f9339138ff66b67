"""Runs Mininet's own test bodies, unmodified, with ovsflow as the switch.

Usage: mininet_bodies.py FOLDER, where FOLDER is Mininet's source.  To be run as root in network,
mount and process namespaces of its own: Mininet makes devices in the one it finds.
"""

import importlib.util
import os
import sys
import tempfile
import unittest
from pathlib import Path
from types import ModuleType

from ovsflow.mininet import OvsflowSwitch


def load(path: Path) -> ModuleType:
    """Imports one of Mininet's test files."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def name_the_controller() -> None:
    """Mininet's default controller is a program called `controller`; Debian names it otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="ovsflow-mininet-"))
    (folder / "controller").symlink_to("/usr/bin/ovs-testcontroller")
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    # It makes a control socket where Open vSwitch keeps its own.
    os.environ["OVS_RUNDIR"] = str(folder)


def main() -> int:
    """Runs the bodies for single, linear and datapath id assignment."""
    name_the_controller()
    tests = Path(sys.argv[1]) / "mininet" / "test"
    nets = load(tests / "test_nets.py")
    dpids = load(tests / "test_switchdpidassignment.py")
    suite = unittest.TestSuite()
    for name, bases in (
        ("SingleSwitchOvsflow", (nets.testSingleSwitchCommon, unittest.TestCase)),
        ("LinearOvsflow", (nets.testLinearCommon, unittest.TestCase)),
        ("DpidOvsflow", (dpids.TestSwitchDpidAssignmentOVS,)),
    ):
        case = type(name, bases, {"switchClass": OvsflowSwitch})
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun == 7 else 1


if __name__ == "__main__":
    sys.exit(main())
