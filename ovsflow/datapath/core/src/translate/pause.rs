//! Pausing: a walk stops at `controller(pause)`, and the controller lets it go on.
//!
//! The walk freezes as it does for headers that it lacks ([`freeze`](super::freeze)), but what is
//! left to do goes with the packet to the controller, sealed, and nothing is kept here: a packet
//! may wait as long as its controller likes, and a switch that forgot it loses no memory to it.
//!
//! The pipeline's fields (ingress port, tunnel, metadata, registers) and the packet are not part of
//! the sealed state: they stand open in the message, and the controller may change them.
//!
//! Form: 4 bytes of zero and one property (type, length, both of 16 bits), as Open vSwitch's
//! clients expect of a nested one; in it the seal and the state.  Lists are told as OpenFlow 1.5
//! tells them.  The seal is a keyed hash; the key is the switch's and dies with it.

use super::action_set::ActionSet;
use super::freeze::{Frozen, FrozenWalks, Step};
use super::walk::{ListEnd, Source, Walk};
use super::{Context, Draft, Observer, Silent, Translation};
use crate::action::PacketInReason;
use crate::flow::field::VLAN_PRESENT;
use crate::flow::{FlowKey, FlowMask, slot};
use crate::openflow::Version;
use crate::openflow::action::{Action, ControllerAction, Instructions, TableId};
use crate::openflow::decode;
use crate::openflow::encode;
use crate::packet::PortNo;

/// Type of the one property.
const STATE: u16 = 0x8100;
/// The version in whose words lists are told.
const WORDS: Version = Version::Of15;
/// Zeros, the property's head and the seal.
const HEAD: usize = 4 + 4 + 8;

/// Goes on with a walk that a controller sends back; `key` has the packet's headers and the
/// pipeline's fields as the controller wants them.
///
/// `None` if this switch did not make `continuation`.
pub fn resume(context: &Context<'_>, key: &FlowKey, continuation: &[u8]) -> Option<Translation> {
    let frozen = open(context.frozen, continuation)?;
    let mut observer = Silent;
    let mut draft = Draft::default();
    let mut walk = Walk::new(context, key, &mut observer, &mut draft);
    let output = frozen.set.output_port();
    walk.write_own(slot::ACTSET_OUTPUT, u128::from(output.0));
    walk.go_on(&frozen);
    walk.finish(&mut draft);
    Some(draft.keep())
}

impl<O: Observer> Walk<'_, O> {
    /// Stops the walk and tells the controller: `rest` and `tail` are done when it says so.
    pub(super) fn pause(
        &mut self,
        options: &ControllerAction,
        rest: &[Action],
        tail: Option<&Instructions>,
    ) -> ListEnd {
        self.paused = Some(self.controller_out_with(options));
        self.observer
            .note(format_args!("waits for the controller before it goes on"));
        self.frozen = Some(vec![Step::list(self.source, rest, tail)]);
        ListEnd::EndList
    }

    /// Wire form of a walk that stopped here.
    pub(super) fn seal(&self, frozen: &Frozen) -> Box<[u8]> {
        let has_vlan = self.flow.value(slot::VLAN_TCI) & VLAN_PRESENT != 0;
        seal(self.context.frozen, frozen, has_vlan)
    }
}

fn seal(walks: &FrozenWalks, frozen: &Frozen, has_vlan: bool) -> Box<[u8]> {
    let mut out = vec![0; HEAD];
    let mut writer = Writer {
        out: &mut out,
        has_vlan,
    };
    writer.frozen(frozen);
    let len = u16::try_from(out.len() - 4).unwrap_or(u16::MAX);
    // The property ends at a multiple of 8 bytes from its own start.
    out.resize(4 + usize::from(len).next_multiple_of(8), 0);
    let (head, state) = out.split_at_mut(HEAD);
    let seal = walks.seal_of(state);
    head[4..6].copy_from_slice(&STATE.to_be_bytes());
    head[6..8].copy_from_slice(&len.to_be_bytes());
    head[8..].copy_from_slice(&seal.to_be_bytes());
    out.into()
}

