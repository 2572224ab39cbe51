//! A contract's life with a chain of the real rules, devices that come and go and lose what they have, and the masternodes
//! of its group.

mod world;

use crate::{
    Candidate, Event, Keeping, Order, OrderId, Outcome, Seen, keeping::periods::Marks,
    limits::CALL_BLOCKS,
};
use proptest::prelude::*;
use quern_custody_rules::life;
use quern_primitives::{
    custody::{Held, Holding, Terms},
    device::Region,
    ids::{AccountId, ContractId, DeviceId, Digest},
    params::Parameter,
};
use quern_shards::stored::{Layout, PieceList, Plan};
use world::{Manner, World};

const MIRRORED: Layout = Layout::Mirrored { copies: 2 };
const CODED: Layout = Layout::Coded {
    shards: 4,
    parity: 2,
};

#[test]
fn all_pieces_are_held_by_as_many_as_shall_and_every_period_of_them_is_paid() {
    for (layout, members) in [(MIRRORED, 1), (MIRRORED, 3), (CODED, 1), (CODED, 3)] {
        let mut world = World::new(1, layout, 8, members, 9);
        world.periods(2);
        world.assert_all_held();
        world.periods(6);
        world.assert_all_held();
        world.assert_paid_since_taken();
        assert_eq!(world.chain.challenges_ever, 0, "nobody was slandered");
        assert!(world.is_nothing_here(), "what is held is not kept here");
    }
}

#[test]
fn pieces_are_spread_over_all_machines_and_not_only_the_best() {
    // Three pieces with two devices each, of six.
    let mut world = World::new(4, MIRRORED, 6, 1, 30);
    world.periods(3);
    world.assert_all_held();
    let shares: Vec<usize> = world.devices.values().map(|it| it.has.len()).collect();
    assert_eq!(shares, [1; 6]);
}

#[test]
fn who_erased_its_piece_is_challenged_and_not_paid_and_another_holds_it_then() {
    for (layout, members) in [(MIRRORED, 1), (CODED, 3)] {
        let mut world = World::new(2, layout, 8, members, 9);
        world.periods(3);
        let device = world.holder_of(0);
        assert!(world.paid_periods(&device) > 0);
        let lost = std::mem::take(&mut world.devices.get_mut(&device).unwrap().has);
        world.periods(3);
        assert!(world.missed.contains_key(&device));
        // A miss is a warning: it may take others, and is paid for those.
        for piece in lost {
            assert!(!world.chain.paid.contains(&(Held { piece, device }, 3)));
        }
        world.assert_all_held();
        for holder in world.holders(0) {
            assert!(world.devices[&holder].has.contains(&0));
        }
    }
}

#[test]
fn who_says_that_it_has_what_it_does_not_is_found_in_the_first_period() {
    let mut world = World::new(3, MIRRORED, 6, 1, 6);
    let liar = *world.devices.keys().next().unwrap();
    world.devices.get_mut(&liar).unwrap().manner = Manner::KeepsNothing;
    world.periods(5);
    let taken = world.chain.taken_by(&liar);
    assert!(taken > 0, "it took something");
    assert_eq!(world.paid_periods(&liar), 0);
    assert!(world.missed.contains_key(&liar));
    world.assert_all_held();
}

#[test]
fn a_device_that_is_away_for_a_while_has_what_it_had_and_one_that_is_gone_is_replaced() {
    let mut world = World::new(4, CODED, 10, 3, 30);
    world.periods(2);
    let device = world.holder_of(0);
    // It is off between two periods' proofs, and nobody minds.
    world.blocks(80);
    world.leaves(&device);
    world.blocks(15);
    world.comes(&device);
    world.periods(1);
    assert!(world.holders(0).contains(&device));
    assert!(!world.missed.contains_key(&device));
    world.leaves(&device);
    world.periods(3);
    // Who does not prove is challenged, and by that the piece goes to another long before the device counts as gone.
    assert!(!world.holders(0).contains(&device));
    world.assert_all_held();
}

#[test]
fn as_many_of_a_stripe_as_it_has_parity_may_lose_everything_at_once() {
    let mut world = World::new(5, CODED, 12, 3, 12);
    world.periods(2);
    world.assert_all_held();
    for piece in [1, 4] {
        let device = world.holder_of(piece);
        world.devices.get_mut(&device).unwrap().has.clear();
    }
    world.periods(4);
    world.assert_all_held();
    assert!(world.made > 0, "what was lost was made of the others");
    assert!(world.is_nothing_here());
}

