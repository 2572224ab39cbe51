//! What owners are told where an accepted answer was found to be wrong.

use crate::TaskResult;
use quern_primitives::{
    ids::{DeviceId, NodeKey, TaskIndex},
    log::SignedRefereeReport,
    receipt::Answer,
};
use serde::{Deserialize, Serialize};

/// Corrections of one answer.
pub const CORRECTIONS_MAX: usize = 256;

/// Tasks of a job whose accepted and settled answer was found to be wrong. Nothing of it is to be believed
/// before its signatures are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrections {
    /// In the order in which they were found, from the one that was asked for.
    pub corrections: Vec<Correction>,
    /// Whether more may come: not all of the job is settled, or what was drawn to be computed again is not yet.
    pub may_come: bool,
    /// Whether this masternode computes again what is drawn of the job. One that does not finds nothing, and that
    /// says nothing of the answers.
    pub re_executes: bool,
}

/// A task whose accepted answer is not what came out when it was computed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The task.
    pub task: TaskIndex,
    /// The answer that was accepted.
    pub accepted: Answer,
    /// The devices that gave it.
    pub devices: Vec<DeviceId>,
    /// Who computed it again; all of them found the same. The first keeps the result.
    pub words: Vec<Word>,
    /// The result that came out, sealed; none if the program fails on the task, or there was no room for it.
    pub result: Option<TaskResult>,
}

/// A masternode's word on what comes out of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The network key that signs it.
    pub node: NodeKey,
    /// What it signed.
    pub report: SignedRefereeReport,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_primitives::{
        Digest, GenesisHash, JobId,
        limits::{GROUP_MEMBERS_MAX, REPLICAS_PER_TASK_MAX},
        log::RefereeReport,
        payload::NodeSecret,
        receipt::Exit,
    };

    /// As large as one can be.
    fn largest() -> Correction {
        let answer = Answer {
            result_commitment: Digest([255; 32]),
            result_bytes: u64::MAX,
            fuel: u64::MAX,
            exit: Exit::Code(i32::MIN),
        };
        let report = RefereeReport {
            job: JobId([255; 32]),
            task: TaskIndex::MAX,
            question: Digest([255; 32]),
            answer,
        };
        let node = NodeSecret::from_seed(&[1; 32]);
        let word = Word {
            node: node.public(),
            report: node.sign(report, &GenesisHash([2; 32])),
        };
        Correction {
            task: TaskIndex::MAX,
            accepted: answer,
            devices: vec![DeviceId([255; 32]); usize::from(REPLICAS_PER_TASK_MAX)],
            words: vec![word; GROUP_MEMBERS_MAX as usize],
            result: Some(TaskResult {
                task: TaskIndex::MAX,
                replica: 255,
                device: DeviceId([255; 32]),
                result_bytes: u64::MAX,
                sealed_bytes: u64::MAX,
                output_root: Digest([255; 32]),
                result_commitment: Digest([255; 32]),
            }),
        }
    }

    #[test]
    fn as_many_corrections_as_one_answer_may_have_fit_into_it_and_read_back() {
        let told = Corrections {
            corrections: vec![largest(); CORRECTIONS_MAX],
            may_come: true,
            re_executes: true,
        };
        let text = serde_json::to_string(&told).unwrap();
        let bytes_max = crate::MESSAGE_BYTES_MAX as usize - 4_096;
        assert!(text.len() <= bytes_max, "{} bytes", text.len());
        assert_eq!(serde_json::from_str::<Corrections>(&text).unwrap(), told);
    }
}
