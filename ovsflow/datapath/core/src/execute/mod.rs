//! Datapath actions done to bytes.
//!
//! [`execute`] runs a list on one packet, [`execute_batch`] on packets that share it.  What leaves
//! the list goes into a [`Sink`]: this module knows port numbers, not ports.  Header writes are in
//! `rewrite`; a header that a packet does not have, or not whole, is not written.
//!
//! The last action that needs the packet gets the packet itself; earlier ones get a copy from
//! the sink's pool.  Nothing else is allocated.

mod rewrite;
mod select;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::action::{ControllerOut, DpAction, SetHeader};
use crate::error::DropReason;
use crate::openflow::action::{GroupId, MeterId};
use crate::packet::gso::{self, Segmenter};
use crate::packet::{Batch, Layers, Packet, Pool, PortNo, Tunnel, TunnelOut, ethernet, vxlan};
use rewrite::Known;

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

    /// Takes all of `packets` for a tunnel port, to be sent with `tunnel`, and leaves the batch empty.
    fn output_tunnel(&mut self, port: PortNo, tunnel: &TunnelOut, packets: &mut Batch) {
        let tunnel = Tunnel::from(tunnel);
        for packet in packets.iter_mut() {
            packet.tunnel = Some(tunnel);
        }
        self.output_batch(port, packets);
    }

    /// Tells the control plane of a packet, which is a plain frame: checksums filled in, not a
    /// super-frame.
    fn controller(&mut self, out: &Arc<ControllerOut>, packet: &Packet);

    /// Counts a lost packet and takes its buffer back.
    fn drop(&mut self, reason: DropReason, packet: Box<Packet>);

    /// Counts a copy that nobody got.
    fn lose_copy(&mut self, reason: DropReason);

    /// Runs a packet past a meter; a super-frame counts as its segments.
    fn meter(&mut self, meter: MeterId, packet: &Packet) -> MeterVerdict;

    /// Counts a packet for a bucket of a group that its hash picked.
    fn count_bucket(&mut self, group: GroupId, bucket: u16, packet: &Packet);

    /// Takes a packet that is to walk the tables again from the frozen state `id`.
    fn recirculate(&mut self, id: u32, packet: Box<Packet>);

    /// Where copies come from and lost packets return to.
    fn pool(&mut self) -> &mut Pool;
}

/// Runs `actions` on `packet`.
///
/// A list that ends without having handed the packet to anyone loses it: it is dropped with
/// the reason for which the list ended early, else with [`DropReason::NoOutput`].
pub fn execute<S: Sink>(actions: &[DpAction], packet: Box<Packet>, sink: &mut S) {
    run(actions, 0, packet, sink);
}

/// Runs `actions` on each of `packets`, in order, and leaves the batch empty.
///
/// Same outcome as [`execute`] on one after the other; faster for lists that rewrite headers and send to
/// one port.
pub fn execute_batch<S: Sink>(actions: &[DpAction], packets: &mut Batch, sink: &mut S) {
    let Some((output, rewrites)) = actions.split_last() else {
        return run_each(actions, 0, packets, sink);
    };
    let (DpAction::Output(port) | DpAction::OutputTunnel { port, .. }) = output else {
        return run_each(actions, 0, packets, sink);
    };
    if !rewrites.iter().all(is_rewrite) {
        return run_each(actions, 0, packets, sink);
    }
    if let Err(stopped) = rewrite_batch(rewrites, packets) {
        return part_batch(actions, packets, &stopped, sink);
    }
    match output {
        DpAction::OutputTunnel { tunnel, .. } => sink.output_tunnel(*port, tunnel, packets),
        _ => sink.output_batch(*port, packets),
    }
}

/// Reads what running a list will need first; the number means nothing.
#[inline]
pub fn touch(actions: &[DpAction]) -> u64 {
    match actions {
        [DpAction::OutputTunnel { port, .. }] | [DpAction::Output(port)] => u64::from(port.0),
        _ => 0,
    }
}

/// A packet of a batch that cannot pass an action in the common way, which has changed nothing yet.
struct Stopped {
    packet: usize,
    action: usize,
    /// Where packets before it go on, and those behind it.
    before: usize,
    behind: usize,
}

/// Carries out `rewrites` on each packet, up to the first that meets something rare.
///
/// What a list begins with and is quickly done is done for one action after the other, the rest for one
/// packet after the other.
fn rewrite_batch(rewrites: &[DpAction], packets: &mut Batch) -> Result<(), Stopped> {
    let mut done = 0;
    while let Some(action) = rewrites.get(done) {
        match action {
            DpAction::Set(SetHeader::Ethernet {
                dst,
                dst_mask,
                src,
                src_mask,
            }) => {
                for packet in packets.iter_mut() {
                    ethernet::set_addresses(packet.bytes_mut(), *dst, *dst_mask, *src, *src_mask);
                }
            }
            DpAction::DecTtl { .. } => {
                let expires =
                    |packet: &mut Box<Packet>| !rewrite::dec_ttl(packet, &mut Known::default());
                if let Some(packet) = packets.iter_mut().position(expires) {
                    return Err(Stopped {
                        packet,
                        action: done,
                        before: done + 1,
                        behind: done,
                    });
                }
            }
            _ => break,
        }
        done += 1;
    }
    let left = rewrites.get(done..).unwrap_or(&[]);
    let last = if left.is_empty() { 0 } else { packets.len() };
    for (index, packet) in packets.iter_mut().take(last).enumerate() {
        if let Err(at) = rewrite_all(left, packet) {
            return Err(Stopped {
                packet: index,
                action: done + at,
                before: rewrites.len(),
                behind: done,
            });
        }
    }
    Ok(())
}

