//! One UDP port of this host as a tunnel end point, shared by every tunnel port that uses it.
//!
//! Owns the receiving sockets and the list of members: tunnel ports with their filters.  Sockets stand
//! in lanes, one for each worker; a lane has one for each address family.  The kernel picks the lane by
//! the outer addresses and ports, of which the source port stands for the inner flow, so a flow keeps
//! to its lane.  One member leads: its receivers read the sockets, each those of one lane, and hand
//! packets of other members over through their queues.  When the leader leaves, another takes over;
//! what each member waits on is its own epoll sets, so nobody outside notices.
//!
//! End points are found by UDP port in the network namespace of the thread that opens a port,
//! because the host has it to give once.
//!
//! Locks: the list of end points, then an end point's members.  A lane's reception is locked by
//! its worker alone, before the members.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::demux::{Demux, Filter};
use super::receive::Reception;
use crate::packet::{PortNo, TunnelConfig};
use crate::port::OpenError;
use crate::port::queue::{QUEUE_LIMIT, Queue};
use crate::port::registry::{Registry, network_namespace};
use crate::port::sys::{Address, Poller, Socket};

/// Bytes of datagrams that may wait in the kernel.
const SOCKET_BUFFER: i32 = 16 << 20;

/// UDP socket options; the installed headers may be older than the kernel.
const UDP_NO_CHECK6_RX: i32 = 102;
pub(super) const UDP_GRO: i32 = 104;

/// End points that are open, by network namespace and UDP port.
static OPEN: Registry<Place, Endpoint> = Registry::new();

#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    namespace: u64,
    udp_port: u16,
}

/// A UDP port and the tunnel ports behind it.
pub(super) struct Endpoint {
    pub(super) gbp: bool,
    /// Ways in, between which the kernel divides datagrams by their outer addresses and ports.
    pub(super) lanes: Vec<Lane>,
    members: Mutex<Members>,
}

/// One way in: what one worker reads.
pub(super) struct Lane {
    /// One for each address family.
    pub(super) sockets: Vec<Socket>,
    /// Whether the kernel hands over trains of datagrams as one.
    pub(super) takes_trains: bool,
    pub(super) reception: Mutex<Reception>,
}

/// Tunnel ports by what they accept, as the receiving side looks them up.
pub(super) type Ports = Demux<Arc<Member>>;

#[derive(Default)]
struct Members {
    ports: Arc<Ports>,
    all: Vec<Arc<Member>>,
}

/// One tunnel port's place at an end point.
pub(super) struct Member {
    pub(super) number: PortNo,
    filter: Filter,
    leads: AtomicBool,
    /// Its place at each of the end point's lanes.
    inlets: Vec<Inlet>,
}

/// One tunnel port's place at one lane.
pub(super) struct Inlet {
    /// Packets that the leader received for this port.
    pub(super) queue: Queue,
    /// The queue, and the sockets of the lane while this member leads.
    poller: Poller,
}

/// Membership of one port; leaving it is dropping it.
pub(super) struct Membership {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) member: Arc<Member>,
}

impl Endpoint {
    /// Makes a tunnel port a member of the end point of its UDP port, opened with `lanes` if need be.
    pub(super) fn join(
        number: PortNo,
        config: &TunnelConfig,
        lanes: usize,
    ) -> Result<Membership, OpenError> {
        let place = Place {
            namespace: network_namespace(),
            udp_port: config.dst_port,
        };
        let endpoint = OPEN.share(place, || Self::open(config, lanes))?;
        if endpoint.gbp != config.gbp {
            return Err(OpenError::invalid(format!(
                "exts=gbp: UDP port {} is in use by a tunnel port that differs in this",
                config.dst_port
            )));
        }
        let member = endpoint.admit(number, Filter::new(config))?;
        Ok(Membership { endpoint, member })
    }

    fn open(config: &TunnelConfig, lanes: usize) -> io::Result<Self> {
        let port = config.dst_port;
        let lanes = match lanes {
            0 | 1 => vec![Lane::open(port, false)?],
            count => {
                // Sockets that share a port share it with any others that would; so see first
                // that there are none.
                drop(Lane::open(port, false)?);
                (0..count)
                    .map(|_| Lane::open(port, true))
                    .collect::<io::Result<_>>()?
            }
        };
        Ok(Self {
            gbp: config.gbp,
            lanes,
            members: Mutex::default(),
        })
    }

