//! Groups: who is drawn, whose certificates settle, who takes over.

use super::*;
use crate::{DrawnLately, Event, Groups, Operators as _};
use frame_support::{BoundedVec, assert_ok, traits::Randomness as _};
use quern_primitives::{
    AccountId, JobId, NodeKey,
    batch::Certified,
    job::{Failure, JobState},
    lanes,
    params::Params,
    payload::{NodeSecret, NodeSignature},
};
use sp_core::H256;
use std::collections::BTreeSet;

fn with_groups_of(size: u8) {
    CurrentParams::set(&Params {
        group_size: size,
        ..PARAMS
    });
}

fn members(id: JobId) -> Vec<AccountId> {
    let members = Jobs::group(&id).unwrap().members.into_iter();
    members.map(|member| member.account).collect()
}

fn settle(by: &AccountId, certified: Certified) -> DispatchResultWithPostInfo {
    Jobs::settle(signed(by), certified)
}

fn take_over(by: &AccountId, id: JobId) -> DispatchResultWithPostInfo {
    Jobs::take_over(signed(by), id)
}

#[test]
fn a_group_is_as_large_as_the_council_says_if_there_are_as_many_and_its_first_coordinates() {
    for (size, expected) in [(1, 1), (2, 2), (3, 3), (7, 3)] {
        on_new_chain(|| {
            with_groups_of(size);
            let (id, coordinator) = running();
            let members = members(id);
            assert_eq!(members.len(), expected);
            let different: BTreeSet<_> = members.iter().collect();
            assert_eq!(different.len(), expected);
            assert!(members.iter().all(|it| MASTERNODES.contains(it)));
            assert_eq!(members.first(), Some(&coordinator));
        });
    }
}

#[test]
fn the_order_of_a_group_is_drawn() {
    on_new_chain(|| {
        let mut orders = BTreeSet::new();
        for number in 0..60 {
            if number % 15 == 0 {
                next_block();
            }
            free_of_charge(Jobs::submit(signed(&OWNER), salted(number)));
        }
        next_block();
        for number in 0..60 {
            orders.insert(members(id_of(&OWNER, &salted(number))));
        }
        assert_eq!(orders.len(), 6, "all orders of three are drawn");
    });
}

#[test]
fn a_batch_needs_certificates_of_more_than_half_of_the_group() {
    for (size, needed) in [(1, 1), (2, 2), (3, 2)] {
        on_new_chain(|| {
            with_groups_of(size);
            let (id, coordinator) = running();
            let with = |count: u8| certified_by(batch(id, 0, [0]), &Vec::from_iter(0..count));
            refused(
                settle(&coordinator, with(needed - 1)),
                Refusal::TooFewCertificates,
            );
            free_of_charge(settle(&coordinator, with(needed)));
            let kept = Jobs::pending_batch(&id, 0).unwrap();
            assert_eq!(kept.certified_by, Vec::from_iter(0..needed));
        });
    }
}

#[test]
fn the_coordinators_own_certificate_is_one_of_many() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(
            &coordinator,
            certified_by(batch(id, 0, [0]), &[1, 2]),
        ));
    });
}

#[test]
fn what_was_certified_is_on_record_with_its_log() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let certified = certified(batch(id, 0, [0]));
        free_of_charge(settle(&coordinator, certified.clone()));
        let record = Jobs::batch(&id, 0).unwrap();
        assert_eq!(
            (record.block, record.head),
            (certified.index, certified.head)
        );
    });
}

#[test]
fn certificates_are_ascending_and_each_is_of_a_member() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let by = |places: &[u8]| certified_by(batch(id, 0, [0]), places);
        refused(
            settle(&coordinator, by(&[1, 0])),
            Refusal::CertificatesUnsorted,
        );
        refused(
            settle(&coordinator, by(&[1, 1])),
            Refusal::CertificatesUnsorted,
        );
        refused(
            settle(&coordinator, by(&[0, 3])),
            Refusal::CertificateOfNobody,
        );
    });
}

