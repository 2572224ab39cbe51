//! What the other masternodes of a job's group ask of this one.

use crate::group::{About, Members};
use jsonrpsee::core::{RpcResult, async_trait};
use quern_jobs_api::{
    Blob, FollowedUpTo, GroupApiServer, GroupError, RefereeRequest, Refereeing, WitnessRequest,
    Witnessing,
};
use quern_primitives::{Digest, JobId, ids::BatchSequence};
use std::sync::Arc;

/// Where they ask.
pub(super) struct GroupDesk {
    members: Arc<Members>,
}

impl GroupDesk {
    pub(super) fn new(members: Arc<Members>) -> Self {
        Self { members }
    }

    async fn word(
        &self,
        job: JobId,
        about: About,
        sequence: BatchSequence,
        block: (u64, Digest),
    ) -> Result<Blob, GroupError> {
        let members = self.members.clone();
        let word = tokio::spawn(async move { members.certify(job, about, sequence, block).await });
        let word = word.await.map_err(|_| GroupError::Storage)??;
        Ok(Blob(word.to_vec()))
    }
}

#[async_trait]
impl GroupApiServer for GroupDesk {
    async fn append(&self, job: JobId, blocks: Vec<Blob>) -> RpcResult<FollowedUpTo> {
        let blocks = blocks.into_iter().map(|block| block.0).collect();
        let members = self.members.clone();
        // Whoever asked may go: what was begun of a log is done to its end.
        let kept = tokio::spawn(async move { members.append(job, blocks).await });
        let next = kept.await.map_err(|_| GroupError::Storage)??;
        Ok(FollowedUpTo { next })
    }

    async fn certify(
        &self,
        job: JobId,
        sequence: BatchSequence,
        index: u64,
        head: Digest,
    ) -> RpcResult<Blob> {
        Ok(self
            .word(job, About::Batch, sequence, (index, head))
            .await?)
    }

    async fn certify_end(
        &self,
        job: JobId,
        sequence: BatchSequence,
        index: u64,
        head: Digest,
    ) -> RpcResult<Blob> {
        Ok(self.word(job, About::End, sequence, (index, head)).await?)
    }

    async fn referee(&self, request: RefereeRequest, signature: Blob) -> RpcResult<Refereeing> {
        let members = self.members.clone();
        let told = tokio::spawn(async move { members.referee(request, &signature.0).await });
        Ok(told.await.map_err(|_| GroupError::Storage)??)
    }

    async fn refereed(
        &self,
        request: RefereeRequest,
        signature: Blob,
        offset: u64,
    ) -> RpcResult<Blob> {
        let piece = self.members.refereed(request, &signature.0, offset).await?;
        Ok(Blob(piece))
    }

    async fn witness(&self, request: WitnessRequest, signature: Blob) -> RpcResult<Witnessing> {
        Ok(self.members.witness(request, &signature.0).await?)
    }
}
