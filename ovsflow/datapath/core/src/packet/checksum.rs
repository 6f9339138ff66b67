//! The Internet checksum: sums of big-endian 16-bit words in ones' complement.
//!
//! A *sum* is folded to 16 bits and not inverted; a *checksum* is an inverted sum, as it stands in
//! a header; a *delta* is what a sum grows by.  Long buffers are summed in wide lanes in the
//! machine's own byte order: swapping the folded result is the same as swapping every word.
//!
//! Source: RFC 1071, RFC 1624.

/// Bytes summed in one step.
const BLOCK: usize = 32;

/// The sum of `bytes`; an odd last byte counts as the high half of a word.
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    let blocks = bytes.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    // Eight lanes of 32 bits in 64: no carry is lost before 2^32 blocks.
    let mut lanes = [0_u64; BLOCK / 4];
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.chunks_exact(4)) {
            if let &[a, b, c, d] = word {
                *lane += u64::from(u32::from_ne_bytes([a, b, c, d]));
            }
        }
    }
    let mut total = lanes.iter().sum::<u64>();
    let words = rest.chunks_exact(4);
    let tail = words.remainder();
    for word in words {
        if let &[a, b, c, d] = word {
            total += u64::from(u32::from_ne_bytes([a, b, c, d]));
        }
    }
    let [a, b, c] = match *tail {
        [a] => [a, 0, 0],
        [a, b] => [a, b, 0],
        [a, b, c] => [a, b, c],
        _ => [0; 3],
    };
    total += u64::from(u32::from_ne_bytes([a, b, c, 0]));
    u16::from_be(fold(total))
}

/// Adds two sums, or a delta to a sum.
#[inline]
pub const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16
}

/// The checksum for a sum.
#[inline]
pub const fn finish(sum: u16) -> u16 {
    !sum
}

/// What the sum grows by when a 16-bit word changes.
#[inline]
pub const fn delta16(old: u16, new: u16) -> u16 {
    add(!old, new)
}

/// What the sum grows by when a 32-bit number changes.
#[inline]
pub const fn delta32(old: u32, new: u32) -> u16 {
    fold(!old as u64 + new as u64)
}

/// What the sum grows by when a 128-bit number changes.
#[inline]
pub const fn delta128(old: u128, new: u128) -> u16 {
    let high = fold_pair(!(old >> 64) as u64, (new >> 64) as u64);
    add(high, fold_pair(!old as u64, new as u64))
}

/// A checksum after the sum of what it covers grew by `delta` (RFC 1624, equation 3).
#[inline]
pub const fn update(checksum: u16, delta: u16) -> u16 {
    !add(!checksum, delta)
}

/// A checksum after one 16-bit word under it changed.
#[inline]
pub const fn update16(checksum: u16, old: u16, new: u16) -> u16 {
    update(checksum, delta16(old, new))
}

/// A checksum after one 32-bit number under it changed.
#[inline]
pub const fn update32(checksum: u16, old: u32, new: u32) -> u16 {
    update(checksum, delta32(old, new))
}