#[test]
fn a_certificate_is_of_one_batch_log_and_chain_alone() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let honest = certified(batch(id, 0, [0]));
        let changes: [fn(&mut Certified); 5] = [
            |it| it.batch.spent -= 1,
            |it| it.batch.log.last += 1,
            |it| it.index += 1,
            |it| it.head.0[0] ^= 1,
            |it| it.certificates[1].1 = NodeSignature([0; 64]),
        ];
        for change in changes {
            let mut changed = honest.clone();
            change(&mut changed);
            // Payouts stay within the workers' share of a little less.
            changed
                .batch
                .payouts
                .iter_mut()
                .for_each(|it| it.amount -= 1);
            let mut same = honest.clone();
            same.batch.payouts = changed.batch.payouts.clone();
            refused(settle(&coordinator, changed), Refusal::CertificateNotSigned);
            refused(settle(&coordinator, same), Refusal::CertificateNotSigned);
        }
        let elsewhere = quern_primitives::GenesisHash([7; 32]);
        let mut foreign = honest.clone();
        let key = network_key(&members(id)[0]);
        foreign.certificates[0].1 = key.sign(honest.certificate(), &elsewhere).signature;
        refused(settle(&coordinator, foreign), Refusal::CertificateNotSigned);
        free_of_charge(settle(&coordinator, honest));
    });
}

#[test]
fn nobody_gets_rid_of_what_it_signed_by_publishing_another_key() {
    on_new_chain(|| {
        with_groups_of(1);
        let (id, coordinator) = running();
        let drawn_with = Jobs::group(&id).unwrap().members[0].node;
        let other = NodeSecret::from_seed(&[99; 32]);
        Published::insert(&coordinator, other.public());
        assert_ne!(Roster::network_key(&coordinator), Some(drawn_with));
        let mut with_new = certified(batch(id, 0, [0]));
        let said = with_new.certificate();
        with_new.certificates[0].1 = other.sign(said, &Jobs::genesis_hash()).signature;
        refused(
            settle(&coordinator, with_new),
            Refusal::CertificateNotSigned,
        );
        free_of_charge(settle(&coordinator, certified(batch(id, 0, [0]))));
    });
}

#[test]
fn a_key_under_which_everybody_signs_certifies_nothing() {
    on_new_chain(|| {
        with_groups_of(1);
        MasternodeList::set(&vec![MASTERNODES[0].clone()]);
        Published::insert(&MASTERNODES[0], NodeKey([0; 32]));
        let (id, coordinator) = running();
        let mut anybodys = certified(batch(id, 0, [0]));
        anybodys.certificates[0].1 = NodeSignature([0; 64]);
        refused(
            settle(&coordinator, anybodys),
            Refusal::CertificateNotSigned,
        );
    });
}

#[test]
fn a_silent_coordinator_loses_the_job_to_the_next_and_settles_no_more() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let next = members(id)[1].clone();
        clock_to(STALL - 1);
        refused(take_over(&next, id), Refusal::NotStalled);
        clock_to(STALL);
        free_of_charge(take_over(&next, id));
        let replaced = Event::CoordinatorReplaced {
            job: id,
            coordinator: next.clone(),
        };
        assert_eq!(events().last(), Some(&replaced));
        let coordinated = |by: &AccountId| Jobs::jobs_coordinated_by(by, None, 9).len();
        assert_eq!((coordinated(&coordinator), coordinated(&next)), (0, 1));
        refused(
            settle(&coordinator, certified(batch(id, 0, [0]))),
            Refusal::NotCoordinator,
        );
        // Who was silent still certifies.
        free_of_charge(settle(&next, certified_by(batch(id, 0, [0]), &[0, 1])));
    });
}

#[test]
fn each_settlement_gives_the_coordinator_another_stall() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let next = members(id)[1].clone();
        clock_to(STALL - 1);
        free_of_charge(settle(&coordinator, certified(batch(id, 0, [0]))));
        clock_to(2 * STALL - 2);
        refused(take_over(&next, id), Refusal::NotStalled);
        clock_to(2 * STALL - 1);
        free_of_charge(take_over(&next, id));
    });
}

