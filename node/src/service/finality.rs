//! What the node's blocks claim to be final: what GRANDPA has told it.

use quern_finality::{INHERENT_IDENTIFIER, InherentError};
use quern_primitives::BlockNumber;
use sp_inherents::{Error, InherentData, InherentDataProvider, InherentIdentifier};

/// The height that this node holds to be final.
pub(crate) struct Claim {
    height: BlockNumber,
}

impl Claim {
    /// A claim of this height.
    pub(crate) fn of(height: BlockNumber) -> Self {
        Self { height }
    }
}

#[async_trait::async_trait]
impl InherentDataProvider for Claim {
    async fn provide_inherent_data(&self, data: &mut InherentData) -> Result<(), Error> {
        data.put_data(INHERENT_IDENTIFIER, &self.height)
    }

    async fn try_handle_error(
        &self,
        identifier: &InherentIdentifier,
        mut error: &[u8],
    ) -> Option<Result<(), Error>> {
        if *identifier != INHERENT_IDENTIFIER {
            return None;
        }
        let told = <InherentError as codec::Decode>::decode(&mut error).map_or(
            "the block's claim of a finalised height is refused, and why cannot be read",
            |error| error.told(),
        );
        Some(Err(Error::Application(told.into())))
    }
}
