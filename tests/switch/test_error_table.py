"""Every bad input of the error table, in every OpenFlow version that can say it.

After each the session goes on and the tables are as before.
"""

import pytest

from ovsflow import Switch
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.handshake import RoleReply
from tests.switch.bad_requests import CASES, Dialect, existing
from tests.switch.error_table import numbers, rows, said
from tests.switch.test_monitors import Watcher

EXPECTED = numbers()
VERSION_NAMES = {1: "1.0", 4: "1.3", 5: "1.4", 6: "1.5"}


def test_every_input_of_every_row_has_a_case() -> None:
    named = [name for row in rows() for name in row.inputs]
    assert len(named) == len(set(named)), "an input stands twice"
    assert set(named) == set(CASES)


@pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name, case in CASES.items() for version in case.versions],
    ids=lambda value: VERSION_NAMES.get(value, value),
)
def test_bad_input_gets_its_error(name: str, version: int) -> None:
    case, dialect = CASES[name], Dialect(version)
    settings = {"table_limit": case.table_limit} if case.table_limit else {}
    ports = ["p1:memory", "p2:memory"]
    with Switch("e2", ports=ports, workers=0, settings=settings) as switch:
        peer = Watcher(switch, version)
        with peer.sock:
            for message in (*existing(dialect), *case.before(dialect)):
                peer.sock.sendall(message)
            answers = [body for body in peer.settle() if not isinstance(body, RoleReply)]
            assert not [body for body in answers if isinstance(body, ErrorMessage)], answers
            before = [(flow.table_id, flow.match) for flow in switch.dump_flows()]
            request = case.say(dialect)
            peer.sock.sendall(request)
            answers = peer.settle()
            expected = EXPECTED[name][version]
            if expected is None:
                assert answers == []
                return
            (error,) = answers
            assert isinstance(error, ErrorMessage)
            assert said(error, version) == expected, error.name(version)
            assert error.data == request
            assert [(flow.table_id, flow.match) for flow in switch.dump_flows()] == before