fn open(walks: &FrozenWalks, continuation: &[u8]) -> Option<Frozen> {
    let (head, state) = continuation.split_at_checked(HEAD)?;
    let mut reader = Bytes(head);
    let sealed = reader.take(4)? == [0; 4] && reader.u16()? == STATE;
    reader.u16()?;
    if !sealed || reader.u64()? != walks.seal_of(state) {
        return None;
    }
    Bytes(state).frozen()
}

/// Appends a state.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    has_vlan: bool,
}

impl Writer<'_> {
    fn frozen(&mut self, frozen: &Frozen) {
        self.out.push(frozen.is_outermost.into());
        self.count(frozen.stack.len());
        for &(value, bits) in &frozen.stack {
            self.out.extend_from_slice(&value.to_be_bytes());
            self.out.push(bits);
        }
        self.actions(&frozen.set.actions());
        self.count(frozen.steps.len());
        for step in &frozen.steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::List {
                source,
                actions,
                tail,
            } => {
                self.out.push(0);
                self.source(source);
                self.actions(actions);
                self.out.push(tail.is_some().into());
                if let Some(tail) = tail {
                    let has_vlan = self.has_vlan;
                    self.measured(|out| encode::instructions(WORDS, tail, has_vlan, out));
                }
            }
            Step::Table {
                table,
                in_port,
                first,
            } => {
                let in_port_byte = u8::from(in_port.is_some());
                self.out.extend_from_slice(&[1, table.0, in_port_byte]);
                let number = in_port.map_or(0, |port| port.0);
                self.out.extend_from_slice(&number.to_be_bytes());
                self.out.push(first.is_some().into());
                if let Some(first) = first {
                    self.source(first);
                }
            }
        }
    }

    fn source(&mut self, source: &Source) {
        self.out.push(source.table.0);
        self.out.extend_from_slice(&source.cookie.to_be_bytes());
        self.out.push(source.reason as u8);
    }

    fn actions(&mut self, actions: &[Action]) {
        let has_vlan = self.has_vlan;
        self.measured(|out| encode::actions(WORDS, actions, has_vlan, out));
    }

    fn count(&mut self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.out.extend_from_slice(&count.to_be_bytes());
    }

    /// Appends something and, before it, how long it is.
    fn measured(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = Vec::new();
        write(&mut inner);
        self.count(inner.len());
        self.out.extend_from_slice(&inner);
    }
}

/// Takes a state apart; what the seal protects is as it was written.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn measured(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }

    fn actions(&mut self) -> Option<Vec<Action>> {
        decode::actions(WORDS, self.measured()?).ok()
    }

    fn frozen(&mut self) -> Option<Frozen> {
        let is_outermost = self.u8()? != 0;
        let mut stack = Vec::new();
        for _ in 0..self.u32()? {
            let value = self.array().map(u128::from_be_bytes)?;
            stack.push((value, self.u8()?));
        }
        let mut set = ActionSet::default();
        for action in self.actions()? {
            set.write(&action);
        }
        let mut steps = Vec::new();
        for _ in 0..self.u32()? {
            steps.push(self.step()?);
        }
        Some(Frozen {
            steps,
            values: Box::new(FlowKey::default()),
            written: Box::new(FlowMask::default()),
            stack,
            set,
            is_outermost,
        })
    }

    fn step(&mut self) -> Option<Step> {
        if self.u8()? == 1 {
            let (table, has_port) = (TableId(self.u8()?), self.u8()? != 0);
            let in_port = Some(PortNo(self.u32()?)).filter(|_| has_port);
            let first = match self.u8()? {
                0 => None,
                _ => Some(self.source()?),
            };
            return Some(Step::Table {
                table,
                in_port,
                first,
            });
        }
        let source = self.source()?;
        let actions = self.actions()?.into();
        let tail = match self.u8()? {
            0 => None,
            _ => Some(Box::new(
                decode::instructions(WORDS, self.measured()?).ok()?,
            )),
        };
        Some(Step::List {
            source,
            actions,
            tail,
        })
    }

    fn source(&mut self) -> Option<Source> {
        Some(Source {
            table: TableId(self.u8()?),
            cookie: self.u64()?,
            // Rules come and go while the packet waits.
            rule: None,
            reason: PacketInReason::from_number(self.u8()?),
        })
    }
}
