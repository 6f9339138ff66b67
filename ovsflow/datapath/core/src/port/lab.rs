//! Networks for tests: threads in network namespaces of their own, veth pairs between them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::sys::{enter_new_network, thread_id};
use super::{OpenError, OpenPort, open};
use crate::packet::PortNo;

/// Runs an `ip` command (words parted by blanks) in the calling thread's namespace.
pub(super) fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {words}: {complaint}");
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

/// Opens a port with options written `name=value,name=value`.
pub(super) fn open_with(
    kind: &str,
    number: u32,
    name: &str,
    options: &str,
) -> Result<OpenPort, OpenError> {
    let options: BTreeMap<_, _> = options
        .split(',')
        .filter_map(|option| option.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    open(kind, PortNo(number), name, &options)
}

/// What a port that must not open says.
pub(super) fn refused(result: Result<OpenPort, OpenError>) -> String {
    match result {
        Err(error) => error.to_string(),
        Ok(_) => panic!("opened"),
    }
}
