//! Any sequence of calls against a model of three sets.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A call of the roster, over few accounts so that calls meet.
#[derive(Clone, Copy, Debug)]
enum Step {
    Add(u8),
    Remove(u8),
    Publish(u8),
    SetKeys(u8),
    Ban(u8),
    LiftBan(u8),
    NextSession,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..6u8;
    let step = prop_oneof![
        who.clone().prop_map(Step::Add),
        who.clone().prop_map(Step::Remove),
        who.clone().prop_map(Step::Publish),
        who.clone().prop_map(Step::SetKeys),
        who.clone().prop_map(Step::Ban),
        who.prop_map(Step::LiftBan),
        Just(Step::NextSession),
    ];
    prop::collection::vec(step, 1..60)
}

/// The roster as three sets, to hold the pallet against.
struct Model {
    masternodes: BTreeSet<u8>,
    published: BTreeSet<u8>,
    banned: BTreeSet<u8>,
}

impl Model {
    /// Takes a step and tells whether the pallet should have allowed it.
    fn step(&mut self, step: Step) -> bool {
        match step {
            Step::Add(who) => !self.banned.contains(&who) && self.masternodes.insert(who),
            Step::Remove(who) => {
                let allowed = self.masternodes.len() > 1 && self.masternodes.remove(&who);
                if allowed {
                    self.published.remove(&who);
                }
                allowed
            }
            Step::Publish(who) => {
                self.masternodes.contains(&who) && {
                    self.published.insert(who);
                    true
                }
            }
            Step::Ban(who) => !self.masternodes.contains(&who) && self.banned.insert(who),
            Step::LiftBan(who) => self.banned.remove(&who),
            Step::SetKeys(_) | Step::NextSession => true,
        }
    }
}

fn take(step: Step) -> bool {
    match step {
        Step::Add(who) => Roster::add_masternode(council(), account(who)).is_ok(),
        Step::Remove(who) => Roster::remove_masternode(council(), account(who)).is_ok(),
        Step::Publish(who) => publish(who).is_ok(),
        Step::Ban(who) => Roster::ban(council(), account(who)).is_ok(),
        Step::LiftBan(who) => Roster::lift_ban(council(), account(who)).is_ok(),
        Step::SetKeys(who) => {
            set_session_keys(who);
            true
        }
        Step::NextSession => {
            next_session();
            true
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_calls_leave_the_roster_as_three_sets_would_be(steps in steps()) {
        genesis(&[1]).execute_with(|| {
            let mut model = Model {
                masternodes: BTreeSet::from([1]),
                published: BTreeSet::new(),
                banned: BTreeSet::new(),
            };
            for step in steps {
                prop_assert_eq!(take(step), model.step(step), "{:?}", step);
                Roster::do_try_state().unwrap();
                prop_assert!(!Session::validators().is_empty());
            }
            let masternodes: Vec<_> = model.masternodes.into_iter().map(account).collect();
            prop_assert_eq!(Roster::masternodes(), masternodes);
            let views = Roster::masternode_views().into_iter();
            let published: Vec<_> = model.published.into_iter().map(account).collect();
            prop_assert_eq!(views.map(|view| view.account).collect::<Vec<_>>(), published);
            for who in 1..6 {
                prop_assert_eq!(Roster::is_banned(&account(who)), model.banned.contains(&who));
            }
            Ok(())
        })?;
    }
}
