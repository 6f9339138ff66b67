//! What controllers may want to hear of.

use ovsflow_datapath::datapath::{Event as CoreEvent, PacketInFormat};
use ovsflow_datapath::openflow::Version;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Something that controllers may want to hear of.
#[pyclass(frozen, module = "ovsflow.datapath")]
pub(crate) struct Event(pub(crate) CoreEvent);

#[pymethods]
impl Event {
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind()
    }

    #[getter]
    fn reason(&self) -> u8 {
        self.0.reason()
    }

    #[getter]
    fn table_id(&self) -> u8 {
        self.0.table().0
    }

    #[getter]
    fn cookie(&self) -> u64 {
        self.0.cookie()
    }

    #[getter]
    fn controller_id(&self) -> u16 {
        self.0.controller()
    }

    #[getter]
    fn listeners(&self) -> Option<Vec<u64>> {
        self.0.listeners().map(<[u64]>::to_vec)
    }

    #[getter]
    fn origin(&self) -> u64 {
        self.0.origin
    }

    #[pyo3(signature = (version, xid=0, *, format="standard"))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        version: u8,
        xid: u32,
        format: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let version = wire_version(version)?;
        let format = match format {
            "standard" => PacketInFormat::Standard,
            "nxt_packet_in" => PacketInFormat::Nxt,
            "nxt_packet_in2" => PacketInFormat::Nxt2,
            other => return Err(PyValueError::new_err(format!("unknown format {other}"))),
        };
        let message = py.detach(|| self.0.encode(version, xid, format));
        Ok(PyBytes::new(py, &message))
    }

    fn __repr__(&self) -> String {
        format!("<Event {} reason {}>", self.0.kind(), self.0.reason())
    }
}

/// The version that `number` stands for, or `ValueError`.
pub(crate) fn wire_version(number: u8) -> PyResult<Version> {
    match number {
        0x01 => Ok(Version::Of10),
        0x04 => Ok(Version::Of13),
        0x05 => Ok(Version::Of14),
        0x06 => Ok(Version::Of15),
        _ => Err(PyValueError::new_err(format!(
            "unknown OpenFlow version 0x{number:02x}"
        ))),
    }
}
