//! Time to live: counted down, copied from header to header, and what happens when it is over.
//!
//! Where nothing else depends on the outcome the packet itself counts down, so that a translation
//! holds for packets of any TTL.  A TTL copied between labels that the key shows is written like
//! any other field; one that comes from below the last label is the packet's business, and who
//! asks for it after that must read the packet again ([`Hidden::LabelTtl`]).

use std::sync::Arc;

use super::Observer;
use super::actions::BOTTOM;
use super::freeze::Hidden;
use super::walk::{ListEnd, Walk};
use crate::action::{DpAction, PacketInReason};
use crate::error::DropReason;
use crate::flow::field::Prerequisite;
use crate::flow::slot;

impl<O: Observer> Walk<'_, O> {
    /// Decrements the IP TTL: by the packet itself where nothing else depends on the outcome.
    pub(super) fn dec_ttl(&mut self, controllers: &[u16]) -> ListEnd {
        if !self.meets(Prerequisite::Ip) {
            return ListEnd::Next;
        }
        if self.provenance.is_known(slot::IP_TTL, 0xff)
            || self.outcome_matters()
            || controllers.len() > 1
        {
            self.provenance.consult_slot(slot::IP_TTL, 0xff);
            let ttl = self.flow.value(slot::IP_TTL);
            if ttl <= 1 {
                return self.ttl_expired(controllers);
            }
            self.set_header(slot::IP_TTL, ttl - 1, 0xff);
            return ListEnd::Next;
        }
        let expired = self.expired_ttl_out(controllers);
        self.emitter.push(DpAction::DecTtl {
            skip_to: u16::MAX,
            expired,
        });
        let ttl = self.flow.value(slot::IP_TTL);
        self.flow.set(slot::IP_TTL, ttl.saturating_sub(1));
        self.provenance.decrement_ttl();
        ListEnd::Next
    }

    /// Same for the outer label stack entry.
    pub(super) fn dec_mpls_ttl(&mut self) -> ListEnd {
        if !self.meets(Prerequisite::Mpls) {
            return ListEnd::Next;
        }
        let ttl = self.flow.value(slot::MPLS_LSE0) & 0xff;
        if self.provenance.is_known(slot::MPLS_LSE0, 0xff) || self.outcome_matters() {
            self.provenance.consult_slot(slot::MPLS_LSE0, 0xff);
            if ttl <= 1 {
                return self.ttl_expired(&[]);
            }
            self.set_header(slot::MPLS_LSE0, ttl - 1, 0xff);
            return ListEnd::Next;
        }
        let expired = self.expired_ttl_out(&[]);
        self.emitter.push(DpAction::DecMplsTtl {
            skip_to: u16::MAX,
            expired,
        });
        let lse = self.flow.value(slot::MPLS_LSE0) & !0xff;
        self.flow.set(slot::MPLS_LSE0, lse | ttl.saturating_sub(1));
        self.provenance.decrement_mpls_ttl();
        ListEnd::Next
    }

    /// Whether something goes on even when this list ends early, or would be counted wrongly: then
    /// the TTL must be known for all packets of the translation.
    fn outcome_matters(&self) -> bool {
        self.callers > 0 || self.followed || !self.set.is_empty()
    }

    fn ttl_expired(&mut self, controllers: &[u16]) -> ListEnd {
        self.observer.note(format_args!("TTL expired"));
        self.lost.get_or_insert(DropReason::TtlExpired);
        if self.context.settings.invalid_ttl_to_controller {
            let everybody = [0];
            let ids = if controllers.is_empty() {
                &everybody[..]
            } else {
                controllers
            };
            for &controller in ids {
                self.tell_controller(PacketInReason::InvalidTtl, controller, 0xffff);
            }
        }
        ListEnd::EndList
    }

    /// Where a packet goes, as it is now, whose TTL turns out to have expired.
    fn expired_ttl_out(
        &mut self,
        controllers: &[u16],
    ) -> Option<Arc<crate::action::ControllerOut>> {
        if !self.context.settings.invalid_ttl_to_controller {
            return None;
        }
        let controller = controllers.first().copied().unwrap_or(0);
        let out = self.controller_out(PacketInReason::InvalidTtl, controller, 0xffff);
        if out.is_some() {
            self.emitter.flush_all(&self.flow);
        }
        out
    }

    /// Copies the TTL of what follows the outer label stack entry to it.
    /// Source: OpenFlow 1.3.5 §5.12.
    pub(super) fn copy_ttl_out(&mut self) {
        if !self.meets(Prerequisite::Mpls) {
            return;
        }
        if self.is_last_label() {
            self.emitter.flush_all(&self.flow);
            self.emitter.push(DpAction::CopyTtlOut);
            self.provenance.disguise(slot::MPLS_LSE0);
            self.hidden = self.hidden.max(Hidden::LabelTtl);
            return;
        }
        self.provenance.consult_slot(slot::MPLS_LSE1, 0xff);
        let ttl = self.flow.value(slot::MPLS_LSE1) & 0xff;
        self.set_header(slot::MPLS_LSE0, ttl, 0xff);
    }

    /// Copies the TTL of the outer label stack entry to what follows it.
    pub(super) fn copy_ttl_in(&mut self) {
        if !self.meets(Prerequisite::Mpls) {
            return;
        }
        self.emitter.flush_all(&self.flow);
        self.emitter.push(DpAction::CopyTtlIn);
        if !self.is_last_label() {
            self.provenance.consult_slot(slot::MPLS_LSE0, 0xff);
            let ttl = self.flow.value(slot::MPLS_LSE0) & 0xff;
            self.flow.set_masked(slot::MPLS_LSE1, ttl, 0xff);
            self.provenance.overwrite(slot::MPLS_LSE1, 0xff);
        }
    }

    /// Whether IP follows the outer label stack entry, and no other.
    fn is_last_label(&mut self) -> bool {
        let bottom = u128::from(BOTTOM);
        self.provenance.consult_slot(slot::MPLS_LSE0, bottom);
        self.flow.value(slot::MPLS_LSE0) & bottom != 0
    }
}
