"""Any message as text: a heading with its name, version and transaction id, then what is in it."""

from collections.abc import Callable

from ofctl.errors import error_name
from ofctl.printing import ports as port_words
from ofctl.printing import tables as table_words
from ofctl.printing.packets import frame_text
from ofctl.printing.table_features import features_text, read_table
from ofctl.printing.words import (
    CAPABILITIES,
    CAPABILITIES_OF10,
    FRAGMENTS,
    PACKET_IN_REASONS,
    PORT_CONFIG,
    PORT_FEATURES,
    REMOVED_REASONS,
    action_words,
    bit_words,
    word,
)
from ovsflow.errors import DecodeError
from ovsflow.openflow import (
    bundle,
    codec,
    flow_mod,
    flow_stats,
    group_mod,
    group_stats,
    handshake,
    meter_stats,
    modify,
    monitor,
    multipart,
    nicira,
    notices,
    packets,
    port_stats,
    queue_stats,
    table_stats,
)
from ovsflow.openflow.codec import Received
from ovsflow.openflow.constants import (
    HEADER_BYTES,
    NO_BUFFER,
    MonitorEvent,
    PacketInFormat,
    PortNumber,
    Version,
)
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_stats_entry import count_of
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.flow_text import (
    duration,
    flow_mod_words,
    flow_stats_words,
)
from ovsflow.openflow.text.group_text import group_mod_words, group_words
from ovsflow.openflow.text.instruction_text import instruction_words
from ovsflow.openflow.text.keys import Keys
from ovsflow.openflow.text.match_text import match_words
from ovsflow.openflow.text.meter_text import meter_mod_words, meter_number_words, meter_words
from ovsflow.openflow.text.names import NUMBERS, Names, render_port, render_table
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.rare_actions import dotted
from ovsflow.openflow.text.values import show_hex
from ovsflow.openflow.wire import Body

_VERSIONS = {
    Version.OF11: "OF1.1",
    Version.OF12: "OF1.2",
    Version.OF13: "OF1.3",
    Version.OF14: "OF1.4",
    Version.OF15: "OF1.5",
}


class MessagePrinter:
    """Prints messages.

    Attributes:
        names: Names of ports and tables to show.
        paint: Colours.
        stats: Whether counters of flows are shown.
        detail: How much of packets: 0 nothing, 1 their fields, 3 their bytes too.
    """

    def __init__(
        self, names: Names = NUMBERS, paint: Paint = PLAIN, stats: bool = True, detail: int = 1
    ) -> None:
        self.names = names
        self.paint = paint
        self.stats = stats
        self.detail = detail

    def text(self, message: Received) -> str:
        """A message, with the end of its last line."""
        body = self.body(message)
        return heading(message) + body + ("" if body.endswith("\n") else "\n")

    def body(self, message: Received) -> str:
        """What follows the heading."""
        writer = _WRITERS.get(type(message.body))
        return "" if writer is None else writer(self, message.body, message.version)

    def bytes_text(self, data: bytes) -> str:
        """A message in bytes; what cannot be read is shown as bytes."""
        if len(data) < HEADER_BYTES:
            return f"OpenFlow packet too short (only {len(data)} bytes):\n{hex_dump(data)}"
        try:
            return self.text(codec.decode(data))
        except DecodeError as error:
            return f"***decode error: {error}***\n{hex_dump(data)}"


def heading(message: Received) -> str:
    """`OFPT_FLOW_MOD (OF1.3) (xid=0x2):`."""
    version = f" ({_VERSIONS[Version(message.version)]})" if message.version in _VERSIONS else ""
    more = " flags=[more]" if getattr(message.body, "more", False) else ""
    return f"{name_of(message)}{version} (xid=0x{message.xid:x}):{more}"


