"""The life of a connection, under a clock that the test moves."""

import random

import pytest

from ovsflow.switch.reconnect import Action, Reconnect, State


def machine(probe: float = 5, max_backoff: float = 8) -> Reconnect:
    reconnect = Reconnect(probe=probe, max_backoff=max_backoff)
    reconnect.enable(0)
    return reconnect


def test_first_attempt_is_made_at_once() -> None:
    reconnect = machine()
    assert reconnect.deadline == 0
    assert reconnect.step(0) is Action.CONNECT
    assert reconnect.state is State.CONNECTING


def test_waits_double_from_one_second_to_the_maximum() -> None:
    reconnect = machine()
    now, waits = 0.0, []
    for _ in range(6):
        assert reconnect.step(now) is Action.CONNECT
        reconnect.disconnected(now)
        assert reconnect.deadline is not None
        waits.append(reconnect.deadline - now)
        assert reconnect.step(reconnect.deadline - 0.001) is None
        now = reconnect.deadline
    assert waits == [1, 2, 4, 8, 8, 8]
    assert reconnect.attempts == 6


def test_jitter_shortens_a_wait_by_at_most_a_fifth() -> None:
    reconnect = Reconnect(probe=5, max_backoff=8, jitter=random.Random(7))
    reconnect.enable(0)
    now = 0.0
    for expected in [1, 2, 4, 8, 8]:
        reconnect.step(now)
        reconnect.disconnected(now)
        assert reconnect.deadline is not None
        assert 0.8 * expected <= reconnect.deadline - now <= expected
        now = reconnect.deadline


def test_a_connection_that_never_spoke_does_not_reset_the_wait() -> None:
    reconnect = machine()
    reconnect.step(0)
    reconnect.disconnected(0)
    reconnect.step(1)
    reconnect.connected(1)
    reconnect.disconnected(1)
    assert reconnect.deadline == 3


def test_a_message_resets_the_wait() -> None:
    reconnect = machine()
    reconnect.step(0)
    reconnect.disconnected(0)
    reconnect.step(1)
    reconnect.connected(1)
    reconnect.received(1)
    reconnect.disconnected(2)
    assert reconnect.deadline == 3


def test_an_attempt_is_given_up_after_two_seconds() -> None:
    reconnect = machine()
    reconnect.step(0)
    assert reconnect.deadline == 2
    assert reconnect.step(2) is Action.DISCONNECT
    assert reconnect.deadline is None


def test_silence_is_probed_once_and_then_ends_the_connection() -> None:
    reconnect = machine()
    reconnect.step(0)
    reconnect.connected(0)
    reconnect.received(3)
    assert reconnect.step(7.9) is None
    assert reconnect.step(8) is Action.PROBE
    assert reconnect.state is State.IDLE
    assert reconnect.step(12.9) is None
    assert reconnect.step(13) is Action.DISCONNECT
    assert reconnect.step(14) is None


def test_an_answer_to_the_probe_keeps_the_connection() -> None:
    reconnect = machine()
    reconnect.step(0)
    reconnect.connected(0)
    assert reconnect.step(5) is Action.PROBE
    reconnect.received(6)
    assert reconnect.state is State.ACTIVE
    assert reconnect.deadline == 11


def test_without_a_probe_silence_lasts_for_ever() -> None:
    reconnect = machine(probe=0)
    reconnect.step(0)
    reconnect.connected(0)
    assert reconnect.deadline is None
    reconnect.received(5)
    assert reconnect.deadline is None


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_disabled_machine_has_nothing_to_do(steps: int) -> None:
    reconnect = machine()
    for now in range(steps):
        reconnect.step(now)
    reconnect.disable(9)
    reconnect.disconnected(9)
    assert reconnect.state is State.VOID
    assert reconnect.deadline is None
    assert reconnect.step(100) is None
