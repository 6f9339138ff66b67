//! Which queue of a TAP device a frame goes to: a program that keeps each flow, and what answers
//! it, to one queue.
//!
//! Without a program the kernel lets a flow follow the queue that we last wrote its answers to,
//! and frames on the way overtake one another when that changes.  The program takes the exclusive
//! or of both addresses and, where they stand in the frame, of both ports, so that the two directions
//! of a flow meet.  All fragments of a datagram go by their addresses.  What is not IP goes to the
//! first queue.

use std::io;
use std::os::fd::OwnedFd;

use super::bpf::{self, ProgramKind};

/// Operations of the kernel's instruction set (RFC 9669).
const MOVE: u8 = 0xbf;
const MOVE_NUMBER: u8 = 0xb7;
const ADD: u8 = 0x0f;
const ADD_NUMBER: u8 = 0x07;
const AND_NUMBER: u8 = 0x57;
const LEFT_NUMBER: u8 = 0x67;
const RIGHT_NUMBER: u8 = 0x77;
const MULTIPLY_NUMBER: u8 = 0x27;
const GO_IF_EQUAL: u8 = 0x15;
const GO_IF_ANY: u8 = 0x45;
const GO: u8 = 0x05;
const EXIT: u8 = 0x95;
/// Loads from the frame at a register plus a number, into R0; a frame that ends before ends the
/// program with 0.
const LOAD_WORD: u8 = 0x40;
const LOAD_HALF: u8 = 0x48;
const LOAD_BYTE: u8 = 0x50;

const R0: u8 = 0;
/// The argument.
const R1: u8 = 1;
/// Loads want the argument here.
const FRAME: u8 = 6;
const HASH: u8 = 7;
/// Bytes before the network header beyond an Ethernet header, later before the transport header.
const SHIFT: u8 = 8;
const PROTOCOL: u8 = 9;

const fn step(operation: u8, to: u8, from: u8, go: i16, number: i32) -> u64 {
    operation as u64
        | (to as u64) << 8
        | (from as u64) << 12
        | (go as u16 as u64) << 16
        | (number as u32 as u64) << 32
}

/// A load from the frame, [`SHIFT`] bytes behind `at`.
const fn load(operation: u8, at: i32) -> u64 {
    step(operation, 0, SHIFT, 0, at)
}

/// A load that goes into the hash.
const fn mix(operation: u8, at: i32) -> [u64; 2] {
    [load(operation, at), step(ADD, HASH, R0, 0, 0)]
}

/// The program.  Jumps count instructions from the one behind.
fn program() -> Vec<u64> {
    let (v6, ports) = (ipv6(), ports());
    let v4 = ipv4(v6.len(), ports.len());
    let start = [
        step(MOVE, FRAME, R1, 0, 0),
        step(MOVE_NUMBER, HASH, 0, 0, 0),
        step(MOVE_NUMBER, SHIFT, 0, 0, 0),
        // One tag is passed over.
        load(LOAD_HALF, 12),
        step(GO_IF_EQUAL, R0, 0, 1, 0x8100),
        step(GO, 0, 0, 2, 0),
        step(MOVE_NUMBER, SHIFT, 0, 0, 4),
        load(LOAD_HALF, 12),
        step(GO_IF_EQUAL, R0, 0, 3, 0x0800),
        step(GO_IF_EQUAL, R0, 0, 2 + v4.len() as i16, 0x86dd),
        step(MOVE_NUMBER, R0, 0, 0, 0),
        step(EXIT, 0, 0, 0, 0),
    ];
    let finish = [
        step(MULTIPLY_NUMBER, HASH, 0, 0, 0x1e35_a7bd),
        step(RIGHT_NUMBER, HASH, 0, 0, 16),
        step(AND_NUMBER, HASH, 0, 0, 0xffff),
        step(MOVE, R0, HASH, 0, 0),
        step(EXIT, 0, 0, 0, 0),
    ];
    [&start[..], &v4, &v6, &ports, &finish].concat()
}

/// Addresses and protocol of IPv4; then on to the ports behind `v6` steps, or behind these.
fn ipv4(v6: usize, ports: usize) -> Vec<u64> {
    let rest = [
        load(LOAD_BYTE, 23),
        step(MOVE, PROTOCOL, R0, 0, 0),
        load(LOAD_BYTE, 14),
        step(AND_NUMBER, R0, 0, 0, 0x0f),
        step(LEFT_NUMBER, R0, 0, 0, 2),
        step(ADD, SHIFT, R0, 0, 0),
        step(GO, 0, 0, v6 as i16, 0),
    ];
    let behind_ports = (rest.len() + v6 + ports) as i16;
    let fragment = [
        load(LOAD_HALF, 20),
        step(GO_IF_ANY, R0, 0, behind_ports, 0x3fff),
    ];
    let addresses = [26, 30].map(|at| mix(LOAD_WORD, at)).concat();
    [&addresses[..], &fragment, &rest].concat()
}

/// Addresses and protocol of IPv6, whose extension headers are not looked behind.
fn ipv6() -> Vec<u64> {
    let protocol = [
        load(LOAD_BYTE, 20),
        step(MOVE, PROTOCOL, R0, 0, 0),
        step(ADD_NUMBER, SHIFT, 0, 0, 40),
    ];
    let addresses = (22..54).step_by(4).flat_map(|at| mix(LOAD_WORD, at));
    addresses.chain(protocol).collect()
}

/// Ports of TCP, UDP and SCTP.
fn ports() -> Vec<u64> {
    let known = [
        step(GO_IF_EQUAL, PROTOCOL, 0, 3, 6),
        step(GO_IF_EQUAL, PROTOCOL, 0, 2, 17),
        step(GO_IF_EQUAL, PROTOCOL, 0, 1, 132),
        step(GO, 0, 0, 4, 0),
    ];
    [&known[..], &mix(LOAD_HALF, 14), &mix(LOAD_HALF, 16)].concat()
}

/// Loads the program; a TAP device takes its answer modulo the number of queues.
pub(super) fn steering_program() -> io::Result<OwnedFd> {
    bpf::load(ProgramKind::SocketFilter, &program())
}
