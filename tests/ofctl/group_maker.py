"""Random groups and meters in the flow language; always the same ones for the same seed."""

from ovsflow.openflow.constants import Version
from tests.ofctl.flow_maker import FlowMaker

_FIELDS = (
    *("ip_src", "ip_dst", "nw_proto", "ipv6_dst", "tcp_dst", "udp_src", "sctp_dst", "arp_spa"),
    *("eth_src", "eth_dst", "eth_type", "vlan_vid", "vlan_tci", "mpls_label", "ip_dscp", "nw_ttl"),
    *("in_port", "tun_id", "tun_src", "metadata", "reg3", "xreg1", "pkt_mark", "icmp_type"),
)

_SELECTING = (Version.OF10, Version.OF15)


class GroupMaker(FlowMaker):
    """Makes one group; its buckets' actions are a flow's."""

    def group(self) -> str:
        """A line for add-group."""
        kind = self.pick(("all", "select", "indirect", "ff", "fast_failover", "all", "select"))
        words = [f"group_id={self.below(0x1000)}", f"type={kind}"]
        if kind == "select" and self.version in _SELECTING and self.chance(0.4):
            words += self.selection()
        most = 1 if kind == "indirect" else 5
        fewest = 1 if kind == "indirect" else 0
        count = self.random.randint(fewest, most)
        return ",".join([*words, *(self.bucket(kind) for _ in range(count))])

    def selection(self) -> list[str]:
        """How a bucket is chosen."""
        method = self.pick(("hash", "dp_hash"))
        words = [f"selection_method={method}"]
        words += self.some(0.4, lambda: f"selection_method_param={self.number(64)}")
        if method == "hash" and self.chance(0.6):
            chosen = self.random.sample(_FIELDS, self.below(3) + 1)
            words.append(
                f"fields({','.join(chosen)})" if self.chance(0.7) else f"fields={chosen[0]}"
            )
        return words

    def bucket(self, kind: str) -> str:
        """One bucket."""
        words = []
        if kind == "select" and self.chance(0.5):
            words.append(f"weight:{self.below(0x10000)}")
        if kind in ("ff", "fast_failover"):
            watches = f"watch_port:{self.below(4) + 1}", f"watch_group:{self.below(99)}"
            words.append(self.pick(watches))
        self.kind = self.pick(("ip", "tcp", "udp6", ""))
        actions = [self.bucket_action() for _ in range(self.below(3) + 1)]
        text = ",".join(actions)
        return f"bucket={','.join([*words, f'actions={text}' if self.chance(0.6) else text])}"

    def bucket_action(self) -> str:
        """An action that a bucket may have."""
        text = self.pick(
            (
                self.output_simply,
                self.output_simply,
                self.set_field,
                self.load,
                self.move,
                self.old_write,
                self.extension,
            )
        )()
        # ovs-ofctl cannot read this one inside a bucket.
        return "output:3" if "check_pkt_larger" in text else text

    def output_simply(self) -> str:
        """Sending the packet somewhere, without names of Open vSwitch's own."""
        return self.pick(("1", "output:2", "output:LOCAL", "in_port", "NORMAL", "controller"))

    def meter(self) -> str:
        """A line for add-meter."""
        unit, burst = self.pick(("kbps", "pktps")), self.chance(0.5)
        name = self.pick(("1", "5", str(self.below(60000) + 1), "controller", "slowpath"))
        words = [f"meter={name}", unit]
        words += ["burst"] if burst else []
        words += self.some(0.5, lambda: "stats")
        words.append("bands=")
        bands = []
        for _ in range(self.below(3) + 1):
            band = f"type=drop,rate={self.random.getrandbits(32) or 1}"
            band += f",burst_size={self.random.getrandbits(32) or 1}" if burst else ""
            bands.append(band)
        return ",".join(words) + self.pick((",", " ")).join(bands)
