//! Sockets to send from: a pool for each way in which outer headers differ by socket.
//!
//! The source port is what tells flows apart for routers on the way, and a socket has one.  So
//! there are [`PORTS`] source ports, and an inner flow keeps to one of them.  The DF bit and the
//! UDP checksum belong to the socket as well, and the kernel cuts super-frames only where the
//! checksum is on; sockets that differ only in these share their source ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::plan::Plan;
use super::train::UDP_SEGMENT;
use crate::packet::{DEFAULT_TTL, TunnelConfig};
use crate::port::registry::{Registry, network_namespace};
use crate::port::sys::{Address, Socket};

/// Source ports of one tunnel port.
pub(super) const PORTS: usize = 16;

/// Bytes of datagrams that may wait in the kernel.
const SOCKET_BUFFER: i32 = 8 << 20;

/// UDP socket options; the installed headers may be older than the kernel.
const UDP_NO_CHECK6_TX: i32 = 101;

/// One socket for each source port.
pub(super) type Pool = Arc<[Socket]>;

/// Sockets that are open: tunnel ports that want the same share them.
static OPEN: Registry<Want, SendSockets> = Registry::new();

/// What sockets differ in.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Want {
    namespace: u64,
    df: bool,
    csum: Option<bool>,
}

/// The sockets of one tunnel port.
pub(super) struct SendSockets {
    pub(super) v4: Family,
    /// `None` on a host without IPv6.
    pub(super) v6: Option<Family>,
    /// Whether the kernel knows how to cut a train; a device may still refuse.
    pub(super) kernel_cuts: bool,
}

/// The sockets of one address family.
#[derive(Clone)]
pub(super) struct Family {
    /// For single datagrams: checksum as configured.
    pub(super) plain: Pool,
    /// For trains that the kernel cuts: checksum on.
    pub(super) train: Pool,
}

impl SendSockets {
    pub(super) fn share(config: &TunnelConfig) -> io::Result<Arc<Self>> {
        let want = Want {
            namespace: network_namespace(),
            df: config.df,
            csum: config.csum,
        };
        OPEN.share(want, || Self::open(config))
    }

    fn open(config: &TunnelConfig) -> io::Result<Self> {
        let v4 = Family::open(libc::AF_INET, config.df, config.csum.unwrap_or(false))?;
        let v6 = Family::open(libc::AF_INET6, config.df, config.csum.unwrap_or(true)).ok();
        let knows = |socket: &Socket| socket.set(libc::IPPROTO_UDP, UDP_SEGMENT, 0).is_ok();
        let kernel_cuts = v4.train.first().is_some_and(knows);
        Ok(Self {
            v4,
            v6,
            kernel_cuts,
        })
    }
}

impl SendSockets {
    /// The sockets of a family; `None` on a host that does not have it.
    pub(super) fn family(&self, is_v6: bool) -> Option<&Family> {
        match is_v6 {
            false => Some(&self.v4),
            true => self.v6.as_ref(),
        }
    }

    /// The socket for a single datagram.
    pub(super) fn plain(&self, plan: &Plan) -> Option<&Socket> {
        self.family(plan.is_v6)?.plain.get(plan.port)
    }

    /// The source ports of IPv4 tunnels.
    pub(super) fn ports_v4(&self) -> io::Result<Vec<u16>> {
        let port = |socket: &Socket| Ok(socket.local_address()?.port());
        self.v4.plain.iter().map(port).collect()
    }
}

impl Family {
    fn open(family: i32, df: bool, csum: bool) -> io::Result<Self> {
        let ports: Vec<_> = (0..PORTS)
            .map(|_| {
                let socket = send_socket(family, df, csum, 0)?;
                let port = socket.local_address()?.port();
                Ok((socket, port))
            })
            .collect::<io::Result<_>>()?;
        let train = match csum {
            true => None,
            false => Some(
                ports
                    .iter()
                    .map(|(_, port)| send_socket(family, df, true, *port))
                    .collect::<io::Result<Pool>>()?,
            ),
        };
        let plain: Pool = ports.into_iter().map(|(socket, _)| socket).collect();
        Ok(Self {
            train: train.unwrap_or_else(|| plain.clone()),
            plain,
        })
    }
}

/// A socket that only sends, from `port` or from one that the kernel picks if that is 0.
fn send_socket(family: i32, df: bool, csum: bool, port: u16) -> io::Result<Socket> {
    let socket = Socket::new(family, libc::SOCK_DGRAM, 0)?;
    // A socket that would share its port may be given one that is taken, so it says so later.
    let share = || socket.set(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1);
    if port != 0 {
        share()?;
    }
    let ip: IpAddr = if family == libc::AF_INET6 {
        let discover = if df {
            libc::IPV6_PMTUDISC_DO
        } else {
            libc::IPV6_PMTUDISC_DONT
        };
        socket.set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
        socket.set(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, discover)?;
        socket.set(
            libc::IPPROTO_IPV6,
            libc::IPV6_UNICAST_HOPS,
            DEFAULT_TTL.into(),
        )?;
        if !csum {
            socket.set(libc::IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)?;
        }
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        let discover = if df {
            libc::IP_PMTUDISC_DO
        } else {
            libc::IP_PMTUDISC_DONT
        };
        socket.set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)?;
        socket.set(libc::IPPROTO_IP, libc::IP_TTL, DEFAULT_TTL.into())?;
        if !csum {
            socket.set(libc::SOL_SOCKET, libc::SO_NO_CHECK, 1)?;
        }
        Ipv4Addr::UNSPECIFIED.into()
    };
    socket.grow_buffers(SOCKET_BUFFER);
    // Nobody reads what arrives here; the least room there is bounds what that costs.
    socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
    socket.bind(Address::new(ip, port).as_bytes())?;
    share()?;
    Ok(socket)
}
