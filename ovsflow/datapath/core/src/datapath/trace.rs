//! A walk through the tables told as JSON, with no effect on state.

use super::json::Json;
use super::{Datapath, Refusal};
use crate::action::DpAction;
use crate::flow::extract::{Depth, extract};
use crate::flow::field::{FIELDS, Field, Format, Prerequisite};
use crate::flow::{FlowKey, FlowMask, KEY_WORDS, slot};
use crate::openflow::modify::Match;
use crate::openflow::{Version, decode, encode};
use crate::packet::{Packet, PortNo, Tunnel, TunnelAddress};
use crate::time::Now;
use crate::translate::{Teller, TraceStep, translate_observed};

impl Datapath {
    /// Walks the tables and tells the walk as JSON, with no effect on state.
    ///
    /// `matching` is OXM/NXM TLVs of the packet's fields; with a `frame` those of its headers
    /// come from there.
    pub fn trace(
        &self,
        matching: &[u8],
        frame: Option<&[u8]>,
        _now: Now,
    ) -> Result<String, Refusal> {
        let matching = decode::match_tlvs(matching)
            .map_err(|error| Refusal::Usage(format!("match: {error:?}")))?;
        let state = self.shared.read();
        let mut key = FlowKey::default();
        if let Some(frame) = frame {
            let packet = Packet::from_frame(frame);
            let fragments = state.settings.fragments.on_extract();
            if !extract(&packet, Depth::All, fragments, &mut key) {
                let text = "frame: shorter than an Ethernet header".to_owned();
                return Err(Refusal::Usage(text));
            }
            key.set(slot::IN_PORT, 0);
        }
        for (word, (value, mask)) in key
            .words
            .iter_mut()
            .zip(matching.value.words.iter().zip(&matching.mask.words))
        {
            *word = *word & !mask | value;
        }
        let mut teller = Teller::new(&state.pipeline);
        let translation = translate_observed(&state.context(), &key, &mut teller);
        let steps = teller.steps.iter().map(step).collect();
        let actions = translation.actions.iter();
        let drop = translation.actions.iter().find_map(|action| match action {
            DpAction::Drop(reason) => Some(Json::from(reason.name())),
            _ => None,
        });
        Ok(Json::object([
            ("key", fields(&key)),
            ("steps", Json::List(steps)),
            (
                "datapath_actions",
                Json::List(actions.map(|action| describe(action).into()).collect()),
            ),
            ("mask", masked(&key, &translation.mask.to_mask())),
            ("drop", drop.unwrap_or(Json::Null)),
        ])
        .to_string())
    }
}

fn step(step: &TraceStep) -> Json {
    let notes = step.notes.iter().map(|note| Json::from(note.as_str()));
    let mut members = vec![("table".to_owned(), Json::from(u64::from(step.table.0)))];
    let mut add = |name: &str, value: Json| members.push((name.to_owned(), value));
    match &step.rule {
        None => add("rule", Json::Null),
        Some(rule) => {
            let has_vlan = rule.matching.mask.value(slot::VLAN_TCI) & 0x1000 != 0;
            let (mut tlvs, mut instructions) = (Vec::new(), Vec::new());
            encode::match_tlvs(Version::Of13, &rule.matching, &mut tlvs);
            encode::instructions(
                Version::Of13,
                &rule.instructions,
                has_vlan,
                &mut instructions,
            );
            add("rule", rule_text(&rule.matching).into());
            add("cookie", rule.cookie.into());
            add("priority", u64::from(rule.priority).into());
            add("match_tlvs", hexadecimal(&tlvs).into());
            add("instructions", hexadecimal(&instructions).into());
        }
    }
    add("notes", Json::List(notes.collect()));
    Json::Object(members)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A match as `field=value` pairs.
fn rule_text(matching: &Match) -> String {
    let parts = parts(&matching.value, &matching.mask).into_iter();
    let text = parts.map(|(field, bits)| {
        let value = text(field, field.read(&matching.value));
        if bits == field.key_mask(field.legal) {
            format!("{}={value}", field.name)
        } else {
            format!("{}={value}/{}", field.name, text(field, bits))
        }
    });
    let text: Vec<_> = text.collect();
    if text.is_empty() {
        "any".to_owned()
    } else {
        text.join(",")
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
    let told = parts.filter(|(field, _)| key.value(field.slot) != 0);
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

fn text(field: &Field, value: u128) -> String {
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

/// One datapath action, for people.
fn describe(action: &DpAction) -> String {
    match action {
        DpAction::Output(port) => format!("output:{}", port_name(*port)),
        DpAction::OutputTunnel { port, tunnel } => {
            format!("output:{}({})", port_name(*port), describe_tunnel(tunnel))
        }
        DpAction::OutputTruncated { port, max_len } => {
            format!("output:{}(max_len={max_len})", port_name(*port))
        }
        DpAction::Controller(out) => format!("controller({:?})", out.reason),
        DpAction::Drop(reason) => format!("drop({})", reason.name()),
        DpAction::Lost(reason) => format!("lost({})", reason.name()),
        DpAction::Clone(list) => format!("clone({})", describe_all(list)),
        DpAction::Select(select) => {
            let buckets = select.buckets.iter();
            let lists: Vec<_> = buckets
                .map(|list| format!("[{}]", describe_all(list)))
                .collect();
            format!("select(group {}: {})", select.group.0, lists.join(" "))
        }
        DpAction::IfLarger {
            len,
            larger,
            otherwise,
        } => format!(
            "if longer than {len} ({}) else ({})",
            describe_all(larger),
            describe_all(otherwise)
        ),
        other => format!("{other:?}"),
    }
}

fn describe_all(list: &[DpAction]) -> String {
    let list: Vec<_> = list.iter().map(describe).collect();
    list.join(",")
}

fn describe_tunnel(tunnel: &Tunnel) -> String {
    let address = |address| match address {
        TunnelAddress::Unset => "any".to_owned(),
        TunnelAddress::V4(v4) => std::net::Ipv4Addr::from(v4).to_string(),
        TunnelAddress::V6(v6) => std::net::Ipv6Addr::from(v6).to_string(),
    };
    let (src, dst) = (address(tunnel.src), address(tunnel.dst));
    format!("id={:#x},src={src},dst={dst}", tunnel.id)
}

fn port_name(port: PortNo) -> String {
    if port == PortNo::LOCAL {
        "LOCAL".to_owned()
    } else {
        port.0.to_string()
    }
}
