//! Messages that change the tables, applied in order; errors as messages to send back.

use super::Datapath;
use crate::error::{OfError, OfResult};
use crate::openflow::Version;
use crate::openflow::decode::{self, Context, FlowMods};
use crate::openflow::error::{self, encode_error};
use crate::openflow::modify::{PacketOut, Resume, flow_flags};
use crate::table::{Change, Notice};
use crate::time::Now;
use crate::worker::{Writing, tell};

/// Length of a message's header.
const HEADER: usize = 8;

/// A message, decoded.
#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum Request {
    Change(Change),
    Table(crate::openflow::modify::TableMod),
    PacketOut(Box<PacketOut>),
    Resume(Box<Resume>),
}

impl Datapath {
    /// Applies whole messages in order; returns OFPT_ERROR messages.
    ///
    /// `atomic`: all or nothing; packet-outs run after everything else then.
    pub fn apply(
        &self,
        version: Version,
        messages: &[u8],
        now: Now,
        atomic: bool,
        origin: u64,
        context: &Context,
    ) -> Vec<u8> {
        self.shared.saw(now);
        if self.needs_counters(version, messages) {
            self.collect();
        }
        let context = Context {
            compat: self.decode_compat(),
            ..*context
        };
        let mut slice = Slice {
            datapath: self,
            version,
            context: &context,
            now,
            errors: Vec::new(),
            notices: Vec::new(),
            flow_mods: FlowMods::new(version, &context),
        };
        if atomic {
            slice.apply_atomic(messages);
        } else {
            slice.apply_each(messages);
        }
        tell(&self.shared, slice.notices, origin);
        slice.errors
    }

    /// Reads whole messages as [`apply`](Self::apply) would, and changes nothing; returns the
    /// error of the first that can never be applied, whatever the tables hold.
    pub fn check(&self, version: Version, messages: &[u8], context: &Context) -> Vec<u8> {
        let context = Context {
            compat: self.decode_compat(),
            ..*context
        };
        let mut errors = Vec::new();
        let mut flow_mods = FlowMods::new(version, &context);
        for message in split(messages) {
            let checked = match kind(version, message) {
                Ok(Kind::FlowMod) => flow_mods.decode(message).map(|_| ()),
                _ => decode(version, message, &context).map(|_| ()),
            };
            if let Err(error) = checked {
                encode_error(version, error, message, &mut errors);
                break;
            }
        }
        errors
    }

    /// Whether messages may read or reset counters, so that what workers hold must be counted first.
    ///
    /// Adding, changing and deleting flows mostly does not: what is counted late goes to the rules
    /// that are still there.
    fn needs_counters(&self, version: Version, messages: &[u8]) -> bool {
        /// OFPT_FLOW_MOD, and where its flags are since OpenFlow 1.1.
        const FLOW_MOD: u8 = 14;
        const FLAGS: std::ops::Range<usize> = 44..46;
        const COUNTING: u16 =
            flow_flags::RESET_COUNTS | flow_flags::NO_PKT_COUNTS | flow_flags::NO_BYT_COUNTS;
        let is_plain = |message: &[u8]| {
            let flags = message.get(FLAGS).and_then(|flags| flags.first_chunk());
            message.get(1) == Some(&FLOW_MOD)
                && flags.is_some_and(|&flags| u16::from_be_bytes(flags) & COUNTING == 0)
        };
        version == Version::Of10
            || !split(messages).all(is_plain)
            || self.shared.read().pipeline.counts_must_be_prompt()
    }
}

/// One call of [`Datapath::apply`].
struct Slice<'a> {
    datapath: &'a Datapath,
    version: Version,
    context: &'a Context,
    now: Now,
    errors: Vec<u8>,
    notices: Vec<Notice>,
    flow_mods: FlowMods<'a>,
}

impl<'a> Slice<'a> {
    /// Message by message, under as few locks as packet-outs allow.
    fn apply_each(&mut self, messages: &[u8]) {
        let shared = &self.datapath.shared;
        let mut tables: Option<Writing<'a>> = None;
        for message in split(messages) {
            if matches!(kind(self.version, message), Ok(Kind::FlowMod)) {
                let tables = tables.get_or_insert_with(|| shared.write());
                if let Err(error) = self.flow_mod(tables, message) {
                    encode_error(self.version, error, message, &mut self.errors);
                }
                continue;
            }
            let applied = self.decode(message).and_then(|request| match request {
                Request::Change(change) => {
                    let tables = tables.get_or_insert_with(|| shared.write());
                    self.change(tables, &change)
                }
                Request::Table(request) => {
                    let tables = tables.get_or_insert_with(|| shared.write());
                    tables.pipeline.table_mod(&request)
                }
                Request::PacketOut(packet_out) => {
                    // Packets see all changes before them: the tables must be free for the walk.
                    tables = None;
                    self.datapath
                        .packet_out(self.version, &packet_out, self.now)
                }
                Request::Resume(resume) => {
                    tables = None;
                    self.datapath.resume(&resume, self.now)
                }
            });
            if let Err(error) = applied {
                encode_error(self.version, error, message, &mut self.errors);
            }
        }
    }

    /// What nearly every message is, and mostly like the one before.
    fn flow_mod(&mut self, tables: &mut Writing<'_>, message: &[u8]) -> OfResult<()> {
        let request = self.flow_mods.decode(message)?;
        tables
            .pipeline
            .flow_mod(request, self.now, &mut self.notices)
    }

