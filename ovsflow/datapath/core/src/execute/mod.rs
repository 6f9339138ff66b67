//! Datapath actions done to bytes.
//!
//! [`execute`] runs a list on one packet, [`execute_batch`] on packets that share it.  What leaves
//! the list goes into a [`Sink`]: this module knows port numbers, not ports.  Header writes are in
//! `rewrite`; a header that a packet does not have, or not whole, is not written.
//!
//! The last action that needs the packet gets the packet itself; earlier ones get a copy from
//! the sink's pool.  Nothing else is allocated.

use std::sync::Arc;

use crate::action::{ControllerOut, DpAction, LearnOut};
use crate::error::DropReason;
use crate::openflow::action::MeterId;
use crate::packet::{Batch, Packet, Pool, PortNo};

mod rewrite;

/// What a meter says of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterVerdict {
    /// Within the rate, or no such meter.
    Pass,
    /// Over the rate of a drop band.
    Drop,
    /// Over the rate of a DSCP remark band: raise the drop precedence by this many levels.
    Remark(u8),
}

/// Where packets go when they leave an action list.
pub trait Sink {
    /// Takes a packet for `port`; its `tunnel` and `queue` say how to send it.
    fn output(&mut self, port: PortNo, packet: Box<Packet>);

    /// Takes all of `packets` for `port`, in order, and leaves the batch empty.
    fn output_batch(&mut self, port: PortNo, packets: &mut Batch) {
        for packet in packets.drain(..) {
            self.output(port, packet);
        }
    }

    /// Tells the control plane of a packet, which is a plain frame: checksums filled in, not a
    /// super-frame.
    fn controller(&mut self, out: &Arc<ControllerOut>, packet: &Packet);

    /// Counts a lost packet and takes its buffer back.
    fn drop(&mut self, reason: DropReason, packet: Box<Packet>);

    /// Runs a packet past a meter; a super-frame counts as its segments.
    fn meter(&mut self, meter: MeterId, packet: &Packet) -> MeterVerdict;

    /// Adds or refreshes the flow that `learn` describes.
    fn learn(&mut self, learn: &Arc<LearnOut>, packet: &Packet);

    /// Takes a packet that is to walk the tables again from the frozen state `id`.
    fn recirculate(&mut self, id: u32, packet: Box<Packet>);

    /// Where copies come from and lost packets return to.
    fn pool(&mut self) -> &mut Pool;
}

/// Runs `actions` on `packet`.
///
/// A list that ends without having handed the packet to anyone loses it: it is dropped with
/// the reason for which the list ended early, else with [`DropReason::NoOutput`].
pub fn execute(actions: &[DpAction], packet: Box<Packet>, sink: &mut impl Sink) {
    run(actions, 0, packet, sink);
}

/// Runs `actions` on each of `packets`, in order, and leaves the batch empty.
///
/// Same outcome as [`execute`] on one after the other; faster for lists that rewrite headers and
/// send to one port.
pub fn execute_batch(actions: &[DpAction], packets: &mut Batch, sink: &mut impl Sink) {
    match actions {
        [DpAction::Output(port)] => sink.output_batch(*port, packets),
        [DpAction::OutputTunnel { port, tunnel }] => {
            for packet in packets.iter_mut() {
                packet.tunnel = Some(**tunnel);
            }
            sink.output_batch(*port, packets);
        }
        _ => {
            for packet in packets.drain(..) {
                run(actions, 0, packet, sink);
            }
        }
    }
}

fn run(actions: &[DpAction], start: usize, mut packet: Box<Packet>, sink: &mut impl Sink) {
    let mut reason = DropReason::NoOutput;
    let mut delivered = false;
    let mut index = start;
    while let Some(action) = actions.get(index) {
        index += 1;
        let last = index >= actions.len();
        match action {
            DpAction::Output(port) => {
                delivered = true;
                if last {
                    return sink.output(*port, packet);
                }
                let copy = sink.pool().copy(&packet);
                sink.output(*port, copy);
            }
            DpAction::OutputTunnel { port, tunnel } => {
                delivered = true;
                if last {
                    packet.tunnel = Some(**tunnel);
                    return sink.output(*port, packet);
                }
                let mut copy = sink.pool().copy(&packet);
                copy.tunnel = Some(**tunnel);
                sink.output(*port, copy);
            }
            DpAction::Drop(reason) => return sink.drop(*reason, packet),
            DpAction::Controller(out) => {
                delivered = true;
                sink.controller(out, &packet);
            }
            DpAction::DecTtl { skip_to, expired } => {
                if !rewrite::dec_ttl(&mut packet) {
                    if let Some(out) = expired {
                        sink.controller(out, &packet);
                    }
                    reason = DropReason::TtlExpired;
                    index = usize::from(*skip_to);
                }
            }
            DpAction::Meter(meter) => match sink.meter(*meter, &packet) {
                MeterVerdict::Drop => return sink.drop(DropReason::Meter, packet),
                MeterVerdict::Pass | MeterVerdict::Remark(_) => {}
            },
            DpAction::Learn(learn) => sink.learn(learn, &packet),
            DpAction::SetQueue(queue) => packet.queue = *queue,
            DpAction::Recirculate(id) => {
                delivered = true;
                if last {
                    return sink.recirculate(*id, packet);
                }
                let copy = sink.pool().copy(&packet);
                sink.recirculate(*id, copy);
            }
            other => {
                if let Err(reason) = rewrite::rewrite(other, &mut packet) {
                    return sink.drop(reason, packet);
                }
            }
        }
    }
    if delivered {
        sink.pool().give(packet);
    } else {
        sink.drop(reason, packet);
    }
}
