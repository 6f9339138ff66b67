//! The field table, as Python objects.

use pyo3::prelude::*;

/// One row of the field table: what a match or set_field can name.
#[pyclass(frozen, get_all, module = "ovsflow.datapath")]
pub(crate) struct Field {
    name: &'static str,
    aliases: Vec<&'static str>,
    bits: u16,
    wire_bytes: u16,
    maskable: bool,
    writable: bool,
    prerequisite: &'static str,
    format: &'static str,
    maximum: u128,
    headers: Vec<(u8, u64)>,
    decodes: Vec<u64>,
    slot: (u8, u8, u8),
}

/// The field table, in the order in which a switch encodes matches.
#[pyfunction]
pub(crate) fn fields() -> Vec<Field> {
    Vec::new()
}
