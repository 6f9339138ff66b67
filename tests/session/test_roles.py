"""Roles and generation ids."""

import pytest

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import Role
from ovsflow.switch.roles import UNDEFINED_GENERATION, Roles

STALE, BAD_ROLE = (11, 0), (11, 2)


def three() -> Roles:
    roles = Roles()
    for session in (1, 2, 3):
        roles.join(session)
    return roles


def error_of(roles: Roles, session: int, role: int, generation: int | None) -> tuple[int, int]:
    with pytest.raises(DecodeError) as caught:
        roles.request(session, role, generation)
    return caught.value.kind, caught.value.code


def test_sessions_begin_equal_with_no_generation() -> None:
    roles = three()
    assert roles.role(1) is Role.EQUAL
    assert roles.generation == UNDEFINED_GENERATION


def test_a_new_primary_makes_the_old_one_secondary() -> None:
    roles = three()
    assert roles.request(1, Role.PRIMARY, 5) == []
    assert roles.request(2, Role.PRIMARY, 6) == [1]
    assert [roles.role(session) for session in (1, 2, 3)] == [
        Role.SECONDARY,
        Role.PRIMARY,
        Role.EQUAL,
    ]


def test_the_primary_may_ask_again() -> None:
    roles = three()
    roles.request(1, Role.PRIMARY, 5)
    assert roles.request(1, Role.PRIMARY, 5) == []
    assert roles.role(1) is Role.PRIMARY


def test_nochange_and_equal_do_not_look_at_the_generation() -> None:
    roles = three()
    roles.request(1, Role.PRIMARY, 100)
    assert roles.request(1, Role.NOCHANGE, 1) == []
    assert roles.role(1) is Role.PRIMARY
    roles.request(1, Role.EQUAL, 1)
    assert roles.role(1) is Role.EQUAL
    assert roles.generation == 100


@pytest.mark.parametrize("role", [Role.PRIMARY, Role.SECONDARY])
def test_an_older_generation_is_stale_and_changes_nothing(role: Role) -> None:
    roles = three()
    roles.request(1, Role.PRIMARY, 100)
    assert error_of(roles, 2, role, 99) == STALE
    assert roles.role(1) is Role.PRIMARY
    assert roles.role(2) is Role.EQUAL
    assert roles.generation == 100


def test_generations_wrap() -> None:
    roles = three()
    roles.request(1, Role.PRIMARY, (1 << 64) - 2)
    roles.request(2, Role.PRIMARY, 3)
    assert error_of(roles, 1, Role.PRIMARY, (1 << 64) - 2) == STALE
    assert error_of(roles, 1, Role.PRIMARY, 3 + (1 << 63)) == STALE


def test_an_unknown_role_is_refused() -> None:
    assert error_of(three(), 1, 4, 1) == BAD_ROLE


def test_without_a_generation_nothing_is_stale() -> None:
    roles = three()
    roles.request(1, Role.PRIMARY, 100)
    assert roles.request(2, Role.PRIMARY, None) == [1]


def test_nobody_follows_a_primary_that_leaves() -> None:
    roles = three()
    roles.request(1, Role.PRIMARY, 1)
    roles.leave(1)
    assert roles.role(2) is Role.EQUAL
    assert roles.request(2, Role.PRIMARY, 2) == []