#[test]
fn the_last_of_a_group_waits_for_all_between_and_nobody_has_a_second_turn() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        clock_to(2 * STALL - 1);
        refused(take_over(&all[2], id), Refusal::NotStalled);
        clock_to(2 * STALL);
        free_of_charge(take_over(&all[2], id));
        clock_to(100 * STALL);
        for member in &all {
            refused(take_over(member, id), Refusal::NoTurn);
        }
        refused(take_over(&STRANGER, id), Refusal::NotMasternode);
        assert_eq!(job(id).state.coordinator(), Some(&all[2]));
        assert_ne!(coordinator, all[2]);
    });
}

#[test]
fn a_coordinator_that_is_no_masternode_any_more_is_not_waited_for() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        let left = MASTERNODES.into_iter().filter(|it| *it != coordinator);
        MasternodeList::set(&left.collect());
        refused(take_over(&coordinator, id), Refusal::NotMasternode);
        refused(take_over(&all[2], id), Refusal::NotStalled);
        free_of_charge(take_over(&all[1], id));
        free_of_charge(settle(&all[1], certified(batch(id, 0, [0]))));
    });
}

#[test]
fn who_has_no_bond_any_more_has_no_turn_and_is_not_waited_for() {
    on_new_chain(|| {
        let (id, _) = running();
        let all = members(id);
        Unbonded::set(&vec![all[1].clone()]);
        clock_to(STALL);
        refused(take_over(&all[1], id), Refusal::NotBonded);
        free_of_charge(take_over(&all[2], id));
        let other = {
            free_of_charge(Jobs::submit(signed(&OWNER), salted(1)));
            next_block();
            id_of(&OWNER, &salted(1))
        };
        let all = members(other);
        Unbonded::set(&vec![all[1].clone()]);
        free_of_charge(settle(&all[0], certified_by(batch(other, 0, [0]), &[0, 1])));
        assert_ok!(Jobs::strike(other, 0));
        assert_eq!(job(other).state.coordinator(), Some(&all[2]));
    });
}

#[test]
fn the_block_after_the_draw_notes_the_seed_of_lanes_by_the_hash_before_it_and_its_randomness() {
    on_new_chain(|| {
        with_groups_of(3);
        let id = submitted();
        next_block();
        assert_eq!(Jobs::group(&id).unwrap().lane_seed, None);
        assert_eq!(DrawnLately::<Test>::get().into_inner(), [id]);
        assert_ok!(Jobs::do_try_state());
        // As long as there is no randomness the job waits for its lanes.
        Seed::set(&None);
        next_block();
        assert_eq!(Jobs::group(&id).unwrap().lane_seed, None);
        assert_ok!(Jobs::do_try_state());
        Seed::set(&Some(9));
        let next = System::block_number() + 1;
        let before = H256([7; 32]);
        frame_system::BlockHash::<Test>::insert(next - 2, before);
        next_block();
        let (random, _) = Numbers::random(b"quern/lanes/1");
        let seed = Some(lanes::seed(&before.0, &random.unwrap().0, &id));
        assert_eq!(Jobs::group(&id).unwrap().lane_seed, seed);
        assert!(DrawnLately::<Test>::get().is_empty());
        // Later blocks change nothing, nor does who takes over.
        frame_system::BlockHash::<Test>::insert(next - 1, H256([8; 32]));
        next_block();
        clock_to(STALL);
        free_of_charge(take_over(&members(id)[1], id));
        assert_eq!(Jobs::group(&id).unwrap().lane_seed, seed);
    });
}

