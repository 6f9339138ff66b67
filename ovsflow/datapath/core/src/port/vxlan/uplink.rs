//! Super-frames whole, through a TAP device of our own into the host's routing.
//!
//! The outer headers are written here, and one write hands the kernel a tunnel's super-frame with
//! its inner checksum left open.  The kernel forwards it as a router would; a device that can
//! cut such frames gets it whole.  No payload is read, and it is cut, if at all, by the last device.
//!
//! It takes a kernel that knows segmentation inside UDP tunnels on TAP devices (Linux 6.17) and
//! forwarding from this one device, which is switched on for it alone; no other setting of the
//! host changes.  Packets pass the host's FORWARD rules, and the kernel does not say when it
//! drops one: so the first on each path is followed by a look at the host's counter of
//! forwarded packets, again every time the path's facts have aged.  IPv4 only; what does not fit, or
//! is not forwarded, goes by the sockets.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::path::Paths;
use super::plan::Plan;
use super::send::{Refusal, Trains};
use super::sockets::SendSockets;
use super::ways::UplinkWays;
use crate::error::DropReason;
use crate::packet::layers::Layers;
use crate::packet::vxlan::HEADER_LEN;
use crate::packet::{GsoKind, Packet, TunnelConfig, checksum};
use crate::port::OpenError;
use crate::port::registry::{Registry, network_namespace};
use crate::port::shorten::{Room, shorten};
use crate::port::sys::{Device, open_tap, set_tap_offload, tun_offload, write_frame};
use crate::port::virtio::{self, TUNNEL_HEADER};

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const UDP: usize = 8;
const OUTER: usize = ETHERNET + IPV4 + UDP + HEADER_LEN;

/// Most bytes of an IPv4 datagram.
const DATAGRAM_MAX: usize = 65_535;

/// The host's IPv4 settings of each device.
const SETTINGS: &str = "/proc/sys/net/ipv4/conf";

/// The pattern from which the kernel makes the device's name.
const DEVICE: &str = "vxuplink%d";

/// Devices that are open, by network namespace: all tunnel ports there share one.
static OPEN: Registry<u64, Tap> = Registry::new();

/// A TAP device into the host's routing.
struct Tap {
    file: File,
    hw_addr: [u8; 6],
}

/// One tunnel port's way through the device.
#[derive(Clone)]
pub(super) struct Uplink {
    tap: Arc<Tap>,
    source_ports: Arc<[u16]>,
    config: Arc<TunnelConfig>,
    pub(super) ways: UplinkWays,
}

impl Uplink {
    pub(super) fn open(
        config: &Arc<TunnelConfig>,
        sockets: &SendSockets,
    ) -> Result<Self, OpenError> {
        if config.csum == Some(true) {
            return Err(OpenError::invalid("backend=tap: not with csum=true"));
        }
        refuse_path_filter()?;
        Ok(Self {
            tap: OPEN.share(network_namespace(), Tap::open)?,
            source_ports: sockets.ports_v4()?.into(),
            config: config.clone(),
            ways: UplinkWays::default(),
        })
    }

    /// The outer headers for a super-frame of `inner` bytes, but for the VXLAN header.
    fn outer_headers(&self, plan: &Plan, source: IpAddr, inner: usize) -> Option<[u8; OUTER]> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, plan.destination) else {
            return None;
        };
        let total = u16::try_from(OUTER - ETHERNET + inner).ok()?;
        let mut header = [0; OUTER];
        header[..6].copy_from_slice(&self.tap.hw_addr);
        // Any address but the device's own will do; this one is locally administered.
        header[6..12].copy_from_slice(&[0x02, 0, 0, 0, 0, 0x01]);
        header[12..14].copy_from_slice(&[0x08, 0x00]);
        let ip = &mut header[ETHERNET..ETHERNET + IPV4];
        ip[0] = 0x45;
        ip[1] = plan.tos;
        ip[2..4].copy_from_slice(&total.to_be_bytes());
        ip[6] = if self.config.df { 0x40 } else { 0 };
        // Forwarding takes one off.
        ip[8] = plan.ttl.checked_add(1)?;
        ip[9] = 17;
        ip[12..16].copy_from_slice(&source.octets());
        ip[16..20].copy_from_slice(&destination.octets());
        let sum = checksum::finish(checksum::sum(ip));
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        let udp = &mut header[ETHERNET + IPV4..];
        let source_port = self.source_ports.get(plan.port)?;
        udp[..2].copy_from_slice(&source_port.to_be_bytes());
        udp[2..4].copy_from_slice(&self.config.dst_port.to_be_bytes());
        udp[4..6].copy_from_slice(&(total - IPV4 as u16).to_be_bytes());
        udp[UDP..].copy_from_slice(&plan.header);
        Some(header)
    }

    /// Whether a super-frame can go this way at all.
    fn fits(&self, packet: &Packet, plan: &Plan) -> bool {
        self.ways.takes.is_open()
            && !plan.is_v6
            // A source of the flow's choosing must be checked, which the sockets do.
            && plan.source.is_none()
            && OUTER - ETHERNET + packet.len() <= DATAGRAM_MAX
    }
}

