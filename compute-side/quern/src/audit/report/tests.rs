use super::*;
use crate::audit::facts::Gathered;
use quern_dispute_rules::{Evidence, Refusal, evidence::BatchName};
use quern_joblog::{Entry, LogBuilder, SignedBlock};
use quern_light::{BlockHash, Way};
use quern_primitives::payload::NodeSecret;
use quern_primitives::{
    AccountId, Digest, ProgramHash,
    batch::LogRange,
    device::Class,
    ids::{DeviceId, SealingKey},
    job::{Agreement, ByteLevel, Job, JobEnd, JobState, Preferences, Referees, Submission},
    params::Terms,
};
use quern_recheck::{ChainFacts as _, Part, SumOf, Unfiled};

const JOB: JobId = JobId([3; 32]);

fn job() -> Job {
    let submission = Submission {
        salt: [7; 16],
        program: ProgramHash([8; 32]),
        manifest: Digest([9; 32]),
        shards_root: Digest([10; 32]),
        key_commitment: Digest([10; 32]),
        tasks: 4,
        input_bytes: 1_000,
        fuel_per_task_max: 1_000,
        memory_bytes_max: 1_000,
        result_bytes_max: 1_000,
        agreement: Agreement::Unanimous,
        referees: Referees::One,
        class: Class::Portable,
        preferences: Preferences::default(),
        level: ByteLevel::Balanced,
        deadline: 1_000,
        price_max: 1_000,
        owner_sealing_key: SealingKey([11; 32]),
    };
    Job {
        owner: AccountId::new([12; 32]),
        submission,
        prices: quern_job_rules::pay::PRICES_AT_GENESIS,
        terms: Terms::FIRST,
        submitted_at: 1,
        state: JobState::Completed {
            end: JobEnd::AllSettled,
        },
        escrow: Escrow::default(),
        settled_tasks: 0,
        next_batch: 1,
        pending_batches: 1,
    }
}

fn settled() -> OnChain {
    let record = BatchRecord {
        verdicts_root: Digest([1; 32]),
        log: LogRange { first: 0, last: 40 },
        block: 2,
        head: Digest([2; 32]),
        tasks: 4,
        spent: 10,
        paid: 7,
        settled_at: 5,
        state: BatchState::Pending { due: 9 },
    };
    OnChain {
        job: job(),
        batches: [(0, record)].into(),
        kept: [].into(),
    }
}

fn report() -> JobReport {
    let shown = Shown {
        block: 30,
        hash: BlockHash([5; 32]),
        by: Way::Header { behind: 0 },
    };
    let log = Log {
        coordinator: AccountId::new([4; 32]),
        from: "the file log".into(),
        blocks: 3,
        entries: 41,
        verdicts: 4,
        given_in: [(1, 2), (4, 3), (32, 20)].into(),
    };
    let genesis = GenesisHash([6; 32]);
    JobReport::new(
        JOB,
        shown,
        genesis,
        &settled(),
        vec![log],
        Findings::default(),
    )
}

fn unlike() -> Difference {
    Difference::Batch {
        sequence: 0,
        position: 40,
        part: Part::Spent,
        log: "9".into(),
        chain: "10".into(),
    }
}

fn payouts() -> Filing {
    let batch = BatchName {
        job: JOB,
        sequence: 0,
    };
    Filing::Can {
        evidence: Box::new(Evidence::Payouts { batch }),
        verdicts: vec![vec![1, 2]],
    }
}

#[test]
fn a_job_without_differences_is_said_to_hold_and_how_it_was_proven() {
    let mut report = report();
    report.findings.re_executed = vec![1, 3];
    report.findings.not_re_executed = vec!["task 2 takes too long here".into()];
    report.findings.left_out = vec!["the weather".into()];
    let text = report.people();
    assert!(text.contains("3 blocks, 41 entries, 4 verdicts"), "{text}");
    assert!(
        text.contains("20 in 32 lanes, 3 in 4 lanes, 2 to all"),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["logs"][0]["given_in"]["32"], 20);
    assert!(text.contains("0 final, 1 pending, 0 struck"), "{text}");
    let again = "computed again: 2 of 4 tasks, number 1, 3";
    assert!(text.contains(again), "{text}");
    assert!(
        text.contains("give these results: task 2 takes too long here"),
        "{text}"
    );
    assert!(text.contains("– not checked: the weather"), "{text}");
    assert!(text.contains("✓ block 30"), "{text}");
    let pays = "the chain pays what follows once its batches are final";
    assert!(text.ends_with(pays), "{text}");
    report.batches = Counts {
        pending: 0,
        made_final: 1,
        struck: 0,
    };
    let text = report.people();
    assert!(text.ends_with("the chain paid what follows"), "{text}");
}

