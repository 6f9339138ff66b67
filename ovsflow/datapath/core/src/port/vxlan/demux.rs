//! Which OpenFlow port receives: many tunnel ports behind one UDP port.
//!
//! Each port has a filter of three parts, each fixed or open.  That makes twelve classes; a
//! packet goes to the port of the first class, most specific first, that has a port for it.  So
//! a port that leaves everything to the flow catches what more specific ports leave over.

use std::collections::HashMap;

use crate::packet::{Key, Local, Remote, TunnelAddress, TunnelConfig};

/// What a port accepts: an open part is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Filter {
    key: Option<u32>,
    remote: Option<TunnelAddress>,
    local: Option<TunnelAddress>,
    /// `local_ip=flow`: open too, but tried after a port that has no local_ip.
    local_flow: bool,
}

impl Filter {
    pub(super) fn new(config: &TunnelConfig) -> Self {
        Self {
            key: match config.in_key {
                Key::Fixed(key) => Some(key),
                Key::Flow => None,
            },
            remote: match config.remote {
                Remote::Fixed(address) => Some(address),
                Remote::Flow => None,
            },
            local: match config.local {
                Local::Fixed(address) => Some(address),
                Local::Any | Local::Flow => None,
            },
            local_flow: config.local == Local::Flow,
        }
    }

    /// Whether a packet with this identifier, from `remote`, to `local` is accepted.
    #[inline]
    pub(super) fn accepts(&self, key: u32, remote: TunnelAddress, local: TunnelAddress) -> bool {
        self.key.is_none_or(|mine| mine == key)
            && self.remote.is_none_or(|mine| mine == remote)
            && self.local.is_none_or(|mine| mine == local)
    }

    /// Place in the order of classes, 0 to 11.
    fn class(&self) -> usize {
        let local = match (self.local, self.local_flow) {
            (Some(_), _) => 0,
            (None, false) => 1,
            (None, true) => 2,
        };
        6 * usize::from(self.key.is_none()) + 3 * usize::from(self.remote.is_none()) + local
    }
}

/// The ports of one UDP port, by what they accept.
#[derive(Clone, Debug)]
pub(super) struct Demux<T> {
    ports: HashMap<Filter, T>,
    /// Ports of each class.
    classes: [usize; 12],
}

impl<T> Default for Demux<T> {
    fn default() -> Self {
        Self {
            ports: HashMap::new(),
            classes: [0; 12],
        }
    }
}

impl<T> Demux<T> {
    /// Adds a port; gives it back if there is one with the same filter.
    pub(super) fn insert(&mut self, filter: Filter, port: T) -> Result<(), T> {
        if self.ports.contains_key(&filter) {
            return Err(port);
        }
        self.ports.insert(filter, port);
        self.classes[filter.class()] += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, filter: &Filter) -> Option<T> {
        let removed = self.ports.remove(filter)?;
        self.classes[filter.class()] -= 1;
        Some(removed)
    }

    /// The port for a packet with this identifier, from `remote`, to `local`.
    pub(super) fn lookup(
        &self,
        key: u32,
        remote: TunnelAddress,
        local: TunnelAddress,
    ) -> Option<&T> {
        (0..self.classes.len())
            .filter(|class| self.classes[*class] > 0)
            .find_map(|class| {
                let filter = Filter {
                    key: (class < 6).then_some(key),
                    remote: (class % 6 < 3).then_some(remote),
                    local: (class % 3 == 0).then_some(local),
                    local_flow: class % 3 == 2,
                };
                self.ports.get(&filter)
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(key: Option<u32>, remote: Option<u32>, local: Local) -> Filter {
        Filter::new(&TunnelConfig {
            in_key: key.map_or(Key::Flow, Key::Fixed),
            remote: remote.map_or(Remote::Flow, |a| Remote::Fixed(TunnelAddress::V4(a))),
            local,
            ..TunnelConfig::default()
        })
    }

    #[test]
    fn test_classes_are_tried_most_specific_first() {
        let fixed = Local::Fixed(TunnelAddress::V4(2));
        let mut order = Vec::new();
        for key in [Some(7), None] {
            for remote in [Some(1), None] {
                for local in [fixed, Local::Any, Local::Flow] {
                    order.push(filter(key, remote, local));
                }
            }
        }
        let mut demux = Demux::default();
        for (class, filter) in order.iter().enumerate() {
            assert_eq!(filter.class(), class);
            demux
                .insert(*filter, class)
                .unwrap_or_else(|_| panic!("taken"));
        }
        let find = |demux: &Demux<usize>| {
            demux
                .lookup(7, TunnelAddress::V4(1), TunnelAddress::V4(2))
                .copied()
        };
        for (class, filter) in order.iter().enumerate() {
            assert_eq!(find(&demux), Some(class));
            assert_eq!(demux.remove(filter), Some(class));
        }
        assert_eq!(find(&demux), None);
    }

    #[test]
    fn test_same_filter_is_refused() {
        let mut demux = Demux::default();
        let any = filter(None, None, Local::Flow);
        assert_eq!(demux.insert(any, 1), Ok(()));
        assert_eq!(demux.insert(any, 2), Err(2));
        assert_eq!(demux.insert(filter(Some(0), None, Local::Flow), 3), Ok(()));
    }

    fn local() -> impl Strategy<Value = Local> {
        prop_oneof![
            (0..3_u32).prop_map(|a| Local::Fixed(TunnelAddress::V4(a))),
            Just(Local::Any),
            Just(Local::Flow)
        ]
    }

    proptest! {
        #[test]
        fn test_lookup_agrees_with_a_search_of_all_ports(
            ports in prop::collection::vec(
                (prop::option::of(0..3_u32), prop::option::of(0..3_u32), local()), 0..20),
            packet in (0..3_u32, 0..3_u32, 0..3_u32),
        ) {
            let mut demux = Demux::default();
            let mut all = Vec::new();
            for (key, remote, local) in ports {
                let filter = filter(key, remote, local);
                if demux.insert(filter, filter).is_ok() {
                    all.push(filter);
                }
            }
            let (key, remote, local) = packet;
            let (remote, local) = (TunnelAddress::V4(remote), TunnelAddress::V4(local));
            let accepts = |filter: &&Filter| filter.accepts(key, remote, local);
            let expected = all.iter().filter(accepts).min_by_key(|f| f.class());
            prop_assert_eq!(demux.lookup(key, remote, local), expected);
        }
    }
}
