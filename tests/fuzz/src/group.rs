//! What the masternodes of a job's group say to each other, as JSON in the frame that owners' words have.
//!
//! Who asks a member to compute a task shows by a signature that it may. Here the coordinator has signed one
//! request of either kind, and nothing else passes as signed by it.

use crate::{Decoder, honest, log, memory, oracle};
use quern_jobs_api::{
    Blob, FollowedUpTo, GroupError, REFEREE_MS_MAX, RefereeRequest, Refereeing, WitnessRequest,
    Witnessing,
};
use quern_primitives::{
    Digest, NodeKey,
    payload::{NodeSignature, Signature as _, SignedPayload},
};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

pub(crate) const REFEREE_REQUEST: Decoder = Decoder {
    name: "request to a referee",
    check: referee_request,
    seeds: || json(&[with_signature(honest_referee_request())]),
};

pub(crate) const WITNESS_REQUEST: Decoder = Decoder {
    name: "request to a witness",
    check: witness_request,
    seeds: || json(&[with_signature(honest_witness_request())]),
};

pub(crate) const ALTERED_REQUEST: Decoder = Decoder {
    name: "altered request",
    check: altered_request,
    seeds: || vec![vec![0, 0, 0], vec![4, 255, 1], vec![8, 7, 0]],
};

pub(crate) const REFEREEING: Decoder = Decoder {
    name: "answer of a referee",
    check: oracle::json_alone::<Refereeing>,
    seeds: || {
        json(&[
            Refereeing::Computing,
            Refereeing::Computed {
                report: Blob(log::honest_report()),
                output_root: Digest([5; 32]),
                bytes: 226,
            },
        ])
    },
};

pub(crate) const WITNESSING: Decoder = Decoder {
    name: "answer of a witness",
    check: oracle::json_alone::<Witnessing>,
    seeds: || {
        json(&[
            Witnessing::Computing,
            Witnessing::Computed {
                report: Blob(log::honest_report()),
            },
        ])
    },
};

pub(crate) const REFUSAL: Decoder = Decoder {
    name: "refusal of a member",
    check: refusal,
    seeds: || {
        json(&[
            GroupError::NotMember,
            GroupError::Behind { next: 7 },
            GroupError::NotTheLog {
                coordinator: honest::COORDINATOR,
                why: "its signature does not hold".to_owned(),
            },
        ])
    },
};

pub(crate) const FOLLOWED: Decoder = Decoder {
    name: "how far a log is followed",
    check: oracle::json_alone::<FollowedUpTo>,
    seeds: || json(&[FollowedUpTo { next: u64::MAX }]),
};

const MEMBER: NodeKey = NodeKey([0x88; 32]);

fn honest_referee_request() -> RefereeRequest {
    RefereeRequest {
        job: honest::JOB,
        task: 4,
        referee: MEMBER,
        time_ms: REFEREE_MS_MAX,
    }
}

fn honest_witness_request() -> WitnessRequest {
    WitnessRequest {
        job: honest::JOB,
        task: 4,
        asker: log::coordinator().public(),
        witness: MEMBER,
    }
}

fn with_signature<P: SignedPayload>(request: P) -> (P, Blob) {
    let signed = log::coordinator().sign(request, &honest::GENESIS);
    (signed.payload, Blob(signed.signature.0.to_vec()))
}

/// Whether the coordinator has signed this, as a member finds out.
fn passes<P: SignedPayload>(request: &P, signature: &Blob) -> bool {
    let digest = request.signing_digest(&honest::GENESIS);
    let signature = signature.0.as_slice().try_into().map(NodeSignature);
    signature.is_ok_and(|it| it.holds(&digest, &log::coordinator().public()))
}

fn referee_request(bytes: &[u8]) {
    request(bytes, &honest_referee_request());
}

fn witness_request(bytes: &[u8]) {
    request(bytes, &honest_witness_request());
}

/// Request and signature, as the two parameters come.
fn request<P>(bytes: &[u8], honest: &P)
where
    P: SignedPayload + Serialize + DeserializeOwned + PartialEq + Debug,
{
    if let Some((request, signature)) = oracle::json::<(P, Blob)>(bytes) {
        let is_own = request == *honest;
        assert!(is_own || !passes(&request, &signature), "{request:?}");
    }
}

/// The honest requests, of which the input names a field and a bit of it that is turned over.
fn altered_request(bytes: &[u8]) {
    let [field, low, high, ..] = bytes else {
        return;
    };
    let turn = [*low, *high];
    let (mut asked, mut signature) = with_signature(honest_referee_request());
    let (mut shown, mut word) = with_signature(honest_witness_request());
    match field % 9 {
        0 => asked.job.0 = turned(asked.job.0, turn),
        1 => asked.task = u32::from_le_bytes(turned(asked.task.to_le_bytes(), turn)),
        2 => asked.referee.0 = turned(asked.referee.0, turn),
        3 => asked.time_ms = u64::from_le_bytes(turned(asked.time_ms.to_le_bytes(), turn)),
        4 => signature.0 = honest::turned_over(&signature.0, turn),
        5 => shown.job.0 = turned(shown.job.0, turn),
        6 => shown.task = u32::from_le_bytes(turned(shown.task.to_le_bytes(), turn)),
        7 => shown.witness.0 = turned(shown.witness.0, turn),
        _ => word.0 = honest::turned_over(&word.0, turn),
    }
    match field % 9 < 5 {
        true => assert!(!passes(&asked, &signature), "{asked:?}"),
        false => assert!(!passes(&shown, &word), "{shown:?}"),
    }
    // What was signed for the one purpose says nothing for the other.
    assert!(!passes(&honest_referee_request(), &word));
}

fn turned<const N: usize>(bytes: [u8; N], turn: [u8; 2]) -> [u8; N] {
    let turned = honest::turned_over(&bytes, turn);
    turned.try_into().unwrap_or(bytes)
}

/// It is told with its own code, and a member that is told so reads it from there.
fn refusal(bytes: &[u8]) {
    let Some(error) = oracle::json::<GroupError>(bytes) else {
        return;
    };
    let (words, held) = memory::most(|| error.to_string());
    oracle::held_no_more_than_given(held, bytes);
    assert!(!words.is_empty() && error.code() > 0, "{error:?}");
}

fn json<T: Serialize>(values: &[T]) -> Vec<Vec<u8>> {
    let texts = values.iter().filter_map(|it| serde_json::to_vec(it).ok());
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_coordinator_signed_passes_and_no_altered_field_of_it_does() {
        let (asked, signature) = with_signature(honest_referee_request());
        assert!(passes(&asked, &signature));
        let (shown, word) = with_signature(honest_witness_request());
        assert!(passes(&shown, &word));
        for field in 0..9 {
            for bit in 0..64 {
                altered_request(&[field, bit, 0]);
            }
        }
    }
}
