//! TAP devices: a network device whose other end is a descriptor.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

#[cfg(test)]
use super::Absent;
use super::check;
use super::device::{IFREQ, NAME, device_name};
use super::steer::steering_program;

/// ioctl requests and flags of <linux/if_tun.h>; the installed header may be older than the kernel.
const TUNSETIFF: u32 = 0x4004_54ca;
const TUNSETOFFLOAD: u32 = 0x4004_54d0;
const TUNSETVNETHDRSZ: u32 = 0x4004_54d8;
const TUNSETSTEERINGEBPF: u32 = 0x8004_54e0;
const TUNGETIFF: u32 = 0x8004_54d2;
const TUNGETDEVNETNS: u32 = 0x54e3;
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const IFF_MULTI_QUEUE: u16 = 0x0100;

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
    open_queue(name, header, 0)
}

/// Makes a TAP device of several queues, between which flows are divided; see [`open_tap`].
pub(in crate::port) fn open_tap_queues(
    name: &str,
    header: i32,
    queues: usize,
) -> io::Result<(Vec<File>, String)> {
    let steering = steering_program()?;
    let (file, name) = open_queue(name, header, IFF_MULTI_QUEUE)?;
    let program = steering.as_raw_fd();
    // SAFETY: the call reads one int.
    check(unsafe {
        libc::ioctl(
            file.as_raw_fd(),
            TUNSETSTEERINGEBPF as _,
            &raw const program,
        )
    })?;
    let more = (1..queues).map(|_| Ok(open_queue(&name, header, IFF_MULTI_QUEUE)?.0));
    let files = std::iter::once(Ok(file)).chain(more);
    Ok((files.collect::<io::Result<_>>()?, name))
}

/// One queue of a TAP device, which is made if it is not there.
fn open_queue(name: &str, header: i32, kind: u16) -> io::Result<(File, String)> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")?;
    let mut request = [0_u8; IFREQ];
    request[..NAME].copy_from_slice(&device_name(name)?);
    let flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | kind;
    request[NAME..NAME + 2].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: `request` is a whole ifreq, which the call reads and writes.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF as _, request.as_mut_ptr()) })?;
    // SAFETY: the call reads one int.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETVNETHDRSZ as _, &raw const header) })?;
    Ok((file, name_in(&request)))
}

/// The name at the start of an ifreq.
fn name_in(request: &[u8; IFREQ]) -> String {
    let name = request[..NAME].split(|byte| *byte == 0).next();
    String::from_utf8_lossy(name.unwrap_or(&[])).into_owned()
}

/// What a TAP device is called now: people rename devices.
fn tap_name(tap: &File) -> io::Result<String> {
    let mut request = [0_u8; IFREQ];
    // SAFETY: `request` is a whole ifreq, which the call writes.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), TUNGETIFF as _, request.as_mut_ptr()) })?;
    Ok(name_in(&request))
}

/// What the kernel counts for a TAP device, which may be renamed and moved to other namespaces.
pub(in crate::port) struct TapLosses {
    tap: Arc<File>,
    /// The list of devices of the namespace that the device was last seen in.
    devices: File,
    known: u64,
}

impl TapLosses {
    /// Counts from now on.
    pub(in crate::port) fn new(tap: Arc<File>) -> io::Result<Self> {
        let devices = open_device_list()?;
        let mut losses = Self {
            tap,
            devices,
            known: 0,
        };
        losses.known = losses.count().unwrap_or(0);
        Ok(losses)
    }

    /// Frames that found no room in the device's queue since the last call.
    pub(in crate::port) fn take(&mut self) -> io::Result<u64> {
        let count = match self.count() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.devices = self.follow()?;
                self.count()?
            }
            count => count?,
        };
        // A device in a new namespace may count from 0.
        let new = count.checked_sub(self.known).unwrap_or(count);
        self.known = count;
        Ok(new)
    }

    /// Frames that the device has dropped on their way to us.
    fn count(&self) -> io::Result<u64> {
        let name = tap_name(&self.tap)?;
        let mut text = String::new();
        (&self.devices).rewind()?;
        (&self.devices).read_to_string(&mut text)?;
        dropped(&text, &name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The list of devices of the namespace that the device has moved to.
    fn follow(&self) -> io::Result<File> {
        // SAFETY: the call takes no pointer; the new descriptor is owned by nobody else.
        let namespace = unsafe {
            let fd = check(libc::ioctl(self.tap.as_raw_fd(), TUNGETDEVNETNS as _))?;
            OwnedFd::from_raw_fd(fd)
        };
        let visit = move || {
            // SAFETY: the call takes a live descriptor, and changes what this thread sees.
            check(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })?;
            open_device_list()
        };
        // A thread of its own, because a thread keeps to its namespace.
        let visited = std::thread::Builder::new().spawn(visit)?.join();
        visited.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }
}

fn open_device_list() -> io::Result<File> {
    File::open("/proc/thread-self/net/dev")
}

/// What /proc/net/dev tells of frames that device `name` dropped while sending: the device sends
/// what we receive.  After the name come eight numbers of receiving, then those of sending: bytes,
/// packets, errors, drops.
fn dropped(devices: &str, name: &str) -> Option<u64> {
    let lines = devices.lines().filter_map(|line| line.split_once(':'));
    let (_, numbers) = lines.into_iter().find(|(other, _)| other.trim() == name)?;
    numbers.split_whitespace().nth(11)?.parse().ok()
}

/// Writes a frame behind its virtio-net header to a TAP device, which takes it whole or not at all.
pub(in crate::port) fn write_frame(tap: &File, slices: &[IoSlice<'_>]) -> io::Result<()> {
    #[cfg(test)]
    super::absent::check_frame(slices)?;
    (&*tap).write_vectored(slices).map(|_| ())
}

/// Tells a TAP device what its host may leave to us.
pub(in crate::port) fn set_tap_offload(file: &File, offload: u32) -> io::Result<()> {
    #[cfg(test)]
    super::absent::check(|what| matches!(what, Absent::Offloads(bits) if bits & offload != 0))?;
    let offload = libc::c_ulong::from(offload);
    // SAFETY: the call takes a number, no pointer.
    check(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETOFFLOAD as _, offload) }).map(|_| ())
}
