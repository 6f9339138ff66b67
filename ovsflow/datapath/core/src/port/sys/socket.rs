//! A non-blocking socket, its options and its address.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

#[cfg(test)]
use super::Absent;
use super::{Address, check};

/// SO_MEMINFO: its numbers, and which of them counts drops; the installed headers may be older.
const SO_MEMINFO: i32 = 55;
const MEMINFO_NUMBERS: usize = 9;
const MEMINFO_DROPS: usize = 8;

/// A socket, non-blocking and closed on exec.
#[derive(Debug)]
pub(in crate::port) struct Socket(OwnedFd);

impl Socket {
    pub(in crate::port) fn new(domain: i32, kind: i32, protocol: i32) -> io::Result<Self> {
        let kind = kind | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the call takes no pointer; the new descriptor is owned by nobody else.
        unsafe {
            let fd = check(libc::socket(domain, kind, protocol))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Binds to an address in the kernel's own form.
    pub(in crate::port) fn bind(&self, address: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length are those of one live slice, which the call only reads.
        let result = unsafe {
            libc::bind(
                self.as_raw_fd(),
                address.as_ptr().cast(),
                address.len() as libc::socklen_t,
            )
        };
        check(result).map(|_| ())
    }

    /// Sets where datagrams go by default.
    pub(in crate::port) fn connect(&self, address: &[u8]) -> io::Result<()> {
        // SAFETY: pointer and length are those of one live slice, which the call only reads.
        let result = unsafe {
            libc::connect(
                self.as_raw_fd(),
                address.as_ptr().cast(),
                address.len() as libc::socklen_t,
            )
        };
        check(result).map(|_| ())
    }

    /// The value of an option that is an `int`.
    pub(in crate::port) fn option(&self, level: i32, name: i32) -> io::Result<i32> {
        let mut value: libc::c_int = 0;
        let mut len = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `value` is writable for the `len` bytes that the kernel is told of.
        let result = unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                level,
                name,
                (&raw mut value).cast(),
                &raw mut len,
            )
        };
        check(result)?;
        Ok(value)
    }

    /// The address that the socket is bound to.
    pub(in crate::port) fn local_address(&self) -> io::Result<Address> {
        let mut address = Address::EMPTY;
        let room = address.room();
        let mut len = room.len() as libc::socklen_t;
        // SAFETY: `room` is writable for `len` bytes; the kernel writes no more than that.
        let result =
            unsafe { libc::getsockname(self.as_raw_fd(), room.as_mut_ptr().cast(), &raw mut len) };
        check(result)?;
        Ok(address)
    }

    /// Sets an option whose value is an `int`.
    pub(in crate::port) fn set(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        self.set_bytes(level, name, &value.to_ne_bytes())
    }

    /// Sets an option whose value is a structure.
    pub(in crate::port) fn set_bytes(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        super::absent::check(|what| what == Absent::Option(level, name))?;
        // SAFETY: pointer and length are those of one live slice, which the call only reads.
        let result = unsafe {
            libc::setsockopt(
                self.as_raw_fd(),
                level,
                name,
                value.as_ptr().cast(),
                value.len() as libc::socklen_t,
            )
        };
        check(result).map(|_| ())
    }

    /// The value of an option that is a structure of `N` native numbers.
    fn numbers<const N: usize>(&self, level: i32, name: i32) -> io::Result<[u32; N]> {
        let mut value = [0_u32; N];
        let mut len = size_of_val(&value) as libc::socklen_t;
        // SAFETY: `value` is writable for the `len` bytes that the kernel is told of.
        let result = unsafe {
            libc::getsockopt(
                self.as_raw_fd(),
                level,
                name,
                value.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        check(result)?;
        Ok(value)
    }

    /// Frames that a packet socket has lost for want of room since the last call.
    pub(in crate::port) fn take_packet_losses(&self) -> io::Result<u32> {
        // struct tpacket_stats: frames and losses; reading sets both to 0.
        let [_, losses] = self.numbers(libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
        Ok(losses)
    }

    /// Datagrams that the socket has lost for want of room in its life, modulo 2^32.
    pub(in crate::port) fn losses(&self) -> io::Result<u32> {
        let numbers: [u32; MEMINFO_NUMBERS] = self.numbers(libc::SOL_SOCKET, SO_MEMINFO)?;
        Ok(numbers[MEMINFO_DROPS])
    }

    /// Lets nothing arrive until [`Self::accept`].
    pub(in crate::port) fn refuse(&self) -> io::Result<()> {
        // `return 0`, which keeps no byte of a packet.
        let program = libc::sock_filter {
            code: (libc::BPF_RET | libc::BPF_K) as u16,
            jt: 0,
            jf: 0,
            k: 0,
        };
        let filter = libc::sock_fprog {
            len: 1,
            filter: (&raw const program).cast_mut(),
        };
        // SAFETY: the structure is passed with its own size; it and the program that it leads to
        // live through the call, which only reads them.
        let result = unsafe {
            libc::setsockopt(
                self.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const filter).cast(),
                size_of_val(&filter) as libc::socklen_t,
            )
        };
        check(result).map(|_| ())
    }

    /// Ends what [`Self::refuse`] began.
    pub(in crate::port) fn accept(&self) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_DETACH_FILTER, 0)
    }

    /// Asks for buffers of `bytes`; past the system's limit when we may, up to it otherwise.
    pub(in crate::port) fn grow_buffers(&self, bytes: i32) {
        for (force, plain) in [
            (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
            (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        ] {
            if self.set(libc::SOL_SOCKET, force, bytes).is_err() {
                // A smaller buffer loses packets sooner; it is no reason not to open the port.
                let _ = self.set(libc::SOL_SOCKET, plain, bytes);
            }
        }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Puts the calling thread in a new, empty network namespace, which ends with the thread.
#[cfg(test)]
pub(in crate::port) fn enter_new_network() -> io::Result<()> {
    // SAFETY: the call takes a flag, and changes only what the calling thread sees.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(|_| ())
}

/// The calling thread's id, which names its network namespace to `ip link set netns`.
#[cfg(test)]
pub(in crate::port) fn thread_id() -> i32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::gettid() }
}
