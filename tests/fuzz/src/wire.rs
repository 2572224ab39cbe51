//! What devices and masternodes say to each other.

use crate::{Decoder, evidence, honest, log, memory, oracle};
use codec::Encode as _;
use quern_primitives::{
    Digest,
    device::{Class, Line},
    limits as shared,
    log::Acknowledgements,
    merkle::{PROOF_HASHES_MAX, Tree},
};
use quern_protocol::{
    Assignment, Benchmark, Content, DecodeError, Deliver, Discard, DiscardReason, Exchange, Fetch,
    HandBack, HandBackReason, Held, Hello, Machine, Mark, Message, Output, Piece, Progress,
    Refusal, ReplicaId, Report, Request, Response, SealedKey, ShardFacts, Show, ShownVerdict,
    Stage, State, TaskLimits, Unavailable, Welcome, Work, decode, encode, limits,
};
use std::fmt::Debug;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "request",
        check: request,
        seeds: requests,
    },
    Decoder {
        name: "response",
        check: response,
        seeds: responses,
    },
];

fn request(bytes: &[u8]) {
    match message::<Request>(bytes) {
        Some(Request::Hello(hello)) => {
            assert!(hello.software.len() <= limits::SOFTWARE_BYTES_MAX);
            assert!(hello.in_hand.len() <= limits::ACKNOWLEDGEMENTS_MAX);
        }
        Some(Request::Exchange(exchange)) => {
            assert!(exchange.holds.len() <= limits::HOLDS_MAX);
            assert!(exchange.reports.len() <= limits::REPORTS_MAX);
            assert!(usize::from(exchange.want) <= limits::TASKS_IN_HAND_MAX);
            for report in &exchange.reports {
                let receipt = &report.receipt;
                let holds = receipt.is_signed_by(&honest::DEVICE.id(), &honest::GENESIS);
                assert!(!holds || honest::signed(&receipt.payload), "{receipt:?}");
            }
        }
        Some(Request::Fetch(fetch)) => assert!(fetch.length <= limits::PIECE_BYTES_MAX),
        Some(Request::Deliver(deliver)) => {
            assert!(deliver.bytes.len() <= limits::PIECE_BYTES_MAX as usize);
        }
        Some(Request::Show(show)) => assert!(show.tasks.len() <= limits::SHOWN_MAX),
        None => (),
    }
}

fn response(bytes: &[u8]) {
    let work = match message::<Response>(bytes) {
        Some(Response::Work(work)) => work,
        Some(Response::Shown(shown)) => return assert_shown(&shown),
        _ => return,
    };
    let lists = work.acknowledged.iter();
    let words: Vec<_> = lists.flat_map(Acknowledgements::each).collect();
    assert!(words.len() <= limits::ACKNOWLEDGEMENTS_MAX);
    assert!(words.iter().all(log::is_own_or_unsigned), "{work:?}");
    assert!(work.assignments.len() <= limits::TASKS_IN_HAND_MAX);
    for assignment in &work.assignments {
        assert!(assignment.arguments.len() <= shared::ARGUMENTS_MAX as usize);
        assert!(assignment.program_bytes <= shared::PROGRAM_BYTES_MAX);
        assert!(assignment.shard.plaintext_bytes <= shared::SHARD_BYTES_MAX.into());
        assert!(assignment.limits.result_bytes <= shared::RESULT_BYTES_MAX);
    }
    if let Some(benchmark) = &work.benchmark {
        assert!(benchmark.program.len() <= limits::BENCHMARK_BYTES_MAX);
    }
}

fn assert_shown(shown: &[ShownVerdict]) {
    assert!(shown.len() <= limits::SHOWN_MAX);
    for ShownVerdict { verdict, proof } in shown {
        assert!(verdict.replicas.len() <= shared::REPLICAS_PER_TASK_MAX as usize);
        assert!(proof.siblings.len() <= PROOF_HASHES_MAX);
    }
}

fn message<M: Message + PartialEq + Debug>(bytes: &[u8]) -> Option<M> {
    let (decoded, held) = memory::most(|| decode::<M>(bytes));
    oracle::held_no_more_than_given(held, bytes);
    match decoded {
        Ok(message) => {
            assert_eq!(encode(&message), bytes, "a second encoding");
            oracle::one_encoding(bytes, |other| decode::<M>(other).is_ok());
            Some(message)
        }
        Err(refusal) => {
            if let DecodeError::OverLimit { found, limit, .. } = refusal {
                assert!(found > limit, "{refusal}");
            }
            None
        }
    }
}

const ID: ReplicaId = ReplicaId {
    job: honest::JOB,
    task: 4,
    replica: 1,
};

