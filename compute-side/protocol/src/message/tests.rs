//! What is on the wire, and what is refused.

use super::*;
use crate::{DecodeError, decode, encode};
use proptest::prelude::*;
use quern_primitives::{
    ids::{AccountId, DeviceId, GenesisHash},
    limits as shared,
    log::Commitment,
    merkle::PROOF_HASHES_MAX,
    payload::DeviceKey,
    receipt::{Answer, Exit},
    verdict::{Finding, Ground, ReplicaFinding},
};

const MARK: Mark = Mark([0xaa; limits::MARK_BYTES]);

fn exchange(want: u8) -> Request {
    Request::Exchange(Exchange {
        want,
        ..Exchange::default()
    })
}

#[test]
fn a_message_reads_back_as_written() {
    let request = exchange(2);
    assert_eq!(decode::<Request>(&encode(&request)).unwrap(), request);
}

#[test]
fn a_message_over_its_length_is_refused_unread() {
    let bytes = vec![0; limits::MESSAGE_BYTES_MAX + 1];
    let error = decode::<Request>(&bytes).unwrap_err();
    assert_eq!(
        error,
        DecodeError::TooLarge {
            bytes: limits::MESSAGE_BYTES_MAX + 1
        }
    );
}

#[test]
fn bytes_after_a_message_are_refused() {
    let mut bytes = encode(&exchange(1));
    bytes.push(0);
    assert_eq!(decode::<Request>(&bytes), Err(DecodeError::Malformed));
}

#[test]
fn a_wish_for_more_tasks_than_a_device_may_hold_is_refused() {
    let error = decode::<Request>(&encode(&exchange(3))).unwrap_err();
    assert_eq!(
        error,
        DecodeError::OverLimit {
            field: "exchange.want",
            found: 3,
            limit: 2
        }
    );
}

/// An exchange with so many commitments.
fn committing(commitments: usize) -> Request {
    let key = DeviceKey::from_seed(&[1; 32]);
    let commitment = Commitment {
        job: JobId([7; 32]),
        task: 8,
        replica: 9,
        device: key.id(),
        log_position: 10,
        commitment: Digest([11; 32]),
    };
    let signed = key.sign(commitment, &GenesisHash([12; 32]));
    Request::Exchange(Exchange {
        commitments: vec![signed; commitments],
        waits: true,
        ..Exchange::default()
    })
}

#[test]
fn more_commitments_than_an_exchange_may_have_are_refused() {
    let most = committing(limits::COMMITMENTS_MAX);
    assert_eq!(decode::<Request>(&encode(&most)).unwrap(), most);
    let one = encode(&committing(1)).len() - encode(&committing(0)).len();
    assert!(one < 200, "{one} bytes");
    let error = decode::<Request>(&encode(&committing(limits::COMMITMENTS_MAX + 1))).unwrap_err();
    assert_eq!(
        error,
        DecodeError::OverLimit {
            field: "exchange.commitments",
            found: 65,
            limit: 64
        }
    );
}

/// An exchange in which so many shards are shown.
fn showing(holds: usize) -> Request {
    let held = Held {
        id: ReplicaId {
            job: JobId([7; 32]),
            task: 8,
            replica: 9,
        },
        log_position: 10,
        shown: Digest([11; 32]),
    };
    Request::Exchange(Exchange {
        holds: vec![held; holds],
        ..Exchange::default()
    })
}

#[test]
fn what_shows_that_a_shard_is_here_goes_before_all_else_of_an_exchange() {
    let id = [&[7_u8; 32][..], &[8, 0, 0, 0, 9]].concat();
    let held = [&id[..], &[10, 0, 0, 0, 0, 0, 0, 0], &[11; 32]].concat();
    assert_eq!(held.len(), 77);
    let head: &[u8] = &[1, 1 << 2];
    let encoded = encode(&showing(1));
    assert!(encoded.starts_with(&[head, &held].concat()));
    assert_eq!(decode::<Request>(&encoded).unwrap(), showing(1));
}

#[test]
fn no_more_shards_are_shown_than_an_exchange_may_have() {
    let most = showing(limits::HOLDS_MAX);
    assert_eq!(decode::<Request>(&encode(&most)).unwrap(), most);
    let error = decode::<Request>(&encode(&showing(limits::HOLDS_MAX + 1))).unwrap_err();
    assert_eq!(
        error,
        DecodeError::OverLimit {
            field: "exchange.holds",
            found: 75,
            limit: 74
        }
    );
}

#[test]
fn more_reveals_than_an_answer_may_ask_for_are_refused() {
    let id = ReplicaId {
        job: JobId([7; 32]),
        task: 8,
        replica: 9,
    };
    let asking = |reveals: usize| {
        Response::Work(Work {
            reveals: vec![id; reveals],
            ..Work::default()
        })
    };
    let most = asking(limits::ACKNOWLEDGEMENTS_MAX);
    assert_eq!(decode::<Response>(&encode(&most)).unwrap(), most);
    assert!(matches!(
        decode::<Response>(&encode(&asking(limits::ACKNOWLEDGEMENTS_MAX + 1))),
        Err(DecodeError::OverLimit {
            field: "work.reveals",
            ..
        })
    ));
}

