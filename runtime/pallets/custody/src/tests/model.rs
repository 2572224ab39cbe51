//! Random calls on one contract against the model that the rules are held to: whether each call is accepted, and
//! where every unit of money is afterwards, must be the same.

use super::{
    rules_model::{Model, Step as Told},
    *,
};
use crate::{Holdings, Remains};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use quern_primitives::custody::{Answer, Step};
use std::collections::BTreeMap;

/// Devices that hold pieces here.
const HOLDERS: u8 = 3;

/// The only masternode.
const MEMBER: AccountId = AccountId::new([11; 32]);

/// A device and a piece.
type Key = (u8, u32);

/// A call, sensible or not, or time that passes.
#[derive(Clone, Debug)]
enum Happening {
    Blocks(u32),
    Hold { key: Key, lie: u8 },
    Release { key: Key, by: u8 },
    Prove { key: Key, back: u32 },
    Challenge { key: Key, by: u8 },
    Answer { key: Key, part: u8, is_right: bool },
    AnswerAll { key: Key },
    Miss { key: Key },
    Renew { by: u8, periods: u32, deposit: u128 },
    End { by: u8 },
    Close,
    Forget { key: Key },
    Review { device: u8 },
}

fn key() -> impl Strategy<Value = Key> {
    (0..HOLDERS, 0u32..3)
}

/// Who acts: mostly the owner or the member.
fn anybody() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0u8), 4 => Just(1u8), 1 => Just(2u8), 2 => Just(3u8)]
}

fn account(by: u8, key: Key) -> AccountId {
    match by {
        0 => OWNER,
        1 => MEMBER,
        2 => STRANGER,
        _ => account_of(key.0),
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
        30 => (key(), back).prop_map(|(key, back)| Happening::Prove { key, back }),
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
        1 => (0..HOLDERS).prop_map(|device| Happening::Review { device }),
    ]
}

/// A challenge that nobody answers.
fn loss() -> impl Strategy<Value = Vec<Happening>> {
    (key(), 0u8..2).prop_map(|(key, by)| {
        vec![
            Happening::Challenge { key, by },
            Happening::Blocks(16),
            Happening::Miss { key },
            Happening::Blocks(1),
        ]
    })
}

/// What happens when it is over, or nearly so.
fn late_happening() -> impl Strategy<Value = Happening> {
    let blocks = prop_oneof![3 => 1u32..60, 2 => 500u32..800, 1 => Just(302_400u32)];
    prop_oneof![
        8 => blocks.prop_map(Happening::Blocks),
        4 => (key(), 0u32..70).prop_map(|(key, back)| Happening::Prove { key, back }),
        2 => key().prop_map(|key| Happening::AnswerAll { key }),
        4 => key().prop_map(|key| Happening::Miss { key }),
        1 => Just(Happening::Close),
        6 => key().prop_map(|key| Happening::Forget { key }),
        6 => (0..HOLDERS).prop_map(|device| Happening::Review { device }),
        1 => happening(),
    ]
}

fn history() -> impl Strategy<Value = (u128, Vec<Happening>)> {
    let deposit = prop_oneof![4 => 60_000u128..400_000, 1 => 0u128..60_000];
    let one = happening().prop_map(|it| vec![it]);
    let early = prop::collection::vec(prop_oneof![14 => one, 1 => loss()], 20..150);
    let late = prop::collection::vec(late_happening(), 0..30);
    (deposit, early, late).prop_map(|(deposit, early, late)| {
        let early = early.into_iter().flatten();
        (deposit, early.chain(late).collect())
    })
}

/// The pallet's side: the only contract of the chain.
struct Chain(ContractId);

impl Chain {
    fn place(&self, (number, piece): Key) -> Place {
        place(self.0, piece, number)
    }

    /// Takes a piece by what its device signed, or by something that it did not sign or that is not so.
    fn hold(&self, key: Key, lie: u8) -> bool {
        let mut word = consent(&self.place(key), key.0);
        let mut proof = path(key.1);
        match lie {
            1 => word.entry.chunk_root.0[0] ^= 1,
            2 => word.entry.bytes += 1,
            3 => proof.count += 1,
            4 => word.terms.rate += 1,
            5 => word.since -= 1,
            _ => {}
        }
        let signer = match lie {
            6 => (key.0 + 1) % HOLDERS,
            _ => key.0,
        };
        Custody::hold(signed(&MEMBER), signed_by(signer, word), proof).is_ok()
    }

