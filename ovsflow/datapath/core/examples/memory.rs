//! Packets a second from memory to memory through one worker: what the engine itself costs.
//!
//! `cargo run --release --example memory [SCENARIO…] [--batches N] [--rounds N]` runs each scenario, or those
//! that are named, for a while in each of some rounds and prints the medians.  With `--batches`
//! it moves that many batches and takes no time: what callgrind counts for twice as many, less
//! what it counts for once, is the cost of those packets (`tools/callgrind` does that).
//! `--list` prints the names.

mod scenarios;

use std::time::{Duration, Instant};

use ovsflow_datapath::time::Now;

use scenarios::{Run, SCENARIOS, Scenario};

const ROUND: Duration = Duration::from_millis(250);

/// Batches that warm the cache, at least once around the longest trace that it can hold.
const WARM: usize = 8_000;

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|word| word == "--list") {
        return SCENARIOS.iter().for_each(|one| println!("{}", one.name));
    }
    let batches = number(&mut wanted, "--batches");
    let rounds = number(&mut wanted, "--rounds").unwrap_or(3);
    let is_wanted = |one: &&Scenario| wanted.is_empty() || wanted.iter().any(|w| w == one.name);
    for scenario in SCENARIOS.iter().filter(is_wanted) {
        let done = match batches {
            Some(count) => count_batches(scenario, count),
            None => measure(scenario, rounds),
        };
        if let Err(text) = done {
            eprintln!("{}: {text}", scenario.name);
            std::process::exit(1);
        }
    }
}

/// Takes an option with its number out of the words.
fn number(words: &mut Vec<String>, option: &str) -> Option<usize> {
    let at = words.iter().position(|word| word == option)?;
    let number = words.get(at + 1).and_then(|text| text.parse().ok());
    words.drain(at..(at + 2).min(words.len()));
    number
}

fn count_batches(scenario: &Scenario, batches: usize) -> Result<(), String> {
    let mut run = Run::start(scenario)?;
    let packets: usize = (0..batches).map(|at| run.step(Now(at as u64))).sum();
    println!("{}: {packets} packets", scenario.name);
    Ok(())
}

fn measure(scenario: &Scenario, rounds: usize) -> Result<(), String> {
    let mut run = Run::start(scenario)?;
    let start = Instant::now();
    let now = || Now(start.elapsed().as_nanos() as u64);
    for _ in 0..WARM {
        run.step(now());
    }
    let mut rates: Vec<f64> = (0..rounds.max(1))
        .map(|_| {
            let (began, mut packets) = (Instant::now(), 0);
            while began.elapsed() < ROUND {
                let now = now();
                packets += (0..64).map(|_| run.step(now)).sum::<usize>();
            }
            packets as f64 / began.elapsed().as_secs_f64() / 1e6
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let (middle, best) = (rates[rates.len() / 2], rates[rates.len() - 1]);
    let name = scenario.name;
    println!(
        "{name:14} {middle:6.1} Mpps {:6.1} ns, best {best:6.1}",
        1e3 / middle
    );
    Ok(())
}
