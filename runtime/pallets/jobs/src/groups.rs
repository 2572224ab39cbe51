//! The masternodes of a job: whose words settle a batch, and who takes over.

use crate::{Config, Error, Event, Groups, Jobs, JobsCoordinatedBy, Operators, Pallet};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
    BoundedVec, ensure,
    pallet_prelude::{DispatchResult, Get},
    traits::SortedMembers,
};
use quern_job_rules::{group, life, operators};
use quern_primitives::{
    AccountId, BlockNumber, Digest, JobId,
    batch::{Certified, PendingBatch},
    group::{Group, Member},
    job::Job,
    log::Certificate,
    payload::{NodeSignature, SignedPayload},
};
use sp_core::ed25519;

impl<T: Config> Pallet<T> {
    /// A job's group; none before it is drawn and once the job is over.
    pub fn group(id: &JobId) -> Option<Group> {
        Groups::<T>::get(id)
    }

    /// Draws a group among these masternodes; none if there is none of them. Who has no key published
    /// could certify nothing, and is left out.
    pub(crate) fn draw_group(number: u128, masternodes: &[AccountId], size: u8) -> Option<Group> {
        let drawn = group::draw(number, masternodes, size);
        let members = drawn.into_iter().filter_map(|account| {
            let node = T::Operators::network_key(&account)?;
            Some(Member {
                account,
                node,
                is_out: false,
            })
        });
        let members: Vec<_> = members.collect();
        (!members.is_empty()).then(|| Group {
            members: BoundedVec::truncate_from(members),
            turn: 0,
            since: T::Finalised::get(),
            lane_seed: None,
        })
    }

    /// Checks that more than half of a job's group certified a batch over the log head that it names.
    pub(crate) fn check_certified(group: &Group, certified: &Certified) -> DispatchResult {
        // As `Certified::certificate` says, with the host's hash.
        let certificate = Certificate {
            job: certified.batch.job,
            sequence: certified.batch.sequence,
            index: certified.index,
            head: certified.head,
            batch: Digest(sp_io::hashing::sha2_256(&certified.batch.encode())),
        };
        Self::check_certificates(group, certificate, &certified.certificates)
    }

    /// Checks that more than half of a job's group signed this.
    pub(crate) fn check_certificates(
        group: &Group,
        certificate: Certificate,
        certificates: &[(u8, NodeSignature)],
    ) -> DispatchResult {
        let digest = certificate.signing_digest(&Self::genesis_hash());
        let is_signed = |member: &Member, signature: &NodeSignature| {
            !member.node.is_small_order()
                && sp_io::crypto::ed25519_verify(
                    &ed25519::Signature::from_raw(signature.0),
                    &digest,
                    &ed25519::Public::from_raw(member.node.0),
                )
        };
        group::check_certificates(group, certificates, is_signed).map_err(Error::<T>::from)?;
        Ok(())
    }

    pub(crate) fn do_take_over(by: AccountId, id: JobId) -> DispatchResult {
        let job = Self::existing(id)?;
        let taken = life::Event::TakenOver { by: by.clone() };
        let transition = life::apply(&job, Self::now(), taken).map_err(Error::<T>::from)?;
        ensure!(T::Masternodes::contains(&by), Error::<T>::NotMasternode);
        ensure!(T::Operators::is_bonded(&by), Error::<T>::NotBonded);
        let group = Groups::<T>::get(id).ok_or(Error::<T>::NotDrawn)?;
        let (clock, stall) = (T::Finalised::get(), T::Params::get().stall_blocks);
        let is_there = T::Masternodes::contains;
        let turn = group::take_over(&group, &by, (clock, stall), is_there, Self::may_begin)
            .map_err(Error::<T>::from)?;
        Groups::<T>::insert(id, turned(group, turn, clock));
        Self::hand_over(id, &job, &transition.job);
        Self::commit(id, &job, transition)
    }