    fn prove(&self, key: Key, period: u32) -> bool {
        let done = proved(self.0, period, &[self.place(key)]);
        let certificates = words(&done, &[0]);
        Custody::prove(signed(&MEMBER), done, certificates).is_ok()
    }

    fn answer(&self, key: Key, part: u8, is_right: bool) -> bool {
        let place = self.place(key);
        let open = Custody::challenge_of(&place);
        let answer = open.and_then(|open| PIECES[key.1 as usize].answer(&open, part));
        let Some(mut answer): Option<Answer> = answer else {
            return false;
        };
        if !is_right {
            answer.chunks[0].bytes[0] ^= 1;
        }
        Custody::answer(signed(&account_of(key.0)), place, answer).is_ok()
    }

    fn miss(&self, key: Key) -> Option<Told> {
        let place = self.place(key);
        miss(&place).ok()?;
        let last = Custody::misses_of(&place.holder).pop()?;
        Some(match last.step {
            Step::Known => Told::Known,
            Step::Warning => Told::Warning,
            Step::Containment => Told::Containment,
            Step::Penalty => Told::Penalty,
        })
    }
}

/// Lets one thing happen to both, and says what each says of it.
fn happen(chain: &Chain, model: &mut Model, happening: &Happening) -> (bool, bool) {
    match *happening {
        Happening::Blocks(blocks) => {
            pass(blocks);
            model.now += blocks;
            (true, true)
        }
        Happening::Hold { key, lie } => (chain.hold(key, lie), model.hold(key, lie == 0)),
        Happening::Release { key, by } => {
            let said = Custody::release(signed(&account(by, key)), chain.place(key));
            (said.is_ok(), model.release(key, by != 2))
        }
        Happening::Prove { key, back } => {
            let period = (model.now / 10 + 1).saturating_sub(back);
            (chain.prove(key, period), model.pay(key, period))
        }
        Happening::Challenge { key, by } => {
            let said = challenge(&account(by, key), &chain.place(key));
            (said.is_ok(), model.challenge(key, by == 0, by < 2))
        }
        Happening::Answer {
            key,
            part,
            is_right,
        } => (
            chain.answer(key, part, is_right),
            model.answer(key, part, is_right),
        ),
        Happening::AnswerAll { key } => {
            let said = (0..4).filter(|part| chain.answer(key, *part, true)).count();
            let expected = (0..4).filter(|part| model.answer(key, *part, true)).count();
            assert_eq!(said, expected);
            (said > 0, expected > 0)
        }
        Happening::Miss { key } => {
            let (said, expected) = (chain.miss(key), model.miss(key, BOND));
            assert_eq!(said, expected);
            (said.is_some(), expected.is_some())
        }
        Happening::Renew {
            by,
            periods,
            deposit,
        } => {
            let by_whom = signed(&account(by, (0, 0)));
            let said = Custody::renew(by_whom, chain.0, periods, deposit);
            (said.is_ok(), model.renew(by == 0, periods, deposit))
        }
        Happening::End { by } => {
            let said = Custody::end(signed(&account(by, (0, 0))), chain.0);
            (said.is_ok(), model.end(by == 0))
        }
        Happening::Close => (close(chain.0).is_ok(), model.close()),
        Happening::Forget { key } => {
            let said = forget(&chain.place(key));
            (said.is_ok(), model.forget(key))
        }
        Happening::Review { device: number } => {
            let said = Custody::review(signed(&account_of(number)), device(number));
            (said.is_ok(), model.review(number))
        }
    }
}

