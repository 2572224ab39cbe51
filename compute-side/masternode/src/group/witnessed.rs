//! What others of a job's group computed where this masternode found that an accepted answer is wrong, kept to be
//! told to the job's owner. A restart forgets it: the owner is then told this masternode's word alone.

use super::accusing::GroupWords;
use quern_jobs_api::Word;
use quern_primitives::{JobId, TaskIndex, group::Group, log::SignedRefereeReport};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Tasks of which words are kept: those of which there was news last.
const WITNESSED_MAX: usize = 1_024;

/// The words of masternodes on tasks.
#[derive(Default)]
pub(crate) struct Witnessed(Mutex<Books>);

#[derive(Default)]
struct Books {
    words: BTreeMap<(JobId, TaskIndex), Vec<Word>>,
    /// The tasks of them, the first that is forgotten at the front.
    order: VecDeque<(JobId, TaskIndex)>,
}

impl Witnessed {
    /// Keeps what members of a group said of a task, all of them the same, in the place of what they said before.
    pub(super) fn note(&self, (job, task): (JobId, TaskIndex), group: &Group, said: &GroupWords) {
        let words = said.given.iter().filter_map(|(place, signature)| {
            let member = group.member(*place)?;
            Some(Word {
                node: member.node,
                report: SignedRefereeReport {
                    payload: said.report.payload,
                    signature: *signature,
                },
            })
        });
        let words = words.collect();
        let mut books = self.lock();
        if books.words.insert((job, task), words).is_none() {
            books.order.push_back((job, task));
        }
        while books.words.len() > WITNESSED_MAX {
            let Some(first) = books.order.pop_front() else {
                return;
            };
            books.words.remove(&first);
        }
    }

    /// What is kept of a task.
    pub(crate) fn of(&self, job: JobId, task: TaskIndex) -> Vec<Word> {
        let words = self.lock().words.get(&(job, task)).cloned();
        words.unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        // A panic while the lock was held leaves words that are still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{
        AccountId, Digest, GenesisHash,
        group::Member,
        log::RefereeReport,
        payload::NodeSecret,
        receipt::{Answer, Exit},
    };
    use std::collections::BTreeSet;

    const GENESIS: GenesisHash = GenesisHash([9; 32]);
    const JOB: JobId = JobId([1; 32]);

    fn node(number: u8) -> NodeSecret {
        NodeSecret::from_seed(&[number; 32])
    }

    fn group() -> Group {
        let member = |number: u8| Member {
            account: AccountId::new([number; 32]),
            node: node(number).public(),
            is_out: false,
        };
        Group {
            members: (0..4).map(member).collect::<Vec<_>>().try_into().unwrap(),
            turn: 0,
            since: 0,
            lane_seed: None,
        }
    }

    /// These members found the same.
    fn said(places: &[u8]) -> GroupWords {
        let report = RefereeReport {
            job: JOB,
            task: 3,
            question: Digest([46; 32]),
            answer: Answer {
                result_commitment: Digest([5; 32]),
                result_bytes: 5,
                fuel: 6,
                exit: Exit::Success,
            },
        };
        let signed = |place: &u8| (*place, node(*place).sign(report, &GENESIS).signature);
        GroupWords {
            report: node(0).sign(report, &GENESIS),
            needed: 3,
            given: places.iter().map(signed).collect(),
            refused: BTreeSet::new(),
        }
    }

    #[test]
    fn each_word_is_told_under_the_key_that_signed_it_and_the_last_news_count() {
        let witnessed = Witnessed::default();
        witnessed.note((JOB, 3), &group(), &said(&[0]));
        witnessed.note((JOB, 3), &group(), &said(&[0, 2, 3]));
        let words = witnessed.of(JOB, 3);
        let nodes: Vec<_> = words.iter().map(|word| word.node).collect();
        assert_eq!(nodes, [0, 2, 3].map(|place| node(place).public()));
        let is_signed = |word: &Word| word.report.is_signed_by(&word.node, &GENESIS);
        assert!(words.iter().all(is_signed));
        assert!(witnessed.of(JOB, 4).is_empty());
    }

    #[test]
    fn no_more_tasks_are_remembered_than_the_limit_and_the_oldest_go() {
        let witnessed = Witnessed::default();
        for task in 0..=WITNESSED_MAX as TaskIndex {
            witnessed.note((JOB, task), &group(), &said(&[0]));
        }
        assert!(witnessed.of(JOB, 0).is_empty());
        assert_eq!(witnessed.of(JOB, 1).len(), 1);
        assert_eq!(witnessed.lock().order.len(), WITNESSED_MAX);
    }
}
