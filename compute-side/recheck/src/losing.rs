//! Whether evidence would win, asked of the court's own rules before a bond is taken.
//!
//! What only the chain can say stays open: whether who is asked answers in time. And the chain may be another
//! by the time the evidence reaches it; then it may refuse it, which costs the fee.

use quern_dispute_rules::{
    Ed25519, Evidence, Facts, Refusal, Ruling, Sum, decide, open::ConvictionView, sum::Step,
};

/// Why evidence is not shown to the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Losing {
    /// There is no such job, or nothing of it is disputed any more.
    #[error("the chain has no such job that is open, so nothing of it is disputed any more")]
    NotOpen,
    /// The chain would not judge it.
    #[error("the chain would refuse it: {0}")]
    Refused(Refusal),
    /// The bond would be lost.
    #[error("by the chain's rules nothing is wrong with it, and the bond would be lost")]
    Unfounded,
    /// It was proved before.
    #[error("that was proved before; `quern dispute proved` has it")]
    ProvedBefore,
}

/// Whether evidence wins, or may, by what the chain says now; with the steps in which it adds up a batch, and
/// what was proved of the job.
pub fn check_evidence(
    evidence: &Evidence,
    steps: &[Step],
    facts: Option<&Facts>,
    proved: &[ConvictionView],
) -> Result<(), Losing> {
    let facts = facts.ok_or(Losing::NotOpen)?;
    let ruling = match decide(evidence, facts, &Ed25519).map_err(Losing::Refused)? {
        Ruling::Adding(_) => added(steps, facts).map_err(Losing::Refused)?,
        ruling => ruling,
    };
    match ruling {
        Ruling::Convicted(conviction) => {
            match proved.iter().any(|it| it.place == conviction.place) {
                true => Err(Losing::ProvedBefore),
                false => Ok(()),
            }
        }
        Ruling::Unfounded(_) => Err(Losing::Unfounded),
        Ruling::Asked(..) | Ruling::Adding(_) => Ok(()),
    }
}

