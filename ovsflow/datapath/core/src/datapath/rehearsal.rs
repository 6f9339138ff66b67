//! What becomes of one packet when a trace carries its actions out: nobody else hears of it.

use std::sync::Arc;

use super::describe::{describe_tunnel, port_name, reason_name};
use super::json::Json;
use super::trace::hexadecimal;
use crate::action::ControllerOut;
use crate::error::DropReason;
use crate::execute::{MeterVerdict, Sink};
use crate::openflow::action::{GroupId, MeterId};
use crate::packet::{Packet, Pool, PortNo};

/// Times that a packet may come back to the tables in one trace.
const MAX_RETURNS: u32 = 8;

/// Takes all that leaves a list of actions.
pub(super) struct Rehearsal {
    pool: Pool,
    left: Vec<Json>,
    again: Vec<(u32, Box<Packet>)>,
    returns: u32,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self {
            pool: Pool::new(2048, 0),
            left: Vec::new(),
            again: Vec::new(),
            returns: 0,
        }
    }
}

impl Rehearsal {
    /// A packet that walks the tables again, and from which frozen state.
    pub(super) fn next_back(&mut self) -> Option<(u32, Box<Packet>)> {
        self.returns += 1;
        if self.returns > MAX_RETURNS || self.again.is_empty() {
            return None;
        }
        Some(self.again.remove(0))
    }

    /// What left, in order.
    pub(super) fn into_json(self) -> Vec<Json> {
        self.left
    }

    fn tell(&mut self, how: &str, to: String, packet: Option<&Packet>) {
        let mut members = vec![(how.to_owned(), Json::from(to))];
        if let Some(packet) = packet {
            let mut add = |name: &str, value: String| members.push((name.to_owned(), value.into()));
            if let Some(tunnel) = &packet.tunnel {
                add("tunnel", describe_tunnel(tunnel));
            }
            add("frame", hexadecimal(packet.bytes()));
        }
        self.left.push(Json::Object(members));
    }
}

impl Sink for Rehearsal {
    fn output(&mut self, port: PortNo, packet: Box<Packet>) {
        self.tell("port", port_name(port), Some(&packet));
    }

    fn controller(&mut self, out: &Arc<ControllerOut>, packet: &Packet) {
        self.tell(
            "controller",
            reason_name(out.reason).to_owned(),
            Some(packet),
        );
    }

    fn drop(&mut self, reason: DropReason, _packet: Box<Packet>) {
        self.tell("drop", reason.name().to_owned(), None);
    }

    fn lose_copy(&mut self, reason: DropReason) {
        self.tell("drop", reason.name().to_owned(), None);
    }

    fn meter(&mut self, _meter: MeterId, _packet: &Packet) -> MeterVerdict {
        MeterVerdict::Pass
    }

    fn count_bucket(&mut self, group: GroupId, bucket: u16, _packet: &Packet) {
        let text = format!("group {}, the bucket at place {bucket}", group.0);
        self.tell("picks", text, None);
    }

    fn recirculate(&mut self, id: u32, packet: Box<Packet>) {
        self.again.push((id, packet));
    }

    fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }
}
