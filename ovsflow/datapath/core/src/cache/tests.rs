use super::*;
use crate::error::DropReason;
use crate::flow::{FlowMask, slot};
use crate::translate::{self, SparseMask};

fn translation(reason: DropReason) -> Arc<Translation> {
    Arc::new(translate::dropping(reason, &FlowMask::default()))
}

fn mask_of_addresses() -> FlowMask {
    let mut mask = FlowMask::default();
    mask.set(slot::ETH_DST, slot::ETH_DST.ones());
    mask
}

fn compact(cache: &Cache, address: u64) -> CompactKey {
    let mut key = FlowKey::default();
    key.set(slot::ETH_DST, u128::from(address));
    key.set(slot::ETH_SRC, 0x1234);
    let mut compact = CompactKey::default();
    cache.layout().compact(&key, &mut compact);
    compact
}

#[test]
fn an_entry_is_found_until_the_tables_move_on() {
    let mut cache = Cache::new(64, 1);
    cache.set_active_mask(&mask_of_addresses());
    let key = compact(&cache, 7);
    assert_eq!(cache.probe(&key, 1), Probe::Miss);
    let index = cache.insert(&key, translation(DropReason::NoOutput), 1, Now(0));
    assert_eq!(cache.probe(&key, 1), Probe::Hit(index));
    assert_eq!(cache.probe(&key, 2), Probe::Stale(index));
    cache.replace(index, translation(DropReason::TableMiss), 2);
    assert_eq!(cache.probe(&key, 2), Probe::Hit(index));
    assert_eq!(cache.probe(&compact(&cache, 8), 2), Probe::Miss);
}

#[test]
fn no_count_is_lost_whatever_happens_to_its_entry() {
    let mut cache = Cache::new(WAYS, 1);
    cache.set_active_mask(&mask_of_addresses());
    // More kinds than fit, a replaced translation and a change of layout.
    for address in 0..100 {
        let key = compact(&cache, address);
        let index = cache.insert(&key, translation(DropReason::NoOutput), 1, Now(address));
        cache.count(index, 1, 60, Now(address));
        if address % 3 == 0 {
            cache.replace(index, translation(DropReason::TableMiss), 2);
            cache.count(index, 2, 120, Now(address));
        }
        if address == 50 {
            cache.set_active_mask(&FlowMask::default());
            cache.set_active_mask(&mask_of_addresses());
        }
    }
    let (mut packets, mut bytes) = (0, 0);
    cache.collect(|spent| {
        packets += spent.packets;
        bytes += spent.bytes;
    });
    assert_eq!((packets, bytes), (100 + 2 * 34, 60 * 168));
    cache.collect(|_| panic!("collected twice"));
    assert!(cache.len() <= cache.capacity());
}

#[test]
fn the_layout_grows_with_translations_and_shrinks_with_the_rules() {
    let mut cache = Cache::new(64, 1);
    cache.set_active_mask(&mask_of_addresses());
    assert_eq!(cache.layout().len(), 1);
    let mut more = FlowMask::default();
    more.set(slot::TUN_ID, 0xff);
    cache.cover(&SparseMask::new(&more));
    assert_eq!(cache.layout().len(), 2);
    cache.cover(&SparseMask::new(&more));
    assert_eq!(cache.counters.rebuilt, 2);
    cache.set_active_mask(&FlowMask::default());
    assert!(cache.layout().is_empty());
}
