//! Numbers of caches, drops, tables and workers, for people and tools.

use super::Datapath;
use super::json::Json;
use crate::error::{DropCounters, DropReason};
use crate::openflow::action::TableId;
use crate::table::TABLES;
use crate::worker::{Stage, Stages, WorkerNumbers};

impl Datapath {
    /// Numbers of caches, drops, tables and workers as JSON.
    pub fn statistics(&self) -> String {
        self.collect();
        let workers: Vec<WorkerNumbers> = self.cells.iter().map(|c| c.visit().numbers()).collect();
        let mut drops = DropCounters::default();
        for worker in &workers {
            drops.merge(&worker.drops);
        }
        for port in self.port_counters() {
            drops.merge(&port.counters.rx_drops);
            drops.merge(&port.counters.tx_drops);
        }
        Json::object([
            ("name", Json::from(self.name.as_str())),
            ("datapath_id", format!("{:016x}", self.datapath_id).into()),
            ("cache", caches(&workers)),
            ("drops", counted(&drops)),
            ("packet_ins", self.packet_ins()),
            ("tables", self.tables()),
            ("workers", Json::List(workers.iter().map(worker).collect())),
        ])
        .to_string()
    }

    /// What each listener was sent and was not.
    fn packet_ins(&self) -> Json {
        let heard = self.shared.audience.heard();
        let told = heard.iter().map(|each| {
            Json::object([
                ("listener", each.number.into()),
                ("passed", each.passed.into()),
                ("limited", each.limited.into()),
            ])
        });
        Json::List(told.collect())
    }

    fn tables(&self) -> Json {
        let state = self.shared.read();
        let stats = (0..TABLES as u8).filter_map(|id| state.pipeline.table_stats(TableId(id)));
        let used = stats.filter(|t| t.active != 0 || t.lookups != 0);
        let told = used.map(|table| {
            Json::object([
                ("table", u64::from(table.table.0).into()),
                ("active", u64::from(table.active).into()),
                ("lookups", table.lookups.into()),
                ("matched", table.matched.into()),
            ])
        });
        Json::List(told.collect())
    }
}

fn caches(workers: &[WorkerNumbers]) -> Json {
    let sum =
        |number: fn(&WorkerNumbers) -> u64| Json::from(workers.iter().map(number).sum::<u64>());
    Json::object([
        ("hits", sum(|w| w.cache.hits)),
        ("misses", sum(|w| w.cache.misses)),
        ("proved_again", sum(|w| w.cache.stale)),
        ("evicted", sum(|w| w.cache.evicted)),
        ("rebuilt", sum(|w| w.cache.rebuilt)),
        ("entries", sum(|w| w.cache_entries as u64)),
        ("key_words", sum(|w| w.cache_words as u64)),
    ])
}

fn worker(numbers: &WorkerNumbers) -> Json {
    Json::object([
        ("batches", numbers.batches.into()),
        ("packets", numbers.packets.into()),
        ("drops", counted(&numbers.drops)),
        ("stages", stages(&numbers.stages)),
    ])
}

/// Nanoseconds of each stage, and the packets that they are of.
fn stages(stages: &Stages) -> Json {
    let times = Stage::ALL.iter();
    let times =
        times.map(|&(stage, name)| (format!("{name}_ns"), Json::from(stages.nanoseconds(stage))));
    let packets = ("packets".to_owned(), Json::from(stages.packets()));
    Json::Object(std::iter::once(packets).chain(times).collect())
}

/// Reasons with a count.
fn counted(drops: &DropCounters) -> Json {
    let reasons = DropReason::ALL.iter();
    let told = reasons.filter_map(|&reason| {
        let count = drops.count(reason);
        (count > 0).then(|| (reason.name().to_owned(), Json::from(count)))
    });
    Json::Object(told.collect())
}
