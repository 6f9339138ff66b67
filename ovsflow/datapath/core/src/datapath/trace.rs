//! A walk through the tables told as JSON, with no effect on state.

use super::describe::describe;
use super::json::Json;
use super::rehearsal::Rehearsal;
use super::{Datapath, Refusal};
use crate::action::DpAction;
use crate::error::DropReason;
use crate::execute;
use crate::flow::extract::{Depth, extract};
use crate::flow::field::{self, FIELDS, Field, Format, Prerequisite};
use crate::flow::{FlowKey, FlowMask, KEY_WORDS, Slot, slot};
use crate::openflow::action::Action;
use crate::openflow::modify::Match;
use crate::openflow::{Version, decode, encode};
use crate::packet::{Packet, PortNo, Tunnel, TunnelAddress};
use crate::time::Now;
use crate::translate::{Happening, Teller, Told, TracedRule, Translation, translate_observed};
use crate::worker::State;

impl Datapath {
    /// Walks the tables and tells the walk as JSON, with no effect on state.
    ///
    /// `matching` is OXM/NXM TLVs of the packet's fields; with a `frame` those of its headers
    /// come from there, and the walk goes on where the packet comes back to the tables.
    pub fn trace(
        &self,
        matching: &[u8],
        frame: Option<&[u8]>,
        _now: Now,
    ) -> Result<String, Refusal> {
        let matching = decode::match_tlvs(matching)
            .map_err(|error| Refusal::Usage(format!("match: {error:?}")))?;
        let state = self.shared.read();
        let fragments = state.settings.fragments.on_extract();
        let mut key = FlowKey::default();
        let mut packet = None;
        if let Some(frame) = frame {
            let real = Box::new(Packet::from_frame(frame));
            if !extract(&real, Depth::All, fragments, &mut key) {
                let text = "frame: shorter than an Ethernet header".to_owned();
                return Err(Refusal::Usage(text));
            }
            key.set(slot::IN_PORT, 0);
            packet = Some(real);
        }
        let given = key.words.iter_mut().zip(&matching.value.words);
        for ((word, value), mask) in given.zip(&matching.mask.words) {
            *word = *word & !mask | value;
        }
        if matching.mask.value(slot::IN_PHY_PORT) == 0 {
            key.set(slot::IN_PHY_PORT, key.value(slot::IN_PORT));
        }
        if let Some(packet) = &mut packet {
            take_metadata(packet, &key);
        }
        let mut rehearsal = Rehearsal::default();
        let first = Pass::walk(&state, &key);
        first.carry_out(packet, &mut rehearsal);
        let mut more = Vec::new();
        while let Some((id, packet)) = rehearsal.next_back() {
            let mut key = FlowKey::default();
            if !extract(&packet, Depth::All, fragments, &mut key) {
                continue;
            }
            key.set(slot::RECIRC_ID, u128::from(id));
            let pass = Pass::walk(&state, &key);
            pass.carry_out(Some(packet), &mut rehearsal);
            more.push(pass);
        }
        Ok(told(&first, &more, rehearsal).to_string())
    }
}

/// One walk, from a packet's arrival or return to its end.
struct Pass {
    key: FlowKey,
    happenings: Vec<Happening>,
    translation: Translation,
}

impl Pass {
    fn walk(state: &State, key: &FlowKey) -> Self {
        let mut teller = Teller::new(&state.pipeline);
        let translation = translate_observed(&state.context(), key, &mut teller);
        Self {
            key: key.clone(),
            happenings: teller.into_happenings(),
            translation,
        }
    }

    /// Does to the packet what the walk decided.
    fn carry_out(&self, packet: Option<Box<Packet>>, rehearsal: &mut Rehearsal) {
        if let Some(packet) = packet {
            execute::execute(&self.translation.actions, packet, rehearsal);
        }
    }

    fn drop(&self) -> Option<DropReason> {
        self.translation
            .actions
            .iter()
            .find_map(|action| match action {
                DpAction::Drop(reason) => Some(*reason),
                _ => None,
            })
    }