    fn change(&mut self, tables: &mut Writing<'_>, change: &Change) -> OfResult<()> {
        let (now, notices) = (self.now, &mut self.notices);
        let pipeline = &mut tables.pipeline;
        match change {
            Change::Flow(request) => pipeline.flow_mod(request, now, notices),
            Change::Group(request) => pipeline.group_mod(request, now, notices),
            Change::Meter(request) => pipeline.meter_mod(request, now, notices),
        }
    }

    /// All or nothing; the first error is the only one.
    fn apply_atomic(&mut self, messages: &[u8]) {
        let mut afterwards = Vec::new();
        let mut tables = self.datapath.shared.write();
        let mut list = tables.pipeline.atomic();
        for message in split(messages) {
            if matches!(kind(self.version, message), Ok(Kind::FlowMod)) {
                let decoded = self.flow_mods.decode(message);
                if let Err(error) = decoded.and_then(|one| list.flow_mod(one, self.now)) {
                    drop(list);
                    return self.refuse(error, message);
                }
                continue;
            }
            let applied = self.decode(message).and_then(|request| match request {
                Request::Change(change) => list.apply(&change, self.now),
                Request::PacketOut(packet_out) => {
                    let checked = list.check_actions(&packet_out.actions);
                    afterwards.push((Request::PacketOut(packet_out), message));
                    checked
                }
                Request::Table(request) => {
                    afterwards.push((Request::Table(request), message));
                    request.check()
                }
                // Only NXT_RESUME, which no bundle holds.
                Request::Resume(_) => Err(error::BAD_REQUEST_TYPE),
            });
            if let Err(error) = applied {
                drop(list);
                return self.refuse(error, message);
            }
        }
        list.commit(self.now, &mut self.notices);
        drop(tables);
        for (request, message) in afterwards {
            let applied = match request {
                Request::Change(_) | Request::Resume(_) => Ok(()),
                Request::Table(request) => {
                    self.datapath.shared.write().pipeline.table_mod(&request)
                }
                Request::PacketOut(packet_out) => {
                    self.datapath
                        .packet_out(self.version, &packet_out, self.now)
                }
            };
            if let Err(error) = applied {
                self.refuse(error, message);
            }
        }
    }

    fn refuse(&mut self, error: OfError, message: &[u8]) {
        encode_error(self.version, error, message, &mut self.errors);
    }

    fn decode(&self, message: &[u8]) -> OfResult<Request> {
        decode(self.version, message, self.context)
    }
}

fn decode(version: Version, message: &[u8], context: &Context) -> OfResult<Request> {
    let change = match kind(version, message)? {
        Kind::FlowMod => Change::Flow(decode::flow_mod(version, message, context)?),
        Kind::GroupMod => Change::Group(decode::group_mod(version, message, context)?),
        Kind::MeterMod => Change::Meter(decode::meter_mod(version, message, context)?),
        Kind::TableMod => {
            return decode::table_mod(version, message, context).map(Request::Table);
        }
        Kind::PacketOut => {
            let packet_out = decode::packet_out(version, message, context)?;
            return Ok(Request::PacketOut(Box::new(packet_out)));
        }
        Kind::Resume => {
            let resume = decode::resume(version, message, context)?;
            return Ok(Request::Resume(Box::new(resume)));
        }
    };
    Ok(Request::Change(change))
}

enum Kind {
    FlowMod,
    GroupMod,
    MeterMod,
    TableMod,
    PacketOut,
    Resume,
}

/// What a message is, by its type and, for an experimenter's, its subtype.
fn kind(version: Version, message: &[u8]) -> OfResult<Kind> {
    /// NXT_FLOW_MOD, NXT_RESUME and NXT_GROUP_MOD.
    const NXT_FLOW_MOD: u32 = 13;
    const NXT_RESUME: u32 = 28;
    const NXT_GROUP_MOD: u32 = 31;
    let number = |at: usize| {
        let bytes = message.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let newer = version > Version::Of10;
    Ok(match message.get(1) {
        Some(13) => Kind::PacketOut,
        Some(14) => Kind::FlowMod,
        Some(15) if newer => Kind::GroupMod,
        Some(17) if newer => Kind::TableMod,
        Some(29) if newer => Kind::MeterMod,
        Some(4) => match (number(HEADER), number(HEADER + 4)) {
            (Some(error::NICIRA), Some(NXT_FLOW_MOD)) => Kind::FlowMod,
            (Some(error::NICIRA), Some(NXT_GROUP_MOD)) => Kind::GroupMod,
            (Some(error::NICIRA), Some(NXT_RESUME)) => Kind::Resume,
            (Some(error::NICIRA), _) => return Err(error::BAD_EXP_TYPE),
            _ => return Err(error::BAD_EXPERIMENTER),
        },
        _ => return Err(error::BAD_REQUEST_TYPE),
    })
}

/// The messages in `bytes`, by their length fields.  What is cut short comes as it is.
fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let len = match bytes.get(2..4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => bytes.len(),
        };
        let len = len.max(HEADER).min(bytes.len());
        let (message, rest) = bytes.split_at(len);
        bytes = rest;
        Some(message)
    })
}
