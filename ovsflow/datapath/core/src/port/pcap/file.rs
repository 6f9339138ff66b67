//! Classic capture files, read and written.
//!
//! A file header of 24 bytes (magic, version, zone, accuracy, snap length, link type), then for
//! each frame a record header of 16 (seconds, fraction, bytes kept, bytes there were).  The magic tells
//! byte order and whether fractions are micro- or nanoseconds.
//! Source: draft-ietf-opsawg-pcap §4, §5.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::port::replay::Frames;
use crate::time::Now;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;

/// Bytes kept of a frame when writing: all of them.
const SNAP_LENGTH: u32 = 262_144;

/// Largest file that is read, in bytes; it is held in memory.
const MAX_FILE: u64 = 4 << 30;

/// Reads all frames of a capture file, in order.
pub(in crate::port) fn read(path: &Path) -> io::Result<Frames> {
    if std::fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    decode(&std::fs::read(path)?)
        .map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
}

/// The frames of a capture.  A record that the end of the file cuts off is left out, as it
/// is when a capture is still being written.
pub(super) fn decode(bytes: &[u8]) -> Result<Frames, &'static str> {
    let (header, mut rest) = bytes
        .split_first_chunk::<24>()
        .ok_or("no pcap file header")?;
    let number = match word(header, 0) {
        Some(MAGIC_MICROSECONDS | MAGIC_NANOSECONDS) => u32::from_le,
        Some(magic) => match magic.swap_bytes() {
            MAGIC_MICROSECONDS | MAGIC_NANOSECONDS => u32::from_be,
            _ => return Err("not a pcap file (pcapng is not read)"),
        },
        None => return Err("no pcap file header"),
    };
    // `word` reads little-endian numbers; `number` turns them into what the writer meant.
    let link_type = word(header, 20).map(|raw| number(raw.to_le()) & 0xffff);
    if link_type != Some(LINKTYPE_ETHERNET) {
        return Err("link type is not Ethernet");
    }
    let mut frames = Frames::default();
    while let Some((record, behind)) = rest.split_first_chunk::<16>() {
        let kept = word(record, 8).map_or(0, |raw| number(raw.to_le()) as usize);
        let Some((frame, next)) = behind.split_at_checked(kept) else {
            break;
        };
        if kept > SNAP_LENGTH as usize {
            return Err("a record is longer than any frame");
        }
        frames.push(frame);
        rest = next;
    }
    Ok(frames)
}

/// The little-endian number at `at`.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let raw = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*raw))
}

/// Writes a capture file with nanosecond times.
pub(in crate::port) struct Writer {
    file: BufWriter<File>,
    /// What to add to a monotonic moment to get nanoseconds of the calendar; known at the first frame.
    offset_ns: Option<u128>,
}

impl Writer {
    pub(in crate::port) fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        // Version 2.4.
        file.write_all(&[2, 0, 4, 0])?;
        file.write_all(&[0; 8])?;
        file.write_all(&SNAP_LENGTH.to_le_bytes())?;
        file.write_all(&LINKTYPE_ETHERNET.to_le_bytes())?;
        file.flush()?;
        Ok(Self {
            file,
            offset_ns: None,
        })
    }

    /// Appends one frame.
    pub(in crate::port) fn write(&mut self, now: Now, frame: &[u8]) -> io::Result<()> {
        let now = u128::from(now.0);
        let offset = *self.offset_ns.get_or_insert_with(|| {
            let calendar = SystemTime::now().duration_since(UNIX_EPOCH);
            calendar
                .map_or(0, |since| since.as_nanos())
                .saturating_sub(now)
        });
        let time = now + offset;
        let len = (frame.len() as u32).to_le_bytes();
        let mut record = [0; 16];
        record[..4].copy_from_slice(&((time / 1_000_000_000) as u32).to_le_bytes());
        record[4..8].copy_from_slice(&((time % 1_000_000_000) as u32).to_le_bytes());
        record[8..12].copy_from_slice(&len);
        record[12..].copy_from_slice(&len);
        self.file.write_all(&record)?;
        self.file.write_all(frame)
    }

    pub(in crate::port) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
