//! The tools of the wire: a reader that cannot run past its end, the one loop over pieces that
//! tell their own length, and what a writer needs.
//!
//! Each reader carries the error that running short means, so that decoding reads like a list of
//! fields.  All numbers are big-endian.

use crate::error::{OfError, OfResult};

/// Takes numbers off the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    short: OfError,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; running out of them is `short`.
    pub(super) const fn new(bytes: &'a [u8], short: OfError) -> Self {
        Self { rest: bytes, short }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, len: usize) -> OfResult<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(self.short)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn skip(&mut self, len: usize) -> OfResult<()> {
        self.take(len).map(|_| ())
    }

    pub(super) fn array<const N: usize>(&mut self) -> OfResult<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(self.short)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> OfResult<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> OfResult<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> OfResult<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> OfResult<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// `len` bytes (at most 16) as a number.
    pub(super) fn number(&mut self, len: usize) -> OfResult<u128> {
        Ok(number(self.take(len)?))
    }

    /// `Err(short)` unless all was read.
    pub(super) fn finish(self) -> OfResult<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.short)
        }
    }
}

/// At most 16 bytes as a number.
pub(super) fn number(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u128::from(byte))
}

/// How long the first piece of some bytes is, and how far the next one lies; `None` if that
/// cannot be told, or is too short to be a piece.
pub(super) type Measure = fn(&[u8]) -> Option<(usize, usize)>;

/// The pieces of a list whose members tell their own length.
///
/// The one guarded loop: each step is at least one byte, and no piece reaches past the end; what
/// breaks that yields the error, once, and ends the list.
pub(super) struct Pieces<'a> {
    rest: &'a [u8],
    measure: Measure,
    error: OfError,
}

impl<'a> Pieces<'a> {
    pub(super) const fn new(bytes: &'a [u8], measure: Measure, error: OfError) -> Self {
        Self {
            rest: bytes,
            measure,
            error,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = OfResult<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = (self.measure)(self.rest).and_then(|(len, step)| {
            let piece = self.rest.get(..len).filter(|piece| !piece.is_empty())?;
            Some((piece, self.rest.get(step.max(len)..).unwrap_or(&[])))
        });
        match split {
            Some((piece, rest)) => {
                self.rest = rest;
                Some(Ok(piece))
            }
            None => {
                self.rest = &[];
                Some(Err(self.error))
            }
        }
    }
}

/// Type and length, the length a multiple of 8 and at least 8: actions and instructions.
pub(super) fn measure_aligned(bytes: &[u8]) -> Option<(usize, usize)> {
    let len = usize::from(length_at(bytes, 2)?);
    (len >= 8 && len % 8 == 0).then_some((len, len))
}

/// Type and length without the padding to 8 bytes that follows: properties.
pub(super) fn measure_padded(bytes: &[u8]) -> Option<(usize, usize)> {
    let len = usize::from(length_at(bytes, 2)?);
    (len >= 4).then_some((len, len.next_multiple_of(8)))
}

/// Length first, a multiple of 8 and at least 8: buckets.
pub(super) fn measure_length_first(bytes: &[u8]) -> Option<(usize, usize)> {
    let len = usize::from(length_at(bytes, 0)?);
    (len >= 8 && len % 8 == 0).then_some((len, len))
}

fn length_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes))
}

pub(super) fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// The low `len` bytes (at most 16) of `value`.
pub(super) fn put_number(out: &mut Vec<u8>, value: u128, len: usize) {
    let bytes = value.to_be_bytes();
    out.extend_from_slice(&bytes[16 - len.min(16)..]);
}

pub(super) fn put_zeros(out: &mut Vec<u8>, len: usize) {
    out.resize(out.len() + len, 0);
}

/// Pads with zeros until what began at `start` is a multiple of 8 bytes long.
pub(super) fn pad8(out: &mut Vec<u8>, start: usize) {
    let len = out.len() - start;
    put_zeros(out, len.next_multiple_of(8) - len);
}

/// Writes, at `at`, the 16-bit length of what began at `start`.
pub(super) fn patch_len(out: &mut [u8], at: usize, start: usize) {
    let len = (out.len() - start).min(usize::from(u16::MAX)) as u16;
    if let Some(place) = out.get_mut(at..at + 2) {
        place.copy_from_slice(&len.to_be_bytes());
    }
}