_STATS_NAMES = {
    "FlowStats": "FLOW",
    "Aggregate": "AGGREGATE",
    "FlowSummary": "FLOW_SUMMARY",
    "Desc": "DESC",
    "TableStats": "TABLE",
    "TableFeatures": "TABLE_FEATURES",
    "TableDesc": "TABLE_DESC",
    "PortStats": "PORT",
    "PortDesc": "PORT_DESC",
    "QueueStats": "QUEUE",
    "QueueDesc": "QUEUE_DESC",
    "GroupStats": "GROUP",
    "GroupDesc": "GROUP_DESC",
    "GroupFeatures": "GROUP_FEATURES",
    "MeterStats": "METER",
    "MeterConfig": "METER_CONFIG",
    "MeterFeatures": "METER_FEATURES",
    "FlowMonitor": "FLOW_MONITOR",
}
_NICIRA = (nicira.NiciraBody,)


def name_of(message: Received) -> str:
    """The name of a message: `OFPT_...`, `OFPST_... reply`, `NXT_...`."""
    body = message.body
    kind = type(body).__name__
    own = getattr(body, "nicira", False)
    if isinstance(body, multipart.StatsRequest | multipart.StatsReply):
        direction = "request" if isinstance(body, multipart.StatsRequest) else "reply"
        stem = kind.removesuffix("Request").removesuffix("Reply")
        old = message.version == Version.OF10
        prefix = "NXST" if own or (old and body.STATS in multipart.NICIRA_GROUPS) else "OFPST"
        if stem == "FlowMonitor" and message.version < Version.OF14:
            prefix = "NXST" if old else "ONFST"
        return f"{prefix}_{_STATS_NAMES.get(stem, _upper(stem))} {direction}"
    if isinstance(body, packets.PacketIn) and body.form != PacketInFormat.STANDARD:
        return body.form.name
    own = own or (isinstance(body, group_mod.GroupMod) and message.version == Version.OF10)
    if isinstance(body, _NICIRA) or own:
        return f"NXT_{_upper(kind)}"
    if isinstance(body, ErrorMessage):
        return "OFPT_ERROR"
    if isinstance(body, bundle.BundleAdd):
        return "OFPT_BUNDLE_ADD_MESSAGE"
    return f"OFPT_{_upper(kind)}"


def _upper(name: str) -> str:
    return "".join("_" + c if c.isupper() and at else c for at, c in enumerate(name)).upper()


def hex_dump(data: bytes) -> str:
    """Bytes, sixteen a line, with their offsets."""
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        plain = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        dash = "-" if len(row) > 8 else " "
        lines.append(f"{at:08x}  {left:<23}{dash}{right:<23} |{plain:<16}|\n")
    return "".join(lines)


def _flow_mod(self: MessagePrinter, body: flow_mod.FlowMod, version: int) -> str:
    return f" {flow_mod_words(body, version, self.names)}"


def _group_mod(self: MessagePrinter, body: group_mod.GroupMod, version: int) -> str:
    return f"\n {group_mod_words(body, version, self.names)}"


def _meter_mod(self: MessagePrinter, body: modify.MeterMod, version: int) -> str:
    return f" {meter_mod_words(body)}"


def _port_mod(self: MessagePrinter, body: modify.PortMod, version: int) -> str:
    advertise = bit_words(body.advertise, PORT_FEATURES) if body.advertise else "UNCHANGED"
    return (
        f" port: {render_port(body.port, self.names)}: addr:{body.hw_addr.hex(':')}\n"
        f"     config: {bit_words(body.config, PORT_CONFIG)}\n"
        f"     mask:   {bit_words(body.mask, PORT_CONFIG)}\n"
        f"     advertise: {advertise}\n"
    )


def _flow_stats(self: MessagePrinter, body: flow_stats.FlowStatsReply, version: int) -> str:
    return "".join(
        f"\n {flow_stats_words(flow, version, self.names, self.paint, self.stats)}"
        for flow in body.flows
    )


def _flow_request(
    self: MessagePrinter,
    body: flow_stats.FlowStatsRequest | flow_stats.AggregateRequest,
    version: int,
) -> str:
    text = ""
    if body.table_id != 0xFF:
        text += f" table={render_table(body.table_id, self.names)}"
    if body.out_port != PortNumber.ANY:
        text += f" out_port={render_port(body.out_port, self.names)}"
    return f"{text} {match_words(body.match, names=self.names)}"


