//! The table against itself: names, headers and places are consistent.

use super::*;
use std::collections::HashMap;

#[test]
fn test_rows_are_in_the_order_of_their_ids() {
    for (index, field) in FIELDS.iter().enumerate() {
        assert_eq!(field.id, FieldId(index as u16), "{}", field.name);
    }
}

#[test]
fn test_names_and_headers_are_unique_and_lead_back() {
    let mut names = HashMap::new();
    let mut headers = HashMap::new();
    for field in FIELDS {
        for name in std::iter::once(&field.name).chain(field.aliases) {
            assert_eq!(names.insert(*name, field.id), None, "{name} twice");
            assert_eq!(by_name(name).map(|f| f.id), Some(field.id));
        }
        for &(_, header) in field.headers {
            assert_eq!(headers.insert(header, field.id), None, "{header:#x} twice");
            assert_eq!(
                by_header(header).map(|f| f.id),
                Some(field.id),
                "{header:#x}"
            );
            assert_eq!(refused(header), None, "{header:#x}");
            let longer = if header >> 32 == 0 {
                header + 1
            } else {
                header + (1 << 32)
            };
            assert!(by_header(longer).is_none());
            assert_eq!(by_code_point(longer).map(|f| f.1), Some(header));
        }
    }
}

#[test]
fn test_header_lengths_are_the_wire_bytes() {
    for field in FIELDS {
        for &(_, header) in field.headers {
            let (length, extra) = if header >> 32 == 0 {
                (header, 0)
            } else {
                (header >> 32, 4)
            };
            assert_eq!(length as u8, field.wire_bytes + extra, "{}", field.name);
        }
    }
}

#[test]
fn test_places_hold_the_legal_bits() {
    for field in FIELDS {
        let at = field.slot;
        let fits = if at.width == 128 {
            at.shift == 0
        } else {
            at.shift + at.width <= 64
        };
        assert!(fits, "{}", field.name);
        assert_eq!(field.legal & !at.ones(), 0, "{}", field.name);
        let wire = u32::from(field.wire_bytes) * 8;
        assert!(128 - field.legal.leading_zeros() <= wire, "{}", field.name);
    }
}

#[test]
fn test_sixteen_bit_ports_map_to_the_reserved_range_and_back() {
    for port in 0..=u16::MAX {
        let wide = port_from_16(port);
        if !(0xff01..0xfff7).contains(&port) && port != 0xfff7 {
            assert_eq!(port_to_16(wide), port);
        }
    }
    assert_eq!(port_from_16(0xfffe), PortNo::LOCAL);
    assert_eq!(port_to_16(PortNo::IN_PORT), 0xfff8);
}
