//! Settings that may change while the switch runs.

use std::time::Duration;

use super::{Datapath, Refusal, Setting};
use crate::openflow::decode;
use crate::table::Compat;
use crate::translate::Fragments;
use crate::worker::Listener;

impl Datapath {
    /// Changes settings; all of them or, with an error, none.
    pub fn configure(&self, settings: &[(String, Setting)]) -> Result<(), Refusal> {
        let changes = settings.iter().map(|(name, value)| parse(name, value));
        for change in changes.collect::<Result<Vec<_>, _>>()? {
            self.change(change);
        }
        Ok(())
    }

    /// Names those who hear packet-ins; `None` for everybody.
    pub fn set_listeners(&self, listeners: Option<Vec<Listener>>) {
        self.shared.audience.name(listeners);
    }

    /// Whose word counts where messages are decoded.
    pub(super) fn decode_compat(&self) -> decode::Compat {
        match self.shared.read().pipeline.compat() {
            Compat::Spec => decode::Compat::Spec,
            Compat::Ovs => decode::Compat::Ovs,
        }
    }

    fn change(&self, change: Change) {
        match change {
            Change::Rate(rate) => self.shared.audience.set(Some(rate), None),
            Change::Burst(burst) => self.shared.audience.set(None, Some(burst)),
            Change::Connected(connected) => self.set_listeners((!connected).then(Vec::new)),
            Change::MacAging(aging) => self.shared.write().pipeline.set_mac_aging(aging),
            Change::Compat(compat) => self.shared.write().pipeline.set_compat(compat),
            Change::TableLimit(limit) => {
                self.shared.write().pipeline.set_table_limit(None, limit);
            }
            Change::Monitored(on) => self.shared.write().pipeline.set_monitored(on),
            Change::Fragments(fragments) => {
                let mut state = self.shared.write();
                state.change_settings(|settings| settings.fragments = fragments);
            }
            Change::MissToController(on) => {
                let mut state = self.shared.write();
                state.change_settings(|settings| settings.miss_to_controller = on);
            }
            Change::InvalidTtl(on) => {
                let mut state = self.shared.write();
                state.change_settings(|settings| settings.invalid_ttl_to_controller = on);
            }
            Change::StageTimes(on) => {
                for cell in &self.cells {
                    cell.visit().time_stages(on);
                }
            }
            Change::CacheEntries(entries) => {
                for (index, cell) in self.cells.iter().enumerate() {
                    let seed = entries as u64 ^ index as u64 ^ self.datapath_id;
                    cell.visit().resize_cache(entries, seed);
                }
            }
        }
    }
}

/// One setting, understood.
enum Change {
    Fragments(Fragments),
    MissToController(bool),
    Rate(u32),
    Burst(u32),
    MacAging(Duration),
    InvalidTtl(bool),
    Connected(bool),
    Compat(Compat),
    TableLimit(u32),
    Monitored(bool),
    CacheEntries(usize),
    StageTimes(bool),
}

fn parse(name: &str, value: &Setting) -> Result<Change, Refusal> {
    let illegal = |wanted: &str| Refusal::Usage(format!("{name}: {wanted} expected"));
    let text = || match value {
        Setting::Text(text) => text.as_str(),
        _ => "",
    };
    let number = |most: i64| match value {
        Setting::Number(number) if (0..=most).contains(number) => Ok(*number as u64),
        _ => Err(illegal(&format!("a number from 0 to {most}"))),
    };
    let flag = || match value {
        Setting::Flag(flag) => Ok(*flag),
        Setting::Number(number @ (0 | 1)) => Ok(*number == 1),
        _ => Err(illegal("true or false")),
    };
    Ok(match name {
        "fragments" => Change::Fragments(match text() {
            "normal" => Fragments::Normal,
            "drop" => Fragments::Drop,
            "nx-match" => Fragments::NxMatch,
            _ => return Err(illegal("normal, drop or nx-match")),
        }),
        "miss" => Change::MissToController(match text() {
            "drop" => false,
            "controller" => true,
            _ => return Err(illegal("drop or controller")),
        }),
        "compat" => Change::Compat(match text() {
            "spec" => Compat::Spec,
            "ovs" => Compat::Ovs,
            _ => return Err(illegal("spec or ovs")),
        }),
        "packet_in_rate" => Change::Rate(number(i64::from(u32::MAX))? as u32),
        "packet_in_burst" => Change::Burst(number(i64::from(u32::MAX))? as u32),
        "mac_aging" => Change::MacAging(Duration::from_secs(number(1_000_000)?)),
        "table_limit" => Change::TableLimit(number(i64::from(u32::MAX))? as u32),
        "cache_entries" => Change::CacheEntries(number(1 << 24)? as usize),
        "invalid_ttl_to_controller" => Change::InvalidTtl(flag()?),
        "controllers_connected" => Change::Connected(match value {
            Setting::Number(number) => *number > 0,
            _ => flag()?,
        }),
        "stage_times" => Change::StageTimes(flag()?),
        "flow_monitors" => Change::Monitored(flag()?),
        _ => return Err(Refusal::Usage(format!("unknown setting {name}"))),
    })
}
