//! Disputes as their users meet them.

use crate::{
    Court, DisputeId, Disputes as OpenDisputes, Error, Event, HoldReason, Matter,
    OPEN_PER_BATCH_MAX, OpenIn, Sums,
    mock::{
        Balances, Bench, Deed, Disputes, ENDOWMENT, HERE, RuntimeOrigin, System, Test, account,
        deeds, on_new_chain, pass_time, pass_window, staged, strike, tell,
    },
    staging::{BATCH, BOND, JOB, Staged, device, member, worker},
};
use codec::Encode;
use frame_support::{
    assert_noop, assert_ok,
    dispatch::DispatchResultWithPostInfo,
    pallet_prelude::DispatchResult,
    traits::fungible::{Inspect, hold::Inspect as _},
};
use quern_dispute_rules::{
    Evidence, Question, Reply,
    evidence::{FalseReport, Withheld},
    facts::{DeviceFacts, Facts},
    penalty::Penalty,
    ruling::Offence,
    sum::Step,
};
use quern_primitives::{
    AccountId, Amount, Digest, ProgramHash,
    amount::BYTECHIP,
    device::Class,
    log::RefereeReport,
    payload::{DeviceKey, NodeSecret},
    receipt::{Answer, Exit, Receipt, SignedReceipt},
};

/// What became of a call, without what it cost.
fn plain(done: DispatchResultWithPostInfo) -> DispatchResult {
    done.map(|_| ()).map_err(|refusal| refusal.error)
}

fn dispute(by: u8, evidence: Evidence) -> DispatchResult {
    dispute_as(account(by), evidence)
}

fn dispute_as(by: AccountId, evidence: Evidence) -> DispatchResult {
    plain(Disputes::dispute(
        RuntimeOrigin::signed(by),
        Box::new(evidence),
    ))
}

fn step(by: u8, id: DisputeId, verdicts: Step) -> DispatchResult {
    plain(Disputes::step(
        RuntimeOrigin::signed(account(by)),
        id,
        verdicts,
    ))
}

fn reply_with(by: u8, id: DisputeId, reply: Reply) -> DispatchResult {
    let origin = RuntimeOrigin::signed(account(by));
    plain(Disputes::answer(origin, id, Box::new(reply)))
}

