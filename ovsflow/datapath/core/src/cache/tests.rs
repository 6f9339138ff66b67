use super::*;
use crate::error::DropReason;
use crate::flow::{FlowMask, slot};
use crate::translate;

fn translation(reason: DropReason) -> Arc<Known> {
    Known::new(translate::dropping(reason, &FlowMask::default()))
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
    compact_of(cache, &key)
}

fn compact_of(cache: &Cache, key: &FlowKey) -> CompactKey {
    let mut compact = CompactKey::default();
    cache.layout().compact(key, &mut compact);
    compact
}

#[test]
fn an_entry_is_found_until_the_tables_move_on() {
    let mut cache = Cache::new(64, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
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
    cache.set_active_mask(&mask_of_addresses(), Now(0));
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
            cache.set_active_mask(&FlowMask::default(), Now(0));
            cache.set_active_mask(&mask_of_addresses(), Now(0));
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
fn counters_of_kinds_that_came_once_take_no_more_room_than_their_translations() {
    let mut cache = Cache::new(WAYS, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
    let shared = translation(DropReason::NoOutput);
    for address in 0..10_000 {
        let key = compact(&cache, address);
        let index = cache.insert(&key, shared.clone(), 1, Now(address));
        cache.count(index, 1, 60, Now(address));
    }
    assert_eq!(cache.waiting(), 1);
    assert!(cache.used.len() <= cache.capacity());
    let mut packets = 0;
    cache.collect(|spent| packets += spent.packets);
    assert_eq!(packets, 10_000);
}

#[test]
fn a_kind_that_comes_all_the_time_stays_among_many_that_come_once() {
    let mut cache = Cache::new(WAYS, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
    let shared = translation(DropReason::NoOutput);
    let steady = compact(&cache, u64::MAX >> 16);
    let index = cache.insert(&steady, shared.clone(), 1, Now(0));
    for address in 0..10_000 {
        assert_eq!(cache.probe(&steady, 1), Probe::Hit(index));
        cache.count(index, 1, 60, Now(address + 1));
        let key = compact(&cache, address);
        cache.insert(&key, shared.clone(), 1, Now(address));
    }
}

#[test]
fn the_layout_grows_with_translations_and_shrinks_with_the_rules() {
    let mut cache = Cache::new(64, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
    assert_eq!(cache.layout().len(), 1);
    let mut more = FlowMask::default();
    more.set(slot::TUN_ID, 0xff);
    cache.cover(&more);
    assert_eq!(cache.layout().len(), 2);
    cache.cover(&more);
    assert_eq!(cache.counters.rebuilt, 2);
    cache.set_active_mask(&FlowMask::default(), Now(0));
    assert!(cache.layout().is_empty());
}

#[test]
fn a_cache_that_may_grow_forgets_nothing_before_its_limit() {
    let mut cache = Cache::growing(WAYS, 1024, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
    let found = |cache: &Cache, address| cache.probe(&compact(cache, address), 1);
    for address in 0..256 {
        let key = compact(&cache, address);
        cache.insert(&key, translation(DropReason::NoOutput), 1, Now(address));
    }
    assert!(cache.counters.evicted < 8, "{:?}", cache.counters);
    assert!((256..=1024).contains(&cache.capacity()));
    let known = (0..256).filter(|&address| found(&cache, address) != Probe::Miss);
    assert_eq!(known.count() as u64, 256 - cache.counters.evicted);
    for address in 0..4096 {
        let key = compact(&cache, address);
        if cache.probe(&key, 1) == Probe::Miss {
            cache.insert(&key, translation(DropReason::NoOutput), 1, Now(address));
        }
        assert!(matches!(found(&cache, address), Probe::Hit(_)));
    }
    assert_eq!(cache.capacity(), 1024);
    assert!(cache.len() <= 1024);
}

#[test]
fn both_halves_of_a_probe_agree_with_the_whole() {
    let mut cache = Cache::new(256, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
    for address in 0..200 {
        let key = compact(&cache, address);
        cache.insert(&key, translation(DropReason::NoOutput), 1, Now(address));
    }
    for address in 0..400 {
        let key = compact(&cache, address);
        let halves = cache.check(cache.candidate(key.hash), &key.words, 1);
        if halves != Probe::Miss {
            assert_eq!(halves, cache.probe(&key, 1));
        } else if address < 200 && cache.candidate(key.hash) == NONE {
            assert_eq!(cache.probe(&key, 1), Probe::Miss);
        }
    }
}

#[test]
fn a_mask_that_goes_is_missed_only_when_it_stays_away() {
    let mut cache = Cache::new(64, 1);
    cache.set_active_mask(&mask_of_addresses(), Now(0));
    let mut more = mask_of_addresses();
    more.set(slot::TUN_ID, 0xff);
    cache.set_active_mask(&more, Now(0));
    let key = compact(&cache, 7);
    let index = cache.insert(&key, translation(DropReason::NoOutput), 1, Now(0));
    let rebuilt = cache.counters.rebuilt;
    for second in 0..5 {
        let now = Now(second * 100_000_000);
        cache.set_active_mask(&mask_of_addresses(), now);
        cache.set_active_mask(&more, now);
        assert!(!cache.should_shrink(now));
    }
    assert_eq!(
        (cache.probe(&key, 1), cache.counters.rebuilt),
        (Probe::Hit(index), rebuilt)
    );
    let mut whole = FlowMask::default();
    cache.expand_key(index, &mut whole);
    assert_eq!(compact_of(&cache, &whole).words, key.words);
    assert!(cache.should_shrink(Now(1_000_000_000)));
    // Whoever needs the bits has them still.
    cache.shrink();
    assert_eq!(cache.layout().len(), 2);
    cache.set_active_mask(&mask_of_addresses(), Now(2_000_000_000));
    cache.shrink();
    assert_eq!((cache.layout().len(), cache.len()), (1, 0));
}
