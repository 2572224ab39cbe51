//! Random histories of a contract: what is accepted and where the money is must be the model's.

use crate::{
    Kept, MEMBER, OPERATORS, OWNER, STRANGER, TREASURY, device,
    model::{self, Model},
    terms,
    world::{BOND, CONTRACT, FREE, World, held},
};
use codec::Encode;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use quern_custody_rules::pay;
use quern_primitives::{
    amount::Amount,
    custody::{HoldConsent, Offer, ShortProof, Step},
    ids::AccountId,
    merkle::Tree,
};
use std::{collections::BTreeMap, sync::LazyLock};

const DEVICES: u8 = 3;
const COPIES: u8 = 2;
const PERIODS: u32 = 40;

/// Pieces that are shown in one, two and four parts.
static PIECES: LazyLock<Vec<Kept>> = LazyLock::new(|| {
    let bytes = [5_000, 9 * 4_096, 40 * 4_096 + 1];
    let pieces = (0..).zip(bytes);
    pieces
        .map(|(number, bytes)| Kept::patterned(number, bytes))
        .collect()
});

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let entries = (0..).zip(PIECES.iter());
    Tree::new(entries.map(|(piece, kept)| kept.entry(piece).encode()))
});

/// A device and a piece.
type Key = (u8, u32);

/// Something that may happen, sensible or not.
#[derive(Clone, Debug)]
enum Happening {
    Blocks(u32),
    Hold {
        key: Key,
        lie: u8,
    },
    Release {
        key: Key,
        by: u8,
    },
    Pay {
        key: Key,
        back: u32,
    },
    Challenge {
        key: Key,
        by: u8,
    },
    Answer {
        key: Key,
        part: u8,
        is_right: bool,
    },
    AnswerAll {
        key: Key,
    },
    Miss {
        key: Key,
    },
    Renew {
        by: u8,
        periods: u32,
        deposit: Amount,
    },
    End {
        by: u8,
    },
    Close,
    Forget {
        key: Key,
    },
    Review {
        device: u8,
    },
}

fn key() -> impl Strategy<Value = Key> {
    (0..DEVICES, 0u32..3)
}

/// Who acts: mostly the owner or a member.
fn anybody() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0u8), 4 => Just(1u8), 1 => Just(2u8), 2 => Just(3u8)]
}

fn account(by: u8, key: Key) -> AccountId {
    match by {
        0 => OWNER,
        1 => MEMBER,
        2 => STRANGER,
        _ => device(key.0).1,
    }
}

/// What happens while a contract runs.
fn happening() -> impl Strategy<Value = Happening> {
    let blocks = prop_oneof![9 => 1u32..15, 1 => 15u32..60];
    let lie = prop_oneof![12 => Just(0u8), 1 => 1u8..7];
    let back = prop_oneof![9 => 0u32..5, 1 => 5u32..70];
    prop_oneof![
        30 => blocks.prop_map(Happening::Blocks),
        30 => (key(), lie).prop_map(|(key, lie)| Happening::Hold { key, lie }),
        2 => (key(), anybody()).prop_map(|(key, by)| Happening::Release { key, by }),
        30 => (key(), back).prop_map(|(key, back)| Happening::Pay { key, back }),
        36 => (key(), anybody()).prop_map(|(key, by)| Happening::Challenge { key, by }),
        24 => (key(), 0u8..5, prop::bool::weighted(0.8))
            .prop_map(|(key, part, is_right)| Happening::Answer { key, part, is_right }),
        14 => key().prop_map(|key| Happening::AnswerAll { key }),
        18 => key().prop_map(|key| Happening::Miss { key }),
        4 => (anybody(), 0u32..30, 0u128..9_000)
            .prop_map(|(by, periods, deposit)| Happening::Renew { by, periods, deposit }),
        1 => anybody().prop_map(|by| Happening::End { by }),
        1 => Just(Happening::Close),
        6 => key().prop_map(|key| Happening::Forget { key }),
        1 => (0..DEVICES).prop_map(|device| Happening::Review { device }),
    ]
}

