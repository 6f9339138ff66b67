//! The VXLAN port: one port for every remote end point and every network identifier.
//!
//! Outer headers are metadata: what arrives carries its tunnel's addresses, identifier, TOS and
//! TTL in [`crate::packet::Tunnel`], and what is sent goes where that says.  The host's kernel
//! owns the outer network: it routes, resolves neighbours, fragments and reassembles; we own a UDP port
//! and leave everything else as it is.  Source: RFC 7348.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `endpoint` | one UDP port of the host and the tunnel ports that share it |
//! | `demux` | which of them receives |
//! | `receive` | datagrams -> packets |
//! | `plan`, `path` | what an outer header shall say, and how long a packet may be |
//! | `sockets`, `send` | packets -> datagrams |
//! | `train`, `uplink` | super-frames -> datagrams, in one of two ways |
//! | `ways` | which of the ways to send is open now |
//! | `wire` | the same on a wire of memory |
//! | `outer` | outer headers of such a wire, read and written |
//! | `inner` | facts of the packet inside |

mod demux;
mod endpoint;
mod inner;
mod outer;
mod path;
mod plan;
mod receive;
mod send;
mod sockets;
mod train;
mod uplink;
mod ways;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::endpoint::Endpoint;
use self::receive::TunnelReceiver;
use self::send::TunnelSenders;
use self::sockets::SendSockets;
use self::uplink::Uplink;
use self::ways::{TunnelBackend, Ways};
use super::OpenError;
use super::open::{OpenPort, PortFacts, Request, STATE_LIVE};
use crate::packet::TunnelConfig;

/// How outer packets come and go; the first three differ in how super-frames are sent.
enum Backend {
    /// The best way that the host offers.
    Auto,
    Udp,
    Tap,
    Memory,
}

/// Opens a tunnel port; its options are those of [`TunnelConfig`], and `backend`.
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    let config = Arc::new(TunnelConfig::parse(&mut request.options)?);
    let backend =
        request
            .options
            .parse("backend", "auto, udp, tap or memory", |text| match text {
                "auto" => Some(Backend::Auto),
                "udp" => Some(Backend::Udp),
                "tap" => Some(Backend::Tap),
                "memory" => Some(Backend::Memory),
                _ => None,
            })?;
    let backend = backend.unwrap_or(Backend::Auto);
    if matches!(backend, Backend::Memory) {
        return wire::open(request, config);
    }
    request.options.finish()?;
    let sockets = SendSockets::share(&config)?;
    let uplink = match backend {
        Backend::Tap => Some(Uplink::open(&config, &sockets)?),
        // A host that cannot have one does without.
        Backend::Auto => Uplink::open(&config, &sockets).ok(),
        Backend::Udp | Backend::Memory => None,
    };
    let membership = Endpoint::join(request.number, &config, request.receivers)?;
    let membership = Arc::new(membership);
    let lanes = membership.endpoint.lanes.len();
    let ways = Ways::new(&config, &sockets, uplink.as_ref());
    let backend = TunnelBackend::new(&ways, &config, &sockets, &membership.endpoint);
    let facts = PortFacts {
        state: STATE_LIVE,
        tunnel: Some(TunnelConfig::clone(&config)),
        ..PortFacts::default()
    };
    Ok(OpenPort {
        receivers: (0..lanes)
            .map(|lane| Box::new(TunnelReceiver::new(membership.clone(), lane)) as _)
            .collect(),
        sender: Box::new(TunnelSenders {
            config,
            sockets,
            uplink,
            ways,
        }),
        backend: Box::new(backend),
        facts,
        memory: None,
    })
}
