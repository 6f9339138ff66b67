//! Which of its ways a tunnel port sends by now: what it was given when it was opened, less what
//! the kernel has refused since.

use std::fmt;

use super::endpoint::Endpoint;
use super::sockets::{PORTS, SendSockets};
use super::uplink::Uplink;
use crate::packet::TunnelConfig;
use crate::port::open::{shared_by, unbundled};
use crate::port::way::Way;

/// The ways of one tunnel port, the best for super-frames first.
#[derive(Clone)]
pub(super) struct Ways {
    /// The TAP uplink, if there is one.
    pub(super) uplink: Option<UplinkWays>,
    /// Super-frames cut by the kernel (UDP_SEGMENT); where it does not, they are cut here.
    pub(super) trains: Way,
    /// Equal datagrams as one that the kernel cuts.
    pub(super) bundles: Way,
}

/// Whether an uplink is of use.
#[derive(Clone)]
pub(super) struct UplinkWays {
    /// Whether the kernel takes its frames; never again after it refused one.
    pub(super) takes: Way,
    /// Whether the host forwarded the last frame that was looked after: paths may differ.
    pub(super) forwards: Way,
}

impl Default for UplinkWays {
    fn default() -> Self {
        Self {
            takes: Way::new(true),
            forwards: Way::new(true),
        }
    }
}

impl Ways {
    /// What the host offers to begin with.
    pub(super) fn new(
        config: &TunnelConfig,
        sockets: &SendSockets,
        uplink: Option<&Uplink>,
    ) -> Self {
        Self {
            uplink: uplink.map(|uplink| uplink.ways.clone()),
            trains: Way::new(sockets.kernel_cuts),
            // The kernel wants a checksum for what it cuts.
            bundles: Way::new(sockets.kernel_cuts && config.csum != Some(false)),
        }
    }

    /// How super-frames go out, in words for people.
    fn super_frames(&self) -> String {
        let by_sockets = match self.trains.is_open() {
            true => "by UDP segmentation",
            false => "cut here",
        };
        match &self.uplink {
            Some(uplink) if !uplink.takes.is_open() => by_sockets.to_owned(),
            Some(uplink) if !uplink.forwards.is_open() => {
                format!("{by_sockets}, as the host does not forward from the tap uplink")
            }
            Some(_) => "through a tap uplink".to_owned(),
            None => by_sockets.to_owned(),
        }
    }
}

/// How datagrams come and go.
pub(super) struct TunnelBackend {
    ways: Ways,
    families: &'static str,
    port: u16,
    lanes: usize,
    /// Whether the kernel hands over trains of datagrams as one.
    takes_trains: bool,
}

impl TunnelBackend {
    pub(super) fn new(
        ways: &Ways,
        config: &TunnelConfig,
        sockets: &SendSockets,
        endpoint: &Endpoint,
    ) -> Self {
        Self {
            ways: ways.clone(),
            families: match sockets.v6 {
                Some(_) => "IPv4 and IPv6",
                None => "IPv4",
            },
            port: config.dst_port,
            lanes: endpoint.lanes.len(),
            takes_trains: endpoint.lanes.iter().all(|lane| lane.takes_trains),
        }
    }
}

impl fmt::Display for TunnelBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (families, port) = (self.families, self.port);
        write!(
            f,
            "udp sockets, {families}, port {port}, {PORTS} source ports, super-frames {}",
            self.ways.super_frames()
        )?;
        f.write_str(unbundled(&self.ways.bundles))?;
        if !self.takes_trains {
            f.write_str(", received datagram by datagram")?;
        }
        f.write_str(&shared_by(self.lanes))
    }
}
