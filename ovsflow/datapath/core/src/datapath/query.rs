//! Multipart requests about flows, tables, groups and meters, answered step by step.

use std::collections::HashMap;

use super::Datapath;
use crate::error::OfResult;
use crate::openflow::action::{GroupId, MeterId, TableId};
use crate::openflow::decode::{self, Context, Query};
use crate::openflow::encode::{self, Multipart};
use crate::openflow::error::encode_error;
use crate::openflow::tell::{FlowFilter, GroupFeatures, MeterConfig, MeterFeatures, TableFeatures};
use crate::openflow::{Version, error};
use crate::table::{
    Compat, FlowCursor, Group, MAX_BANDS, MAX_GROUPS, MAX_METERS, Pipeline, TABLES,
};
use crate::time::Now;

/// OFPMFF_* of OpenFlow 1.5: meters work in action sets, and anywhere in a list.
const ACTION_SET: u32 = 1;
const ANY_POSITION: u32 = 2;

/// Rules looked at in one step; their entries are some 256 KiB.
const STEP: usize = 2048;

/// Bytes of groups and meters after which a step ends.
const STEP_BYTES: usize = 1 << 18;

impl Datapath {
    /// Answers one step of a multipart request; returns whole replies and the next cursor.
    pub fn query(
        &self,
        version: Version,
        request: &[u8],
        now: Now,
        cursor: u64,
    ) -> (Vec<u8>, Option<u64>) {
        if cursor == 0 {
            self.collect();
        }
        let compat = self.decode_compat();
        let context = Context {
            compat,
            ..Context::default()
        };
        let answered = decode::query(version, request, &context)
            .and_then(|query| self.answer(version, request, &query, now, cursor));
        answered.unwrap_or_else(|error| {
            let mut out = Vec::new();
            encode_error(version, error, request, &mut out);
            (out, None)
        })
    }

    fn answer(
        &self,
        version: Version,
        request: &[u8],
        query: &Query,
        now: Now,
        cursor: u64,
    ) -> OfResult<(Vec<u8>, Option<u64>)> {
        let state = self.shared.read();
        let pipeline = &state.pipeline;
        let number = |at: usize| match request.get(at..at + 4) {
            Some(&[a, b, c, d]) => u32::from_be_bytes([a, b, c, d]),
            _ => 0,
        };
        let (xid, kind) = (number(4), (number(8) >> 16) as u16);
        let mut reply = match query {
            Query::NiciraFlow(_) => Multipart::nicira(version, xid, 0),
            Query::NiciraAggregate(_) => Multipart::nicira(version, xid, 1),
            Query::Group(_) if version == Version::Of10 => Multipart::nicira(version, xid, 7),
            Query::GroupDesc(_) if version == Version::Of10 => Multipart::nicira(version, xid, 8),
            Query::GroupFeatures if version == Version::Of10 => Multipart::nicira(version, xid, 9),
            _ => Multipart::new(version, xid, kind),
        };
        let mut next = None;
        match query {
            Query::Flow(filter) | Query::FlowStats(filter) | Query::NiciraFlow(filter) => {
                let form = match query {
                    Query::NiciraFlow(_) => Form::Nicira,
                    Query::Flow(_) if version == Version::Of15 => Form::Description,
                    _ => Form::Stats(version),
                };
                next = flows(pipeline, filter, form, now, cursor, &mut reply);
            }
            Query::Aggregate(filter) | Query::NiciraAggregate(filter) => {
                let sum = pipeline.aggregate(filter, now);
                let version = match query {
                    Query::NiciraAggregate(_) => Version::Of10,
                    _ => version,
                };
                reply.entry(|out| encode::aggregate(version, &sum, out));
            }
            Query::TableFeatures { changes: true } => return Err(error::FEATURES_EPERM),
            Query::Table | Query::TableFeatures { .. } | Query::TableDesc => {
                tables(pipeline, query, version, &mut reply);
            }
            _ => next = groups(pipeline, query, version, now, cursor, &mut reply)?,
        }
        Ok((reply.finish(next.is_some()), next))
    }
}

/// How a flow is told.
#[derive(Clone, Copy)]
enum Form {
    Stats(Version),
    Description,
    Nicira,
}

fn flows(
    pipeline: &Pipeline,
    filter: &FlowFilter,
    form: Form,
    now: Now,
    cursor: u64,
    reply: &mut Multipart,
) -> Option<u64> {
    let cursor = FlowCursor {
        table: (cursor >> 32) as u8,
        slot: cursor as u32,
    };
    let next = pipeline.flows(filter, cursor, STEP, now, &mut |_, flow| {
        reply.entry(|out| match form {
            Form::Stats(version) => encode::flow_stats(version, flow, out),
            Form::Description => encode::flow_description(flow, out),
            Form::Nicira => encode::nicira_flow(flow, out),
        });
    });
    next.map(|at| u64::from(at.table) << 32 | u64::from(at.slot))
}

