//! What this masternode signs of a batch: that its log says so, up to the block that has it.
//!
//! Its own certificate is all that is made here. A job whose group has more members needs those of others
//! as well; as long as nobody collects them, such a batch is not sent, because the chain would refuse it.

use crate::{
    settler::Books,
    store::{Store, StoreError},
};
use quern_ledger::ChainError;
use quern_primitives::{
    AccountId, Digest, GenesisHash, JobId,
    batch::{Batch, Certified},
    group::Group,
    ids::BatchSequence,
    payload::NodeSecret,
};

/// Why a batch cannot be sent. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertifyError {
    /// The chain was asked in vain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain knows no group.
    #[error("the chain has no group for job {0}; it is over, or not drawn for")]
    NoGroup(JobId),
    /// Another masternode's job.
    #[error("this masternode is not in the group of job {0}, or has no say in it any more")]
    NoVoice(JobId),
    /// Nobody can sign for the key that is gone.
    #[error(
        "job {0} was drawn for when this masternode had another network key, and only that certifies it; restore the key from a backup, or another masternode of the group takes the job over"
    )]
    OtherKey(JobId),
    /// One is not enough.
    #[error(
        "batch {batch} of job {job} needs {needed} certificates, and there is only this masternode's"
    )]
    TooFew {
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
        /// So many are needed.
        needed: usize,
    },
    /// The batch is not in the log.
    #[error("batch {batch} of job {job} is in no block of the job's log yet")]
    NotInLog {
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
    },
}

/// A batch with this masternode's certificate, if that is enough.
pub(crate) async fn certify(books: &Books, batch: Batch) -> Result<Certified, CertifyError> {
    let job = batch.job;
    let group = books.chain.at_finalised().await?.group(job).await?;
    let group = group.ok_or(CertifyError::NoGroup(job))?;
    let head = head_of(&books.store, &batch)?;
    let signer = (&books.account.id(), &books.node);
    sign(&group, signer, head, batch, &books.genesis)
}

/// The block of the log that has the batch, which stands right behind the stretch that it rests on. It is
/// on disk before a batch is sent, and the same each time, so that no two heads are ever signed for one
/// batch.
fn head_of(store: &Store, batch: &Batch) -> Result<(u64, Digest), CertifyError> {
    let position = batch.log.last.saturating_add(1);
    let head = store.read_log(batch.job)?.head_at(position)?;
    head.ok_or(CertifyError::NotInLog {
        job: batch.job,
        batch: batch.sequence,
    })
}

fn sign(
    group: &Group,
    (account, node): (&AccountId, &NodeSecret),
    (index, head): (u64, Digest),
    batch: Batch,
    genesis: &GenesisHash,
) -> Result<Certified, CertifyError> {
    let job = batch.job;
    let place = group.place_of(account).ok_or(CertifyError::NoVoice(job))?;
    let member = group.member(place).filter(|member| !member.is_out);
    let member = member.ok_or(CertifyError::NoVoice(job))?;
    if member.node != node.public() {
        return Err(CertifyError::OtherKey(job));
    }
    let too_few = CertifyError::TooFew {
        job,
        batch: batch.sequence,
        needed: group.needed(),
    };
    if group.needed() > 1 {
        return Err(too_few);
    }
    let mut certified = Certified {
        batch,
        index,
        head,
        certificates: Default::default(),
    };
    let signature = node.sign(certified.certificate(), genesis).signature;
    let pushed = certified.certificates.try_push((place, signature));
    pushed.map(|()| certified).map_err(|_| too_few)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_job_rules::group::check_certificates;
    use quern_primitives::{
        batch::LogRange,
        group::Member,
        ids::NodeKey,
        payload::{Signature as _, SignedPayload as _},
    };

    const JOB: JobId = JobId([1; 32]);
    const HERE: GenesisHash = GenesisHash([2; 32]);
    const HEAD: (u64, Digest) = (4, Digest([5; 32]));

    fn node() -> NodeSecret {
        NodeSecret::from_seed(&[3; 32])
    }

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 32])
    }

    fn batch() -> Batch {
        Batch {
            job: JOB,
            sequence: 6,
            log: LogRange { first: 0, last: 7 },
            verdicts_root: Digest([8; 32]),
            tasks: quern_job_rules::tasks::collect([1]).unwrap(),
            spent: 0,
            payouts: Default::default(),
            devices: Default::default(),
        }
    }

    /// A group of these keys, of accounts that are counted from zero.
    fn group(nodes: &[NodeKey]) -> Group {
        let members = (0..).zip(nodes).map(|(number, node)| Member {
            account: account(number),
            node: *node,
            is_out: false,
        });
        Group {
            members: members.collect::<Vec<_>>().try_into().unwrap(),
            turn: 0,
            since: 0,
        }
    }

    fn signed(group: &Group, by: u8) -> Result<Certified, CertifyError> {
        sign(group, (&account(by), &node()), HEAD, batch(), &HERE)
    }

    #[test]
    fn alone_in_its_group_a_masternode_certifies_its_own_batch() {
        let group = group(&[node().public()]);
        let certified = signed(&group, 0).unwrap();
        assert_eq!((certified.index, certified.head), HEAD);
        assert_eq!(certified.batch, batch());
        let digest = certified.certificate().signing_digest(&HERE);
        let checked = check_certificates(&group, &certified.certificates, |member, signature| {
            signature.holds(&digest, &member.node)
        });
        assert_eq!(checked, Ok(()));
    }

    #[test]
    fn the_last_voice_of_a_group_certifies_alone_at_its_place() {
        let mut group = group(&[NodeKey([7; 32]), node().public()]);
        assert!(matches!(
            signed(&group, 1),
            Err(CertifyError::TooFew { needed: 2, .. })
        ));
        group.members[0].is_out = true;
        assert_eq!(signed(&group, 1).unwrap().places(), vec![1]);
    }

    #[test]
    fn a_batch_that_the_chain_would_refuse_is_not_signed() {
        let mut group = group(&[node().public()]);
        assert!(matches!(signed(&group, 1), Err(CertifyError::NoVoice(JOB))));
        group.members[0].is_out = true;
        assert!(matches!(signed(&group, 0), Err(CertifyError::NoVoice(JOB))));
        let other = self::group(&[NodeKey([7; 32])]);
        assert!(matches!(
            signed(&other, 0),
            Err(CertifyError::OtherKey(JOB))
        ));
    }
}