impl Trains for Uplink {
    fn send(&mut self, packet: &mut Packet, plan: &Plan, paths: &mut Paths) -> Result<(), Refusal> {
        if !self.fits(packet, plan) {
            return Err(Refusal::Unfit);
        }
        // The kernel tells nobody why it does not forward, so what can be known is asked before.
        let path = paths.find(plan.destination);
        let path = path.ok_or(Refusal::Lost(DropReason::TunnelNoRoute))?;
        let layers = Layers::parse(packet);
        let is_tcp = packet
            .offload
            .gso
            .is_some_and(|gso| gso.kind != GsoKind::Udp);
        if usize::from(layers.l3) != ETHERNET
            || (is_tcp && !shorten(packet, Room::Frame(path.room)))
        {
            return Err(Refusal::Unfit);
        }
        let outer = self.outer_headers(plan, path.source, packet.len());
        let header = virtio::encode_tunnel(packet, OUTER, ETHERNET + IPV4, usize::from(layers.l3));
        let (Some(outer), Some(header)) = (outer, header) else {
            return Err(Refusal::Unfit);
        };
        let slices = [
            IoSlice::new(&header),
            IoSlice::new(&outer),
            IoSlice::new(packet.bytes()),
        ];
        match path.forwards {
            Some(true) => self.write(&slices),
            Some(false) => Err(Refusal::Unfit),
            None => self.try_path(&slices, plan, paths),
        }
    }
}

impl Uplink {
    /// Sends the first frame on a path, and looks whether the host has forwarded it.
    fn try_path(
        &self,
        slices: &[IoSlice<'_>],
        plan: &Plan,
        paths: &mut Paths,
    ) -> Result<(), Refusal> {
        // The kernel forwards before the write returns.
        let before = forwarded();
        self.write(slices)?;
        let forwards = before.is_some() && forwarded() > before;
        paths.note_forwards(plan.destination, forwards);
        self.ways.forwards.set_open(forwards);
        forwards.then_some(()).ok_or(Refusal::Unfit)
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> Result<(), Refusal> {
        write_frame(&self.tap.file, slices).map_err(|error| match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => {
                Refusal::Lost(DropReason::TxQueueFull)
            }
            _ => {
                self.ways.takes.close();
                Refusal::Unfit
            }
        })
    }
}

impl Tap {
    fn open() -> Result<Self, OpenError> {
        let (file, name) = open_tap(DEVICE, TUNNEL_HEADER as i32)?;
        let offload = tun_offload::CSUM
            | tun_offload::TSO4
            | tun_offload::TSO6
            | tun_offload::USO4
            | tun_offload::USO6
            | tun_offload::UDP_TUNNEL_GSO;
        set_tap_offload(&file, offload)?;
        let device = Device::find(&name)?;
        forward_from(&name)?;
        device.set_up()?;
        Ok(Self {
            hw_addr: device.hw_addr()?,
            file,
        })
    }
}

/// IPv4 packets that the host has forwarded; `None` if it does not tell.
fn forwarded() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp").ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Ip:"));
    let mut names = lines.next()?.split_whitespace();
    let mut values = lines.next()?.split_whitespace();
    let at = names.position(|name| name == "ForwDatagrams")?;
    values.nth(at)?.parse().ok()
}

/// Refuses a host that drops whatever comes from a device that is not its way back.
fn refuse_path_filter() -> io::Result<()> {
    let filter = std::fs::read_to_string(Path::new(SETTINGS).join("all/rp_filter"))?;
    match filter.trim() {
        "0" => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "backend=tap: net.ipv4.conf.all.rp_filter must be 0",
        )),
    }
}

/// Has the host forward what comes from our device, with sources that are its own addresses.
fn forward_from(device: &str) -> io::Result<()> {
    for (name, value) in [
        ("rp_filter", "0"),
        ("accept_local", "1"),
        ("forwarding", "1"),
    ] {
        std::fs::write(Path::new(SETTINGS).join(device).join(name), value)?;
    }
    // Nobody speaks IPv6 on this device; a host without it has nothing to switch off.
    let silent = Path::new("/proc/sys/net/ipv6/conf")
        .join(device)
        .join("disable_ipv6");
    let _ = std::fs::write(silent, "1");
    Ok(())
}
