//! Networks for tests: threads in network namespaces of their own, veth pairs between them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::sys::{Device, Poller, enter_new_network, thread_id};
use super::{Batch, Intake, OpenError, OpenPort, PortCounters, Receiver, Sender, open};
use crate::error::DropReason;
use crate::packet::{LARGE_FRAME, Packet, Pool, PortNo};
use crate::time::Now;

/// Bytes of a test's TCP stream.
pub(super) const STREAM: usize = 8 << 20;

/// Runs an `ip` command (words parted by blanks) in the calling thread's namespace.
pub(super) fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {words}: {complaint}");
}

/// How long the kernel may take for what it does in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tries until something is there.
pub(super) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until a device that was set up carries packets: once the kernel has seen that its link is up.
///
/// The kernel looks after the links of all namespaces in one thread, once a second, and where many
/// come and go it takes its time.  Asked for one device it looks at once.
pub(super) fn settle(name: &str) {
    let device = Device::find(name).unwrap();
    eventually(&format!("{name} comes up"), || {
        ip(&format!("link show {name}"));
        device.flags().unwrap().is_running().then_some(())
    });
}

/// Puts the calling thread in a new namespace with loopback up.
pub(super) fn enter() {
    enter_new_network().unwrap();
    ip("link set lo up");
}

