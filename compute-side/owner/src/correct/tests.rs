//! What is put in the place of accepted results, and what is not believed.

use super::*;
use crate::{
    collect::Collector,
    testing::{GENESIS, TASKS, prepared, text},
};
use quern_jobs_api::{ApiError, Word};
use quern_primitives::{Digest, group::Member, payload::NodeSecret};
use quern_shards::result::seal_result;
use std::{fs, future::ready, path::Path};

/// The task of which something else comes out.
const TASK: TaskIndex = 2;

fn node(number: u8) -> NodeSecret {
    NodeSecret::from_seed(&[number + 1; 32])
}

fn account(number: u8) -> AccountId {
    AccountId::new([number; 32])
}

/// Four masternodes, of which the last has no say any more.
fn group() -> Group {
    let member = |number: u8| Member {
        account: account(number),
        node: node(number).public(),
        is_out: number == 3,
    };
    Group {
        members: (0..4).map(member).collect::<Vec<_>>().try_into().unwrap(),
        turn: 0,
        since: 0,
        lane_seed: None,
    }
}

/// A job of which all results are here.
fn collected(jobs: &Path) -> (JobFolder, Corrector) {
    let folder = prepared(jobs);
    for task in 0..TASKS {
        folder.put_result(task, &text(task)).unwrap();
    }
    let corrector = corrector(&folder);
    (folder, corrector)
}

fn corrector(folder: &JobFolder) -> Corrector {
    Corrector::with(GENESIS, folder, group()).unwrap()
}

/// The word of a masternode that a task gives this.
fn word(corrector: &Corrector, by: u8, task: TaskIndex, answer: Answer) -> Word {
    let manifest = &corrector.manifest;
    let question = manifest.question(&corrector.key, task, &corrector.allowed);
    let report = RefereeReport {
        job: corrector.folder.job(),
        task,
        question: question.unwrap(),
        answer,
    };
    Word {
        node: node(by).public(),
        report: node(by).sign(report, &GENESIS),
    }
}

/// What masternodes tell of a task that they computed again, the first of whom keeps the sealed result.
fn found(corrector: &Corrector, by: &[u8], right: &[u8]) -> (Correction, Vec<u8>) {
    let manifest = &corrector.manifest;
    let shard_key = manifest.shard_key(&corrector.key, TASK).unwrap().unwrap();
    let device = DeviceId(node(by[0]).public().0);
    let context = manifest.result_context(TASK, 255, device).unwrap();
    let sealed = seal_result(&shard_key, &context, right).unwrap();
    let answer = Answer {
        result_commitment: sealed.commitment,
        result_bytes: right.len() as u64,
        fuel: 7,
        exit: Exit::Success,
    };
    let accepted = Answer { fuel: 8, ..answer };
    let words = by.iter().map(|by| word(corrector, *by, TASK, answer));
    let correction = Correction {
        task: TASK,
        accepted,
        devices: vec![DeviceId([5; 32]), DeviceId([6; 32])],
        words: words.collect(),
        result: Some(TaskResult {
            task: TASK,
            replica: 255,
            device,
            result_bytes: right.len() as u64,
            sealed_bytes: sealed.bytes.len() as u64,
            output_root: sealed.chunk_root,
            result_commitment: sealed.commitment,
        }),
    };
    (correction, sealed.bytes)
}

/// Gives a correction with the sealed result that goes with it.
async fn give(
    corrector: &mut Corrector,
    (correction, sealed): &(Correction, Vec<u8>),
) -> Result<(), NotBelieved> {
    let piece = |offset: u64| {
        let rest = sealed.get(offset as usize..).unwrap_or_default();
        ready(Ok(Blob(rest.to_vec())))
    };
    corrector.take(correction, piece).await
}

fn here(folder: &JobFolder) -> Vec<u8> {
    folder.read_result(TASK).unwrap().unwrap()
}

