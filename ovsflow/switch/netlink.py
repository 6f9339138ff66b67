"""Listens to what the kernel says of network devices (rtnetlink's link group).

pyroute2 takes the messages apart; the socket is our own, so that it sits in the control plane's
loop and makes no thread.  When the kernel had to drop notices, all devices are asked for again.
"""

import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final

from ovsflow.switch.ports import LinkNotice

log = logging.getLogger(__name__)

_RTMGRP_LINK: Final = 1
_RTM_GETLINK: Final = 18
_NLM_F_REQUEST_DUMP: Final = 0x301
_NLMSG_LINK: Final = struct.Struct("=IHHII BxHiII")
_RECEIVE_BYTES: Final = 1 << 18


class LinkWatch:
    """A socket that hears of network devices."""

    def __init__(self, heard: Callable[[LinkNotice], None]) -> None:
        """Opens the socket, in the namespace of the calling thread.

        Args:
            heard: Called with each notice.

        Raises:
            OSError: The host has no netlink.
        """
        # Tenths of a second of imports that a switch without devices does not need.
        from pyroute2.netlink.rtnl.marshal import MarshalRtnl

        self._heard = heard
        self._marshal = MarshalRtnl()
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
        )
        self._socket.bind((0, _RTMGRP_LINK))
        self.ask()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._socket.fileno()

    def ask(self) -> None:
        """Asks for all devices; the answers come as notices."""
        request = _NLMSG_LINK.pack(
            _NLMSG_LINK.size, _RTM_GETLINK, _NLM_F_REQUEST_DUMP, 0, 0, 0, 0, 0, 0, 0
        )
        self._socket.send(request)

    def read(self) -> None:
        """Takes what waits."""
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                log.debug("netlink: %s; asking for all devices", error.strerror)
                with contextlib.suppress(OSError):
                    self.ask()
                return
            for notice in self._notices(data):
                self._heard(notice)

    def _notices(self, data: bytes) -> Iterator[LinkNotice]:
        for message in self._marshal.parse(data):
            event = message.get("event")
            # Other families tell of a device's membership, in a bridge for one.
            if event not in ("RTM_NEWLINK", "RTM_DELLINK") or message["family"] != 0:
                continue
            name = message.get_attr("IFLA_IFNAME")
            if not isinstance(name, str):
                continue
            text = message.get_attr("IFLA_ADDRESS")
            address = bytes.fromhex(text.replace(":", "")) if isinstance(text, str) else b""
            yield LinkNotice(
                name=name,
                flags=int(message["flags"]),
                hw_addr=address if len(address) == 6 else None,
                mtu=message.get_attr("IFLA_MTU"),
                gone=event == "RTM_DELLINK",
            )

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
