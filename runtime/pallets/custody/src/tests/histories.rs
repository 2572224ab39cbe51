//! Random histories of several contracts, owners and groups that wish holders ill among them: what always holds
//! does after every call, no money comes or goes, and no holder that keeps its word loses a unit.

use super::*;
use crate::{Challenges, Contracts, Remains};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use quern_primitives::custody::{Offer, Terms};
use std::collections::BTreeMap;

/// Steps of a history while contracts run, and when they are nearly over.
const EARLY: usize = 80;
const LATE: usize = 30;

/// The first devices answer whatever they are asked, each in the last block; the last has lost everything.
const HONEST: u8 = DEVICES - 1;

/// Which of those who may act does.
type By = usize;

/// A call, sensible or not, or something that befalls the chain. Contracts are named by their place among those
/// that were opened.
#[derive(Clone, Debug)]
enum Step {
    /// So many heights of the clock, in blocks that have room for what is due or not.
    Pass(u32, bool),
    Open {
        by: By,
        salt: u8,
        copies: u8,
        periods: u32,
        deposit: u128,
    },
    Hold(usize, u32, u8, By),
    Prove {
        contract: usize,
        back: u32,
        holders: Vec<(u32, u8)>,
        voices: usize,
    },
    Challenge(usize, u32, u8, By),
    /// One of the pieces of who has lost everything is asked for.
    Lose(usize),
    Miss(usize, u32, u8),
    Release(usize, u32, u8, By),
    Forget(usize, u32, u8),
    Renew(usize, By, u32, u128),
    End(usize, By),
    Close(usize),
    Review(u8),
    /// The council's terms for contracts to come.
    Terms(u32, u128),
    /// Which masternode is none for now, if one is not.
    Roster(usize),
    /// Whether the chain has randomness.
    Chance(bool),
}

/// A contract, a piece of it, and a device.
fn holding() -> impl Strategy<Value = (usize, u32, u8)> {
    (0usize..4, 0u32..3, 0..DEVICES)
}

/// A contract with money for some of its pieces.
fn opening() -> impl Strategy<Value = Step> {
    let open = (0usize..6, 0u8..4, 1u8..4, 1u32..60, 20_000u128..400_000);
    open.prop_map(|(by, salt, copies, periods, deposit)| Step::Open {
        by,
        salt,
        copies,
        periods,
        deposit,
    })
}

/// What happens while contracts run.
fn step() -> impl Strategy<Value = Step> {
    let (contract, by) = (|| 0usize..4, || 0usize..6);
    let pass = prop_oneof![14 => 1u32..16, 1 => 16u32..60];
    let holders = prop::collection::vec((0u32..3, 0..DEVICES), 1..6);
    prop_oneof![
        12 => (pass, any::<bool>()).prop_map(|(blocks, room)| Step::Pass(blocks, room)),
        3 => opening(),
        30 => (holding(), by()).prop_map(|((a, b, c), by)| Step::Hold(a, b, c, by)),
        14 => (contract(), 0u32..4, holders, 1usize..4).prop_map(
            |(contract, back, holders, voices)| Step::Prove { contract, back, holders, voices },
        ),
        20 => (holding(), by()).prop_map(|((a, b, c), by)| Step::Challenge(a, b, c, by)),
        8 => (0usize..9).prop_map(Step::Lose),
        8 => (0usize..4, 0u32..3).prop_map(|(a, b)| Step::Miss(a, b, HONEST)),
        2 => (holding(), by()).prop_map(|((a, b, c), by)| Step::Release(a, b, c, by)),
        3 => holding().prop_map(|(a, b, c)| Step::Forget(a, b, c)),
        2 => (contract(), by(), 0u32..20, 0u128..9_000)
            .prop_map(|(a, by, periods, deposit)| Step::Renew(a, by, periods, deposit)),
        1 => (contract(), by()).prop_map(|(a, by)| Step::End(a, by)),
        1 => contract().prop_map(Step::Close),
        1 => (prop_oneof![Just(10u32), Just(14), Just(3)], 1u128..20_000_000)
            .prop_map(|(blocks, rate)| Step::Terms(blocks, rate)),
        1 => (0usize..6).prop_map(Step::Roster),
        1 => prop::bool::weighted(0.9).prop_map(Step::Chance),
    ]
}

