//! A packet's fields as words, and masks of the same shape.
//!
//! A key is an array of 64-bit words in *host value* form: each field is a number at a fixed
//! place ([`Slot`]), so that matching is `key & mask == value` over words and nobody needs to
//! know which field a bit belongs to.  The first [`PACKET_WORDS`] words come from the packet
//! and its metadata; the others start as zero and exist only inside the pipeline, so a cache
//! in front of the pipeline keys on the first part alone.
//!
//! Fields of protocols that exclude each other share a place (ARP and IPv4 addresses, ICMP
//! type and TCP ports, ND and ARP hardware addresses, arp_op and ip_proto); prerequisites on eth_type
//! and ip_proto keep them apart.

use std::ops::{BitAnd, BitOr};

/// Words that describe the packet as it arrived.
pub const PACKET_WORDS: usize = 26;

/// All words: the packet's, then metadata and registers.
pub const KEY_WORDS: usize = 46;

/// A field's place in a key: `width` bits, the lowest at bit `shift` of word `word`.
/// A 128-bit field takes `word` (high half) and `word + 1` (low half), shift 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Index of the (first) word.
    pub word: u8,
    /// Position of the lowest bit.
    pub shift: u8,
    /// Width in bits.
    pub width: u8,
}

/// The places of all fields.
pub mod slot {
    use super::Slot;

    const fn at(word: u8, shift: u8, width: u8) -> Slot {
        Slot { word, shift, width }
    }

    /// Ingress port.
    pub const IN_PORT: Slot = at(0, 32, 32);
    /// EtherType of the payload, after VLAN tags.  0x05ff for an 802.3 frame without SNAP type.
    pub const ETH_TYPE: Slot = at(0, 16, 16);
    /// IP protocol or last IPv6 next header; low 8 bits of the ARP opcode.
    pub const IP_PROTO: Slot = at(0, 8, 8);
    /// Bit 0: a fragment; bit 1: not the first one.
    pub const IP_FRAG: Slot = at(0, 0, 8);
    /// Destination MAC address.
    pub const ETH_DST: Slot = at(1, 16, 48);
    /// Outer VLAN TCI; bit 12 (0x1000) says that a tag is present.
    pub const VLAN_TCI: Slot = at(1, 0, 16);
    /// Source MAC address.
    pub const ETH_SRC: Slot = at(2, 16, 48);
    /// Second VLAN TCI, same form.
    pub const VLAN_TCI2: Slot = at(2, 0, 16);
    /// IPv4 source, or ARP sender protocol address.
    pub const IPV4_SRC: Slot = at(3, 32, 32);
    /// IPv4 destination, or ARP target protocol address.
    pub const IPV4_DST: Slot = at(3, 0, 32);
    /// TCP, UDP or SCTP source port; ICMP type in the low 8 bits.
    pub const TP_SRC: Slot = at(4, 48, 16);
    /// TCP, UDP or SCTP destination port; ICMP code in the low 8 bits.
    pub const TP_DST: Slot = at(4, 32, 16);
    /// TCP flags, 12 bits.
    pub const TCP_FLAGS: Slot = at(4, 16, 16);
    /// TOS or traffic class: DSCP in bits 7..2, ECN in bits 1..0.
    pub const IP_TOS: Slot = at(4, 8, 8);
    /// TTL or hop limit.
    pub const IP_TTL: Slot = at(4, 0, 8);
    /// Tunnel identifier.
    pub const TUN_ID: Slot = at(5, 0, 64);
    /// Outer IPv4 source.
    pub const TUN_SRC: Slot = at(6, 32, 32);
    /// Outer IPv4 destination.
    pub const TUN_DST: Slot = at(6, 0, 32);
    /// Tunnel flags.
    pub const TUN_FLAGS: Slot = at(7, 48, 16);
    /// VXLAN group policy identifier.
    pub const TUN_GBP_ID: Slot = at(7, 32, 16);
    /// VXLAN group policy flags.
    pub const TUN_GBP_FLAGS: Slot = at(7, 24, 8);
    /// Outer TOS.
    pub const TUN_TOS: Slot = at(7, 8, 8);
    /// Outer TTL.
    pub const TUN_TTL: Slot = at(7, 0, 8);
    /// Outer IPv6 source.
    pub const TUN_IPV6_SRC: Slot = at(8, 0, 128);
    /// Outer IPv6 destination.
    pub const TUN_IPV6_DST: Slot = at(10, 0, 128);
    /// IPv6 source.
    pub const IPV6_SRC: Slot = at(12, 0, 128);
    /// IPv6 destination.
    pub const IPV6_DST: Slot = at(14, 0, 128);
    /// IPv6 flow label, 20 bits used.
    pub const IPV6_LABEL: Slot = at(16, 32, 32);
    /// OFPIEH_* bits of the IPv6 extension headers.
    pub const IPV6_EXTHDR: Slot = at(16, 16, 16);
    /// TPID of the outer VLAN tag, 0 without a tag.  No OpenFlow field; pop and push need it.
    pub const VLAN_TPID: Slot = at(16, 0, 16);
    /// Outermost MPLS label stack entry, whole: label 20, TC 3, BOS 1, TTL 8.
    pub const MPLS_LSE0: Slot = at(17, 32, 32);
    /// Second MPLS label stack entry.
    pub const MPLS_LSE1: Slot = at(17, 0, 32);
    /// Third MPLS label stack entry.
    pub const MPLS_LSE2: Slot = at(18, 32, 32);
    /// PBB service tag: UCA in bit 27, I-SID in bits 23..0, as in the 802.1ah I-TAG.
    pub const PBB_ITAG: Slot = at(18, 0, 32);
    /// ND target address.
    pub const ND_TARGET: Slot = at(19, 0, 128);
    /// ARP sender hardware address, or ND source link-layer address.
    pub const ARP_SHA: Slot = at(21, 16, 48);
    /// TPID of the second VLAN tag.
    pub const VLAN_TPID2: Slot = at(21, 0, 16);
    /// ARP target hardware address, or ND target link-layer address.
    pub const ARP_THA: Slot = at(22, 16, 48);
    /// Type of the ND option.
    pub const ND_OPTION_TYPE: Slot = at(22, 0, 8);
    /// ND reserved word.
    pub const ND_RESERVED: Slot = at(23, 32, 32);
    /// Recirculation id: 0 for a fresh packet.
    pub const RECIRC_ID: Slot = at(23, 0, 32);
    /// OpenFlow 1.5 packet type, 0 for Ethernet.
    pub const PACKET_TYPE: Slot = at(24, 32, 32);
    /// Packet mark.
    pub const PKT_MARK: Slot = at(24, 0, 32);
    /// Physical ingress port.
    pub const IN_PHY_PORT: Slot = at(25, 32, 32);
    /// Datapath hash.
    pub const DP_HASH: Slot = at(25, 0, 32);