#[test]
fn a_job_that_is_over_has_no_seed_of_lanes() {
    on_new_chain(|| {
        let id = submitted();
        next_block();
        next_block();
        assert!(Jobs::group(&id).unwrap().lane_seed.is_some());
        let all = members(id);
        free_of_charge(settle(&all[0], certified(batch(id, 0, 0..10))));
        pass_window();
        assert_eq!(Jobs::group(&id), None);
        // Nor is it kept of one that was drawn and is forgotten before the next block.
        DrawnLately::<Test>::put(BoundedVec::truncate_from(vec![id]));
        next_block();
        assert_eq!(Jobs::group(&id), None);
        assert!(DrawnLately::<Test>::get().is_empty());
    });
}

#[test]
fn only_a_job_that_goes_on_is_taken_over() {
    on_new_chain(|| {
        let id = submitted();
        refused(take_over(&MASTERNODES[0], id), Refusal::NotDrawn);
        refused(
            take_over(&MASTERNODES[0], JobId([7; 32])),
            Refusal::NoSuchJob,
        );
        next_block();
        clock_to(STALL);
        let all = members(id);
        free_of_charge(settle(&all[0], certified(batch(id, 0, 0..10))));
        clock_to(STALL + 1);
        refused(take_over(&all[1], id), Refusal::JobClosed);
        pass_window();
        refused(take_over(&all[1], id), Refusal::JobOver);
        assert_eq!(Groups::<Test>::iter().count(), 0);
    });
}

#[test]
fn nobody_takes_over_after_the_deadline_but_in_the_grace_of_a_cancelled_job() {
    on_new_chain(|| {
        let (id, _) = running();
        let all = members(id);
        clock_to(10 * STALL);
        free_of_charge(Jobs::cancel(signed(&OWNER), id));
        free_of_charge(take_over(&all[1], id));
        assert!(matches!(job(id).state, JobState::Cancelling { .. }));
        clock_to(20 * STALL);
        run_to(2 + GRACE + 1);
        refused(take_over(&all[2], id), Refusal::TooLate);
    });
}

#[test]
fn a_member_that_was_turned_out_has_no_say_and_never_a_turn() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        // The first and the last certify what is struck, so the one between goes on alone.
        let wrong = certified_by(batch(id, 0, [0]), &[0, 2]);
        free_of_charge(settle(&coordinator, wrong));
        assert_ok!(Jobs::strike(id, 0));
        assert_eq!(job(id).state.coordinator(), Some(&all[1]));
        for account in [&all[0], &all[2]] {
            let turned_out = Event::MemberTurnedOut {
                job: id,
                account: account.clone(),
            };
            assert!(events().contains(&turned_out));
        }
        let by = |places: &[u8]| certified_by(batch(id, 1, [0]), places);
        refused(settle(&all[1], by(&[0, 1])), Refusal::CertificateOfNobody);
        free_of_charge(settle(&all[1], by(&[1])));
        clock_to(10 * STALL);
        refused(take_over(&all[2], id), Refusal::NoTurn);
        refused(take_over(&all[0], id), Refusal::NoTurn);
    });
}

#[test]
fn who_wrote_what_rests_on_a_struck_batch_has_had_its_turn_but_keeps_its_say() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        free_of_charge(settle(
            &coordinator,
            certified_by(batch(id, 0, [0]), &[0, 2]),
        ));
        clock_to(STALL);
        free_of_charge(take_over(&all[1], id));
        free_of_charge(settle(&all[1], certified_by(batch(id, 1, [1]), &[1, 2])));
        assert_ok!(Jobs::strike(id, 0));
        // The last was turned out, and the one whose turn it was may not write on from before it.
        assert!(!job(id).state.is_open());
        assert_eq!(free(&OWNER), ENDOWMENT);
        assert_eq!(Groups::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_group_is_forgotten_with_its_job_however_that_ends() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let why = Failure::Undecided;
        free_of_charge(Jobs::close_failed(signed(&coordinator), failed(id, 0, why)));
        assert_eq!(Jobs::group(&id), None);
        free_of_charge(Jobs::submit(signed(&OWNER), salted(1)));
        next_block();
        assert_eq!(Groups::<Test>::iter().count(), 1);
        run_to(1_001);
        let expired = id_of(&OWNER, &salted(1));
        free_of_charge(Jobs::refund(signed(&STRANGER), expired));
        assert_eq!(Groups::<Test>::iter().count(), 0);
    });
}

