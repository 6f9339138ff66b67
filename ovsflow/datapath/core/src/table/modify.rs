//! What FLOW_MOD, GROUP_MOD, METER_MOD and TABLE_MOD do to the pipeline, one by one or as a list.
//!
//! A request is checked before anything is touched, so that a refused one leaves no trace.  A list
//! keeps a journal, and is undone backwards when one of its changes is refused.

use std::sync::Arc;

use super::group::Group;
use super::group_table::GroupChange;
use super::meter::{self, Meter};
use super::notice::{Notice, RemovedReason};
use super::pipeline::Pipeline;
use super::{ALL_TABLES, Compat, TABLES, uses};
use crate::error::OfResult;
use crate::openflow::action::{Action, GroupId, Instructions, MeterId, TableId};
use crate::openflow::error::{
    BAD_GOTO_TABLE, BAD_OUT_GROUP, BAD_TABLE_ID, BUFFER_UNKNOWN, INVALID_METER, METER_EXISTS,
    OUT_OF_BANDS, OUT_OF_METERS, REQUEST_EPERM, TABLE_MOD_BAD_TABLE, UNKNOWN_METER,
};
use crate::openflow::modify::{
    Bucket, FlowMod, FlowModCommand, GroupMod, GroupModCommand, MeterMod, MeterModCommand, TableMod,
};
use crate::time::Now;

/// OFP_NO_BUFFER.
const NO_BUFFER: u32 = 0xffff_ffff;

/// OFPTC_*.  Source: OpenFlow 1.4.1 §7.3.2.
const EVICTION: u32 = 4;
const VACANCY_EVENTS: u32 = 8;

/// One change, for [`Atomic`] lists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "most are FLOW_MODs, decoded and applied one by one: a box would cost each an allocation"
)]
pub enum Change {
    Flow(FlowMod),
    Group(GroupMod),
    Meter(MeterMod),
}

/// A group or meter as it was.
#[derive(Debug)]
pub(super) enum Undo {
    Group(GroupId, Option<Box<Group>>),
    Meter(MeterId, Option<Arc<Meter>>),
}

impl TableMod {
    /// Fails with TABLE_MOD_FAILED/BAD_TABLE for a table that does not exist.
    pub fn check(&self) -> OfResult<()> {
        if self.table.0 == ALL_TABLES || usize::from(self.table.0) < TABLES {
            Ok(())
        } else {
            Err(TABLE_MOD_BAD_TABLE)
        }
    }
}

impl Pipeline {
    /// Applies a FLOW_MOD.
    ///
    /// # Errors
    ///
    /// As the specification and Open vSwitch have it; nothing has changed then.
    pub fn flow_mod(
        &mut self,
        request: &FlowMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        self.check_flow_mod(request)?;
        self.rules.flow_mod(request, now, notices)
    }

    fn check_flow_mod(&self, request: &FlowMod) -> OfResult<()> {
        if request.table.0 == ALL_TABLES {
            if request.command == FlowModCommand::Add {
                return Err(BAD_TABLE_ID);
            }
        } else if usize::from(request.table.0) >= TABLES {
            return Err(REQUEST_EPERM);
        }
        match request.command {
            FlowModCommand::Delete | FlowModCommand::DeleteStrict => Ok(()),
            // Packets are never kept in buffers.
            _ if request.buffer_id != NO_BUFFER => Err(BUFFER_UNKNOWN),
            _ => {
                let checked = self.check_instructions(request.table, &request.instructions);
                // Open vSwitch looks for groups and meters when it has a rule to change.
                let is_idle = self.compat == Compat::Ovs
                    && matches!(checked, Err(BAD_OUT_GROUP | INVALID_METER))
                    && self.rules.has_nothing_to_do(request);
                if is_idle { Ok(()) } else { checked }
            }
        }
    }

    fn check_instructions(&self, table: TableId, instructions: &Instructions) -> OfResult<()> {
        if let Some(goto) = instructions.goto
            && (table.0 != ALL_TABLES && goto <= table || usize::from(goto.0) >= TABLES)
        {
            return Err(BAD_GOTO_TABLE);
        }
        let is_missing = |meter: &MeterId| self.lacks_meter(*meter);
        if instructions.meter.as_ref().is_some_and(is_missing) {
            return Err(INVALID_METER);
        }
        self.check_uses(|visit| uses::any_of(instructions, visit))
    }

