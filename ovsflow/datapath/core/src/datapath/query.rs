//! Multipart requests about flows, tables, groups and meters, answered step by step.

use super::Datapath;
use crate::error::OfResult;
use crate::openflow::action::{GroupId, MeterId, TableId};
use crate::openflow::decode::{self, Context, Query};
use crate::openflow::encode::{self, Multipart};
use crate::openflow::error::encode_error;
use crate::openflow::tell::{
    FlowFilter, GroupDesc, GroupFeatures, MeterConfig, MeterFeatures, TableFeatures,
};
use crate::openflow::{Version, error};
use crate::table::{FlowCursor, MAX_BANDS, MAX_GROUPS, MAX_METERS, Pipeline, TABLES};
use crate::time::Now;

/// Rules looked at in one step; their entries are some 256 KiB.
const STEP: usize = 2048;

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
            _ => groups(pipeline, query, version, now, &mut reply)?,
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
                let Some(mut stats) = pipeline.table_stats(id) else {
                    continue;
                };
                stats.name = format!("table{}", id.0);
                if *query == Query::Table {
                    reply.entry(|out| encode::table_stats(version, &stats, out));
                    continue;
                }
                let features = TableFeatures {
                    table: id,
                    name: stats.name,
                    max_entries: stats.max_entries,
                    last_table: TableId(TABLES as u8 - 1),
                };
                reply.entry(|out| encode::table_features(version, &features, out));
            }
        }
    }
}

fn groups(
    pipeline: &Pipeline,
    query: &Query,
    version: Version,
    now: Now,
    reply: &mut Multipart,
) -> OfResult<()> {
    let of = |wanted: Option<GroupId>| {
        let all = pipeline.groups();
        all.filter(move |group| wanted.is_none_or(|id| id == group.id))
    };
    match query {
        Query::Group(wanted) => {
            for stats in of(*wanted).filter_map(|group| pipeline.group_stats(group.id, now)) {
                reply.entry(|out| encode::group_stats(&stats, out));
            }
        }
        Query::GroupDesc(wanted) => {
            for group in of(*wanted) {
                let desc = GroupDesc {
                    group: group.id,
                    kind: group.kind,
                    buckets: group.buckets.to_vec(),
                    selection: group.selection.clone(),
                };
                reply.entry(|out| encode::group_desc(version, &desc, out));
            }
        }
        Query::GroupFeatures => {
            let features = GroupFeatures {
                max_groups: MAX_GROUPS as u32,
            };
            reply.entry(|out| encode::group_features(&features, out));
        }
        _ => return meters(pipeline, query, version, now, reply),
    }
    Ok(())
}

fn meters(
    pipeline: &Pipeline,
    query: &Query,
    version: Version,
    now: Now,
    reply: &mut Multipart,
) -> OfResult<()> {
    let of = |wanted: Option<MeterId>| {
        let is_missing = |id: MeterId| pipeline.meter(id).is_none();
        if wanted.is_some_and(is_missing) {
            return Err(error::UNKNOWN_METER);
        }
        let all = pipeline.meters();
        Ok(all.filter(move |meter| wanted.is_none_or(|id| id == meter.id)))
    };
    match query {
        Query::Meter(wanted) => {
            for stats in of(*wanted)?.filter_map(|meter| pipeline.meter_stats(meter.id, now)) {
                reply.entry(|out| encode::meter_stats(&stats, out));
            }
        }
        Query::MeterConfig(wanted) => {
            for meter in of(*wanted)? {
                let config = MeterConfig {
                    meter: meter.id,
                    flags: meter.flags,
                    bands: meter.bands.to_vec(),
                };
                reply.entry(|out| encode::meter_config(&config, out));
            }
        }
        Query::MeterFeatures => {
            let features = MeterFeatures {
                max_meter: MAX_METERS as u32,
                band_types: 1 << 1 | 1 << 2,
                capabilities: 0xf,
                max_bands: MAX_BANDS as u8,
                max_color: 0,
            };
            reply.entry(|out| encode::meter_features(version, &features, out));
        }
        _ => return Err(error::BAD_MULTIPART),
    }
    Ok(())
}
