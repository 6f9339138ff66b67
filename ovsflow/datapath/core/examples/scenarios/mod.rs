//! Fixed traffic for one worker, memory to memory: flows, frames, and the switch that they run through.
//!
//! Frames are the same in every run; only the seed of hashes is random, as in any process.

mod wire;

use std::collections::BTreeMap;

use ovsflow_datapath::datapath::Datapath;
use ovsflow_datapath::openflow::Version;
use ovsflow_datapath::openflow::decode::Context;
use ovsflow_datapath::packet::PortNo;
use ovsflow_datapath::time::Now;

use wire::{
    ETH_TYPE, IP_PROTO, IPV4_DST, IPV4_SRC, TP_DST, TP_SRC, TUN_DST, TUNNEL_ID, flow_in, flow_mod,
    goto, output, oxm, oxm_masked, set_field, udp_frame, vxlan_frame,
};

/// Which of the ports is a tunnel.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Shape {
    Plain,
    Encap,
    Decap,
}

/// What arrives at port 1 and leaves through port 2.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Frames, which come over and over.
    frames: u32,
    frame: fn(u32) -> Box<[u8]>,
    shape: Shape,
    flows: fn() -> Vec<Vec<u8>>,
    /// Batches after each of which a frame of its own kind arrives at port 3; 0 for never.
    attack_every: u64,
}

const fn plain(name: &'static str, frames: u32, flows: fn() -> Vec<Vec<u8>>) -> Scenario {
    Scenario {
        name,
        frames,
        frame,
        shape: Shape::Plain,
        flows,
        attack_every: 0,
    }
}

const fn encap(name: &'static str, frames: u32, flows: fn() -> Vec<Vec<u8>>) -> Scenario {
    Scenario {
        shape: Shape::Encap,
        ..plain(name, frames, flows)
    }
}

const fn decap(name: &'static str, frames: u32) -> Scenario {
    Scenario {
        shape: Shape::Decap,
        frame: outer_frame,
        ..plain(name, frames, networks)
    }
}

pub(super) const SCENARIOS: [Scenario; 17] = [
    plain("port-1k", 1_000, in_port),
    plain("prefix-1", 1, prefix),
    plain("prefix-1k", 1_000, prefix),
    plain("prefix-100k", 100_000, prefix),
    plain("rewrite-1k", 1_000, rewrite),
    plain("acl-1k", 1_000, acl),
    plain("acl-100k", 100_000, acl),
    plain("tuple-1k", 1_000, tuple),
    plain("tuple-50k", 50_000, tuple),
    encap("encap-1k", 1_000, one_remote),
    encap("encap-100k", 100_000, one_remote),
    encap("remotes-100k", 100_000, remotes),
    decap("decap-1k", 1_000),
    decap("decap-100k", 100_000),
    Scenario {
        frame: new_frame,
        ..plain("first-packets", 500_000, three_tables)
    },
    plain("victim", 1, four_rules),
    Scenario {
        // With 64 packets in a batch and 20 ns for each: 10,000 a second.
        attack_every: 78,
        ..plain("explosion", 1, four_rules)
    },
];

/// A switch in the middle of a scenario.
pub(super) struct Run {
    datapath: Datapath,
    attack_every: u64,
    batches: u64,
}

impl Run {
    /// Makes the switch, its ports and flows.
    ///
    /// # Errors
    ///
    /// What it refused, in words.
    pub(super) fn start(scenario: &Scenario) -> Result<Self, String> {
        let text = |error| format!("{error:?}");
        let datapath = Datapath::new("bench", 1, 0).map_err(text)?;
        for (number, tunnel) in [(1, Shape::Decap), (2, Shape::Encap), (3, Shape::Plain)] {
            let is_tunnel = tunnel == scenario.shape && tunnel != Shape::Plain;
            let mut options = BTreeMap::from([("discard".to_owned(), "true".to_owned())]);
            if is_tunnel {
                options.insert("backend".to_owned(), "memory".to_owned());
            }
            let kind = if is_tunnel { "vxlan" } else { "memory" };
            let port = (PortNo(number), format!("p{number}"));
            let opened = datapath.add_port(port.0, &port.1, kind, options, Now(0));
            opened.map_err(text)?;
        }
        for flows in (scenario.flows)().chunks(100) {
            let context = Context::default();
            let errors = datapath.apply(Version::Of13, &flows.concat(), Now(0), false, 0, &context);
            if !errors.is_empty() {
                return Err(format!("a flow was refused: {errors:02x?}"));
            }
        }
        let source = datapath.memory_port(PortNo(1)).ok_or("no port 1")?;
        source.replay((0..scenario.frames).map(scenario.frame).collect());
        Ok(Self {
            datapath,
            attack_every: scenario.attack_every,
            batches: 0,
        })
    }

