//! Who hears packet-ins, and how many each of them is sent at most.
//!
//! The control plane names its controllers: which packet-ins each wants and how fast it may be
//! sent them.  Each has a token bucket of its own, so that a flood for one neither drowns the
//! control plane nor takes another's share.  What nobody wants, and what is over the limit of all
//! who want it, stops here, before it is copied.
//!
//! Until controllers are named everybody is meant: one audience with one bucket.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::action::ControllerOut;
use crate::time::Now;

const SECOND_NS: u64 = 1_000_000_000;

/// Packet-ins a second to one controller unless told otherwise.
const DEFAULT_RATE: u32 = 1000;

/// Packet-ins at once to one controller unless told otherwise.
const DEFAULT_BURST: u32 = 250;

/// What one controller wants to hear, and how fast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// The control plane's number for it.
    pub number: u64,
    /// Its controller id.
    pub controller: u16,
    /// A bit for each reason that it wants, in OpenFlow 1.4's numbers.
    pub reasons: u32,
    /// Whether it wants packets that no flow matched.
    pub misses: bool,
    /// Packets a second, 0 for no limit; `None` as the settings say.
    pub rate: Option<u32>,
    /// Packets at once; `None` as the settings say.
    pub burst: Option<u32>,
}

impl Listener {
    fn wants(&self, out: &ControllerOut) -> bool {
        self.controller == out.controller
            && self.reasons >> (out.reason as u32) & 1 == 1
            && (self.misses || !out.is_miss)
    }
}

/// What one controller was sent and was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub number: u64,
    /// Packet-ins within the limit.
    pub passed: u64,
    /// Packet-ins over the limit.
    pub limited: u64,
}

/// Whether a packet-in is to be made.
#[derive(Debug, PartialEq, Eq)]
pub struct Admission {
    /// Those who get it; `None` for everybody.
    pub listeners: Option<Box<[u64]>>,
    /// How many want it and are over their limits.
    pub limited: u64,
}

impl Admission {
    /// Whether anybody gets it.
    pub fn passes(&self) -> bool {
        match &self.listeners {
            Some(listeners) => !listeners.is_empty(),
            None => self.limited == 0,
        }
    }
}

/// All who may hear packet-ins.
#[derive(Debug)]
pub struct Audience {
    seats: Mutex<Seats>,
    /// Whether there is anybody, readable without the lock.
    somebody: AtomicBool,
}

#[derive(Debug)]
struct Seats {
    rate: u32,
    burst: u32,
    /// The one bucket while nobody is named.
    everybody: Option<Bucket>,
    named: Vec<Seat>,
}

#[derive(Debug)]
struct Seat {
    listener: Listener,
    bucket: Bucket,
    passed: u64,
    limited: u64,
}

impl Default for Audience {
    fn default() -> Self {
        Self {
            seats: Mutex::new(Seats {
                rate: DEFAULT_RATE,
                burst: DEFAULT_BURST,
                everybody: Some(Bucket::default()),
                named: Vec::new(),
            }),
            somebody: AtomicBool::new(true),
        }
    }
}

impl Audience {
    /// Whether anybody wants this packet-in.
    pub fn wants(&self, out: &ControllerOut) -> bool {
        if !self.somebody.load(Ordering::Relaxed) {
            return false;
        }
        let seats = self.lock();
        seats.everybody.is_some() || seats.named.iter().any(|seat| seat.listener.wants(out))
    }

    /// Takes a packet-in out of the limits of all who want it.
    pub fn admit(&self, out: &ControllerOut, now: Now) -> Admission {
        let mut seats = self.lock();
        let (rate, burst) = (seats.rate, seats.burst);
        if let Some(bucket) = &mut seats.everybody {
            return Admission {
                listeners: None,
                limited: u64::from(!bucket.take(rate, burst, now)),
            };
        }
        let mut limited = 0;
        let wanting = seats.named.iter_mut();
        let heard = wanting.filter(|seat| seat.listener.wants(out));
        let heard = heard.filter_map(|seat| {
            let rate = seat.listener.rate.unwrap_or(rate);
            if seat
                .bucket
                .take(rate, seat.listener.burst.unwrap_or(burst), now)
            {
                seat.passed += 1;
                return Some(seat.listener.number);
            }
            seat.limited += 1;
            limited += 1;
            None
        });
        Admission {
            listeners: Some(heard.collect()),
            limited,
        }
    }

    /// Names those who listen; `None` for everybody.  Who was there before keeps its bucket.
    pub fn name(&self, listeners: Option<Vec<Listener>>) {
        let mut seats = self.lock();
        let somebody = listeners.as_ref().is_none_or(|named| !named.is_empty());
        seats.everybody = listeners.is_none().then(Bucket::default);
        let mut before = std::mem::take(&mut seats.named);
        let named = listeners.unwrap_or_default().into_iter();
        seats.named = named
            .map(|listener| {
                let place = before
                    .iter()
                    .position(|seat| seat.listener.number == listener.number);
                match place.map(|place| before.swap_remove(place)) {
                    Some(seat) => Seat { listener, ..seat },
                    None => Seat {
                        listener,
                        bucket: Bucket::default(),
                        passed: 0,
                        limited: 0,
                    },
                }
            })
            .collect();
        self.somebody.store(somebody, Ordering::Relaxed);
    }