    fn admit(&self, number: PortNo, filter: Filter) -> Result<Arc<Member>, OpenError> {
        let member = Arc::new(Member {
            number,
            filter,
            leads: AtomicBool::new(false),
            inlets: self
                .lanes
                .iter()
                .map(|_| Inlet::new())
                .collect::<io::Result<_>>()?,
        });
        let mut members = self.members();
        if Arc::make_mut(&mut members.ports)
            .insert(filter, member.clone())
            .is_err()
        {
            return Err(OpenError::invalid(
                "another tunnel port accepts the same remote_ip, local_ip and in_key",
            ));
        }
        members.all.push(member.clone());
        if members.all.len() == 1 {
            self.lead(&member)?;
        }
        Ok(member)
    }

    fn lead(&self, member: &Member) -> io::Result<()> {
        for (lane, inlet) in self.lanes.iter().zip(&member.inlets) {
            for socket in &lane.sockets {
                inlet.poller.add(socket.as_raw_fd())?;
            }
        }
        member.leads.store(true, Ordering::Release);
        Ok(())
    }

    fn leave(&self, member: &Arc<Member>) {
        let mut members = self.members();
        Arc::make_mut(&mut members.ports).remove(&member.filter);
        members.all.retain(|other| !Arc::ptr_eq(other, member));
        if member.leads.swap(false, Ordering::AcqRel)
            && let Some(next) = members.all.first()
        {
            // Cannot fail but for want of kernel memory; then the others stay unserved.
            let _ = self.lead(next);
        }
    }

    /// The ports as they are now.
    pub(super) fn ports(&self) -> Arc<Ports> {
        self.members().ports.clone()
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        lock(&self.members)
    }
}

impl Member {
    /// Its place at lane `index`; there is one for each lane.
    pub(super) fn inlet(&self, index: usize) -> Option<&Inlet> {
        self.inlets.get(index)
    }

    /// Whether this member reads the sockets.
    pub(super) fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }
}

impl Inlet {
    fn new() -> io::Result<Self> {
        let inlet = Self {
            queue: Queue::new(QUEUE_LIMIT)?,
            poller: Poller::new()?,
        };
        inlet.poller.add(inlet.queue.fd())?;
        Ok(inlet)
    }

    pub(super) fn fd(&self) -> RawFd {
        self.poller.as_raw_fd()
    }
}

impl Lane {
    /// Sockets for UDP port `port`; `shared` with other lanes.
    fn open(port: u16, shared: bool) -> io::Result<Self> {
        let mut sockets = vec![receive_v4(port, shared)?];
        match receive_v6(port, shared) {
            Ok(socket) => sockets.push(socket),
            // A host without IPv6 has no IPv6 tunnels.
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err(error),
        }
        // Where a kernel has no such thing, trains come as single datagrams.
        let trains = |socket: &Socket| socket.set(libc::IPPROTO_UDP, UDP_GRO, 1).is_ok();
        Ok(Self {
            reception: Mutex::new(Reception::new(sockets.len())),
            takes_trains: sockets.iter().all(trains),
            sockets,
        })
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.endpoint.leave(&self.member);
    }
}

/// Locks; what a thread that panicked left behind is whole, for each change is one step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn receive_v4(udp_port: u16, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    socket.set(libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
    socket.set(libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
    socket.set(libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
    receive_any(&socket, shared)?;
    socket.bind(Address::new(Ipv4Addr::UNSPECIFIED.into(), udp_port).as_bytes())?;
    Ok(socket)
}

fn receive_v6(udp_port: u16, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(libc::AF_INET6, libc::SOCK_DGRAM, 0)?;
    socket.set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    socket.set(libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
    socket.set(libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
    socket.set(libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
    // RFC 7348 wants tunnels over IPv6 with a zero checksum accepted.
    socket.set(libc::IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)?;
    receive_any(&socket, shared)?;
    socket.bind(Address::new(Ipv6Addr::UNSPECIFIED.into(), udp_port).as_bytes())?;
    Ok(socket)
}

fn receive_any(socket: &Socket, shared: bool) -> io::Result<()> {
    if shared {
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    socket.grow_buffers(SOCKET_BUFFER);
    Ok(())
}
