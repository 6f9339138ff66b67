//! What makes the second packet cheap.
