//! The front of the crate: what a control plane may ask.