const MARK: Mark = Mark([0xaa; limits::MARK_BYTES]);

fn requests() -> Vec<Vec<u8>> {
    let hello = Hello {
        software: b"quern-worker 0.1.0".to_vec(),
        engines: vec![(Class::Pinned, Digest([6; 32]))],
        in_hand: vec![ID],
        version: 1,
        machine: Machine {
            processor_model: Some(b"a processor".to_vec()),
            cores: Some(8),
            ram_mib: Some(16_384),
            ..Machine::default()
        },
    };
    let reports = honest::RECEIPTS.iter().enumerate();
    let exchange = Exchange {
        holds: vec![Held {
            id: ID,
            log_position: 77,
            shown: Digest([9; 32]),
        }],
        commitments: vec![],
        waits: true,
        reports: reports
            .map(|(at, receipt)| Report {
                receipt: receipt.clone(),
                output: match at {
                    0 => Output::Inline(vec![1, 2, 3]),
                    _ => Output::Delivered { bytes: 226 },
                },
            })
            .collect(),
        progress: vec![Progress {
            id: ID,
            stage: Stage::Running,
        }],
        handed_back: vec![HandBack {
            id: ID,
            reason: HandBackReason::BadInput,
        }],
        want: 2,
        is_busy: true,
        state: Some(State {
            line: Line::Fibre,
            free_cpu_permille: Some(900),
            temperature_decicelsius: Some(-5),
            unavailable: vec![Unavailable::InUse],
            ..State::default()
        }),
        benchmark: None,
        unavailable_for: Some(3),
    };
    let fetch = Fetch {
        content: Content::Shard {
            job: honest::JOB,
            task: 4,
        },
        offset: 65_536,
        length: limits::PIECE_BYTES_MAX,
        received: Some(MARK),
    };
    let deliver = Deliver {
        id: ID,
        follows: None,
        offset: 0,
        bytes: vec![5; 40],
    };
    [
        Request::Hello(hello),
        Request::Exchange(exchange),
        Request::Exchange(Exchange::default()),
        Request::Fetch(fetch),
        Request::Deliver(deliver),
        Request::Show(Show {
            job: honest::JOB,
            batch: 3,
            tasks: vec![4, 9],
        }),
    ]
    .iter()
    .map(encode)
    .collect()
}

fn responses() -> Vec<Vec<u8>> {
    let assignment = Assignment {
        id: ID,
        program: honest::PROGRAM,
        program_bytes: 4_000,
        arguments: vec![b"--quality".to_vec(), b"high".to_vec()],
        shard: ShardFacts {
            root: Digest([3; 32]),
            sealed_bytes: 226,
            plaintext_bytes: 10,
            count: 60,
        },
        key: SealedKey {
            encapsulated: [1; 32],
            ciphertext: [2; 48],
        },
        limits: TaskLimits {
            fuel: 1_000_000,
            memory_bytes: 1 << 26,
            result_bytes: 1 << 20,
            time_ms: 60_000,
        },
        class: Class::Pinned,
        log_position: 77,
        commits: true,
        inline_shard: Some(vec![7; 24]),
    };
    let work = Work {
        acknowledged: vec![log::honest_acknowledgements()],
        reveals: vec![ID],
        discard: vec![Discard {
            id: ID,
            reason: DiscardReason::Decided,
        }],
        assignments: vec![assignment],
        ask_again_ms: 4_000,
        benchmark: Some(Benchmark {
            number: 3,
            program: b"\0asm\x01\0\0\0".to_vec(),
            input: [4; 16],
            fuel: 1_000,
        }),
    };
    let piece = Piece {
        total_bytes: 226,
        bytes: vec![8; 30],
        mark: MARK,
    };
    let delivered = Response::Delivered {
        received_bytes: 40,
        mark: MARK,
    };
    let shown = honest::RECEIPTS.iter().map(evidence::verdict).enumerate();
    let leaves = honest::RECEIPTS.iter().map(evidence::verdict);
    let tree = Tree::new(leaves.map(|verdict| verdict.encode()));
    let shown = shown.filter_map(|(place, verdict)| {
        let proof = tree.proof(u32::try_from(place).ok()?)?;
        Some(ShownVerdict { verdict, proof })
    });
    let shown = shown.collect();
    let wrong_engine = Refusal::WrongEngine {
        class: Class::Pinned,
        wanted: Digest([6; 32]),
    };
    [
        Response::Welcome(Welcome {
            heartbeat_ms: 5_000,
        }),
        Response::Refused(wrong_engine),
        Response::Work(work),
        Response::Piece(piece),
        delivered,
        Response::Shown(shown),
    ]
    .iter()
    .map(encode)
    .collect()
}
