"""Values that matches, actions and frames share, from small sets so that they meet."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

ETHERNET = ("02:00:00:00:00:01", "02:00:00:00:00:02", "0e:12:34:56:78:9a", "ff:ff:ff:ff:ff:ff")
ETHERNET_MASKS = ("01:00:00:00:00:00", "ff:ff:ff:00:00:00", "00:00:00:00:00:03")
IPV4 = ("10.0.0.1", "10.0.0.2", "10.1.2.3", "192.168.0.1", "224.0.0.5")
IPV4_MASKS = ("8", "24", "31", "0.0.0.3", "255.0.0.255")
IPV6 = ("fd00::1", "fd00::2", "fe80::1:2", "2001:db8::ff", "ff02::1")
IPV6_MASKS = ("8", "64", "127", "::ff", "ffff::f")
PORTS = (53, 80, 81, 4789, 50000)
VIDS = (0, 1, 100, 4095)
LABELS = (0, 3, 16, 1000, 0xFFFFF)
TTLS = (0, 1, 2, 64, 255)
DSCPS = (0, 10, 46)
NUMBERS = (0, 1, 2, 3)


PORT_WORDS = ("1", "2", "3", "4", "LOCAL")
TUNNEL_WORDS = (*PORT_WORDS, "5", "5", "5")
"""Ports of the switch; those of pipelines about tunnels, whose port is 5."""


class Chance:
    """A source of random choices that repeats for the same seed."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)

    def pick(self, choices: Sequence[T]) -> T:
        """One of some things."""
        return self.random.choice(choices)

    def often(self, probability: float) -> bool:
        """True as often as `probability` says."""
        return self.random.random() < probability

    def below(self, limit: int) -> int:
        """A number from 0 up to `limit`, without it."""
        return self.random.randrange(limit)

    def bits(self, count: int) -> int:
        """A number of so many bits."""
        return self.random.getrandbits(count)

    def some(self, probability: float, *makers: Callable[[], str]) -> list[str]:
        """What some of the makers make, in their order."""
        return [make() for make in makers if self.often(probability)]

    def payload(self, choices: Sequence[int] = (0, 1, 17, 46, 200)) -> bytes:
        """Random bytes, of a length that is one of the choices."""
        return self.random.randbytes(self.pick(choices))

    def ethernet(self) -> str:
        """An Ethernet address."""
        return self.pick(ETHERNET)

    def masked_ethernet(self) -> str:
        """An Ethernet address, sometimes with a mask."""
        mask = f"/{self.pick(ETHERNET_MASKS)}" if self.often(0.4) else ""
        return self.ethernet() + mask

    def ipv4(self) -> str:
        """An IPv4 address."""
        return self.pick(IPV4)

    def masked_ipv4(self) -> str:
        """An IPv4 address, sometimes with a mask."""
        return self.ipv4() + (f"/{self.pick(IPV4_MASKS)}" if self.often(0.5) else "")

    def ipv6(self) -> str:
        """An IPv6 address."""
        return self.pick(IPV6)

    def masked_ipv6(self) -> str:
        """An IPv6 address, sometimes with a mask."""
        return self.ipv6() + (f"/{self.pick(IPV6_MASKS)}" if self.often(0.5) else "")

    def masked_port(self) -> str:
        """A transport port, sometimes with a mask."""
        return f"{self.pick(PORTS)}" + (
            f"/{self.pick(('0xfff0', '0xff00', '0x1', '0x8001'))}" if self.often(0.3) else ""
        )

    def small(self, masked: bool = True) -> str:
        """A small number, as registers hold them, sometimes with a mask."""
        mask = f"/{self.pick((1, 2, 3, 7))}" if masked and self.often(0.4) else ""
        return f"{self.pick(NUMBERS)}{mask}"
