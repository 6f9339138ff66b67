//! A fixed trace through one worker, to count instructions: `instructions TRACE PACKETS`.
//!
//! Nothing here looks at a clock, and the frames are the same in every run, so that what callgrind
//! counts for twice as many packets, less what it counts for once, is the cost of those packets
//! (`tools/callgrind` does that).  The seed of hashes is random as in any process: figures
//! differ by a few instructions in a thousand.

use std::collections::BTreeMap;

use ovsflow_datapath::datapath::Datapath;
use ovsflow_datapath::openflow::Version;
use ovsflow_datapath::openflow::decode::Context;
use ovsflow_datapath::packet::PortNo;
use ovsflow_datapath::time::Now;

/// OXM headers: in_port, eth_type, ip_proto, ipv4_src and ipv4_dst with masks, udp_dst, eth_dst,
/// tunnel_id; NXM_NX_TUN_IPV4_DST.
const IN_PORT: u32 = 0x8000_0004;
const ETH_TYPE: u32 = 0x8000_0a02;
const IP_PROTO: u32 = 0x8000_1401;
const IPV4_SRC: u32 = 0x8000_1708;
const IPV4_DST: u32 = 0x8000_1908;
const UDP_DST: u32 = 0x8000_2002;
const ETH_DST: u32 = 0x8000_0606;
const TUNNEL_ID: u32 = 0x8000_4c08;
const TUN_DST: u32 = 0x0001_4004;

/// Conversations of the trace.
const FLOWS: u32 = 1_000;

/// A trace by name: its flows, and the port that packets leave through.
struct Trace {
    name: &'static str,
    sink: &'static str,
    flows: fn() -> Vec<Vec<u8>>,
}

const TRACES: [Trace; 5] = [
    Trace {
        name: "port",
        sink: "memory",
        flows: || vec![flow_mod(1, &oxm(IN_PORT, &[0, 0, 0, 1]), &output(2))],
    },
    Trace {
        name: "prefix",
        sink: "memory",
        flows: || vec![flow_mod(1, &prefix(), &output(2))],
    },
    Trace {
        name: "rewrite",
        sink: "memory",
        flows: || {
            let set = set_field(&oxm(ETH_DST, &[2, 0, 0, 0, 0, 0x99]));
            vec![flow_mod(
                1,
                &prefix(),
                &[set, dec_ttl(), output(2)].concat(),
            )]
        },
    },
    Trace {
        name: "acl",
        sink: "memory",
        flows: acl,
    },
    Trace {
        name: "encap",
        sink: "vxlan",
        flows: || {
            let id = set_field(&oxm(TUNNEL_ID, &[0, 0, 0, 0, 0, 0, 0, 10]));
            let remote = set_field(&oxm(TUN_DST, &[172, 31, 1, 2]));
            vec![flow_mod(1, &prefix(), &[id, remote, output(2)].concat())]
        },
    },
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(trace) = TRACES.iter().find(|trace| trace.name == name) else {
        // Without a trace: their names, for whoever runs them all.
        return TRACES.iter().for_each(|trace| println!("{}", trace.name));
    };
    let packets = arguments.next().and_then(|text| text.parse().ok());
    match run(trace, packets.unwrap_or(10_000)) {
        Ok(moved) => println!("{moved} packets"),
        Err(text) => {
            eprintln!("{text}");
            std::process::exit(1);
        }
    }
}

fn run(trace: &Trace, packets: usize) -> Result<usize, String> {
    let datapath = Datapath::new("trace", 1, 0).map_err(|error| format!("{error:?}"))?;
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut sink = BTreeMap::from([option("discard", "true")]);
    if trace.sink == "vxlan" {
        sink.extend([option("backend", "memory")]);
    }
    for (number, kind, options) in [(1, "memory", BTreeMap::new()), (2, trace.sink, sink)] {
        let name = format!("p{number}");
        let opened = datapath.add_port(PortNo(number), &name, kind, options, Now(0));
        opened.map_err(|error| format!("{error:?}"))?;
    }
    let flows = (trace.flows)().concat();
    let context = Context::default();
    let errors = datapath.apply(Version::Of13, &flows, Now(0), false, 0, &context);
    if !errors.is_empty() {
        return Err(format!("a flow was refused: {errors:02x?}"));
    }
    let source = datapath.memory_port(PortNo(1)).ok_or("no port 1")?;
    source.replay((0..FLOWS).map(frame).collect());
    let mut moved = 0;
    while moved < packets {
        moved += datapath.poll(Now(moved as u64));
    }
    Ok(moved)
}

/// Six rules of five shapes; every frame takes one of the last four.
fn acl() -> Vec<Vec<u8>> {
    let ip = oxm(ETH_TYPE, &[8, 0]);
    let udp = [ip.clone(), oxm(IP_PROTO, &[17])].concat();
    let port = |number: u16| oxm(UDP_DST, &number.to_be_bytes());
    let wide = |header: u32, bytes: [u8; 8]| oxm(header, &bytes);
    let dns = [
        udp.clone(),
        wide(IPV4_SRC, [10, 0, 0, 0, 255, 128, 0, 0]),
        port(53),
    ]
    .concat();
    let low = [udp.clone(), wide(IPV4_DST, [10, 128, 0, 0, 255, 240, 0, 0])].concat();
    let inside = [
        ip,
        wide(IPV4_SRC, [10, 0, 0, 0, 255, 0, 0, 0]),
        wide(IPV4_DST, [10, 128, 0, 0, 255, 128, 0, 0]),
    ]
    .concat();
    vec![
        flow_mod(60, &[udp.clone(), port(22)].concat(), &[]),
        flow_mod(50, &dns, &output(2)),
        flow_mod(40, &[udp, port(80)].concat(), &output(2)),
        flow_mod(30, &low, &output(2)),
        flow_mod(20, &inside, &output(2)),
        flow_mod(0, &[], &[]),
    ]
}

/// IPv4 to 10.128.0.0/9.
fn prefix() -> Vec<u8> {
    let network = oxm(IPV4_DST, &[10, 128, 0, 0, 255, 128, 0, 0]);
    [oxm(ETH_TYPE, &[8, 0]), network].concat()
}

/// A 60-byte UDP frame of one conversation.
fn frame(number: u32) -> Box<[u8]> {
    let mut frame = vec![0; 60];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    let mut header = [
        69, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 128, 0, 0,
    ];
    header[12..16].copy_from_slice(&(0x0a00_0000 + number * 7).to_be_bytes());
    header[16..20].copy_from_slice(&(0x0a80_0000 + number).to_be_bytes());
    let words = header.chunks(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
        .sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame[14..34].copy_from_slice(&header);
    let ports = [53_u16, 80, 443, 8080];
    let target = ports[number as usize % ports.len()];
    frame[34..36].copy_from_slice(&(1024 + number as u16).to_be_bytes());
    frame[36..38].copy_from_slice(&target.to_be_bytes());
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
        &[255, 255, 0, 0, 0, 0, 0, 0],
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
fn flow_mod(priority: u16, matching: &[u8], actions: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 40];
    body[22..24].copy_from_slice(&priority.to_be_bytes());
    body[24..36].fill(0xff);
    let mut padded = [&[0, 1, 0, 4 + matching.len() as u8][..], matching].concat();
    padded.resize(padded.len().next_multiple_of(8), 0);
    body.extend(padded);
    body.extend([0, 4, 0, 8 + actions.len() as u8, 0, 0, 0, 0]);
    body.extend(actions);
    let len = 8 + body.len() as u16;
    [&[4, 14][..], &len.to_be_bytes(), &[0, 0, 0, 1], &body].concat()
}
