//! How long a datagram may be on the way to each tunnel end point.
//!
//! The kernel knows; it is asked when it has refused a datagram as too long.  What it said is
//! believed for a while, so that a shorter path costs one refusal every now and then.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::packet::vxlan::HEADER_LEN;
use crate::port::sys::{Address, Socket};
use crate::time::Now;

/// Most end points that are remembered; at more all are forgotten.
const MAX_KNOWN: usize = 4096;

/// How long an answer is believed.
const LIFETIME: Duration = Duration::from_secs(10);

/// Headers between the outer packet's start and the inner frame.
const OVERHEAD_V4: usize = 20 + 8 + HEADER_LEN;
const OVERHEAD_V6: usize = 40 + 8 + HEADER_LEN;

/// IPV6_MTU; not every libc has a name for it.
const IPV6_MTU: i32 = 24;

/// Paths that turned out to be short.
#[derive(Default)]
pub(super) struct Paths {
    /// Bytes of inner frame, and until when that holds.
    known: HashMap<IpAddr, (usize, Now)>,
}

impl Paths {
    /// The longest inner frame to an end point whose path is known to be short, in bytes.
    pub(super) fn room(&self, to: IpAddr, now: Now) -> Option<usize> {
        if self.known.is_empty() {
            return None;
        }
        let (room, until) = self.known.get(&to)?;
        (now < *until).then_some(*room)
    }

    /// Asks the kernel about a path on which a datagram was too long.
    pub(super) fn learn(&mut self, to: IpAddr, now: Now) -> Option<usize> {
        let (mtu, overhead) = match to {
            IpAddr::V4(_) => (path_mtu(to).ok()?, OVERHEAD_V4),
            IpAddr::V6(_) => (path_mtu(to).ok()?, OVERHEAD_V6),
        };
        let room = mtu.checked_sub(overhead)?;
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(to, (room, now.after(LIFETIME)));
        Some(room)
    }
}

/// The path's MTU as the kernel knows it, in bytes.
fn path_mtu(to: IpAddr) -> io::Result<usize> {
    let (family, level, name) = match to {
        IpAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_IP, libc::IP_MTU),
        IpAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_IPV6, IPV6_MTU),
    };
    let socket = Socket::new(family, libc::SOCK_DGRAM, 0)?;
    // Nothing is sent: the port only has to be one.
    socket.connect(Address::new(to, 9).as_bytes())?;
    Ok(socket.option(level, name)?.unsigned_abs() as usize)
}