def _aggregate(self: MessagePrinter, body: flow_stats.AggregateReply, version: int) -> str:
    counts = f"packet_count={count_of(body.packet_count)} byte_count={count_of(body.byte_count)}"
    flows = 0xFFFFFFFF if body.flow_count is None else body.flow_count
    return f" {counts} flow_count={flows}"


def _desc(self: MessagePrinter, body: multipart.DescReply, version: int) -> str:
    return (
        f"\nManufacturer: {body.manufacturer}\nHardware: {body.hardware}\n"
        f"Software: {body.software}\nSerial Num: {body.serial_number}\n"
        f"DP Description: {body.datapath}\n"
    )


def _features(self: MessagePrinter, body: handshake.FeaturesReply, version: int) -> str:
    old = version == Version.OF10
    words = bit_words(body.capabilities, CAPABILITIES_OF10 if old else CAPABILITIES)
    auxiliary = f", auxiliary_id:{body.auxiliary_id}" if body.auxiliary_id else ""
    text = f" dpid:{body.datapath_id:016x}\nn_tables:{body.n_tables}, n_buffers:{body.n_buffers}"
    text += f"{auxiliary}\ncapabilities: {words}\n"
    if old and body.actions:
        text += f"actions: {action_words(body.actions, old)}\n"
    return text + "".join(port_words.port_desc_text(port) for port in _sorted(body.ports))


def _sorted(ports: tuple[PortDesc, ...]) -> list[PortDesc]:
    return sorted(ports, key=lambda port: port.number)


def _config(
    self: MessagePrinter, body: handshake.GetConfigReply | handshake.SetConfig, version: int
) -> str:
    ttl = " invalid_ttl_to_controller" if body.flags & 4 else ""
    return f" frags={word(FRAGMENTS, body.flags & 3)}{ttl} miss_send_len={body.miss_send_len}\n"


def _port_descs(self: MessagePrinter, body: port_stats.PortDescReply, version: int) -> str:
    return "\n" + "".join(port_words.port_desc_text(port) for port in _sorted(body.ports))


def _port_stats(self: MessagePrinter, body: port_stats.PortStatsReply, version: int) -> str:
    old = version == Version.OF10
    lines = [port_words.port_stats_text(stats, self.names, old) for stats in body.ports]
    return f" {len(body.ports)} ports\n" + "".join(lines)


def _queue_stats(self: MessagePrinter, body: queue_stats.QueueStatsReply, version: int) -> str:
    old = version == Version.OF10
    lines = [port_words.queue_stats_text(stats, self.names, old) for stats in body.queues]
    return f" {len(body.queues)} queues\n" + "".join(lines)


def _queue_config(self: MessagePrinter, body: queue_stats.QueueGetConfigReply, version: int) -> str:
    lines = [port_words.queue_desc_text(queue) for queue in body.queues]
    return f" port={render_port(body.port, self.names)}\n" + "".join(lines) if lines else ""


def _queue_desc(self: MessagePrinter, body: queue_stats.QueueDescReply, version: int) -> str:
    text, port = "", None
    for queue in sorted(body.queues, key=lambda queue: (queue.port, queue.queue)):
        if queue.port != port:
            port = queue.port
            text += f"{' ' if not text else ''}port={render_port(port, self.names)}\n"
        text += port_words.queue_desc_text(queue)
    return text


def _table_stats(self: MessagePrinter, body: table_stats.TableStatsReply, version: int) -> str:
    return "\n" + table_words.table_stats_text(body.tables, version == Version.OF10)


def _table_features(
    self: MessagePrinter, body: table_stats.TableFeaturesReply, version: int
) -> str:
    since_14 = version >= Version.OF14
    return "\n" + features_text([read_table(table, since_14) for table in body.tables])


