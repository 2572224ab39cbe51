//! The words with which a batch, or the end of a job that cannot go on, goes to the chain: this masternode's
//! own, that its log says so up to the block that shows it, and those of as many others of the job's group as
//! it needs.

use crate::{
    group::About,
    settler::Books,
    store::{OWN, Store, StoreError},
};
use quern_ledger::ChainError;
use quern_primitives::{
    AccountId, Digest, GenesisHash, JobId, TaskIndex,
    batch::{Batch, Certified, CertifiedEnd, Words},
    group::Group,
    ids::BatchSequence,
    job::Failure,
    log::{Certificate, SignedCertificate},
    payload::{NodeSecret, NodeSignature},
};

/// Why a batch, or the end of a job, cannot be sent. It is tried again.
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
    /// Too few others have given their word.
    #[error("batch {batch} of job {job} waits for certificates: {here} of {needed} ({why})")]
    TooFew {
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
        /// So many are here.
        here: usize,
        /// So many are needed.
        needed: usize,
        /// What others said instead.
        why: String,
    },
    /// Another certificate was signed under this number.
    #[error(
        "this masternode has certified something else under number {batch} of job {job}: its log is not the one that it had then. Put back the data directory as it was last, and none from before, for two logs of one job cost the bond; or leave the job to another masternode of the group, which takes it over"
    )]
    OtherWord {
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
    },
    /// Too few others have given their word on the end of a job.
    #[error("the end of job {job} waits for certificates: {here} of {needed} ({why})")]
    TooFewForEnd {
        /// The job.
        job: JobId,
        /// So many are here.
        here: usize,
        /// So many are needed.
        needed: usize,
        /// What others said instead.
        why: String,
    },
    /// The end is not in the log.
    #[error("the end of job {0} is in no block of the job's log yet")]
    NoEnd(JobId),
    /// The batch is not in the log.
    #[error("batch {batch} of job {job} is in no block of the job's log yet")]
    NotInLog {
        /// The job.
        job: JobId,
        /// The batch.
        batch: BatchSequence,
    },
}

/// A batch with as many certificates as the chain wants of it.
pub(crate) async fn certify(books: &Books, batch: Batch) -> Result<Certified, CertifyError> {
    let job = batch.job;
    let group = books.chain.at_finalised().await?.group(job).await?;
    let group = group.ok_or(CertifyError::NoGroup(job))?;
    let (index, head) = head_of(&books.store, &batch)?;
    let certificate = Certificate::of(&batch, index, head);
    let collected = collect(books, &group, About::Batch, &certificate).await?;
    with_words(&group, batch, (index, head), collected)
}

/// The end of a job that cannot go on, with as many certificates as the chain wants of it. They are over the
/// last block of the log: it is ordered when all batches are counted, and nothing but batches follows what
/// shows it. So under the number of the batch that would be next it is the same each time.
pub(crate) async fn certify_end(
    books: &Books,
    job: JobId,
    task: TaskIndex,
    why: Failure,
) -> Result<CertifiedEnd, CertifyError> {
    let state = books.chain.at_finalised().await?;
    let group = state.group(job).await?.ok_or(CertifyError::NoGroup(job))?;
    let kept = state.job(job).await?.ok_or(CertifyError::NoGroup(job))?;
    let head = books.store.read_log(job)?.head_behind_end()?;
    let (index, head) = head.ok_or(CertifyError::NoEnd(job))?;
    let end = CertifiedEnd {
        job,
        task,
        why,
        index,
        head,
        certificates: Default::default(),
    };
    let certificate = end.certificate(kept.next_batch);
    let collected = collect(books, &group, About::End, &certificate).await?;
    end_with_words(&group, end, collected)
}

/// Words on one thing, each with its place in the group, and why others gave none.
#[derive(Debug, Default)]
struct Collected {
    words: Vec<(u8, NodeSignature)>,
    refusals: Vec<String>,
}

impl Collected {
    /// The words in their order, nobody's twice. If they are not enough, how many there are, and why not more.
    fn enough(mut self, group: &Group) -> Result<Words, (usize, String)> {
        self.words.sort_by_key(|(place, _)| *place);
        self.words.dedup_by_key(|(place, _)| *place);
        let here = self.words.len();
        let too_few = || (here, self.refusals.join("; "));
        if here < group.needed() {
            return Err(too_few());
        }
        self.words.try_into().map_err(|_| too_few())
    }
}

