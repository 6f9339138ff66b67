//! Events as messages to controllers.

use crate::openflow::Version;
use crate::openflow::action::TableId;
use crate::openflow::encode::{self, Multipart};
use crate::openflow::tell::{PacketIn, PacketInFormat as Format};
use crate::table::{FlowEvent, Notice};
use crate::worker::{Event, EventBody};

/// OFPMP_FLOW, in OpenFlow 1.5 OFPMP_FLOW_DESC.
const FLOW: u16 = 1;

/// How a packet-in is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketInFormat {
    /// The version's own message.
    Standard,
    /// NXT_PACKET_IN.
    Nxt,
    /// NXT_PACKET_IN2.
    Nxt2,
}

impl Event {
    /// `packet_in`, `flow_removed`, `flow_added`, `flow_modified`, `flow_deleted`, `table_status`,
    /// `port_error`.
    pub fn kind(&self) -> &'static str {
        match &self.body {
            EventBody::PacketIn(_) => "packet_in",
            EventBody::Table(Notice::FlowRemoved { .. }) => "flow_removed",
            EventBody::Table(Notice::FlowChanged { event, .. }) => match event {
                FlowEvent::Added => "flow_added",
                FlowEvent::Modified => "flow_modified",
                FlowEvent::Deleted(_) => "flow_deleted",
            },
            EventBody::Table(_) => "table_status",
            EventBody::PortError { .. } => "port_error",
        }
    }

    /// The message's reason code, in OpenFlow 1.4's numbers.
    pub fn reason(&self) -> u8 {
        match &self.body {
            EventBody::PacketIn(packet) => packet.out.reason as u8,
            EventBody::Table(Notice::FlowRemoved { reason, .. }) => *reason as u8,
            EventBody::Table(Notice::FlowChanged { event, .. }) => match event {
                FlowEvent::Deleted(reason) => *reason as u8,
                FlowEvent::Added | FlowEvent::Modified => 0,
            },
            // OFPTR_VACANCY_DOWN and OFPTR_VACANCY_UP.
            EventBody::Table(Notice::Vacancy { down: true, .. }) => 3,
            EventBody::Table(Notice::Vacancy { .. }) => 4,
            EventBody::PortError { .. } => 0,
        }
    }

    /// Table it came from; 255 if none.
    pub fn table(&self) -> TableId {
        match &self.body {
            EventBody::PacketIn(packet) => packet.out.table,
            EventBody::Table(
                Notice::FlowRemoved { flow, .. } | Notice::FlowChanged { flow, .. },
            ) => flow.table(),
            EventBody::Table(Notice::Vacancy { table, .. }) => *table,
            EventBody::PortError { .. } => TableId(0xff),
        }
    }

    /// Cookie of the rule, or all ones.
    pub fn cookie(&self) -> u64 {
        match &self.body {
            EventBody::PacketIn(packet) => packet.out.cookie,
            EventBody::Table(
                Notice::FlowRemoved { flow, .. } | Notice::FlowChanged { flow, .. },
            ) => flow.cookie,
            _ => u64::MAX,
        }
    }

    /// Which connections a packet-in is for.
    pub fn controller(&self) -> u16 {
        match &self.body {
            EventBody::PacketIn(packet) => packet.out.controller,
            _ => 0,
        }
    }

    /// Those who get a packet-in, by the control plane's numbers; `None` for everybody.
    pub fn listeners(&self) -> Option<&[u64]> {
        match &self.body {
            EventBody::PacketIn(packet) => packet.listeners.as_deref(),
            _ => None,
        }
    }

    /// The whole message for a session of `version`; empty for what OpenFlow has no message for.
    /// A changed flow is told as a reply to a request for flows.
    pub fn encode(&self, version: Version, xid: u32, format: PacketInFormat) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.body {
            EventBody::PacketIn(packet) => {
                let told = PacketIn {
                    reason: packet.out.reason as u8,
                    table: packet.out.table,
                    cookie: packet.out.cookie,
                    metadata: &packet.metadata,
                    data: &packet.data,
                    total_len: packet.total_len,
                    userdata: &packet.out.userdata,
                    continuation: packet.out.continuation.as_deref(),
                };
                let format = match format {
                    PacketInFormat::Standard => Format::Standard,
                    PacketInFormat::Nxt => Format::Nicira,
                    PacketInFormat::Nxt2 => Format::Nicira2,
                };
                encode::packet_in(version, xid, format, &told, &mut out);
            }
            EventBody::Table(Notice::FlowRemoved { reason, flow }) => {
                let nicira = version == Version::Of10 && format != PacketInFormat::Standard;
                encode::flow_removed(version, xid, &flow.removed(*reason), nicira, &mut out);
            }
            EventBody::Table(Notice::FlowChanged { flow, .. }) => {
                let mut reply = Multipart::new(version, xid, FLOW);
                reply.entry(|out| match version {
                    Version::Of15 => encode::flow_description(&flow.stats(), out),
                    _ => encode::flow_stats(version, &flow.stats(), out),
                });
                out = reply.finish(false);
            }
            _ => {}
        }
        out
    }
}