    /// Whether an account may have a turn: it is a masternode, and has something to lose.
    fn may_begin(account: &AccountId) -> bool {
        T::Masternodes::contains(account) && T::Operators::is_bonded(account)
    }

    /// Takes their say from who settled or certified a batch that is struck, and tells who goes on with
    /// the job: the next in the order that may, because the present one has had its turn.
    pub(crate) fn turn_out(id: JobId, batch: &PendingBatch) -> Result<Option<AccountId>, Error<T>> {
        let mut group = Groups::<T>::get(id).ok_or(Error::<T>::NotDrawn)?;
        for (member, place) in group.members.iter_mut().zip(0u8..) {
            if operators::answers(batch, place, member) && !member.is_out {
                member.is_out = true;
                Self::deposit_event(Event::MemberTurnedOut {
                    job: id,
                    account: member.account.clone(),
                });
            }
        }
        let next = group::next_turn(&group, Self::may_begin);
        let next = next.and_then(|place| group.member(place));
        let next = next.map(|member| member.account.clone());
        Groups::<T>::insert(id, group);
        Ok(next)
    }

    /// Takes its say from a member that was convicted of what strikes no batch, such as two blocks for one
    /// place. If it coordinates, the job goes on with the next member that may. Where there is none, or time
    /// is up, nobody else could settle anything: it stays, and the owner may cancel.
    ///
    /// No call: who may convict, and of what, is for others to say. Of one that is no member, or has no
    /// say any more, nothing changes. Costs less than striking a batch.
    pub fn turn_out_member(id: &JobId, account: &AccountId) -> DispatchResult {
        let (Some(job), Some(mut group)) = (Jobs::<T>::get(id), Groups::<T>::get(id)) else {
            return Ok(());
        };
        let members = group.members.iter_mut();
        let mut has_say = members.filter(|member| member.account == *account && !member.is_out);
        let Some(member) = has_say.next() else {
            return Ok(());
        };
        member.is_out = true;
        let coordinates = group.coordinator().is_some_and(|it| it.account == *account);
        let out = Event::MemberTurnedOut {
            job: *id,
            account: account.clone(),
        };
        if !(coordinates && job.state.goes_on()) {
            Groups::<T>::insert(id, group);
            Self::deposit_event(out);
            return Ok(());
        }
        let next = group::next_turn(&group, Self::may_begin);
        let next = next.and_then(|turn| {
            let by = group.member(turn)?.account.clone();
            let taken = life::apply(&job, Self::now(), life::Event::TakenOver { by });
            Some((turn, taken.ok()?))
        });
        let Some((turn, transition)) = next else {
            return Ok(());
        };
        Groups::<T>::insert(id, turned(group, turn, T::Finalised::get()));
        Self::deposit_event(out);
        Self::hand_over(*id, &job, &transition.job);
        Self::commit(*id, &job, transition)
    }

    /// Begins the turn of who goes on with a job whose batch was struck.
    pub(crate) fn begin_turn(id: JobId, by: &AccountId) {
        Groups::<T>::mutate(id, |kept| {
            let group = kept.take();
            *kept = group.map(|group| match group.place_of(by) {
                Some(turn) if turn != group.turn => turned(group, turn, T::Finalised::get()),
                _ => group,
            });
        });
    }

    /// Keeps the lists by coordinator in line with a change of it.
    pub(crate) fn hand_over(id: JobId, before: &Job, after: &Job) {
        let (Some(old), Some(new)) = (before.state.coordinator(), after.state.coordinator()) else {
            return;
        };
        if old != new {
            JobsCoordinatedBy::<T>::remove(old, id);
            JobsCoordinatedBy::<T>::insert(new, id, ());
            Self::deposit_event(Event::CoordinatorReplaced {
                job: id,
                coordinator: new.clone(),
            });
        }
    }
}

/// The group at the beginning of another turn.
fn turned(group: Group, turn: u8, since: BlockNumber) -> Group {
    Group {
        turn,
        since,
        ..group
    }
}
