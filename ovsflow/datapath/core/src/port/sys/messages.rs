//! Batches of datagrams: recvmmsg into pooled packets, sendmmsg from slices.
//!
//! One system call moves up to [`BATCH_SIZE`] datagrams.  On a packet socket each is preceded
//! by a virtio-net header, which is kept beside the frame, not in it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use super::{Address, Control, Socket, check};
use crate::packet::{LARGE_FRAME, Packet, Pool};
use crate::port::{BATCH_SIZE, Batch};

/// Bytes of a virtio-net header as packet sockets speak it.
pub(in crate::port) const VNET_HEADER: usize = 10;

/// Fewest datagrams asked for at a time.
const FEWEST: usize = 8;

/// One datagram that was received, but for its bytes.
#[derive(Clone, Copy)]
struct Slot {
    vnet: [u8; VNET_HEADER],
    from: Address,
    control: Control,
    len: usize,
    cut: bool,
}

/// Room for datagrams to be received into.
pub(in crate::port) struct Inbox {
    /// Empty packets; those that came from the pool last, and are still in the processor's cache, stand
    /// last and are filled first.
    packets: Batch,
    slots: Vec<Slot>,
    vnet: bool,
    /// Datagrams to ask for next; follows what came last.
    ask: usize,
}

/// One datagram as it came.
pub(in crate::port) struct Incoming<'a> {
    pub(in crate::port) packet: Box<Packet>,
    pub(in crate::port) vnet: &'a [u8; VNET_HEADER],
    pub(in crate::port) from: &'a Address,
    pub(in crate::port) control: &'a Control,
    /// Whether bytes were lost because the packet had too little room.
    pub(in crate::port) cut: bool,
}

impl Inbox {
    /// Room for a batch; `vnet` says that each datagram follows a virtio-net header.
    pub(in crate::port) fn new(vnet: bool) -> Self {
        let slot = Slot {
            vnet: [0; VNET_HEADER],
            from: Address::EMPTY,
            control: Control::default(),
            len: 0,
            cut: false,
        };
        Self {
            packets: Batch::with_capacity(BATCH_SIZE),
            slots: vec![slot; BATCH_SIZE],
            vnet,
            ask: FEWEST,
        }
    }

    /// Receives datagrams and hands each to `each`; returns their number, and whether more wait.
    /// A pending error of the socket comes as the call's error.
    pub(in crate::port) fn receive(
        &mut self,
        socket: &Socket,
        pool: &mut Pool,
        each: impl FnMut(Incoming<'_>, &mut Pool),
    ) -> io::Result<(usize, bool)> {
        self.receive_at_most(self.ask, socket, pool, each)
    }

    /// Asks for no more than `most` next time, but for a few.
    pub(in crate::port) fn ask_at_most(&mut self, most: usize) {
        self.ask = self.ask.min(most).max(FEWEST);
    }

    /// The same for `most` datagrams; a batch is the limit.
    pub(in crate::port) fn receive_at_most(
        &mut self,
        most: usize,
        socket: &Socket,
        pool: &mut Pool,
        mut each: impl FnMut(Incoming<'_>, &mut Pool),
    ) -> io::Result<(usize, bool)> {
        let ask = most.min(BATCH_SIZE);
        while self.packets.len() < ask {
            self.packets.push(roomy(pool));
        }
        let received = match self.fill(socket, ask) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        self.ask = (2 * received).clamp(FEWEST, BATCH_SIZE);
        let spare = self.packets.len().saturating_sub(received + self.ask);
        self.packets
            .drain(..spare)
            .for_each(|packet| pool.give(packet));
        for slot in self.slots.iter().take(received) {
            let Some(mut packet) = self.packets.pop() else {
                break;
            };
            packet.set_len(slot.len);
            let incoming = Incoming {
                packet,
                vnet: &slot.vnet,
                from: &slot.from,
                control: &slot.control,
                cut: slot.cut,
            };
            each(incoming, pool);
        }
        Ok((received, received == ask))
    }

    /// One recvmmsg of at most `ask` datagrams; their facts go to `slots`.
    fn fill(&mut self, socket: &Socket, ask: usize) -> io::Result<usize> {
        let mut iovecs = [const { MaybeUninit::<[libc::iovec; 2]>::uninit() }; BATCH_SIZE];
        let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH_SIZE];
        let skip = usize::from(!self.vnet);
        let each = self.packets.iter_mut().rev().zip(&mut self.slots);
        for ((packet, slot), (iovec, header)) in
            each.zip(iovecs.iter_mut().zip(&mut headers)).take(ask)
        {
            let space = packet.space();
            let iovec = iovec.write([
                libc::iovec {
                    iov_base: slot.vnet.as_mut_ptr().cast(),
                    iov_len: VNET_HEADER,
                },
                libc::iovec {
                    iov_base: space.as_mut_ptr().cast(),
                    iov_len: space.len(),
                },
            ]);
            let (name, control) = (slot.from.room(), slot.control.room());
            header.write(message_header(
                (name.as_mut_ptr().cast(), name.len()),
                &mut iovec[skip..],
                (control.as_mut_ptr().cast(), control.len()),
            ));
        }
        // SAFETY: the first `ask` headers were written above (`ask` is at most BATCH_SIZE, and
        // `packets` and `slots` hold as many); their pointers lead into `slots`, `iovecs` and
        // the packets' buffers, all of which live and stay unmoved until the call returns.
        let received = unsafe {
            check(libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr().cast(),
                ask as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            ))?
        } as usize;
        for (slot, header) in self.slots.iter_mut().zip(&headers).take(received) {
            // SAFETY: the first `received` headers are among those written before the call.
            let header = unsafe { header.assume_init_ref() };
            let vnet_len = VNET_HEADER * (1 - skip);
            slot.len = (header.msg_len as usize).saturating_sub(vnet_len);
            slot.cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            slot.control.set_len(header.msg_hdr.msg_controllen);
        }
        Ok(received)
    }
}

