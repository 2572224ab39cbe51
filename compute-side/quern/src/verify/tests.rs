#![allow(clippy::unwrap_used)]

mod elsewhere;

use super::*;
use clap::FromArgMatches as _;
use codec::Encode;
use quern_job_rules::pay::{self, PRICES_AT_GENESIS, Tariff};
use quern_primitives::{
    GenesisHash, ProgramHash, SealingKey,
    amount::BYTECHIP,
    batch::{LogRange, Payout, PendingBatch, Shares, TaskSet},
    device::{Class, Device, Hardware, Region},
    job::{Agreement, ByteLevel, Escrow, Job, JobState, Preferences, Referees, Submission},
    merkle::Tree,
    params::Terms,
    payload::DeviceKey,
    receipt::{Exit, Receipt},
    verdict::{ReplicaFinding, Verdict},
    view::DeviceView,
};
use quern_verdict::receipt_digest;

const GENESIS: GenesisHash = GenesisHash([1; 32]);
const PRICE: Amount = 10 * BYTECHIP;

fn receipt(device: &DeviceKey, replica: u8) -> Receipt {
    Receipt {
        job: JobId([2; 32]),
        task: 1,
        replica,
        device: device.id(),
        program: ProgramHash([3; 32]),
        input_root: Digest([4; 32]),
        question: Digest([46; 32]),
        result_commitment: Digest([5; 32]),
        output_root: Digest([6; 32]),
        result_bytes: 7,
        fuel: 8,
        exit: Exit::Success,
        class: Class::Pinned,
        engine: Digest([9; 32]),
        log_position: 10,
        salt: [90; 32].into(),
    }
}

/// The receipt of the first of three devices that agree, second of two tasks in its batch.
pub(super) fn file() -> ReceiptFile {
    let keys: Vec<_> = (0..3)
        .map(|seed| DeviceKey::from_seed(&[seed; 32]))
        .collect();
    let signed: Vec<_> = (0..)
        .zip(&keys)
        .map(|(replica, key)| key.sign(receipt(key, replica), &GENESIS))
        .collect();
    let replicas = signed
        .iter()
        .map(|signed| ReplicaFinding {
            replica: signed.payload.replica,
            device: signed.payload.device,
            account: AccountId::new([signed.payload.replica; 32]),
            finding: Finding::Accepted,
            receipt: Some(receipt_digest(signed)),
            pay: pay::pays(PRICE, 3, Terms::FIRST),
        })
        .collect();
    let (job, task) = (JobId([2; 32]), 1);
    let answer = signed[0].payload.answer();
    let verdict = Verdict {
        job,
        task,
        answer,
        ground: Ground::Majority,
        price: PRICE,
        replicas,
    };
    let tree = Tree::new([b"another verdict".to_vec(), verdict.encode()]);
    ReceiptFile {
        genesis: GENESIS,
        receipt: signed[0].clone(),
        verdicts_root: tree.root(),
        proof: tree.proof(1).unwrap(),
        verdict,
        batch: 0,
    }
}

/// What is made of `quern verify` with these options; none if the parser refuses them.
fn with(options: &[&str]) -> Option<VerifyArgs> {
    let command = VerifyArgs::augment_args(clap::Command::new("verify"));
    let words = ["verify", "receipt.json"];
    let line = words.iter().chain(options).copied();
    let matches = command.try_get_matches_from(line).ok()?;
    VerifyArgs::from_arg_matches(&matches).ok()
}

/// Fails unless with these options this tells what only the chain knows.
fn tells(options: &[&str], teller: Teller<'_>) {
    let args = with(options).unwrap();
    assert_eq!(args.teller(GENESIS), teller, "{options:?}");
}

