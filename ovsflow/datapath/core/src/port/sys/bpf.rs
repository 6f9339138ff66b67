//! Programs for the kernel: loading one, and hanging one on a device's ingress hook.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

#[cfg(test)]
use super::Absent;

/// bpf(2) commands and types; the installed headers may be older than the kernel.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_TCX_INGRESS: u32 = 46;

/// What a program is for.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum ProgramKind {
    /// BPF_PROG_TYPE_SOCKET_FILTER.
    SocketFilter = 1,
    /// BPF_PROG_TYPE_SCHED_CLS.
    Classifier = 3,
}

/// The first fields of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct LoadProgram {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

/// The first fields of `union bpf_attr` for BPF_LINK_CREATE.
#[repr(C)]
#[derive(Default)]
struct CreateLink {
    program: u32,
    target_index: u32,
    attach_type: u32,
    flags: u32,
    relative_to: u32,
    padding: u32,
    expected_revision: u64,
}

/// Loads a program; it lives as long as somebody holds it.
pub(super) fn load(kind: ProgramKind, instructions: &[u64]) -> io::Result<OwnedFd> {
    #[cfg(test)]
    super::absent::check(|what| what == Absent::Programs)?;
    let license = c"Apache-2.0";
    let load = LoadProgram {
        program_type: kind as u32,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..LoadProgram::default()
    };
    // SAFETY: the structure's pointers lead to a live slice of as many instructions as it says,
    // and to a constant.
    unsafe { bpf(BPF_PROG_LOAD, &load) }
}

/// Runs a program on each frame that a device receives, while the link lives.
pub(super) fn attach_ingress(program: &OwnedFd, device_index: u32) -> io::Result<OwnedFd> {
    let link = CreateLink {
        program: program.as_raw_fd() as u32,
        target_index: device_index,
        attach_type: BPF_TCX_INGRESS,
        ..CreateLink::default()
    };
    // SAFETY: the structure holds no pointer.
    unsafe { bpf(BPF_LINK_CREATE, &link) }
}

/// One bpf(2) call that returns a descriptor.
///
/// # Safety
///
/// `attributes` must have the layout that `command` reads, and its pointers must be good.
unsafe fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the structure is read for its own size only; what its pointers lead to is the
    // caller's promise.  The descriptor returned is owned by nobody else.
    unsafe {
        let fd = libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        );
        match fd {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd as libc::c_int)),
        }
    }
}
