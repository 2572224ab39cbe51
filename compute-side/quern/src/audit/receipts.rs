//! The receipts that an auditor has, to be compared with a job's log.

use crate::verify::{self, ReceiptError};
use quern_dispute_rules::evidence::Leaf;
use quern_primitives::{JobId, ids::BatchSequence, limits::TASKS_PER_JOB_MAX};
use quern_recheck::OnChain;
use std::path::PathBuf;

/// Receipts of one job that are compared at the most: one of each task.
const RECEIPTS_MAX: usize = TASKS_PER_JOB_MAX as usize;

/// Receipts of one job.
#[derive(Clone, Debug, Default)]
pub(super) struct GivenReceipts(Vec<GivenReceipt>);

#[derive(Clone, Debug)]
struct GivenReceipt {
    path: PathBuf,
    batch: BatchSequence,
    leaf: Leaf,
}

/// A file is no receipt that can be compared with a job's log.
#[derive(Debug, thiserror::Error)]
pub(super) enum GivenError {
    /// There are too many.
    #[error(
        "{given} receipts are more than the {RECEIPTS_MAX} that one audit compares; give some of them"
    )]
    TooMany {
        /// So many.
        given: usize,
    },
    /// It cannot be read.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// It is of another job.
    #[error("{path} is a receipt of job {of}, and job {job} is audited; leave it out")]
    OtherJob {
        /// The file.
        path: PathBuf,
        /// Its job.
        of: JobId,
        /// The audited job.
        job: JobId,
    },
    /// Its proof is longer than any.
    #[error(
        "{path} has a proof longer than that of any batch; save the receipt again with `quern job receipts`"
    )]
    Proof {
        /// The file.
        path: PathBuf,
    },
    /// The chain has settled no such verdict.
    #[error(
        "the verdict in {path} is not among those that batch {batch} settled, or that batch was struck; `quern verify {path}` says what is wrong with it"
    )]
    NotSettled {
        /// The file.
        path: PathBuf,
        /// The batch that it names.
        batch: BatchSequence,
    },
}

impl GivenReceipts {
    /// Those in these files, all of one job.
    pub(super) fn read(files: &[PathBuf], job: JobId) -> Result<Self, GivenError> {
        if files.len() > RECEIPTS_MAX {
            return Err(GivenError::TooMany { given: files.len() });
        }
        let receipt = |path: &PathBuf| {
            let (file, path) = (verify::read(path)?, path.clone());
            if file.verdict.job != job {
                let of = file.verdict.job;
                return Err(GivenError::OtherJob { path, of, job });
            }
            match Leaf::new(&file.verdict, file.proof) {
                Some(leaf) => Ok(GivenReceipt {
                    path,
                    batch: file.batch,
                    leaf,
                }),
                None => Err(GivenError::Proof { path }),
            }
        };
        files
            .iter()
            .map(receipt)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Their verdicts, each with its batch. A receipt that the chain did not settle is nobody's word: who gave
    /// it is to know that, and not that the log holds against it.
    pub(super) fn settled(
        &self,
        chain: &OnChain,
    ) -> Result<Vec<(BatchSequence, Leaf)>, GivenError> {
        let settled = |it: &GivenReceipt| match chain.has_settled(it.batch, &it.leaf) {
            true => Ok((it.batch, it.leaf.clone())),
            false => Err(GivenError::NotSettled {
                path: it.path.clone(),
                batch: it.batch,
            }),
        };
        self.0.iter().map(settled).collect()
    }
}