#[test]
fn a_node_is_asked_for_proofs_unless_something_else_is_said() {
    let hash = "5a".repeat(32);
    let given = GenesisHash([0x5a; 32]);
    tells(&[], Teller::Proofs(GENESIS));
    tells(&["--root", &hash], Teller::Proofs(GENESIS));
    tells(&["--trust-node"], Teller::Node);
    tells(&["--offline"], Teller::Nobody);
    // What was said before it was the default goes on.
    tells(&["--light"], Teller::Proofs(GENESIS));
    tells(&["--light", "--genesis", &hash], Teller::Proofs(given));
}

#[test]
fn no_node_is_asked_where_the_saved_proof_is_meant() {
    let hash = "5a".repeat(32);
    let given = GenesisHash([0x5a; 32]);
    tells(&["--header", &hash], Teller::Header(&hash));
    let elsewhere = ["--header", &hash, "--proof", "proof.json"];
    tells(&elsewhere, Teller::Header(&hash));
    tells(&["--genesis", &hash], Teller::File(given));
    tells(&["--proof", "proof.json"], Teller::File(GENESIS));
    let both = ["--genesis", &hash, "--proof", "proof.json"];
    tells(&both, Teller::File(given));
}

#[test]
fn a_node_is_not_believed_beside_anything_that_proves() {
    let hash = "5a".repeat(32);
    let others: [&[&str]; 5] = [
        &["--light"],
        &["--offline"],
        &["--header", &hash],
        &["--genesis", &hash],
        &["--proof", "proof.json"],
    ];
    for other in others {
        let options = [&["--trust-node"][..], other].concat();
        assert!(with(&options).is_none(), "{options:?}");
    }
}

/// The checks that fail after a change to a good file.
fn failing(change: impl FnOnce(&mut ReceiptFile)) -> Vec<Name> {
    let mut file = file();
    change(&mut file);
    let checks = check_file(&file, None);
    let text = verified(&file, checks.clone(), &Asked::default()).people();
    assert!(
        text.contains('✗') && text.contains("does NOT hold"),
        "{text}"
    );
    checks
        .into_iter()
        .filter(|check| !check.holds)
        .map(|check| check.check)
        .collect()
}

#[test]
fn an_honest_receipt_holds_and_reads_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipt.json");
    std::fs::write(&path, serde_json::to_string(&file()).unwrap()).unwrap();
    let file = read(&path).unwrap();
    let checks = check_file(&file, Some(file.verdicts_root));
    let verified = verified(&file, checks, &Asked::default());
    assert!(verified.holds, "{}", verified.people());
    // The chain was not asked whether it was.
    assert!(verified.people().contains("was to be paid"));
    let json = serde_json::to_value(&verified).unwrap();
    assert_eq!(json["checks"][0]["check"], "signature");
    assert_eq!(json["checks"][6]["check"], "given_root");
    assert_eq!(json["pay"], pay::pays(PRICE, 3, Terms::FIRST).to_string());
}

#[test]
fn every_tampering_fails_a_check() {
    use CheckKind::{Finding as FindingCheck, Named, Pay, Proof, SameTask, Signature};
    let of = |kinds: &[CheckKind]| kinds.iter().map(|kind| Name::Of(*kind)).collect::<Vec<_>>();
    let fuel = failing(|file| file.receipt.payload.fuel += 1);
    assert_eq!(fuel, of(&[Signature, Named, FindingCheck]));
    let genesis = failing(|file| file.genesis = GenesisHash([7; 32]));
    assert_eq!(genesis, of(&[Signature]));
    let task = failing(|file| file.verdict.task = 2);
    assert_eq!(task, of(&[SameTask, Proof]));
    let paid = failing(|file| file.verdict.replicas[0].pay += 1);
    assert_eq!(paid, of(&[Pay, Proof]));
    let blamed = failing(|file| file.verdict.replicas[0].finding = Finding::Incorrect);
    assert_eq!(blamed, of(&[FindingCheck, Pay, Proof]));
    let root = failing(|file| file.verdicts_root = Digest([7; 32]));
    assert_eq!(root, of(&[Proof]));
    let account = failing(|file| file.verdict.replicas[1].account = AccountId::new([9; 32]));
    assert_eq!(account, of(&[Proof]));
}

