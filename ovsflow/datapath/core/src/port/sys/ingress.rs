//! Keeps a device's received frames from the host's own network stack.
//!
//! A two-instruction program at the device's ingress hook drops every frame after packet
//! sockets have had their copy.  It hangs on a descriptor: when the port closes, or the process
//! dies, the device is as it was.  Needs tcx (Linux 6.6).

use std::io;
use std::mem::size_of;
use std::os::fd::{FromRawFd, OwnedFd};

/// bpf(2) commands and types; the installed headers may be older than the kernel.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
const BPF_TCX_INGRESS: u32 = 46;

/// `r0 = TCX_DROP; exit`.
const DROP_ALL: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

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

/// While it lives the host does not see what the device receives.
pub(in crate::port) struct IngressBlock {
    _link: OwnedFd,
}

impl IngressBlock {
    pub(in crate::port) fn new(device_index: u32) -> io::Result<Self> {
        let license = c"Apache-2.0";
        let load = LoadProgram {
            program_type: BPF_PROG_TYPE_SCHED_CLS,
            instruction_count: DROP_ALL.len() as u32,
            instructions: DROP_ALL.as_ptr() as u64,
            license: license.as_ptr() as u64,
            ..LoadProgram::default()
        };
        // SAFETY: the structure's pointers lead to constants.
        let program = unsafe { bpf(BPF_PROG_LOAD, &load)? };
        let link = CreateLink {
            program: std::os::fd::AsRawFd::as_raw_fd(&program) as u32,
            target_index: device_index,
            attach_type: BPF_TCX_INGRESS,
            ..CreateLink::default()
        };
        // SAFETY: the structure holds no pointer.
        let link = unsafe { bpf(BPF_LINK_CREATE, &link)? };
        Ok(Self { _link: link })
    }
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
