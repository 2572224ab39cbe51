//! Disputes as their users meet them.

use crate::{
    DisputeId, Disputes as OpenDisputes, Error, Event, HoldReason, Matter, OPEN_PER_BATCH_MAX,
    OpenIn, Sums,
    mock::{
        Balances, Deed, Disputes, ENDOWMENT, HERE, RuntimeOrigin, System, Test, account, deeds,
        on_new_chain, pass_time, staged, strike, tell,
    },
    staging::{BATCH, BOND, JOB, Staged, device, member, worker},
};
use codec::Encode;
use frame_support::{
    assert_noop, assert_ok,
    pallet_prelude::DispatchResult,
    traits::fungible::{Inspect, hold::Inspect as _},
};
use quern_dispute_rules::{
    Evidence, Question, Reply,
    evidence::Withheld,
    facts::{DeviceFacts, Facts},
    penalty::Penalty,
    ruling::Offence,
    sum::Step,
};
use quern_primitives::{
    AccountId, Amount, Digest, ProgramHash,
    amount::BYTECHIP,
    device::Class,
    payload::DeviceKey,
    receipt::{Exit, Receipt, SignedReceipt},
};

fn dispute(by: u8, evidence: Evidence) -> DispatchResult {
    Disputes::dispute(RuntimeOrigin::signed(account(by)), Box::new(evidence))
}

fn step(by: u8, id: DisputeId, verdicts: Step) -> DispatchResult {
    Disputes::step(RuntimeOrigin::signed(account(by)), id, verdicts)
}

fn held(by: u8) -> Amount {
    Balances::balance_on_hold(&HoldReason::Dispute.into(), &account(by))
}

fn half(amount: Amount) -> Penalty {
    Penalty {
        winner: amount / 2,
        burnt: amount / 2,
    }
}

/// The verdicts of a batch from one on, so many.
fn part(staged: &Staged, from: usize, count: usize) -> Step {
    let verdicts = staged.verdicts.iter().skip(from).take(count);
    let bytes = verdicts.map(|it| it.encode().try_into().unwrap());
    bytes.collect::<Vec<_>>().try_into().unwrap()
}

fn answer(value: u8) -> SignedReceipt {
    let key = DeviceKey::from_seed(&[5; 32]);
    let receipt = Receipt {
        job: JOB,
        task: 1,
        replica: 0,
        device: key.id(),
        program: ProgramHash([8; 32]),
        input_root: Digest([1; 32]),
        result_commitment: Digest([value; 32]),
        output_root: Digest([2; 32]),
        result_bytes: 10,
        fuel: 5,
        exit: Exit::Success,
        class: Class::Pinned,
        engine: Digest([3; 32]),
        log_position: 4,
        salt: [90; 32].into(),
    };
    key.sign(receipt, &HERE)
}

fn two_answers() -> Evidence {
    Evidence::Answers {
        first: Box::new(answer(1)),
        second: Box::new(answer(2)),
    }
}

fn first_verdict(staged: &Staged) -> Evidence {
    Evidence::Verdict {
        batch: BATCH,
        leaf: staged.leaf().unwrap(),
    }
}

/// A batch whose first verdict is too dear.
fn with_lie() -> Staged {
    let mut staged = staged();
    staged.verdicts[0].price += 1;
    staged.settle();
    tell(staged.facts.clone());
    staged
}

#[test]
fn a_device_that_gives_two_answers_is_slashed_once() {
    on_new_chain(|| {
        assert_ok!(dispute(1, two_answers()));
        let penalty = half(10 * BYTECHIP);
        assert_eq!(deeds(), [Deed::SlashWorker(worker(0), penalty, account(1))]);
        assert_eq!(held(1), 0);
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT);
        assert_noop!(dispute(2, two_answers()), Error::<Test>::ProvedBefore);
    });
}

#[test]
fn a_wrong_verdict_strikes_its_batch_and_costs_who_answers_for_it() {
    on_new_chain(|| {
        let staged = with_lie();
        assert_ok!(dispute(1, first_verdict(&staged)));
        let penalty = half(1_000 * BYTECHIP);
        assert_eq!(
            deeds(),
            [
                Deed::Strike(4),
                Deed::SlashMasternode(member(0), penalty, account(1)),
                Deed::SlashMasternode(member(1), penalty, account(1)),
            ]
        );
        assert_noop!(
            dispute(2, first_verdict(&staged)),
            Error::<Test>::NotPending
        );
    });
}