    /// Sets the rate (packets a second, 0 for no limit) or the burst of those who have none of
    /// their own.
    pub fn set(&self, rate: Option<u32>, burst: Option<u32>) {
        let mut seats = self.lock();
        seats.rate = rate.unwrap_or(seats.rate);
        seats.burst = burst.unwrap_or(seats.burst);
        if seats.everybody.is_some() {
            seats.everybody = Some(Bucket::default());
        }
    }

    /// What each of those who are named was sent and was not.
    pub fn heard(&self) -> Vec<Heard> {
        let seats = self.lock();
        let named = seats.named.iter();
        named
            .map(|seat| Heard {
                number: seat.listener.number,
                passed: seat.passed,
                limited: seat.limited,
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token bucket that starts full.
#[derive(Debug, Default)]
struct Bucket {
    /// What is missing: nanoseconds' worth of packets, times the rate.
    spent: u64,
    filled: Now,
}

impl Bucket {
    fn take(&mut self, rate: u32, burst: u32, now: Now) -> bool {
        if rate == 0 {
            return true;
        }
        let passed = now.0.saturating_sub(self.filled.0);
        self.filled = self.filled.max(now);
        self.spent = self
            .spent
            .saturating_sub(passed.saturating_mul(u64::from(rate)));
        let full = u64::from(burst.max(1)).saturating_mul(SECOND_NS);
        let within = self.spent.saturating_add(SECOND_NS) <= full;
        if within {
            self.spent += SECOND_NS;
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::PacketInReason;
    use crate::flow::{FlowKey, FlowMask};
    use crate::openflow::action::TableId;

    fn out(controller: u16, reason: PacketInReason, is_miss: bool) -> ControllerOut {
        ControllerOut {
            reason,
            is_miss,
            table: TableId(0),
            cookie: u64::MAX,
            max_len: 0xffff,
            controller,
            metadata: Box::new(FlowKey::default()),
            written: Box::new(FlowMask::default()),
            userdata: Box::default(),
            meter: None,
            continuation: None,
        }
    }

    fn listener(number: u64, rate: u32, burst: u32) -> Listener {
        Listener {
            number,
            reasons: 0b11_1111,
            rate: Some(rate),
            burst: Some(burst),
            ..Listener::default()
        }
    }

    fn usual() -> ControllerOut {
        out(0, PacketInReason::ApplyAction, false)
    }

    #[test]
    fn a_burst_passes_then_the_rate() {
        let audience = Audience::default();
        audience.set(Some(10), Some(3));
        let passed = |at: u64| {
            let admitted = (0..5).filter(|_| audience.admit(&usual(), Now(at)).passes());
            admitted.count()
        };
        assert_eq!(passed(0), 3);
        assert_eq!(passed(SECOND_NS / 10), 1);
        assert_eq!(passed(SECOND_NS), 3);
        audience.set(Some(0), None);
        assert_eq!(passed(SECOND_NS), 5);
    }

    #[test]
    fn each_has_a_limit_of_its_own_and_keeps_it() {
        let audience = Audience::default();
        audience.name(Some(vec![listener(1, 10, 2), listener(2, 10, 4)]));
        let admit = || audience.admit(&usual(), Now(0));
        let named = |numbers: &[u64], limited| Admission {
            listeners: Some(numbers.into()),
            limited,
        };
        assert_eq!(admit(), named(&[1, 2], 0));
        assert_eq!(admit(), named(&[1, 2], 0));
        audience.name(Some(vec![listener(2, 10, 4), listener(1, 10, 2)]));
        assert_eq!(admit(), named(&[2], 1));
        assert_eq!(admit(), named(&[2], 1));
        assert_eq!(admit(), named(&[], 2));
        let heard = audience.heard();
        assert_eq!(
            heard[1],
            (Heard {
                number: 1,
                passed: 2,
                limited: 3
            })
        );
        assert_eq!(
            heard[0],
            (Heard {
                number: 2,
                passed: 4,
                limited: 1
            })
        );
    }

    #[test]
    fn only_those_who_want_a_packet_are_asked() {
        let audience = Audience::default();
        let mut second = listener(2, 0, 0);
        second.controller = 7;
        let mut third = listener(3, 0, 0);
        (third.reasons, third.misses) = (1, true);
        audience.name(Some(vec![listener(1, 0, 0), second, third]));
        let cases: [(ControllerOut, &[u64]); 4] = [
            (usual(), &[1]),
            (out(7, PacketInReason::ApplyAction, false), &[2]),
            (out(0, PacketInReason::TableMiss, false), &[1, 3]),
            (out(0, PacketInReason::TableMiss, true), &[3]),
        ];
        for (packet, wanted) in cases {
            assert!(audience.wants(&packet));
            let admission = audience.admit(&packet, Now(0));
            assert_eq!(admission.listeners.as_deref(), Some(wanted), "{packet:?}");
        }
        assert!(!audience.wants(&out(8, PacketInReason::ApplyAction, false)));
        audience.name(Some(Vec::new()));
        assert!(!audience.wants(&usual()));
        audience.name(None);
        assert!(audience.wants(&usual()));
    }
}
