//! The ovsflow datapath: packets, OpenFlow tables, caches and ports.
//!
//! The house, top down; a module uses what stands below it, never above:
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`datapath`] | the front: what a control plane may ask |
//! | [`worker`] | threads and the journey of a batch |
//! | [`port`] | devices and system calls |
//! | [`execute`] | datapath actions done to bytes |
//! | [`cache`] | what makes the second packet cheap |
//! | [`translate`] | one walk through the tables -> actions, mask, credits |
//! | [`table`] | OpenFlow state: rules, groups, meters |
//! | [`action`] | datapath actions: the flat, decided list |
//! | [`openflow`] | the wire form of what the tables take and tell |
//! | [`flow`] | key, mask, the field table, extraction |
//! | [`packet`] | bytes and headers |
//! | [`error`], [`time`] | what can go wrong, and when |
//!
//! Nothing here reads a clock, the environment or a file, except `port` and `worker`.

pub mod action;
pub mod cache;
pub mod datapath;
pub mod error;
pub mod execute;
pub mod flow;
pub mod openflow;
pub mod packet;
pub mod port;
pub mod table;
pub mod time;
pub mod translate;
pub mod worker;
