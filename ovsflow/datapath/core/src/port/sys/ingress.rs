//! Keeps a device's received frames from the host's own network stack.
//!
//! A two-instruction program at the device's ingress hook drops every frame after packet
//! sockets have had their copy.  It hangs on a descriptor: when the port closes, or the process
//! dies, the device is as it was.  Needs tcx (Linux 6.6).

use std::io;
use std::os::fd::OwnedFd;

use super::bpf::{ProgramKind, attach_ingress, load};

/// `r0 = TCX_DROP; exit`.
const DROP_ALL: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

/// While it lives the host does not see what the device receives.
pub(in crate::port) struct IngressBlock {
    _link: OwnedFd,
}

impl IngressBlock {
    pub(in crate::port) fn new(device_index: u32) -> io::Result<Self> {
        let program = load(ProgramKind::Classifier, &DROP_ALL)?;
        let link = attach_ingress(&program, device_index)?;
        Ok(Self { _link: link })
    }
}
