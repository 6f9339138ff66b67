//! Consistency: what a message may not say though each of its parts is well formed.
//!
//! The actions are walked in order with what is known of the packet (the match, then the effect of
//! each push, pop and set), and an action whose header is not proved to be there is refused with
//! OFPBAC_MATCH_INCONSISTENT.  As in Open vSwitch, sessions of OpenFlow 1.0 are exempt, group
//! buckets are too, and in an action set only set_field is checked.  Whether a table, group or meter
//! exists is not asked here.

use super::Version;
use super::action::{Action, Instructions, Learn, LearnSource, LearnTarget, TableId};
use super::decode::{Compat, Context};
use super::error;
use super::modify::{FlowMod, FlowModCommand, Match};
use crate::error::OfResult;
use crate::flow::field::{self, FieldId, Prerequisite, VLAN_PRESENT, field};
use crate::flow::{FlowKey, FlowMask, KEY_WORDS, slot};

/// The table that the switch keeps for itself, as in Open vSwitch.
pub const INTERNAL_TABLE: TableId = TableId(254);

/// Checks a whole FLOW_MOD.
pub fn flow_mod(flow_mod: &FlowMod, version: Version, context: &Context) -> OfResult<()> {
    let internal = [slot::RECIRC_ID, slot::DP_HASH];
    if flow_mod.table == INTERNAL_TABLE
        || internal
            .iter()
            .any(|&at| flow_mod.matching.mask.value(at) != 0)
    {
        return Err(error::REQUEST_EPERM);
    }
    if matches!(
        flow_mod.command,
        FlowModCommand::Delete | FlowModCommand::DeleteStrict
    ) {
        return Ok(());
    }
    let all = &flow_mod.instructions;
    conjunctions(all)?;
    let mut walk = Walk::new(&flow_mod.matching);
    if version != Version::Of10 {
        for action in &all.apply {
            walk.step(action, Place::List)?;
        }
        for action in &all.write {
            walk.step(action, Place::Set)?;
        }
    }
    if let Some(goto) = all.goto {
        let last = if context.compat == Compat::Ovs {
            255
        } else {
            INTERNAL_TABLE.0 - 1
        };
        let current = flow_mod.table.0;
        if (current != 0xff && goto.0 <= current) || goto.0 > last {
            return Err(error::BAD_GOTO_TABLE);
        }
    }
    walk.finish()
}

/// Checks a packet-out's actions against the packet, whose headers are all known.
pub fn packet_out(actions: &[Action], version: Version, key: &FlowKey) -> OfResult<()> {
    if version == Version::Of10 {
        return Ok(());
    }
    let mut walk = Walk {
        value: key.clone(),
        mask: FlowMask {
            words: [u64::MAX; KEY_WORDS],
        },
        lacks_header: false,
    };
    let mut steps = actions.iter();
    steps.try_for_each(|action| walk.step(action, Place::List))?;
    walk.finish()
}

/// A conjunction stands with nothing but conjunctions and notes.
fn conjunctions(all: &Instructions) -> OfResult<()> {
    let is_conjunction = |action: &Action| matches!(action, Action::Conjunction { .. });
    if !all.apply.iter().any(is_conjunction) {
        return Ok(());
    }
    let harmless = |action: &Action| is_conjunction(action) || matches!(action, Action::Note(_));
    let alone = all.write.is_empty()
        && all.goto.is_none()
        && all.metadata.is_none()
        && all.meter.is_none()
        && !all.clear;
    if alone && all.apply.iter().all(harmless) {
        Ok(())
    } else {
        Err(error::BAD_CONJUNCTION)
    }
}

/// TCP's number among IP protocols.
const TCP: u128 = 6;

/// Where an action stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    List,
    Set,
}

/// What is known of the packet so far.
#[derive(Clone)]
struct Walk {
    value: FlowKey,
    mask: FlowMask,
    /// An action worked on a header that is not proved to be there: told after all other faults.
    lacks_header: bool,
}

impl Walk {
    fn new(matching: &Match) -> Self {
        Self {
            value: matching.value.clone(),
            mask: matching.mask.clone(),
            lacks_header: false,
        }
    }

    const fn finish(&self) -> OfResult<()> {
        if self.lacks_header {
            Err(error::MATCH_INCONSISTENT)
        } else {
            Ok(())
        }
    }

