//! Disputes from evidence to ruling.

use crate::{
    Config, Convictions, Court, Disputes, DisputesOf, Error, Event, NextDispute,
    OPEN_PER_BATCH_MAX, OpenIn, Pallet, Sums, TotalHeld,
};
use frame_support::{ensure, pallet_prelude::DispatchResult};
use quern_dispute_rules::{
    Evidence, Facts, Refusal, Reply, Ruling, Signatures, Subject, Sum, decide,
    evidence::BatchName,
    open::{Dispute, DisputeId, Matter},
    penalty::Penalty,
    ruling::{Conviction, Guilty},
    sum::Step,
};
use quern_primitives::{AccountId, Amount, JobId};
use sp_core::ed25519;
use sp_runtime::ArithmeticError;

/// What a call had the court do, for what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// It was asked for facts, and at most one worker's bond was slashed.
    Looked,
    /// Batches may have been struck and bonds of a whole group slashed.
    Ruled,
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
    }
}

impl<T: Config> Pallet<T> {
    pub(crate) fn do_dispute(
        disputer: AccountId,
        evidence: &Evidence,
        work: &mut Work,
    ) -> DispatchResult {
        let subject = evidence.subject();
        let facts = T::Court::facts(&subject).ok_or(Error::<T>::JobUnknown)?;
        let ruling = decide(evidence, &facts, &Host).map_err(Error::<T>::from)?;
        let bond = facts.stakes.dispute_bond;
        // Whoever is right has the bond as well.
        Self::hold_bond(&disputer, bond)?;
        let (sequence, matter) = match ruling {
            Ruling::Adding(sequence) => (sequence, Matter::Adding),
            Ruling::Asked(sequence, question) => (sequence, Matter::Asked(question)),
            ruling => return Self::rule(&disputer, bond, &facts, ruling, work),
        };
        let batch = BatchName {
            job: subject.job,
            sequence,
        };
        // Or whoever pays a bond each time could put off for ever that it is final.
        ensure!(!T::Court::is_due(&batch), Error::<T>::WindowOver);
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
        let total = TotalHeld::<T>::get().checked_add(dispute.bond);
        TotalHeld::<T>::put(total.ok_or(ArithmeticError::Overflow)?);
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
        DisputesOf::<T>::insert(job, id, ());
        Disputes::<T>::insert(id, dispute);
        Ok(())
    }

    pub(crate) fn do_step(
        disputer: &AccountId,
        id: DisputeId,
        step: &Step,
        work: &mut Work,
    ) -> DispatchResult {
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
            Ok(ruling) => Self::close(id, &dispute, &facts, ruling, work),
        }
    }

    pub(crate) fn do_answer(id: DisputeId, reply: &Reply, work: &mut Work) -> DispatchResult {
        let dispute = Self::running(id)?;
        let Matter::Asked(question) = dispute.matter else {
            return Err(Error::<T>::NothingToAnswer.into());
        };
        let facts = Self::facts_of(&dispute)?;
        let ruling = question.replied(reply, &facts, &Host);
        let ruling = ruling.map_err(Error::<T>::from)?;
        Self::close(id, &dispute, &facts, ruling, work)
    }

    pub(crate) fn do_expire(id: DisputeId, work: &mut Work) -> DispatchResult {
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
            Ok(ruling) => Self::close(id, &dispute, &facts, ruling, work),
            // It was about the coordinator alone, which is no member any more: nobody is left to pay.
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
    fn close(
        id: DisputeId,
        dispute: &Dispute,
        facts: &Facts,
        ruling: Ruling,
        work: &mut Work,
    ) -> DispatchResult {
        Self::remove(id, dispute)?;
        Self::rule(&dispute.disputer, dispute.bond, facts, ruling, work)
    }

    /// Ends a dispute over what is gone.
    fn drop_dispute(id: DisputeId, dispute: &Dispute) -> DispatchResult {
        Self::remove(id, dispute)?;
        Self::deposit_event(Event::DisputeDropped { id });
        Self::release_bond(&dispute.disputer, dispute.bond)
    }

    fn remove(id: DisputeId, dispute: &Dispute) -> DispatchResult {
        Disputes::<T>::remove(id);
        Sums::<T>::remove(id);
        let BatchName { job, sequence } = dispute.batch;
        DisputesOf::<T>::remove(job, id);
        let total = TotalHeld::<T>::get().checked_sub(dispute.bond);
        TotalHeld::<T>::put(total.ok_or(ArithmeticError::Underflow)?);
        let open = OpenIn::<T>::get(job, sequence).saturating_sub(1);
        if open > 0 {
            OpenIn::<T>::insert(job, sequence, open);
        } else {
            OpenIn::<T>::remove(job, sequence);
            T::Court::keep_open(&dispute.batch, false);
        }
        Ok(())
    }

    /// Does what a ruling names, and gives the bond back or takes it.
    fn rule(
        disputer: &AccountId,
        bond: Amount,
        facts: &Facts,
        ruling: Ruling,
        work: &mut Work,
    ) -> DispatchResult {
        match ruling {
            Ruling::Convicted(conviction) => {
                let is_of_worker = conviction.strike.is_none()
                    && conviction
                        .sentences
                        .iter()
                        .all(|it| matches!(it.guilty, Guilty::Worker { .. }));
                if !is_of_worker {
                    *work = Work::Ruled;
                }
                Self::release_bond(disputer, bond)?;
                Self::convict(disputer, &facts.job_id, conviction)
            }
            Ruling::Unfounded(_) => {
                // Whatever is unfounded is about a batch; it was decided from these facts.
                let batch = facts.batch.as_ref().ok_or(Error::<T>::NotPending)?;
                // A coordinator that disputes what it settled itself gets nothing back.
                let part = match *disputer == batch.coordinator {
                    true => 0,
                    false => facts.stakes.winner_permille,
                };
                // What was put up, whatever the council has set since.
                let penalty = Penalty::of(bond, bond, part);
                let penalty = Self::take_bond(disputer, bond, penalty, &batch.coordinator)?;
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
                    // Who signed two things for one place certifies nothing more. A strike turns out by
                    // itself.
                    if strike.is_none() {
                        T::Court::turn_out(job, account)?;
                    }
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
        // Last, because who has no bond any more does not go on with the job.
        match strike {
            Some(sequence) => T::Court::strike(job, sequence),
            None => Ok(()),
        }
    }
}

fn account_of(guilty: &Guilty) -> &AccountId {
    match guilty {
        Guilty::Masternode(account) | Guilty::Worker { account, .. } => account,
    }
}
