//! Multipart replies: entries are added one by one, and messages are cut where they are full.

use super::{begin_message, end_message};
use crate::openflow::Version;
use crate::openflow::codec::{put_zeros, put16, put32};

/// OFPMPF_REPLY_MORE.
const MORE: u8 = 1;

/// Largest message: what the length field can say, less than a page.
const MAX_MESSAGE: usize = 0xffff;

/// Largest entry: what fits behind the longest header, Nicira's on OpenFlow 1.0.
pub(super) const MAX_ENTRY: usize = MAX_MESSAGE - 24;

/// A reply under construction, as one or more whole messages.
#[derive(Debug)]
pub struct Multipart {
    version: Version,
    xid: u32,
    /// OFPMP_* (OFPST_*), and for Nicira's the vendor and subtype that follow.
    kind: u16,
    nicira_subtype: Option<u32>,
    out: Vec<u8>,
    /// Where the message that is being filled begins.
    start: usize,
}

impl Multipart {
    /// Starts a reply to the request `xid` of this kind.
    pub fn new(version: Version, xid: u32, kind: u16) -> Self {
        Self::start(version, xid, kind, None)
    }

    /// Starts a reply of Nicira's (NXST_*), which are vendor statistics of OpenFlow 1.0.
    pub fn nicira(version: Version, xid: u32, subtype: u32) -> Self {
        Self::start(version, xid, 0xffff, Some(subtype))
    }

    fn start(version: Version, xid: u32, kind: u16, nicira_subtype: Option<u32>) -> Self {
        let mut this = Self {
            version,
            xid,
            kind,
            nicira_subtype,
            out: Vec::new(),
            start: 0,
        };
        this.begin();
        this
    }

    /// Adds one entry, at most [`MAX_ENTRY`] bytes long, that `write` appends.
    pub fn entry(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.out.len();
        write(&mut self.out);
        if self.out.len() - self.start <= MAX_MESSAGE {
            return;
        }
        let entry = self.out.split_off(at);
        self.end(true);
        self.begin();
        self.out.extend_from_slice(&entry);
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Never: there is a header at least.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The whole messages.  `more`: another reply of the same request follows.
    pub fn finish(mut self, more: bool) -> Vec<u8> {
        self.end(more);
        self.out
    }

    fn begin(&mut self) {
        let kind = if self.version == Version::Of10 {
            17
        } else {
            19
        };
        self.start = begin_message(self.version, kind, self.xid, &mut self.out);
        put16(&mut self.out, self.kind);
        put16(&mut self.out, 0);
        if self.version != Version::Of10 {
            put_zeros(&mut self.out, 4);
        }
        if let Some(subtype) = self.nicira_subtype {
            put32(&mut self.out, crate::openflow::error::NICIRA);
            put32(&mut self.out, subtype);
            if self.version == Version::Of10 {
                put_zeros(&mut self.out, 4);
            }
        }
    }

    fn end(&mut self, more: bool) {
        if let Some(flags) = self.out.get_mut(self.start + 11) {
            *flags = if more { MORE } else { 0 };
        }
        end_message(&mut self.out, self.start);
    }
}
