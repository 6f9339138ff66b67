//! A network device that the switch makes: a port of kind `tap`, and the LOCAL port
//! (`internal`), through which the host itself takes part.
//!
//! The device lives as long as the port.  Each frame carries a virtio-net header, so that the
//! host may leave checksums and segmentation to us and we to it.

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bundle::Bundles;
use super::fit::{cut, cut_odd_shapes, lose, refusal};
use super::open::{
    OpenError, OpenPort, PortFacts, Request, STATE_LINK_DOWN, STATE_LIVE, SenderFactory, shared_by,
    unbundled,
};
use super::sys::{
    Device, TapLosses, VNET_HEADER, open_tap, open_tap_queues, set_tap_offload, tun_offload,
    write_frame,
};
use super::way::Way;
use super::{BATCH_SIZE, Batch, Intake, PortCounters, Receiver, Sender, virtio};
use crate::error::DropReason;
use crate::packet::gso::complete_crc;
use crate::packet::{LARGE_FRAME, Packet, Pool, PortNo};
use crate::time::Now;

/// Frames that may wait in the kernel to be received: half a second of 17,500 small ones a second.
const QUEUE_LENGTH: u32 = 8192;

/// What the host may leave to us, the most that some kernel offers first.
const OFFLOADS: [(u32, &str); 4] = [
    (
        tun_offload::CSUM
            | tun_offload::TSO4
            | tun_offload::TSO6
            | tun_offload::TSO_ECN
            | tun_offload::USO4
            | tun_offload::USO6,
        "checksum, TCP and UDP segmentation",
    ),
    (
        tun_offload::CSUM | tun_offload::TSO4 | tun_offload::TSO6 | tun_offload::TSO_ECN,
        "checksum and TCP segmentation",
    ),
    (tun_offload::CSUM, "checksum"),
    (0, "no offload"),
];

/// Makes the device that the port is named after.
pub(super) fn open(request: &mut Request<'_>) -> Result<OpenPort, OpenError> {
    request.options.finish()?;
    let (files, name) = open_queues(request.name, request.receivers)?;
    let offered = OFFLOADS
        .iter()
        .find(|(offload, _)| set_tap_offload(&files[0], *offload).is_ok());
    let device = Device::find(&name)?;
    // A shorter queue loses packets sooner; it is no reason not to open the port.
    let _ = device.set_queue_length(QUEUE_LENGTH);
    let mut losses = Some(TapLosses::new(files[0].clone())?);
    let receiver = |file: &Arc<File>| TapReceiver {
        number: request.number,
        losses: losses.take(),
        file: file.clone(),
        spare: None,
    };
    let receivers = files.iter().map(receiver);
    let receivers = receivers.map(|one| Box::new(one) as _).collect();
    let facts = PortFacts {
        hw_addr: device.hw_addr()?,
        mtu: device.mtu()?,
        state: match device.flags()?.is_running() {
            true => STATE_LIVE,
            false => STATE_LINK_DOWN,
        },
        speed: device.speed(),
        tunnel: None,
    };
    let bundles = Way::new(true);
    let backend = TapBackend {
        offload: offered.map_or("no offload", |(_, text)| text),
        receivers: files.len(),
        bundles: bundles.clone(),
    };
    Ok(OpenPort {
        receivers,
        sender: Box::new(TapSenders {
            files,
            bundles,
            made: AtomicUsize::new(0),
        }),
        backend: Box::new(backend),
        facts,
        memory: None,
    })
}

/// How frames come and go.
struct TapBackend {
    /// What the host leaves to us.
    offload: &'static str,
    receivers: usize,
    bundles: Way,
}

impl fmt::Display for TapBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bundles, shared) = (unbundled(&self.bundles), shared_by(self.receivers));
        write!(f, "tap, {}{bundles}{shared}", self.offload)
    }
}

/// As many queues of a device as shall receive; one where the kernel cannot divide flows.
fn open_queues(name: &str, count: usize) -> io::Result<(Vec<Arc<File>>, String)> {
    let header = VNET_HEADER as i32;
    let several = match count {
        0 | 1 => None,
        _ => open_tap_queues(name, header, count).ok(),
    };
    let (files, name) = match several {
        Some(several) => several,
        None => {
            let (file, name) = open_tap(name, header)?;
            (vec![file], name)
        }
    };
    Ok((files.into_iter().map(Arc::new).collect(), name))
}

struct TapReceiver {
    number: PortNo,
    file: Arc<File>,
    /// What the device has lost, told by the first of its receivers.
    losses: Option<TapLosses>,
    /// The packet that found nothing to read.
    spare: Option<Box<Packet>>,
}

impl Receiver for TapReceiver {
    fn fd(&self) -> Option<RawFd> {
        Some(self.file.as_raw_fd())
    }