def _table_desc(self: MessagePrinter, body: table_stats.TableDescReply, version: int) -> str:
    return "".join("\n" + table_words.table_desc_text(table, self.names) for table in body.tables)


def _group_desc(self: MessagePrinter, body: group_stats.GroupDescReply, version: int) -> str:
    return "".join(
        "\n "
        + group_words(
            group.group_id, group.type, group.buckets, group.selection, version, self.names
        )
        for group in body.groups
    )


def _group_stats(self: MessagePrinter, body: group_stats.GroupStatsReply, version: int) -> str:
    return "".join(f"\n {_one_group(group)}" for group in body.groups)


def _one_group(group: group_stats.GroupStats) -> str:
    text = f"group_id={group.group_id},"
    if group.duration_sec != 0xFFFFFFFF:
        text += f"duration={duration(group.duration_sec, group.duration_nsec)},"
    text += f"ref_count={group.ref_count},packet_count={group.packet_count},"
    text += f"byte_count={group.byte_count}"
    for at, (packets_seen, bytes_seen) in enumerate(group.buckets):
        text += f",bucket{at}:packet_count={packets_seen},byte_count={bytes_seen}"
    return text


_GROUP_TYPES = ("all", "select", "indirect", "fast failover")


def _group_features(
    self: MessagePrinter, body: group_stats.GroupFeaturesReply, version: int
) -> str:
    text = f"\n Group table:\n    Types:  0x{body.types:x}\n"
    text += f"    Capabilities:  0x{body.capabilities:x}\n"
    for kind, name in enumerate(_GROUP_TYPES):
        if body.types >> kind & 1:
            actions = action_words(body.actions[kind], version == Version.OF10)
            text += f"    {name} group:\n       max_groups={body.max_groups[kind]:#x}\n"
            text += f"       actions: {actions}\n"
    return text


def _meter_config(self: MessagePrinter, body: meter_stats.MeterConfigReply, version: int) -> str:
    return "\n" + "".join(meter_words(meter) for meter in body.meters)


def _meter_stats(self: MessagePrinter, body: meter_stats.MeterStatsReply, version: int) -> str:
    text = "\n"
    for meter in body.meters:
        lived = duration(meter.duration_sec, meter.duration_nsec)
        text += f"{meter_number_words(meter.meter_id, ':')} flow_count:{meter.flow_count} "
        text += f"packet_in_count:{meter.packet_in_count} byte_in_count:{meter.byte_in_count} "
        text += f"duration:{lived} bands:\n"
        for at, (packets_seen, bytes_seen) in enumerate(meter.bands):
            text += f"{at}: packet_count:{packets_seen} byte_count:{bytes_seen}\n"
    return text


_BAND_TYPES = ("", "drop", "dscp_remark")
_METER_FLAGS = ("kbps", "pktps", "burst", "stats")


def _meter_features(
    self: MessagePrinter, body: meter_stats.MeterFeaturesReply, version: int
) -> str:
    return (
        f"\nmax_meter:{body.max_meter} max_bands:{body.max_bands} max_color:{body.max_color}\n"
        f"band_types: {bit_words(body.band_types, _BAND_TYPES)}\n"
        f"capabilities: {bit_words(body.capabilities, _METER_FLAGS)}\n"
    )


def _flow_monitor(self: MessagePrinter, body: monitor.FlowMonitorReply, version: int) -> str:
    return "".join(f"\n event={_update(self, update, version)}" for update in body.updates)


def _update(self: MessagePrinter, update: monitor.FlowUpdate, version: int) -> str:
    event = MonitorEvent(update.event).name
    if event == "ABBREV":
        return f"ABBREV xid=0x{update.xid:x}"
    if event in ("PAUSED", "RESUMED"):
        return event
    text = {"REMOVED": "DELETED"}.get(event, event)
    if event == "REMOVED":
        text += f" reason={word(REMOVED_REASONS, update.reason)}"
    text += f" table={render_table(update.table_id, self.names)}"
    if update.idle_timeout:
        text += f" idle_timeout={update.idle_timeout}"
    if update.hard_timeout:
        text += f" hard_timeout={update.hard_timeout}"
    text += f" cookie={show_hex(update.cookie)} "
    match = match_words(update.match, names=self.names, paint=self.paint)
    renderer = ActionRenderer(version, self.names, self.paint)
    actions = instruction_words(update.instructions, renderer)
    if actions == self.paint.drop("drop"):
        return text + match
    return f"{text}{match}{' ' if match else ''}actions={actions}"


