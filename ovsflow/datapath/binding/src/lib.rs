//! The datapath as Python sees it.

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {}