    fn members(&self) -> Vec<(&'static str, Json)> {
        let actions = self.translation.actions.iter();
        let mask = self.translation.mask.to_mask();
        vec![
            ("key", fields(&self.key)),
            (
                "events",
                Json::List(self.happenings.iter().map(event).collect()),
            ),
            (
                "datapath_actions",
                Json::List(actions.map(|action| describe(action).into()).collect()),
            ),
            ("mask", masked(&self.key, &mask)),
            ("megaflow", megaflow(&self.key, &mask).into()),
        ]
    }
}

/// The whole story.
fn told(first: &Pass, more: &[Pass], rehearsal: Rehearsal) -> Json {
    let passes = || std::iter::once(first).chain(more);
    let happenings = passes().flat_map(|pass| &pass.happenings);
    let steps = happenings.filter_map(|happening| match &happening.told {
        Told::Table(table, rule) => Some(step(table.0, rule.as_deref())),
        _ => None,
    });
    let reason = first.drop();
    let mut members = first.members();
    members.push(("steps", Json::List(steps.collect())));
    let again = more.iter().map(|pass| Json::Object(named(pass.members())));
    members.push(("more", Json::List(again.collect())));
    members.push((
        "drop",
        reason.map_or(Json::Null, |reason| reason.name().into()),
    ));
    members.push((
        "why",
        reason.map_or(Json::Null, |reason| reason.describe().into()),
    ));
    members.push(("leaves", Json::List(rehearsal.into_json())));
    Json::Object(named(members))
}