    /// Moves a batch; returns the number of packets that arrived at port 1.
    pub(super) fn step(&mut self, now: Now) -> usize {
        self.batches += 1;
        if self.attack_every != 0 && self.batches % self.attack_every == 0 {
            let frame = random_frame(self.batches / self.attack_every);
            // The port is there: it was opened at the start.
            let _ = self.datapath.execute(PortNo(3), &frame, now);
        }
        self.datapath.poll(now)
    }
}

fn in_port() -> Vec<Vec<u8>> {
    vec![flow_mod(1, &oxm(wire::IN_PORT, &[0, 0, 0, 1]), &output(2))]
}

fn ip() -> Vec<u8> {
    oxm(ETH_TYPE, &[8, 0])
}

/// IPv4 to 10.128.0.0/9.
fn to_prefix() -> Vec<u8> {
    let network = oxm_masked(IPV4_DST, &[10, 128, 0, 0], &[255, 128, 0, 0]);
    [ip(), network].concat()
}

fn prefix() -> Vec<Vec<u8>> {
    vec![flow_mod(1, &to_prefix(), &output(2))]
}

fn rewrite() -> Vec<Vec<u8>> {
    let set = set_field(&oxm(wire::ETH_DST, &[2, 0, 0, 0, 0, 0x99]));
    let actions = [set, wire::dec_ttl(), output(2)].concat();
    vec![flow_mod(1, &to_prefix(), &actions)]
}

/// Six rules of five shapes; every frame takes one of the last four.
fn acl() -> Vec<Vec<u8>> {
    let udp = [ip(), oxm(IP_PROTO, &[17])].concat();
    let port = |number: u16| oxm(TP_DST, &number.to_be_bytes());
    let from = |address, mask| oxm_masked(IPV4_SRC, address, mask);
    let to = |address, mask| oxm_masked(IPV4_DST, address, mask);
    let dns = [
        udp.clone(),
        from(&[10, 0, 0, 0], &[255, 128, 0, 0]),
        port(53),
    ];
    let low = [udp.clone(), to(&[10, 128, 0, 0], &[255, 240, 0, 0])];
    let inside = [
        ip(),
        from(&[10, 0, 0, 0], &[255, 0, 0, 0]),
        to(&[10, 128, 0, 0], &[255, 128, 0, 0]),
    ];
    vec![
        flow_mod(60, &[udp.clone(), port(22)].concat(), &[]),
        flow_mod(50, &dns.concat(), &output(2)),
        flow_mod(40, &[udp, port(80)].concat(), &output(2)),
        flow_mod(30, &low.concat(), &output(2)),
        flow_mod(20, &inside.concat(), &output(2)),
        flow_mod(0, &[], &[]),
    ]
}

/// Reads the whole 5-tuple: each conversation is a kind of its own.
fn tuple() -> Vec<Vec<u8>> {
    let exact = [
        ip(),
        oxm(IP_PROTO, &[17]),
        oxm(IPV4_SRC, &[1, 1, 1, 1]),
        oxm(IPV4_DST, &[1, 1, 1, 1]),
        oxm(TP_SRC, &[0, 1]),
        oxm(TP_DST, &[0, 1]),
    ];
    vec![flow_mod(1, &exact.concat(), &output(2)), prefix().remove(0)]
}

/// Actions: tun_id 10, this tun_dst, output to the tunnel.
fn to_remote(remote: [u8; 4]) -> Vec<u8> {
    let id = set_field(&oxm(TUNNEL_ID, &[0, 0, 0, 0, 0, 0, 0, 10]));
    let remote = set_field(&oxm(TUN_DST, &remote));
    [id, remote, output(2)].concat()
}

fn one_remote() -> Vec<Vec<u8>> {
    vec![flow_mod(1, &to_prefix(), &to_remote([172, 31, 1, 2]))]
}

/// One remote end point for each conversation.
fn remotes() -> Vec<Vec<u8>> {
    let flow = |number: u32| {
        let inner = oxm(IPV4_DST, &(0x0a80_0000 | number).to_be_bytes());
        let remote = (0x1400_0000 | number).to_be_bytes();
        flow_mod(1, &[ip(), inner].concat(), &to_remote(remote))
    };
    (0..100_000).map(flow).collect()
}