/// That a correction changes nothing.
async fn is_refused(
    folder: &JobFolder,
    corrector: &mut Corrector,
    told: &(Correction, Vec<u8>),
) -> NotBelieved {
    let why = give(corrector, told).await.unwrap_err();
    assert_eq!(here(folder), text(TASK), "{why}");
    assert!(!folder.replaced(TASK).exists(), "{why}");
    assert!(corrector.corrected.is_empty(), "{why}");
    why
}

#[tokio::test]
async fn the_right_result_is_put_in_the_place_of_the_accepted_one_which_is_kept() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let told = found(&corrector, &[0], b"what comes out, which is longer");
    give(&mut corrector, &told).await.unwrap();
    assert_eq!(here(&folder), b"what comes out, which is longer");
    assert_eq!(fs::read(folder.replaced(TASK)).unwrap(), text(TASK));
    let told = corrector.told();
    assert!(told.has_replaced());
    let [corrected] = &told.corrected[..] else {
        panic!("{told:?}");
    };
    let replaced = Some(folder.replaced(TASK));
    assert_eq!(corrected.outcome, Outcome::Replaced { replaced });
    assert_eq!(corrected.devices, [DeviceId([5; 32]), DeviceId([6; 32])]);
    assert_eq!(
        (&corrected.on_word_of[..], told.masternodes),
        (&[account(0)][..], 3)
    );
    // The output is put together anew, whatever the lengths.
    let collector = Collector::new(GENESIS, &folder, Some(Vec::new())).unwrap();
    let (output, _) = collector.finish().unwrap().unwrap();
    let whole = [text(0), text(1), here(&folder), text(3)].concat();
    assert_eq!(output, whole);
}

#[tokio::test]
async fn all_members_are_named_that_say_the_same_and_no_stranger_and_nobody_who_is_out() {
    let jobs = tempfile::tempdir().unwrap();
    let (_, mut corrector) = collected(jobs.path());
    let mut told = found(&corrector, &[1, 0, 1, 3, 9], b"right");
    let forged = Word {
        node: node(2).public(),
        ..told.0.words[0]
    };
    told.0.words.push(forged);
    give(&mut corrector, &told).await.unwrap();
    let by = |corrector: &Corrector| corrector.corrected[&TASK].on_word_of.clone();
    assert_eq!(by(&corrector), [account(1), account(0)]);
    // Another masternode tells of it too.
    let told = found(&corrector, &[2], b"right");
    give(&mut corrector, &told).await.unwrap();
    assert_eq!(by(&corrector), [account(1), account(0), account(2)]);
}

#[tokio::test]
async fn who_is_not_of_the_group_or_out_of_it_replaces_nothing() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    for by in [[3].as_slice(), &[9], &[9, 0]] {
        let told = found(&corrector, by, b"a lie");
        let why = is_refused(&folder, &mut corrector, &told).await;
        assert!(matches!(why, NotBelieved::NotSigned), "{why}");
    }
    let mut told = found(&corrector, &[0], b"a lie");
    told.0.words[0].node = node(1).public();
    let why = is_refused(&folder, &mut corrector, &told).await;
    assert!(matches!(why, NotBelieved::NotSigned), "{why}");
    told.0.words.clear();
    let why = is_refused(&folder, &mut corrector, &told).await;
    assert!(matches!(why, NotBelieved::NoWord), "{why}");
}

#[tokio::test]
async fn a_word_about_another_task_job_or_question_replaces_nothing() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let (right, sealed) = found(&corrector, &[0], b"a lie");
    let answer = right.words[0].report.payload.answer;
    let mut others = vec![word(&corrector, 0, 1, answer)];
    let changes: [fn(&mut RefereeReport); 2] = [
        |report| report.question = Digest([9; 32]),
        |report| report.job.0[0] ^= 1,
    ];
    for change in changes {
        let mut report = right.words[0].report.payload;
        change(&mut report);
        others.push(Word {
            node: node(0).public(),
            report: node(0).sign(report, &GENESIS),
        });
    }
    for other in others {
        let mut told = (right.clone(), sealed.clone());
        told.0.words = vec![other];
        let why = is_refused(&folder, &mut corrector, &told).await;
        assert!(matches!(why, NotBelieved::OtherQuestion), "{why}");
    }
    let mut told = (right, sealed);
    told.0.task = TASKS;
    let why = is_refused(&folder, &mut corrector, &told).await;
    assert!(matches!(why, NotBelieved::NoSuchTask), "{why}");
}

