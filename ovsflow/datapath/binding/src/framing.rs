//! Runs of messages in a stream that Python holds.

use ovsflow_datapath::openflow::framing::{self, Wanted};
use pyo3::buffer::{PyBuffer, ReadOnlyCell};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Where a run of table changes ends.
#[pyfunction]
pub(crate) fn run_of_messages(
    py: Python<'_>,
    stream: PyBuffer<u8>,
    start: usize,
    limit: usize,
    version: u8,
    types: &[u8],
) -> PyResult<usize> {
    let wanted = Wanted {
        version,
        types,
        limit,
    };
    let cells = cells(py, &stream)?;
    let byte = |at: usize| cells.get(at).map(ReadOnlyCell::get);
    Ok(framing::run(&byte, start, &wanted))
}

/// Bundle, flags, number of messages, the messages, and where the run ends.
type Bundled<'py> = (u32, u16, usize, Bound<'py, PyBytes>, usize);

/// A run of messages for one bundle.
#[pyfunction]
pub(crate) fn run_of_bundled<'py>(
    py: Python<'py>,
    stream: PyBuffer<u8>,
    start: usize,
    limit: usize,
    version: u8,
    types: &[u8],
) -> PyResult<Option<Bundled<'py>>> {
    let wanted = Wanted {
        version,
        types,
        limit,
    };
    let cells = cells(py, &stream)?;
    let byte = |at: usize| cells.get(at).map(ReadOnlyCell::get);
    let found = framing::bundled(&byte, start, &wanted);
    Ok(found.map(|all| {
        let bytes = PyBytes::new(py, &all.bytes);
        (all.bundle, all.flags, all.messages, bytes, all.end)
    }))
}

fn cells<'a>(py: Python<'a>, stream: &'a PyBuffer<u8>) -> PyResult<&'a [ReadOnlyCell<u8>]> {
    let cells = stream.as_slice(py);
    cells.ok_or_else(|| PyValueError::new_err("the stream is not contiguous"))
}