/// A challenge that nobody answers.
fn loss() -> impl Strategy<Value = Vec<Happening>> {
    let of = |(key, by)| {
        [
            Happening::Challenge { key, by },
            Happening::Blocks(16),
            Happening::Miss { key },
            Happening::Blocks(1),
        ]
    };
    (key(), 0u8..2).prop_map(move |it| of(it).to_vec())
}

/// What happens when it is over, or nearly so.
fn late_happening() -> impl Strategy<Value = Happening> {
    let blocks = prop_oneof![3 => 1u32..60, 2 => 500u32..800, 1 => Just(302_400u32)];
    prop_oneof![
        8 => blocks.prop_map(Happening::Blocks),
        4 => (key(), 0u32..70).prop_map(|(key, back)| Happening::Pay { key, back }),
        2 => key().prop_map(|key| Happening::AnswerAll { key }),
        4 => key().prop_map(|key| Happening::Miss { key }),
        1 => Just(Happening::Close),
        6 => key().prop_map(|key| Happening::Forget { key }),
        6 => (0..DEVICES).prop_map(|device| Happening::Review { device }),
        1 => happening(),
    ]
}

/// What a device signs for a piece, or something that is not the contract's or not signed.
fn taking(now: u32, key: Key, lie: u8) -> (HoldConsent, ShortProof, bool) {
    let (number, piece) = key;
    let (device, account) = device(number);
    let mut consent = HoldConsent {
        contract: CONTRACT,
        device,
        account,
        since: now / 10 + 1,
        entry: PIECES[piece as usize].entry(piece),
        terms: terms(),
    };
    let mut proof: ShortProof = TREE.proof(piece).unwrap().try_into().unwrap();
    match lie {
        1 => consent.entry.chunk_root.0[0] ^= 1,
        2 => consent.entry.bytes += 1,
        3 => proof.count += 1,
        4 => consent.terms.rate += 1,
        5 => consent.since -= 1,
        _ => {}
    }
    (consent, proof, lie != 6)
}

fn answer(world: &mut World, key: Key, part: u8, is_right: bool) -> bool {
    let held = held(key.0, key.1);
    let Some(open) = world.challenges.get(&held) else {
        return false;
    };
    let Some(mut answer) = PIECES[key.1 as usize].answer(open, part) else {
        return false;
    };
    if !is_right {
        answer.chunks[0].bytes[0] ^= 1;
    }
    world.answer(&held, &answer).unwrap().is_ok()
}

fn step(step: Step) -> model::Step {
    match step {
        Step::Known => model::Step::Known,
        Step::Warning => model::Step::Warning,
        Step::Containment => model::Step::Containment,
        Step::Penalty => model::Step::Penalty,
    }
}

/// Lets one thing happen to both, and says what each says of it.
fn happen(world: &mut World, model: &mut Model, happening: &Happening) -> (bool, bool) {
    let on = |key: Key| held(key.0, key.1);
    match *happening {
        Happening::Blocks(blocks) => {
            (world.now, model.now) = (world.now + blocks, model.now + blocks);
            (true, true)
        }
        Happening::Hold { key, lie } => {
            let (consent, proof, is_signed) = taking(world.now, key, lie);
            let said = world.hold(&consent, &proof, is_signed).is_ok();
            (said, model.hold(key, lie == 0))
        }
        Happening::Release { key, by } => {
            // The group's word is that of more than half of it, which the pallet looks at.
            let said = world.release(&on(key), &account(by, key), by == 1);
            (said, model.release(key, by != 2))
        }
        Happening::Pay { key, back } => {
            let period = (world.now / 10 + 1).saturating_sub(back);
            let said = world.pay(&on(key), period).is_some_and(|it| it.is_ok());
            (said, model.pay(key, period))
        }
        Happening::Challenge { key, by } => {
            let said = world.challenge(&on(key), &account(by, key));
            (said, model.challenge(key, by == 0, by < 2))
        }
        Happening::Answer {
            key,
            part,
            is_right,
        } => {
            let said = answer(world, key, part, is_right);
            (said, model.answer(key, part, is_right))
        }
        Happening::AnswerAll { key } => {
            let said = (0..4)
                .filter(|part| answer(world, key, *part, true))
                .count();
            let expected = (0..4).filter(|part| model.answer(key, *part, true)).count();
            assert_eq!(said, expected);
            (said > 0, expected > 0)
        }
        Happening::Miss { key } => {
            let said = world.miss(&on(key)).map(step);
            let expected = model.miss(key, BOND);
            assert_eq!(said, expected);
            (said.is_some(), expected.is_some())
        }
        Happening::Renew {
            by,
            periods,
            deposit,
        } => {
            let said = world.renew(&account(by, (0, 0)), periods, deposit);
            (said, model.renew(by == 0, periods, deposit))
        }
        Happening::End { by } => (world.end(&account(by, (0, 0))), model.end(by == 0)),
        Happening::Close => (world.close(), model.close()),
        Happening::Forget { key } => (world.forget(&on(key)), model.forget(key)),
        Happening::Review { device } => (world.review(device), model.review(device)),
    }
}