#[tokio::test]
async fn a_result_that_is_not_what_the_word_is_about_replaces_nothing() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let (right, sealed) = found(&corrector, &[0], b"right");
    let changes: [fn(&mut TaskResult); 4] = [
        |result| result.task = 1,
        |result| result.device = DeviceId([9; 32]),
        |result| result.result_bytes = u64::MAX,
        |result| result.result_commitment = Digest([9; 32]),
    ];
    for change in changes {
        let mut told = (right.clone(), sealed.clone());
        change(told.0.result.as_mut().unwrap());
        let why = is_refused(&folder, &mut corrector, &told).await;
        assert!(matches!(why, NotBelieved::OtherResult), "{why}");
    }
    let mut garbage = (right.clone(), sealed.clone());
    garbage.1[40] ^= 1;
    let why = is_refused(&folder, &mut corrector, &garbage).await;
    assert!(
        matches!(why, NotBelieved::Result(CollectError::Altered { .. })),
        "{why}"
    );
    let cut = (right.clone(), sealed[..9].to_vec());
    let why = is_refused(&folder, &mut corrector, &cut).await;
    assert!(
        matches!(why, NotBelieved::Result(CollectError::Altered { .. })),
        "{why}"
    );
    let mut huge = (right, sealed);
    if let Some(result) = &mut huge.0.result {
        result.sealed_bytes = u64::MAX;
    }
    let why = is_refused(&folder, &mut corrector, &huge).await;
    assert!(
        matches!(why, NotBelieved::Result(CollectError::Length { .. })),
        "{why}"
    );
}

#[tokio::test]
async fn a_masternode_that_refuses_the_result_replaces_nothing() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let (correction, _) = found(&corrector, &[0], b"right");
    let refusal = || RpcError::Call(ApiError::NotCorrected { task: TASK }.into());
    let why = corrector.take(&correction, |_| ready(Err(refusal()))).await;
    assert!(matches!(
        why,
        Err(NotBelieved::Result(CollectError::Api(_)))
    ));
    assert_eq!(here(&folder), text(TASK));
}

#[tokio::test]
async fn an_answer_that_differs_in_its_fuel_alone_leaves_the_result() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let told = found(&corrector, &[0], &text(TASK));
    give(&mut corrector, &told).await.unwrap();
    assert_eq!(corrector.corrected[&TASK].outcome, Outcome::Same);
    assert!(!folder.replaced(TASK).exists() && !corrector.told().has_replaced());
}

#[tokio::test]
async fn where_the_program_fails_the_accepted_result_stays_and_it_is_said() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let (mut correction, _) = found(&corrector, &[0], b"nothing");
    let answer = Answer {
        exit: Exit::Trap,
        ..correction.words[0].report.payload.answer
    };
    correction.words = vec![word(&corrector, 0, TASK, answer)];
    correction.result = None;
    give(&mut corrector, &(correction, vec![])).await.unwrap();
    let exit = Exit::Trap;
    assert_eq!(corrector.corrected[&TASK].outcome, Outcome::Fails { exit });
    assert_eq!(here(&folder), text(TASK));
}

#[tokio::test]
async fn where_the_right_result_was_not_kept_the_accepted_one_stays_and_it_is_said() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let (mut correction, _) = found(&corrector, &[0], b"right");
    correction.result = None;
    give(&mut corrector, &(correction, vec![])).await.unwrap();
    assert_eq!(corrector.corrected[&TASK].outcome, Outcome::Missing);
    assert_eq!(here(&folder), text(TASK));
}