def _packet_in(self: MessagePrinter, body: packets.PacketIn, version: int) -> str:
    text = ""
    if body.table_id not in (0, 0xFF):
        text += f" table_id={render_table(body.table_id, self.names)}"
    if body.cookie != 0xFFFFFFFFFFFFFFFF:
        text += f" cookie=0x{body.cookie:x}"
    text += f" total_len={body.total_len} {match_words(body.match, names=self.names)}"
    text += f" (via {word(PACKET_IN_REASONS, body.reason)}) data_len={len(body.data)}"
    if body.buffer_id == NO_BUFFER:
        text += " (unbuffered)"
        if body.total_len != len(body.data):
            text += " (***total_len != data_len***)"
    else:
        text += f" buffer=0x{body.buffer_id:08x}"
    text += "\n"
    if body.userdata:
        text += f" userdata={dotted(body.userdata)}\n"
    return text + _packet(self, body.data)


def _packet(self: MessagePrinter, data: bytes) -> str:
    text = f"{frame_text(data)}\n" if self.detail > 0 else ""
    return text + (hex_dump(data) if self.detail > 2 else "")


def _packet_out(self: MessagePrinter, body: packets.PacketOut, version: int) -> str:
    keys = Keys(body.match)
    keys.put("in_port", body.in_port)
    actions = ActionRenderer(version, self.names).list(body.actions)
    text = f" {match_words(keys.match(version), names=self.names)} actions={actions}"
    if body.buffer_id != NO_BUFFER:
        return f"{text} buffer=0x{body.buffer_id:08x}"
    return f"{text} data_len={len(body.data)}\n" + (_packet(self, body.data) if body.data else "")


def _flow_removed(self: MessagePrinter, body: notices.FlowRemoved, version: int) -> str:
    text = f" {match_words(body.match, body.priority, self.names)}"
    text += f" reason={word(REMOVED_REASONS, body.reason)}"
    if body.table_id != 0xFF and (version != Version.OF10 or body.nicira):
        text += f" table_id={render_table(body.table_id, self.names)}"
    if body.cookie:
        text += f" cookie:0x{body.cookie:x}"
    text += f" duration{duration(body.duration_sec, body.duration_nsec)} idle{body.idle_timeout}"
    if body.hard_timeout:
        text += f" hard{body.hard_timeout}"
    return f"{text} pkts{count_of(body.packet_count)} bytes{count_of(body.byte_count)}\n"


_PORT_REASONS = ("ADD", "DEL", "MOD")


def _port_status(self: MessagePrinter, body: notices.PortStatus, version: int) -> str:
    return f" {word(_PORT_REASONS, body.reason)}:{port_words.port_desc_text(body.port)}"


def _error(self: MessagePrinter, body: ErrorMessage, version: int) -> str:
    name = error_name(version, body)
    if not body.data:
        return f" {name}\n"
    if len(body.data) >= 8 and body.type != 0:
        try:
            return f" {name}\n{self.text(codec.decode(body.data))}"
        except DecodeError:
            return f" {name}\n{hex_dump(body.data)}"
    return f" {name}\n{body.data.decode('ascii', 'replace')}\n"


def _hello(self: MessagePrinter, body: handshake.Hello, version: int) -> str:
    return "\n version bitmap: " + ", ".join(f"0x{known:02x}" for known in body.versions) + "\n"


def _echo(
    self: MessagePrinter, body: handshake.EchoRequest | handshake.EchoReply, version: int
) -> str:
    return f" {len(body.data)} bytes of payload\n"