/// The job of which the receipt is.
pub(super) fn job() -> Job {
    Job {
        owner: AccountId::new([9; 32]),
        submission: Submission {
            salt: [1; 16],
            program: ProgramHash([3; 32]),
            manifest: Digest([2; 32]),
            shards_root: Digest([3; 32]),
            key_commitment: Digest([4; 32]),
            tasks: 2,
            input_bytes: 1_000,
            fuel_per_task_max: 1_000_000_000,
            memory_bytes_max: 64 << 20,
            result_bytes_max: 1 << 20,
            agreement: Agreement::Majority { replicas: 3 },
            referees: Referees::One,
            class: Class::Pinned,
            preferences: Preferences::default(),
            level: ByteLevel::Balanced,
            deadline: 1_000,
            price_max: BYTECHIP,
            owner_sealing_key: SealingKey([5; 32]),
        },
        prices: PRICES_AT_GENESIS,
        terms: Terms::FIRST,
        state: JobState::Submitted,
        submitted_at: 1,
        escrow: Escrow::default(),
        settled_tasks: 0,
        next_batch: 0,
        pending_batches: 0,
    }
}

#[test]
fn a_price_beside_the_job_s_tariff_fails() {
    let (mut file, job) = (file(), job());
    let holds = |file: &ReceiptFile, job| verify_price(file, job).holds;
    let tariff = Tariff::of_job(&job).unwrap();
    file.verdict.answer.fuel = 500_000_000;
    file.verdict.price = tariff.price(500_000_000);
    for found in &mut file.verdict.replicas {
        found.pay = tariff.pays(file.verdict.price, 3);
    }
    assert!(holds(&file, Some(&job)));
    assert!(!holds(&file, None), "no job, no tariff");
    file.verdict.price += 1;
    assert!(!holds(&file, Some(&job)));
    // Nothing is paid for a program that fails.
    file.verdict.answer.exit = Exit::Trap;
    file.verdict.price = tariff.price(500_000_000);
    for found in &mut file.verdict.replicas {
        found.pay = tariff.pays(file.verdict.price, 3);
    }
    assert!(!holds(&file, Some(&job)));
    file.verdict.price = 0;
    for found in &mut file.verdict.replicas {
        found.pay = 0;
    }
    assert!(holds(&file, Some(&job)));
}

/// Whether a verdict with these findings, each about an account, has the agreement of its job.
fn agrees(findings: &[(u8, Finding)], agreement: Agreement) -> bool {
    let ground = match agreement {
        Agreement::Single => Ground::Trusted,
        _ => Ground::Majority,
    };
    agrees_by(ground, findings, agreement)
}

/// The same of a verdict that names this ground.
fn agrees_by(ground: Ground, findings: &[(u8, Finding)], agreement: Agreement) -> bool {
    let (mut file, mut job) = (file(), job());
    let replica = file.verdict.replicas[0].clone();
    let replicas = (0..)
        .zip(findings)
        .map(|(number, (account, finding))| ReplicaFinding {
            replica: number,
            account: AccountId::new([*account; 32]),
            finding: *finding,
            ..replica.clone()
        });
    file.verdict.replicas = replicas.collect();
    file.verdict.ground = ground;
    job.submission.agreement = agreement;
    verify_agreement(&file, Some(&job)).holds
}

