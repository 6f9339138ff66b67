//! Super-frames as trains of datagrams through UDP sockets.
//!
//! The headers of each segment are written out, the payload is gathered from where it lies, and
//! the kernel cuts one long datagram at every segment (UDP_SEGMENT).  Where the device cannot do
//! that, segments go out one by one.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::path::Paths;
use super::plan::Plan;
use super::send::{Refusal, Trains, why};
use super::sockets::{Family, SendSockets};
use crate::error::DropReason;
use crate::packet::gso::Segmenter;
use crate::packet::vxlan::HEADER_LEN;
use crate::packet::{Packet, TunnelConfig};
use crate::port::sys::{Outgoing, Socket, send_messages};
use crate::port::way::Way;

/// Bytes of a datagram that the kernel is to cut.  More would be cut before the device sees it.
pub(super) const TRAIN_BYTES: usize = 65_000;

/// Segments that the kernel takes in one datagram.
const TRAIN_SEGMENTS: usize = 128;

/// UDP_SEGMENT; the installed headers may be older than the kernel.
pub(super) const UDP_SEGMENT: i32 = 103;

/// Sends trains through a port's sockets.
pub(super) struct UdpTrains {
    config: Arc<TunnelConfig>,
    sockets: Arc<SendSockets>,
    /// Headers of a train's segments.
    headers: Vec<u8>,
    /// Whether the kernel cuts trains; never again after it refused once.
    way: Way,
}

impl UdpTrains {
    pub(super) fn new(config: &Arc<TunnelConfig>, sockets: &Arc<SendSockets>, way: &Way) -> Self {
        Self {
            config: config.clone(),
            sockets: sockets.clone(),
            headers: Vec::new(),
            way: way.clone(),
        }
    }

    /// Sends a super-frame as it is.
    fn try_send(&mut self, packet: &Packet, plan: &Plan) -> Result<(), DropReason> {
        let family = self.sockets.family(plan.is_v6);
        let family = family.ok_or(DropReason::TunnelNoRoute)?.clone();
        let segmenter = Segmenter::new(packet).ok_or(DropReason::TunnelSendError)?;
        let mut headers = std::mem::take(&mut self.headers);
        let each = HEADER_LEN + segmenter.header_len();
        headers.clear();
        headers.resize(each * segmenter.count(), 0);
        for (index, header) in headers.chunks_exact_mut(each).enumerate() {
            let (tunnel, inner) = header.split_at_mut(HEADER_LEN);
            tunnel.copy_from_slice(&plan.header);
            segmenter.write_header(index, packet.bytes(), inner);
        }
        let mut slices = Vec::with_capacity(2 * segmenter.count());
        for (index, header) in headers.chunks_exact(each).enumerate() {
            let payload = packet.bytes().get(segmenter.payload(index));
            slices.push(IoSlice::new(header));
            slices.push(IoSlice::new(payload.unwrap_or(&[])));
        }
        let sent = match self.send_cut_by_kernel(&family, plan, &segmenter, &slices) {
            Err((done, error)) if self.must_cut(&error, plan) => {
                let socket = family.plain.get(plan.port);
                send_one_by_one(socket, plan, slices.get(2 * done..).unwrap_or(&[]))
            }
            Err((_, error)) => Err(error),
            Ok(()) => Ok(()),
        };
        self.headers = headers;
        sent.map_err(|error| why(&error, plan))
    }

    /// Sends as few long datagrams as will do, all of about the same length.  On failure tells
    /// how many segments have gone out.
    fn send_cut_by_kernel(
        &self,
        family: &Family,
        plan: &Plan,
        segmenter: &Segmenter,
        slices: &[IoSlice<'_>],
    ) -> Result<(), (usize, io::Error)> {
        let cannot = || (0, io::Error::from_raw_os_error(libc::EIO));
        if !self.way.is_open() {
            return Err(cannot());
        }
        let socket = family.train.get(plan.port).ok_or_else(cannot)?;
        let segment = HEADER_LEN + segmenter.longest();
        let most = (TRAIN_BYTES / segment).clamp(1, TRAIN_SEGMENTS);
        let datagrams = segmenter.count().div_ceil(most);
        let each = segmenter.count().div_ceil(datagrams);
        let mut control = plan.control;
        control.push(
            libc::IPPROTO_UDP,
            UDP_SEGMENT,
            &(segment as u16).to_ne_bytes(),
        );
        let mut done = 0;
        for datagram in slices.chunks(2 * each) {
            let message = Outgoing {
                slices: datagram,
                to: plan.to.as_bytes(),
                control: Some(&control),
            };
            send_messages(socket, &[message]).map_err(|error| (done, error))?;
            done += each;
        }
        Ok(())
    }

    /// Whether a train that the kernel refused is to go out segment by segment: the device has no
    /// checksum offload (and will have none next time), or the path wants fragments.
    fn must_cut(&self, error: &io::Error, plan: &Plan) -> bool {
        match error.raw_os_error() {
            Some(libc::EMSGSIZE) => !self.config.df,
            Some(libc::EINVAL) if plan.source.is_some() => false,
            Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP) => {
                self.way.close();
                true
            }
            _ => false,
        }
    }
}

impl Trains for UdpTrains {
    fn send(&mut self, packet: &mut Packet, plan: &Plan, paths: &mut Paths) -> Result<(), Refusal> {
        let mut sent = self.try_send(packet, plan);
        if sent == Err(DropReason::TunnelOversize) && paths.shorten(packet, plan.destination) {
            sent = self.try_send(packet, plan);
        }
        sent.map_err(Refusal::Lost)
    }
}

/// Sends segments as datagrams of their own; each is a header and its payload.
fn send_one_by_one(socket: Option<&Socket>, plan: &Plan, slices: &[IoSlice<'_>]) -> io::Result<()> {
    let Some(socket) = socket else {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    };
    let message = |slices| Outgoing {
        slices,
        to: plan.to.as_bytes(),
        control: Some(&plan.control),
    };
    let messages: Vec<_> = slices.chunks(2).map(message).collect();
    let mut rest = messages.as_slice();
    while !rest.is_empty() {
        let sent = send_messages(socket, rest)?;
        rest = rest.get(sent.max(1)..).unwrap_or(&[]);
    }
    Ok(())
}
