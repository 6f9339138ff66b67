//! A ring of small frames that the kernel fills and we read, without a call for any of them.
//!
//! The kernel copies each frame that a packet socket receives into the next slot.  One that does not
//! fit is queued at the socket as if there were no ring, and its slot says so: thus small frames cost
//! no call, large ones no copy more, and their order is told.  Source: packet_mmap in the kernel's
//! documentation, TPACKET_V2 and PACKET_COPY_THRESH.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Socket, VNET_HEADER};

/// Bytes of a slot: its header, 24 bytes of margin, and a frame of up to 180 bytes.
const SLOT: usize = 256;
/// Slots: a third of a second and more of 17,500 frames a second.
const SLOTS: usize = 8192;
/// Slots lie in blocks of this many bytes, each in one piece of the kernel's memory.
const BLOCK: usize = 1 << 16;
const BYTES: usize = SLOT * SLOTS;

/// PACKET_VERSION's TPACKET_V2.
const VERSION: i32 = 1;

/// Bits of a slot's status.
const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 0x01;
const STATUS_COPY: u32 = 0x02;
const STATUS_VLAN_VALID: u32 = 0x10;
const STATUS_VLAN_TPID_VALID: u32 = 0x40;

/// Where numbers stand in `struct tpacket2_hdr`, all in host order: two of 4 bytes and one, then three
/// of 2 bytes.
const LEN: usize = 4;
const CAPTURED: usize = 8;
const MAC: usize = 12;
const VLAN_TCI: usize = 24;
const VLAN_TPID: usize = 26;

/// What a slot holds.
pub(in crate::port) enum Slot<'a> {
    /// A frame, the virtio-net header before it, and TPID and TCI of a tag that was taken off.
    Frame {
        vnet: &'a [u8; VNET_HEADER],
        frame: &'a [u8],
        tag: Option<(u16, u16)>,
    },
    /// A frame that waits in the socket's queue.
    Queued,
    /// A frame that was too long, and for which the queue had no room.
    Lost,
}

/// The ring of one socket.
pub(in crate::port) struct Ring {
    memory: NonNull<u8>,
    /// The slot that is read next.
    next: usize,
}

// SAFETY: the memory belongs to this value alone, and the kernel that shares it knows no threads.
unsafe impl Send for Ring {}

impl Ring {
    /// Gives a packet socket that is not bound yet, and has virtio-net headers, a ring.
    pub(in crate::port) fn new(socket: &Socket) -> io::Result<Self> {
        socket.set(libc::SOL_PACKET, libc::PACKET_VERSION, VERSION)?;
        socket.set(libc::SOL_PACKET, libc::PACKET_COPY_THRESH, 1)?;
        // struct tpacket_req: bytes of a block, blocks, bytes of a slot, slots.
        let request =
            [BLOCK, BYTES / BLOCK, SLOT, SLOTS].map(|number| (number as u32).to_ne_bytes());
        socket.set_bytes(
            libc::SOL_PACKET,
            libc::PACKET_RX_RING,
            request.as_flattened(),
        )?;
        // SAFETY: a new mapping at an address that the kernel picks; nothing else is touched.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(memory.cast::<u8>()) {
            Some(memory) if memory.as_ptr().cast() != libc::MAP_FAILED => {
                Ok(Self { memory, next: 0 })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What stands `ahead` slots behind the one that is read next; `None` where the kernel has not
    /// written yet.
    pub(in crate::port) fn peek(&self, ahead: usize) -> Option<Slot<'_>> {
        let index = (self.next + ahead) % SLOTS;
        let status = self.status(index).load(Ordering::Acquire);
        if ahead >= SLOTS || status & STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the slot lies inside the mapping, which lives as long as `self`.  Its status says
        // that the kernel has done with it, and only `release`, which excludes borrows, gives it back.
        let slot = unsafe { std::slice::from_raw_parts(self.slot(index), SLOT) };
        Some(if status & STATUS_COPY != 0 {
            Slot::Queued
        } else {
            read(slot, status).unwrap_or(Slot::Lost)
        })
    }

    /// Gives the next `count` slots, which have been read, back to the kernel.
    pub(in crate::port) fn release(&mut self, count: usize) {
        for _ in 0..count {
            self.status(self.next)
                .store(STATUS_KERNEL, Ordering::Release);
            self.next = (self.next + 1) % SLOTS;
        }
    }

    fn slot(&self, index: usize) -> *mut u8 {
        // SAFETY: the mapping has SLOTS slots of SLOT bytes.
        unsafe { self.memory.as_ptr().add(index % SLOTS * SLOT) }
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        const { assert!(SLOT % size_of::<AtomicU32>() == 0) };
        // SAFETY: a slot begins with its status, aligned as the mapping and SLOT are; the kernel and
        // we access it by whole words only.
        unsafe { AtomicU32::from_ptr(self.slot(index).cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, and nobody holds a slot any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), BYTES) };
    }
}

/// Reads a slot; `None` for a frame that is not there whole.
fn read(slot: &[u8], status: u32) -> Option<Slot<'_>> {
    let word = |at: usize| Some(u32::from_ne_bytes(*slot.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(u16::from_ne_bytes(*slot.get(at..)?.first_chunk()?));
    let (start, captured) = (usize::from(half(MAC)?), word(CAPTURED)?);
    if captured != word(LEN)? {
        return None;
    }
    let tag = match status & STATUS_VLAN_VALID {
        0 => None,
        _ if status & STATUS_VLAN_TPID_VALID == 0 => Some((0x8100, half(VLAN_TCI)?)),
        _ => Some((half(VLAN_TPID)?, half(VLAN_TCI)?)),
    };
    Some(Slot::Frame {
        vnet: slot.get(start.checked_sub(VNET_HEADER)?..)?.first_chunk()?,
        frame: slot.get(start..start + captured as usize)?,
        tag,
    })
}
