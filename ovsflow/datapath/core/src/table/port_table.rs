//! The switch's ports as the pipeline knows them: numbers, names, configuration and state.
//!
//! Devices themselves live in `port`, above; this table is what translation asks when it
//! meets FLOOD, NO_FWD, a tunnel port or a bucket that watches a port.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::packet::{PortNo, TunnelConfig};
use crate::time::Now;

/// OFPPC_*.  Source: OpenFlow 1.3.5 §7.2.1.
pub mod port_config {
    /// Administratively down.
    pub const PORT_DOWN: u32 = 1;
    /// OpenFlow 1.0: no spanning tree on this port.
    pub const NO_STP: u32 = 2;
    /// Drop all packets received here.
    pub const NO_RECV: u32 = 4;
    /// OpenFlow 1.0: drop spanning tree packets received here.
    pub const NO_RECV_STP: u32 = 8;
    /// FLOOD leaves this port out.
    pub const NO_FLOOD: u32 = 16;
    /// Drop packets forwarded here.
    pub const NO_FWD: u32 = 32;
    /// Packets from here cause no packet-in.
    pub const NO_PACKET_IN: u32 = 64;
}

/// OFPPS_*.  Source: OpenFlow 1.3.5 §7.2.1.
pub mod port_state {
    /// No physical link.
    pub const LINK_DOWN: u32 = 1;
    /// Blocked by a protocol outside of OpenFlow.
    pub const BLOCKED: u32 = 2;
    /// Live for fast failover.
    pub const LIVE: u32 = 4;
}

/// One port.
#[derive(Clone, Debug, Default)]
pub struct Port {
    pub number: PortNo,
    pub name: String,
    /// `system`, `tap`, `internal`, `vxlan`, `patch`, `pcap`, `memory`.
    pub kind: String,
    pub hw_addr: [u8; 6],
    /// Bits of [`port_config`].
    pub config: u32,
    /// Bits of [`port_state`].
    pub state: u32,
    /// Largest payload of an Ethernet frame in bytes; 0 if unlimited.
    pub mtu: u32,
    /// Speed in kbit/s; 0 if unknown.
    pub speed: u32,
    /// Present on tunnel ports.
    pub tunnel: Option<Arc<TunnelConfig>>,
    /// When the port was added.
    pub added: Now,
}

impl Port {
    /// Whether packets can leave here: up by configuration, with a link.
    pub const fn is_up(&self) -> bool {
        self.config & port_config::PORT_DOWN == 0 && self.state & port_state::LINK_DOWN == 0
    }

    /// Whether a bucket that watches this port is live.
    pub const fn is_live(&self) -> bool {
        self.is_up() && self.state & port_state::BLOCKED == 0
    }

    /// Whether FLOOD includes this port.
    pub const fn is_flooded(&self) -> bool {
        self.config & port_config::NO_FLOOD == 0 && self.state & port_state::BLOCKED == 0
    }
}

/// All ports, by number.  Changed only through [`Pipeline`](super::Pipeline), which notes the change.
#[derive(Clone, Debug, Default)]
pub struct PortTable {
    ports: BTreeMap<PortNo, Port>,
}

impl PortTable {
    /// The port with this number.
    pub fn port(&self, number: PortNo) -> Option<&Port> {
        self.ports.get(&number)
    }

    /// The port with this name.
    pub fn by_name(&self, name: &str) -> Option<&Port> {
        self.ports.values().find(|port| port.name == name)
    }

    /// All ports, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Port> {
        self.ports.values()
    }

    /// Whether a bucket that watches `number` is live.
    pub fn is_live(&self, number: PortNo) -> bool {
        self.port(number).is_some_and(Port::is_live)
    }

    /// Adds or replaces a port; returns what was there.
    pub(super) fn set(&mut self, port: Port) -> Option<Port> {
        self.ports.insert(port.number, port)
    }

    /// Takes a port out.
    pub(super) fn remove(&mut self, number: PortNo) -> Option<Port> {
        self.ports.remove(&number)
    }
}