/// A packet with room for the largest frame, whatever the pool deals in.
fn roomy(pool: &mut Pool) -> Box<Packet> {
    let mut packet = pool.take();
    if packet.space().len() < LARGE_FRAME {
        pool.give(packet);
        packet = Box::new(Packet::with_capacity(LARGE_FRAME));
    }
    packet
}

/// One datagram to send.
#[derive(Clone, Copy, Default)]
pub(in crate::port) struct Outgoing<'a> {
    /// Its bytes, gathered; where they go; control messages.
    pub(in crate::port) slices: &'a [IoSlice<'a>],
    pub(in crate::port) to: &'a [u8],
    pub(in crate::port) control: Option<&'a Control>,
}

/// Sends the first [`BATCH_SIZE`] of `messages` in order; returns how many the kernel took.
/// An error is the first message's.
pub(in crate::port) fn send_messages(
    socket: &Socket,
    messages: &[Outgoing<'_>],
) -> io::Result<usize> {
    #[cfg(test)]
    let messages = before_absent(messages)?;
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH_SIZE];
    for (header, message) in headers.iter_mut().zip(messages) {
        let control = message.control.map_or(&[][..], Control::as_bytes);
        let mut hdr = message_header(
            (message.to.as_ptr().cast_mut().cast(), message.to.len()),
            &mut [],
            (control.as_ptr().cast_mut().cast(), control.len()),
        );
        // IoSlice is promised to have the layout of iovec.
        hdr.msg_hdr.msg_iov = message.slices.as_ptr().cast_mut().cast();
        hdr.msg_hdr.msg_iovlen = message.slices.len();
        header.write(hdr);
    }
    let count = messages.len().min(BATCH_SIZE);
    // SAFETY: the first `count` headers were written above; their pointers lead to slices that
    // `messages` borrows, and the kernel only reads through them.
    let sent = unsafe {
        check(libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast(),
            count as libc::c_uint,
            libc::MSG_DONTWAIT,
        ))?
    };
    Ok(sent as usize)
}

/// The messages before one that needs what is absent, if that is not the first.
#[cfg(test)]
fn before_absent<'a, 'b>(messages: &'a [Outgoing<'b>]) -> io::Result<&'a [Outgoing<'b>]> {
    for (index, message) in messages.iter().enumerate() {
        let present = match message.control {
            Some(control) => super::absent::check_control(control),
            None => super::absent::check_frame(message.slices),
        };
        match present {
            Err(error) if index == 0 => return Err(error),
            Err(_) => return Ok(&messages[..index]),
            Ok(()) => {}
        }
    }
    Ok(messages)
}

fn message_header(
    (name, name_len): (*mut libc::c_void, usize),
    iovecs: &mut [libc::iovec],
    (control, control_len): (*mut libc::c_void, usize),
) -> libc::mmsghdr {
    libc::mmsghdr {
        msg_hdr: libc::msghdr {
            msg_name: if name_len == 0 {
                std::ptr::null_mut()
            } else {
                name
            },
            msg_namelen: name_len as libc::socklen_t,
            msg_iov: iovecs.as_mut_ptr(),
            msg_iovlen: iovecs.len(),
            msg_control: if control_len == 0 {
                std::ptr::null_mut()
            } else {
                control
            },
            msg_controllen: control_len,
            msg_flags: 0,
        },
        msg_len: 0,
    }
}