    /// Checks that the groups and meters that a list of actions names exist.
    ///
    /// # Errors
    ///
    /// BAD_OUT_GROUP or INVALID_METER.
    pub fn check_actions(&self, actions: &[Action]) -> OfResult<()> {
        self.check_uses(|visit| uses::any(actions, visit))
    }

    fn check_uses(
        &self,
        walk: impl FnOnce(&mut dyn FnMut(&Action) -> bool) -> bool,
    ) -> OfResult<()> {
        let mut refused = None;
        walk(&mut |action| {
            refused = if uses::group_of(action).is_some_and(|group| !self.groups.contains(group)) {
                Some(BAD_OUT_GROUP)
            } else if let Action::Meter(meter) = action
                && self.lacks_meter(*meter)
            {
                // The meter of a controller action may come later, as in Open vSwitch.
                Some(INVALID_METER)
            } else {
                None
            };
            refused.is_some()
        });
        refused.map_or(Ok(()), Err)
    }

    /// Applies a GROUP_MOD.  Deleting a group deletes the rules that run it.
    ///
    /// # Errors
    ///
    /// As the specification and Open vSwitch have it; nothing has changed then.
    pub fn group_mod(
        &mut self,
        request: &GroupMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        let plan = self.groups.plan(request, self.compat, now)?;
        if request.command != GroupModCommand::Delete {
            self.check_meters(&request.buckets)?;
        }
        match plan {
            GroupChange::Set(group) => self.set_group(group.id, Some(*group)),
            GroupChange::Delete(ids) if ids.is_empty() => {}
            GroupChange::Delete(ids) => {
                let runs = |action: &_| uses::group_of(action).is_some_and(|id| ids.contains(&id));
                self.rules.remove_where(
                    |instructions| uses::any_of(instructions, &mut { runs }),
                    RemovedReason::GroupDelete,
                    now,
                    notices,
                );
                for &id in &ids {
                    self.set_group(id, None);
                }
            }
        }
        Ok(())
    }

    /// Whether no flow can run packets past this meter.
    fn lacks_meter(&self, id: MeterId) -> bool {
        id.is_virtual() || !self.meters.contains_key(&id)
    }

    /// Fails with INVALID_METER if a bucket runs a meter that does not exist.
    fn check_meters(&self, buckets: &[Bucket]) -> OfResult<()> {
        let is_missing =
            |action: &Action| matches!(action, Action::Meter(id) if self.lacks_meter(*id));
        let mut buckets = buckets.iter();
        if buckets.any(|bucket| uses::any(&bucket.actions, &mut { is_missing })) {
            Err(INVALID_METER)
        } else {
            Ok(())
        }
    }