/// What both say of money and of who holds what.
fn compare(world: &World, model: &Model) -> Result<(), TestCaseError> {
    let escrow = &world.contract.escrow;
    prop_assert_eq!(escrow.deposited, model.deposited);
    prop_assert_eq!(escrow.paid, model.paid());
    prop_assert_eq!(escrow.network, model.network);
    prop_assert_eq!(escrow.refunded, model.refunded);
    prop_assert_eq!(escrow.held, model.held());
    prop_assert_eq!(escrow.reserved, model.reserved());
    prop_assert_eq!(
        (world.is_closed, world.contract.ends),
        (model.is_closed, model.ends)
    );
    prop_assert_eq!(world.contract.running, model.running());
    prop_assert_eq!(world.holdings.len(), model.holdings.len());
    prop_assert_eq!(world.burnt, model.burnt);
    for number in 0..DEVICES {
        let (device, account) = device(number);
        let of = |amounts: &BTreeMap<u8, u128>| amounts.get(&number).copied().unwrap_or_default();
        let earned = of(&model.holders) + of(&model.comforts);
        prop_assert_eq!(world.free[&account], FREE + earned);
        let bond = model.bonds.get(&number).copied().unwrap_or(BOND);
        prop_assert_eq!(world.bonds[&account], bond);
        let standing = world.standings.get(&device).copied().unwrap_or_default();
        let is_contained = standing.contained_at.is_some();
        prop_assert_eq!(is_contained, model.is_contained(number));
    }
    let network = world.free[&OPERATORS] + world.free[&TREASURY];
    prop_assert_eq!(network, 2 * FREE + model.network);
    let put_up = |account| {
        let open = world.challenges.values().filter(|it| it.opener == account);
        open.map(|it| it.bond as i128).sum::<i128>()
    };
    let member = world.free[&MEMBER] as i128 + put_up(MEMBER);
    prop_assert_eq!(member, FREE as i128 + model.member);
    let spent = (model.deposited - model.refunded) as i128;
    let owner = world.free[&OWNER] as i128 + put_up(OWNER);
    prop_assert_eq!(owner, FREE as i128 - spent + model.owner);
    Ok(())
}

fn offer() -> Offer {
    Offer {
        salt: [0; 16],
        pieces_root: TREE.root(),
        pieces: 3,
        copies: COPIES,
        periods: PERIODS,
    }
}

fn history() -> impl Strategy<Value = (Amount, Vec<Happening>)> {
    let deposit = prop_oneof![4 => 60_000u128..400_000, 1 => 0u128..60_000];
    let one = happening().prop_map(|it| vec![it]);
    let early = prop::collection::vec(prop_oneof![14 => one, 1 => loss()], 20..200);
    let late = prop::collection::vec(late_happening(), 0..30);
    (deposit, early, late).prop_map(|(deposit, early, late)| {
        let early = early.into_iter().flatten();
        (deposit, early.chain(late).collect())
    })
}