/// Runs `test` in a thread with a namespace of its own.
pub(super) fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        enter();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A thread in a namespace of its own that waits for a device before it works.
pub(super) struct Host<T> {
    /// Names the namespace to `ip link set ... netns`.
    pub(super) id: i32,
    start: mpsc::Sender<()>,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Host<T> {
    pub(super) fn new(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (start, started) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            enter();
            tell.send(thread_id()).unwrap();
            started.recv().unwrap();
            work()
        });
        Self {
            id: told.recv().unwrap(),
            start,
            thread,
        }
    }

    pub(super) fn start(&self) {
        self.start.send(()).unwrap();
    }

    pub(super) fn join(self) -> T {
        match self.thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Opens a port with options written `name=value,name=value`, and one receiver.
pub(super) fn open_with(
    kind: &str,
    number: u32,
    name: &str,
    options: &str,
) -> Result<OpenPort, OpenError> {
    open_shared(kind, number, name, options, 1)
}

/// The same with several receivers.
pub(super) fn open_shared(
    kind: &str,
    number: u32,
    name: &str,
    options: &str,
    receivers: usize,
) -> Result<OpenPort, OpenError> {
    let options: BTreeMap<_, _> = options
        .split(',')
        .filter_map(|option| option.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    open(kind, PortNo(number), name, &options, receivers)
}

/// What a port that must not open says.
pub(super) fn refused(result: Result<OpenPort, OpenError>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(_) => panic!("opened"),
    }
}

/// Receives a batch with a pool of its own; whether there may be more.
pub(super) fn receive(
    receiver: &mut Box<dyn Receiver>,
    batch: &mut Batch,
    counters: &mut PortCounters,
) -> bool {
    receive_at(Now(0), receiver, batch, counters)
}

/// The same at a time.
pub(super) fn receive_at(
    now: Now,
    receiver: &mut Box<dyn Receiver>,
    batch: &mut Batch,
    counters: &mut PortCounters,
) -> bool {
    let pool = &mut pool();
    let mut intake = Intake {
        pool,
        batch,
        counters,
    };
    receiver.receive(now, &mut intake).unwrap()
}

/// A worker's pool.
pub(super) fn pool() -> Pool {
    Pool::new(LARGE_FRAME, 8)
}

/// Sends one packet; what became of it.
pub(super) fn send(port: &OpenPort, packet: Packet) -> PortCounters {
    let mut counters = PortCounters::default();
    let mut sender = port.sender.sender().unwrap();
    let mut packets = vec![Box::new(packet)];
    sender.send(Now(0), &mut packets, &mut pool(), &mut counters);
    assert!(packets.is_empty());
    counters
}

/// Sends packets as one batch; what became of them.
pub(super) fn send_batch(sender: &mut Box<dyn Sender>, packets: Vec<Packet>) -> PortCounters {
    let mut counters = PortCounters::default();
    let mut packets = packets.into_iter().map(Box::new).collect();
    sender.send(Now(0), &mut packets, &mut pool(), &mut counters);
    counters
}

/// Waits until something arrives or is counted as lost, at most two seconds.
pub(super) fn wait_and_receive(port: &mut OpenPort, counters: &mut PortCounters) -> Batch {
    let poller = Poller::new().unwrap();
    let receiver = &mut port.receivers[0];
    poller.add(receiver.fd().unwrap()).unwrap();
    let mut batch = Batch::new();
    let lost = |counters: &PortCounters| {
        let reasons = DropReason::ALL.iter();
        reasons
            .map(|reason| counters.rx_drops.count(*reason))
            .sum::<u64>()
    };
    let before = lost(counters);
    for _ in 0..20 {
        if poller.wait(100).unwrap() {
            while receive(receiver, &mut batch, counters) {}
        }
        if !batch.is_empty() || lost(counters) > before {
            break;
        }
    }
    batch
}

/// Lets a port that leads its UDP port hand over what waits for others, once there is something.
pub(super) fn hand_over(port: &mut OpenPort) {
    let poller = Poller::new().unwrap();
    poller.add(port.receivers[0].fd().unwrap()).unwrap();
    assert!(poller.wait(2000).unwrap());
    let (mut batch, mut counters) = (Batch::new(), PortCounters::default());
    while receive(&mut port.receivers[0], &mut batch, &mut counters) {}
    assert!(batch.is_empty());
}

/// A thread that moves packets between two ports, as simple as can be.
pub(super) struct Bridge {
    done: Arc<AtomicBool>,
    thread: JoinHandle<[PortCounters; 2]>,
}

impl Bridge {
    /// `change` sees each packet and the index of the port that it came from.
    pub(super) fn start(
        ports: [OpenPort; 2],
        change: impl FnMut(usize, &mut Packet) + Send + 'static,
    ) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let thread = thread::spawn(move || forward(ports, &stop, change));
        Self { done, thread }
    }

    /// Ends it; what the ports have counted.
    pub(super) fn stop(self) -> [PortCounters; 2] {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn forward(
    mut ports: [OpenPort; 2],
    done: &AtomicBool,
    mut change: impl FnMut(usize, &mut Packet),
) -> [PortCounters; 2] {
    let poller = Poller::new().unwrap();
    let mut senders: Vec<Box<dyn Sender>> =
        ports.iter().map(|p| p.sender.sender().unwrap()).collect();
    let mut receivers: Vec<Box<dyn Receiver>> =
        ports.iter_mut().map(|p| p.receivers.remove(0)).collect();
    for receiver in &receivers {
        poller.add(receiver.fd().unwrap()).unwrap();
    }
    let (mut pool, mut batch) = (pool(), Batch::new());
    let mut counters = [PortCounters::default(), PortCounters::default()];
    while !done.load(Ordering::Relaxed) {
        if !poller.wait(20).unwrap() {
            continue;
        }
        for from in 0..2 {
            let mut intake = Intake {
                pool: &mut pool,
                batch: &mut batch,
                counters: &mut counters[from],
            };
            receivers[from].receive(Now(0), &mut intake).unwrap();
            batch.iter_mut().for_each(|packet| change(from, packet));
            let to = 1 - from;
            senders[to].send(Now(0), &mut batch, &mut pool, &mut counters[to]);
        }
    }
    counters
}

/// Accepts one connection and reads it to its end.
pub(super) fn serve(address: &str) -> Vec<u8> {
    let listener = TcpListener::bind(address).unwrap();
    let (mut socket, _) = listener.accept().unwrap();
    let mut got = Vec::new();
    socket.read_to_end(&mut got).unwrap();
    got
}

/// Connects, once somebody listens, and sends a test stream.
pub(super) fn stream_to(address: &str) {
    let attempt = |_| {
        thread::sleep(Duration::from_millis(20));
        TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_secs(2)).ok()
    };
    let mut socket = (0..50).find_map(attempt).expect("no connection");
    socket
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let bytes: Vec<u8> = (0..STREAM).map(stream_byte).collect();
    socket.write_all(&bytes).unwrap();
}

/// Whether these are all the bytes of the test stream.
pub(super) fn is_stream(bytes: &[u8]) -> bool {
    bytes.len() == STREAM && bytes.iter().copied().eq((0..STREAM).map(stream_byte))
}

fn stream_byte(index: usize) -> u8 {
    (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as u8 ^ (index >> 8) as u8
}
