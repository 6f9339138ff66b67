//! One switch, as a Python object: conversions around the core's front.

use std::collections::{BTreeMap, HashMap};

use ovsflow_datapath::datapath::{Datapath as Core, Listener, PortChange, Setting};
use ovsflow_datapath::openflow::decode::Context;
use ovsflow_datapath::packet::PortNo;
use ovsflow_datapath::time::Now;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::event::{Event, wire_version};
use crate::port::{Port, PortCounters};
use crate::refusal::exception;

/// One switch's packets, tables, caches and ports.
#[pyclass(frozen, module = "ovsflow.datapath")]
pub(crate) struct Datapath(Core);

/// What `receive`, `mac_table` and `query` hand over.
type Frames<'py> = Vec<Bound<'py, PyBytes>>;
/// Number, controller id, reasons, whether misses, rate, burst.
type ListenerRow = (u64, u16, u32, bool, Option<u32>, Option<u32>);
type MacRow<'py> = (u32, u16, Bound<'py, PyBytes>, u64);

/// A value of `configure`; the order matters, for Python's bool is an int.
#[derive(FromPyObject)]
enum Value {
    Flag(bool),
    Number(i64),
    Text(String),
}

#[pymethods]
impl Datapath {
    #[new]
    #[pyo3(signature = (name, *, datapath_id=0, workers=1))]
    fn new(py: Python<'_>, name: &str, datapath_id: u64, workers: usize) -> PyResult<Self> {
        let core = py.detach(|| Core::new(name, datapath_id, workers));
        Ok(Self(core.map_err(exception)?))
    }

    fn add_port(
        &self,
        py: Python<'_>,
        number: u32,
        name: &str,
        kind: &str,
        options: BTreeMap<String, String>,
        now_ns: u64,
    ) -> PyResult<Port> {
        let added = py.detach(|| {
            self.0
                .add_port(PortNo(number), name, kind, options, Now(now_ns))
        });
        added.map(Port).map_err(exception)
    }

    fn remove_port(&self, py: Python<'_>, number: u32, now_ns: u64) -> PyResult<()> {
        py.detach(|| self.0.remove_port(PortNo(number), Now(now_ns)))
            .map_err(exception)
    }

    fn ports(&self, py: Python<'_>) -> Vec<Port> {
        py.detach(|| self.0.ports()).into_iter().map(Port).collect()
    }

    #[pyo3(signature = (number, *, config=None, state=None, hw_addr=None, speed=None, mtu=None))]
    #[allow(clippy::too_many_arguments, reason = "the door's own signature")]
    fn set_port(
        &self,
        py: Python<'_>,
        number: u32,
        config: Option<u32>,
        state: Option<u32>,
        hw_addr: Option<&[u8]>,
        speed: Option<u32>,
        mtu: Option<u32>,
    ) -> PyResult<Port> {
        let hw_addr = match hw_addr {
            None => None,
            Some(bytes) => Some(
                <[u8; 6]>::try_from(bytes)
                    .map_err(|_| PyValueError::new_err("hw_addr must be 6 bytes"))?,
            ),
        };
        let change = PortChange {
            config,
            state,
            hw_addr,
            speed,
            mtu,
        };
        py.detach(|| self.0.set_port(PortNo(number), &change))
            .map(Port)
            .map_err(exception)
    }

    fn port_counters(&self, py: Python<'_>) -> Vec<PortCounters> {
        let all = py.detach(|| self.0.port_counters());
        all.into_iter().map(PortCounters).collect()
    }

