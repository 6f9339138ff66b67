//! The clock that everything goes by.

use crate::time::Now;

/// The time of CLOCK_MONOTONIC, which is Python's `time.monotonic_ns()`.
pub(crate) fn monotonic_now() -> Now {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Now(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
