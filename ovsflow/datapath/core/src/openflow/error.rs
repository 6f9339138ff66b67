//! OpenFlow errors: their names, each version's numbers, and OFPT_ERROR.
//!
//! Inside the switch an error is what OpenFlow 1.3 calls it ([`OfError`]).  Other versions
//! differ by the rows of three tables here, OpenFlow 1.0 most of all: what it has no word for goes
//! out as Nicira's vendor error.  Sources: the specifications' ofp_error_msg sections.

use super::Version;
use crate::error::OfError;

/// Nicira's experimenter identifier.
pub const NICIRA: u32 = 0x0000_2320;

/// The Open Networking Foundation's experimenter identifier.
pub const ONF: u32 = 0x4f4e_4600;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = ($kind:literal, $code:literal);)*) => {
        $($(#[$doc])* pub const $name: OfError = OfError::new($kind, $code);)*
    };
}

errors! {
    /// OFPBRC_BAD_VERSION.
    BAD_VERSION = (1, 0);
    /// OFPBRC_BAD_TYPE.
    BAD_REQUEST_TYPE = (1, 1);
    /// OFPBRC_BAD_MULTIPART (OFPBRC_BAD_STAT).
    BAD_MULTIPART = (1, 2);
    /// OFPBRC_BAD_EXPERIMENTER.
    BAD_EXPERIMENTER = (1, 3);
    /// OFPBRC_BAD_EXP_TYPE.
    BAD_EXP_TYPE = (1, 4);
    /// OFPBRC_EPERM.
    REQUEST_EPERM = (1, 5);
    /// OFPBRC_BAD_LEN.
    BAD_REQUEST_LEN = (1, 6);
    /// OFPBRC_BUFFER_UNKNOWN.
    BUFFER_UNKNOWN = (1, 8);
    /// OFPBRC_BAD_TABLE_ID.
    BAD_REQUEST_TABLE_ID = (1, 9);
    /// OFPBRC_BAD_PORT.
    BAD_REQUEST_PORT = (1, 11);
    /// OFPBRC_PIPELINE_FIELDS_ONLY, OpenFlow 1.5.
    PIPELINE_FIELDS_ONLY = (1, 17);
    /// OFPBAC_BAD_TYPE.
    BAD_ACTION_TYPE = (2, 0);
    /// OFPBAC_BAD_LEN.
    BAD_ACTION_LEN = (2, 1);
    /// OFPBAC_BAD_EXPERIMENTER.
    BAD_ACTION_EXPERIMENTER = (2, 2);
    /// OFPBAC_BAD_EXP_TYPE.
    BAD_ACTION_EXP_TYPE = (2, 3);
    /// OFPBAC_BAD_OUT_PORT.
    BAD_OUT_PORT = (2, 4);
    /// OFPBAC_BAD_ARGUMENT.
    BAD_ARGUMENT = (2, 5);
    /// OFPBAC_TOO_MANY.
    TOO_MANY_ACTIONS = (2, 7);
    /// OFPBAC_BAD_QUEUE.
    BAD_QUEUE = (2, 8);
    /// OFPBAC_BAD_OUT_GROUP.
    BAD_OUT_GROUP = (2, 9);
    /// OFPBAC_MATCH_INCONSISTENT.
    MATCH_INCONSISTENT = (2, 10);
    /// OFPBAC_BAD_TAG.
    BAD_TAG = (2, 12);
    /// OFPBAC_BAD_SET_TYPE.
    BAD_SET_TYPE = (2, 13);
    /// OFPBAC_BAD_SET_LEN.
    BAD_SET_LEN = (2, 14);
    /// OFPBAC_BAD_SET_ARGUMENT.
    BAD_SET_ARGUMENT = (2, 15);
    /// OFPBIC_UNKNOWN_INST.
    UNKNOWN_INSTRUCTION = (3, 0);
    /// OFPBIC_UNSUP_INST.
    UNSUPPORTED_INSTRUCTION = (3, 1);
    /// OFPBIC_BAD_TABLE_ID.
    BAD_GOTO_TABLE = (3, 2);
    /// OFPBIC_BAD_EXPERIMENTER.
    BAD_INSTRUCTION_EXPERIMENTER = (3, 5);
    /// OFPBIC_BAD_LEN.
    BAD_INSTRUCTION_LEN = (3, 7);
    /// OFPBMC_BAD_TYPE.
    BAD_MATCH_TYPE = (4, 0);
    /// OFPBMC_BAD_LEN.
    BAD_MATCH_LEN = (4, 1);
    /// OFPBMC_BAD_DL_ADDR_MASK.
    BAD_DL_ADDR_MASK = (4, 3);
    /// OFPBMC_BAD_NW_ADDR_MASK.
    BAD_NW_ADDR_MASK = (4, 4);
    /// OFPBMC_BAD_WILDCARDS.
    BAD_WILDCARDS = (4, 5);
    /// OFPBMC_BAD_FIELD.
    BAD_FIELD = (4, 6);
    /// OFPBMC_BAD_VALUE.
    BAD_VALUE = (4, 7);
    /// OFPBMC_BAD_MASK.
    BAD_MASK = (4, 8);
    /// OFPBMC_BAD_PREREQ.
    BAD_PREREQ = (4, 9);
    /// OFPBMC_DUP_FIELD.
    DUP_FIELD = (4, 10);
    /// OFPFMFC_TABLE_FULL.
    TABLE_FULL = (5, 1);
    /// OFPFMFC_BAD_TABLE_ID.
    BAD_TABLE_ID = (5, 2);
    /// OFPFMFC_OVERLAP.
    OVERLAP = (5, 3);
    /// OFPFMFC_EPERM.
    FLOW_MOD_EPERM = (5, 4);
    /// OFPFMFC_BAD_COMMAND.
    BAD_FLOW_COMMAND = (5, 6);
    /// OFPFMFC_BAD_FLAGS.
    BAD_FLOW_FLAGS = (5, 7);
    /// OFPGMFC_GROUP_EXISTS.
    GROUP_EXISTS = (6, 0);
    /// OFPGMFC_INVALID_GROUP.
    INVALID_GROUP = (6, 1);
    /// OFPGMFC_OUT_OF_GROUPS.
    OUT_OF_GROUPS = (6, 3);
    /// OFPGMFC_OUT_OF_BUCKETS.
    OUT_OF_BUCKETS = (6, 4);
    /// OFPGMFC_LOOP.
    GROUP_LOOP = (6, 7);
    /// OFPGMFC_UNKNOWN_GROUP.
    UNKNOWN_GROUP = (6, 8);
    /// OFPGMFC_CHAINED_GROUP.
    CHAINED_GROUP = (6, 9);
    /// OFPGMFC_BAD_TYPE.
    BAD_GROUP_TYPE = (6, 10);
    /// OFPGMFC_BAD_COMMAND.
    BAD_GROUP_COMMAND = (6, 11);
    /// OFPGMFC_BAD_BUCKET.
    BAD_BUCKET = (6, 12);
    /// OFPGMFC_UNKNOWN_BUCKET, OpenFlow 1.5.
    UNKNOWN_BUCKET = (6, 15);
    /// OFPGMFC_BUCKET_EXISTS, OpenFlow 1.5.
    BUCKET_EXISTS = (6, 16);
    /// OFPTMFC_BAD_TABLE.
    TABLE_MOD_BAD_TABLE = (8, 0);
    /// OFPTMFC_BAD_CONFIG.
    TABLE_MOD_BAD_CONFIG = (8, 1);
    /// OFPMMFC_METER_EXISTS.
    METER_EXISTS = (12, 1);
    /// OFPMMFC_INVALID_METER.
    INVALID_METER = (12, 2);
    /// OFPMMFC_UNKNOWN_METER.
    UNKNOWN_METER = (12, 3);
    /// OFPMMFC_BAD_COMMAND.
    BAD_METER_COMMAND = (12, 4);
    /// OFPMMFC_BAD_FLAGS.
    BAD_METER_FLAGS = (12, 5);
    /// OFPMMFC_BAD_BAND.
    BAD_BAND = (12, 8);
    /// OFPMMFC_BAD_BAND_VALUE.
    BAD_BAND_VALUE = (12, 9);
    /// OFPMMFC_OUT_OF_METERS.
    OUT_OF_METERS = (12, 10);
    /// OFPMMFC_OUT_OF_BANDS.
    OUT_OF_BANDS = (12, 11);
    /// OFPTFFC_BAD_TABLE.
    FEATURES_BAD_TABLE = (13, 0);
    /// OFPTFFC_BAD_TYPE; OFPBPC_BAD_TYPE from OpenFlow 1.4 on.
    BAD_PROPERTY_TYPE = (13, 2);
    /// OFPTFFC_BAD_LEN; OFPBPC_BAD_LEN from OpenFlow 1.4 on.
    BAD_PROPERTY_LEN = (13, 3);
    /// OFPTFFC_EPERM.
    FEATURES_EPERM = (13, 5);
}

/// OFPBAC_BAD_SET_MASK: a masked set_field before OpenFlow 1.5.
pub const BAD_SET_MASK: OfError = OfError::experimenter(ONF, 4250);
/// OFPBIC_DUP_INST: an instruction stands twice.
pub const DUP_INSTRUCTION: OfError = OfError::experimenter(ONF, 2600);
/// NXBRC_NXM_INVALID.
pub const NXM_INVALID: OfError = OfError::experimenter(NICIRA, 2);
/// NXBRC_MUST_BE_ZERO: a field that has no meaning is not zero.
pub const MUST_BE_ZERO: OfError = OfError::experimenter(NICIRA, 4);
/// NXBRC_UNENCODABLE_ERROR: an error for which the version has no number.
pub const UNENCODABLE: OfError = OfError::experimenter(NICIRA, 10);
/// NXBAC_BAD_CONJUNCTION.
pub const BAD_CONJUNCTION: OfError = OfError::experimenter(NICIRA, 15);
/// NXR_STALE: a continuation that this switch did not make.
pub const STALE_CONTINUATION: OfError = OfError::experimenter(NICIRA, 35);
/// NXFMFC_INVALID_TLV_FIELD: a tun_metadata field without a mapping.
pub const INVALID_TLV_FIELD: OfError = OfError::experimenter(NICIRA, 37);
/// NXBAC_CT_DATAPATH_SUPPORT: connection tracking is not there.
pub const NO_CONNTRACK: OfError = OfError::experimenter(NICIRA, 42);
/// NXBMC_CT_DATAPATH_SUPPORT: nor are the fields of a connection.
pub const NO_CONNTRACK_FIELD: OfError = OfError::experimenter(NICIRA, 43);

/// What OpenFlow 1.0 calls an error of OpenFlow 1.3.
const OF10: &[(OfError, (u16, u16))] = &[
    (TABLE_FULL, (3, 0)),
    (OVERLAP, (3, 1)),
    (FLOW_MOD_EPERM, (3, 2)),
    (BAD_FLOW_COMMAND, (3, 4)),
    (OfError::new(7, 0), (4, 0)),
    (OfError::new(7, 1), (4, 1)),
    (OfError::new(9, 0), (5, 0)),
    (OfError::new(9, 1), (5, 1)),
    (OfError::new(9, 2), (5, 2)),
];

/// Nicira's vendor errors in OpenFlow 1.0 for what it has no number of its own.
const OF10_NICIRA: &[(OfError, (u16, u16))] = &[
    (BAD_FIELD, (0, 263)),
    (BAD_MATCH_TYPE, (1, 257)),
    (BAD_VALUE, (1, 258)),
    (BAD_MASK, (1, 259)),
    (BAD_PREREQ, (1, 260)),
    (DUP_FIELD, (1, 261)),
    (BAD_WILDCARDS, (1, 262)),
    (BAD_REQUEST_TABLE_ID, (1, 512)),
    (BAD_TABLE_ID, (1, 512)),
    (OfError::new(11, 2), (1, 513)),
    (OfError::new(11, 0), (1, 534)),
    (BAD_REQUEST_PORT, (1, 514)),
    (MATCH_INCONSISTENT, (1, 522)),
    (BAD_SET_TYPE, (1, 523)),
    (BAD_SET_LEN, (1, 524)),
    (BAD_SET_ARGUMENT, (1, 525)),
    (BAD_OUT_GROUP, (2, 9)),
    (UNSUPPORTED_INSTRUCTION, (2, 257)),
    (UNKNOWN_INSTRUCTION, (2, 257)),
    (BAD_FLOW_FLAGS, (3, 258)),
    (BAD_PROPERTY_TYPE, (13, 2)),
    (BAD_PROPERTY_LEN, (13, 3)),
    (OfError::new(13, 4), (13, 4)),
    (NXM_INVALID, (1, 256)),
    (OfError::experimenter(NICIRA, 3), (1, 257)),
    (MUST_BE_ZERO, (1, 515)),
    (OfError::experimenter(NICIRA, 5), (1, 516)),
    (OfError::experimenter(NICIRA, 6), (1, 517)),
    (OfError::experimenter(NICIRA, 7), (1, 518)),
    (OfError::experimenter(NICIRA, 9), (1, 520)),
    (UNENCODABLE, (1, 521)),
    (OfError::experimenter(NICIRA, 11), (2, 256)),
    (OfError::experimenter(NICIRA, 12), (5, 256)),
    (OfError::experimenter(NICIRA, 13), (5, 257)),
    (BAD_CONJUNCTION, (2, 526)),
    (STALE_CONTINUATION, (1, 534)),
    (INVALID_TLV_FIELD, (1, 536)),
    (NO_CONNTRACK, (1, 265)),
    (NO_CONNTRACK_FIELD, (1, 264)),
];

/// Errors that became standard later: since which version, and as what.
const STANDARD_SINCE: &[(OfError, Version, (u16, u16))] = &[
    (DUP_INSTRUCTION, Version::Of14, (3, 9)),
    (BAD_SET_MASK, Version::Of15, (2, 16)),
    (BAD_PROPERTY_TYPE, Version::Of14, (14, 0)),
    (BAD_PROPERTY_LEN, Version::Of14, (14, 1)),
    (OfError::new(13, 4), Version::Of14, (14, 2)),
    (OfError::experimenter(NICIRA, 6), Version::Of14, (16, 1)),
    (OfError::experimenter(NICIRA, 7), Version::Of14, (16, 5)),
];

/// Type in OpenFlow 1.0 of a vendor's error (NXET_VENDOR).
const OF10_VENDOR_ERROR: u16 = 0xb0c2;

/// Appends an OFPT_ERROR that answers `request` (a whole message, its header included).
///
/// The request is echoed whole, as far as the message's 16-bit length allows.
pub fn encode_error(version: Version, error: OfError, request: &[u8], out: &mut Vec<u8>) {
    let (kind, code, experimenter) = spell(version, error);
    let mut head = Vec::with_capacity(20);
    head.extend_from_slice(&kind.to_be_bytes());
    match (experimenter, version) {
        (None, _) => head.extend_from_slice(&code.to_be_bytes()),
        (Some((vendor, vendor_kind)), Version::Of10) => {
            head.extend_from_slice(&0_u16.to_be_bytes());
            head.extend_from_slice(&vendor.to_be_bytes());
            head.extend_from_slice(&vendor_kind.to_be_bytes());
            head.extend_from_slice(&code.to_be_bytes());
        }
        (Some((vendor, _)), _) => {
            head.extend_from_slice(&code.to_be_bytes());
            head.extend_from_slice(&vendor.to_be_bytes());
        }
    }
    let room = usize::from(u16::MAX) - 8 - head.len();
    let echo = request.get(..room).unwrap_or(request);
    let xid = request.get(4..8).unwrap_or(&[0; 4]);
    out.extend_from_slice(&[version as u8, 1]);
    out.extend_from_slice(&((8 + head.len() + echo.len()) as u16).to_be_bytes());
    out.extend_from_slice(xid);
    out.extend_from_slice(&head);
    out.extend_from_slice(echo);
}

/// Type, code, and for an experimenter's error its id and (OpenFlow 1.0) type.
fn spell(version: Version, error: OfError) -> (u16, u16, Option<(u32, u16)>) {
    if version == Version::Of10 {
        return spell_10(error);
    }
    let newer = |row: &&(OfError, Version, (u16, u16))| row.0 == error && row.1 <= version;
    if let Some((_, _, (kind, code))) = STANDARD_SINCE.iter().find(newer) {
        return (*kind, *code, None);
    }
    if error.experimenter == 0 {
        (error.kind, error.code, None)
    } else {
        (0xffff, error.code, Some((error.experimenter, 0)))
    }
}

fn spell_10(error: OfError) -> (u16, u16, Option<(u32, u16)>) {
    let find = |table: &[(OfError, (u16, u16))]| {
        let row = table.iter().find(|row| row.0 == error);
        row.map(|row| row.1)
    };
    // Hello, bad request and bad action kept their numbers; OpenFlow 1.0 knows fewer codes.
    let kept = matches!(
        (error.kind, error.code),
        (0, 0..=1) | (1, 0..=8) | (2, 0..=8)
    );
    if let Some((kind, code)) = find(OF10) {
        (kind, code, None)
    } else if let Some((kind, code)) = find(OF10_NICIRA) {
        (OF10_VENDOR_ERROR, code, Some((NICIRA, kind)))
    } else if error.kind == 6 {
        (OF10_VENDOR_ERROR, error.code, Some((NICIRA, 6)))
    } else if kept {
        (error.kind, error.code, None)
    } else {
        (OF10_VENDOR_ERROR, 521, Some((NICIRA, 1)))
    }
}
