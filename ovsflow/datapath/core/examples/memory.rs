//! Packets a second from memory to memory through one worker: what the engine itself costs.
//!
//! `cargo run --release --example memory [SCENARIO… | all] [--batches N]` sends 60-byte UDP frames from one
//! memory port to another, once for each scenario of `SCENARIOS`.  With `--batches` it moves that many
//! batches and takes no time: run so under callgrind, a scenario has a number of
//! instructions for each packet that does not depend on the machine's mood.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ovsflow_datapath::datapath::Datapath;
use ovsflow_datapath::openflow::Version;
use ovsflow_datapath::openflow::decode::Context;
use ovsflow_datapath::packet::PortNo;
use ovsflow_datapath::time::Now;

const RUN: Duration = Duration::from_millis(700);

/// Batches that warm the cache, at least once around the longest trace.
const WARM: usize = 8_000;

const ETH_TYPE_IPV4: [u8; 6] = [0x80, 0, 0x0a, 2, 8, 0];

/// Which of the ports is a tunnel.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Plain,
    Encap,
    Decap,
}

/// A scenario: its name, conversations, tunnel and flows.
type Scenario = (&'static str, u32, Shape, fn() -> Vec<Vec<u8>>);

const SCENARIOS: [Scenario; 12] = [
    ("port-1k", 1_000, Shape::Plain, in_port),
    ("prefix-1", 1, Shape::Plain, prefix),
    ("prefix-1k", 1_000, Shape::Plain, prefix),
    ("prefix-100k", 100_000, Shape::Plain, prefix),
    ("rewrite-1k", 1_000, Shape::Plain, rewrite),
    ("tuple-1k", 1_000, Shape::Plain, tuple),
    ("tuple-50k", 50_000, Shape::Plain, tuple),
    ("encap-1k", 1_000, Shape::Encap, encap),
    ("encap-100k", 100_000, Shape::Encap, encap),
    ("remotes-100k", 100_000, Shape::Encap, remotes),
    ("decap-1k", 1_000, Shape::Decap, decap),
    ("decap-100k", 100_000, Shape::Decap, decap),
];

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut batches = None;
    if let Some(at) = wanted.iter().position(|word| word == "--batches") {
        batches = wanted.get(at + 1).and_then(|count| count.parse().ok());
        wanted.truncate(at);
    }
    for scenario in SCENARIOS {
        let all = wanted.is_empty() || wanted.iter().any(|word| word == "all");
        if all || wanted.iter().any(|word| word == scenario.0) {
            measure(scenario, batches);
        }
    }
}

fn measure((name, conversations, shape, flows): Scenario, batches: Option<usize>) {
    let Ok(datapath) = Datapath::new("bench", 1, 0) else {
        return eprintln!("cannot make a datapath");
    };
    for (number, tunnel) in [(1, Shape::Decap), (2, Shape::Encap)] {
        let mut options = vec![("discard", "true")];
        if tunnel == shape {
            options.push(("backend", "memory"));
        }
        let options = options
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let kind = if tunnel == shape { "vxlan" } else { "memory" };
        let name = format!("p{number}");
        let options = BTreeMap::from_iter(options);
        if let Err(error) = datapath.add_port(PortNo(number), &name, kind, options, Now(0)) {
            return eprintln!("{error:?}");
        }
    }
    for flow in flows().chunks(100) {
        let context = Context::default();
        let errors = datapath.apply(Version::Of13, &flow.concat(), Now(0), false, 0, &context);
        if !errors.is_empty() {
            return eprintln!("refused: {errors:02x?}");
        }
    }
    if let Some(port) = datapath.memory_port(PortNo(1)) {
        let frames = (0..conversations).map(|number| match shape {
            Shape::Decap => outer_frame(number),
            Shape::Plain | Shape::Encap => frame(number),
        });
        port.replay(frames.collect());
    }
    if let Some(batches) = batches {
        let packets: usize = (0..batches).map(|_| datapath.poll(Now(1))).sum();
        return println!("{name}: {packets} packets");
    }
    for _ in 0..WARM {
        datapath.poll(Now(1));
    }
    let start = Instant::now();
    let mut packets = 0;
    while start.elapsed() < RUN {
        for _ in 0..64 {
            packets += datapath.poll(Now(start.elapsed().as_nanos() as u64));
        }
    }
    let rate = packets as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("{name:14} {rate:6.1} Mpps {:6.1} ns", 1e3 / rate);
}

fn in_port() -> Vec<Vec<u8>> {
    vec![flow_mod(&oxm(0x8000_0004, &[0, 0, 0, 1]), &output(2))]
}

/// Matches on nw_dst=10.128.0.0/9.
fn prefix_match() -> Vec<u8> {
    let address = oxm(0x8000_1908, &[10, 128, 0, 0, 255, 128, 0, 0]);
    [&ETH_TYPE_IPV4[..], &address].concat()
}

fn prefix() -> Vec<Vec<u8>> {
    vec![flow_mod(&prefix_match(), &output(2))]
}

