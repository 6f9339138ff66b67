//! Finds, in a stream of bytes, the runs of messages that need no look at each: changes of the
//! tables back to back, alone or in the envelopes of one bundle.
//!
//! Only headers are read.  The stream is asked for byte by byte, since its owner may be another
//! language's buffer; what does not belong to the run is left for the one who looks at messages
//! one by one, damaged ones included.

/// Length of a message's header.
const HEADER: usize = 8;

/// OFPT_BUNDLE_ADD_MESSAGE of OpenFlow 1.4 and later.
const BUNDLE_ADD: u8 = 34;

/// Before that, OFPT_EXPERIMENTER with ONF's number and subtype.
const EXPERIMENTER: u8 = 4;
const ONF: u32 = 0x4f4e_4600;
const ONF_BUNDLE_ADD: u32 = 2301;

/// OpenFlow 1.3 and 1.4, on the wire.
const OF13: u8 = 0x04;
const OF14: u8 = 0x05;

/// A stream of bytes: the byte at a place, `None` past the end.
pub trait Stream: Fn(usize) -> Option<u8> {}
impl<F: Fn(usize) -> Option<u8>> Stream for F {}

/// Messages that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The version byte that they must have.
    pub version: u8,
    /// The types that they may have.
    pub types: &'a [u8],
    /// A run ends with the message that reaches this place.
    pub limit: usize,
}

/// Messages for one bundle, taken out of their envelopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// Where the run ends.
    pub end: usize,
    pub bundle: u32,
    pub flags: u16,
    /// Number of messages.
    pub messages: usize,
    /// The messages, back to back.
    pub bytes: Vec<u8>,
}

/// Where the run of wanted messages ends that begins at `start`; `start` itself if there is none.
pub fn run(stream: &impl Stream, start: usize, wanted: &Wanted<'_>) -> usize {
    let mut end = start;
    while end < wanted.limit {
        match message(stream, end) {
            Some(next) if is_wanted(stream, end, wanted) => end = next,
            _ => break,
        }
    }
    end
}

/// The run of BUNDLE_ADD messages that begins at `start`: all for one bundle, each with one
/// wanted message of the same transaction id in it and nothing else.
pub fn bundled(stream: &impl Stream, start: usize, wanted: &Wanted<'_>) -> Option<Bundled> {
    let mut found: Option<Bundled> = None;
    let mut at = start;
    while at < wanted.limit {
        let Some((bundle, flags, inner, end)) = envelope(stream, at, wanted) else {
            break;
        };
        let all = found.get_or_insert_with(|| Bundled {
            end: at,
            bundle,
            flags,
            messages: 0,
            bytes: Vec::new(),
        });
        if (all.bundle, all.flags) != (bundle, flags) {
            break;
        }
        all.bytes.extend((inner..end).map_while(stream));
        all.messages += 1;
        all.end = end;
        at = end;
    }
    found
}

/// Bundle, flags, start and end of the message in the BUNDLE_ADD at a place.
fn envelope(
    stream: &impl Stream,
    at: usize,
    wanted: &Wanted<'_>,
) -> Option<(u32, u16, usize, usize)> {
    let end = message(stream, at)?;
    let body = match (stream(at)?, stream(at + 1)?) {
        (version, BUNDLE_ADD) if version >= OF14 => at + HEADER,
        (OF13, EXPERIMENTER) => {
            let is_onf = number(stream, at + HEADER)? == ONF
                && number(stream, at + HEADER + 4)? == ONF_BUNDLE_ADD;
            is_onf.then_some(at + HEADER + 8)?
        }
        _ => return None,
    };
    let inner = body + 8;
    let fits = stream(at)? == wanted.version
        && message(stream, inner)? == end
        && is_wanted(stream, inner, wanted)
        && number(stream, at + 4)? == number(stream, inner + 4)?;
    let flags = number(stream, body + 4)? as u16;
    fits.then_some((number(stream, body)?, flags, inner, end))
}

/// Where the message at a place ends, if all of it is there.
fn message(stream: &impl Stream, at: usize) -> Option<usize> {
    let len = usize::from(u16::from_be_bytes([stream(at + 2)?, stream(at + 3)?]));
    let end = at + len;
    (len >= HEADER && stream(end - 1).is_some()).then_some(end)
}

fn is_wanted(stream: &impl Stream, at: usize, wanted: &Wanted<'_>) -> bool {
    stream(at) == Some(wanted.version)
        && stream(at + 1).is_some_and(|kind| wanted.types.contains(&kind))
}