/// 16 virtual networks.
fn networks() -> Vec<Vec<u8>> {
    let flow = |vni| {
        let id = oxm(TUNNEL_ID, &[0, 0, 0, 0, 0, 0, 0, vni]);
        flow_mod(1, &id, &output(2))
    };
    (10..26).map(flow).collect()
}

/// Routes of each table that `new_frame` goes by.
const ROUTES: u32 = 1_000;

/// Ports, then routes, then services: a packet takes one rule of each.  One rule looks at whole
/// addresses and ports, so that every conversation is a kind of its own.
fn three_tables() -> Vec<Vec<u8>> {
    let at_port = [oxm(wire::IN_PORT, &[0, 0, 0, 1]), ip()].concat();
    let mut flows = vec![flow_in(0, 10, &at_port, &goto(1))];
    flows.extend((0..ROUTES).map(|route| {
        let network = route_of(route).to_be_bytes();
        let to = oxm_masked(IPV4_DST, &network, &[255, 255, 255, 0]);
        flow_in(1, 20, &[ip(), to].concat(), &goto(2))
    }));
    let udp = [ip(), oxm(IP_PROTO, &[17])].concat();
    for net in 0..16 {
        for port in [53_u16, 80, 443, 8080] {
            let from = oxm_masked(IPV4_SRC, &[10, net, 0, 0], &[255, 255, 0, 0]);
            let service = [udp.clone(), from, oxm(TP_DST, &port.to_be_bytes())].concat();
            flows.push(flow_in(2, 30, &service, &wire::apply(&output(2))));
        }
    }
    let whole = [
        udp.clone(),
        oxm(IPV4_SRC, &[10, 99, 0, 1]),
        oxm(IPV4_DST, &[10, 99, 0, 2]),
        oxm(TP_SRC, &[0, 1]),
    ];
    flows.push(flow_in(2, 40, &whole.concat(), &wire::apply(&[])));
    flows.push(flow_in(2, 1, &udp, &wire::apply(&output(2))));
    flows
}

const fn route_of(route: u32) -> u32 {
    0x0a80_0000 + ((route / 250) << 16) + ((route % 250) << 8)
}

/// Allows one port, one source and one source port; the rest is dropped.
fn four_rules() -> Vec<Vec<u8>> {
    let udp = [ip(), oxm(IP_PROTO, &[17])].concat();
    let service = [udp.clone(), oxm(TP_DST, &[0, 53])].concat();
    let host = [ip(), oxm(IPV4_SRC, &[10, 9, 9, 9])].concat();
    let source = [udp, oxm(TP_SRC, &5353_u16.to_be_bytes())].concat();
    vec![
        flow_mod(40, &service, &output(2)),
        flow_mod(30, &host, &output(2)),
        flow_mod(20, &source, &output(2)),
        flow_mod(0, &[], &[]),
    ]
}

/// A 60-byte frame: UDP to an address of its own.
fn frame(conversation: u32) -> Box<[u8]> {
    let source = 0x0a00_0000 | conversation.wrapping_mul(40_503) & 0xffff;
    let services = [53_u16, 80, 443, 8080];
    let service = services[conversation as usize % services.len()];
    let port = 1024 + (conversation * 7 % 60_000) as u16;
    udp_frame(source, 0x0a80_0000 | conversation, port, service)
}

/// The same in VXLAN, in one of 16 networks.
fn outer_frame(conversation: u32) -> Box<[u8]> {
    let port = 49_152 + (conversation * 7 % 16_384) as u16;
    let vni = 10 + (conversation % 16) as u8;
    vxlan_frame(0xac1f_0102, 0xac1f_0101, port, vni, &frame(conversation))
}

/// A conversation that no other frame is of.
fn new_frame(number: u32) -> Box<[u8]> {
    let target = route_of(number % ROUTES) + (number / ROUTES) % 256;
    let chance = number.wrapping_mul(2_654_435_761) >> 16;
    let service = [53_u16, 80, 443, 8080][chance as usize % 4];
    let port = 1024 + (number.wrapping_mul(40_503) % 60_000) as u16;
    udp_frame(0x0a00_0000 | number & 0xf_ffff, target, port, service)
}

/// What no rule allows, different each time (SplitMix64).
fn random_frame(number: u64) -> Box<[u8]> {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    let ports = (
        6000 + (z >> 3) as u16 % 50_000,
        6000 + (z >> 19) as u16 % 50_000,
    );
    udp_frame((z >> 32) as u32, z as u32, ports.0, ports.1)
}
