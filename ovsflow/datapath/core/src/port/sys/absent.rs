//! For tests: what the kernel is to lack, seen from the calling thread.

use std::cell::RefCell;
use std::io::{self, IoSlice};

use super::{Control, VNET_HEADER};

/// Something that some kernels do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::port) enum Absent {
    /// A socket option, by level and name.
    Option(i32, i32),
    /// Offloads of TAP devices; a set with any of them is refused.
    Offloads(u32),
    /// Programs loaded by bpf(2).
    Programs,
    /// Frames of one segmentation, by the number of a virtio-net header.
    Segmentation(u8),
    /// A control message of what is sent, by level and kind; and what the kernel says to it.
    Control(i32, i32, i32),
}

thread_local! {
    static ABSENT: RefCell<Vec<Absent>> = const { RefCell::new(Vec::new()) };
}

/// Does `work` as on a kernel without `what`.
pub(in crate::port) fn without<T>(what: &[Absent], work: impl FnOnce() -> T) -> T {
    ABSENT.set(what.to_vec());
    let result = work();
    ABSENT.take();
    result
}

/// Fails as the kernel does where one is absent that a frame needs, by its virtio-net header.
pub(super) fn check_frame(slices: &[IoSlice<'_>]) -> io::Result<()> {
    let header = slices.first().filter(|header| header.len() >= VNET_HEADER);
    let needs = |what| header.is_some_and(|header| what == Absent::Segmentation(header[1]));
    check(needs).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Fails as the kernel does where one is absent that the control messages of a datagram need.
pub(super) fn check_control(control: &Control) -> io::Result<()> {
    let needs = |what: &Absent| match *what {
        Absent::Control(level, kind, _) => control
            .items()
            .any(|(its_level, its_kind, _)| (its_level, its_kind) == (level, kind)),
        _ => false,
    };
    match ABSENT.with_borrow(|absent| absent.iter().copied().find(needs)) {
        Some(Absent::Control(_, _, errno)) => Err(io::Error::from_raw_os_error(errno)),
        _ => Ok(()),
    }
}

/// Fails as the kernel does where one of those that `is_wanted` is absent.
pub(super) fn check(is_wanted: impl Fn(Absent) -> bool) -> io::Result<()> {
    match ABSENT.with_borrow(|absent| absent.iter().any(|one| is_wanted(*one))) {
        true => Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT)),
        false => Ok(()),
    }
}