fn tables(pipeline: &Pipeline, query: &Query, version: Version, reply: &mut Multipart) {
    for id in (0..TABLES as u8).map(TableId) {
        match query {
            Query::TableDesc => {
                if let Some(desc) = pipeline.table_desc(id) {
                    reply.entry(|out| encode::table_desc(&desc, out));
                }
            }
            _ => {
                let Some(stats) = pipeline.table_stats(id) else {
                    continue;
                };
                if *query == Query::Table {
                    reply.entry(|out| encode::table_stats(version, &stats, out));
                    continue;
                }
                let features = TableFeatures {
                    table: id,
                    max_entries: stats.max_entries,
                    last_table: TableId(TABLES as u8 - 1),
                };
                reply.entry(|out| encode::table_features(version, &features, out));
            }
        }
    }
}

/// Whether this step is to end: the next one begins with the entry that was not added.
fn is_full(reply: &Multipart) -> bool {
    reply.len() >= STEP_BYTES
}

fn groups(
    pipeline: &Pipeline,
    query: &Query,
    version: Version,
    now: Now,
    cursor: u64,
    reply: &mut Multipart,
) -> OfResult<Option<u64>> {
    let (Query::Group(wanted) | Query::GroupDesc(wanted)) = query else {
        if *query == Query::GroupFeatures {
            let features = GroupFeatures {
                max_groups: MAX_GROUPS as u32,
            };
            reply.entry(|out| encode::group_features(version, &features, out));
            return Ok(None);
        }
        return meters(pipeline, query, version, now, cursor, reply);
    };
    let tell = |group: &Group, references: u32, reply: &mut Multipart| match query {
        Query::GroupDesc(_) => {
            reply.entry(|out| encode::group_desc(version, &group.describe(), out));
        }
        _ => {
            if let Some(stats) = pipeline.group_numbers(group.id, references, now) {
                reply.entry(|out| encode::group_stats(&stats, out));
            }
        }
    };
    if let Some(id) = wanted {
        if let Some(group) = pipeline.group(*id) {
            let stats = pipeline.group_stats(*id, now);
            tell(group, stats.map_or(0, |stats| stats.ref_count), reply);
        }
        return Ok(None);
    }
    let references = match query {
        Query::Group(_) => pipeline.group_references(),
        _ => HashMap::new(),
    };
    for group in pipeline.groups_from(GroupId(cursor as u32)) {
        if is_full(reply) {
            return Ok(Some(u64::from(group.id.0)));
        }
        tell(
            group,
            references.get(&group.id).copied().unwrap_or(0),
            reply,
        );
    }
    Ok(None)
}

fn meters(
    pipeline: &Pipeline,
    query: &Query,
    version: Version,
    now: Now,
    cursor: u64,
    reply: &mut Multipart,
) -> OfResult<Option<u64>> {
    let (Query::Meter(wanted) | Query::MeterConfig(wanted)) = query else {
        if *query == Query::MeterFeatures {
            let features = MeterFeatures {
                max_meter: MAX_METERS as u32,
                band_types: 1 << 1 | 1 << 2,
                capabilities: 0xf,
                max_bands: MAX_BANDS as u8,
                max_color: 0,
                // Open vSwitch and its clients have no such word in any version.
                flags: (pipeline.compat() == Compat::Spec).then_some(ACTION_SET | ANY_POSITION),
            };
            reply.entry(|out| encode::meter_features(version, &features, out));
            return Ok(None);
        }
        return Err(error::BAD_MULTIPART);
    };
    if wanted.is_some_and(|id| pipeline.meter(id).is_none()) {
        return Err(error::UNKNOWN_METER);
    }
    let tells_numbers = matches!(query, Query::Meter(_));
    let references = if tells_numbers {
        pipeline.meter_references()
    } else {
        HashMap::new()
    };
    let first = wanted.unwrap_or(MeterId(cursor as u32));
    for meter in pipeline.meters_from(first) {
        if is_full(reply) {
            return Ok(Some(u64::from(meter.id.0)));
        }
        if wanted.is_some_and(|id| id != meter.id) {
            break;
        }
        let flows = references.get(&meter.id).copied().unwrap_or(0);
        if !tells_numbers {
            let config = MeterConfig {
                meter: meter.id,
                flags: meter.flags,
                bands: meter.bands.to_vec(),
            };
            reply.entry(|out| encode::meter_config(&config, out));
        } else if let Some(stats) = pipeline.meter_numbers(meter.id, flows, now) {
            reply.entry(|out| encode::meter_stats(&stats, out));
        }
    }
    Ok(None)
}