/// What both say of money and of who holds what.
fn compare(chain: &Chain, model: &Model) -> Result<(), TestCaseError> {
    // There is one contract.
    let totals = Custody::totals();
    prop_assert_eq!(totals.deposited, model.deposited);
    prop_assert_eq!(totals.paid, model.paid());
    prop_assert_eq!(totals.network, model.network);
    prop_assert_eq!(totals.refunded, model.refunded);
    prop_assert_eq!(totals.held, model.held());
    prop_assert_eq!(totals.reserved, model.reserved());
    let contract = Custody::contract(&chain.0);
    prop_assert_eq!(contract.is_none(), model.is_closed);
    if let Some(contract) = contract {
        prop_assert_eq!(contract.ends, model.ends);
        prop_assert_eq!(contract.running, model.running());
    }
    let holdings = Holdings::<Test>::iter().count();
    prop_assert_eq!(holdings, model.holdings.len());
    prop_assert_eq!(Burnt::get(), model.burnt);
    for number in 0..HOLDERS {
        let account = account_of(number);
        let of = |amounts: &BTreeMap<u8, u128>| amounts.get(&number).copied().unwrap_or_default();
        let earned = of(&model.holders) + of(&model.comforts);
        prop_assert_eq!(free(&account), ENDOWMENT + earned);
        let bond = model.bonds.get(&number).copied().unwrap_or(BOND);
        prop_assert_eq!(Bonds::get(&account), bond);
        let is_contained = Custody::is_contained(&device(number));
        prop_assert_eq!(is_contained, model.is_contained(number));
    }
    let with_bonds = |account: &AccountId| (free(account) + Custody::put_up_by(account)) as i128;
    // The member certifies all, so it gets what operators do.
    let network = with_bonds(&MEMBER) + free(&TreasuryAccount::get()) as i128;
    let expected = (ENDOWMENT + model.network) as i128 + model.member;
    prop_assert_eq!(network, expected);
    let spent = (model.deposited - model.refunded) as i128;
    let owner = ENDOWMENT as i128 - spent + model.owner;
    prop_assert_eq!(with_bonds(&OWNER), owner);
    Ok(())
}

/// Lets a history happen to both, and returns how often which kind of thing was accepted.
fn play(history: (u128, Vec<Happening>)) -> Result<BTreeMap<String, u32>, TestCaseError> {
    genesis().execute_with(|| {
        let (deposit, happenings) = history;
        MasternodeList::set(&vec![MEMBER]);
        SizeOfGroups::set(&1);
        let opened = Custody::open(signed(&OWNER), offer(0), TERMS, deposit);
        prop_assert!(opened.is_ok());
        next_block();
        let chain = Chain(id_of(&OWNER, 0));
        let bytes: Vec<_> = PIECES.iter().map(|kept| kept.bytes.len()).collect();
        let mut model = Model::new(&bytes, 2, PERIODS, deposit);
        let (all, mut accepted) = (all_money(), BTreeMap::<String, u32>::new());
        for happening in happenings {
            let (said, expected) = happen(&chain, &mut model, &happening);
            prop_assert_eq!(said, expected, "{:?} at {}", happening, model.now);
            Custody::do_try_state().unwrap();
            prop_assert_eq!(all_money(), all);
            compare(&chain, &model)?;
            if said {
                let name = format!("{happening:?}");
                let kind = name.split([' ', '(']).next().unwrap_or_default();
                *accepted.entry(kind.to_owned()).or_default() += 1;
            }
            if model.is_closed {
                let left = model.holdings.len() as u32;
                prop_assert_eq!(Remains::<Test>::get(chain.0).unwrap_or(0), left);
                break;
            }
        }
        Ok(accepted)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_leave_every_unit_where_the_rules_model_says(history in history()) {
        play(history)?;
    }
}

/// The random calls above are worth what they reach.
#[test]
fn random_calls_reach_every_end_of_a_contract() {
    let mut runner = TestRunner::deterministic();
    let mut reached = BTreeMap::<String, u32>::new();
    for _ in 0..200 {
        let history = history().new_tree(&mut runner).unwrap().current();
        for (kind, times) in play(history).unwrap() {
            *reached.entry(kind).or_default() += times;
        }
    }
    let kinds = "Hold Release Prove Challenge Answer AnswerAll Miss Renew End Close Forget Review";
    for kind in kinds.split_whitespace() {
        let times = reached.get(kind).copied().unwrap_or_default();
        assert!(times > 0, "{kind} {times} times: {reached:?}");
    }
}