fn expire(by: u8, id: DisputeId) -> DispatchResult {
    plain(Disputes::expire(RuntimeOrigin::signed(account(by)), id))
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
        question: Digest([46; 32]),
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

/// The group's second says something else than came out at most of the others; the group has these keys from
/// now on.
fn false_report(staged: &mut Staged) -> Evidence {
    let key = |place: u8| NodeSecret::from_seed(&[20 + place; 32]);
    for (place, member) in (0..).zip(&mut staged.facts.group) {
        member.node = key(place).public();
    }
    tell(staged.facts.clone());
    let report = |fuel| RefereeReport {
        job: JOB,
        task: 1,
        question: Digest([46; 32]),
        answer: Answer {
            result_commitment: Digest([1; 32]),
            result_bytes: 10,
            fuel,
            exit: Exit::Success,
        },
    };
    let word = |place| (place, key(place).sign(report(5), &HERE).signature);
    let referees: Vec<_> = [0, 2, 3, 4].map(word).to_vec();
    Evidence::FalseReport(Box::new(FalseReport {
        node: key(1).public(),
        said: key(1).sign(report(6), &HERE),
        answer: report(5).answer,
        referees: referees.try_into().unwrap(),
    }))
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
fn a_masternode_that_signs_a_false_report_is_slashed_once_for_it_and_turned_out() {
    on_new_chain(|| {
        let mut staged = staged();
        let evidence = false_report(&mut staged);
        assert_ok!(dispute(1, evidence.clone()));
        let penalty = Penalty {
            winner: 5 * BYTECHIP,
            burnt: 995 * BYTECHIP,
        };
        assert_eq!(
            deeds(),
            [
                Deed::SlashMasternode(member(1), penalty, account(1)),
                Deed::TurnOut(member(1)),
            ]
        );
        assert_noop!(dispute(2, evidence), Error::<Test>::ProvedBefore);
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
                Deed::SlashMasternode(member(0), penalty, account(1)),
                Deed::SlashMasternode(member(1), penalty, account(1)),
                Deed::Strike(4),
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
        assert_ok!(dispute_as(member(0), first_verdict(&staged)));
        let all_burnt = Penalty {
            winner: 0,
            burnt: 1_000 * BYTECHIP,
        };
        let slash = |who: AccountId| Deed::SlashMasternode(who, all_burnt, member(0));
        assert_eq!(
            deeds(),
            [slash(member(0)), slash(member(1)), Deed::Strike(4)]
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
                Deed::SlashMasternode(member(0), penalty, account(1)),
                Deed::SlashMasternode(member(1), penalty, account(1)),
                Deed::Strike(4),
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
        assert_noop!(expire(2, 0), Error::<Test>::TimeRemains);
        pass_time();
        assert_noop!(step(1, 0, part(&staged, 0, 1)), Error::<Test>::TimeOver);
        assert_ok!(expire(2, 0));
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT - BOND);
        assert_noop!(expire(2, 0), Error::<Test>::DisputeUnknown);
    });
}

#[test]
fn who_loses_a_dispute_loses_what_was_put_up_whatever_the_council_sets_meanwhile() {
    for factor in [0, 3] {
        on_new_chain(|| {
            let staged = staged();
            assert_ok!(dispute(1, withheld()));
            let mut facts = staged.facts.clone();
            facts.stakes.dispute_bond = factor * BOND;
            tell(facts);
            let right = Reply::Verdict(staged.leaf().unwrap());
            assert_ok!(reply_with(2, 0, right));
            assert_eq!(Balances::balance(&account(1)), ENDOWMENT - BOND);
            assert_eq!(Balances::balance(&member(0)), ENDOWMENT + BOND / 2);
        });
    }
}

#[test]
fn a_lie_costs_what_the_council_has_set_when_it_is_proved() {
    on_new_chain(|| {
        let mut staged = with_lie();
        staged.facts.stakes.masternode_slash /= 4;
        tell(staged.facts.clone());
        deeds();
        assert_ok!(dispute(1, first_verdict(&staged)));
        let slashed = Deed::SlashMasternode(member(0), half(250 * BYTECHIP), account(1));
        assert!(deeds().contains(&slashed));
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
        let wrong = Reply::Receipt(Box::new(answer(1)));
        assert_noop!(reply_with(2, 0, wrong), Error::<Test>::NoReply);
        let right = Reply::Verdict(staged.leaf().unwrap());
        assert_ok!(reply_with(2, 0, right));
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
        assert_noop!(reply_with(2, 0, late), Error::<Test>::TimeOver);
        assert_ok!(expire(2, 0));
        let penalty = half(1_000 * BYTECHIP);
        assert_eq!(
            deeds(),
            [
                Deed::KeepOpen(4, false),
                Deed::SlashMasternode(member(0), penalty, account(1)),
                Deed::Strike(4),
            ]
        );
        let proved = Disputes::convictions_of(&JOB, None, 10);
        assert_eq!(proved.len(), 1);
        assert_eq!(proved[0].offence, Offence::Silence);
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
            assert_ok!(expire(1, id));
        }
        assert_eq!((held(1), held(2)), (0, 0));
        assert_eq!(Balances::balance(&account(1)), ENDOWMENT);
        assert_eq!(deeds(), [Deed::KeepOpen(4, true), Deed::KeepOpen(4, false)]);
    });
}

#[test]
fn a_batch_has_so_many_disputes_and_no_more() {
    on_new_chain(|| {
        assert_ok!(dispute(1, withheld()));
        let open = |count| OpenIn::<Test>::insert(BATCH.job, BATCH.sequence, count);
        open(OPEN_PER_BATCH_MAX - 1);
        assert_ok!(dispute(1, withheld()));
        assert_noop!(dispute(2, withheld()), Error::<Test>::TooManyDisputes);
        // What is decided at once needs no room.
        let staged = with_lie();
        assert_ok!(dispute(2, first_verdict(&staged)));
        open(2);
    });
}

#[test]
fn a_device_that_nobody_answers_for_convicts_nobody() {
    on_new_chain(|| {
        tell(Facts {
            device: Some(DeviceFacts {
                registered: None,
                answers: None,
                accepted: 3,
                is_convicted: false,
            }),
            ..staged().facts
        });
        assert_noop!(dispute(1, two_answers()), Error::<Test>::NobodyAnswers);
        assert_ne!(device(0), answer(1).payload.device);
    });
}

#[test]
fn who_settled_a_batch_and_disputes_it_in_vain_gets_nothing_back() {
    on_new_chain(|| {
        assert_ok!(dispute_as(member(0), first_verdict(&staged())));
        assert_eq!(deeds(), [Deed::Burnt(BOND)]);
        assert_eq!(Balances::balance(&member(0)), ENDOWMENT - BOND);
    });
}

#[test]
fn behind_the_window_only_what_is_decided_at_once_is_disputed() {
    on_new_chain(|| {
        assert_ok!(dispute(1, withheld()));
        pass_window();
        assert_noop!(dispute(1, withheld()), Error::<Test>::WindowOver);
        let adding = Evidence::Payouts { batch: BATCH };
        assert_noop!(dispute(1, adding), Error::<Test>::WindowOver);
        // What was opened in time goes on, and a lie is one as long as the batch is pending.
        let reply = Reply::Verdict(staged().leaf().unwrap());
        assert_ok!(reply_with(2, 0, reply));
        let staged = with_lie();
        assert_ok!(dispute(1, first_verdict(&staged)));
    });
}

#[test]
fn open_disputes_are_told_and_counted() {
    on_new_chain(|| {
        assert_ok!(dispute(1, withheld()));
        assert_ok!(dispute(2, Evidence::Payouts { batch: BATCH }));
        assert_ok!(step(2, 1, part(&staged(), 0, 2)));
        let asked = Disputes::dispute_of(0).unwrap();
        assert_eq!((asked.id, asked.verdicts), (0, 0));
        let adding = Disputes::dispute_of(1).unwrap();
        assert_eq!(
            (adding.dispute.matter, adding.verdicts),
            (Matter::Adding, 2)
        );
        let mut all = Disputes::disputes(None, 10);
        all.sort_by_key(|it| it.id);
        assert_eq!(all, [asked, adding]);
        let first = Disputes::disputes_of(&JOB, None, 1);
        let second = Disputes::disputes_of(&JOB, Some(first[0].id), 10);
        assert_eq!(second.len(), 1);
        let last = second[0].id;
        assert!(Disputes::disputes(None, 0).is_empty());
        assert!(Disputes::disputes_of(&JOB, Some(last), 10).is_empty());
        assert_eq!(Disputes::total_held(), 2 * BOND);
        assert_eq!(Disputes::dispute_of(2), None);
    });
}

#[test]
fn a_call_is_billed_for_what_it_had_done() {
    on_new_chain(|| {
        let cost = |evidence| {
            let origin = RuntimeOrigin::signed(account(1));
            match Disputes::dispute(origin, Box::new(evidence)) {
                Ok(info) => (true, info.actual_weight.unwrap()),
                Err(refusal) => (false, refusal.post_info.actual_weight.unwrap()),
            }
        };
        let call = Disputes::weight_of_dispute();
        let (facts, ruling) = (Bench::weight_of_facts(), Bench::weight());
        let mut leaf = staged().leaf().unwrap();
        leaf.place = 1;
        let batch = BATCH;
        let refused = cost(Evidence::Verdict { batch, leaf });
        assert_eq!(refused, (false, call + facts));
        assert_eq!(cost(first_verdict(&staged())), (true, call + facts));
        assert_eq!(cost(two_answers()), (true, call + facts));
        let staged = with_lie();
        assert_eq!(cost(first_verdict(&staged)), (true, call + ruling));
    });
}