    /// Checks one action, then notes what it does to the packet.
    fn step(&mut self, action: &Action, place: Place) -> OfResult<()> {
        let needs = |this: &mut Self, needs: Prerequisite| {
            let met = place == Place::Set || needs.holds(&this.value, &this.mask);
            this.lacks_header |= !met;
        };
        match action {
            Action::SetField(write) => self.write(write.field, write.value, write.mask)?,
            Action::Load { target, value } => {
                let shifted = |bits: u128| bits.checked_shl(target.start.into()).unwrap_or(0);
                let ones = u128::MAX >> (128 - u32::from(target.len).min(128));
                self.write(target.field, shifted(u128::from(*value)), shifted(ones))?;
            }
            Action::Move { source, target } => {
                self.reads(source.field)?;
                self.reads(target.field)?;
            }
            Action::StackPush(bits) | Action::StackPop(bits) => self.reads(bits.field)?,
            Action::OutputField { source, .. } => self.reads(source.field)?,
            Action::PopVlan => {
                needs(self, Prerequisite::Vlan);
                self.drop_tag();
            }
            Action::PushVlan(_) => self.push_vlan()?,
            Action::SetVlanVid(_) | Action::SetVlanPcp(_) => {
                let tci = VLAN_PRESENT;
                self.value.set_masked(slot::VLAN_TCI, tci, VLAN_PRESENT);
            }
            Action::PushMpls(eth_type) => self.hide(*eth_type),
            Action::PopMpls(eth_type) => {
                needs(self, Prerequisite::Mpls);
                self.hide(*eth_type);
            }
            Action::PushPbb(eth_type) => {
                self.hide(*eth_type);
                self.value.set(slot::VLAN_TCI, 0);
                self.value.set(slot::VLAN_TCI2, 0);
            }
            Action::PopPbb => {
                needs(self, Prerequisite::Pbb);
                self.hide(0);
            }
            Action::SetMplsTtl(_) | Action::DecMplsTtl => needs(self, Prerequisite::Mpls),
            Action::SetNwTtl(_) | Action::DecNwTtl { .. } => needs(self, Prerequisite::Ip),
            // Fragments are TCP, too.
            Action::FinTimeout { .. } => {
                let is_tcp = self.value.value(slot::IP_PROTO) == TCP;
                self.lacks_header |= place == Place::List && !is_tcp;
            }
            Action::Clone(actions) => {
                let mut inner = self.clone();
                for action in actions {
                    inner.step(action, place)?;
                }
                self.lacks_header |= inner.lacks_header;
            }
            Action::Learn(learn) => self.learn(learn)?,
            _ => {}
        }
        Ok(())
    }

    /// A tag more in front of one tag at most: a packet is not known to have room for a third.
    fn push_vlan(&mut self) -> OfResult<()> {
        if self.value.value(slot::VLAN_TCI2) & VLAN_PRESENT != 0 {
            return Err(error::BAD_TAG);
        }
        let outer = self.value.value(slot::VLAN_TCI);
        self.value.set(slot::VLAN_TCI2, outer);
        self.value.set(slot::VLAN_TCI, outer | VLAN_PRESENT);
        Ok(())
    }

    /// The inner tag, if there is one, becomes the outer one.
    fn drop_tag(&mut self) {
        let inner = self.value.value(slot::VLAN_TCI2);
        self.value.set(slot::VLAN_TCI, inner);
        self.value.set(slot::VLAN_TCI2, 0);
    }

    /// Another header now stands behind the tags; nothing is known behind it.
    fn hide(&mut self, eth_type: u16) {
        self.value.set(slot::ETH_TYPE, eth_type.into());
        self.value.set(slot::IP_PROTO, 0);
        self.value.set(slot::IP_FRAG, 0);
        self.mask.set(slot::ETH_TYPE, 0xffff);
    }

    fn reads(&self, id: FieldId) -> OfResult<()> {
        let field = field(id);
        let tagged = self.value.value(slot::VLAN_TCI) & VLAN_PRESENT != 0;
        if field.prerequisite.holds(&self.value, &self.mask) && (id != field::VLAN_VID || tagged) {
            Ok(())
        } else {
            Err(error::MATCH_INCONSISTENT)
        }
    }

    fn write(&mut self, id: FieldId, value: u128, mask: u128) -> OfResult<()> {
        self.reads(id)?;
        if matches!(
            id,
            field::ETH_TYPE | field::NW_PROTO | field::VLAN_TCI | field::ICMPV6_TYPE
        ) {
            let field = field(id);
            field.write(&mut self.value, value & mask, mask);
            let bits = field.key_mask(mask);
            self.mask.set_masked(field.slot, bits, bits);
        }
        Ok(())
    }

    /// A learned flow's match must fulfil its own prerequisites, as far as values are known.
    fn learn(&self, learn: &Learn) -> OfResult<()> {
        let mut learned = Match::default();
        for spec in &learn.specs {
            if let LearnSource::Field(source) = &spec.source {
                self.reads(source.field)?;
            }
            let (LearnTarget::Match(target) | LearnTarget::Load(target)) = &spec.target else {
                continue;
            };
            let row = field(target.field);
            if !row.prerequisite.holds(&learned.value, &learned.mask) {
                return Err(error::MATCH_INCONSISTENT);
            }
            if let LearnTarget::Match(_) = spec.target {
                let value = match &spec.source {
                    LearnSource::Immediate { value, .. } => *value,
                    LearnSource::Field(source) => {
                        field(source.field).read(&self.value) >> source.start
                    }
                };
                let ones = u128::MAX >> (128 - u32::from(target.len).clamp(1, 128));
                let mask = ones << target.start;
                row.write(&mut learned.value, (value & ones) << target.start, mask);
                let bits = row.key_mask(mask);
                learned.mask.set_masked(row.slot, bits, bits);
            }
        }
        Ok(())
    }
}