#[test]
fn a_piece_longer_than_a_piece_is_refused() {
    let bytes = vec![0; limits::PIECE_BYTES_MAX as usize + 1];
    let piece = Response::Piece(Piece {
        total_bytes: 1 << 20,
        bytes,
        mark: MARK,
    });
    assert!(matches!(
        decode::<Response>(&encode(&piece)),
        Err(DecodeError::OverLimit {
            field: "piece.bytes",
            ..
        })
    ));
}

#[test]
fn a_mark_is_behind_the_bytes_of_an_answer_and_before_those_of_a_delivery() {
    let mark = [0xaa; limits::MARK_BYTES];
    let piece = Response::Piece(Piece {
        total_bytes: 3,
        bytes: vec![1, 2, 3],
        mark: MARK,
    });
    let head: &[u8] = &[3, 3, 0, 0, 0, 0, 0, 0, 0, 3 << 2, 1, 2, 3];
    assert_eq!(encode(&piece), [head, &mark].concat());
    assert_eq!(decode::<Response>(&encode(&piece)).unwrap(), piece);

    let delivered = Response::Delivered {
        received_bytes: 5,
        mark: MARK,
    };
    let head: &[u8] = &[4, 5, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(encode(&delivered), [head, &mark].concat());

    let deliver = Request::Deliver(Deliver {
        id: ReplicaId {
            job: JobId([7; 32]),
            task: 8,
            replica: 9,
        },
        follows: Some(MARK),
        offset: 5,
        bytes: vec![1, 2, 3],
    });
    let id = [&[7_u8; 32][..], &[8, 0, 0, 0, 9]].concat();
    let tail: &[u8] = &[5, 0, 0, 0, 0, 0, 0, 0, 3 << 2, 1, 2, 3];
    assert_eq!(
        encode(&deliver),
        [&[3_u8][..], &id[..], &[1], &mark, tail].concat()
    );
    assert_eq!(decode::<Request>(&encode(&deliver)).unwrap(), deliver);

    let fetch = Request::Fetch(Fetch {
        content: Content::Program(ProgramHash([6; 32])),
        offset: 5,
        length: 4,
        received: Some(MARK),
    });
    let content = [&[0_u8][..], &[6; 32]].concat();
    let tail: &[u8] = &[5, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1];
    assert_eq!(
        encode(&fetch),
        [&[2_u8][..], &content[..], tail, &mark].concat()
    );
}

#[test]
fn no_more_verdicts_are_asked_for_and_shown_than_the_limit_and_none_with_too_long_lists() {
    let ask = |tasks: usize| {
        Request::Show(Show {
            job: JobId([7; 32]),
            batch: 3,
            tasks: vec![4; tasks],
        })
    };
    let most = ask(limits::SHOWN_MAX);
    assert_eq!(decode::<Request>(&encode(&most)).unwrap(), most);
    assert!(decode::<Request>(&encode(&ask(limits::SHOWN_MAX + 1))).is_err());

    let found = ReplicaFinding {
        replica: 1,
        device: DeviceId([2; 32]),
        account: AccountId::new([3; 32]),
        finding: Finding::Accepted,
        receipt: Some(Digest([4; 32])),
        pay: 5,
    };
    let shown = |replicas: usize, siblings: usize| ShownVerdict {
        verdict: Verdict {
            job: JobId([7; 32]),
            task: 4,
            answer: Answer {
                result_commitment: Digest([6; 32]),
                result_bytes: 1,
                fuel: 2,
                exit: Exit::Success,
            },
            ground: Ground::Majority,
            price: 9,
            replicas: vec![found.clone(); replicas],
        },
        proof: Proof {
            index: 0,
            count: 1,
            siblings: vec![Digest([8; 32]); siblings],
        },
    };
    let replicas = usize::from(shared::REPLICAS_PER_TASK_MAX);
    let most = Response::Shown(vec![shown(replicas, PROOF_HASHES_MAX); limits::SHOWN_MAX]);
    assert_eq!(decode::<Response>(&encode(&most)).unwrap(), most);
    for over in [
        vec![shown(1, 1); limits::SHOWN_MAX + 1],
        vec![shown(replicas + 1, 1)],
        vec![shown(1, PROOF_HASHES_MAX + 1)],
    ] {
        let refused = decode::<Response>(&encode(&Response::Shown(over)));
        assert!(matches!(refused, Err(DecodeError::OverLimit { .. })));
    }
}

#[test]
fn the_largest_messages_fit_the_limit() {
    let inline = limits::REPORTS_MAX * (limits::INLINE_RESULT_BYTES_MAX + 1024)
        + limits::COMMITMENTS_MAX * 200
        + limits::HOLDS_MAX * 77;
    let work = limits::TASKS_IN_HAND_MAX
        * (limits::INLINE_SHARD_BYTES_MAX + shared::ARGUMENT_BYTES_MAX as usize + 4096)
        + limits::ACKNOWLEDGEMENTS_MAX * (174 + 2 * 40)
        + limits::BENCHMARK_BYTES_MAX;
    let shown = limits::SHOWN_MAX
        * (usize::from(shared::REPLICAS_PER_TASK_MAX) * 128 + (PROOF_HASHES_MAX + 1) * 32 + 256);
    assert!(shown < limits::MESSAGE_BYTES_MAX);
    assert!(inline < limits::MESSAGE_BYTES_MAX);
    assert!(work < limits::MESSAGE_BYTES_MAX);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = decode::<Request>(&bytes);
        let _ = decode::<Response>(&bytes);
    }
}