fn named(members: Vec<(&'static str, Json)>) -> Vec<(String, Json)> {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Gives a packet the metadata that the key was given.
fn take_metadata(packet: &mut Packet, key: &FlowKey) {
    packet.in_port = PortNo(key.value(slot::IN_PORT) as u32);
    let v6 = key.value(slot::TUN_IPV6_SRC) | key.value(slot::TUN_IPV6_DST) != 0;
    let address = |v4: Slot, whole: Slot| {
        if v6 {
            TunnelAddress::V6(key.value(whole))
        } else {
            TunnelAddress::V4(key.value(v4) as u32)
        }
    };
    let tunnel = Tunnel {
        id: key.value(slot::TUN_ID) as u64,
        src: address(slot::TUN_SRC, slot::TUN_IPV6_SRC),
        dst: address(slot::TUN_DST, slot::TUN_IPV6_DST),
        flags: key.value(slot::TUN_FLAGS) as u16,
        gbp_id: key.value(slot::TUN_GBP_ID) as u16,
        gbp_flags: key.value(slot::TUN_GBP_FLAGS) as u8,
        tos: key.value(slot::TUN_TOS) as u8,
        ttl: key.value(slot::TUN_TTL) as u8,
    };
    let is_tunnelled = tunnel.id != 0 || key.words[6..12].iter().any(|&word| word != 0);
    packet.tunnel = is_tunnelled.then_some(tunnel);
}

/// One thing that happened: its depth, and what it was under its kind's name.
fn event(happening: &Happening) -> Json {
    let of_actions = |actions: &[Action]| {
        let mut bytes = Vec::new();
        encode::actions(Version::Of15, actions, false, &mut bytes);
        Json::from(hexadecimal(&bytes))
    };
    let (kind, value) = match &happening.told {
        Told::Table(table, rule) => ("table", step(table.0, rule.as_deref())),
        Told::Action(action) => ("action", of_actions(std::slice::from_ref(action))),
        Told::Writes(actions) => ("write_actions", of_actions(actions)),
        Told::Instruction(words) => ("instruction", words.as_str().into()),
        Told::Learns(flow) => {
            let rule = TracedRule {
                cookie: flow.cookie,
                priority: flow.priority,
                matching: flow.matching.clone(),
                instructions: flow.instructions.clone(),
            };
            ("learns", step(flow.table.0, Some(&rule)))
        }
        Told::Note(text) => ("note", text.as_str().into()),
    };
    Json::object([("depth", (happening.depth as u64).into()), (kind, value)])
}

/// A look at a table, and its rule.
fn step(table: u8, rule: Option<&TracedRule>) -> Json {
    let mut members = vec![("table", Json::from(u64::from(table)))];
    match rule {
        None => members.push(("rule", Json::Null)),
        Some(rule) => {
            let has_vlan = rule.matching.mask.value(slot::VLAN_TCI) & 0x1000 != 0;
            let (mut tlvs, mut instructions) = (Vec::new(), Vec::new());
            encode::match_tlvs(Version::Of13, &rule.matching, &mut tlvs);
            let out = &mut instructions;
            encode::instructions(Version::Of13, &rule.instructions, has_vlan, out);
            members.push(("rule", rule_text(&rule.matching).into()));
            members.push(("cookie", rule.cookie.into()));
            members.push(("priority", u64::from(rule.priority).into()));
            members.push(("match_tlvs", hexadecimal(&tlvs).into()));
            members.push(("instructions", hexadecimal(&instructions).into()));
        }
    }
    Json::Object(named(members))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A match as `field=value` pairs.
fn rule_text(matching: &Match) -> String {
    pairs(&matching.value, &matching.mask, |_, _| true)
}

/// The packets that go the same way: `field=value` pairs of the bits that decided.
fn megaflow(key: &FlowKey, mask: &FlowMask) -> String {
    // Every packet is an Ethernet frame: that alone is not worth a word.
    pairs(key, mask, |field, value| {
        field.id != field::PACKET_TYPE || value != 0
    })
}

fn pairs(key: &FlowKey, mask: &FlowMask, is_told: impl Fn(&Field, u128) -> bool) -> String {
    let parts = parts(key, mask).into_iter();
    let told = parts.filter_map(|(field, bits)| {
        let value = field.read(key);
        let text = if bits == field.key_mask(field.legal) {
            format!("{}={}", field.name, text(field, value))
        } else {
            let value = text(field, value & bits);
            format!("{}={value}/{}", field.name, text(field, bits))
        };
        is_told(field, value).then_some(text)
    });
    let told: Vec<_> = told.collect();
    if told.is_empty() {
        "any".to_owned()
    } else {
        told.join(",")
    }
}

/// The bits of each field that decided the walk, in hexadecimal.
fn masked(key: &FlowKey, mask: &FlowMask) -> Json {
    let bits = parts(key, mask).into_iter();
    let text = bits.map(|(field, bits)| (field.name.to_owned(), format!("0x{bits:x}").into()));
    Json::Object(text.collect())
}

/// The fields that the packet has.
fn fields(key: &FlowKey) -> Json {
    let all = FlowKey {
        words: [u64::MAX; KEY_WORDS],
    };
    let parts = parts(key, &all).into_iter();
    let physical = key.value(slot::IN_PHY_PORT) != key.value(slot::IN_PORT);
    let told = parts.filter(|(field, _)| {
        key.value(field.slot) != 0 && (physical || field.id != field::IN_PHY_PORT)
    });
    let text = told.map(|(field, _)| (field.name.to_owned(), text(field, field.read(key)).into()));
    Json::Object(text.collect())
}

/// Every field with bits in `mask`, once, and those bits: views of the same bits are left out.
fn parts(key: &FlowKey, mask: &FlowMask) -> Vec<(&'static Field, u128)> {
    let mut left = mask.clone();
    let mut parts = Vec::new();
    for field in FIELDS {
        let bits = left.value(field.slot) & field.key_mask(field.legal);
        if bits != 0 && is_present(field, key) {
            left.set(field.slot, left.value(field.slot) & !bits);
            parts.push((field, bits));
        }
    }
    parts
}

/// Whether a field means something in this key: fields of other protocols share its place.
fn is_present(field: &Field, key: &FlowKey) -> bool {
    field.prerequisite == Prerequisite::InPort || field.prerequisite.holds(key, key)
}

pub(super) fn text(field: &Field, value: u128) -> String {
    match field.format {
        Format::Ipv4 => std::net::Ipv4Addr::from(value as u32).to_string(),
        Format::Ipv6 => std::net::Ipv6Addr::from(value).to_string(),
        Format::Ethernet => {
            let bytes = (value as u64).to_be_bytes();
            let text: Vec<_> = bytes[2..].iter().map(|b| format!("{b:02x}")).collect();
            text.join(":")
        }
        Format::Decimal | Format::Port16 | Format::Port32 => value.to_string(),
        _ => format!("0x{value:x}"),
    }
}
