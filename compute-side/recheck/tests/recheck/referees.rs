//! Jobs that ask for three referees: what enough of them say is the truth, and nothing else is.

use crate::{
    author::{Story, story},
    world::{HERE, follow, node, referee, successor},
};
use quern_joblog::{Entry, RefereeWord};
use quern_primitives::{
    job::{Agreement, Referees},
    log::{RefereeReport, RefereeStatement},
    payload::NodeSecret,
};
use quern_recheck::{Dispute, RecheckFault, RefereeFault};

const TASKS: u32 = 6;

fn says(by: &NodeSecret, report: RefereeReport) -> RefereeStatement {
    RefereeStatement {
        report: by.sign(report, &HERE),
        node: by.public(),
    }
}

fn several(statements: &[RefereeStatement]) -> RefereeWord {
    RefereeWord::Several {
        statements: statements.to_vec().try_into().unwrap(),
    }
}

/// The word of both masternodes that do not write the log.
fn both(report: RefereeReport) -> RefereeWord {
    several(&[says(&referee(), report), says(&successor(), report)])
}

/// A story in which one referee decides at least once.
fn refereed() -> Story {
    let mut stories = (0..).map(|seed| story(Agreement::Unanimous, TASKS, seed));
    let is_one = |story: &Story| !words(story).is_empty();
    stories.find(is_one).unwrap()
}

/// The places at which one referee decides.
fn words(story: &Story) -> Vec<usize> {
    let is_one = |(place, entry): (usize, &Entry)| match entry {
        Entry::Refereed {
            word: RefereeWord::Computed { .. },
            ..
        } => Some(place),
        _ => None,
    };
    story
        .entries
        .iter()
        .enumerate()
        .filter_map(is_one)
        .collect()
}

/// Has each word of one referee said otherwise.
fn with(story: &Story, change: impl Fn(RefereeReport) -> RefereeWord) -> Story {
    let mut changed = story.clone();
    for place in words(story) {
        if let Entry::Refereed { word, .. } = &mut changed.entries[place] {
            let truth = word.truth().unwrap();
            *word = change(truth.report.payload);
        }
    }
    changed
}

/// The same story of a job that asks for three.
fn asking_for_three(story: &Story) -> Story {
    let mut asking = story.clone();
    asking.facts.job.submission.referees = Referees::Three;
    asking
}

fn refused(story: &Story) -> RefereeFault {
    let fault = follow(&story.facts, &story.entries, 6).unwrap_err();
    assert_eq!(fault.dispute(), Some(Dispute::Unbacked));
    match fault {
        RecheckFault::Referee { position, why, .. } => {
            assert_eq!(position, words(&refereed())[0] as u64);
            why
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_two_referees_sign_is_the_truth_where_a_job_asks_for_three() {
    let mut asked = 0;
    for seed in 0..30 {
        let story = story(Agreement::Unanimous, TASKS, seed);
        asked += words(&story).len();
        let of_three = with(&asking_for_three(&story), both);
        let followed = follow(&of_three.facts, &of_three.entries, 6).unwrap();
        for batch in &story.batches {
            assert!(followed.batch(batch).is_ok());
        }
    }
    assert!(asked > 10, "{asked}");
}

#[test]
fn the_word_of_one_is_enough_only_where_there_is_one_other_or_one_is_asked_for() {
    let story = refereed();
    let mut three = asking_for_three(&story);
    assert_eq!(refused(&three), RefereeFault::Number);
    for others in [0, 1] {
        three.facts.others = others;
        assert!(follow(&three.facts, &three.entries, 6).is_ok());
        let several = with(&three, both);
        assert_eq!(refused(&several), RefereeFault::Number);
    }
    assert_eq!(refused(&with(&story, both)), RefereeFault::Number);
}

#[test]
fn that_none_can_be_had_may_be_said_in_every_job() {
    for asking in [refereed(), asking_for_three(&refereed())] {
        let without = with(&asking, |_| RefereeWord::None);
        let fault = follow(&without.facts, &without.entries, 6).unwrap_err();
        // It holds, and only the verdict behind it does not follow any more.
        assert!(matches!(fault, RecheckFault::Verdict { .. }), "{fault}");
    }
}

#[test]
fn of_several_referees_each_signs_for_itself_and_none_is_named_twice_or_writes_the_log() {
    let three = asking_for_three(&refereed());
    let refused = |change: &dyn Fn(RefereeReport) -> Vec<RefereeStatement>| {
        refused(&with(&three, |report| several(&change(report))))
    };
    let (one, other, stranger) = (referee(), successor(), NodeSecret::from_seed(&[77; 32]));
    let twice = refused(&|report| vec![says(&one, report), says(&one, report)]);
    assert_eq!(twice, RefereeFault::Twice);
    for nobody in [node(), stranger] {
        let why = refused(&|report| vec![says(&one, report), says(&nobody, report)]);
        assert_eq!(why, RefereeFault::NoReferee);
    }
    let forged = refused(&|report| {
        let mut forged = says(&other, report);
        forged.node = one.public();
        vec![says(&other, report), forged]
    });
    assert_eq!(forged, RefereeFault::Signature);
    let elsewhere = refused(&|report| {
        let mut elsewhere = report;
        elsewhere.task += 1;
        vec![says(&one, report), says(&other, elsewhere)]
    });
    assert_eq!(elsewhere, RefereeFault::Other);
}

#[test]
fn where_no_two_referees_say_the_same_none_is_believed() {
    let three = asking_for_three(&refereed());
    let unlike = |report: RefereeReport| {
        let mut unlike = report;
        unlike.answer.fuel += 1;
        several(&[says(&referee(), report), says(&successor(), unlike)])
    };
    assert_eq!(refused(&with(&three, unlike)), RefereeFault::Split);
    let alone = |report: RefereeReport| several(&[says(&referee(), report)]);
    assert_eq!(refused(&with(&three, alone)), RefereeFault::Split);
    let nobody = |_: RefereeReport| several(&[]);
    assert_eq!(refused(&with(&three, nobody)), RefereeFault::Split);
}
