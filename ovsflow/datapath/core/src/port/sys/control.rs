//! Control messages: what goes with a datagram beside its bytes.
//!
//! Layout of 64-bit Linux: length (8 bytes, header included), level (4), type (4), value, all
//! in host order, padded to 8 bytes.

/// Bytes of control messages kept for one datagram.
const ROOM: usize = 128;

const HEADER: usize = 16;

/// Control messages of one datagram.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(in crate::port) struct Control {
    bytes: [u8; ROOM],
    len: usize,
}

/// One control message: level, type and value.
pub(in crate::port) type ControlItem<'a> = (i32, i32, &'a [u8]);

impl Default for Control {
    fn default() -> Self {
        Self {
            bytes: [0; ROOM],
            len: 0,
        }
    }
}

impl Control {
    /// Appends a message.
    ///
    /// # Panics
    ///
    /// When there is no room: what is sent along is decided by this crate alone.
    pub(in crate::port) fn push(&mut self, level: i32, kind: i32, value: &[u8]) {
        let end = self.len + HEADER + value.len();
        assert!(end <= ROOM, "control messages over {ROOM} bytes");
        let item = &mut self.bytes[self.len..end];
        item[..8].copy_from_slice(&(HEADER + value.len()).to_ne_bytes());
        item[8..12].copy_from_slice(&level.to_ne_bytes());
        item[12..16].copy_from_slice(&kind.to_ne_bytes());
        item[HEADER..].copy_from_slice(value);
        self.len = end.next_multiple_of(8).min(ROOM);
    }

    /// The messages, first to last; ends at the first that is cut.
    pub(in crate::port) fn items(&self) -> impl Iterator<Item = ControlItem<'_>> {
        let mut rest = &self.bytes[..self.len.min(ROOM)];
        std::iter::from_fn(move || {
            let (header, _) = rest.split_first_chunk::<HEADER>()?;
            let [a, b, c, d, e, f, g, h, l0, l1, l2, l3, k0, k1, k2, k3] = *header;
            let len = usize::from_ne_bytes([a, b, c, d, e, f, g, h]);
            let value = rest.get(HEADER..len)?;
            rest = rest.get(len.checked_next_multiple_of(8)?..).unwrap_or(&[]);
            let level = i32::from_ne_bytes([l0, l1, l2, l3]);
            Some((level, i32::from_ne_bytes([k0, k1, k2, k3]), value))
        })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len.min(ROOM)]
    }

    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(ROOM);
    }
}

/// The value of a control message as an `int`; one byte is accepted, as IPv4's TOS comes.
pub(in crate::port) fn int_value(value: &[u8]) -> Option<i32> {
    match value.first_chunk::<4>() {
        Some(bytes) => Some(i32::from_ne_bytes(*bytes)),
        None => value.first().map(|byte| i32::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_pushed_messages_are_read_back() {
        let mut control = Control::default();
        control.push(0, 1, &[7]);
        control.push(41, 50, &[1; 20]);
        control.push(17, 103, &1400_u16.to_ne_bytes());
        let items: Vec<_> = control.items().collect();
        assert_eq!(items[0], (0, 1, &[7_u8][..]));
        assert_eq!(items[1], (41, 50, &[1_u8; 20][..]));
        assert_eq!(items[2], (17, 103, &1400_u16.to_ne_bytes()[..]));
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn test_cut_and_endless_messages_end_the_list() {
        for len in [0_usize, 3, 17, 1000, usize::MAX] {
            let mut control = Control::default();
            control.push(0, 1, &[0; 4]);
            control.bytes[..8].copy_from_slice(&len.to_ne_bytes());
            control.set_len(20);
            assert!(control.items().count() <= 1, "{len}");
        }
    }
}
