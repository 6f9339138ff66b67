"""What went wrong, in a sentence for the person at the terminal."""

from ofctl.connection import SwitchRefusedError
from ovsflow.errors import OvsflowError, ParseError
from ovsflow.openflow.error_names import ErrorNumber, name_of
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.group_mod import GroupMod
from ovsflow.openflow.modify import MeterMod, PortMod, TableMod
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.text.meter_text import meter_number_words
from ovsflow.openflow.text.render import render_actions, render_flow, render_group
from ovsflow.openflow.wire import Body

_MEANINGS = {
    "OFPFMFC_OVERLAP": "a flow of the same priority overlaps it",
    "OFPFMFC_TABLE_FULL": "the table is full",
    "OFPFMFC_BAD_TABLE_ID": "there is no such table",
    "OFPBRC_BAD_TABLE_ID": "there is no such table",
    "OFPBIC_BAD_TABLE_ID": "goto_table must name a later table that exists",
    "OFPBAC_BAD_OUT_PORT": "it outputs to a port that cannot be",
    "OFPBAC_BAD_OUT_GROUP": "it uses a group that does not exist",
    "OFPBAC_MATCH_INCONSISTENT": "an action does not suit the match",
    "OFPBAC_BAD_SET_ARGUMENT": "a field cannot be set to this value",
    "OFPBAC_BAD_TYPE": "the switch does not know one of the actions",
    "OFPBAC_BAD_VENDOR_TYPE": "the switch does not know one of the actions",
    "NXBAC_CT_DATAPATH_SUPPORT": "the switch does not track connections",
    "NXBMC_CT_DATAPATH_SUPPORT": "the switch does not track connections",
    "NXFMFC_INVALID_TLV_FIELD": "no tunnel option is mapped to this field",
    "OFPBMC_BAD_PREREQ": "the match lacks what one of its fields needs",
    "OFPBMC_BAD_FIELD": "the switch does not know one of the match's fields",
    "OFPGMFC_GROUP_EXISTS": "there is a group of this number already",
    "OFPGMFC_UNKNOWN_GROUP": "there is no such group",
    "OFPGMFC_INVALID_GROUP": "the group's buckets do not suit its type",
    "OFPMMFC_METER_EXISTS": "there is a meter of this number already",
    "OFPMMFC_UNKNOWN_METER": "there is no such meter",
    "OFPMMFC_INVALID_METER": "there is no such meter",
    "OFPPMFC_BAD_PORT": "there is no such port",
    "OFPBRC_BAD_VENDOR": "the switch does not know this extension",
    "OFPBRC_BAD_TYPE": "the switch does not know this message",
    "OFPBRC_BAD_STAT": "the switch does not have these statistics",
    "OFPBRC_EPERM": "not permitted",
    "OFPBRC_IS_SECONDARY": "this session has the secondary role",
}
"""What the commonest errors mean to the person who caused them."""


def error_name(version: int, error: ErrorMessage) -> str:
    """The name of an error, or its numbers when it has none."""
    number = ErrorNumber(error.type, error.code, error.experimenter)
    name = name_of(version, number)
    return name if name is not None else f"type {error.type}, code {error.code}"


class CommandError(OvsflowError):
    """A command cannot go on; the text is the sentence.

    Attributes:
        status: Exit status.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


def refused_sentence(target: str, refused: SwitchRefusedError) -> str:
    """`br0: refused flow "…": OFPFMFC_OVERLAP (a flow of the same priority overlaps it)`."""
    name = error_name(refused.version, refused.error)
    meaning = f" ({_MEANINGS[name]})" if name in _MEANINGS else ""
    what = "" if refused.request is None else f" {_subject(refused.request, refused.version)}"
    return f"{target}: switch refused{what}: {name}{meaning}"


def _subject(request: Body, version: int) -> str:
    match request:
        case FlowMod():
            return f'flow "{render_flow(request, version)}"'
        case GroupMod():
            return f'group "{render_group(request, version)}"'
        case MeterMod():
            return meter_number_words(request.meter_id)
        case PacketOut():
            return f'packet-out with actions "{render_actions(request.actions, version)}"'
        case PortMod():
            return f"change of port {request.port}"
        case TableMod():
            return f"change of table {request.table_id}"
    return type(request).__name__


def parse_sentence(error: ParseError, place: str = "") -> str:
    """The sentence, then the text with a caret under the place."""
    head = f"{place}: {error}" if place else str(error)
    text = error.text
    if error.column is None or not text or "\n" in text:
        return head
    start = max(0, error.column - 60)
    shown = text[start : start + 76]
    return f"{head}\n  {shown}\n  {' ' * (error.column - start)}^"