/// This masternode's word on what a certificate is about, and those of as many others as are needed.
async fn collect(
    books: &Books,
    group: &Group,
    about: About,
    certificate: &Certificate,
) -> Result<Collected, CertifyError> {
    let signer = (&books.account.id(), &books.node);
    let (place, own) = own_word(group, signer, certificate, &books.genesis)?;
    let (mut words, mut refusals) = (Vec::new(), Vec::new());
    if group.needed() > 1 {
        // What others hear of is signed once; alone it signs what its log says, which stays the same.
        if books.store.certify_once(OWN, &own)?.payload != *certificate {
            return Err(CertifyError::OtherWord {
                job: certificate.job,
                batch: certificate.sequence,
            });
        }
        (words, refusals) = books.peers.words(group, place, about, certificate).await?;
    }
    words.push((place, own.signature));
    Ok(Collected { words, refusals })
}

/// This masternode's place in a group in which it has a say, by the key that it has.
fn voice_of(
    group: &Group,
    (account, node): (&AccountId, &NodeSecret),
    job: JobId,
) -> Result<u8, CertifyError> {
    let place = group.place_of(account).ok_or(CertifyError::NoVoice(job))?;
    let member = group.member(place).filter(|member| !member.is_out);
    let member = member.ok_or(CertifyError::NoVoice(job))?;
    match member.node == node.public() {
        true => Ok(place),
        false => Err(CertifyError::OtherKey(job)),
    }
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

/// This masternode's place in a group, and what it signs.
fn own_word(
    group: &Group,
    signer: (&AccountId, &NodeSecret),
    certificate: &Certificate,
    genesis: &GenesisHash,
) -> Result<(u8, SignedCertificate), CertifyError> {
    let place = voice_of(group, signer, certificate.job)?;
    let (_, node) = signer;
    Ok((place, node.sign(*certificate, genesis)))
}

/// A batch with these words, if they are enough.
fn with_words(
    group: &Group,
    batch: Batch,
    (index, head): (u64, Digest),
    collected: Collected,
) -> Result<Certified, CertifyError> {
    match collected.enough(group) {
        Ok(certificates) => Ok(Certified {
            batch,
            index,
            head,
            certificates,
        }),
        Err((here, why)) => Err(CertifyError::TooFew {
            job: batch.job,
            batch: batch.sequence,
            here,
            needed: group.needed(),
            why,
        }),
    }
}

/// The end of a job with these words, if they are enough.
fn end_with_words(
    group: &Group,
    end: CertifiedEnd,
    collected: Collected,
) -> Result<CertifiedEnd, CertifyError> {
    match collected.enough(group) {
        Ok(certificates) => Ok(CertifiedEnd {
            certificates,
            ..end
        }),
        Err((here, why)) => Err(CertifyError::TooFewForEnd {
            job: end.job,
            here,
            needed: group.needed(),
            why,
        }),
    }
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
            lane_seed: None,
        }
    }

    fn certificate() -> Certificate {
        Certificate::of(&batch(), HEAD.0, HEAD.1)
    }

    /// The own word on something and those of others.
    fn collected(
        group: &Group,
        by: u8,
        certificate: &Certificate,
        others: &[(u8, NodeSignature)],
    ) -> Result<Collected, CertifyError> {
        let (place, own) = own_word(group, (&account(by), &node()), certificate, &HERE)?;
        let mut words = others.to_vec();
        words.push((place, own.signature));
        let refusals = vec!["a word".into()];
        Ok(Collected { words, refusals })
    }

    /// What comes of them, on the batch.
    fn signed(
        group: &Group,
        by: u8,
        others: &[(u8, NodeSignature)],
    ) -> Result<Certified, CertifyError> {
        let collected = collected(group, by, &certificate(), others)?;
        with_words(group, batch(), HEAD, collected)
    }

    fn end() -> CertifiedEnd {
        CertifiedEnd {
            job: JOB,
            task: 3,
            why: Failure::Undecided,
            index: HEAD.0,
            head: HEAD.1,
            certificates: Default::default(),
        }
    }

    /// What comes of them, on the end of the job.
    fn ended(
        group: &Group,
        by: u8,
        others: &[(u8, NodeSignature)],
    ) -> Result<CertifiedEnd, CertifyError> {
        let collected = collected(group, by, &end().certificate(6), others)?;
        end_with_words(group, end(), collected)
    }

    #[test]
    fn alone_in_its_group_a_masternode_certifies_its_own_batch() {
        let group = group(&[node().public()]);
        let certified = signed(&group, 0, &[]).unwrap();
        assert_eq!((certified.index, certified.head), HEAD);
        assert_eq!(certified.batch, batch());
        let digest = certified.certificate().signing_digest(&HERE);
        let checked = check_certificates(&group, &certified.certificates, |member, signature| {
            signature.holds(&digest, &member.node)
        });
        assert_eq!(checked, Ok(()));
    }

    #[test]
    fn alone_in_its_group_a_masternode_certifies_that_its_job_cannot_go_on() {
        let alone = group(&[node().public()]);
        let signed = ended(&alone, 0, &[]).unwrap();
        let digest = signed.certificate(6).signing_digest(&HERE);
        let checked = check_certificates(&alone, &signed.certificates, |member, signature| {
            signature.holds(&digest, &member.node)
        });
        assert_eq!(checked, Ok(()));
        assert_ne!(signed.certificate(6), signed.certificate(7));
    }

    #[test]
    fn the_end_of_a_job_goes_with_the_words_of_more_than_half_in_their_order() {
        let other = NodeSecret::from_seed(&[7; 32]);
        let keys = [other.public(), NodeKey([8; 32]), node().public()];
        let group = group(&keys);
        let too_few = ended(&group, 2, &[]).unwrap_err();
        let words = too_few.to_string();
        assert!(
            words.contains("waits for certificates: 1 of 2 (a word)"),
            "{words}"
        );
        assert!(matches!(
            too_few,
            CertifyError::TooFewForEnd {
                here: 1,
                needed: 2,
                ..
            }
        ));
        let certificate = end().certificate(6);
        let word = (0, other.sign(certificate, &HERE).signature);
        let end = ended(&group, 2, &[word]).unwrap();
        let digest = certificate.signing_digest(&HERE);
        let checked = check_certificates(&group, &end.certificates, |member, signature| {
            signature.holds(&digest, &member.node)
        });
        assert_eq!(checked, Ok(()));
        assert!(matches!(
            ended(&group, 0, &[]),
            Err(CertifyError::OtherKey(JOB))
        ));
    }

    #[test]
    fn a_batch_goes_with_the_words_of_more_than_half_in_their_order() {
        let other = NodeSecret::from_seed(&[7; 32]);
        let keys = [other.public(), NodeKey([8; 32]), node().public()];
        let group = group(&keys);
        let too_few = signed(&group, 2, &[]).unwrap_err();
        let words = too_few.to_string();
        assert!(
            words.contains("waits for certificates: 1 of 2 (a word)"),
            "{words}"
        );
        let word = (0, other.sign(certificate(), &HERE).signature);
        let certified = signed(&group, 2, &[word]).unwrap();
        assert_eq!(certified.places(), vec![0, 2]);
        let digest = certified.certificate().signing_digest(&HERE);
        let checked = check_certificates(&group, &certified.certificates, |member, signature| {
            signature.holds(&digest, &member.node)
        });
        assert_eq!(checked, Ok(()));
    }

    #[test]
    fn nobody_counts_twice() {
        let group = group(&[NodeKey([7; 32]), node().public()]);
        let own = node().sign(certificate(), &HERE).signature;
        let too_few = signed(&group, 1, &[(1, own)]);
        assert!(matches!(
            too_few,
            Err(CertifyError::TooFew {
                here: 1,
                needed: 2,
                ..
            })
        ));
    }

    #[test]
    fn the_last_voice_of_a_group_certifies_alone_at_its_place() {
        let mut group = group(&[NodeKey([7; 32]), node().public()]);
        assert!(matches!(
            signed(&group, 1, &[]),
            Err(CertifyError::TooFew { needed: 2, .. })
        ));
        group.members[0].is_out = true;
        assert_eq!(signed(&group, 1, &[]).unwrap().places(), vec![1]);
    }

    #[test]
    fn a_batch_that_the_chain_would_refuse_is_not_signed() {
        let mut group = group(&[node().public()]);
        let no_voice = signed(&group, 1, &[]);
        assert!(matches!(no_voice, Err(CertifyError::NoVoice(JOB))));
        group.members[0].is_out = true;
        let no_voice = signed(&group, 0, &[]);
        assert!(matches!(no_voice, Err(CertifyError::NoVoice(JOB))));
        let other = self::group(&[NodeKey([7; 32])]);
        assert!(matches!(
            signed(&other, 0, &[]),
            Err(CertifyError::OtherKey(JOB))
        ));
    }
}
