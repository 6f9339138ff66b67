"""What the command prints must be what is meant."""

import pytest

from ovsflow import __main__ as command
from ovsflow.cli import client


def test_a_hardware_address_is_not_read_as_an_emoji(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = {
        "number": 1,
        "name": "veth1",
        "kind": "system",
        "options": {},
        "up": True,
        "link": True,
        "hw_addr": "c2:ab:8d:3e:d2:a3",
        "backend": "packet socket",
    }
    monkeypatch.setattr(client, "find", lambda bridge: None)
    monkeypatch.setattr(client, "ask", lambda path, name, **arguments: [port])
    assert command.main(["port", "list", "br0"]) == 0
    assert "c2:ab:8d:3e:d2:a3" in capsys.readouterr().out
