"""ovsflow: an Open vSwitch-style flow switch that runs wholly in userspace."""