    fn set_group(&mut self, id: GroupId, group: Option<Group>) {
        let old = self.swap_group(id, group);
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Group(id, old.map(Box::new)));
        }
    }

    fn swap_group(&mut self, id: GroupId, group: Option<Group>) -> Option<Group> {
        let old = self.groups.set(id, group);
        self.groups.deal_slots(&self.ports, Some(id));
        self.rules.changes.anything();
        old
    }

    /// Applies a METER_MOD.  Deleting a meter deletes the rules that use it.
    ///
    /// # Errors
    ///
    /// As the specification and Open vSwitch have it; nothing has changed then.
    pub fn meter_mod(
        &mut self,
        request: &MeterMod,
        now: Now,
        notices: &mut Vec<Notice>,
    ) -> OfResult<()> {
        let old = self.meters.get(&request.meter);
        if request.bands.len() > meter::MAX_BANDS {
            return Err(OUT_OF_BANDS);
        }
        match (request.command, old) {
            (MeterModCommand::Add, Some(_)) => Err(METER_EXISTS),
            (MeterModCommand::Modify, None) => Err(UNKNOWN_METER),
            (MeterModCommand::Add, None) if self.meters.len() >= meter::MAX_METERS => {
                Err(OUT_OF_METERS)
            }
            (MeterModCommand::Add | MeterModCommand::Modify, old) => {
                let meter = Meter::new(request, old.map(Arc::as_ref), now);
                self.set_meter(request.meter, Some(Arc::new(meter)));
                Ok(())
            }
            (MeterModCommand::Delete, _) => {
                self.delete_meters(request.meter, now, notices);
                Ok(())
            }
        }
    }

    fn delete_meters(&mut self, id: MeterId, now: Now, notices: &mut Vec<Notice>) {
        let victims: Vec<MeterId> = match id {
            meter::ALL_METERS => self.meters.keys().copied().collect(),
            id => self
                .meters
                .contains_key(&id)
                .then_some(id)
                .into_iter()
                .collect(),
        };
        if victims.is_empty() {
            return;
        }
        self.rules.remove_where(
            |instructions| victims.iter().any(|&id| uses::uses_meter(instructions, id)),
            RemovedReason::MeterDelete,
            now,
            notices,
        );
        for id in victims {
            self.set_meter(id, None);
        }
    }

    fn set_meter(&mut self, id: MeterId, meter: Option<Arc<Meter>>) {
        let old = self.swap_meter(id, meter);
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Meter(id, old));
        }
    }

    fn swap_meter(&mut self, id: MeterId, meter: Option<Arc<Meter>>) -> Option<Arc<Meter>> {
        self.rules.changes.anything();
        match meter {
            Some(meter) => self.meters.insert(id, meter),
            None => self.meters.remove(&id),
        }
    }

    /// Applies a TABLE_MOD: eviction and vacancy events of one table or all.
    ///
    /// # Errors
    ///
    /// TABLE_MOD_FAILED/BAD_TABLE for a table that does not exist.
    pub fn table_mod(&mut self, request: &TableMod) -> OfResult<()> {
        request.check()?;
        let tables = match request.table.0 {
            ALL_TABLES => 0..TABLES as u8,
            table => table..table + 1,
        };
        for table in tables.map(TableId) {
            self.rules
                .set_eviction(table, request.config & EVICTION != 0);
            let thresholds = if request.config & VACANCY_EVENTS != 0 {
                request.vacancy
            } else {
                None
            };
            self.rules.set_vacancy(table, thresholds);
        }
        Ok(())
    }

    /// Begins a list of changes that are applied all or nothing.
    pub fn atomic(&mut self) -> Atomic<'_> {
        self.rules.begin();
        self.journal = Some(Vec::new());
        Atomic {
            pipeline: self,
            notices: Vec::new(),
        }
    }

    fn roll_back(&mut self) {
        self.rules.roll_back();
        for step in self.journal.take().unwrap_or_default().into_iter().rev() {
            match step {
                Undo::Group(id, old) => {
                    self.swap_group(id, old.map(|group| *group));
                }
                Undo::Meter(id, old) => {
                    self.swap_meter(id, old);
                }
            }
        }
    }
}

/// Changes that take effect together, or not at all.
///
/// Each is applied when it is given; whoever holds the pipeline's lock meanwhile keeps readers
/// from seeing half of them.  Dropped without [`commit`](Self::commit), all are undone.
#[derive(Debug)]
pub struct Atomic<'a> {
    pipeline: &'a mut Pipeline,
    notices: Vec<Notice>,
}

impl Atomic<'_> {
    /// Applies one change.
    ///
    /// # Errors
    ///
    /// As for the change alone; this one has changed nothing then, those before stand.
    pub fn apply(&mut self, change: &Change, now: Now) -> OfResult<()> {
        let notices = &mut self.notices;
        match change {
            Change::Flow(request) => self.flow_mod(request, now),
            Change::Group(request) => self.pipeline.group_mod(request, now, notices),
            Change::Meter(request) => self.pipeline.meter_mod(request, now, notices),
        }
    }

    /// Applies a FLOW_MOD.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    pub fn flow_mod(&mut self, request: &FlowMod, now: Now) -> OfResult<()> {
        self.pipeline.flow_mod(request, now, &mut self.notices)
    }

    /// Checks that what a list of actions names exists after the changes so far.
    ///
    /// # Errors
    ///
    /// As for [`Pipeline::check_actions`].
    pub fn check_actions(&self, actions: &[Action]) -> OfResult<()> {
        self.pipeline.check_actions(actions)
    }

    /// Lets all changes stand, and tells what they caused.
    pub fn commit(mut self, now: Now, notices: &mut Vec<Notice>) {
        notices.append(&mut self.notices);
        self.pipeline.journal = None;
        self.pipeline.rules.commit(now, notices);
    }
}

impl Drop for Atomic<'_> {
    fn drop(&mut self) {
        if self.pipeline.journal.is_some() {
            self.pipeline.roll_back();
        }
    }
}
