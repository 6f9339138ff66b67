"""Groups as text: `group_id=1,type=select,bucket=weight:10,actions=output:1,bucket=...`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ovsflow.openflow import fields
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import (
    BucketNumber,
    GroupModCommand,
    GroupNumber,
    GroupType,
    PortNumber,
    Version,
)
from ovsflow.openflow.group_mod import Bucket, GroupMod, Selection, has_properties
from ovsflow.openflow.match import Match, MatchField
from ovsflow.openflow.text.action_parse import ActionParser
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.field_order import in_order
from ovsflow.openflow.text.keys import full_mask
from ovsflow.openflow.text.names import NUMBERS, Names, find_port, render_port
from ovsflow.openflow.text.scan import BLANKS, SEPARATORS, Pair, Piece, bad, pairs
from ovsflow.openflow.text.values import parse_exact, render_value, small, wide

COMMANDS = {
    "add": GroupModCommand.ADD,
    "delete": GroupModCommand.DELETE,
    "modify": GroupModCommand.MODIFY,
    "add_or_mod": GroupModCommand.ADD_OR_MODIFY,
    "insert_bucket": GroupModCommand.INSERT_BUCKET,
    "remove_bucket": GroupModCommand.REMOVE_BUCKET,
}
"""Words that may open a line of a group file; a beginning of the word is enough."""

_TYPES = {
    "all": GroupType.ALL,
    "select": GroupType.SELECT,
    "indirect": GroupType.INDIRECT,
    "ff": GroupType.FAST_FAILOVER,
    "fast_failover": GroupType.FAST_FAILOVER,
}
_TYPE_WORDS = ("all", "select", "indirect", "ff")
_WHOLE = (GroupModCommand.ADD, GroupModCommand.MODIFY, GroupModCommand.ADD_OR_MODIFY)
_PLACED = (GroupModCommand.INSERT_BUCKET, GroupModCommand.REMOVE_BUCKET)
_PLACES = {"first": BucketNumber.FIRST, "last": BucketNumber.LAST, "all": BucketNumber.ALL}
_COMMAND_WORDS = {
    GroupModCommand.ADD: "ADD",
    GroupModCommand.MODIFY: "MOD",
    GroupModCommand.ADD_OR_MODIFY: "ADD_OR_MOD",
    GroupModCommand.DELETE: "DEL",
    GroupModCommand.INSERT_BUCKET: "INSERT_BUCKET",
    GroupModCommand.REMOVE_BUCKET: "REMOVE_BUCKET",
}
_METHOD_LENGTH = 15


@dataclass
class _Line:
    """What has been read of a group before its buckets."""

    command: GroupModCommand
    names: Names
    group: int | None = None
    type: GroupType | None = None
    place: int | None = None
    selection: Selection = field(default_factory=Selection)

    def take(self, pair: Pair) -> None:
        """Takes in one key."""
        value = pair.value
        whole = self.command in _WHOLE
        match pair.name:
            case "group_id":
                self.group = _group_number(value)
            case "type" if not whole:
                raise bad(pair.key, "type is not needed")
            case "type":
                if value.text not in _TYPES:
                    raise bad(value, f"invalid group type {value.text}")
                self.type = _TYPES[value.text]
            case "command_bucket_id":
                self._bucket_place(pair)
            case "selection_method" | "selection_method_param" | "fields":
                if not whole:
                    raise bad(pair.key, f"{pair.name.replace('_', ' ')} is not needed")
                self._select(pair)
            case _:
                raise bad(pair.key, f"unknown keyword {pair.name}")

    def _bucket_place(self, pair: Pair) -> None:
        if self.command not in _PLACED:
            raise bad(pair.key, "command bucket id is not needed")
        word = pair.value.text
        self.place = _PLACES[word] if word in _PLACES else wide(pair.value, 32)
        if BucketNumber.MAX < self.place < BucketNumber.FIRST:
            raise bad(pair.value, f"invalid command bucket id {self.place}")
        if self.place == BucketNumber.ALL and self.command == GroupModCommand.INSERT_BUCKET:
            raise bad(pair.value, "command_bucket_id=all is not permitted")

    def _select(self, pair: Pair) -> None:
        if pair.name == "selection_method":
            if len(pair.value.text) > _METHOD_LENGTH:
                message = f"selection method is longer than {_METHOD_LENGTH} bytes long"
                raise bad(pair.value, message)
            self.selection = replace(self.selection, method=pair.value.text)
        elif pair.name == "selection_method_param":
            self.selection = replace(self.selection, parameter=wide(pair.value, 64))
        else:
            self.selection = replace(self.selection, fields=_hash_fields(pair.value, self.names))


def parse_group_line(
    piece: Piece,
    command: GroupModCommand | None = GroupModCommand.ADD,
    version: int = Version.OF13,
    names: Names = NUMBERS,
) -> GroupMod:
    """Reads a group modification; with `command` `None` the line may begin with a command."""
    if command is None:
        command, piece = _command(piece)
    if command == GroupModCommand.DELETE and not piece.text.strip():
        return GroupMod(command, group_id=GroupNumber.ALL)
    parts = _split_buckets(piece)
    if len(parts) > 1 and command in (GroupModCommand.DELETE, GroupModCommand.REMOVE_BUCKET):
        raise bad(parts[1], "bucket is not needed")
    line = _Line(command, names)
    for pair in pairs(parts[0]):
        line.take(pair)
    _check(line, piece, version)
    kind = line.type if line.type is not None else GroupType.ALL
    buckets = [_bucket(part, kind, version, names) for part in parts[1:]]
    if kind == GroupType.INDIRECT and len(buckets) > 1:
        raise bad(parts[2], "Indirect groups can have at most one bucket.")
    if command != GroupModCommand.INSERT_BUCKET and kind != GroupType.SELECT:
        for part, bucket in zip(parts[1:], buckets, strict=True):
            if bucket.weight:
                raise bad(part, "Only select groups can have bucket weights.")
    assert line.group is not None
    return GroupMod(
        command,
        kind,
        line.group,
        _numbered(buckets) if has_properties(version) else _unnumbered(buckets),
        BucketNumber.ALL if line.place is None else line.place,
        line.selection if line.selection.method else None,
    )


def _check(line: _Line, piece: Piece, version: int) -> None:
    if line.group is None:
        raise bad(piece, "must specify a group_id")
    if line.command in _WHOLE and line.type is None:
        raise bad(piece, "must specify a type")
    if line.selection.method != "hash" and line.selection.fields:
        raise bad(piece, 'fields may only be specified with "selection_method=hash"')
    if line.selection.parameter and not line.selection.method:
        raise bad(piece, 'selection_method_param is only allowed with "selection_method"')
    if line.command == GroupModCommand.INSERT_BUCKET and line.place is None:
        raise bad(piece, "must specify a command bucket id")
    if line.selection.method and not has_properties(version):
        raise bad(piece, "selection_method needs OpenFlow15 or later")
    if line.command in _PLACED and not has_properties(version):
        raise bad(piece, f"{line.command.name.lower()} needs OpenFlow15 or later")


def _command(piece: Piece) -> tuple[GroupModCommand, Piece]:
    piece = piece.cut(len(piece.text) - len(piece.text.lstrip(BLANKS)))
    word = re.split(f"[{SEPARATORS}]", piece.text, maxsplit=1)[0]
    for known, command in COMMANDS.items():
        if word and known.startswith(word):
            return command, piece.cut(len(word))
    return GroupModCommand.ADD, piece


def _group_number(piece: Piece) -> int:
    if piece.text == "all":
        return GroupNumber.ALL
    group = wide(piece, 32)
    if group > GroupNumber.MAX and group != GroupNumber.ALL:
        raise bad(piece, f"invalid group id {group}")
    return group


def _hash_fields(piece: Piece, names: Names) -> Match:
    found: list[MatchField] = []
    for pair in pairs(piece):
        known = fields.by_name(pair.name)
        if known is None:
            raise bad(pair.key, f"{piece.text}: unknown field {pair.name}")
        if any(item.name == known.name for item in found):
            raise bad(pair.key, f"{pair.name}: duplicate field")
        value = full_mask(known.name)
        if pair.value.text:
            value = parse_exact(known, pair.value, names)
            if not value:
                message = "values are wildcards here and must not be all-zeros"
                raise bad(pair.value, f"{pair.value.text}: {message}")
        found.append(MatchField(known.name, value))
    order = in_order(item.name for item in found)
    return Match(tuple(sorted(found, key=lambda item: order.index(item.name))))


def _split_buckets(piece: Piece) -> list[Piece]:
    """Cuts a line at each `bucket=`; the first part is what stands before all of them."""
    marks = [found.span() for found in re.finditer("bucket=", piece.text)]
    ends = [start for start, _ in marks] + [len(piece.text)]
    head = piece.cut(0, ends[0])
    return [head, *(piece.cut(after, ends[at + 1]) for at, (_, after) in enumerate(marks))]


def _bucket(piece: Piece, kind: GroupType, version: int, names: Names) -> Bucket:
    weight = 1 if kind == GroupType.SELECT else 0
    watch_port, watch_group = int(PortNumber.ANY), int(GroupNumber.ANY)
    number: int | None = None
    parser = ActionParser(version, names)
    actions: list[Action] = []
    said = False
    for pair in pairs(piece):
        match pair.name.lower():
            case "weight":
                weight = small(pair.value, "weight")
            case "watch_port":
                watch_port = _watch_port(pair.value, names)
            case "watch_group":
                watch_group = wide(pair.value, 32)
                if watch_group > GroupNumber.MAX:
                    raise bad(pair.value, f"invalid watch_group id {watch_group}")
            case "bucket_id":
                number = wide(pair.value, 32)
                if number > BucketNumber.MAX:
                    raise bad(pair.value, f"invalid bucket_id id {number}")
            case "action" | "actions":
                said = said or bool(pair.value.text)
                actions += parser.parse(pair.value)
            case "drop":
                said = True
            case _:
                said = True
                actions += parser.one(pair)
    if not said:
        raise bad(piece, "bucket must specify actions")
    watches = watch_port != PortNumber.ANY or watch_group != GroupNumber.ANY
    if kind == GroupType.FAST_FAILOVER and not watches:
        raise bad(piece, "fast failover bucket requires watch_port or watch_group")
    return Bucket(tuple(actions), weight, watch_port, watch_group, number)


def _watch_port(piece: Piece, names: Names) -> int:
    port = find_port(piece.text, names)
    special = (PortNumber.ANY, PortNumber.CONTROLLER)
    if port is None or (port >= PortNumber.MAX and port not in special):
        raise bad(piece, f"{piece.text}: invalid watch_port")
    return port


def _numbered(buckets: Sequence[Bucket]) -> tuple[Bucket, ...]:
    """Gives each bucket without a number the lowest that is free (OpenFlow 1.5)."""
    used = {bucket.id for bucket in buckets}
    free = (number for number in range(len(buckets) + len(used)) if number not in used)
    return tuple(
        bucket if bucket.id is not None else replace(bucket, id=next(free)) for bucket in buckets
    )


def _unnumbered(buckets: Sequence[Bucket]) -> tuple[Bucket, ...]:
    """Before OpenFlow 1.5 buckets have no numbers."""
    return tuple(replace(bucket, id=None) for bucket in buckets)


def group_words(
    group: int,
    kind: int | None,
    buckets: Sequence[Bucket] | None,
    selection: Selection | None,
    version: int,
    names: Names = NUMBERS,
) -> str:
    """A group as it is printed; `kind` and `buckets` are `None` where they are left out."""
    text = f"group_id={group}"
    if kind is not None:
        text += f",type={_TYPE_WORDS[kind] if kind < len(_TYPE_WORDS) else 'unknown'}"
    if selection is not None and selection.method:
        text += _selection_words(selection, names)
    if buckets is None:
        return text
    renderer = ActionRenderer(version, names)
    usual = 1 if kind == GroupType.SELECT else 0
    words = [_bucket_words(bucket, usual, version, renderer) for bucket in buckets]
    return ",".join([text, *words])


def _selection_words(selection: Selection, names: Names) -> str:
    text = f",selection_method={selection.method}"
    if selection.parameter:
        text += f",selection_method_param={selection.parameter}"
    inner = []
    given = {item.name: item for item in selection.fields}
    for item in (given[name] for name in in_order(given)):
        known = fields.by_name(item.name)
        whole = known is None or item.value in (known.full_mask, full_mask(known.name))
        inner.append(item.name if whole else f"{item.name}={_mask_words(known, item.value, names)}")
    if len(inner) == 1:
        return f"{text},fields={inner[0]}"
    return f"{text},fields({','.join(inner)})" if inner else text


def _mask_words(known: fields.Field | None, value: int, names: Names) -> str:
    return f"{value:#x}" if known is None else render_value(known, value, None, names)


def _bucket_words(bucket: Bucket, usual: int, version: int, renderer: ActionRenderer) -> str:
    words = []
    if has_properties(version):
        words.append(f"bucket_id:{_place_word(bucket.id)}")
    if bucket.weight != usual:
        words.append(f"weight:{bucket.weight}")
    if bucket.watch_port != PortNumber.ANY:
        words.append(f"watch_port:{render_port(bucket.watch_port, renderer.names)}")
    if bucket.watch_group != GroupNumber.ANY:
        words.append(f"watch_group:{bucket.watch_group}")
    words.append(f"actions={renderer.list(bucket.actions)}")
    return "bucket=" + ",".join(words)


def _place_word(number: int | None) -> str:
    words = {int(place): word for word, place in _PLACES.items()}
    return "all" if number is None else words.get(number, str(number))


def group_mod_words(body: GroupMod, version: int, names: Names = NUMBERS) -> str:
    """A group modification as `ovs-ofctl` prints the message."""
    command = body.command
    text = f"{_COMMAND_WORDS.get(GroupModCommand(command), f'cmd:{command}')} "
    placed = command in _PLACED
    if placed:
        text += f"command_bucket_id:{_place_word(body.command_bucket_id)},"
    kind = None if placed else body.type
    words = group_words(body.group_id, kind, body.buckets, body.selection, version, names)
    return text + words


def group_line(body: GroupMod, version: int, names: Names = NUMBERS) -> str:
    """A group modification in the form in which it can be read again."""
    if body.command == GroupModCommand.DELETE:
        return "" if body.group_id == GroupNumber.ALL else f"group_id={body.group_id}"
    kind = body.type if body.command in _WHOLE else None
    words = group_words(body.group_id, kind, body.buckets, body.selection, version, names)
    if body.command in _PLACED:
        head, _, tail = words.partition(",")
        place = f"command_bucket_id={_place_word(body.command_bucket_id)}"
        return ",".join(part for part in (head, place, tail) if part)
    return words
