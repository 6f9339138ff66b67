//! The pipeline against its naive twin, on random requests and packets, with a clock of its own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod generate;
mod groups;
mod tables;
mod twin;