/// Folds a wide sum of 16-bit words to 16 bits.
#[inline]
pub const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// Folds a sum of 16-bit words that has 32 bits.
#[inline]
pub const fn fold32(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

#[inline]
const fn fold_pair(a: u64, b: u64) -> u16 {
    add(fold(a), fold(b))
}

/// CRC-32C, as SCTP uses it.  Source: RFC 9260, appendix A.
pub mod crc32c {
    /// The Castagnoli polynomial, lowest bit first.
    const POLYNOMIAL: u32 = 0x82f6_3b78;

    /// `TABLES[k][b]`: byte `b`, then `k` zero bytes, run through the register.
    static TABLES: [[u32; 256]; 8] = tables();

    const fn tables() -> [[u32; 256]; 8] {
        let mut tables = [[0; 256]; 8];
        let mut byte = 0;
        while byte < 256 {
            let mut register = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                register = register >> 1 ^ if register & 1 == 1 { POLYNOMIAL } else { 0 };
                bit += 1;
            }
            tables[0][byte] = register;
            byte += 1;
        }
        let mut k = 1;
        while k < 8 {
            byte = 0;
            while byte < 256 {
                let previous = tables[k - 1][byte];
                tables[k][byte] = previous >> 8 ^ tables[0][(previous & 0xff) as usize];
                byte += 1;
            }
            k += 1;
        }
        tables
    }

    /// The CRC of `parts`, one after the other.
    pub fn crc(parts: &[&[u8]]) -> u32 {
        !parts.iter().fold(!0, |register, part| run(register, part))
    }

    /// What the CRC changes by (exclusive or) when `changed` is XORed into the bytes that stand
    /// `behind` bytes before the end.  The CRC is linear, so the bytes around do not matter.
    pub fn delta(changed: u32, behind: usize) -> u32 {
        zeros(run(0, &changed.to_be_bytes()), behind)
    }

    fn run(mut register: u32, bytes: &[u8]) -> u32 {
        let blocks = bytes.chunks_exact(8);
        let rest = blocks.remainder();
        for block in blocks {
            if let &[a, b, c, d, e, f, g, h] = block {
                let low = register ^ u32::from_le_bytes([a, b, c, d]);
                let [low0, low1, low2, low3] = low.to_le_bytes();
                register = TABLES[7][usize::from(low0)]
                    ^ TABLES[6][usize::from(low1)]
                    ^ TABLES[5][usize::from(low2)]
                    ^ TABLES[4][usize::from(low3)]
                    ^ TABLES[3][usize::from(e)]
                    ^ TABLES[2][usize::from(f)]
                    ^ TABLES[1][usize::from(g)]
                    ^ TABLES[0][usize::from(h)];
            }
        }
        for byte in rest {
            register = register >> 8 ^ TABLES[0][usize::from(register as u8 ^ byte)];
        }
        register
    }

    /// Runs `count` zero bytes through the register: multiplication by x^(8 count), by squaring.
    fn zeros(mut register: u32, mut count: usize) -> u32 {
        // x^8: the top bit is x^0.
        let mut power = 1 << (31 - 8);
        while count != 0 {
            if count & 1 == 1 {
                register = multiply(register, power);
            }
            power = multiply(power, power);
            count >>= 1;
        }
        register
    }

    /// The product of two polynomials, lowest power in the top bit.
    fn multiply(a: u32, mut b: u32) -> u32 {
        let mut product = 0;
        for bit in (0..32).rev() {
            if a >> bit & 1 == 1 {
                product ^= b;
            }
            b = b >> 1 ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
        }
        product
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// Word by word, as RFC 1071 says it.
    fn naive(bytes: &[u8]) -> u16 {
        let mut total = 0_u64;
        for pair in bytes.chunks(2) {
            total += u64::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u64::from);
        }
        while total > 0xffff {
            total = (total & 0xffff) + (total >> 16);
        }
        total as u16
    }

    fn naive_crc(bytes: &[u8]) -> u32 {
        let mut register = !0_u32;
        for byte in bytes {
            register ^= u32::from(*byte);
            for _ in 0..8 {
                register = (register >> 1) ^ (0x82f6_3b78 * (register & 1));
            }
        }
        !register
    }

    proptest! {
        #[test]
        fn test_narrow_fold_is_the_wide_one(sum in any::<u32>()) {
            prop_assert_eq!(fold32(sum), fold(u64::from(sum)));
        }

        #[test]
        fn test_sum_agrees_with_the_naive_one(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(sum(&bytes), naive(&bytes));
        }

        #[test]
        fn test_updates_agree_with_a_full_sum(
            mut bytes in proptest::collection::vec(any::<u8>(), 32..64),
            new in any::<u128>(),
        ) {
            // A sum of zero cannot occur in a packet: keep one word non-zero.
            bytes[31] |= 1;
            let before = finish(sum(&bytes));
            let old = u128::from_be_bytes(bytes[..16].try_into().unwrap());
            bytes[..16].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update(before, delta128(old, new)), finish(sum(&bytes)));
        }

        #[test]
        fn test_crc_agrees_with_the_naive_one(
            mut bytes in proptest::collection::vec(any::<u8>(), 4..600),
            at in 0_usize..600,
            changed in any::<u32>(),
        ) {
            let at = at % (bytes.len() - 3);
            let before = crc32c::crc(&[&bytes[..at], &bytes[at..]]);
            prop_assert_eq!(before, naive_crc(&bytes));
            for (byte, change) in bytes[at..].iter_mut().zip(changed.to_be_bytes()) {
                *byte ^= change;
            }
            let behind = bytes.len() - at - 4;
            prop_assert_eq!(before ^ crc32c::delta(changed, behind), naive_crc(&bytes));
        }
    }

    #[test]
    fn test_known_values_come_out() {
        // RFC 1071 §3.
        assert_eq!(
            sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            0xddf2
        );
        // RFC 3720 §B.4: 32 bytes of zeros, and of ones.
        assert_eq!(crc32c::crc(&[&[0; 32]]), 0x8a91_36aa);
        assert_eq!(crc32c::crc(&[&[0xff; 32]]), 0x62a8_ab43);
    }
}
