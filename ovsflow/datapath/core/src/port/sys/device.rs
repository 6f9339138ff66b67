//! What the kernel knows of a network device, by ioctl.

use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;

use super::{Socket, check};

/// Bytes of `struct ifreq`: a name of 16 and a union of 24.
pub(super) const IFREQ: usize = 40;
/// Bytes of a device's name with its terminating zero.
pub(super) const NAME: usize = 16;

/// ETHTOOL_GSET, whose answer holds the speed.
const ETHTOOL_GSET: u32 = 1;

/// IFF_* flags of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::port) struct DeviceFlags(i32);

impl DeviceFlags {
    /// Administratively up, with a carrier.
    pub(in crate::port) fn is_running(self) -> bool {
        let wanted = libc::IFF_UP | libc::IFF_RUNNING;
        self.0 & wanted == wanted
    }
}

/// A network device in the namespace of the thread that looked it up.
pub(in crate::port) struct Device {
    socket: Socket,
    name: [u8; NAME],
    pub(in crate::port) index: u32,
}

impl Device {
    pub(in crate::port) fn find(name: &str) -> io::Result<Self> {
        let c_name = CString::new(name)?;
        // SAFETY: `c_name` is a terminated string that lives through the call.
        let index = unsafe { libc::if_nametoindex(c_name.as_ptr()) };
        if index == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            socket: Socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0)?,
            name: device_name(name)?,
            index,
        })
    }

    /// The device's MTU in bytes, Ethernet header not counted.
    pub(in crate::port) fn mtu(&self) -> io::Result<u32> {
        let answer = self.ask(libc::SIOCGIFMTU)?;
        Ok(u32::from_ne_bytes(field(&answer, NAME)))
    }

    /// The hardware address.
    pub(in crate::port) fn hw_addr(&self) -> io::Result<[u8; 6]> {
        Ok(field(&self.ask(libc::SIOCGIFHWADDR)?, NAME + 2))
    }

    pub(in crate::port) fn flags(&self) -> io::Result<DeviceFlags> {
        let answer = self.ask(libc::SIOCGIFFLAGS)?;
        let flags = u16::from_ne_bytes(field(&answer, NAME));
        Ok(DeviceFlags(i32::from(flags)))
    }

    /// Sets the device up, as `ip link set ... up` does.
    pub(in crate::port) fn set_up(&self) -> io::Result<()> {
        let mut request = self.ask(libc::SIOCGIFFLAGS)?;
        request[NAME] |= libc::IFF_UP as u8;
        // SAFETY: `request` is a whole ifreq, which the call only reads.
        let result = unsafe {
            libc::ioctl(
                self.socket.as_raw_fd(),
                libc::SIOCSIFFLAGS as _,
                request.as_mut_ptr(),
            )
        };
        check(result).map(|_| ())
    }

    /// Sets how many frames may wait in the device's queue.
    pub(in crate::port) fn set_queue_length(&self, frames: u32) -> io::Result<()> {
        let mut request = self.request();
        request[NAME..NAME + 4].copy_from_slice(&frames.to_ne_bytes());
        // SAFETY: `request` is a whole ifreq, which the call only reads.
        let result = unsafe {
            libc::ioctl(
                self.socket.as_raw_fd(),
                libc::SIOCSIFTXQLEN as _,
                request.as_mut_ptr(),
            )
        };
        check(result).map(|_| ())
    }

    /// The link's speed in kbit/s; 0 if the device does not tell.
    pub(in crate::port) fn speed(&self) -> u32 {
        let mut command = [0_u32; 16];
        command[0] = ETHTOOL_GSET;
        let mut request = self.request();
        let pointer = command.as_mut_ptr() as usize;
        request[NAME..NAME + 8].copy_from_slice(&pointer.to_ne_bytes());
        // SAFETY: `request` is a whole ifreq whose data pointer leads to `command`, which has
        // room for the 44 bytes of ethtool_cmd; both live through the call.
        let result = unsafe {
            libc::ioctl(
                self.socket.as_raw_fd(),
                libc::SIOCETHTOOL,
                request.as_mut_ptr(),
            )
        };
        if check(result).is_err() {
            return 0;
        }
        // The low half is the 16-bit field at byte 12, the high half that at byte 28.
        let megabits = command[3] & 0xffff | command[7] << 16;
        match megabits {
            u32::MAX => 0,
            megabits => megabits.saturating_mul(1000),
        }
    }

    fn request(&self) -> [u8; IFREQ] {
        let mut request = [0; IFREQ];
        request[..NAME].copy_from_slice(&self.name);
        request
    }

    fn ask(&self, what: libc::c_ulong) -> io::Result<[u8; IFREQ]> {
        let mut request = self.request();
        // SAFETY: `request` is a whole ifreq; these requests write only inside it.
        let result =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), what as _, request.as_mut_ptr()) };
        check(result)?;
        Ok(request)
    }
}

/// A device's name as a terminated array.
pub(super) fn device_name(name: &str) -> io::Result<[u8; NAME]> {
    let mut bytes = [0; NAME];
    let fits = !name.is_empty() && name.len() < NAME && !name.contains('\0');
    if !fits {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Ok(bytes)
}

/// `N` bytes of an ifreq from `at` on.
fn field<const N: usize>(request: &[u8; IFREQ], at: usize) -> [u8; N] {
    std::array::from_fn(|i| request[at + i])
}