#[test]
fn a_member_that_is_turned_out_certifies_no_more_and_who_coordinates_is_followed_by_the_next() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        let all = members(id);
        assert_ok!(Jobs::turn_out_member(&id, &coordinator));
        assert_eq!(job(id).state.coordinator(), Some(&all[1]));
        let out = Event::MemberTurnedOut {
            job: id,
            account: coordinator.clone(),
        };
        assert!(events().contains(&out));
        // Of the two who are left both certify.
        refused(
            settle(&all[1], certified_by(batch(id, 0, [0]), &[0, 1])),
            Refusal::CertificateOfNobody,
        );
        refused(
            settle(&coordinator, certified_by(batch(id, 0, [0]), &[1, 2])),
            Refusal::NotCoordinator,
        );
        free_of_charge(settle(&all[1], certified_by(batch(id, 0, [0]), &[1, 2])));
        // One that does not coordinate is out, and nothing else changes.
        assert_ok!(Jobs::turn_out_member(&id, &all[2]));
        assert_eq!(job(id).state.coordinator(), Some(&all[1]));
        free_of_charge(settle(&all[1], certified_by(batch(id, 1, [1]), &[1])));
        let told = events().len();
        for nobody in [&coordinator, &STRANGER] {
            assert_ok!(Jobs::turn_out_member(&id, nobody));
        }
        assert_eq!(events().len(), told);
    });
}

#[test]
fn the_last_that_could_settle_is_not_turned_out() {
    on_new_chain(|| {
        with_groups_of(1);
        let (id, coordinator) = running();
        assert_ok!(Jobs::turn_out_member(&id, &coordinator));
        assert_eq!(job(id).state.coordinator(), Some(&coordinator));
        free_of_charge(settle(&coordinator, certified(batch(id, 0, [0]))));
    });
}

#[test]
fn who_coordinated_a_job_that_waits_for_its_last_batch_is_turned_out() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(&coordinator, certified(batch(id, 0, 0..10))));
        assert_ok!(Jobs::turn_out_member(&id, &coordinator));
        assert!(Jobs::group(&id).unwrap().members[0].is_out);
        pass_window();
        assert!(!job(id).state.is_open());
    });
}

#[test]
fn no_coordinator_ends_a_job_on_its_own_word_where_the_group_has_others() {
    on_new_chain(|| {
        let (id, coordinator) = running();
        free_of_charge(settle(&coordinator, certified(batch(id, 0, [0]))));
        let close = |end| Jobs::close_failed(signed(&coordinator), end);
        let by = |places: &[u8]| failed_by(id, 5, Failure::Undecided, places);
        refused(close(by(&[])), Refusal::TooFewCertificates);
        refused(close(by(&[0])), Refusal::TooFewCertificates);
        refused(close(by(&[1, 0])), Refusal::CertificatesUnsorted);
        refused(close(by(&[0, 6])), Refusal::CertificateOfNobody);
        // What was signed of another task, failure, log or time is no word on this one.
        let other = |change: fn(&mut quern_primitives::batch::CertifiedEnd)| {
            let mut end = by(&[0, 1]);
            change(&mut end);
            end
        };
        for end in [
            other(|end| end.task = 6),
            other(|end| end.why = Failure::Program(quern_primitives::receipt::Exit::Trap)),
            other(|end| end.index += 1),
            other(|end| end.head.0[0] ^= 1),
        ] {
            refused(close(end), Refusal::CertificateNotSigned);
        }
        let early = by(&[0, 1]);
        free_of_charge(settle(&coordinator, certified(batch(id, 1, [1]))));
        refused(close(early), Refusal::CertificateNotSigned);
        free_of_charge(close(by(&[0, 1])));
        assert!(matches!(job(id).state, JobState::Settling { .. }));
    });
}