    #[pyo3(signature = (version, messages, now_ns, *, atomic=false, origin=0, table_ids=false))]
    #[allow(clippy::too_many_arguments, reason = "the door's own signature")]
    fn apply<'py>(
        &self,
        py: Python<'py>,
        version: u8,
        messages: &[u8],
        now_ns: u64,
        atomic: bool,
        origin: u64,
        table_ids: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let version = wire_version(version)?;
        let context = Context {
            flow_mod_table_id: table_ids,
            ..Context::default()
        };
        let errors = py.detach(|| {
            self.0
                .apply(version, messages, Now(now_ns), atomic, origin, &context)
        });
        Ok(PyBytes::new(py, &errors))
    }

    #[pyo3(signature = (version, messages, *, table_ids=false))]
    fn check<'py>(
        &self,
        py: Python<'py>,
        version: u8,
        messages: &[u8],
        table_ids: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let version = wire_version(version)?;
        let context = Context {
            flow_mod_table_id: table_ids,
            ..Context::default()
        };
        let errors = py.detach(|| self.0.check(version, messages, &context));
        Ok(PyBytes::new(py, &errors))
    }

    #[pyo3(signature = (version, request, now_ns, cursor=0))]
    fn query<'py>(
        &self,
        py: Python<'py>,
        version: u8,
        request: &[u8],
        now_ns: u64,
        cursor: u64,
    ) -> PyResult<(Bound<'py, PyBytes>, Option<u64>)> {
        let version = wire_version(version)?;
        let (reply, next) = py.detach(|| self.0.query(version, request, Now(now_ns), cursor));
        Ok((PyBytes::new(py, &reply), next))
    }

    fn execute(&self, py: Python<'_>, port: u32, frame: &[u8], now_ns: u64) -> PyResult<()> {
        py.detach(|| self.0.execute(PortNo(port), frame, Now(now_ns)))
            .map_err(exception)
    }

    fn receive<'py>(&self, py: Python<'py>, port: u32) -> PyResult<Frames<'py>> {
        let frames = py
            .detach(|| self.0.receive(PortNo(port)))
            .map_err(exception)?;
        let frames = frames.iter();
        Ok(frames.map(|frame| PyBytes::new(py, frame)).collect())
    }

    fn poll(&self, py: Python<'_>, now_ns: u64) -> usize {
        py.detach(|| self.0.poll(Now(now_ns)))
    }

    #[pyo3(signature = (limit=64))]
    fn events(&self, py: Python<'_>, limit: usize) -> Vec<Event> {
        let events = py.detach(|| self.0.events(limit));
        events.into_iter().map(Event).collect()
    }

    fn event_fd(&self) -> i32 {
        self.0.event_fd()
    }

    fn tick(&self, py: Python<'_>, now_ns: u64) -> Option<u64> {
        py.detach(|| self.0.tick(Now(now_ns))).map(|at| at.0)
    }

    fn configure(&self, py: Python<'_>, settings: HashMap<String, Value>) -> PyResult<()> {
        let settings: Vec<_> = settings
            .into_iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Flag(flag) => Setting::Flag(flag),
                    Value::Number(number) => Setting::Number(number),
                    Value::Text(text) => Setting::Text(text),
                };
                (name, value)
            })
            .collect();
        py.detach(|| self.0.configure(&settings)).map_err(exception)
    }

    fn set_listeners(&self, py: Python<'_>, listeners: Option<Vec<ListenerRow>>) {
        let listeners = listeners.map(|rows| rows.into_iter().map(listener).collect());
        py.detach(|| self.0.set_listeners(listeners));
    }

    #[pyo3(signature = (r#match, frame, now_ns))]
    fn trace(
        &self,
        py: Python<'_>,
        r#match: &[u8],
        frame: Option<&[u8]>,
        now_ns: u64,
    ) -> PyResult<String> {
        py.detach(|| self.0.trace(r#match, frame, Now(now_ns)))
            .map_err(exception)
    }

    fn statistics(&self, py: Python<'_>) -> String {
        py.detach(|| self.0.statistics())
    }

    fn mac_table<'py>(&self, py: Python<'py>) -> Vec<MacRow<'py>> {
        let rows = py.detach(|| self.0.mac_table());
        rows.into_iter()
            .map(|row| {
                let address = PyBytes::new(py, &row.address);
                (row.port.0, row.vlan, address, row.age_seconds)
            })
            .collect()
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

fn listener((number, controller, reasons, misses, rate, burst): ListenerRow) -> Listener {
    Listener {
        number,
        controller,
        reasons,
        misses,
        rate,
        burst,
    }
}