#[test]
fn a_liar_that_is_first_to_say_so_gets_nothing_back() {
    on_new_chain(|| {
        let staged = with_lie();
        let origin = RuntimeOrigin::signed(member(0));
        assert_ok!(Disputes::dispute(origin, Box::new(first_verdict(&staged))));
        let all_burnt = Penalty {
            winner: 0,
            burnt: 1_000 * BYTECHIP,
        };
        let slash = |who: AccountId| Deed::SlashMasternode(who, all_burnt, member(0));
        assert_eq!(
            deeds(),
            [Deed::Strike(4), slash(member(0)), slash(member(1))]
        );
    });
}

#[test]
fn who_disputes_what_is_right_loses_the_bond() {
    on_new_chain(|| {
        let issuance = Balances::total_issuance();
        assert_ok!(dispute(1, first_verdict(&staged())));
        assert_eq!(deeds(), [Deed::Burnt(BOND / 2)]);
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT - BOND);
        assert_eq!(Balances::balance(&member(0)), ENDOWMENT + BOND / 2);
        assert_eq!(Balances::total_issuance(), issuance - BOND / 2);
        System::assert_last_event(
            Event::DisputeLost {
                disputer: account(1),
                batch: BATCH,
                penalty: half(BOND),
            }
            .into(),
        );
    });
}

#[test]
fn evidence_that_is_not_in_order_costs_no_bond() {
    on_new_chain(|| {
        let mut leaf = staged().leaf().unwrap();
        leaf.place = 1;
        let evidence = Evidence::Verdict { batch: BATCH, leaf };
        assert_noop!(dispute(1, evidence), Error::<Test>::NotInBatch);
        let mut forged = answer(2);
        forged.signature.0[0] ^= 1;
        let evidence = Evidence::Answers {
            first: Box::new(answer(1)),
            second: Box::new(forged),
        };
        assert_noop!(dispute(1, evidence), Error::<Test>::NotSigned);
        assert_eq!(deeds(), []);
    });
}

#[test]
fn who_has_no_bond_cannot_dispute() {
    on_new_chain(|| {
        assert_noop!(dispute(9, two_answers()), Error::<Test>::BondTooSmall);
        assert_noop!(
            dispute(9, Evidence::Payouts { batch: BATCH }),
            Error::<Test>::BondTooSmall
        );
    });
}

#[test]
fn a_job_that_is_not_there_cannot_be_disputed() {
    on_new_chain(|| {
        let facts = staged().facts;
        tell(Facts {
            job_id: quern_primitives::JobId([99; 32]),
            ..facts
        });
        assert_noop!(dispute(1, two_answers()), Error::<Test>::JobUnknown);
    });
}

#[test]
fn a_batch_is_kept_open_while_its_sum_is_added_up() {
    on_new_chain(|| {
        let staged = staged();
        assert_ok!(dispute(1, Evidence::Payouts { batch: BATCH }));
        assert_eq!(deeds(), [Deed::KeepOpen(4, true)]);
        assert_eq!(held(1), BOND);
        Disputes::do_try_state().unwrap();
        assert_noop!(step(2, 0, part(&staged, 0, 1)), Error::<Test>::NotDisputer);
        assert_noop!(step(1, 0, Step::default()), Error::<Test>::WrongStep);
        assert_noop!(
            step(1, 7, part(&staged, 0, 1)),
            Error::<Test>::DisputeUnknown
        );
        assert_ok!(step(1, 0, part(&staged, 0, 2)));
        assert_eq!(Sums::<Test>::get(0).unwrap().verdicts(), 2);
        assert_noop!(step(1, 0, part(&staged, 0, 2)), Error::<Test>::WrongStep);
        assert_ok!(step(1, 0, part(&staged, 2, 1)));
        // It adds up.
        assert_eq!(deeds(), [Deed::KeepOpen(4, false), Deed::Burnt(BOND / 2)]);
        assert_eq!((held(1), OpenIn::<Test>::get(JOB, 4)), (0, 0));
        assert!(!Sums::<Test>::contains_key(0));
    });
}

#[test]
fn a_batch_that_does_not_add_up_is_struck_with_the_last_step() {
    on_new_chain(|| {
        let mut staged = staged();
        let batch = staged.facts.batch.as_mut().unwrap();
        batch.payouts[0].amount += 1;
        tell(staged.facts.clone());
        assert_ok!(dispute(1, Evidence::Payouts { batch: BATCH }));
        deeds();
        assert_ok!(step(1, 0, part(&staged, 0, 3)));
        let penalty = half(1_000 * BYTECHIP);
        assert_eq!(
            deeds(),
            [
                Deed::KeepOpen(4, false),
                Deed::Strike(4),
                Deed::SlashMasternode(member(0), penalty, account(1)),
                Deed::SlashMasternode(member(1), penalty, account(1)),
            ]
        );
        assert_eq!(held(1), 0);
    });
}

