//! System calls with a safe face.  The only place of the crate that uses `unsafe`.
//!
//! Descriptors are `OwnedFd`, so that they close by themselves; each call returns `io::Result`.
//! Socket addresses and control messages are built and read as bytes, in safe code, in the
//! layout of 64-bit Linux.

#![allow(unsafe_code, reason = "system calls; each block says why it is sound")]

#[cfg(test)]
mod absent;
mod address;
mod bpf;
mod clock;
mod control;
mod device;
mod event;
mod ingress;
mod messages;
mod ring;
mod socket;
mod steer;
mod tun;

#[cfg(test)]
pub(super) use absent::{Absent, without};
pub(super) use address::{Address, LinkAddress};
pub(crate) use clock::monotonic_now;
pub(super) use control::{Control, int_value};
pub(super) use device::Device;
pub(super) use event::Timer;
pub(crate) use event::{Event, Poller};
pub(super) use ingress::IngressBlock;
pub(super) use messages::{Inbox, Incoming, Outgoing, VNET_HEADER, send_messages};
pub(super) use ring::{Ring, Slot};
pub(super) use socket::Socket;
#[cfg(test)]
pub(super) use socket::{enter_new_network, thread_id};
pub(super) use tun::{
    TapLosses, open_tap, open_tap_queues, set_tap_offload, tun_offload, write_frame,
};

use std::io;

/// The value of a system call that returns -1 and errno on failure.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}
