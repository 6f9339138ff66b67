//! OpenFlow state: rules, groups, meters, ports, and the classifier that finds a rule for a key.
//!
//! [`Pipeline`] owns all of it and is the only door: one writer changes it, many readers look
//! things up.  Nothing here reads a clock; `now` is an argument.  What a change causes beyond
//! its answer (a FLOW_REMOVED, a monitor update) is left as a [`Notice`].

mod active;
mod changes;
mod classifier;
mod conjunction;
mod fdb;
mod group;
mod group_table;
mod meter;
mod modify;
#[cfg(test)]
mod naive;
mod notice;
mod pipeline;
mod port_table;
mod rule;
mod rules;
mod shape;
mod spread;
mod store;
mod template;
#[cfg(test)]
mod tests;
mod uses;
mod wheel;

pub use changes::Dependence;
pub use fdb::{Fdb, FdbEntry};
pub use group::Group;
pub use group_table::{MAX_BUCKETS, MAX_GROUPS};
pub use meter::{MAX_BANDS, MAX_METERS, Meter, MeterVerdict};
pub use modify::{Atomic, Change};
pub use notice::{FlowEvent, Notice, RemovedReason};
pub use pipeline::{Compat, FlowCursor, Pipeline};
pub use port_table::{Port, PortTable, port_config, port_state};
pub use rule::{FlowSnapshot, RuleId, RuleRef};

/// Number of tables that rules may be in: 0..=253.
pub const TABLES: usize = 254;

/// The table number that stands for all tables in requests.
pub const ALL_TABLES: u8 = 0xff;
