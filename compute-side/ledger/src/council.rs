//! The council: who sits in it, and the motions that it votes on.

use crate::{
    Call, State,
    call::Encoded,
    chain::{ChainError, no_answer, no_state},
    submit::refused,
};
use codec::{Compact, Decode, DecodeAll, Encode};
use quern_primitives::{AccountId, BlockNumber, Digest};
use subxt::{
    config::Hasher as _,
    dynamic::{Value, storage},
    error::DispatchError,
};

/// What is asked, for messages.
const MOTIONS: &str = "the council's motions";

/// A call of the chain, encoded as a motion carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedCall {
    /// The pallet's name, such as `Roster`.
    pub pallet: String,
    /// The call's name, such as `verify_device`.
    pub name: String,
    /// The pallet's number, the call's, and its arguments.
    pub bytes: Vec<u8>,
    /// The digest by which the council names it.
    pub hash: Digest,
}

impl EncodedCall {
    /// Its encoded arguments.
    pub fn arguments(&self) -> &[u8] {
        self.bytes.get(2..).unwrap_or_default()
    }
}

/// The most that a call may take of a block: what closing a council's motion allows for its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallWeight {
    /// Picoseconds of execution.
    pub ref_time: u64,
    /// Bytes of proof.
    pub proof_size: u64,
}

/// A motion that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Motion {
    /// Its number.
    pub number: u32,
    /// The members that must vote for it.
    pub threshold: u32,
    /// Who voted for it.
    pub ayes: Vec<AccountId>,
    /// Who voted against it.
    pub nays: Vec<AccountId>,
    /// The first block in which it can be closed without the votes of all.
    pub ends_at: BlockNumber,
    /// The call that is made if it is accepted.
    pub call: EncodedCall,
}

/// What a block did about a motion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MotionEnd {
    /// It was accepted and its call made.
    Made,
    /// It was accepted, and the chain refused its call.
    Refused {
        /// Why, in the chain's words.
        why: String,
    },
    /// It was not accepted.
    Rejected,
}

/// What is stored of a motion's votes: number, threshold, ayes, nays, end.
type Votes = (u32, u32, Vec<AccountId>, Vec<AccountId>, BlockNumber);

impl State {
    /// The members of the council, ascending.
    pub async fn council(&self) -> Result<Vec<AccountId>, ChainError> {
        let what = "the council's members";
        let entry = storage::<(), Value>("Council", "Members");
        let value = self
            .at
            .storage()
            .fetch(entry, ())
            .await
            .map_err(no_state(what, self.block().number))?;
        Vec::decode_all(&mut value.bytes()).map_err(|source| ChainError::Foreign { what, source })
    }

    /// The open motions, in the order in which they were proposed. There are 64 at most.
    pub async fn motions(&self) -> Result<Vec<Motion>, ChainError> {
        let entry = storage::<(), Value>("Council", "Proposals");
        let value = self
            .at
            .storage()
            .fetch(entry, ())
            .await
            .map_err(no_state(MOTIONS, self.block().number))?;
        let hashes = Vec::<[u8; 32]>::decode_all(&mut value.bytes()).map_err(foreign)?;
        let mut motions = Vec::new();
        for hash in hashes {
            motions.push(self.motion(hash).await?);
        }
        motions.sort_by_key(|motion| motion.number);
        Ok(motions)
    }

    async fn motion(&self, hash: [u8; 32]) -> Result<Motion, ChainError> {
        let votes = self.of_motion("Voting", hash).await?;
        let votes = Votes::decode_all(&mut &votes[..]).map_err(foreign)?;
        let (number, threshold, ayes, nays, ends_at) = votes;
        let bytes = self.of_motion("ProposalOf", hash).await?;
        let (pallet, name) = self.names(&bytes)?;
        Ok(Motion {
            number,
            threshold,
            ayes,
            nays,
            ends_at,
            call: EncodedCall {
                pallet,
                name,
                bytes,
                hash: Digest(hash),
            },
        })
    }

    /// What one of the council's storages holds of an open motion.
    async fn of_motion(&self, entry: &str, hash: [u8; 32]) -> Result<Vec<u8>, ChainError> {
        let entry = storage::<([u8; 32],), Value>("Council", entry);
        let value = self
            .at
            .storage()
            .fetch(entry, (hash,))
            .await
            .map_err(no_state(MOTIONS, self.block().number))?;
        Ok(value.into_bytes())
    }

