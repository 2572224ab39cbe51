//! The log of a job, as it is asked for.

use crate::Blob;
use quern_primitives::limits::LOG_BLOCK_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// Blocks of one answer.
pub const LOG_PAGE_BLOCKS_MAX: usize = 256;

/// Bytes of the blocks of one answer together: the longest block and its header fit, and in base64 they
/// are well below [`crate::MESSAGE_BYTES_MAX`].
pub const LOG_PAGE_BYTES_MAX: usize = LOG_BLOCK_BYTES_MAX as usize + 4_096;

/// A piece of a job's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The blocks, each as its bytes, in order and without a gap, from the one that was asked for. Nothing
    /// of them is to be believed before their signatures are checked.
    pub blocks: Vec<Blob>,
    /// How many blocks the log has by now. It grows while the job runs.
    pub total: u64,
}

// In base64 a page and the frame around it are still one answer.
const _: () = {
    let base64 = LOG_PAGE_BYTES_MAX.div_ceil(3) * 4 + LOG_PAGE_BLOCKS_MAX * 8;
    assert!(base64 + 4_096 <= crate::MESSAGE_BYTES_MAX as usize);
};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_log_reads_back_as_it_is_written() {
        let page = LogPage {
            blocks: vec![Blob(vec![1, 2, 3]), Blob(Vec::new())],
            total: u64::MAX,
        };
        let text = serde_json::to_string(&page).unwrap();
        assert_eq!(serde_json::from_str::<LogPage>(&text).unwrap(), page);
    }
}
