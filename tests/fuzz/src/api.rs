//! The Jobs API: what owners send a masternode, what a masternode tells owners, and what those of a job's
//! group tell each other. The frame around it, JSON-RPC, is read by jsonrpsee, which holds the length of a
//! message.

use crate::{Decoder, group, honest, memory, oracle};
use quern_jobs_api::{
    About, ApiError, Asking, Blob, Claimed, Correction, Corrections, Dealing, DelegatedKey,
    DeviceExplanation, DevicePool, DeviceState, GridState, Impasse, JobExplanation, JobForDevice,
    JobInGrid, JobStatus, LastDraw, Lateness, LogPage, MachineFacts, Matching, Measured, Offer,
    OwnerToken, Phase, PoolsAtLeast, Reason, Recomputations, ReplicaExplanation, ReplicaStage,
    Rule, Sample, Scheduling, ScoreParts, ShardOffer, Step, StepKind, StorageError, StorageOffer,
    StorageStatus, TaskExplanation, TaskReceipts, TaskResult, TaskStage, Trouble, WaitingFor, Word,
};
use quern_primitives::{
    AccountId, DeviceId, Digest, JobId, amount,
    device::Class,
    ids::NodeKey,
    job::{Agreement, ByteLevel, Preferences},
    log::{RefereeReport, SignedRefereeReport},
    params::Terms,
    payload::NodeSignature,
    receipt::{Answer, Exit},
};
use serde::Serialize;

pub(crate) const DECODERS: &[Decoder] = &[
    Decoder {
        name: "name of a job",
        check: name,
        seeds: || json(&[honest::JOB]),
    },
    Decoder {
        name: "name of an account",
        check: oracle::json_alone::<AccountId>,
        seeds: || json(&[honest::OWNER]),
    },
    Decoder {
        name: "amount",
        check: an_amount,
        seeds: || {
            ["12", "0.5 BC", ".000000001"]
                .map(|it| it.as_bytes().to_vec())
                .to_vec()
        },
    },
    Decoder {
        name: "token",
        check: token,
        seeds: || json(&[OwnerToken(Digest([0xab; 32]))]),
    },
    Decoder {
        name: "blob",
        check: blob,
        seeds: || json(&[Blob(vec![]), Blob(vec![1]), Blob(vec![255; 32])]),
    },
    Decoder {
        name: "delegated key",
        check: oracle::json_alone::<DelegatedKey>,
        seeds: || {
            json(&[DelegatedKey {
                encapsulated: Blob(vec![1; 32]),
                ciphertext: Blob(vec![2; 48]),
            }])
        },
    },
    Decoder {
        name: "asking",
        check: oracle::json_alone::<Asking>,
        seeds: askings,
    },
    Decoder {
        name: "about",
        check: oracle::json_alone::<About>,
        seeds: || {
            json(&[About {
                software: "quern-masternode 0.1.0".to_owned(),
                genesis: honest::GENESIS,
                account: honest::COORDINATOR,
                devices: 4,
            }])
        },
    },
    Decoder {
        name: "offer",
        check: oracle::json_alone::<Offer>,
        seeds: || {
            json(&[Offer {
                manifest_bytes: 600,
                program_bytes: 4_000,
                shards: vec![ShardOffer { task: 2, bytes: 9 }],
                shards_complete: false,
                key: true,
            }])
        },
    },
    Decoder {
        name: "status",
        check: oracle::json_alone::<JobStatus>,
        seeds: || json(&[status()]),
    },
    Decoder {
        name: "results",
        check: oracle::json_alone::<Vec<TaskResult>>,
        seeds: || json(&[vec![task_result()]]),
    },
    Decoder {
        name: "receipts",
        check: oracle::json_alone::<Vec<TaskReceipts>>,
        seeds: || {
            let (task, replicas) = (4, vec![0, 2]);
            json(&[vec![TaskReceipts { task, replicas }]])
        },
    },
    Decoder {
        name: "error",
        check: oracle::json_alone::<ApiError>,
        seeds: || json(&[ApiError::Closed, ApiError::WrongShard { task: 3 }]),
    },
    Decoder {
        name: "explanation of a job",
        check: oracle::json_alone::<JobExplanation>,
        seeds: || json(&[job_explanation()]),
    },
    Decoder {
        name: "explanation of a task",
        check: oracle::json_alone::<TaskExplanation>,
        seeds: || json(&[task_explanation()]),
    },
    Decoder {
        name: "explanation of a device",
        check: oracle::json_with_fractions::<DeviceExplanation>,
        seeds: || json(&[device_explanation()]),
    },
    Decoder {
        name: "devices of the grid",
        check: oracle::json_with_fractions::<Vec<DeviceState>>,
        seeds: || json(&[vec![device_state()]]),
    },
    Decoder {
        name: "state of the grid",
        check: oracle::json_alone::<GridState>,
        seeds: || json(&[grid_state()]),
    },
    Decoder {
        name: "matching",
        check: oracle::json_alone::<Matching>,
        seeds: || json(&[Matching::default()]),
    },
    Decoder {
        name: "part of a log",
        check: oracle::json_alone::<LogPage>,
        seeds: || {
            let (blocks, total) = (vec![Blob(vec![1; 200]), Blob(vec![])], 7);
            json(&[LogPage { blocks, total }, LogPage::default()])
        },
    },
    Decoder {
        name: "corrections",
        check: oracle::json_alone::<Corrections>,
        seeds: || json(&[corrections()]),
    },
    group::REFEREE_REQUEST,
    group::WITNESS_REQUEST,
    group::ALTERED_REQUEST,
    group::REFEREEING,
    group::WITNESSING,
    group::REFUSAL,
    group::FOLLOWED,
    Decoder {
        name: "storage offer",
        check: oracle::json_alone::<StorageOffer>,
        seeds: || {
            json(&[StorageOffer {
                list_bytes: 7,
                has_list: false,
                missing: vec![(0, 0), (3, 1 << 20)],
            }])
        },
    },
    Decoder {
        name: "storage status",
        check: oracle::json_alone::<StorageStatus>,
        seeds: || {
            json(&[StorageStatus {
                pieces: 3,
                copies: 2,
                here: 1,
                holders: vec![2, 2, 0],
                placing: 1,
                devices: 4,
            }])
        },
    },
    Decoder {
        name: "storage error",
        check: oracle::json_alone::<StorageError>,
        seeds: || {
            json(&[
                StorageError::NotMember,
                StorageError::WrongPiece { piece: 3 },
                StorageError::NoRoom { bytes: 7 },
            ])
        },
    },
];

