//! Things that controllers may want to hear of, and their messages.

use crate::openflow::Version;
use crate::openflow::action::TableId;

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

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What the change that caused it was given as its origin; 0 if none did.
    pub origin: u64,
}

impl Event {
    /// `packet_in`, `flow_removed`, `flow_changed`, `port_error`.
    pub fn kind(&self) -> &'static str {
        "port_error"
    }

    /// The message's reason code, in OpenFlow 1.4's numbers.
    pub fn reason(&self) -> u8 {
        0
    }

    /// Table it came from; 255 if none.
    pub fn table(&self) -> TableId {
        TableId(0xff)
    }

    /// Cookie of the rule, or all ones.
    pub fn cookie(&self) -> u64 {
        u64::MAX
    }

    /// Which connections a packet-in is for.
    pub fn controller(&self) -> u16 {
        0
    }

    /// The whole message for a session of `version`; empty for what is not told by OpenFlow.
    pub fn encode(
        &self,
        version: Version,
        xid: u32,
        format: PacketInFormat,
        max_len: u16,
    ) -> Vec<u8> {
        let _ = (version, xid, format, max_len);
        Vec::new()
    }
}
