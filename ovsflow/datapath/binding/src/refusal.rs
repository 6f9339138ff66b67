//! The core's refusals as Python's exceptions: the one place that knows which is which.

use ovsflow_datapath::datapath::Refusal;
use pyo3::exceptions::{PyKeyError, PyOSError, PyValueError};
use pyo3::prelude::*;

/// Turns a refusal into the exception that `_native.pyi` promises.
pub(crate) fn exception(refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Usage(text) => PyValueError::new_err(text),
        Refusal::NoSuchPort(port) => PyKeyError::new_err(port.0),
        Refusal::Host { name, error } => match error.raw_os_error() {
            // Three arguments make Python pick the subclass that belongs to the number.
            Some(number) => {
                let text = error.to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                PyOSError::new_err((number, text.to_owned(), name))
            }
            None => PyOSError::new_err((0, error.to_string(), name)),
        },
    }
}