/// What happens when they are over, or nearly so.
fn late_step() -> impl Strategy<Value = Step> {
    let pass = prop_oneof![3 => 1u32..60, 3 => 500u32..900, 1 => Just(302_400u32)];
    prop_oneof![
        6 => (pass, any::<bool>()).prop_map(|(blocks, room)| Step::Pass(blocks, room)),
        8 => holding().prop_map(|(a, b, c)| Step::Forget(a, b, c)),
        4 => (0usize..4).prop_map(Step::Close),
        4 => Just(Step::Review(HONEST)),
        4 => step(),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let early = prop::collection::vec(step(), EARLY);
    let late = prop::collection::vec(late_step(), LATE);
    (opening(), early, late).prop_map(|(first, early, late)| {
        let first = [first, Step::Pass(1, true)];
        first.into_iter().chain(early).chain(late).collect()
    })
}

/// Who acts: owners and masternodes mostly.
fn actor(by: By) -> AccountId {
    let all = [OWNER, OTHER_OWNER].into_iter().chain(MASTERNODES);
    all.chain([STRANGER]).nth(by).unwrap()
}

/// The contracts that were opened.
#[derive(Default)]
struct World {
    contracts: Vec<ContractId>,
    /// What each honest holder had when it was last looked at.
    had: BTreeMap<u8, u128>,
}

impl World {
    fn id(&self, contract: usize) -> ContractId {
        let count = self.contracts.len().max(1);
        let id = self.contracts.get(contract % count).copied();
        id.unwrap_or(ContractId([0; 32]))
    }

    fn place(&self, contract: usize, piece: u32, number: u8) -> Place {
        place(self.id(contract), piece, number)
    }

    /// What must hold after every call.
    fn check(&mut self, all: u128) -> Result<(), TestCaseError> {
        // Whatever nothing is left of makes room for others.
        let is_there = |id: &ContractId| {
            Contracts::<Test>::contains_key(id) || Remains::<Test>::contains_key(id)
        };
        self.contracts.retain(is_there);
        Custody::do_try_state().unwrap();
        prop_assert_eq!(all_money(), all);
        for number in 0..HONEST {
            let has = free(&account_of(number));
            let had = self.had.insert(number, has).unwrap_or(ENDOWMENT);
            prop_assert!(has >= had, "{} had {} and has {}", number, had, has);
            prop_assert_eq!(Bonds::get(account_of(number)), BOND);
            prop_assert_eq!(Custody::standing(&device(number)), Default::default());
        }
        Ok(())
    }
}

/// Lets the clock go on; who is honest answers at the last height at which it may.
fn pass_honestly(blocks: u32, has_room: bool) -> Result<(), TestCaseError> {
    let end = Clock::get() + blocks;
    let honest = |place: &Place| (0..HONEST).find(|it| device(*it) == place.holder);
    loop {
        let asked = Challenges::<Test>::iter().filter_map(|(place, open)| {
            let number = honest(&place)?;
            Some((open.due, place, number))
        });
        let Some((due, place, number)) = asked.min().filter(|(due, ..)| *due < end) else {
            break;
        };
        if due > Clock::get() {
            clock_to(due);
        }
        answer_all(&place, number);
        prop_assert_eq!(Custody::challenge_of(&place), None);
    }
    clock_to(end);
    if has_room {
        idle();
    }
    Ok(())
}

/// Takes a step, and says by what name it went and whether it was accepted.
fn take(world: &mut World, step: Step) -> Result<(&'static str, bool), TestCaseError> {
    Ok(match step {
        Step::Pass(blocks, has_room) => {
            pass_honestly(blocks, has_room)?;
            ("pass", true)
        }
        Step::Open {
            by,
            salt,
            copies,
            periods,
            deposit,
        } => {
            let owner = actor(by);
            let offer = Offer {
                copies,
                periods,
                ..offer(salt)
            };
            let said = Custody::open(signed(&owner), offer, TermsOfNow::get(), deposit).is_ok();
            let id = id_of(&owner, salt);
            if said && !world.contracts.contains(&id) {
                world.contracts.push(id);
            }
            ("open", said)
        }
        Step::Hold(contract, piece, number, by) => {
            let place = world.place(contract, piece, number);
            let word = signed_by(number, consent(&place, number));
            let said = Custody::hold(signed(&actor(by)), word, path(piece));
            ("hold", said.is_ok())
        }
        Step::Prove {
            contract,
            back,
            holders,
            voices,
        } => {
            let id = world.id(contract);
            let Some(kept) = Custody::contract(&id) else {
                return Ok(("prove", false));
            };
            let mut places: Vec<_> = holders
                .into_iter()
                .map(|(piece, number)| place(id, piece, number))
                .collect();
            places.sort();
            places.dedup();
            let period = (Clock::get() / kept.terms.period_blocks + 1).saturating_sub(back);
            let done = proved(id, period, &places);
            let group = Custody::group(&id);
            let by = group.map_or(STRANGER, |group| group.members[0].account.clone());
            let certificates = words(&done, &[0, 1, 2][..voices.min(3)]);
            let said = Custody::prove(signed(&by), done, certificates);
            ("prove", said.is_ok())
        }
        Step::Challenge(contract, piece, number, by) => {
            let place = world.place(contract, piece, number);
            ("challenge", challenge(&actor(by), &place).is_ok())
        }
        Step::Lose(which) => {
            let held = Custody::held_by(&device(HONEST), None, 99);
            let Some((place, _)) = held.get(which % held.len().max(1)) else {
                return Ok(("lose", false));
            };
            let owner = Custody::contract(&place.contract).map(|it| it.owner);
            let said = owner.is_some_and(|owner| challenge(&owner, place).is_ok());
            if said {
                // Anything may be shown but not all.
                let _ = answer(place, HONEST, 1);
                pass_honestly(TERMS.answer_blocks + 1, which % 2 == 0)?;
            }
            ("lose", said)
        }
        Step::Miss(contract, piece, number) => {
            let place = world.place(contract, piece, number);
            ("miss", miss(&place).is_ok())
        }
        Step::Release(contract, piece, number, by) => {
            let place = world.place(contract, piece, number);
            let said = Custody::release(signed(&actor(by)), place);
            ("release", said.is_ok())
        }
        Step::Forget(contract, piece, number) => {
            let place = world.place(contract, piece, number);
            ("forget", forget(&place).is_ok())
        }
        Step::Renew(contract, by, periods, deposit) => {
            let id = world.id(contract);
            let said = Custody::renew(signed(&actor(by)), id, periods, deposit);
            ("renew", said.is_ok())
        }
        Step::End(contract, by) => {
            let said = Custody::end(signed(&actor(by)), world.id(contract));
            ("end", said.is_ok())
        }
        Step::Close(contract) => ("close", close(world.id(contract)).is_ok()),
        Step::Review(number) => {
            let said = Custody::review(signed(&account_of(number)), device(number));
            ("review", said.is_ok())
        }
        Step::Terms(period_blocks, rate) => {
            TermsOfNow::set(&Terms {
                period_blocks,
                rate,
                ..TERMS
            });
            ("terms", true)
        }
        Step::Roster(gone) => {
            let all = MASTERNODES.into_iter().enumerate();
            let left = all.filter(|(place, _)| *place != gone);
            MasternodeList::set(&left.map(|(_, account)| account).collect());
            ("roster", true)
        }
        Step::Chance(is_there) => {
            Seed::set(&is_there.then_some(7));
            ("chance", true)
        }
    })
}

/// Lets a history happen, and returns how often what was accepted.
fn play(steps: Vec<Step>) -> Result<BTreeMap<&'static str, u32>, TestCaseError> {
    genesis().execute_with(|| {
        let (all, mut world) = (all_money(), World::default());
        let mut accepted = BTreeMap::new();
        for step in steps {
            let (name, said) = take(&mut world, step)?;
            *accepted.entry(name).or_default() += u32::from(said);
            world.check(all)?;
        }
        Ok(accepted)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_owner_and_no_group_takes_a_unit_from_a_holder_that_keeps_its_word(
        steps in history(),
    ) {
        play(steps)?;
    }
}

/// The random histories above are worth what they reach.
#[test]
fn random_histories_reach_what_they_are_meant_to() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::<&str, u32>::new();
    for _ in 0..100 {
        let steps = history().new_tree(&mut runner).unwrap().current();
        for (name, times) in play(steps).unwrap() {
            *reached.entry(name).or_default() += times;
        }
    }
    let names = [
        "open",
        "hold",
        "prove",
        "challenge",
        "lose",
        "release",
        "forget",
        "renew",
        "end",
        "close",
        "review",
        "miss",
    ];
    for name in names {
        let times = reached.get(name).copied().unwrap_or(0);
        assert!(times >= 5, "{name} was accepted {times} times: {reached:?}");
    }
}