_ROLES = ("nochange", "equal", "primary", "secondary")


def _role(
    self: MessagePrinter, body: handshake.RoleRequest | handshake.RoleReply, version: int
) -> str:
    text = f" role={word(_ROLES, body.role)}"
    return text if version == Version.OF10 else f"{text} generation_id={body.generation_id}"


_BUNDLE_TYPES = (
    "OPEN_REQUEST",
    "OPEN_REPLY",
    "CLOSE_REQUEST",
    "CLOSE_REPLY",
    "COMMIT_REQUEST",
    "COMMIT_REPLY",
    "DISCARD_REQUEST",
    "DISCARD_REPLY",
)


def _bundle(self: MessagePrinter, body: bundle.BundleControl, version: int) -> str:
    flags = bit_words(body.flags, ("atomic", "ordered"))
    kind = word(_BUNDLE_TYPES, body.type)
    return f"\n bundle_id=0x{body.bundle_id:x} type={kind} flags={flags}".replace("0x0 ", "0 ")


def _bundle_add(self: MessagePrinter, body: bundle.BundleAdd, version: int) -> str:
    flags = bit_words(body.flags, ("atomic", "ordered"))
    return f"\n bundle_id={show_hex(body.bundle_id)} flags={flags}\n{self.bytes_text(body.message)}"


def _tlv_table(self: MessagePrinter, body: nicira.TlvTableReply, version: int) -> str:
    used = sum(row.option_len for row in body.maps)
    text = f"\n max option space={body.max_option_space} max fields={body.max_fields}\n"
    text += f" allocated option space={used}\n\n mapping table:\n"
    text += "  class  type  length  match field\n ------  ----  ------  --------------"
    for row in body.maps:
        text += f"\n {row.option_class:#6x}  {row.option_type:#4x}  {row.option_len:6d}"
        text += f"  tun_metadata{row.index}"
    return text + "\n"


# Each function takes the class it stands for; a dictionary of them cannot say so.
_WRITERS: dict[type[Body], Callable[..., str]] = {
    flow_mod.FlowMod: _flow_mod,
    group_mod.GroupMod: _group_mod,
    modify.MeterMod: _meter_mod,
    modify.PortMod: _port_mod,
    flow_stats.FlowStatsReply: _flow_stats,
    flow_stats.FlowStatsRequest: _flow_request,
    flow_stats.AggregateRequest: _flow_request,
    flow_stats.AggregateReply: _aggregate,
    multipart.DescReply: _desc,
    handshake.FeaturesReply: _features,
    handshake.GetConfigReply: _config,
    handshake.SetConfig: _config,
    handshake.Hello: _hello,
    handshake.EchoRequest: _echo,
    handshake.EchoReply: _echo,
    handshake.RoleRequest: _role,
    handshake.RoleReply: _role,
    port_stats.PortDescReply: _port_descs,
    port_stats.PortStatsReply: _port_stats,
    queue_stats.QueueStatsReply: _queue_stats,
    queue_stats.QueueGetConfigReply: _queue_config,
    queue_stats.QueueDescReply: _queue_desc,
    table_stats.TableStatsReply: _table_stats,
    table_stats.TableDescReply: _table_desc,
    table_stats.TableFeaturesReply: _table_features,
    group_stats.GroupDescReply: _group_desc,
    group_stats.GroupStatsReply: _group_stats,
    group_stats.GroupFeaturesReply: _group_features,
    meter_stats.MeterConfigReply: _meter_config,
    meter_stats.MeterStatsReply: _meter_stats,
    meter_stats.MeterFeaturesReply: _meter_features,
    monitor.FlowMonitorReply: _flow_monitor,
    packets.PacketIn: _packet_in,
    packets.PacketOut: _packet_out,
    notices.FlowRemoved: _flow_removed,
    notices.PortStatus: _port_status,
    ErrorMessage: _error,
    bundle.BundleControl: _bundle,
    bundle.BundleAdd: _bundle_add,
    nicira.TlvTableReply: _tlv_table,
}
