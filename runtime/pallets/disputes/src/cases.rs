//! Disputes from evidence to ruling.

use crate::{
    Config, Convictions, Court, Disputes, Error, Event, NextDispute, OPEN_PER_BATCH_MAX, OpenIn,
    Pallet, Sums,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_dispute_rules::{
    Evidence, Facts, Question, Refusal, Reply, Ruling, Signatures, Subject, Sum, decide,
    evidence::BatchName,
    penalty::Penalty,
    ruling::{Conviction, Guilty},
    sum::Step,
};
use quern_primitives::{AccountId, Amount, BlockNumber, JobId};
use scale_info::TypeInfo;
use sp_core::ed25519;

/// A dispute's number.
pub type DisputeId = u64;

/// What an open dispute is about.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    TypeInfo,
    MaxEncodedLen,
)]
pub enum Matter {
    /// The chain adds up a batch's verdicts.
    #[codec(index = 0)]
    Adding,
    /// A batch's coordinator has to show something.
    #[codec(index = 1)]
    Asked(Question),
}

/// An open dispute.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo, MaxEncodedLen,
)]
pub struct Dispute {
    /// Who began it.
    pub disputer: AccountId,
    /// What they put up; held.
    pub bond: Amount,
    /// The batch.
    pub batch: BatchName,
    /// The last height at which it can be ended by steps or answers.
    pub until: BlockNumber,
    /// What it is about.
    pub matter: Matter,
}

/// Signatures as the chain's host checks them.
struct Host;

impl Signatures for Host {
    fn is_ed25519(&self, signature: &[u8; 64], digest: &[u8; 32], public: &[u8; 32]) -> bool {
        sp_io::crypto::ed25519_verify(
            &ed25519::Signature::from_raw(*signature),
            digest,
            &ed25519::Public::from_raw(*public),
        )
    }
}

