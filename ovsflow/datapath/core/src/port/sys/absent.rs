//! For tests: what the kernel is to lack, seen from the calling thread.

use std::cell::RefCell;
use std::io;

/// Something that some kernels do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::port) enum Absent {
    /// A socket option, by level and name.
    Option(i32, i32),
    /// Offloads of TAP devices; a set with any of them is refused.
    Offloads(u32),
    /// Programs loaded by bpf(2).
    Programs,
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

/// Fails as the kernel does where one of those that `is_wanted` is absent.
pub(super) fn check(is_wanted: impl Fn(Absent) -> bool) -> io::Result<()> {
    match ABSENT.with_borrow(|absent| absent.iter().any(|one| is_wanted(*one))) {
        true => Err(io::Error::from_raw_os_error(libc::ENOPROTOOPT)),
        false => Ok(()),
    }
}