#[test]
fn an_answer_that_too_few_accounts_gave_fails() {
    use Finding::{Accepted, Delayed, Failed, Incorrect};
    let of_three = |findings: &[(u8, Finding)]| {
        let agreement = Agreement::Majority { replicas: 3 };
        agrees(findings, agreement)
    };
    assert!(of_three(&[(1, Accepted), (2, Accepted), (3, Accepted)]));
    assert!(of_three(&[(1, Accepted), (2, Incorrect), (3, Accepted)]));
    assert!(of_three(&[(1, Accepted), (2, Delayed), (3, Accepted)]));
    assert!(!of_three(&[(1, Accepted), (2, Delayed), (3, Failed)]));
    assert!(!of_three(&[]));
    // One account's devices have one voice.
    assert!(!of_three(&[(1, Accepted), (1, Accepted), (1, Accepted)]));
    // Two of five are enough for three replicas, but not the most.
    let split = [
        (1, Accepted),
        (2, Accepted),
        (3, Incorrect),
        (4, Incorrect),
        (5, Incorrect),
    ];
    assert!(!of_three(&split));
    let one = [(1, Accepted)];
    assert!(agrees(&one, Agreement::Single));
    assert!(!agrees(&one, Agreement::Majority { replicas: 3 }));
    assert!(
        !verify_agreement(&file(), None).holds,
        "no job, no agreement"
    );
}

#[test]
fn a_ground_holds_where_the_agreement_allows_it_and_the_answers_make_it_one() {
    use Finding::{Accepted, Incorrect};
    let two = [(1, Accepted), (2, Accepted)];
    let split = [(1, Accepted), (2, Incorrect)];
    let voted = [(1, Accepted), (2, Incorrect), (3, Accepted)];
    for agreement in [Agreement::Unanimous, Agreement::Adaptive] {
        let holds = |ground, findings: &[(u8, Finding)]| agrees_by(ground, findings, agreement);
        assert!(holds(Ground::Unanimous, &two));
        assert!(!holds(Ground::Unanimous, &two[..1]));
        assert!(!holds(Ground::Unanimous, &voted), "a split is not outvoted");
        assert!(!holds(Ground::Unanimous, &[(1, Accepted), (1, Accepted)]));
        assert!(!holds(Ground::Majority, &two));
        assert!(
            holds(Ground::Vote, &voted),
            "but it may be voted, and says so"
        );
        assert!(!holds(Ground::Vote, &two));
        assert!(!holds(Ground::Vote, &split));
        assert!(holds(Ground::Referee, &split));
        assert!(holds(Ground::Referee, &[(1, Incorrect), (2, Incorrect)]));
        assert!(
            !holds(Ground::Referee, &two),
            "where all agree none is asked"
        );
        assert!(!holds(Ground::Referee, &[(1, Incorrect)]));
    }
}

#[test]
fn one_device_is_believed_alone_only_where_the_job_allows_it() {
    use Finding::{Accepted, Incorrect};
    let one = [(1, Accepted)];
    let trusts = |agreement| agrees_by(Ground::Trusted, &one, agreement);
    assert!(trusts(Agreement::Single) && trusts(Agreement::Adaptive));
    assert!(!trusts(Agreement::Unanimous));
    assert!(!trusts(Agreement::Majority { replicas: 3 }));
    let contradicted = [(1, Accepted), (2, Incorrect)];
    assert!(!agrees_by(
        Ground::Trusted,
        &contradicted,
        Agreement::Adaptive
    ));
    let majority = Agreement::Majority { replicas: 3 };
    let two_of_three = [(1, Accepted), (2, Incorrect), (3, Accepted)];
    assert!(!agrees_by(Ground::Vote, &two_of_three, majority));
}

#[test]
fn a_referee_may_decide_in_every_mode_where_answers_differ() {
    use Finding::{Accepted, Failed, Incorrect};
    for agreement in [
        Agreement::Single,
        Agreement::Majority { replicas: 3 },
        Agreement::Unanimous,
        Agreement::Adaptive,
    ] {
        let holds = |findings: &[(u8, Finding)]| agrees_by(Ground::Referee, findings, agreement);
        assert!(holds(&[(1, Accepted), (2, Incorrect), (3, Incorrect)]));
        assert!(holds(&[(1, Incorrect), (2, Incorrect), (3, Incorrect)]));
        assert!(!holds(&[(1, Accepted), (2, Accepted)]));
        // Two who could not open what the referee could; one alone ends no job.
        assert!(holds(&[(1, Failed), (2, Failed)]));
        assert!(!holds(&[(1, Failed)]));
    }
}

