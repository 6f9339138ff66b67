//! The field table, as Python objects.

use ovsflow_datapath::flow::field::{FIELDS, Field as Row, Settable};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// One row of the field table: what a match or set_field can name.
#[pyclass(frozen, module = "ovsflow.datapath")]
pub(crate) struct Field(&'static Row);

#[pymethods]
impl Field {
    #[getter]
    fn name(&self) -> &'static str {
        self.0.name
    }

    #[getter]
    fn aliases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.aliases)
    }

    #[getter]
    fn bits(&self) -> u8 {
        self.0.bits
    }

    #[getter]
    fn wire_bytes(&self) -> u8 {
        self.0.wire_bytes
    }

    #[getter]
    fn maskable(&self) -> bool {
        self.0.maskable
    }

    #[getter]
    fn writable(&self) -> bool {
        self.0.settable != Settable::No
    }

    #[getter]
    fn prerequisite(&self) -> &'static str {
        self.0.prerequisite.name()
    }

    #[getter]
    fn format(&self) -> &'static str {
        self.0.format.name()
    }

    #[getter]
    fn maximum(&self) -> u128 {
        self.0.legal
    }

    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.headers)
    }

    #[getter]
    fn decodes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.headers.iter().map(|&(_, header)| header))
    }

    #[getter]
    fn slot(&self) -> (u8, u8, u8) {
        let slot = self.0.slot;
        (slot.word, slot.shift, slot.width)
    }

    fn __repr__(&self) -> String {
        format!("<Field {}>", self.0.name)
    }
}

/// The field table, in the order in which a switch encodes matches.
#[pyfunction]
pub(crate) fn fields(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let rows = FIELDS.iter().map(|row| Py::new(py, Field(row)));
    PyTuple::new(py, rows.collect::<PyResult<Vec<_>>>()?)
}
