//! What owners of kept data, and other masternodes, ask of this one.

use crate::keepers::Keepers;
use jsonrpsee::core::{RpcResult, async_trait};
use quern_jobs_api::{Blob, StorageApiServer, StorageError, StorageOffer, StorageStatus};
use quern_primitives::ids::{ContractId, PieceIndex};

/// Where they ask.
pub(super) struct StorageDesk {
    keepers: Keepers,
}

impl StorageDesk {
    pub(super) fn new(keepers: Keepers) -> Self {
        Self { keepers }
    }

    /// Whoever asked may go: what was begun is done to its end.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
    ) -> Result<T, StorageError> {
        let done = tokio::spawn(work).await;
        done.unwrap_or(Err(StorageError::Storage))
    }
}

#[async_trait]
impl StorageApiServer for StorageDesk {
    async fn offer(&self, contract: ContractId, first: PieceIndex) -> RpcResult<StorageOffer> {
        Ok(self.keepers.offer(contract, first).await?)
    }

    async fn put_list(&self, contract: ContractId, offset: u64, part: Blob) -> RpcResult<u64> {
        let keepers = self.keepers.clone();
        let taken = async move { keepers.put_list(contract, offset, part.0).await };
        Ok(self.to_its_end(taken).await?)
    }

    async fn put_piece(
        &self,
        contract: ContractId,
        piece: PieceIndex,
        offset: u64,
        part: Blob,
    ) -> RpcResult<u64> {
        let keepers = self.keepers.clone();
        let taken = async move { keepers.put_piece(contract, piece, offset, part.0).await };
        Ok(self.to_its_end(taken).await?)
    }

    async fn status(&self, contract: ContractId) -> RpcResult<StorageStatus> {
        Ok(self.keepers.status(contract)?)
    }

    async fn read_list(&self, contract: ContractId, offset: u64) -> RpcResult<Blob> {
        Ok(Blob(self.keepers.read_list(contract, offset).await?))
    }

    async fn read_piece(
        &self,
        contract: ContractId,
        piece: PieceIndex,
        offset: u64,
    ) -> RpcResult<Blob> {
        let read = self.keepers.read_piece(contract, piece, offset).await?;
        Ok(Blob(read))
    }

    async fn certify(&self, proved: Blob) -> RpcResult<Blob> {
        Ok(Blob(self.keepers.certify(&proved.0).await?))
    }
}
