//! A timing wheel: which rules may be due, found without looking at the others.
//!
//! Time is cut into ticks of about 17 ms.  Four wheels of 64 slots each hold the timers of the next
//! 64 ticks, 64², 64³ and 64⁴ (78 hours); when a slower wheel's slot comes up, its timers move
//! to faster ones.  A timer fires exactly when `now` has reached its deadline, never before.

use super::store::NONE;
use crate::openflow::action::TableId;
use crate::time::Now;

const TICK_BITS: u32 = 24;
const SLOT_BITS: u32 = 6;
const SLOTS: u64 = 1 << SLOT_BITS;
const LEVELS: usize = 4;

/// A rule's timeouts and its place in the wheel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub(super) table: TableId,
    pub(super) slot: u32,
    /// Seconds; 0 for none.
    pub(super) idle: u16,
    /// Seconds; 0 for none.
    pub(super) hard: u16,
    deadline: Now,
    /// Index of the list that it is in, or `NOWHERE`.
    list: u16,
    next: u32,
    previous: u32,
}

const NOWHERE: u16 = u16::MAX;

/// All timers of a switch.
#[derive(Clone, Debug)]
pub(super) struct Wheel {
    timers: Vec<Timer>,
    free: Vec<u32>,
    /// First timer of each slot of each level.
    lists: [u32; LEVELS * SLOTS as usize],
    /// A bit for each slot that has timers.
    occupied: [u64; LEVELS],
    /// The tick that `now` was in.
    tick: u64,
}

impl Default for Wheel {
    fn default() -> Self {
        Self {
            timers: Vec::new(),
            free: Vec::new(),
            lists: [NONE; LEVELS * SLOTS as usize],
            occupied: [0; LEVELS],
            tick: 0,
        }
    }
}

impl Wheel {
    /// A timer that is not in the wheel yet.
    pub(super) fn add(&mut self, table: TableId, slot: u32, idle: u16, hard: u16) -> u32 {
        let timer = Timer {
            table,
            slot,
            idle,
            hard,
            deadline: Now(u64::MAX),
            list: NOWHERE,
            next: NONE,
            previous: NONE,
        };
        if let Some(index) = self.free.pop() {
            self.timers[index as usize] = timer;
            index
        } else {
            self.timers.push(timer);
            (self.timers.len() - 1) as u32
        }
    }

    pub(super) fn timer(&self, index: u32) -> Option<&Timer> {
        self.timers.get(index as usize)
    }

    pub(super) fn timer_mut(&mut self, index: u32) -> &mut Timer {
        &mut self.timers[index as usize]
    }

    /// Forgets a timer.
    pub(super) fn remove(&mut self, index: u32) {
        if index != NONE {
            self.stop(index);
            self.free.push(index);
        }
    }

    /// Lets a timer fire at `deadline`, and at no other time.
    pub(super) fn start(&mut self, index: u32, deadline: Now) {
        self.stop(index);
        self.timer_mut(index).deadline = deadline;
        let due = (deadline.0 >> TICK_BITS).max(self.tick);
        let horizon = self.tick + ((SLOTS - 1) << (SLOT_BITS * (LEVELS as u32 - 1)));
        let due = due.min(horizon);
        // The level at whose scale `due` and the present tick first share a wheel's turn.
        let level = (0..LEVELS as u32)
            .find(|level| (due ^ self.tick) >> (SLOT_BITS * (level + 1)) == 0)
            .unwrap_or(LEVELS as u32 - 1);
        let slot = due >> (SLOT_BITS * level) & (SLOTS - 1);
        let list = u64::from(level) * SLOTS + slot;
        let first = self.lists[list as usize];
        let timer = self.timer_mut(index);
        timer.list = list as u16;
        timer.next = first;
        if let Some(neighbour) = self.timers.get_mut(first as usize) {
            neighbour.previous = index;
        }
        self.lists[list as usize] = index;
        self.occupied[level as usize] |= 1 << slot;
    }

    /// Lets a timer not fire.
    pub(super) fn stop(&mut self, index: u32) {
        let Timer {
            list,
            next,
            previous,
            ..
        } = self.timers[index as usize];
        if list == NOWHERE {
            return;
        }
        if let Some(neighbour) = self.timers.get_mut(next as usize) {
            neighbour.previous = previous;
        }
        match self.timers.get_mut(previous as usize) {
            Some(neighbour) => neighbour.next = next,
            None => self.set_first(list, next),
        }
        let timer = self.timer_mut(index);
        (timer.list, timer.next, timer.previous) = (NOWHERE, NONE, NONE);
    }

    fn set_first(&mut self, list: u16, first: u32) {
        self.lists[usize::from(list)] = first;
        if first == NONE {
            let (level, slot) = (u64::from(list) / SLOTS, u64::from(list) % SLOTS);
            self.occupied[level as usize] &= !(1 << slot);
        }
    }

