//! Opening a port: from a kind, a name and options in words to the two halves that workers use.
//!
//! Owns the list of kinds and what every kind must tell of itself.  A kind's own options are
//! read in its own file; an option that nobody reads is refused by name.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use super::options::Options;
use super::way::Way;
use super::{MemoryPort, Receiver, Sender, memory, patch, pcap, system, tap, vxlan};
use crate::packet::{PortNo, TunnelConfig};

/// Makes one [`Sender`] for each worker.
pub trait SenderFactory: Send {
    /// A new sender; several may send at the same time.
    fn sender(&self) -> io::Result<Box<dyn Sender>>;
}

/// What a port says of itself when it is opened.
#[derive(Clone, Debug, Default)]
pub struct PortFacts {
    /// Hardware address; all zero for a port that has none of its own.
    pub hw_addr: [u8; 6],
    /// Largest payload of an Ethernet frame in bytes; 0 if unlimited.
    pub mtu: u32,
    /// OFPPS_* of OpenFlow 1.3: LINK_DOWN 1, BLOCKED 2, LIVE 4.
    pub state: u32,
    /// Speed in kbit/s; 0 if unknown.
    pub speed: u32,
    /// Configuration of a tunnel port, which translation needs.
    pub tunnel: Option<TunnelConfig>,
}

/// OFPPS_LINK_DOWN of OpenFlow 1.3.
pub(super) const STATE_LINK_DOWN: u32 = 1;
/// OFPPS_LIVE of OpenFlow 1.3.
pub(super) const STATE_LIVE: u32 = 4;

/// Tells how packets enter and leave, whenever it is asked: what the kernel refuses later is done
/// in another way.
pub type Backend = Box<dyn fmt::Display + Send>;

/// A port, opened: dropping all of its halves closes it.
pub struct OpenPort {
    /// Receiving halves, one at least; each goes to one worker.
    pub receivers: Vec<Box<dyn Receiver>>,
    /// Makes sending halves.
    pub sender: Box<dyn SenderFactory>,
    /// What the port is like.
    pub facts: PortFacts,
    /// How packets enter and leave now, in words for people.
    pub backend: Backend,
    /// The other end of a `memory` port, for tests and embedders.
    pub memory: Option<MemoryPort>,
}

/// Why a port could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The caller's mistake: a kind, an option or a value that does not exist or is taken.
    Invalid(String),
    /// The host refused.
    Host(io::Error),
}

impl OpenError {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Host(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(message) => f.write_str(message),
            Self::Host(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

/// What a kind's own opening function is given.
pub(super) struct Request<'a> {
    pub(super) number: PortNo,
    pub(super) name: &'a str,
    pub(super) options: Options<'a>,
    /// Receiving halves that are wanted, one for each worker; a kind may have fewer to give.
    pub(super) receivers: usize,
}

/// Says of a port's receiving halves what people should know: nothing if there is but one.
pub(super) fn shared_by(receivers: usize) -> String {
    match receivers {
        0 | 1 => String::new(),
        count => format!(", {count} receivers"),
    }
}

/// Says of a port that equal datagrams are not put together, once that way is closed.
pub(super) fn unbundled(bundles: &Way) -> &'static str {
    match bundles.is_open() {
        true => "",
        false => ", sent datagram by datagram",
    }
}

type OpenKind = fn(&mut Request<'_>) -> Result<OpenPort, OpenError>;

/// Every kind of port, with the function that opens one.
const KINDS: &[(&str, OpenKind)] = &[
    ("system", system::open),
    ("tap", tap::open),
    ("internal", tap::open),
    ("vxlan", vxlan::open),
    ("patch", patch::open),
    ("pcap", pcap::open),
    ("memory", memory::open),
];

/// Opens a port of `kind` called `name`, which delivers packets with `in_port` set to `number` through
/// as many of `receivers` halves as its kind can share it between.
///
/// Packets of one flow, and those that answer them, always arrive at the same half, in order.
/// Devices are made and looked up in the network namespace of the calling thread.
///
/// # Errors
///
/// [`OpenError::Invalid`] for an unknown kind, an unknown option (named in the message), a bad
/// value or a conflict with an open port; [`OpenError::Host`] when the host refuses.
pub fn open(
    kind: &str,
    number: PortNo,
    name: &str,
    options: &BTreeMap<String, String>,
    receivers: usize,
) -> Result<OpenPort, OpenError> {
    let Some((_, open_kind)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        let known: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        return Err(OpenError::invalid(format!(
            "unknown port kind {kind:?}; there are {}",
            known.join(", ")
        )));
    };
    let mut request = Request {
        number,
        name,
        options: Options::new(options),
        receivers: receivers.max(1),
    };
    open_kind(&mut request)
}
