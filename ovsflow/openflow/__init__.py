"""OpenFlow on the wire, both directions; no sockets, no clock."""
