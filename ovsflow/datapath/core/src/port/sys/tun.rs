//! TAP devices: a network device whose other end is a descriptor.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use super::check;
use super::device::{IFREQ, NAME, device_name};

/// ioctl requests and flags of <linux/if_tun.h>; the installed header may be older than the kernel.
const TUNSETIFF: u32 = 0x4004_54ca;
const TUNSETOFFLOAD: u32 = 0x4004_54d0;
const TUNSETVNETHDRSZ: u32 = 0x4004_54d8;
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;

/// What a TAP device may leave to us.
pub(in crate::port) mod tun_offload {
    pub(in crate::port) const CSUM: u32 = 0x01;
    pub(in crate::port) const TSO4: u32 = 0x02;
    pub(in crate::port) const TSO6: u32 = 0x04;
    pub(in crate::port) const TSO_ECN: u32 = 0x08;
    pub(in crate::port) const USO4: u32 = 0x20;
    pub(in crate::port) const USO6: u32 = 0x40;
    pub(in crate::port) const UDP_TUNNEL_GSO: u32 = 0x80;
}

/// Makes TAP device `name` (`%d` in it stands for a free number), with a virtio-net header of
/// `header` bytes before each frame; tells its name.  It is gone when the file is closed.
pub(in crate::port) fn open_tap(name: &str, header: i32) -> io::Result<(File, String)> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")?;
    let mut request = [0_u8; IFREQ];
    request[..NAME].copy_from_slice(&device_name(name)?);
    let flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    request[NAME..NAME + 2].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: `request` is a whole ifreq, which the call reads and writes.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF as _, request.as_mut_ptr()) })?;
    // SAFETY: the call reads one int.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETVNETHDRSZ as _, &raw const header) })?;
    let name = request[..NAME]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or(&[]);
    Ok((file, String::from_utf8_lossy(name).into_owned()))
}

/// Tells a TAP device what its host may leave to us.
pub(in crate::port) fn set_tap_offload(file: &File, offload: u32) -> io::Result<()> {
    let offload = libc::c_ulong::from(offload);
    // SAFETY: the call takes a number, no pointer.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETOFFLOAD as _, offload) }).map(|_| ())
}
