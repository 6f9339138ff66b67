//! The wire form of what the tables take and tell: matches, actions, instructions and the
//! messages that carry them, for OpenFlow 1.0, 1.3, 1.4 and 1.5 with the Nicira and ONF
//! extensions.  One internal model; what differs between versions is a table.

pub mod action;
pub mod check;
mod codec;
pub mod decode;
pub mod encode;
pub mod error;
pub mod framing;
pub mod modify;
pub mod tell;
#[cfg(test)]
mod tests;

pub use action::{Action, Instructions};

/// A version of the protocol, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Version {
    /// OpenFlow 1.0, with Nicira extensions for all that it cannot say.
    Of10 = 0x01,
    /// OpenFlow 1.3.
    Of13 = 0x04,
    /// OpenFlow 1.4.
    Of14 = 0x05,
    /// OpenFlow 1.5.
    Of15 = 0x06,
}

impl Version {
    /// The version of this number on the wire, if the switch speaks it.
    pub const fn from_wire(number: u8) -> Option<Self> {
        match number {
            0x01 => Some(Self::Of10),
            0x04 => Some(Self::Of13),
            0x05 => Some(Self::Of14),
            0x06 => Some(Self::Of15),
            _ => None,
        }
    }
}