/// Lets a history happen to both, and returns how often which kind of thing was accepted.
fn play(history: (Amount, Vec<Happening>)) -> Result<BTreeMap<String, u32>, TestCaseError> {
    let (deposit, happenings) = history;
    let bytes: Vec<_> = PIECES.iter().map(|kept| kept.bytes.len()).collect();
    let mut world = World::new(offer(), terms(), deposit, DEVICES);
    let mut model = Model::new(&bytes, COPIES.into(), PERIODS, deposit);
    let (all, mut accepted) = (world.all_money(), BTreeMap::new());
    for happening in happenings {
        let (said, expected) = happen(&mut world, &mut model, &happening);
        prop_assert_eq!(said, expected, "{:?} in block {}", happening, world.now);
        world.check();
        prop_assert_eq!(world.all_money(), all);
        compare(&world, &model)?;
        if said {
            let name = format!("{happening:?}");
            let kind = name.split([' ', '(']).next().unwrap_or_default();
            *accepted.entry(kind.to_owned()).or_default() += 1;
        }
        if world.is_closed {
            break;
        }
    }
    for miss in &world.evidence {
        *accepted.entry(format!("{:?}", miss.step)).or_default() += 1;
    }
    Ok(accepted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_history_leaves_money_and_pieces_where_the_model_says(history in history()) {
        play(history)?;
    }
}

#[test]
fn random_histories_reach_every_step_and_every_end() {
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..512 {
        let history = history().new_tree(&mut runner).unwrap().current();
        for (kind, times) in play(history).unwrap() {
            *reached.entry(kind).or_default() += times;
        }
    }
    let kinds = "Hold Release Pay Challenge Answer AnswerAll Miss Renew End Close Forget Review \
                 Known Warning Containment Penalty";
    for kind in kinds.split_whitespace() {
        let times = reached.get(kind).copied().unwrap_or_default();
        assert!(times > 0, "{kind} {times} times: {reached:?}");
    }
}

#[test]
fn what_is_never_paid_goes_back_when_nothing_can_be_paid_any_more() {
    let mut world = World::new(offer(), terms(), 100_000, DEVICES);
    let (consent, proof, _) = taking(0, (0, 2), 0);
    world.hold(&consent, &proof, true).unwrap();
    let held = held(0, 2);
    let price = world.holdings[&held].price;
    assert_eq!(world.contract.escrow.reserved, 40 * price);
    world.now = 30;
    for period in 1..=3 {
        assert_eq!(world.pay(&held, period), Some(Ok(())));
    }
    assert_eq!(world.contract.escrow.reserved, 37 * price);
    // The last period is 40; it is paid until 63 others have begun.
    world.now = (40 + 64) * 10 - 1;
    assert!(!world.close() && !world.forget(&held));
    world.now += 1;
    let from = 41;
    assert_eq!(
        world.pay(&held, 40),
        Some(Err(pay::PayError::TooLate { from }))
    );
    assert!(world.forget(&held));
    assert_eq!(world.contract.escrow.reserved, 0);
    assert!(world.close());
    world.check();
    assert_eq!(world.contract.escrow.refunded, 100_000 - 3 * price);
}

#[test]
fn a_piece_is_held_only_if_its_pay_to_the_end_is_there() {
    let (consent, proof, _) = taking(0, (0, 2), 0);
    let price = 7_777_777 * PIECES[2].bytes.len() as u128 / (1 << 30);
    let mut short = World::new(offer(), terms(), 40 * price - 1, DEVICES);
    let refused = short.hold(&consent, &proof, true).unwrap_err();
    let missing = 1;
    assert_eq!(
        refused,
        quern_custody_rules::holding::HoldError::NotCovered { missing }
    );
    let mut enough = World::new(offer(), terms(), 40 * price, DEVICES);
    assert_eq!(enough.hold(&consent, &proof, true), Ok(()));
    // And it is not put off further than there is money for.
    assert!(!enough.renew(&OWNER, 1, price - 1));
    assert!(enough.renew(&OWNER, 1, price));
}
