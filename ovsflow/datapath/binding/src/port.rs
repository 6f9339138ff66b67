//! Ports and their numbers.

use std::collections::HashMap;

use ovsflow_datapath::datapath::{PortNumbers, PortView};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A port as it is now.
#[pyclass(frozen, module = "ovsflow.datapath")]
pub(crate) struct Port(pub(crate) PortView);

#[pymethods]
impl Port {
    #[getter]
    fn number(&self) -> u32 {
        self.0.number.0
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    #[getter]
    fn kind(&self) -> &str {
        &self.0.kind
    }

    #[getter]
    fn options(&self) -> HashMap<String, String> {
        let pairs = self.0.options.iter();
        pairs.map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    #[getter]
    fn hw_addr<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.hw_addr)
    }

    #[getter]
    fn config(&self) -> u32 {
        self.0.config
    }

    #[getter]
    fn state(&self) -> u32 {
        self.0.state
    }

    #[getter]
    fn speed(&self) -> u32 {
        self.0.speed
    }

    #[getter]
    fn mtu(&self) -> u32 {
        self.0.mtu
    }

    #[getter]
    fn backend(&self) -> &str {
        &self.0.backend
    }

    #[getter]
    fn added_ns(&self) -> u64 {
        self.0.added.0
    }

    fn __repr__(&self) -> String {
        let Self(port) = self;
        format!("<Port {} {} {}>", port.number.0, port.name, port.kind)
    }
}

/// Numbers of one port since it was added.
#[pyclass(frozen, module = "ovsflow.datapath")]
pub(crate) struct PortCounters(pub(crate) PortNumbers);

#[pymethods]
impl PortCounters {
    #[getter]
    fn number(&self) -> u32 {
        self.0.number.0
    }

    #[getter]
    fn rx_packets(&self) -> u64 {
        self.0.counters.rx_packets
    }

    #[getter]
    fn rx_bytes(&self) -> u64 {
        self.0.counters.rx_bytes
    }

    #[getter]
    fn tx_packets(&self) -> u64 {
        self.0.counters.tx_packets
    }

    #[getter]
    fn tx_bytes(&self) -> u64 {
        self.0.counters.tx_bytes
    }

    #[getter]
    fn rx_dropped(&self) -> u64 {
        self.0.rx_dropped()
    }

    #[getter]
    fn tx_dropped(&self) -> u64 {
        self.0.tx_dropped()
    }

    #[getter]
    fn rx_errors(&self) -> u64 {
        self.0.counters.rx_errors
    }

    #[getter]
    fn tx_errors(&self) -> u64 {
        self.0.counters.tx_errors
    }

    #[getter]
    fn drops(&self) -> HashMap<&'static str, u64> {
        self.0.drops().collect()
    }

    fn __repr__(&self) -> String {
        let counters = &self.0.counters;
        let (number, rx, tx) = (self.0.number.0, counters.rx_packets, counters.tx_packets);
        format!("<PortCounters {number} rx {rx} tx {tx}>")
    }
}
