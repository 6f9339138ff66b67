//! Multipart requests about flows, tables, groups and meters (stats requests on OpenFlow 1.0).

use super::matching::{Rules, ofp_match, tlvs};
use super::{Context, body, standard_match};
use crate::error::OfResult;
use crate::flow::field::port_from_16;
use crate::openflow::action::{GroupId, MeterId, TableId};
use crate::openflow::codec::{Pieces, Reader};
use crate::openflow::tell::FlowFilter;
use crate::openflow::{Version, error};
use crate::packet::PortNo;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// OFPMP_FLOW (1.5: OFPMP_FLOW_DESC and OFPMP_FLOW_STATS are told apart by the kind).
    Flow(FlowFilter),
    /// OFPMP_FLOW_STATS of OpenFlow 1.5: no actions in the reply.
    FlowStats(FlowFilter),
    /// NXST_FLOW: replies in NXM.
    NiciraFlow(FlowFilter),
    Aggregate(FlowFilter),
    /// NXST_AGGREGATE.
    NiciraAggregate(FlowFilter),
    Table,
    /// OFPMP_TABLE_FEATURES; `changes` if the request has a body, which asks to change them.
    TableFeatures {
        changes: bool,
    },
    TableDesc,
    /// One group, or all (`None`); on OpenFlow 1.0 Nicira's NXST_GROUP, and so for the next two.
    Group(Option<GroupId>),
    /// One group (OpenFlow 1.5), or all.
    GroupDesc(Option<GroupId>),
    GroupFeatures,
    /// One meter, or all.
    Meter(Option<MeterId>),
    MeterConfig(Option<MeterId>),
    MeterFeatures,
}

/// OFPG_ALL and OFPM_ALL.
const ALL_GROUPS: u32 = 0xffff_fffc;
const ALL_METERS: u32 = 0xffff_ffff;
/// OFPMP_EXPERIMENTER (OFPST_VENDOR).
const EXPERIMENTER: u16 = 0xffff;

/// Decodes a request about tables.
///
/// # Errors
///
/// BAD_MULTIPART for a kind that the tables do not answer.
pub fn query(version: Version, message: &[u8], _context: &Context) -> OfResult<Query> {
    let mut r = body(message)?;
    let kind = r.u16()?;
    r.skip(2)?;
    if version == Version::Of10 {
        return query_10(kind, &mut r);
    }
    r.skip(4)?;
    let query = match kind {
        1 => Query::Flow(filter_11(&mut r)?),
        2 => Query::Aggregate(filter_11(&mut r)?),
        17 if version == Version::Of15 => Query::FlowStats(filter_11(&mut r)?),
        3 => Query::Table,
        6 => Query::Group(group(r.u32()?, &mut r)?),
        7 if version == Version::Of15 => Query::GroupDesc(group(r.u32()?, &mut r)?),
        7 => Query::GroupDesc(None),
        8 => Query::GroupFeatures,
        9 => Query::Meter(meter(&mut r)?),
        10 => Query::MeterConfig(meter(&mut r)?),
        11 => Query::MeterFeatures,
        12 => {
            let features = r.take(r.rest().len())?;
            for piece in Pieces::new(features, measure_features, error::BAD_PROPERTY_LEN) {
                piece?;
            }
            let changes = !features.is_empty();
            Query::TableFeatures { changes }
        }
        14 if version >= Version::Of14 => Query::TableDesc,
        EXPERIMENTER => {
            let known = matches!(r.u32()?, error::NICIRA | error::ONF);
            let unknown = (error::BAD_EXPERIMENTER, error::BAD_EXP_TYPE);
            return Err(if known { unknown.1 } else { unknown.0 });
        }
        _ => return Err(error::BAD_MULTIPART),
    };
    r.finish()?;
    Ok(query)
}

/// One ofp_table_features: at least its fixed part.
fn measure_features(bytes: &[u8]) -> Option<(usize, usize)> {
    const FIXED: usize = 64;
    let len = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    (len >= FIXED && len % 8 == 0).then_some((len, len))
}

fn group(number: u32, r: &mut Reader<'_>) -> OfResult<Option<GroupId>> {
    r.skip(4)?;
    Ok(Some(GroupId(number)).filter(|group| group.0 != ALL_GROUPS))
}

fn meter(r: &mut Reader<'_>) -> OfResult<Option<MeterId>> {
    let number = r.u32()?;
    r.skip(4)?;
    Ok(Some(MeterId(number)).filter(|meter| meter.0 != ALL_METERS))
}

fn filter_11(r: &mut Reader<'_>) -> OfResult<FlowFilter> {
    let table = TableId(r.u8()?);
    r.skip(3)?;
    let (out_port, out_group) = (PortNo(r.u32()?), r.u32()?);
    r.skip(4)?;
    let (cookie, cookie_mask) = (r.u64()?, r.u64()?);
    if (0xff00..0xffff_ff00).contains(&out_port.0) {
        return Err(error::BAD_OUT_PORT);
    }
    Ok(FlowFilter {
        table,
        out_port,
        out_group: Some(GroupId(out_group)).filter(|group| group.0 != PortNo::ANY.0),
        cookie: cookie & cookie_mask,
        cookie_mask,
        matching: ofp_match(r, Rules::default())?,
    })
}

fn query_10(kind: u16, r: &mut Reader<'_>) -> OfResult<Query> {
    let query = match kind {
        1 => Query::Flow(filter_10(r)?),
        2 => Query::Aggregate(filter_10(r)?),
        3 => Query::Table,
        EXPERIMENTER => {
            if r.u32()? != error::NICIRA {
                return Err(error::BAD_EXPERIMENTER);
            }
            let subtype = r.u32()?;
            r.skip(4)?;
            match subtype {
                0 => Query::NiciraFlow(filter_nicira(r)?),
                1 => Query::NiciraAggregate(filter_nicira(r)?),
                7 => Query::Group(group(r.u32()?, r)?),
                8 => Query::GroupDesc(group(r.u32()?, r)?),
                9 => Query::GroupFeatures,
                _ => return Err(error::BAD_EXP_TYPE),
            }
        }
        _ => return Err(error::BAD_MULTIPART),
    };
    r.finish()?;
    Ok(query)
}

fn filter_10(r: &mut Reader<'_>) -> OfResult<FlowFilter> {
    let (matching, _) = standard_match::of10(r)?;
    let table = TableId(r.u8()?);
    r.skip(1)?;
    Ok(FlowFilter {
        table,
        out_port: port_from_16(r.u16()?),
        out_group: None,
        cookie: 0,
        cookie_mask: 0,
        matching,
    })
}

fn filter_nicira(r: &mut Reader<'_>) -> OfResult<FlowFilter> {
    let out_port = port_from_16(r.u16()?);
    let match_len = usize::from(r.u16()?);
    let table = TableId(r.u8()?);
    r.skip(3)?;
    let padded = r
        .take(match_len.next_multiple_of(8))
        .map_err(|_| error::BAD_MATCH_LEN)?;
    let rules = Rules {
        cookie: true,
        ..Rules::default()
    };
    let (matching, cookie) = tlvs(padded.get(..match_len).unwrap_or_default(), rules)?;
    let (cookie, cookie_mask) = cookie.unwrap_or((0, 0));
    Ok(FlowFilter {
        table,
        out_port,
        out_group: None,
        cookie,
        cookie_mask,
        matching,
    })
}