#[test]
fn an_answer_that_no_device_gave_costs_nothing() {
    let (mut file, job) = (file(), job());
    let tariff = Tariff::of_job(&job).unwrap();
    for found in &mut file.verdict.replicas {
        (found.finding, found.pay) = (Finding::Incorrect, 0);
    }
    file.verdict.ground = Ground::Referee;
    file.verdict.price = tariff.price(file.verdict.answer.fuel);
    assert!(!verify_price(&file, Some(&job)).holds);
    file.verdict.price = 0;
    assert!(verify_price(&file, Some(&job)).holds);
    assert!(
        verify_agreement(
            &file,
            Some(&Job {
                submission: Submission {
                    agreement: Agreement::Unanimous,
                    ..job.submission.clone()
                },
                ..job.clone()
            })
        )
        .holds
    );
}

#[test]
fn another_program_or_class_than_the_job_s_fails() {
    let holds = |change: fn(&mut Job)| {
        let mut job = job();
        change(&mut job);
        verify_program(&file(), Some(&job)).holds
    };
    assert!(holds(|_| ()));
    assert!(!holds(|job| job.submission.program = ProgramHash([9; 32])));
    assert!(!holds(|job| job.submission.class = Class::Portable));
    assert!(!verify_program(&file(), None).holds, "no job, no program");
}

/// Whether the accounts of a good file are those of its devices, of which the chain knows some.
fn accounts_hold(known: &[(u8, u8)]) -> bool {
    let view = |(seed, account): &(u8, u8)| {
        let account = AccountId::new([*account; 32]);
        let key = SealingKey([1; 32]);
        DeviceView {
            id: DeviceKey::from_seed(&[*seed; 32]).id(),
            device: Device::new(account, key, Region::Unknown, Hardware::Unknown),
            bonded: true,
            banned: false,
            verified: false,
            quarantined: false,
        }
    };
    let known: Vec<_> = known.iter().map(view).collect();
    verify_accounts(&file(), &known).holds
}

#[test]
fn a_device_of_another_account_than_the_verdict_names_fails() {
    assert!(accounts_hold(&[(0, 0), (1, 1), (2, 2)]));
    assert!(!accounts_hold(&[(0, 0), (1, 7), (2, 2)]));
    // Devices that are retired are known no more; others are none of the verdict's.
    assert!(accounts_hold(&[(2, 2)]) && accounts_hold(&[]));
    assert!(accounts_hold(&[(9, 7)]));
}

#[test]
fn pay_that_the_batch_did_not_make_fails() {
    let pay = pay::pays(PRICE, 3, Terms::FIRST);
    let holds = |payments: &[(u8, Amount)]| {
        let payments = payments.iter();
        let payments = payments.map(|(account, amount)| (AccountId::new([*account; 32]), *amount));
        let payments: Vec<_> = payments.collect();
        verify_paid(&file(), Some(&payments)).holds
    };
    assert!(holds(&[(0, pay), (1, pay), (2, pay)]));
    // The same batch pays for other tasks, and the coordinator.
    assert!(holds(&[
        (0, 5 * pay),
        (1, pay),
        (2, pay - 1),
        (2, 1),
        (8, 1)
    ]));
    assert!(!holds(&[(0, pay), (1, pay - 1), (2, pay)]));
    assert!(!holds(&[(0, pay), (1, pay)]));
    assert!(!holds(&[(0, Amount::MAX), (0, 1), (1, pay), (2, pay)]));
    assert!(!verify_paid(&file(), None).holds, "no batch, no pay");
}

