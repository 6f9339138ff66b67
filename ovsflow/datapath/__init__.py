"""The one door to the Rust datapath: the only module that imports the extension."""

from ovsflow.datapath._native import (
    Datapath,
    Event,
    Field,
    Port,
    PortCounters,
    fields,
    run_of_bundled,
    run_of_messages,
)

__all__ = [
    "Datapath",
    "Event",
    "Field",
    "Port",
    "PortCounters",
    "fields",
    "run_of_bundled",
    "run_of_messages",
]