    /// Table metadata.
    pub const METADATA: Slot = at(26, 0, 64);
    /// Output port in the action set.
    pub const ACTSET_OUTPUT: Slot = at(27, 32, 32);
    /// Id of a satisfied conjunction.
    pub const CONJ_ID: Slot = at(27, 0, 32);
    /// The word of reg0 (high half) and reg1 (low half); 16 words hold reg0..reg31.
    pub const FIRST_REGISTER_WORD: u8 = 30;

    /// reg0..reg31, 32 bits each.
    pub const fn register(index: u8) -> Slot {
        at(FIRST_REGISTER_WORD + index / 2, 32 * (1 - index % 2), 32)
    }

    /// xreg0..xreg15, 64 bits each.
    pub const fn xregister(index: u8) -> Slot {
        at(FIRST_REGISTER_WORD + index, 0, 64)
    }

    /// xxreg0..xxreg7, 128 bits each.
    pub const fn xxregister(index: u8) -> Slot {
        at(FIRST_REGISTER_WORD + 2 * index, 0, 128)
    }
}

impl Slot {
    /// All ones in the field's width.
    pub const fn ones(self) -> u128 {
        if self.width == 128 {
            u128::MAX
        } else {
            (1 << self.width) - 1
        }
    }

    /// `len` bits of this field from bit `start` (0 is the lowest) as a place of its own;
    /// `None` when they do not all lie in the field, or straddle the halves of a 128-bit field.
    pub const fn part(self, start: u8, len: u8) -> Option<Self> {
        if len == 0 || start as u16 + len as u16 > self.width as u16 {
            return None;
        }
        if self.width != 128 {
            return Some(Self {
                word: self.word,
                shift: self.shift + start,
                width: len,
            });
        }
        if len == 128 {
            Some(self)
        } else if start >= 64 {
            Some(Self {
                word: self.word,
                shift: start - 64,
                width: len,
            })
        } else if start + len <= 64 {
            Some(Self {
                word: self.word + 1,
                shift: start,
                width: len,
            })
        } else {
            None
        }
    }
}

/// A packet's fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The words, laid out by [`slot`].
    pub words: [u64; KEY_WORDS],
}

/// Which bits of a key matter: 1 means that the bit was, or is to be, looked at.
pub type FlowMask = FlowKey;

impl Default for FlowKey {
    fn default() -> Self {
        Self {
            words: [0; KEY_WORDS],
        }
    }
}

impl FlowKey {
    /// The number in `slot`.
    #[inline]
    pub const fn value(&self, slot: Slot) -> u128 {
        let word = slot.word as usize;
        if slot.width == 128 {
            (self.words[word] as u128) << 64 | self.words[word + 1] as u128
        } else {
            (self.words[word] >> slot.shift) as u128 & slot.ones()
        }
    }

    /// Puts `value` in `slot`; bits over its width are ignored.
    #[inline]
    pub const fn set(&mut self, slot: Slot, value: u128) {
        let word = slot.word as usize;
        if slot.width == 128 {
            self.words[word] = (value >> 64) as u64;
            self.words[word + 1] = value as u64;
        } else {
            let ones = slot.ones() as u64;
            let cleared = self.words[word] & !(ones << slot.shift);
            self.words[word] = cleared | (value as u64 & ones) << slot.shift;
        }
    }

    /// Puts the bits of `value` where `mask` has ones, and keeps the others.
    #[inline]
    pub const fn set_masked(&mut self, slot: Slot, value: u128, mask: u128) {
        let old = self.value(slot);
        self.set(slot, old & !mask | value & mask);
    }

    /// Whether `self` and `other` agree in every bit of `mask`.
    #[inline]
    pub fn equals_under(&self, other: &Self, mask: &Self) -> bool {
        let pairs = self.words.iter().zip(&other.words).zip(&mask.words);
        pairs.fold(0, |differs, ((a, b), m)| differs | (a ^ b) & m) == 0
    }

    /// Whether no bit is set.
    pub fn is_zero(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }
}

impl BitAnd for &FlowKey {
    type Output = FlowKey;

    fn bitand(self, other: Self) -> FlowKey {
        FlowKey {
            words: std::array::from_fn(|i| self.words[i] & other.words[i]),
        }
    }
}

impl BitOr for &FlowKey {
    type Output = FlowKey;

    fn bitor(self, other: Self) -> FlowKey {
        FlowKey {
            words: std::array::from_fn(|i| self.words[i] | other.words[i]),
        }
    }
}