fn rewrite() -> Vec<Vec<u8>> {
    let set = set_field(&oxm(0x8000_0606, &[2, 0, 0, 0, 0, 9]));
    vec![flow_mod(
        &prefix_match(),
        &[set, dec_ttl(), output(2)].concat(),
    )]
}

/// Reads the whole 5-tuple: each conversation is a kind of its own.
fn tuple() -> Vec<Vec<u8>> {
    let exact = [
        &ETH_TYPE_IPV4[..],
        &oxm(0x8000_1401, &[17]),
        &oxm(0x8000_1604, &[1, 1, 1, 1]),
        &oxm(0x8000_1804, &[1, 1, 1, 1]),
        &oxm(0x8000_1e02, &[0, 1]),
        &oxm(0x8000_2002, &[0, 1]),
    ];
    vec![flow_mod(&exact.concat(), &output(2)), prefix().remove(0)]
}

/// Actions: tun_id 10, this tun_dst, output to the tunnel.
fn to_remote(remote: [u8; 4]) -> Vec<u8> {
    let id = set_field(&oxm(0x8000_4c08, &[0, 0, 0, 0, 0, 0, 0, 10]));
    let remote = set_field(&oxm(0x0001_4004, &remote));
    [id, remote, output(2)].concat()
}

fn encap() -> Vec<Vec<u8>> {
    vec![flow_mod(&prefix_match(), &to_remote([172, 31, 1, 2]))]
}

fn remotes() -> Vec<Vec<u8>> {
    let flow = |number: u32| {
        let inner = oxm(0x8000_1804, &(0x0a80_0000 | number).to_be_bytes());
        let remote = (0x1400_0000 | number).to_be_bytes();
        flow_mod(&[&ETH_TYPE_IPV4[..], &inner].concat(), &to_remote(remote))
    };
    (0..100_000).map(flow).collect()
}

fn decap() -> Vec<Vec<u8>> {
    let flow = |vni| flow_mod(&oxm(0x8000_4c08, &[0, 0, 0, 0, 0, 0, 0, vni]), &output(2));
    (10..26).map(flow).collect()
}

/// A 60-byte frame: UDP to an address of its own.
fn frame(conversation: u32) -> Box<[u8]> {
    let mut udp = vec![0; 26];
    udp[..2].copy_from_slice(&(1024 + (conversation * 7 % 60_000) as u16).to_be_bytes());
    udp[2..6].copy_from_slice(&[0, 53, 0, 26]);
    let source = 0x0a00_0000 | conversation.wrapping_mul(40_503) & 0xffff;
    ipv4_frame(source, 0x0a80_0000 | conversation, &udp)
}

/// The same in VXLAN, in one of 16 networks.
fn outer_frame(conversation: u32) -> Box<[u8]> {
    let inner = frame(conversation);
    let mut udp = [0; 16];
    udp[..2].copy_from_slice(&(49_152 + (conversation * 7 % 16_384) as u16).to_be_bytes());
    udp[2..4].copy_from_slice(&4789_u16.to_be_bytes());
    udp[4..6].copy_from_slice(&(16 + inner.len() as u16).to_be_bytes());
    udp[8] = 8;
    udp[14] = 10 + (conversation % 16) as u8;
    ipv4_frame(0xac1f_0102, 0xac1f_0101, &[&udp[..], &inner].concat())
}

fn ipv4_frame(source: u32, target: u32, udp: &[u8]) -> Box<[u8]> {
    let mut header = vec![0x45, 0];
    header.extend((20 + udp.len() as u16).to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    header.extend(source.to_be_bytes());
    header.extend(target.to_be_bytes());
    let pairs = header
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = pairs.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    [&ethernet[..], &header, udp].concat().into()
}

fn oxm(header: u32, value: &[u8]) -> Vec<u8> {
    [&header.to_be_bytes()[..], value].concat()
}

fn output(port: u32) -> Vec<u8> {
    [
        &[0, 0, 0, 16][..],
        &port.to_be_bytes(),
        &[0xff, 0xff, 0, 0, 0, 0, 0, 0],
    ]
    .concat()
}

fn dec_ttl() -> Vec<u8> {
    vec![0, 24, 0, 8, 0, 0, 0, 0]
}

fn set_field(field: &[u8]) -> Vec<u8> {
    let len = (4 + field.len()).next_multiple_of(8);
    let mut action = [&[0, 25, 0, len as u8][..], field].concat();
    action.resize(len, 0);
    action
}

/// A FLOW_MOD of OpenFlow 1.3 that adds a flow with an apply-actions list.
fn flow_mod(matching: &[u8], actions: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 40];
    body[20..22].copy_from_slice(&1_u16.to_be_bytes());
    body[22..34].fill(0xff);
    let mut padded = [&[0, 1, 0, 4 + matching.len() as u8][..], matching].concat();
    padded.resize(padded.len().next_multiple_of(8), 0);
    body.extend(padded);
    body.extend([0, 4, 0, 8 + actions.len() as u8, 0, 0, 0, 0]);
    body.extend(actions);
    let len = 8 + body.len() as u16;
    [&[4, 14][..], &len.to_be_bytes(), &[0, 0, 0, 1], &body].concat()
}
