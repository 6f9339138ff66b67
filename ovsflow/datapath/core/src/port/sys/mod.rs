//! System calls with a safe face.  The only place of the crate that uses `unsafe`.
//!
//! Descriptors are `OwnedFd`, so that they close by themselves; each call returns `io::Result`.

#![allow(unsafe_code, reason = "system calls; each block says why it is sound")]

mod event;

pub(super) use event::Event;

use std::io;

/// The value of a system call that returns -1 and errno on failure.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}
