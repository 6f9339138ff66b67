"""ofctl: speaks OpenFlow to any switch, as ovs-ofctl does."""