#[tokio::test]
async fn of_masternodes_that_differ_more_are_believed_and_the_accepted_result_is_kept() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut corrector) = collected(jobs.path());
    let first = found(&corrector, &[0], b"one says this");
    give(&mut corrector, &first).await.unwrap();
    let other = found(&corrector, &[1], b"another says that");
    let why = give(&mut corrector, &other).await.unwrap_err();
    assert!(matches!(why, NotBelieved::Contradicted), "{why}");
    assert_eq!(here(&folder), b"one says this");
    let both = found(&corrector, &[1, 2], b"two say that");
    give(&mut corrector, &both).await.unwrap();
    assert_eq!(here(&folder), b"two say that");
    assert_eq!(fs::read(folder.replaced(TASK)).unwrap(), text(TASK));
}

#[tokio::test]
async fn what_was_replaced_before_a_crash_is_told_again_and_stays() {
    let jobs = tempfile::tempdir().unwrap();
    let (folder, mut before) = collected(jobs.path());
    let told = found(&before, &[0], b"right");
    give(&mut before, &told).await.unwrap();
    let mut after = corrector(&folder);
    give(&mut after, &told).await.unwrap();
    let replaced = Some(folder.replaced(TASK));
    assert_eq!(
        after.corrected[&TASK].outcome,
        Outcome::Replaced { replaced }
    );
    assert_eq!(here(&folder), b"right");
    assert_eq!(fs::read(folder.replaced(TASK)).unwrap(), text(TASK));
}

#[test]
fn the_job_s_masternodes_are_remembered_in_its_folder() {
    let jobs = tempfile::tempdir().unwrap();
    let folder = prepared(jobs.path());
    assert_eq!(folder.group().unwrap(), None);
    folder.put_group(&group()).unwrap();
    assert_eq!(folder.group().unwrap(), Some(group()));
    fs::write(folder.path().join("group"), b"x").unwrap();
    assert!(matches!(folder.group(), Err(FolderError::Damaged { .. })));
}

#[test]
fn what_was_corrected_is_told_to_programs_task_by_task() {
    let corrected = Corrected {
        task: TASK,
        outcome: Outcome::Same,
        devices: vec![DeviceId([5; 32])],
        on_word_of: vec![account(0)],
        answer: Answer {
            result_commitment: Digest([1; 32]),
            result_bytes: 2,
            fuel: 3,
            exit: Exit::Success,
        },
    };
    let refused = Refused {
        task: 1,
        told_by: account(1),
        why: NotBelieved::NoWord,
    };
    let told = Corrections {
        corrected: vec![corrected],
        not_believed: vec![refused],
        ..Corrections::default()
    };
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["corrected"][0]["task"], TASK);
    assert_eq!(json["corrected"][0]["outcome"], "same");
    assert_eq!(
        json["not_believed"][0]["why"],
        NotBelieved::NoWord.to_string()
    );
}

#[test]
fn all_members_that_have_a_say_are_asked_and_those_not_heard_are_named() {
    let jobs = tempfile::tempdir().unwrap();
    let (_, mut corrector) = collected(jobs.path());
    let now = Instant::now();
    assert_eq!(corrector.asked(now), [account(0), account(1), account(2)]);
    corrector.voices.hear(&account(0), Voice::NoMore, now);
    corrector.voices.hear(&account(1), Voice::MayCome, now);
    let refusal = voice_of(&ApiError::KeyMissing);
    corrector.voices.hear(&account(2), refusal, now);
    assert_eq!(corrector.asked(now), [account(1)]);
    let told = corrector.told();
    assert!(told.may_come, "the coordinator alone does not decide that");
    assert_eq!(told.unheard, [account(2)]);
    corrector.voices.hear(&account(1), Voice::NoMore, now);
    assert!(corrector.asked(now).is_empty() && !corrector.told().may_come);
}

#[test]
fn a_masternode_that_only_starts_is_asked_again_and_one_without_the_job_is_not() {
    for soon in [ApiError::Starting, ApiError::Busy, ApiError::Storage] {
        assert_eq!(voice_of(&soon), Voice::Silent, "{soon}");
    }
    for never in [
        ApiError::NotCoordinator,
        ApiError::KeyMissing,
        ApiError::NotOwner,
    ] {
        assert_eq!(voice_of(&never), Voice::Nothing, "{never}");
    }
}
