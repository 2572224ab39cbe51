//! Any sequence of calls against a model of plain maps.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A call of the workforce, over few accounts and devices so that calls meet.
#[derive(Clone, Copy, Debug)]
enum Step {
    Bond(u8, Amount),
    Unbond(u8, Amount),
    Withdraw(u8),
    Register(u8, u8),
    Retire(u8, u8),
    Pass(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (who, device) = (1..4u8, 1..6u8);
    let amount = prop_oneof![
        0..3u128,
        (0..4u128).prop_map(|times| times * MIN_BOND),
        0..ENDOWMENT
    ];
    let step = prop_oneof![
        3 => (who.clone(), amount.clone()).prop_map(|(who, amount)| Step::Bond(who, amount)),
        3 => (who.clone(), amount).prop_map(|(who, amount)| Step::Unbond(who, amount)),
        2 => who.clone().prop_map(Step::Withdraw),
        3 => (who.clone(), device.clone()).prop_map(|(who, device)| Step::Register(who, device)),
        2 => (who, device).prop_map(|(who, device)| Step::Retire(who, device)),
        2 => (1..DELAY).prop_map(Step::Pass),
    ];
    // Too few for the limit on unbonding amounts, which the model does not know.
    prop::collection::vec(step, 1..=UNBONDINGS_PER_ACCOUNT_MAX as usize)
}

/// The workforce as plain maps, to hold the pallet against.
#[derive(Default)]
struct Model {
    now: u32,
    active: BTreeMap<u8, Amount>,
    unbonding: Vec<(u8, Amount, u32)>,
    devices: BTreeMap<u8, u8>,
}

impl Model {
    fn active(&self, who: u8) -> Amount {
        self.active.get(&who).copied().unwrap_or(0)
    }

    fn need(&self, who: u8) -> Amount {
        self.devices
            .values()
            .filter(|owner| **owner == who)
            .map(|_| MIN_BOND)
            .sum()
    }

    fn held(&self, who: u8) -> Amount {
        let waiting = self.unbonding.iter().filter(|(owner, ..)| *owner == who);
        self.active(who) + waiting.map(|(_, amount, _)| amount).sum::<Amount>()
    }

    /// Takes a step and tells whether the pallet should have allowed it.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Bond(who, amount) => {
                let allowed = amount > 0 && self.held(who) + amount < ENDOWMENT;
                if allowed {
                    *self.active.entry(who).or_default() += amount;
                }
                allowed
            }
            Step::Unbond(who, amount) => {
                let allowed = amount > 0 && amount + self.need(who) <= self.active(who);
                if allowed {
                    *self.active.entry(who).or_default() -= amount;
                    self.unbonding.push((who, amount, self.now + DELAY));
                }
                allowed
            }
            Step::Withdraw(who) => {
                let before = self.unbonding.len();
                let now = self.now;
                self.unbonding
                    .retain(|(owner, _, due)| *owner != who || *due > now);
                self.unbonding.len() < before
            }
            Step::Register(who, device) => {
                let allowed = !self.devices.contains_key(&device)
                    && self.active(who) >= self.need(who) + MIN_BOND;
                if allowed {
                    self.devices.insert(device, who);
                }
                allowed
            }
            Step::Retire(who, device) => {
                let allowed = self.devices.get(&device) == Some(&who);
                allowed && self.devices.remove(&device).is_some()
            }
            Step::Pass(blocks) => {
                self.now += blocks;
                true
            }
        }
    }
}

fn take(step: Step) -> bool {
    match step {
        Step::Bond(who, amount) => bond(who, amount),
        Step::Unbond(who, amount) => unbond(who, amount),
        Step::Withdraw(who) => withdraw(who),
        Step::Register(who, device) => register(who, device),
        Step::Retire(who, device) => retire(who, device),
        Step::Pass(blocks) => {
            System::set_block_number(System::block_number() + blocks);
            Ok(())
        }
    }
    .is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_calls_leave_bonds_and_devices_as_plain_maps_would(steps in steps()) {
        genesis().execute_with(|| {
            let mut model = Model { now: 1, ..Default::default() };
            for step in steps {
                prop_assert_eq!(take(step), model.step(step), "{:?}", step);
                Workforce::do_try_state().unwrap();
            }
            for who in 1..4 {
                prop_assert_eq!(held(who), model.held(who));
                prop_assert_eq!(free(who), ENDOWMENT - model.held(who));
                let bond = Workforce::bond_of(&account(who)).unwrap_or_default();
                prop_assert_eq!(bond.active, model.active(who));
            }
            for device in 1..6 {
                let owner = Workforce::device(&id(device)).map(|device| device.account);
                prop_assert_eq!(owner, model.devices.get(&device).copied().map(account));
            }
            Ok(())
        })?;
    }
}