#[test]
fn where_the_first_member_does_nothing_the_next_does_it() {
    for silent in [1, 2] {
        let mut world = World::new(6, CODED, 8, 3, 10);
        for member in 0..silent {
            world.members[member].is_silent = true;
        }
        world.periods(3);
        world.assert_all_held();
        world.periods(3);
        world.assert_paid_since_taken();
        assert_eq!(world.chain.challenges_ever, 0);
    }
}

#[test]
fn the_end_of_a_contract_ends_everything() {
    let mut world = World::new(7, MIRRORED, 6, 3, 3);
    world.periods(8);
    assert!(world.chain.contract.is_none(), "it is closed");
    assert!(world.is_nothing_here());
    let escrow = world.chain.last_escrow;
    let spent = escrow.paid + escrow.network + escrow.refunded + escrow.held;
    assert_eq!(escrow.deposited, spent);
    assert_eq!(escrow.reserved, 0);
}

#[test]
fn with_too_few_accounts_what_can_be_held_is_and_the_rest_waits_here() {
    let mut world = World::new(8, CODED, 4, 1, 6);
    world.periods(3);
    // Four devices of four accounts: six pieces of a stripe find a place, two accounts with two each.
    world.assert_all_held();
    let mut world = World::new(9, MIRRORED, 1, 1, 6);
    world.periods(2);
    assert_eq!(world.holders(0).len(), 1, "no account holds a piece twice");
    assert!(!world.is_nothing_here());
}

#[test]
fn a_member_s_marks_are_in_order_and_leave_room_before_the_period_ends() {
    for place in 0..7 {
        let marks = Marks::of(place);
        assert!(marks.asks < marks.certifies && marks.certifies < 1_000);
        assert!(marks.challenges < 1_000);
        if place > 0 {
            let before = Marks::of(place - 1);
            assert!(before.asks <= marks.asks && before.challenges <= marks.challenges);
        }
    }
}

/// A contract with one piece that one device holds from period 1 on, in periods of so many blocks, and what the chain says
/// of it at a block of the clock.
fn held(period_blocks: u32) -> (Keeping, DeviceId, impl Fn(u32, Option<u32>) -> Event) {
    let plan = Plan::of(Layout::Mirrored { copies: 1 }, 1 << 20).unwrap();
    let list = PieceList::new(plan, &[Digest([1; 32])]).unwrap();
    let terms = Terms {
        period_blocks,
        ..world::TERMS
    };
    let offer = list.offer([7; 16], 100);
    let contract = life::open(AccountId::new([9; 32]), offer, terms, 1 << 60, 1).unwrap();
    let device = DeviceId([5; 32]);
    let holding = Holding {
        account: AccountId::new([5; 32]),
        chunk_root: Digest([1; 32]),
        bytes: list.entries()[0].bytes,
        price: 1,
        since: 1,
        until: None,
        paid: Default::default(),
        is_challenged: false,
        proved_in: None,
    };
    let seen = move |clock: u32, paid: Option<u32>| {
        let mut holding = holding.clone();
        if let Some(period) = paid {
            holding.paid.count = 1;
            holding.paid.newest = period;
            holding.paid.bits = 1;
        }
        let held = Held { piece: 0, device };
        Event::Seen(Box::new(Seen {
            clock,
            contract: Some(contract.clone()),
            holdings: [(held, holding)].into(),
            randomness: Some((clock / period_blocks, Digest([3; 32]))),
        }))
    };
    let mut keeping = Keeping::new(ContractId([8; 32]), 0, plan);
    keeping.step(seen(period_blocks - 1, None));
    keeping.step(Event::Here(Candidate {
        device,
        account: AccountId::new([5; 32]),
        region: Region::Europe,
        free_bytes: 0,
        rank: 1,
        missed_at: None,
    }));
    (keeping, device, seen)
}

#[test]
fn however_short_a_period_is_who_has_not_proved_is_challenged_early_enough_in_it() {
    let blocks = u32::try_from(Parameter::StoragePeriod.row().least).unwrap();
    let (mut keeping, _, seen) = held(blocks);
    let mut challenged = Vec::new();
    for block in 0..blocks {
        for (id, order) in keeping.step(seen(blocks + block, None)) {
            match order {
                Order::Challenge(_) => challenged.push(block),
                Order::Prove { .. } => drop(keeping.step(Event::Done(id, Outcome::Failed))),
                _ => {}
            }
        }
    }
    let [at] = challenged[..] else {
        panic!("it is not challenged once: {challenged:?}");
    };
    assert!(at + CALL_BLOCKS <= blocks, "at {at} of {blocks}");
}