#[test]
fn a_job_whose_logs_do_not_tell_of_all_batches_is_not_said_to_hold() {
    let code = |report: &JobReport| format!("{:?}", report.exit_code());
    let mut report = report();
    assert_eq!(code(&report), format!("{:?}", ExitCode::SUCCESS));
    report.findings.untold = vec![2, 3];
    let text = report.people();
    let said = "– no log that can be had tells of batches 2, 3";
    assert!(text.contains(said), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("not all is told"), "{last}");
    let unchecked = ExitCode::from(crate::EXIT_UNCHECKED);
    assert_eq!(code(&report), format!("{unchecked:?}"));
    report.tell(&unlike(), &settled(), &payouts());
    assert_eq!(code(&report), format!("{:?}", ExitCode::FAILURE));
}

#[test]
fn what_differs_is_told_though_a_dispute_of_it_could_not_be_begun() {
    let mut report = report();
    report.tell(&unlike(), &settled(), &payouts());
    report.difference_count = 1;
    let why = anyhow::anyhow!("the account has nothing").context("no dispute was begun");
    report.could_not_dispute(&why);
    let text = report.people();
    assert!(text.contains("✗ batch_spent"), "{text}");
    let said = "not all that can be disputed is: no dispute was begun: the account has nothing";
    assert!(text.contains(said), "{text}");
    assert!(text.ends_with("does NOT hold, differences: 1"), "{text}");
}

