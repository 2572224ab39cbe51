//! Any sequence of calls against the books a cashier would keep.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A call of the pallet, over few accounts and references so that calls meet.
#[derive(Clone, Copy, Debug)]
enum Step {
    Buy {
        buyer: u8,
        cents: u16,
        reference: u8,
    },
    Request {
        account: u8,
        amount: u128,
    },
    Complete {
        id: u64,
        reference: u8,
    },
    Return {
        id: u64,
    },
    SetRate {
        rate: u8,
    },
    Transfer {
        from: u8,
        to: u8,
        amount: u128,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, id, name) = (1..5u8, 0..12u64, 0..8u8);
    let amount = prop_oneof![0..4u128, 0..2 * ENDOWMENT];
    let step = prop_oneof![
        (who.clone(), 0..500u16, name.clone()).prop_map(|(buyer, cents, reference)| Step::Buy {
            buyer,
            cents,
            reference
        }),
        (who.clone(), amount).prop_map(|(account, amount)| Step::Request { account, amount }),
        (id.clone(), name).prop_map(|(id, reference)| Step::Complete { id, reference }),
        id.prop_map(|id| Step::Return { id }),
        (0..4u8).prop_map(|rate| Step::SetRate { rate }),
        (who.clone(), who, 1..2 * ENDOWMENT).prop_map(|(from, to, amount)| Step::Transfer {
            from,
            to,
            amount
        }),
    ];
    prop::collection::vec(step, 1..60)
}

/// The pallet as a cashier would keep the books, to hold it against.
struct Books {
    rate: u128,
    free: BTreeMap<u8, u128>,
    open: BTreeMap<u64, (u8, u128)>,
    next_payout: u64,
    payments: BTreeSet<u8>,
    transfers: BTreeSet<u8>,
}

impl Books {
    fn new() -> Self {
        Self {
            rate: 200,
            free: (1..=3).map(|number| (number, ENDOWMENT)).collect(),
            open: BTreeMap::new(),
            next_payout: 0,
            payments: BTreeSet::new(),
            transfers: BTreeSet::new(),
        }
    }

    /// Takes a step and tells whether the chain should have allowed it.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Buy {
                buyer,
                cents,
                reference,
            } => {
                let allowed = cents > 0 && self.payments.insert(reference);
                if allowed {
                    let amount = u128::from(cents) * self.rate * BYTECHIP / 100;
                    *self.free.entry(buyer).or_default() += amount;
                }
                allowed
            }
            Step::Request { account, amount } => {
                let free = self.free.entry(account).or_default();
                let open = self
                    .open
                    .values()
                    .filter(|(owner, _)| *owner == account)
                    .count();
                let allowed = amount > 0 && *free > amount && open < 16;
                if allowed {
                    *free -= amount;
                    self.open.insert(self.next_payout, (account, amount));
                    self.next_payout += 1;
                }
                allowed
            }
            Step::Complete { id, reference } => {
                let allowed = self.open.contains_key(&id) && self.transfers.insert(reference);
                allowed && self.open.remove(&id).is_some()
            }
            Step::Return { id } => match self.open.remove(&id) {
                Some((account, amount)) => {
                    *self.free.entry(account).or_default() += amount;
                    true
                }
                None => false,
            },
            Step::SetRate { rate } => {
                if rate > 0 {
                    self.rate = rate.into();
                }
                rate > 0
            }
            Step::Transfer { from, to, amount } => {
                let allowed = self.free.get(&from).is_some_and(|free| *free > amount);
                if allowed {
                    *self.free.entry(from).or_default() -= amount;
                    *self.free.entry(to).or_default() += amount;
                }
                allowed
            }
        }
    }
}

fn take(step: Step) -> bool {
    let name = |number: u8| format!("wire {number}");
    match step {
        Step::Buy {
            buyer,
            cents,
            reference,
        } => buy(buyer, cents.into(), &name(reference)),
        Step::Request { account, amount } => request(account, amount),
        Step::Complete { id, reference } => complete(id, &name(reference)),
        Step::Return { id } => Bytechip::return_payout(treasurer(), id),
        Step::SetRate { rate } => Bytechip::set_rate(council(), rate.into()),
        Step::Transfer { from, to, amount } => {
            Balances::transfer_keep_alive(signed(from), account(to), amount)
        }
    }
    .is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_calls_leave_the_money_as_the_books_say(steps in steps()) {
        genesis().execute_with(|| {
            let mut books = Books::new();
            for step in steps {
                prop_assert_eq!(take(step), books.step(step), "{:?}", step);
                Bytechip::do_try_state().unwrap();
            }
            for number in 1..5 {
                prop_assert_eq!(free(number), books.free.get(&number).copied().unwrap_or(0));
                let open = books.open.values().filter(|(owner, _)| *owner == number);
                prop_assert_eq!(held(number), open.map(|(_, amount)| amount).sum::<u128>());
            }
            Ok(())
        })?;
    }
}
