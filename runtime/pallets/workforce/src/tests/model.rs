//! Any sequence of calls against a model of plain maps.

use super::*;
use proptest::prelude::*;
use quern_primitives::limits::REVIEW_PERIOD_BLOCKS;
use std::collections::BTreeMap;

/// A call of the workforce, over few accounts and devices so that calls meet.
#[derive(Clone, Copy, Debug)]
enum Step {
    Bond(u8, Amount),
    Unbond(u8, Amount),
    Withdraw(u8),
    Register(u8, u8),
    Retire(u8, u8),
    /// A settlement's word on a device: tasks that failed, then tasks that were accepted.
    Settle(u8, u32, u32),
    /// A review by an account, or by the council.
    Review(Option<u8>, u8),
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
        2 => (who.clone(), device.clone()).prop_map(|(who, device)| Step::Retire(who, device)),
        4 => (device.clone(), 0..14u32, 0..8u32)
            .prop_map(|(device, failed, accepted)| Step::Settle(device, failed, accepted)),
        3 => (prop::option::of(who), device).prop_map(|(by, device)| Step::Review(by, device)),
        2 => (1..DELAY).prop_map(Step::Pass),
        1 => (REVIEW_PERIOD_BLOCKS - DELAY..=REVIEW_PERIOD_BLOCKS).prop_map(Step::Pass),
    ];
    // Too few for the limit on unbonding amounts, which the model does not know.
    prop::collection::vec(step, 1..=UNBONDINGS_PER_ACCOUNT_MAX as usize)
}

/// A device that is registered, or was.
#[derive(Clone, Default)]
struct Known {
    owner: u8,
    /// Whether each of its tasks since its last review was accepted, newest last.
    tasks: Vec<bool>,
    last_task: Option<u32>,
    last_review: Option<u32>,
}

impl Known {
    fn faults(&self) -> usize {
        let last = self.tasks.iter().rev().take(20);
        last.filter(|accepted| !**accepted).count()
    }

    /// The block in which its account may review it, if that is not before `now`.
    fn reviewable(&self, now: u32) -> u32 {
        let rested = self.last_review.map(|last| last + REVIEW_PERIOD_BLOCKS);
        rested.unwrap_or(0).max(now)
    }

    fn settled(&mut self, failed: u32, accepted: u32, now: u32) {
        if failed + accepted > 0 {
            self.tasks.extend((0..failed).map(|_| false));
            self.tasks.extend((0..accepted).map(|_| true));
            self.last_task = Some(now);
        }
    }
}

/// The workforce as plain maps, to hold the pallet against.
#[derive(Default)]
struct Model {
    now: u32,
    active: BTreeMap<u8, Amount>,
    unbonding: Vec<(u8, Amount, u32)>,
    devices: BTreeMap<u8, Known>,
    retired: BTreeMap<u8, Known>,
    /// Who answers for what a retired device signed, and the block from which nobody does.
    answering: BTreeMap<u8, (u8, u32)>,
}

impl Model {
    fn active(&self, who: u8) -> Amount {
        self.active.get(&who).copied().unwrap_or(0)
    }

    fn devices(&self, who: u8) -> Amount {
        let owned = self.devices.values().filter(|device| device.owner == who);
        owned.count() as Amount
    }

    fn need(&self, who: u8) -> Amount {
        MIN_BOND * self.devices(who)
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
                let another = self
                    .answering
                    .get(&device)
                    .is_some_and(|(owner, free_at)| *owner != who && *free_at > self.now);
                let allowed = !self.devices.contains_key(&device)
                    && !another
                    && self.active(who) >= self.need(who) + MIN_BOND;
                if allowed {
                    self.answering.remove(&device);
                    let before = self.retired.remove(&device);
                    let known = Known {
                        owner: who,
                        ..before.unwrap_or_default()
                    };
                    self.devices.insert(device, known);
                }
                allowed
            }
            Step::Retire(who, device) => {
                let share = self.active(who) / self.devices(who).max(1);
                let known = self.devices.get(&device).cloned();
                let Some(known) = known.filter(|known| known.owner == who) else {
                    return false;
                };
                let free_at = known.reviewable(self.now) + REVIEW_PERIOD_BLOCKS;
                let free_at = free_at.max(self.now + DELAY);
                self.unbonding.push((who, share, free_at));
                *self.active.entry(who).or_default() -= share;
                self.devices.remove(&device);
                self.answering.insert(device, (who, free_at));
                self.retired.insert(device, known);
                true
            }
            Step::Settle(device, failed, accepted) => {
                let now = self.now;
                let known = self.devices.get_mut(&device);
                if let Some(known) = known.or(self.retired.get_mut(&device)) {
                    known.settled(failed, accepted, now);
                }
                true
            }
            Step::Review(by, device) => {
                let now = self.now;
                let Some(known) = self.devices.get_mut(&device) else {
                    return false;
                };
                let allowed = by.is_none_or(|who| {
                    who == known.owner && known.faults() > 10 && known.reviewable(now) == now
                });
                if allowed {
                    known.tasks.clear();
                    known.last_review = Some(now);
                }
                allowed
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
        Step::Settle(device, failed, accepted) => {
            let change = RecordChange {
                accepted,
                failed,
                ..Default::default()
            };
            Workforce::apply_record_change(&id(device), Class::Pinned, &change);
            Ok(())
        }
        Step::Review(Some(who), device) => review(who, device),
        Step::Review(None, device) => Workforce::review(RuntimeOrigin::root(), id(device)),
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
                let kept = Workforce::device(&id(device)).map(|device| (
                    device.account,
                    device.history.faulty_tasks() as usize,
                    device.last_task,
                    device.last_review,
                ));
                let known = model.devices.get(&device).map(|known| (
                    account(known.owner),
                    known.faults(),
                    known.last_task.unwrap_or(0),
                    known.last_review.unwrap_or(0),
                ));
                prop_assert_eq!(kept, known);
                let kept = RetiredDevices::<Test>::get(id(device)).map(|past| (
                    past.history.faulty_tasks() as usize,
                    past.last_task,
                    past.last_review,
                ));
                let known = model.retired.get(&device).map(|known| (
                    known.faults(),
                    known.last_task.unwrap_or(0),
                    known.last_review.unwrap_or(0),
                ));
                prop_assert_eq!(kept, known);
            }
            Ok(())
        })?;
    }
}
