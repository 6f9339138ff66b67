//! An eventfd: a flag that one thread raises and another waits for in epoll.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// A flag with a descriptor that is readable while it is raised.
pub(in crate::port) struct Event(File);

impl Event {
    pub(in crate::port) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer; the new descriptor is owned by nobody else.
        let fd = unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self(File::from(fd)))
    }

    pub(in crate::port) fn raise(&self) {
        // Fails only when the counter is at its maximum: the flag is raised then.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    pub(in crate::port) fn clear(&self) {
        // Fails only when the flag was not raised.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsRawFd for Event {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