fn subject_of(batch: &BatchName) -> Subject {
    Subject {
        job: batch.job,
        batch: Some(batch.sequence),
        device: None,
        account: None,
    }
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_dispute(disputer: AccountId, evidence: &Evidence) -> DispatchResult {
        let subject = evidence.subject();
        let facts = T::Court::facts(&subject).ok_or(Error::<T>::JobUnknown)?;
        let ruling = decide(evidence, &facts, &Host).map_err(Error::<T>::from)?;
        let bond = facts.stakes.dispute_bond;
        // Whoever is right has the bond as well.
        Self::hold_bond(&disputer, bond)?;
        let (sequence, matter) = match ruling {
            Ruling::Adding(sequence) => (sequence, Matter::Adding),
            Ruling::Asked(sequence, question) => (sequence, Matter::Asked(question)),
            ruling => return Self::rule(&disputer, bond, &facts, ruling),
        };
        let batch = BatchName {
            job: subject.job,
            sequence,
        };
        Self::open(Dispute {
            disputer,
            bond,
            batch,
            until: T::Court::now().saturating_add(T::Court::answer_blocks()),
            matter,
        })
    }

    fn open(dispute: Dispute) -> DispatchResult {
        let BatchName { job, sequence } = dispute.batch;
        let open = OpenIn::<T>::get(job, sequence);
        ensure!(open < OPEN_PER_BATCH_MAX, Error::<T>::TooManyDisputes);
        OpenIn::<T>::insert(job, sequence, open.saturating_add(1));
        if open == 0 {
            T::Court::keep_open(&dispute.batch, true);
        }
        let id = NextDispute::<T>::get();
        // 2^64 disputes are never opened.
        NextDispute::<T>::put(id.saturating_add(1));
        if dispute.matter == Matter::Adding {
            Sums::<T>::insert(id, Sum::default());
        }
        Self::deposit_event(Event::DisputeOpened {
            id,
            disputer: dispute.disputer.clone(),
            batch: dispute.batch,
            matter: dispute.matter,
            until: dispute.until,
        });
        Disputes::<T>::insert(id, dispute);
        Ok(())
    }

    pub(crate) fn do_step(disputer: &AccountId, id: DisputeId, step: &Step) -> DispatchResult {
        let dispute = Self::running(id)?;
        ensure!(dispute.disputer == *disputer, Error::<T>::NotDisputer);
        let mut sum = Sums::<T>::get(id).ok_or(Error::<T>::NothingToAdd)?;
        let facts = Self::facts_of(&dispute)?;
        sum.add(step, &facts).map_err(Error::<T>::from)?;
        let verdicts = sum.verdicts();
        Self::deposit_event(Event::StepTaken { id, verdicts });
        match sum.conclude(&facts) {
            Err(Refusal::Unfinished) => {
                Sums::<T>::insert(id, sum);
                Ok(())
            }
            Err(refusal) => Err(Error::<T>::from(refusal).into()),
            Ok(ruling) => Self::close(id, &dispute, &facts, ruling),
        }
    }

    pub(crate) fn do_answer(id: DisputeId, reply: &Reply) -> DispatchResult {
        let dispute = Self::running(id)?;
        let Matter::Asked(question) = dispute.matter else {
            return Err(Error::<T>::NothingToAnswer.into());
        };
        let facts = Self::facts_of(&dispute)?;
        let ruling = question.replied(reply, &facts, &Host);
        let ruling = ruling.map_err(Error::<T>::from)?;
        Self::close(id, &dispute, &facts, ruling)
    }

    pub(crate) fn do_expire(id: DisputeId) -> DispatchResult {
        let dispute = Disputes::<T>::get(id).ok_or(Error::<T>::DisputeUnknown)?;
        let facts = T::Court::facts(&subject_of(&dispute.batch));
        let Some(facts) = facts.filter(|facts| facts.batch.is_some()) else {
            return Self::drop_dispute(id, &dispute);
        };
        ensure!(T::Court::now() > dispute.until, Error::<T>::TimeRemains);
        let ruling = match dispute.matter {
            Matter::Asked(question) => question.expired(&facts),
            Matter::Adding => Ok(Ruling::Unfounded(Penalty::of(
                dispute.bond,
                dispute.bond,
                facts.stakes.winner_permille,
            ))),
        };
        match ruling {
            Ok(ruling) => Self::close(id, &dispute, &facts, ruling),
            // The coordinator is no member any more, so nobody is left to answer or to pay.
            Err(_) => Self::drop_dispute(id, &dispute),
        }
    }

    /// A dispute whose time is not over.
    fn running(id: DisputeId) -> Result<Dispute, Error<T>> {
        let dispute = Disputes::<T>::get(id).ok_or(Error::<T>::DisputeUnknown)?;
        ensure!(T::Court::now() <= dispute.until, Error::<T>::TimeOver);
        Ok(dispute)
    }

    fn facts_of(dispute: &Dispute) -> Result<Facts, Error<T>> {
        T::Court::facts(&subject_of(&dispute.batch)).ok_or(Error::<T>::NotPending)
    }

    /// Ends a dispute that has its ruling.
    fn close(id: DisputeId, dispute: &Dispute, facts: &Facts, ruling: Ruling) -> DispatchResult {
        Self::remove(id, dispute);
        Self::rule(&dispute.disputer, dispute.bond, facts, ruling)
    }

    /// Ends a dispute over what is gone.
    fn drop_dispute(id: DisputeId, dispute: &Dispute) -> DispatchResult {
        Self::remove(id, dispute);
        Self::deposit_event(Event::DisputeDropped { id });
        Self::release_bond(&dispute.disputer, dispute.bond)
    }

    fn remove(id: DisputeId, dispute: &Dispute) {
        Disputes::<T>::remove(id);
        Sums::<T>::remove(id);
        let BatchName { job, sequence } = dispute.batch;
        let open = OpenIn::<T>::get(job, sequence).saturating_sub(1);
        if open > 0 {
            OpenIn::<T>::insert(job, sequence, open);
        } else {
            OpenIn::<T>::remove(job, sequence);
            T::Court::keep_open(&dispute.batch, false);
        }
    }

    /// Does what a ruling names, and gives the bond back or takes it.
    fn rule(disputer: &AccountId, bond: Amount, facts: &Facts, ruling: Ruling) -> DispatchResult {
        match ruling {
            Ruling::Convicted(conviction) => {
                Self::release_bond(disputer, bond)?;
                Self::convict(disputer, &facts.job_id, conviction)
            }
            Ruling::Unfounded(penalty) => {
                // Whatever is unfounded is about a batch; it was decided from these facts.
                let batch = facts.batch.as_ref().ok_or(Error::<T>::NotPending)?;
                let penalty = Penalty::of(bond, penalty.slash(), facts.stakes.winner_permille);
                Self::take_bond(disputer, bond, &penalty, &batch.coordinator)?;
                Self::deposit_event(Event::DisputeLost {
                    disputer: disputer.clone(),
                    batch: BatchName {
                        job: facts.job_id,
                        sequence: batch.sequence,
                    },
                    penalty,
                });
                Ok(())
            }
            // Only a dispute that begins is opened.
            Ruling::Adding(_) | Ruling::Asked(..) => Err(Error::<T>::Undecidable.into()),
        }
    }

    fn convict(disputer: &AccountId, job: &JobId, conviction: Conviction) -> DispatchResult {
        let Conviction {
            offence,
            place,
            strike,
            sentences,
        } = conviction;
        let is_new = !Convictions::<T>::contains_key(job, &place);
        ensure!(is_new, Error::<T>::ProvedBefore);
        Convictions::<T>::insert(job, &place, offence);
        Self::deposit_event(Event::LieProved {
            disputer: disputer.clone(),
            job: *job,
            offence,
            struck: strike,
        });
        if let Some(sequence) = strike {
            T::Court::strike(job, sequence)?;
        }
        // Nobody gets a part of what they lose themselves by being the first to say so.
        let is_guilty = sentences
            .iter()
            .any(|it| account_of(&it.guilty) == disputer);
        for mut sentence in sentences {
            if is_guilty {
                sentence.penalty = Penalty {
                    winner: 0,
                    burnt: sentence.penalty.slash(),
                };
            }
            let penalty = &sentence.penalty;
            match &sentence.guilty {
                Guilty::Masternode(account) => {
                    T::Court::slash_masternode(account, penalty, disputer)?;
                }
                Guilty::Worker {
                    account, device, ..
                } => T::Court::slash_worker(account, device, penalty, disputer)?,
            }
            Self::deposit_event(Event::BondSlashed {
                job: *job,
                sentence,
            });
        }
        Ok(())
    }

    /// Forgets what was proved of a job that is over and all of whose batches are final. Gives how many
    /// entries it removed, at most `limit`.
    pub fn forget(job: &JobId, limit: u32) -> u32 {
        let proved = Convictions::<T>::iter_key_prefix(job);
        let some: Vec<_> = proved.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect();
        for place in &some {
            Convictions::<T>::remove(job, place);
        }
        u32::try_from(some.len()).unwrap_or(u32::MAX)
    }
}

fn account_of(guilty: &Guilty) -> &AccountId {
    match guilty {
        Guilty::Masternode(account) | Guilty::Worker { account, .. } => account,
    }
}
