//! What can go wrong: an OpenFlow error for a controller, a named drop for a packet.

/// An OpenFlow error in the code space of OpenFlow 1.3, to be answered with OFPT_ERROR.
///
/// `experimenter` is non-zero for errors that only an experimenter's code can tell
/// (OFPET_EXPERIMENTER); `code` is then the experimenter's `exp_type`.  Other versions'
/// numbers are derived where the message is encoded.  Source: OpenFlow 1.3.5 §7.4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OfError {
    /// OFPET_*.
    pub kind: u16,
    /// The code, in the space of `kind`.
    pub code: u16,
    /// Experimenter identifier, or 0.
    pub experimenter: u32,
}

impl OfError {
    /// An error of the specification.
    pub const fn new(kind: u16, code: u16) -> Self {
        Self {
            kind,
            code,
            experimenter: 0,
        }
    }

    /// An error that is an experimenter's: 0x2320 Nicira, 0x4f4e4600 ONF.
    pub const fn experimenter(experimenter: u32, code: u16) -> Self {
        Self {
            kind: 0xffff,
            code,
            experimenter,
        }
    }
}

/// `Result` with an OpenFlow error.
pub type OfResult<T> = Result<T, OfError>;

macro_rules! drop_reasons {
    ($($name:ident $text:literal $doc:literal,)*) => {
        /// Why a packet, or one copy of it, was lost.  Each has a counter; nothing is lost silently.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum DropReason { $(#[doc = $doc] $name,)* }

        impl DropReason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that people see, and machines read.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// One sentence for people.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $doc,)* }
            }
        }
    };
}

drop_reasons! {
    TableMiss "table_miss" "No rule of the table matched, and the table has no miss rule.",
    NoOutput "no_output" "The pipeline ended without an output: an explicit drop.",
    NoSuchPort "no_such_port" "Output to a port that does not exist.",
    OutputToIngress "output_to_ingress" "Output to the port the packet came from; use IN_PORT.",
    PortDown "port_down" "The port is administratively down or has no link.",
    PortNoReceive "port_no_receive" "The port's NO_RECV flag is set.",
    PortNoForward "port_no_forward" "The output port's NO_FWD flag is set.",
    PortNoPacketIn "port_no_packet_in" "No flow matched, and the ingress port's NO_PACKET_IN flag is set.",
    Malformed "malformed" "The frame is shorter than an Ethernet header.",
    Fragment "fragment" "A fragment while the switch is set to drop fragments.",
    TtlExpired "ttl_expired" "dec_ttl found a TTL of 0 or 1.",
    Meter "meter" "A meter band of type drop.",
    NoSuchGroup "no_such_group" "A group that does not exist, or has no live bucket.",
    RecursionTooDeep "recursion_too_deep" "More than 64 levels of resubmit, groups or goto.",
    TooManyResubmits "too_many_resubmits" "More than 4,096 resubmits for one packet.",
    StackOverflow "stack_overflow" "The action stack grew past 64 KiB.",
    TooManyLabels "too_many_labels" "A push past the number of MPLS labels or VLAN tags supported.",
    NoHeadroom "no_headroom" "No room left in the buffer for another header.",
    ControllerLimit "controller_limit" "Packet-in over a controller's rate limit.",
    ControllerQueue "controller_queue" "The queue of events to the control plane is full.",
    NoController "no_controller" "Packet-in that no connected controller wants.",
    TxQueueFull "tx_queue_full" "The device took no more frames.",
    TxError "tx_error" "The device refused the frame.",
    TxOversize "tx_oversize" "The frame is larger than the device's MTU.",
    RxError "rx_error" "The device reported an error while receiving.",
    RxQueueFull "rx_queue_full" "The host's queue towards the switch was full: packets came faster than they were read.",
    TunnelNoDestination "tunnel_no_destination" "Output to a tunnel port with no tun_dst.",
    TunnelOwnAddress "tunnel_own_address" "The tunnel destination is the address the packet arrived at.",
    TunnelNoRoute "tunnel_no_route" "The host has no route to the tunnel destination.",
    TunnelBadSource "tunnel_bad_source" "tun_src is not an address of this host.",
    TunnelOversize "tunnel_oversize" "The encapsulated frame is larger than the path allows.",
    TunnelSendError "tunnel_send_error" "The host refused to send the encapsulated frame.",
    VxlanTooShort "vxlan_too_short" "A VXLAN datagram shorter than its header and an Ethernet header.",
    VxlanFlags "vxlan_flags" "The VXLAN I flag is missing, or a flag that the port does not speak is set.",
    VxlanReserved "vxlan_reserved" "Reserved bits of the VXLAN header are set.",
    VxlanNoPort "vxlan_no_port" "No tunnel port accepts this VNI, source and destination.",
    TunnelQueueFull "tunnel_queue_full" "The queue of a tunnel port that shares its UDP port is full.",
    TunnelCongestion "tunnel_congestion" "Outer ECN says congestion experienced, the inner packet cannot carry it.",
    PatchQueueFull "patch_queue_full" "The patch peer's queue is full.",
    MemoryQueueFull "memory_queue_full" "The memory port's queue is full.",
    NoBuffer "no_buffer" "No packet buffer was left.",
    Internal "internal" "A fault inside the switch; please report it.",
}

/// Packets lost, by reason.
#[derive(Clone, Debug)]
pub struct DropCounters([u64; DropReason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> Self {
        Self([0; DropReason::ALL.len()])
    }
}

impl DropCounters {
    /// Counts `packets` lost for `reason`.
    #[inline]
    pub fn add(&mut self, reason: DropReason, packets: u64) {
        self.0[reason as usize] += packets;
    }

    /// Packets lost so far for `reason`.
    pub fn count(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Adds another worker's counts to these.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