    /// Stops every timer whose deadline has come and appends it to `due`.
    pub(super) fn advance(&mut self, now: Now, due: &mut Vec<u32>) {
        let target = now.0 >> TICK_BITS;
        self.fire(now, due);
        while self.tick < target {
            // With nothing in the faster wheels, whole turns of them can be skipped.
            let idle = self.occupied.iter().take_while(|&&bits| bits == 0).count() as u32;
            let turn = idle.min(LEVELS as u32 - 1) * SLOT_BITS;
            self.tick = (((self.tick >> turn) + 1) << turn).min(target);
            self.cascade();
            self.fire(now, due);
        }
    }

    /// Stops the present tick's timers that are due.
    fn fire(&mut self, now: Now, due: &mut Vec<u32>) {
        let mut index = self.lists[(self.tick & (SLOTS - 1)) as usize];
        while let Some(timer) = self.timer(index) {
            let (next, deadline) = (timer.next, timer.deadline);
            if deadline <= now {
                self.stop(index);
                due.push(index);
            }
            index = next;
        }
    }

    /// Moves the timers whose turn has come at a slower wheel to faster ones.
    fn cascade(&mut self) {
        for level in (1..LEVELS).rev() {
            let slot = self.tick >> (SLOT_BITS * level as u32) & (SLOTS - 1);
            let list = level as u64 * SLOTS + slot;
            if self.occupied[level] >> slot & 1 == 0 {
                continue;
            }
            let mut index = self.lists[list as usize];
            self.set_first(list as u16, NONE);
            while let Some(timer) = self.timers.get_mut(index as usize) {
                let (next, deadline) = (timer.next, timer.deadline);
                (timer.list, timer.next, timer.previous) = (NOWHERE, NONE, NONE);
                self.start(index, deadline);
                index = next;
            }
        }
    }

    /// When [`advance`](Self::advance) has something to do next, at the latest when it must be called.
    pub(super) fn next(&self) -> Option<Now> {
        let present = self.tick & (SLOTS - 1);
        let mut earliest: Option<u64> = None;
        let mut index = self.lists[present as usize];
        while let Some(timer) = self.timer(index) {
            earliest = Some(earliest.map_or(timer.deadline.0, |e| e.min(timer.deadline.0)));
            index = timer.next;
        }
        for (level, &bits) in self.occupied.iter().enumerate() {
            let shift = SLOT_BITS * level as u32;
            let here = self.tick >> shift & (SLOTS - 1);
            let ahead = bits & !((2u64 << here).wrapping_sub(1));
            // Only the slowest wheel has timers behind its hand: they are for its next turn.
            let behind = bits & ((1u64 << here) - 1);
            let (slots, turns) = if ahead != 0 {
                (ahead, 0)
            } else {
                (behind, SLOTS)
            };
            if slots != 0 {
                let turn = (self.tick >> shift >> SLOT_BITS << SLOT_BITS) + turns;
                let tick = (turn + u64::from(slots.trailing_zeros())) << shift;
                let start = tick << TICK_BITS;
                earliest = Some(earliest.map_or(start, |e| e.min(start)));
            }
        }
        earliest.map(Now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn timers_fire_when_due_and_not_before(
            start in prop::sample::select(vec![0, 1 << 40, 1 << 57]),
            steps in prop::collection::vec((0u64..200_000_000_000_000, 0u64..3_000_000_000_000, any::<bool>()), 1..60)
        ) {
            let mut wheel = Wheel::default();
            let mut waiting: Vec<(u64, u32)> = Vec::new();
            let mut now = start;
            for (delay, step, stop) in steps {
                let index = wheel.add(TableId(0), 0, 0, 0);
                wheel.start(index, Now(now + delay));
                waiting.push((now + delay, index));
                if stop {
                    let (_, index) = waiting.swap_remove(waiting.len() / 2);
                    wheel.remove(index);
                }
                let earliest = waiting.iter().map(|&(deadline, _)| deadline).min();
                let next = wheel.next().map(|now| now.0);
                prop_assert_eq!(next.is_some(), earliest.is_some());
                prop_assert!(next <= earliest);
                now += step;
                let mut due = Vec::new();
                wheel.advance(Now(now), &mut due);
                due.sort_unstable();
                let mut expected: Vec<u32> = waiting
                    .iter()
                    .filter(|&&(deadline, _)| deadline <= now)
                    .map(|&(_, index)| index)
                    .collect();
                expected.sort_unstable();
                prop_assert_eq!(&due, &expected);
                waiting.retain(|&(deadline, _)| deadline > now);
                for index in due {
                    wheel.remove(index);
                }
            }
        }
    }

    #[test]
    fn following_the_next_call_reaches_every_deadline_in_a_few_steps() {
        let mut wheel = Wheel::default();
        let index = wheel.add(TableId(0), 0, 0, 0);
        let deadline = Now::from_secs(65_535);
        wheel.start(index, deadline);
        let mut due = Vec::new();
        let mut steps = 0;
        while due.is_empty() {
            let next = wheel.next().unwrap_or(deadline);
            assert!(next <= deadline);
            wheel.advance(next, &mut due);
            steps += 1;
        }
        assert!(steps <= LEVELS + 1, "{steps} steps");
    }
}