/// As JSON and as a text of its own.
fn name(bytes: &[u8]) {
    oracle::json_alone::<JobId>(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(job) = text.parse::<JobId>() {
        assert_eq!(job.to_string().parse::<JobId>(), Ok(job));
        assert!(job.to_string().ends_with(&text.to_lowercase()) || text.starts_with("0x"));
    }
}

/// A text that is an amount is the same amount when it is shown.
fn an_amount(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (parsed, held) = memory::most(|| amount::parse(text));
    oracle::held_no_more_than_given(held, bytes);
    if let Ok(units) = parsed {
        assert_eq!(amount::parse(&amount::display(units)), Ok(units));
    }
}

fn token(bytes: &[u8]) {
    if let Ok(token) = serde_json::from_slice::<OwnerToken>(bytes) {
        oracle::told(&token.0);
        assert_eq!(format!("{token:?}"), "OwnerToken(not shown)");
    }
}

/// No two texts stand for the same bytes, and they are shorter than their text.
fn blob(bytes: &[u8]) {
    let Some(blob) = oracle::json::<Blob>(bytes) else {
        return;
    };
    let text: Option<String> = serde_json::from_slice(bytes).ok();
    let again: Option<String> = json(&[&blob])
        .first()
        .and_then(|json| serde_json::from_slice(json).ok());
    assert_eq!(text, again, "a second text for {blob:?}");
    assert!(blob.0.len() <= bytes.len());
}

fn json<T: Serialize>(values: &[T]) -> Vec<Vec<u8>> {
    let texts = values.iter().filter_map(|it| serde_json::to_vec(it).ok());
    texts.collect()
}

fn asking() -> Asking {
    Asking {
        preferences: Preferences::default(),
        class: Class::Portable,
        agreement: Agreement::Majority { replicas: 3 },
        task: u128::MAX,
        memory_bytes: 1 << 30,
        terms: Terms::FIRST,
    }
}

fn askings() -> Vec<Vec<u8>> {
    let agreements = [Agreement::Unanimous, Agreement::Adaptive];
    let others = agreements.map(|agreement| Asking {
        agreement,
        ..asking()
    });
    [json(&[asking()]), json(&others)].concat()
}

fn status() -> JobStatus {
    JobStatus {
        job: honest::JOB,
        phase: Phase::Computing,
        tasks: 60,
        not_uploaded: 1,
        waiting: 2,
        running: 3,
        decided: 4,
        settled: 5,
        replicas: 6,
        incorrect: 1,
        refereed: 2,
        voted: 1,
        contradicted: 1,
        fuel: 9,
        spent: 7,
        devices: 3,
        waiting_for: Some(WaitingFor::Accounts {
            connected: 1,
            needed: 3,
        }),
        impasse: Some(Impasse {
            task: 3,
            why: Trouble::ProgramFails {
                exit: Exit::Code(7),
            },
        }),
    }
}

fn task_result() -> TaskResult {
    TaskResult {
        task: 4,
        replica: 1,
        device: honest::DEVICE.id(),
        result_bytes: 10,
        sealed_bytes: 226,
        output_root: Digest([5; 32]),
        result_commitment: Digest([4; 32]),
    }
}

/// What a masternode tells of a task; that nobody signed it so is found by who believes it.
fn corrections() -> Corrections {
    let answer = |result: u8| Answer {
        result_commitment: Digest([result; 32]),
        result_bytes: 10,
        fuel: 9,
        exit: Exit::Success,
    };
    let payload = RefereeReport {
        job: honest::JOB,
        task: 4,
        question: Digest([46; 32]),
        answer: answer(2),
    };
    let signature = NodeSignature([8; 64]);
    let correction = Correction {
        task: 4,
        accepted: answer(1),
        devices: vec![DeviceId([5; 32])],
        words: vec![Word {
            node: NodeKey([6; 32]),
            report: SignedRefereeReport { payload, signature },
        }],
        result: Some(TaskResult {
            task: 4,
            replica: 255,
            device: DeviceId([6; 32]),
            result_bytes: 10,
            sealed_bytes: 226,
            output_root: Digest([7; 32]),
            result_commitment: Digest([2; 32]),
        }),
    };
    Corrections {
        corrections: vec![correction],
        may_come: true,
        re_executes: true,
    }
}

fn reason() -> Reason {
    Reason {
        rule: Rule::Memory,
        words: "it lets a task have less".to_owned(),
        devices: Some(3),
        device_ids: vec![honest::STRANGER],
        next: Some("wait".to_owned()),
    }
}

fn step() -> Step {
    Step {
        step: StepKind::Rescued,
        in_s: 9,
        replica: Some(1),
        words: "another device gets it too".to_owned(),
    }
}

fn job_explanation() -> JobExplanation {
    JobExplanation {
        status: status(),
        target_devices: 4,
        connected_accounts: 3,
        open: vec![5, 0],
        running: 2,
        reasons: vec![reason()],
        devices: Sample {
            looked_at: 4,
            connected: 9,
        },
        next: vec![step()],
    }
}

fn task_explanation() -> TaskExplanation {
    let running = ReplicaStage::Running {
        device: honest::STRANGER,
        since_s: Some(4),
        due_in_s: -3,
        backup: true,
        lateness: Lateness::Stale,
    };
    let open = ReplicaStage::Open {
        pool: 0,
        turn: 1,
        of: 9,
        since_s: 2,
        rescue: false,
    };
    let replicas = (0..).zip([running, open]);
    TaskExplanation {
        job: honest::JOB,
        task: 6,
        bounty_max: 7_000_000_000,
        expected_ms: Some(1_500),
        stage: TaskStage::Open,
        missing: 1,
        replicas: replicas
            .map(|(replica, state)| ReplicaExplanation { replica, state })
            .collect(),
        verdict: None,
        batch: Some(3),
        reasons: vec![reason()],
        devices: Sample::default(),
        next: vec![step()],
    }
}

fn device_state() -> DeviceState {
    DeviceState {
        position: 3,
        device: honest::STRANGER,
        account: honest::OWNER,
        connected: true,
        byte_rank: 4,
        ranked: 9,
        ranked_s_ago: Some(12),
        score: 1_532.25,
        parts: ScoreParts {
            processor: 250.5,
            ..ScoreParts::default()
        },
        fault_rate: 0.05,
        faulty_tasks: 1,
        flags: vec!["it is not connected".to_owned()],
        lifted: false,
        in_hand: 1,
        in_hand_max: 2,
        software: "quern-worker 0.1.0".to_owned(),
        classes: vec![Class::Pinned],
        machine: MachineFacts {
            cores: Some(8),
            ..MachineFacts::default()
        },
        claimed: Claimed {
            line: Some("fibre".to_owned()),
            ..Claimed::default()
        },
        measured: Measured {
            down_mbps: Some(46.5),
            ..Measured::default()
        },
        pools: vec![DevicePool {
            job: honest::JOB,
            pool: 1,
            pools: 2,
        }],
    }
}

fn device_explanation() -> DeviceExplanation {
    DeviceExplanation {
        state: device_state(),
        jobs: vec![JobForDevice {
            job: honest::JOB,
            reason: Some(reason()),
        }],
        queued_jobs: 1,
        reasons: vec![],
        next: vec![step()],
    }
}

fn grid_state() -> GridState {
    GridState {
        block: 77,
        devices: 4,
        accounts: 3,
        ranked: 4,
        ranked_s_ago: Some(12),
        scheduling: Scheduling {
            dealing: Dealing::MergedPools,
            pools: Some(PoolsAtLeast {
                capacity: 8_000,
                devices: 8,
            }),
            spares_the_slow: true,
            backs_up: true,
            delayed_percent: 200,
            stale_percent: 400,
            delayed_ms_min: 15_000,
            stale_ms_min: 60_000,
        },
        last_draw: Some(LastDraw {
            day: 3,
            winners: None,
        }),
        recomputations: Recomputations {
            refereed: 2,
            to_check: 1,
            ..Recomputations::default()
        },
        jobs: vec![JobInGrid {
            job: honest::JOB,
            level: ByteLevel::High,
            status: status(),
            target_devices: 2,
        }],
    }
}
