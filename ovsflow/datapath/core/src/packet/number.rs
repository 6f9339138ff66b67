//! Numbers and fixed-size headers at an offset into a frame; every one may be missing.

/// The `N` bytes at `at`, if they are all there.
#[inline]
pub fn view<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

/// The `N` bytes at `at`, to be changed in place.
#[inline]
pub fn view_mut<const N: usize>(bytes: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}

/// The big-endian 16-bit number at `at`.
#[inline]
pub fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    view(bytes, at).map(|raw| u16::from_be_bytes(*raw))
}

/// The big-endian 32-bit number at `at`.
#[inline]
pub fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    view(bytes, at).map(|raw| u32::from_be_bytes(*raw))
}

/// Writes a big-endian 16-bit number at `at`; nothing happens past the end.
#[inline]
pub fn put_be16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(raw) = view_mut(bytes, at) {
        *raw = value.to_be_bytes();
    }
}

/// Writes a big-endian 32-bit number at `at`; nothing happens past the end.
#[inline]
pub fn put_be32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some(raw) = view_mut(bytes, at) {
        *raw = value.to_be_bytes();
    }
}

/// `old` with the bits of `value` where `mask` has ones.
#[inline]
pub fn merge<T>(old: T, value: T, mask: T) -> T
where
    T: Copy
        + std::ops::BitAnd<Output = T>
        + std::ops::BitOr<Output = T>
        + std::ops::Not<Output = T>,
{
    (old & !mask) | (value & mask)
}
