//! Packets a second from memory to memory through one worker: what the engine itself costs.
//!
//! `cargo run --release --example memory [FLOWS]` sends 64-byte UDP frames of FLOWS conversations
//! (default 1) from one memory port to another, under rules of growing width.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ovsflow_datapath::datapath::Datapath;
use ovsflow_datapath::openflow::Version;
use ovsflow_datapath::openflow::decode::Context;
use ovsflow_datapath::packet::PortNo;
use ovsflow_datapath::time::Now;

const RUN: Duration = Duration::from_secs(1);

fn main() {
    let flows: u16 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let in_port = oxm(0x8000_0004, &[0, 0, 0, 1]);
    let ipv4 = [in_port.clone(), oxm(0x8000_0a02, &[8, 0])].concat();
    let udp = [
        ipv4.clone(),
        oxm(0x8000_1401, &[17]),
        oxm(0x8000_2002, &[0, 53]),
    ]
    .concat();
    let set = [
        set_field(&oxm(0x8000_0606, &[2, 0, 0, 0, 0, 9])),
        dec_ttl(),
        output(2),
    ]
    .concat();
    measure("in_port -> output", flows, &in_port, &output(2));
    measure("5-tuple -> output", flows, &udp, &output(2));
    measure("5-tuple -> set eth_dst, dec_ttl, output", flows, &udp, &set);
}

fn measure(name: &str, flows: u16, matching: &[u8], actions: &[u8]) {
    let Ok(datapath) = Datapath::new("bench", 1, 0) else {
        return eprintln!("cannot make a datapath");
    };
    let discard = BTreeMap::from([("discard".to_owned(), "true".to_owned())]);
    for (number, options) in [(1, BTreeMap::new()), (2, discard)] {
        let name = format!("p{number}");
        if let Err(error) = datapath.add_port(PortNo(number), &name, "memory", options, Now(0)) {
            return eprintln!("{error:?}");
        }
    }
    let errors = datapath.apply(
        Version::Of13,
        &flow_mod(matching, actions),
        Now(0),
        false,
        0,
        &Context::default(),
    );
    if !errors.is_empty() {
        return eprintln!("refused: {errors:02x?}");
    }
    if let Some(port) = datapath.memory_port(PortNo(1)) {
        port.replay((0..flows).map(frame).collect());
    }
    let start = Instant::now();
    let mut packets = 0;
    while start.elapsed() < RUN {
        for _ in 0..64 {
            packets += datapath.poll(Now(start.elapsed().as_nanos() as u64));
        }
    }
    let rate = packets as f64 / start.elapsed().as_secs_f64() / 1e6;
    println!("{name}, {flows} conversations: {rate:.1} Mpps");
}

/// A 64-byte frame (60 without FCS): UDP to port 53.
fn frame(conversation: u16) -> Box<[u8]> {
    let mut frame = vec![0; 60];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    let header = [
        0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    frame[14..34].copy_from_slice(&header);
    let sum = header
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = sum.sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame[34..36].copy_from_slice(&(1024 + conversation).to_be_bytes());
    frame[36..38].copy_from_slice(&53_u16.to_be_bytes());
    frame[38..40].copy_from_slice(&26_u16.to_be_bytes());
    frame.into()
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