/// The 32-bit number at a place.
fn number(stream: &impl Stream, at: usize) -> Option<u32> {
    let byte = |offset| stream(at + offset);
    Some(u32::from_be_bytes([byte(0)?, byte(1)?, byte(2)?, byte(3)?]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW_MOD: u8 = 14;

    fn raw(version: u8, kind: u8, xid: u32, body: &[u8]) -> Vec<u8> {
        let len = 8 + body.len() as u16;
        let head = [&[version, kind][..], &len.to_be_bytes(), &xid.to_be_bytes()].concat();
        [&head, body].concat()
    }

    fn add(version: u8, xid: u32, bundle: u32, inner: &[u8]) -> Vec<u8> {
        let body = [&bundle.to_be_bytes()[..], &[0, 0, 0, 3], inner].concat();
        if version >= OF14 {
            return raw(version, BUNDLE_ADD, xid, &body);
        }
        let head = [ONF.to_be_bytes(), ONF_BUNDLE_ADD.to_be_bytes()].concat();
        raw(version, EXPERIMENTER, xid, &[&head[..], &body].concat())
    }

    fn stream(bytes: &[u8]) -> impl Stream {
        |at| bytes.get(at).copied()
    }

    fn wanted(version: u8) -> Wanted<'static> {
        Wanted {
            version,
            types: &[13, FLOW_MOD],
            limit: 100,
        }
    }

    #[test]
    fn a_run_ends_where_something_else_begins() {
        let one = raw(4, FLOW_MOD, 0, &[0; 8]);
        let cases: [(&str, Vec<u8>, usize); 7] = [
            ("nothing", vec![], 0),
            ("two", [&one[..], &one].concat(), 32),
            ("another type", [&one[..], &raw(4, 2, 0, &[])].concat(), 16),
            (
                "version",
                [&one[..], &raw(5, FLOW_MOD, 0, &[])].concat(),
                16,
            ),
            ("cut short", [&one[..], &one[..15]].concat(), 16),
            (
                "length 7",
                [&one[..], &[4, FLOW_MOD, 0, 7, 0, 0, 0, 0]].concat(),
                16,
            ),
            ("the limit", one.repeat(9), 112),
        ];
        for (name, bytes, end) in cases {
            assert_eq!(run(&stream(&bytes), 0, &wanted(4)), end, "{name}");
        }
    }

    #[test]
    fn envelopes_of_one_bundle_are_opened() {
        for version in [4, 5, 6] {
            let inner = raw(version, FLOW_MOD, 9, &[1, 2, 3]);
            let one = add(version, 9, 7, &inner);
            let found = bundled(&stream(&one.repeat(2)), 0, &wanted(version));
            let expected = Bundled {
                end: 2 * one.len(),
                bundle: 7,
                flags: 3,
                messages: 2,
                bytes: inner.repeat(2),
            };
            assert_eq!(found, Some(expected.clone()), "{version}");
            let other = add(version, 9, 8, &inner);
            let found = bundled(&stream(&[&one[..], &other].concat()), 0, &wanted(version));
            assert_eq!(found.map(|all| all.end), Some(one.len()), "{version}");
        }
    }

    #[test]
    fn odd_envelopes_are_left_alone() {
        let inner = raw(5, FLOW_MOD, 9, &[1, 2, 3]);
        let good = add(5, 9, 7, &inner);
        assert!(bundled(&stream(&good), 0, &wanted(5)).is_some());
        let cases = [
            ("another transaction", add(5, 8, 7, &inner)),
            (
                "a property behind",
                add(5, 9, 7, &[&inner[..], &[0; 8]].concat()),
            ),
            ("cut short inside", add(5, 9, 7, &inner[..10])),
            (
                "another version inside",
                add(5, 9, 7, &raw(4, FLOW_MOD, 9, &[])),
            ),
            ("another type inside", add(5, 9, 7, &raw(5, 2, 9, &[]))),
            ("no bundle", inner.clone()),
            ("cut short", good[..good.len() - 1].to_vec()),
        ];
        for (name, bytes) in cases {
            assert_eq!(bundled(&stream(&bytes), 0, &wanted(5)), None, "{name}");
        }
        for end in 0..good.len() {
            assert_eq!(bundled(&stream(&good[..end]), 0, &wanted(5)), None);
        }
    }
}
