//! Adding, removing and describing ports.

use std::collections::{BTreeMap, HashMap};

use super::{Datapath, PortChange, PortNumbers, PortRecord, PortView, Refusal};
use crate::packet::{HEADROOM, LARGE_FRAME, Packet, Pool, PortNo, gso};
use crate::port::{self, OpenError, Receiver, SenderFactory};
use crate::table::Port;
use crate::time::Now;

impl Datapath {
    /// Opens a port and starts to receive from it.
    pub fn add_port(
        &self,
        number: PortNo,
        name: &str,
        kind: &str,
        options: BTreeMap<String, String>,
        now: Now,
    ) -> Result<PortView, Refusal> {
        self.check_new_port(number, name)?;
        let open =
            port::open(kind, number, name, &options, self.cells.len()).map_err(
                |error| match error {
                    OpenError::Invalid(text) => Refusal::Usage(format!("port {name}: {text}")),
                    OpenError::Host(error) => Refusal::Host {
                        name: name.to_owned(),
                        error,
                    },
                },
            )?;
        let worker = number.0 as usize % self.cells.len();
        self.connect(number, name, worker, (open.receivers, &*open.sender))?;
        let facts = open.facts;
        let record = PortRecord {
            options,
            backend: open.backend,
            memory: open.memory,
            worker,
        };
        self.records().insert(number, record);
        self.shared.write().pipeline.set_port(Port {
            number,
            name: name.to_owned(),
            kind: kind.to_owned(),
            hw_addr: facts.hw_addr,
            config: 0,
            state: facts.state,
            mtu: facts.mtu,
            speed: facts.speed,
            tunnel: facts.tunnel.map(std::sync::Arc::new),
            added: now,
        });
        self.port(number).ok_or(Refusal::NoSuchPort(number))
    }

    fn check_new_port(&self, number: PortNo, name: &str) -> Result<(), Refusal> {
        let legal = (1..PortNo::MAX.0).contains(&number.0) || number == PortNo::LOCAL;
        if !legal {
            let text = format!("port {name}: number {} is not in 1..65279", number.0);
            return Err(Refusal::Usage(text));
        }
        let state = self.shared.read();
        let ports = state.pipeline.ports();
        if let Some(other) = ports.port(number) {
            let text = format!("port {name}: number {} is {}'s", number.0, other.name);
            return Err(Refusal::Usage(text));
        }
        if ports.by_name(name).is_some() {
            let text = format!("port {name}: there is a port of this name already");
            return Err(Refusal::Usage(text));
        }
        Ok(())
    }

    /// Gives the workers their sides of a port.
    fn connect(
        &self,
        number: PortNo,
        name: &str,
        first: usize,
        (receivers, factory): (Vec<Box<dyn Receiver>>, &dyn SenderFactory),
    ) -> Result<(), Refusal> {
        let host = |error| Refusal::Host {
            name: name.to_owned(),
            error,
        };
        let senders = self.cells.iter().map(|_| factory.sender());
        let senders = senders.collect::<std::io::Result<Vec<_>>>().map_err(host)?;
        for (cell, sender) in self.cells.iter().zip(senders) {
            cell.visit().add_sender(number, sender);
        }
        let threads = self.threads();
        for (index, receiver) in receivers.into_iter().enumerate() {
            let worker = (first + index) % self.cells.len();
            let fd = receiver.fd();
            self.cell(worker).visit().add_receiver(number, receiver);
            if let Some(thread) = threads.get(worker) {
                if let Some(fd) = fd {
                    thread.poller.add(fd).map_err(host)?;
                }
                thread.wake();
            }
        }
        Ok(())
    }

    /// Closes a port.
    pub fn remove_port(&self, number: PortNo, _now: Now) -> Result<(), Refusal> {
        if self.records().remove(&number).is_none() {
            return Err(Refusal::NoSuchPort(number));
        }
        self.collect();
        self.shared.write().pipeline.remove_port(number);
        for cell in &self.cells {
            cell.visit().remove_port(number);
        }
        Ok(())
    }

    /// All ports, by number.
    pub fn ports(&self) -> Vec<PortView> {
        let records = self.records();
        let state = self.shared.read();
        let ports = state.pipeline.ports().iter();
        ports
            .map(|port| view(port, records.get(&port.number)))
            .collect()
    }

    fn port(&self, number: PortNo) -> Option<PortView> {
        let records = self.records();
        let state = self.shared.read();
        let port = state.pipeline.ports().port(number)?;
        Some(view(port, records.get(&number)))
    }

    /// Changes what is known of a port.
    pub fn set_port(&self, number: PortNo, change: &PortChange) -> Result<PortView, Refusal> {
        let mut state = self.shared.write();
        let port = state.pipeline.ports().port(number);
        let mut port = port.ok_or(Refusal::NoSuchPort(number))?.clone();
        port.config = change.config.unwrap_or(port.config);
        port.state = change.state.unwrap_or(port.state);
        port.hw_addr = change.hw_addr.unwrap_or(port.hw_addr);
        port.speed = change.speed.unwrap_or(port.speed);
        port.mtu = change.mtu.unwrap_or(port.mtu);
        state.pipeline.set_port(port);
        drop(state);
        self.port(number).ok_or(Refusal::NoSuchPort(number))
    }

    /// The numbers of every port, by port number.
    pub fn port_counters(&self) -> Vec<PortNumbers> {
        let mut totals = HashMap::new();
        for cell in &self.cells {
            cell.visit().port_counters(&mut totals);
        }
        let state = self.shared.read();
        let ports = state.pipeline.ports().iter();
        ports
            .map(|port| PortNumbers {
                number: port.number,
                counters: totals.remove(&port.number).unwrap_or_default(),
            })
            .collect()
    }

    /// Takes the frames that a memory port was given to send, whole and final.
    pub fn receive(&self, port: PortNo) -> Result<Vec<Vec<u8>>, Refusal> {
        let memory = match self.records().get(&port) {
            None => return Err(Refusal::NoSuchPort(port)),
            Some(record) => record.memory.clone(),
        };
        let Some(memory) = memory else {
            let text = format!("port {} is not a memory port", port.0);
            return Err(Refusal::Usage(text));
        };
        let mut pool = Pool::new(LARGE_FRAME + HEADROOM, 0);
        let mut frames = Vec::new();
        for packet in memory.take_packets() {
            gso::for_each_plain(&packet, &mut pool, |plain: &mut Packet| {
                frames.push(plain.bytes().to_vec());
            });
        }
        Ok(frames)
    }

    /// The far end of a memory port.
    pub fn memory_port(&self, port: PortNo) -> Option<crate::port::MemoryPort> {
        self.records().get(&port)?.memory.clone()
    }
}

fn view(port: &Port, record: Option<&PortRecord>) -> PortView {
    PortView {
        number: port.number,
        name: port.name.clone(),
        kind: port.kind.clone(),
        options: record.map(|r| r.options.clone()).unwrap_or_default(),
        hw_addr: port.hw_addr,
        config: port.config,
        state: port.state,
        speed: port.speed,
        mtu: port.mtu,
        backend: record.map(|r| r.backend.to_string()).unwrap_or_default(),
        added: port.added,
    }
}
