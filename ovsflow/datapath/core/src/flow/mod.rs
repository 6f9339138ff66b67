//! What the tables look at: a packet's fields as a key, masks over it, the field table,
//! and the extraction of a key from bytes.

pub mod extract;
pub mod field;
mod key;
mod sparse;

pub use field::{Field, FieldId};
pub use key::{FlowKey, FlowMask, KEY_WORDS, PACKET_WORDS, Slot, slot};
pub use sparse::SparseMask;