    fn receive(&mut self, _now: Now, intake: &mut Intake<'_>) -> io::Result<bool> {
        for _ in 0..BATCH_SIZE {
            let mut packet = self.spare.take().unwrap_or_else(|| intake.pool.take());
            if packet.space().len() < LARGE_FRAME {
                intake.pool.give(packet);
                packet = Box::new(Packet::with_capacity(LARGE_FRAME));
            }
            let mut header = [0; VNET_HEADER];
            let mut slices = [
                IoSliceMut::new(&mut header),
                IoSliceMut::new(packet.space()),
            ];
            let len = match (&*self.file).read_vectored(&mut slices) {
                Ok(len) => len,
                Err(error) => {
                    self.spare = Some(packet);
                    return match error.raw_os_error() {
                        Some(libc::EAGAIN | libc::EINTR) => Ok(false),
                        _ => Err(error),
                    };
                }
            };
            packet.set_len(len.saturating_sub(VNET_HEADER));
            let Some(offload) = virtio::decode(&header) else {
                intake.counters.rx_errors += 1;
                intake.counters.rx_drops.add(DropReason::RxError, 1);
                intake.pool.give(packet);
                continue;
            };
            packet.offload = offload;
            complete_crc(&mut packet);
            packet.in_port = self.number;
            intake.counters.rx_packets += 1;
            intake.counters.rx_bytes += packet.len() as u64;
            intake.batch.push(packet);
        }
        Ok(true)
    }

    fn note_losses(&mut self, counters: &mut PortCounters) {
        // A device that is gone, or that we may not follow, has nothing more to tell.
        let losses = self.losses.as_mut().map(TapLosses::take);
        let losses = losses.and_then(Result::ok).unwrap_or(0);
        counters.rx_drops.add(DropReason::RxQueueFull, losses);
    }
}

struct TapSenders {
    files: Vec<Arc<File>>,
    /// Equal datagrams as one frame.
    bundles: Way,
    /// Senders made so far: they take turns in what they write to.
    made: AtomicUsize,
}

impl SenderFactory for TapSenders {
    fn sender(&self) -> io::Result<Box<dyn Sender>> {
        let turn = self.made.fetch_add(1, Ordering::Relaxed) % self.files.len();
        Ok(Box::new(TapSender {
            file: self.files[turn].clone(),
            bundles: Bundles::new(&self.bundles),
        }))
    }
}

struct TapSender {
    file: Arc<File>,
    bundles: Bundles,
}

impl TapSender {
    fn write(&self, packet: &Packet) -> io::Result<()> {
        let header = virtio::encode(packet);
        let slices = [IoSlice::new(&header), IoSlice::new(packet.bytes())];
        write_frame(&self.file, &slices)
    }

    /// Writes a packet, or its segments if the kernel does not take the whole.
    fn write_or_cut(
        &self,
        packet: &Packet,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) -> Written {
        match self.write(packet) {
            Ok(()) => Written::Whole,
            Err(error) if packet.offload.gso.is_some() && is_einval(&error) => {
                let mut pieces = Batch::new();
                cut(packet, pool, &mut pieces, counters);
                for piece in pieces.drain(..) {
                    match self.write(&piece) {
                        Ok(()) => {
                            counters.tx_packets += 1;
                            counters.tx_bytes += piece.len() as u64;
                        }
                        Err(error) => lose(reason(&error), counters),
                    }
                    pool.give(piece);
                }
                Written::InPieces
            }
            Err(error) => Written::Not(reason(&error)),
        }
    }
}

/// What became of a packet.
enum Written {
    Whole,
    /// Segment by segment; they are counted.
    InPieces,
    Not(DropReason),
}

fn is_einval(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// Why the host refused a frame; a TAP device that is down answers EIO.
fn reason(error: &io::Error) -> DropReason {
    match error.raw_os_error() {
        Some(libc::EIO) => DropReason::PortDown,
        _ => refusal(error),
    }
}

impl Sender for TapSender {
    fn send(
        &mut self,
        _now: Now,
        packets: &mut Batch,
        pool: &mut Pool,
        counters: &mut PortCounters,
    ) {
        cut_odd_shapes(packets, pool, counters);
        self.bundles.make(packets, pool);
        let counts = self.bundles.counts();
        for (index, packet) in packets.drain(..).enumerate() {
            match self.write_or_cut(&packet, pool, counters) {
                Written::Whole => counts.count_sent(index, &packet, counters),
                Written::InPieces => self.bundles.note_refused(counts.packets(index)),
                Written::Not(reason) => {
                    (0..counts.packets(index)).for_each(|_| lose(reason, counters));
                }
            }
            pool.give(packet);
        }
    }
}

#[cfg(test)]
mod tests;
