//! What a device could gain by wrong answers, and the bond that has to cover it.
//!
//! A wrong answer is paid only if it is the accepted one, and so if as many accounts gave it as
//! decide. They share the task's bounty. What a task costs follows from the fuel that they say it
//! took, up to the owner's limit; so a wrong answer brings a device at most its share of the bounty of
//! a task that burns all its fuel. A device may hold [`limits::TASKS_IN_HAND_MAX`] tasks, and what it
//! could gain with all of them must be bonded for it. Then those who agree on wrong answers have
//! together bonded at least what these could bring them.
//!
//! What a device has answered and nobody has judged could bring as much for each task, and no bond covers
//! that. How many such answers it may have is bounded [elsewhere](super::answers).

use super::Bond;
use quern_grid::needs::Cover;
use quern_job_rules::pay::{self, Tariff};
use quern_primitives::{
    amount::{Amount, BYTECHIP, display},
    job::{Agreement, Job},
    params::Terms,
};
use quern_protocol::limits;

/// The most that a device could gain at a time by wrong answers to a job of these terms, of which each
/// task costs at most so much.
pub(super) fn gain(task: Amount, agreement: Agreement, terms: Terms) -> Amount {
    let share = pay::pays(task, agreement.quorum(), terms);
    // What is more than any amount, nobody has bonded.
    share.saturating_mul(limits::TASKS_IN_HAND_MAX as Amount)
}

/// The same for a job that the chain has taken.
pub(super) fn gain_of(job: &Job) -> Amount {
    // The chain has priced it, so there is a tariff; were there none, nobody should get anything.
    let task = Tariff::of_job(job).map_or(Amount::MAX, |tariff| tariff.task_cap());
    gain(task, job.submission.agreement, job.terms)
}

/// The most that those share who give the accepted answer to a task of a job.
pub(super) fn bounty_max(job: &Job) -> Amount {
    Tariff::of_job(job).map_or(0, |tariff| tariff.bounty(tariff.task_cap()))
}

/// What must be bonded for each device where it could gain so much, as people are told: whole
/// ByteChips, rounded up.
pub(super) fn needed(gain: Amount) -> Amount {
    let least = Cover::for_gain(gain).bond_min();
    least.div_ceil(BYTECHIP).saturating_mul(BYTECHIP)
}

/// That so much must be bonded for each device, and what the bond is short of that, if this is about
/// a device of a certain account.
pub(super) fn in_words(needed: Amount, bond: Option<Bond>) -> String {
    let rule = format!(
        "the job's tasks are worth so much that {} must be bonded for each device",
        display(needed)
    );
    let Some(bond) = bond else {
        return rule;
    };
    let each = match bond.devices {
        0 | 1 => "it".to_owned(),
        several => format!("each of its {several} devices"),
    };
    let (has, missing) = (display(bond.of_each()), display(bond.missing(needed)));
    let number = missing.split(' ').next().unwrap_or_default();
    format!("{rule}; the account has {has} for {each}, `quern device bond {number}` adds the rest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO_OF_THREE: Agreement = Agreement::Majority { replicas: 3 };

    #[test]
    fn what_wrong_answers_bring_is_the_share_of_those_who_agree_for_every_task_in_hand() {
        // Seven tenths of 100, alone or with another one, twice.
        assert_eq!(gain(100, Agreement::Single, Terms::FIRST), 140);
        assert_eq!(gain(100, TWO_OF_THREE, Terms::FIRST), 70);
        assert_eq!(gain(0, Agreement::Single, Terms::FIRST), 0);
        assert_eq!(
            gain(Amount::MAX, Agreement::Single, Terms::FIRST),
            Amount::MAX
        );
    }

    #[test]
    fn what_is_missing_is_told_in_whole_bytechips_with_the_command_that_adds_it() {
        let needed = needed(9_500_000_001);
        assert_eq!(needed, 10 * BYTECHIP);
        let bond = |active, devices| Some(Bond { active, devices });
        let words = in_words(needed, bond(15 * BYTECHIP / 2, 1));
        for part in [
            "10 BC must be bonded for each device",
            "has 7.5 BC for it",
            "`quern device bond 2.5`",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        let words = in_words(needed, bond(20 * BYTECHIP, 4));
        assert!(
            words.contains("5 BC for each of its 4 devices, `quern device bond 20`"),
            "{words}"
        );
        assert!(in_words(needed, None).ends_with("10 BC must be bonded for each device"));
    }

    proptest! {
        #[test]
        fn an_account_s_bond_covers_what_all_its_devices_could_gain_together(
            active in 0..1u128 << 80, devices in 0u32..2_000, task in 0..1u128 << 80, third: bool
        ) {
            let agreement = if third { TWO_OF_THREE } else { Agreement::Single };
            let (bond, gain) = (Bond { active, devices }, gain(task, agreement, Terms::FIRST));
            let is_covered = |bond: Bond| Cover::of_bond(bond.of_each()) >= Cover::for_gain(gain);
            if is_covered(bond) {
                prop_assert!(active >= gain * u128::from(devices.max(1)));
            }
            let active = active + bond.missing(needed(gain));
            prop_assert!(is_covered(Bond { active, devices }), "what is told to be missing is enough");
        }
    }
}