#[test]
fn who_does_not_add_up_in_time_loses_the_bond() {
    on_new_chain(|| {
        let staged = staged();
        assert_ok!(dispute(1, Evidence::Payouts { batch: BATCH }));
        let expire = || Disputes::expire(RuntimeOrigin::signed(account(2)), 0);
        assert_noop!(expire(), Error::<Test>::TimeRemains);
        pass_time();
        assert_noop!(step(1, 0, part(&staged, 0, 1)), Error::<Test>::TimeOver);
        assert_ok!(expire());
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT - BOND);
        assert_noop!(expire(), Error::<Test>::DisputeUnknown);
    });
}

fn withheld() -> Evidence {
    Evidence::Withheld {
        batch: BATCH,
        what: Withheld::Verdict { task: 0 },
    }
}

#[test]
fn anybody_answers_what_is_asked_and_who_asked_loses() {
    on_new_chain(|| {
        let staged = staged();
        assert_ok!(dispute(1, withheld()));
        let dispute = OpenDisputes::<Test>::get(0).unwrap();
        let question = Question::Verdict { task: 0 };
        assert_eq!(dispute.matter, Matter::Asked(question));
        assert_noop!(step(1, 0, part(&staged, 0, 1)), Error::<Test>::NothingToAdd);
        let reply_with =
            |reply| Disputes::answer(RuntimeOrigin::signed(account(2)), 0, Box::new(reply));
        let wrong = Reply::Receipt(Box::new(answer(1)));
        assert_noop!(reply_with(wrong), Error::<Test>::NoReply);
        assert_ok!(reply_with(Reply::Verdict(staged.leaf().unwrap())));
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT - BOND);
        assert_eq!(Balances::balance(&member(0)), ENDOWMENT + BOND / 2);
    });
}

#[test]
fn a_coordinator_that_does_not_answer_in_time_loses() {
    on_new_chain(|| {
        assert_ok!(dispute(1, withheld()));
        deeds();
        pass_time();
        let late = Reply::Verdict(staged().leaf().unwrap());
        assert_noop!(
            Disputes::answer(RuntimeOrigin::signed(account(2)), 0, Box::new(late)),
            Error::<Test>::TimeOver
        );
        assert_ok!(Disputes::expire(RuntimeOrigin::signed(account(2)), 0));
        let penalty = half(1_000 * BYTECHIP);
        assert_eq!(
            deeds(),
            [
                Deed::KeepOpen(4, false),
                Deed::Strike(4),
                Deed::SlashMasternode(member(0), penalty, account(1)),
            ]
        );
        assert_eq!(
            crate::Convictions::<Test>::iter_prefix(JOB)
                .map(|(_, offence)| offence)
                .collect::<Vec<_>>(),
            [Offence::Silence]
        );
        assert_eq!(Disputes::forget(&JOB, 10), 1);
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT);
    });
}

#[test]
fn a_dispute_over_a_batch_that_was_struck_is_dropped() {
    on_new_chain(|| {
        assert_ok!(dispute(1, Evidence::Payouts { batch: BATCH }));
        assert_ok!(dispute(2, withheld()));
        strike();
        assert_noop!(step(1, 0, part(&staged(), 0, 1)), Error::<Test>::NotPending);
        for id in [0, 1] {
            assert_ok!(Disputes::expire(RuntimeOrigin::signed(account(1)), id));
        }
        assert_eq!((held(1), held(2)), (0, 0));
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT);
        assert_eq!(deeds(), [Deed::KeepOpen(4, true), Deed::KeepOpen(4, false)]);
    });
}

#[test]
fn a_batch_has_so_many_disputes_and_no_more() {
    on_new_chain(|| {
        for _ in 0..OPEN_PER_BATCH_MAX {
            assert_ok!(dispute(1, withheld()));
        }
        assert_noop!(dispute(2, withheld()), Error::<Test>::TooManyDisputes);
        // What is decided at once needs no room.
        let staged = with_lie();
        assert_ok!(dispute(2, first_verdict(&staged)));
    });
}

#[test]
fn a_device_that_nobody_answers_for_convicts_nobody() {
    on_new_chain(|| {
        tell(Facts {
            device: Some(DeviceFacts {
                registered: None,
                accepted: 3,
            }),
            ..staged().facts
        });
        assert_noop!(dispute(1, two_answers()), Error::<Test>::NobodyAnswers);
        assert_ne!(device(0), answer(1).payload.device);
    });
}