/// Carries out `rewrites`; `Err` tells which one this packet cannot pass in the common way.  That
/// one has changed nothing yet.
#[inline]
fn rewrite_all(rewrites: &[DpAction], packet: &mut Packet) -> Result<(), usize> {
    let mut known = Known::default();
    for (index, action) in rewrites.iter().enumerate() {
        let passed = match action {
            DpAction::DecTtl { .. } | DpAction::DecMplsTtl { .. } => {
                dec_ttl(action, packet, &mut known)
            }
            DpAction::SetQueue(queue) => {
                packet.queue = *queue;
                true
            }
            action => {
                !needs_plain(action, packet) && rewrite::rewrite(action, packet, &mut known).is_ok()
            }
        };
        if !passed {
            return Err(index);
        }
    }
    Ok(())
}

/// Finishes a batch of which a packet met something rare.
#[cold]
fn part_batch<S: Sink>(actions: &[DpAction], packets: &mut Batch, stopped: &Stopped, sink: &mut S) {
    for (index, packet) in packets.drain(..).enumerate() {
        let start = match index.cmp(&stopped.packet) {
            Ordering::Less => stopped.before,
            Ordering::Equal => stopped.action,
            Ordering::Greater => stopped.behind,
        };
        run(actions, start, packet, sink);
    }
}

/// Whether an action changes one packet and nothing else, but for rare cases.
#[inline]
fn is_rewrite(action: &DpAction) -> bool {
    matches!(
        action,
        DpAction::Set(_)
            | DpAction::PushVlan { .. }
            | DpAction::PopVlan { .. }
            | DpAction::PushMpls { .. }
            | DpAction::PopMpls { .. }
            | DpAction::PushPbb { .. }
            | DpAction::PopPbb { .. }
            | DpAction::DecTtl { .. }
            | DpAction::DecMplsTtl { .. }
            | DpAction::CopyTtlIn
            | DpAction::CopyTtlOut
            | DpAction::SetQueue(_)
    )
}

/// Whether `packet` is a super-frame that no device could cut any more after `action`.
#[inline]
fn needs_plain(action: &DpAction, packet: &Packet) -> bool {
    packet.offload.gso.is_some()
        && match action {
            DpAction::PushMpls { .. } | DpAction::PushPbb { .. } => true,
            DpAction::Set(header) => rewrite::changes_layers(header),
            _ => false,
        }
}

fn run_each<S: Sink>(actions: &[DpAction], start: usize, packets: &mut Batch, sink: &mut S) {
    for packet in packets.drain(..) {
        run(actions, start, packet, sink);
    }
}

