//! An eventfd: a flag that one thread raises and another waits for in epoll; and an epoll set
//! that makes several descriptors look like one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// A flag with a descriptor that is readable while it is raised.
pub(crate) struct Event(File);

impl Event {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer; the new descriptor is owned by nobody else.
        let fd = unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self(File::from(fd)))
    }

    pub(crate) fn raise(&self) {
        // Fails only when the counter is at its maximum: the flag is raised then.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    pub(crate) fn clear(&self) {
        // Fails only when the flag was not raised.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsRawFd for Event {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A descriptor that is readable while any of those added to it is.
pub(crate) struct Poller(OwnedFd);

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer; the new descriptor is owned by nobody else.
        let fd = unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self(fd))
    }

    /// Watches `fd` for input; it leaves the set when it is closed.
    pub(crate) fn add(&self, fd: RawFd) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: 0,
        };
        // SAFETY: `event` is valid for the call; a bad `fd` is refused by the kernel.
        let result = unsafe {
            libc::epoll_ctl(
                self.0.as_fd().as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd,
                &raw mut event,
            )
        };
        check(result).map(|_| ())
    }

    /// Waits for input, at most `milliseconds` (-1: for ever); returns whether there is some.
    pub(crate) fn wait(&self, milliseconds: i32) -> io::Result<bool> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: room for the one event asked for is passed.
        let result =
            unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, milliseconds) };
        check(result).map(|count| count > 0)
    }
}

impl AsRawFd for Poller {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// A timerfd: readable from the moment asked for.
pub(in crate::port) struct Timer(File);

impl Timer {
    pub(in crate::port) fn new() -> io::Result<Self> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: the call takes no pointer; the new descriptor is owned by nobody else.
        let fd = unsafe {
            let fd = check(libc::timerfd_create(libc::CLOCK_MONOTONIC, flags))?;
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self(File::from(fd)))
    }

    /// Becomes readable once after `nanoseconds`, at least 1.
    pub(in crate::port) fn wake_after(&self, nanoseconds: u64) -> io::Result<()> {
        let zero = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let moment = libc::itimerspec {
            it_interval: zero,
            it_value: libc::timespec {
                tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t,
                tv_nsec: (nanoseconds % 1_000_000_000) as libc::c_long,
            },
        };
        // SAFETY: `moment` is read during the call; no old value is asked for.
        let result = unsafe {
            libc::timerfd_settime(self.as_raw_fd(), 0, &raw const moment, std::ptr::null_mut())
        };
        check(result).map(|_| ())
    }

    pub(in crate::port) fn clear(&self) {
        // Fails only when the moment has not come.
        let _ = (&self.0).read(&mut [0; 8]);
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