#[test]
fn a_difference_is_told_with_its_entries_and_whether_it_can_be_disputed() {
    let mut report = report();
    let settled = settled();
    report.tell(&unlike(), &settled, &payouts());
    let sum = Difference::Sum {
        of: SumOf::Paid,
        batches: 1,
        chain: 2,
    };
    report.tell(&sum, &settled, &Filing::Cannot(Unfiled::NoBatch));
    report.difference_count = 2;
    assert!(!report.holds);
    report.differences[0].ruled(Ok(()));
    let text = report.people();
    assert!(
        text.contains("✗ batch_spent: the spending of batch 0: 9 by the log, 10 on the chain"),
        "{text}"
    );
    assert!(text.contains("entries of the log: 40"), "{text}");
    assert!(
        text.contains("it can be disputed: --evidence DIR"),
        "{text}"
    );
    assert!(
        text.contains("it cannot be disputed: it concerns no batch"),
        "{text}"
    );
    assert!(text.ends_with("does NOT hold, differences: 2"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    let told = &json["differences"][0];
    assert_eq!(told["code"], "batch_spent");
    assert_eq!(told["disputable"], true);
    assert_eq!(told["evidence"]["job"], JOB.to_string());
    assert_eq!(told["evidence"]["batch"], 0);
    assert_eq!(json["differences"][1]["evidence"], serde_json::Value::Null);
    assert_eq!(json["holds"], false);
    assert_eq!(json["batches"]["pending"], 1);
}

#[test]
fn nothing_is_said_to_be_disputable_before_the_courts_rules_were_asked() {
    let mut report = report();
    report.tell(&unlike(), &settled(), &payouts());
    let told = |report: &JobReport| serde_json::to_value(report).unwrap()["differences"][0].clone();
    assert_eq!(told(&report)["disputable"], false);
    assert!(!report.people().contains("it can be disputed"));

    report.differences[0].could_not_ask(&anyhow::anyhow!("the node is away"));
    assert_eq!(told(&report)["disputable"], false);
    assert_eq!(told(&report)["unasked"], "the node is away");
    let text = report.people();
    let said = "whether the chain would take it could not be asked: the node is away";
    assert!(text.contains(said), "{text}");
    assert!(text.contains("--evidence DIR writes what is shown"));
    assert!(!text.contains("disputed:"), "{text}");

    report.differences[0].ruled(Ok(()));
    assert_eq!(told(&report)["disputable"], true);
    assert_eq!(told(&report)["unasked"], serde_json::Value::Null);
    assert!(report.people().contains("it can be disputed: --evidence"));
}

#[test]
fn what_the_court_would_refuse_or_find_unfounded_is_not_said_to_be_disputable() {
    let refused = Losing::Refused(Refusal::NotPending);
    for losing in [Losing::Unfounded, Losing::NotOpen, refused] {
        let mut report = report();
        report.tell(&unlike(), &settled(), &payouts());
        report.differences[0].ruled(Err(losing));
        let told = serde_json::to_value(&report).unwrap()["differences"][0].clone();
        assert_eq!(told["disputable"], false);
        assert_eq!(told["why_not"], losing.to_string());
        let text = report.people();
        let said = format!("it cannot be disputed: {losing}");
        assert!(text.contains(&said), "{text}");
    }
}

#[test]
fn evidence_is_written_for_what_can_be_disputed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("evidence");
    let mut report = report();
    let settled = settled();
    report.tell(&unlike(), &settled, &Filing::Cannot(Unfiled::Final));
    for _ in 0..3 {
        report.tell(&unlike(), &settled, &payouts());
    }
    report.differences[1].ruled(Err(Losing::Unfounded));
    report.differences[2].ruled(Ok(()));
    report.differences[3].could_not_ask(&anyhow::anyhow!("the node is away"));
    report.write_evidence(&into).unwrap();
    // What could not be asked now can be asked with the file.
    let files: Vec<_> = fs::read_dir(&into).unwrap().collect();
    assert_eq!(files.len(), 2);
    let text = report.people();
    assert!(text.contains("it can be disputed: quern dispute file "));
    assert!(text.contains("what is shown is in "), "{text}");
    let path = report.differences[2].file.clone().unwrap();
    let file = EvidenceFile::read(&path, GenesisHash([6; 32])).unwrap();
    assert!(matches!(file.evidence(), Ok(Evidence::Payouts { .. })));
    assert_eq!(file.steps().unwrap().len(), 1);
}

/// A block in which replicas are given for these engines.
fn given_for(engines: &[Digest]) -> SignedBlock {
    let mut log = LogBuilder::new(GenesisHash([1; 32]), JOB, NodeSecret::from_seed(&[3; 32]));
    for (task, engine) in (0..).zip(engines) {
        let entry = Entry::Assigned {
            task,
            replica: 0,
            device: DeviceId([4; 32]),
            account: AccountId::new([5; 32]),
            engine: *engine,
            at: 1,
            lanes: 1,
        };
        log.append(entry, 5).unwrap();
    }
    log.cut(5).unwrap()
}

#[test]
fn another_engine_than_this_program_s_is_no_fault_of_a_log_and_is_told() {
    let class = Class::Portable;
    let (own, other) = (Digest(quern_sandbox::engine_digest(class)), Digest([7; 32]));
    let facts = Gathered::new(GenesisHash([1; 32]), JOB, job(), 9);
    assert_eq!(facts.engine(class), own);
    facts.look_at_engine(&given_for(&[own, own]));
    assert!(facts.elsewhere().is_empty());
    // Within a block there is one, and it is that of the first.
    facts.look_at_engine(&given_for(&[other, own, other]));
    assert_eq!(facts.engine(class), other);
    assert_eq!(facts.elsewhere(), [(other, 2)].into());
    facts.look_at_engine(&given_for(&[own]));
    assert_eq!(facts.engine(class), own);
    let mut findings = Findings::default();
    findings.of_engines(&facts.elsewhere());
    let [said] = &findings.left_out[..] else {
        panic!("{:?}", findings.left_out);
    };
    assert!(said.contains(&other.to_string()), "{said}");
    assert!(said.contains("2 replicas were given"), "{said}");
}