    /// Pallet and name of an encoded call.
    fn names(&self, bytes: &[u8]) -> Result<(String, String), ChainError> {
        let &[pallet, call, ..] = bytes else {
            return Err(foreign("a motion's call is too short".into()));
        };
        let known = self.at.metadata_ref().pallet_by_call_index(pallet);
        let names = known.and_then(|pallet| {
            let call = pallet.call_variant_by_index(call)?;
            Some((pallet.name().to_owned(), call.name.clone()))
        });
        names.ok_or_else(|| foreign("a motion's call is none of the runtime's".into()))
    }

    /// Encodes a call as a motion carries it.
    pub fn encoded(&self, call: &Call) -> Result<EncodedCall, ChainError> {
        let (pallet, name, arguments) = call.parts();
        let payload = subxt::tx::dynamic(pallet, name, Encoded(arguments));
        let bytes = self.at.tx().call_data(&payload);
        let bytes = bytes.map_err(|_| ChainError::Foreign {
            what: "the runtime's calls",
            source: "it has not the call".into(),
        })?;
        let hash = Digest(self.at.hasher().hash(&bytes).0);
        Ok(EncodedCall {
            pallet: pallet.to_owned(),
            name: name.to_owned(),
            bytes,
            hash,
        })
    }

    /// What an encoded call may take of a block.
    pub async fn weight_of(&self, call: &EncodedCall) -> Result<CallWeight, ChainError> {
        let what = "the weight of a call";
        let mut arguments = call.bytes.clone();
        length_of(&call.bytes).encode_to(&mut arguments);
        let answer = self
            .at
            .runtime_apis()
            .call_raw(
                "TransactionPaymentCallApi_query_call_info",
                Some(&arguments),
            )
            .await
            .map_err(no_state(what, self.block().number))?;
        // Behind it stand class and fee.
        let weight = <(Compact<u64>, Compact<u64>)>::decode(&mut &answer[..]);
        let (ref_time, proof_size) =
            weight.map_err(|source| ChainError::Foreign { what, source })?;
        Ok(CallWeight {
            ref_time: ref_time.0,
            proof_size: proof_size.0,
        })
    }

    /// What all calls of a block may take of it together.
    pub fn block_weight_max(&self) -> Result<CallWeight, ChainError> {
        let what = "the weight of a block";
        let system = self.at.metadata_ref().pallet_by_name("System");
        let weights = system.and_then(|pallet| pallet.constant_by_name("BlockWeights"));
        let mut weights = weights.map_or(&[][..], |weights| weights.value());
        // First stands what a block takes that has no calls, then the most; then the classes of calls.
        let decoded = <[(Compact<u64>, Compact<u64>); 2]>::decode(&mut weights);
        let [_, (ref_time, proof_size)] =
            decoded.map_err(|source| ChainError::Foreign { what, source })?;
        Ok(CallWeight {
            ref_time: ref_time.0,
            proof_size: proof_size.0,
        })
    }

    /// What this block did about the motion of a call; none if nothing ended it here.
    pub async fn motion_end(&self, hash: Digest) -> Result<Option<MotionEnd>, ChainError> {
        for event in self.events().await? {
            let behind = event.bytes.strip_prefix(&hash.0[..]);
            let (Some(behind), "Council") = (behind, event.pallet.as_str()) else {
                continue;
            };
            match (event.name.as_str(), behind) {
                ("Executed", [0]) => return Ok(Some(MotionEnd::Made)),
                ("Executed", [1, error @ ..]) => {
                    let error = DispatchError::decode_from(error, self.at.metadata());
                    let error = error.map_err(no_answer(MOTIONS))?;
                    let why = refused("the motion's call".into(), &error).to_string();
                    return Ok(Some(MotionEnd::Refused { why }));
                }
                ("Disapproved", _) => return Ok(Some(MotionEnd::Rejected)),
                _ => {}
            }
        }
        Ok(None)
    }
}

/// The length of an encoded call, as the council is told it. A transaction holds it: it is small.
pub(crate) fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn foreign(source: codec::Error) -> ChainError {
    ChainError::Foreign {
        what: MOTIONS,
        source,
    }
}
