//! A sealed shard that is here, and what shows a masternode that it is.

use crate::core::Fault;
use quern_primitives::ids::{DeviceId, Digest, GenesisHash};
use quern_protocol::{Assignment, Held, ReplicaId};
use quern_shards::{chunks::chunk_root, held::Showing};

/// What a device is to show of the shard of what it was given.
pub fn showing(assignment: &Assignment, device: DeviceId, genesis: GenesisHash) -> Showing {
    let ReplicaId { job, task, replica } = assignment.id;
    Showing {
        genesis,
        job,
        task,
        replica,
        device,
        log_position: assignment.log_position,
        root: assignment.shard.root,
        sealed_bytes: assignment.shard.sealed_bytes,
    }
}

/// A sealed shard that is the one assigned.
#[derive(Clone, Debug)]
pub struct HeldShard {
    sealed: Vec<u8>,
    held: Held,
}

impl HeldShard {
    /// Takes what was fetched, if it is the shard that is to be shown. Reads all of it.
    ///
    /// # Errors
    ///
    /// [`Fault::BadInput`] when it is another.
    pub fn check(sealed: Vec<u8>, showing: &Showing) -> Result<Self, Fault> {
        let id = ReplicaId {
            job: showing.job,
            task: showing.task,
            replica: showing.replica,
        };
        let shown = showing.answer_of(&sealed);
        let shown = shown.ok().filter(|_| chunk_root(&sealed) == showing.root);
        let Some(shown) = shown else {
            tracing::warn!(?id, "the shard is not the one assigned");
            return Err(Fault::BadInput);
        };
        let held = Held {
            id,
            log_position: showing.log_position,
            shown,
        };
        Ok(Self { sealed, held })
    }

    /// Its bytes.
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// What shows that it is here.
    pub fn held(&self) -> Held {
        self.held
    }

    /// The hash in that.
    pub(crate) fn shown(&self) -> Digest {
        self.held.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::ids::JobId;

    fn showing_of(sealed: &[u8]) -> Showing {
        Showing {
            genesis: GenesisHash([1; 32]),
            job: JobId([2; 32]),
            task: 3,
            replica: 1,
            device: DeviceId([4; 32]),
            log_position: 77,
            root: chunk_root(sealed),
            sealed_bytes: sealed.len() as u64,
        }
    }

    #[test]
    fn the_shard_that_was_assigned_is_shown_and_no_other_is_taken() {
        let byte = |i: usize| ((i.wrapping_mul(i) >> 7) ^ i) as u8;
        let sealed: Vec<u8> = (0..100_000).map(byte).collect();
        let showing = showing_of(&sealed);
        let taken = HeldShard::check(sealed.clone(), &showing).unwrap();
        assert_eq!(taken.sealed(), sealed);
        let Held {
            id,
            log_position,
            shown,
        } = taken.held();
        assert_eq!((id.job, id.task, id.replica), (showing.job, 3, 1));
        assert_eq!(log_position, 77);
        assert_eq!(shown, showing.answer_of(&sealed).unwrap());

        let refused = |sealed| HeldShard::check(sealed, &showing).err();
        assert_eq!(refused(sealed[1..].to_vec()), Some(Fault::BadInput));
        assert_eq!(refused(vec![]), Some(Fault::BadInput));
        // Also where no chunk that is shown is another.
        for place in (0..sealed.len()).step_by(4_096) {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert_eq!(refused(altered), Some(Fault::BadInput), "{place}");
        }
    }
}