/// Runs the part of `actions` from `start` on.
fn run<S: Sink>(actions: &[DpAction], start: usize, mut packet: Box<Packet>, sink: &mut S) {
    let mut known = Known::default();
    let mut reason = DropReason::NoOutput;
    let mut delivered = false;
    let mut index = start;
    while let Some(action) = actions.get(index) {
        index += 1;
        if is_delivery(action) {
            delivered = true;
            // A later action needs the packet: this one gets a copy.
            if index < actions.len() {
                if let DpAction::Controller(out) = action
                    && packet.offload.checksum.is_none()
                    && packet.offload.gso.is_none()
                {
                    sink.controller(out, &packet);
                    continue;
                }
                let copy = sink.pool().copy(&packet);
                deliver(action, copy, sink);
                continue;
            }
            return deliver(action, packet, sink);
        }
        match action {
            DpAction::Drop(reason) => return sink.drop(*reason, packet),
            DpAction::Lost(reason) => delivered = lose_copy(*reason, sink),
            DpAction::SetQueue(queue) => packet.queue = *queue,
            DpAction::CountBucket { group, bucket } => {
                sink.count_bucket(*group, *bucket, &packet);
            }
            DpAction::Meter(meter) => match sink.meter(*meter, &packet) {
                MeterVerdict::Pass => {}
                MeterVerdict::Drop => return sink.drop(DropReason::Meter, packet),
                MeterVerdict::Remark(levels) => rewrite::remark(&mut packet, &mut known, levels),
            },
            DpAction::DecTtl { skip_to, expired } | DpAction::DecMplsTtl { skip_to, expired } => {
                if !dec_ttl(action, &mut packet, &mut known) {
                    reason = expire(expired.as_ref(), &packet, sink);
                    // Backwards would be for ever.
                    index = index.max(usize::from(*skip_to));
                }
            }
            action if needs_plain(action, &packet) => {
                return run_segments(actions, index - 1, packet, sink);
            }
            action => {
                if let Err(reason) = rewrite::rewrite(action, &mut packet, &mut known) {
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

/// Decrements the TTL that `action` means; `false`, and no change, if it ran out.
#[inline]
fn dec_ttl(action: &DpAction, packet: &mut Packet, known: &mut Known) -> bool {
    if matches!(action, DpAction::DecTtl { .. }) {
        rewrite::dec_ttl(packet, known)
    } else {
        rewrite::dec_mpls_ttl(packet, known)
    }
}

/// Whether an action takes a packet away.
#[inline]
fn is_delivery(action: &DpAction) -> bool {
    matches!(
        action,
        DpAction::Output(_)
            | DpAction::OutputTunnel { .. }
            | DpAction::OutputTruncated { .. }
            | DpAction::Controller(_)
            | DpAction::Recirculate(_)
            | DpAction::Clone(_)
            | DpAction::Select(_)
            | DpAction::IfLarger { .. }
    )
}

/// Hands `packet` to whom `action` names.
#[inline]
fn deliver<S: Sink>(action: &DpAction, mut packet: Box<Packet>, sink: &mut S) {
    match action {
        DpAction::Output(port) => sink.output(*port, packet),
        DpAction::OutputTunnel { port, tunnel } => {
            packet.tunnel = Some(tunnel.into());
            sink.output(*port, packet);
        }
        DpAction::OutputTruncated {
            port,
            max_len,
            tunnel,
        } => {
            if let Some(tunnel) = tunnel {
                packet.tunnel = Some(vxlan::before_cut(&packet, tunnel));
            }
            output_truncated(*port, *max_len as usize, packet, sink);
        }
        DpAction::Controller(out) => tell(out, packet, sink),
        DpAction::Recirculate(id) => sink.recirculate(*id, packet),
        DpAction::Clone(list) => run(list, 0, packet, sink),
        DpAction::Select(select) => match select::pick(select, &packet) {
            Some(list) => run(list, 0, packet, sink),
            None => sink.drop(DropReason::NoSuchGroup, packet),
        },
        DpAction::IfLarger {
            len,
            larger,
            otherwise,
        } => {
            let is_larger = frame_len(&packet) > usize::from(*len);
            run(if is_larger { larger } else { otherwise }, 0, packet, sink);
        }
        _ => sink.pool().give(packet),
    }
}

/// Counts a copy that nobody got: the packet is accounted for.
#[cold]
fn lose_copy<S: Sink>(reason: DropReason, sink: &mut S) -> bool {
    sink.lose_copy(reason);
    true
}

/// Tells the control plane of a packet whose TTL ran out.
#[cold]
fn expire<S: Sink>(out: Option<&Arc<ControllerOut>>, packet: &Packet, sink: &mut S) -> DropReason {
    if let Some(out) = out {
        let copy = sink.pool().copy(packet);
        tell(out, copy, sink);
    }
    DropReason::TtlExpired
}

/// Tells the control plane of a packet, as plain frames.
fn tell<S: Sink>(out: &Arc<ControllerOut>, packet: Box<Packet>, sink: &mut S) {
    each_plain(packet, sink, |frame, sink| {
        sink.controller(out, &frame);
        sink.pool().give(frame);
    });
}

/// Sends at most `max_len` bytes.  A cut frame has no checksum left to fill in, so that is done before.
fn output_truncated<S: Sink>(port: PortNo, max_len: usize, packet: Box<Packet>, sink: &mut S) {
    if packet.len() <= max_len {
        return sink.output(port, packet);
    }
    each_plain(packet, sink, |mut frame, sink| {
        frame.truncate(max_len);
        sink.output(port, frame);
    });
}

/// Goes on at `start` with each segment of a super-frame.
#[cold]
fn run_segments<S: Sink>(actions: &[DpAction], start: usize, packet: Box<Packet>, sink: &mut S) {
    each_plain(packet, sink, |frame, sink| run(actions, start, frame, sink));
}

/// Hands `packet`, or its segments, to `each` with all checksums filled in.
fn each_plain<S: Sink>(
    mut packet: Box<Packet>,
    sink: &mut S,
    mut each: impl FnMut(Box<Packet>, &mut S),
) {
    if packet.offload.gso.is_none() {
        gso::complete_checksum(&mut packet);
        return each(packet, sink);
    }
    let Some(segmenter) = Segmenter::new(&packet) else {
        return sink.drop(DropReason::Malformed, packet);
    };
    for index in 0..segmenter.count() {
        let mut frame = sink.pool().take();
        segmenter.write(index, &packet, &mut frame);
        each(frame, sink);
    }
    sink.pool().give(packet);
}

/// Length of a frame (of a super-frame: of its longest segment), VLAN tags not counted.
fn frame_len(packet: &Packet) -> usize {
    let whole = Segmenter::new(packet).map_or(packet.len(), |segmenter| segmenter.longest());
    let tags = usize::from(Layers::parse(packet).vlan_tags) * ethernet::VLAN_LEN;
    whole.saturating_sub(tags)
}