/// What comes out where a batch's verdicts are added up.
fn added(steps: &[Step], facts: &Facts) -> Result<Ruling, Refusal> {
    let mut sum = Sum::default();
    for step in steps {
        sum.add(step, facts)?;
    }
    sum.conclude(facts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use codec::Encode as _;
    use quern_dispute_rules::{
        evidence::{BatchName, Leaf, Withheld},
        facts::{BatchFacts, Stakes},
        ruling::{Offence, Place, VerdictLie},
    };
    use quern_job_rules::pay::{PRICES_AT_GENESIS, Tariff};
    use quern_primitives::{
        AccountId, Amount, DeviceId, Digest, GenesisHash, JobId, ProgramHash,
        batch::{DeviceChange, LogRange, Payout},
        device::{Class, RecordChange},
        ids::SealingKey,
        job::{Agreement, ByteLevel, Escrow, Job, JobState, Preferences, Referees, Submission},
        merkle::Tree,
        params::Terms,
        receipt::{Answer, Exit},
        verdict::{Finding, Ground, ReplicaFinding, Verdict},
    };

    const JOB: JobId = JobId([3; 32]);
    const BATCH: BatchName = BatchName {
        job: JOB,
        sequence: 0,
    };

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    fn job() -> Job {
        let submission = Submission {
            salt: [7; 16],
            program: ProgramHash([8; 32]),
            manifest: Digest([9; 32]),
            shards_root: Digest([10; 32]),
            key_commitment: Digest([10; 32]),
            tasks: 1,
            input_bytes: 1_000,
            fuel_per_task_max: 1_000_000_000,
            memory_bytes_max: 1_000,
            result_bytes_max: 1_000,
            agreement: Agreement::Unanimous,
            referees: Referees::One,
            class: Class::Portable,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            deadline: 1_000,
            price_max: 1_000_000_000_000,
            owner_sealing_key: SealingKey([11; 32]),
        };
        Job {
            owner: account(12),
            submission,
            prices: PRICES_AT_GENESIS,
            terms: Terms::FIRST,
            submitted_at: 1,
            state: JobState::Running {
                coordinator: account(9),
            },
            escrow: Escrow::default(),
            settled_tasks: 1,
            next_batch: 1,
            pending_batches: 1,
        }
    }

    fn verdict() -> Verdict {
        let tariff = Tariff::of_job(&job()).unwrap();
        let price = tariff.price(100_000_000);
        let found = |number| ReplicaFinding {
            replica: number,
            device: DeviceId([number; 32]),
            account: account(number),
            finding: Finding::Accepted,
            receipt: Some(Digest([number; 32])),
            pay: tariff.pays(price, 2),
        };
        Verdict {
            job: JOB,
            task: 0,
            answer: Answer {
                result_commitment: Digest([9; 32]),
                result_bytes: 4,
                fuel: 100_000_000,
                exit: Exit::Success,
            },
            ground: Ground::Unanimous,
            price,
            replicas: vec![found(0), found(1)],
        }
    }

    /// What the chain says where a batch has this verdict, and pays what it makes and so much more.
    fn facts(verdict: &Verdict, more: Amount) -> Facts {
        let found = &verdict.replicas;
        let payouts = found.iter().map(|it| Payout {
            account: it.account.clone(),
            amount: it.pay + more,
        });
        let devices = found.iter().map(|it| DeviceChange {
            device: it.device,
            change: RecordChange {
                accepted: 1,
                ..RecordChange::default()
            },
        });
        let batch = BatchFacts {
            sequence: 0,
            verdicts_root: Tree::new([verdict.encode()]).root(),
            verdicts: 1,
            spent: verdict.price,
            log: LogRange { first: 0, last: 9 },
            settled_at: 5,
            coordinator: account(9),
            certifiers: vec![account(9)],
            heads: vec![],
            tasks: quern_job_rules::tasks::collect([0]).unwrap(),
            payouts: payouts.collect(),
            devices: devices.collect(),
        };
        Facts {
            genesis: GenesisHash([2; 32]),
            job_id: JOB,
            job: job(),
            batch: Some(batch),
            group: vec![],
            referees: vec![],
            device: None,
            worker_bond: 0,
            lane_seed: None,
            seed: None,
            stakes: Stakes {
                masternode_slash: 700,
                device_slash: 20,
                wrong_answer_slash: 0,
                dispute_bond: 11,
                winner_permille: 500,
            },
        }
    }

    fn on(verdict: &Verdict) -> Evidence {
        let leaf = Leaf {
            bytes: verdict.encode().try_into().unwrap(),
            place: 0,
            siblings: Default::default(),
        };
        Evidence::Verdict { batch: BATCH, leaf }
    }

    #[test]
    fn what_is_right_is_not_disputed_and_what_is_wrong_is_once() {
        let right = verdict();
        let checked = check_evidence(&on(&right), &[], Some(&facts(&right, 0)), &[]);
        assert_eq!(checked, Err(Losing::Unfounded));
        let mut wrong = verdict();
        wrong.price += 1;
        let chain = facts(&wrong, 0);
        assert_eq!(check_evidence(&on(&wrong), &[], Some(&chain), &[]), Ok(()));
        let proved = ConvictionView {
            place: Place::Batch(0),
            offence: Offence::Verdict(VerdictLie::Price),
        };
        let checked = check_evidence(&on(&wrong), &[], Some(&chain), &[proved]);
        assert_eq!(checked, Err(Losing::ProvedBefore));
    }

    #[test]
    fn what_the_chain_would_refuse_is_not_shown() {
        let (shown, settled) = (on(&verdict()), facts(&verdict(), 0));
        let mut gone = settled.clone();
        gone.batch = None;
        let refused = |facts| check_evidence(&shown, &[], facts, &[]);
        let not_pending = Losing::Refused(Refusal::NotPending);
        assert_eq!(refused(Some(&gone)), Err(not_pending));
        assert_eq!(refused(None), Err(Losing::NotOpen));
        let mut other = verdict();
        other.price += 1;
        let checked = check_evidence(&on(&other), &[], Some(&settled), &[]);
        assert_eq!(checked, Err(Losing::Refused(Refusal::NotInBatch)));
    }

    #[test]
    fn a_batch_is_added_up_before_the_chain_does_it() {
        let evidence = Evidence::Payouts { batch: BATCH };
        let mut step = Step::default();
        let bytes = verdict().encode().try_into().unwrap();
        step.try_push(bytes).unwrap();
        let steps = [step];
        let added = |more| check_evidence(&evidence, &steps, Some(&facts(&verdict(), more)), &[]);
        assert_eq!(added(0), Err(Losing::Unfounded));
        assert_eq!(added(1), Ok(()));
        let checked = check_evidence(&evidence, &[], Some(&facts(&verdict(), 1)), &[]);
        assert_eq!(checked, Err(Losing::Refused(Refusal::Unfinished)));
    }

    #[test]
    fn what_a_coordinator_is_asked_for_may_win() {
        let evidence = Evidence::Withheld {
            batch: BATCH,
            what: Withheld::Verdict { task: 0 },
        };
        let checked = check_evidence(&evidence, &[], Some(&facts(&verdict(), 0)), &[]);
        assert_eq!(checked, Ok(()));
    }
}
