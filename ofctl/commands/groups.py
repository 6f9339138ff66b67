"""Commands about groups."""

from collections.abc import Iterable, Sequence

from ofctl.commands.bundles import apply_together
from ofctl.commands.command import Command, Run, with_session
from ofctl.commands.flows import read_lines
from ofctl.commands.switch import show_parts
from ofctl.errors import CommandError
from ofctl.session import Session
from ovsflow.openflow.constants import GroupModCommand, GroupNumber
from ovsflow.openflow.group_mod import GroupMod, has_properties
from ovsflow.openflow.group_stats import GroupDescRequest, GroupFeaturesRequest, GroupStatsRequest
from ovsflow.openflow.text.parse import parse_group

_GROUP = "Groups"


def read_group(
    session: Session, text: str, command: GroupModCommand | None, place: str = ""
) -> GroupMod:
    """Reads a group."""
    return session.parse(lambda names: parse_group(text, command, session.version, names), place)


def _send(session: Session, groups: Iterable[GroupMod]) -> None:
    if session.settings.bundle:
        apply_together(session, list(groups))
    else:
        session.change(list(groups))


def _changing(command: GroupModCommand) -> Run:
    def act(session: Session, arguments: Sequence[str]) -> None:
        wanted = command
        if command == GroupModCommand.MODIFY and session.settings.may_create:
            wanted = GroupModCommand.ADD_OR_MODIFY
        text = arguments[0] if arguments else ""
        if text == "-":
            lines = read_lines("-")
            _send(session, [read_group(session, line, wanted, f"-:{at}") for at, line in lines])
        else:
            _send(session, [read_group(session, text, wanted)])

    return with_session(act)


def _add_groups(session: Session, arguments: Sequence[str]) -> None:
    name = arguments[0]
    groups = [read_group(session, line, None, f"{name}:{at}") for at, line in read_lines(name)]
    _send(session, groups)


def _wanted(session: Session, arguments: Sequence[str]) -> int:
    word = arguments[0].removeprefix("group_id=") if arguments else "all"
    if word.lower() == "all":
        return GroupNumber.ALL
    if not word.isdigit() or int(word) > GroupNumber.MAX:
        raise CommandError(f"{arguments[0]}: unknown group")
    return int(word)


def _dump_groups(session: Session, arguments: Sequence[str]) -> None:
    group = _wanted(session, arguments)
    # From OpenFlow 1.3 to 1.4 a switch tells all groups, whatever it is asked.
    number = group if has_properties(session.version) else GroupNumber.ALL
    show_parts(session, GroupDescRequest(number), "groups")


def _dump_stats(session: Session, arguments: Sequence[str]) -> None:
    show_parts(session, GroupStatsRequest(_wanted(session, arguments)), "groups")


def _dump_features(session: Session, arguments: Sequence[str]) -> None:
    show_parts(session, GroupFeaturesRequest())


COMMANDS = (
    Command(
        "add-group",
        "SWITCH GROUP",
        "add a group (- reads groups from standard input)",
        _changing(GroupModCommand.ADD),
        2,
        2,
        (
            "ofctl add-group br0 'group_id=1,type=select,bucket=output:1,bucket=output:2'",
            "ofctl add-group br0 'group_id=2,type=ff,bucket=watch_port:1,output:1,"
            "bucket=watch_port:2,output:2'",
        ),
        _GROUP,
    ),
    Command(
        "add-groups",
        "SWITCH FILE",
        "add groups from a file (- for standard input)",
        with_session(_add_groups),
        2,
        2,
        ("ofctl add-groups br0 groups.txt",),
        _GROUP,
    ),
    Command(
        "mod-group",
        "SWITCH GROUP",
        "change a group (--may-create: or add it)",
        _changing(GroupModCommand.MODIFY),
        2,
        2,
        ("ofctl --may-create mod-group br0 'group_id=1,type=all,bucket=output:3'",),
        _GROUP,
    ),
    Command(
        "del-groups",
        "SWITCH [GROUP]",
        "delete a group; without GROUP all groups",
        _changing(GroupModCommand.DELETE),
        1,
        2,
        ("ofctl del-groups br0 group_id=1",),
        _GROUP,
    ),
    Command(
        "insert-buckets",
        "SWITCH GROUP",
        "add buckets to a group (OpenFlow 1.0 and 1.5)",
        _changing(GroupModCommand.INSERT_BUCKET),
        2,
        2,
        ("ofctl insert-buckets br0 'group_id=1,command_bucket_id=last,bucket=output:3'",),
        _GROUP,
    ),
    Command(
        "remove-buckets",
        "SWITCH GROUP",
        "remove buckets from a group (OpenFlow 1.0 and 1.5)",
        _changing(GroupModCommand.REMOVE_BUCKET),
        2,
        2,
        ("ofctl remove-buckets br0 'group_id=1,command_bucket_id=first'",),
        _GROUP,
    ),
    Command(
        "dump-groups",
        "SWITCH [GROUP]",
        "show groups",
        with_session(_dump_groups),
        1,
        2,
        ("ofctl dump-groups br0",),
        _GROUP,
    ),
    Command(
        "dump-group-stats",
        "SWITCH [GROUP]",
        "show counters of groups",
        with_session(_dump_stats),
        1,
        2,
        ("ofctl dump-group-stats br0 1",),
        _GROUP,
    ),
    Command(
        "dump-group-features",
        "SWITCH",
        "show what groups the switch can have",
        with_session(_dump_features),
        1,
        1,
        ("ofctl dump-group-features br0",),
        _GROUP,
    ),
)
