//! Whether what is to be kept can be told: one entry of a reply must fit into one message.
//!
//! Lengths differ by version: a group that one message brought may take more than one in another
//! version, and buckets that are inserted make it grow.  What is too long for any version is refused
//! when it comes, or it could never be told.

use super::group_desc;
use super::multipart::MAX_ENTRY;
use crate::openflow::Version;
use crate::openflow::tell::GroupDesc;

/// Whether a group can be described in every version.
pub fn group_fits(desc: &GroupDesc) -> bool {
    let versions = [Version::Of10, Version::Of13, Version::Of15];
    let mut out = Vec::new();
    versions.iter().all(|&version| {
        out.clear();
        group_desc(version, desc, &mut out);
        out.len() <= MAX_ENTRY
    })
}