#[test]
fn pieces_of_a_stripe_wait_a_while_for_other_accounts_and_then_no_longer() {
    let layout = Layout::Coded {
        shards: 2,
        parity: 1,
    };
    let plan = Plan::of(layout, 1 << 20).unwrap();
    let roots: Vec<_> = (1..=3).map(|it| Digest([it; 32])).collect();
    let list = PieceList::new(plan, &roots).unwrap();
    let offer = list.offer([7; 16], 100);
    let terms = Terms {
        period_blocks: 100,
        ..world::TERMS
    };
    let contract = life::open(AccountId::new([9; 32]), offer, terms, 1 << 60, 1).unwrap();
    let seen = |clock| {
        Event::Seen(Box::new(Seen {
            clock,
            contract: Some(contract.clone()),
            holdings: Default::default(),
            randomness: None,
        }))
    };
    let here = |number: u8| {
        Event::Here(Candidate {
            device: DeviceId([number; 32]),
            account: AccountId::new([number; 32]),
            region: Region::Europe,
            free_bytes: 1 << 40,
            rank: number.into(),
            missed_at: None,
        })
    };
    let begun = || {
        let mut keeping = Keeping::new(ContractId([8; 32]), 0, plan);
        keeping.step(seen(1));
        (0..3).for_each(|piece| drop(keeping.step(Event::Brought(piece))));
        keeping
    };
    let takers = |orders: Vec<(OrderId, Order)>| -> Vec<DeviceId> {
        let takers = orders.iter().filter_map(|(_, order)| match order {
            Order::Take { device, .. } => Some(*device),
            _ => None,
        });
        takers.collect()
    };
    let device = |number: u8| DeviceId([number; 32]);
    let mut keeping = begun();
    assert_eq!(takers(keeping.step(here(1))), [device(1)]);
    assert_eq!(takers(keeping.step(here(2))), [device(2)]);
    assert_eq!(takers(keeping.step(here(3))), [device(3)]);
    // Nobody else comes.
    let mut keeping = begun();
    assert_eq!(takers(keeping.step(here(1))), [device(1)]);
    assert_eq!(takers(keeping.step(seen(5))), []);
    assert_eq!(takers(keeping.step(seen(6))), [device(1), device(1)]);
}

#[test]
fn who_is_paid_is_asked_and_paid_no_more_before_that_is_seen() {
    let (mut keeping, _, seen) = held(100);
    let orders = keeping.step(seen(101, None));
    let [(prove, Order::Prove { .. })] = orders[..] else {
        panic!("it is not asked: {orders:?}");
    };
    let orders = keeping.step(Event::Done(prove, Outcome::Done));
    let [(certify, Order::Certify { .. })] = orders[..] else {
        panic!("it is not paid: {orders:?}");
    };
    assert_eq!(keeping.step(Event::Done(certify, Outcome::Done)), []);
    // What is seen next is older than that.
    assert_eq!(keeping.step(seen(103, None)), []);
    assert_eq!(keeping.step(seen(104, Some(1))), []);
    // In the next period it is asked again.
    let orders = keeping.step(seen(201, Some(1)));
    assert!(
        matches!(orders[..], [(_, Order::Prove { .. })]),
        "{orders:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever devices do, as long as no more of a stripe fail between two repairs than it has parity: nothing is lost,
    /// nobody is paid for a period in which it had nothing, and who keeps what it took is paid for all of it.
    #[test]
    fn nothing_is_lost_and_nobody_is_paid_for_nothing(
        seed in any::<u64>(), members in 1usize..4, is_coded: bool,
        failures in proptest::collection::vec((0u32..6, 0u8..3), 0..6),
    ) {
        let layout = if is_coded { CODED } else { MIRRORED };
        live_through(World::new(seed, layout, 14, members, 40), &failures);
    }
}

/// A contract that begins well, and then of pieces in turn the device that holds them fails: it erases what it has, or
/// leaves, or keeps nothing from then on.
fn live_through(mut world: World, failures: &[(u32, u8)]) {
    world.periods(2);
    for (piece, how) in failures {
        let device = world.holder_of(piece % world.pieces());
        match how {
            0 => world.devices.get_mut(&device).unwrap().has.clear(),
            1 => world.leaves(&device),
            _ => {
                let device = world.devices.get_mut(&device).unwrap();
                device.manner = Manner::KeepsNothing;
                device.has.clear();
            }
        }
        world.periods(3);
    }
    world.assert_recoverable();
    world.assert_all_held();
    world.assert_nobody_paid_for_nothing();
    assert!(world.is_nothing_here(), "what is held is not kept here");
}

/// A liar is the best by rank, so it would be given again what it was found not to have, and be the only holder when the
/// other one loses its own.
#[test]
fn who_missed_a_piece_is_not_given_it_again_where_there_are_others() {
    let world = World::new(5_396_232_825_490_011_575, MIRRORED, 14, 2, 40);
    live_through(world, &[(0, 1), (0, 2), (2, 0)]);
}