/// What a batch sets aside for these accounts.
fn pending(payouts: &[(u8, Amount)]) -> PendingBatch {
    let payouts = payouts.iter().map(|(account, amount)| Payout {
        account: AccountId::new([*account; 32]),
        amount: *amount,
    });
    PendingBatch {
        due: 25,
        coordinator: AccountId::new([9; 32]),
        certified_by: vec![0].try_into().unwrap(),
        tasks: TaskSet {
            first: 0,
            bits: vec![1].try_into().unwrap(),
        },
        payouts: payouts.collect::<Vec<_>>().try_into().unwrap(),
        devices: Default::default(),
        split: Shares::default(),
    }
}

#[test]
fn a_pending_batch_must_set_aside_what_the_verdict_names() {
    let pay = pay::pays(PRICE, 3, Terms::FIRST);
    let holds = |payouts: &[(u8, Amount)]| verify_set_aside(&file(), Some(&pending(payouts))).holds;
    assert!(holds(&[(0, pay), (1, 2 * pay), (2, pay)]));
    assert!(!holds(&[(0, pay), (1, pay), (2, pay - 1)]));
    assert!(!verify_set_aside(&file(), None).holds);
}

#[test]
fn a_struck_batch_proves_nothing() {
    let record = |state| BatchRecord {
        verdicts_root: file().verdicts_root,
        log: LogRange::default(),
        block: 0,
        head: Digest::default(),
        tasks: 2,
        spent: 2 * PRICE,
        paid: PRICE,
        settled_at: 20,
        state,
    };
    let holds = |state| verify_standing(Some(&record(state))).holds;
    assert!(holds(BatchState::Pending { due: 25 }) && holds(BatchState::Final { at: 30 }));
    assert!(!holds(BatchState::Struck { at: 30 }));
    assert!(!verify_standing(None).holds);
}

#[test]
fn a_pending_batch_is_told_with_when_it_is_due() {
    let mut checks = check_file(&file(), None);
    let more = [CheckKind::Chain, CheckKind::SetAside].map(|check| Check { check, holds: true });
    checks.extend(more.map(checked));
    let asked = Asked {
        batch_state: Some(BatchState::Pending { due: 25 }),
        ..Asked::default()
    };
    let text = verified(&file(), checks, &asked).people();
    for words in ["was to be paid", "height 25", "paid when it is final"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_the_node_knows_no_more_is_said_aloud() {
    let told = |more: &[CheckKind], discarded| {
        let mut checks = check_file(&file(), None);
        let holds = true;
        let more = more.iter().map(|check| Check {
            check: *check,
            holds,
        });
        checks.extend(more.map(checked));
        let asked = Asked {
            discarded_block: discarded,
            ..Asked::default()
        };
        verified(&file(), checks, &asked)
    };
    let whole = told(&[CheckKind::Chain, CheckKind::Paid], None);
    let text = whole.people();
    assert!(text.contains("was paid") && text.ends_with("the receipt holds"));
    let text = told(&[CheckKind::Chain], Some(7)).people();
    for words in ["was to be paid", "state of block 7", "was not checked"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn another_root_than_the_given_one_fails() {
    let file = file();
    let checks = check_file(&file, Some(Digest([7; 32])));
    let failing: Vec<_> = checks.iter().filter(|check| !check.holds).collect();
    assert_eq!(failing.len(), 1);
    assert!(failing[0].words.contains("the one you gave"));
}

#[test]
fn what_is_no_receipt_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("receipt.json");
    assert!(matches!(read(&path), Err(ReceiptError::Read { .. })));
    for text in ["", "{}", "[1]", "\u{0}"] {
        std::fs::write(&path, text).unwrap();
        assert!(
            matches!(read(&path), Err(ReceiptError::NotAReceipt { .. })),
            "{text}"
        );
    }
    std::fs::write(&path, " ".repeat(RECEIPT_FILE_BYTES_MAX as usize + 1)).unwrap();
    assert!(matches!(read(&path), Err(ReceiptError::TooLong { .. })));
}
