//! The datapath as Python sees it.
//!
//! This crate converts and nothing else: arguments to the core's types, the core's results to
//! Python objects, its refusals to exceptions (`refusal.rs`, the one place that knows which).
//! Every method lets go of the interpreter while the core works.  `_native.pyi` beside the
//! package is the reference for callers.

mod datapath;
mod event;
mod field;
mod framing;
mod port;
mod refusal;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::datapath::Datapath;
    #[pymodule_export]
    use crate::event::Event;
    #[pymodule_export]
    use crate::field::{Field, fields};
    #[pymodule_export]
    use crate::framing::{run_of_bundled, run_of_messages};
    #[pymodule_export]
    use crate::port::{Port, PortCounters};
}
