//! How certain a job's answers are, as its owner is told.

use crate::grid::live::{self, LiveGrid};
use clap::Args;
use quern_confidence::{Bound, Crowd, InputError, ReExecution, Statement};
use quern_jobs_api::Asking;
use quern_ledger::{Chain, ChainError};
use quern_owner::Masternodes;
use quern_primitives::{
    JobId,
    job::{Agreement, Referees},
};

/// What is assumed of those who compute.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct AssumedArgs {
    /// How many of the accounts that may compute the job are assumed to collude, where it is said how
    /// likely a wrong answer is [default: a tenth, rounded up]
    #[arg(long, value_name = "N")]
    pub(crate) colluders: Option<u32>,
}

/// Nothing can be said of a job's answers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnknownCrowdError {
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What is assumed cannot be.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// What can be said where the job is computed by one of these grids, at worst. So many of a thousand settled tasks
/// are computed again: what is found to be wrong so stays paid, but its owner gets what comes out. Programs always
/// give the same output here, so nothing is missed.
pub(crate) fn at_worst(
    agreement: Agreement,
    re_execution_permille: u16,
    grids: &[LiveGrid],
    assumed: AssumedArgs,
) -> Result<Option<Statement>, InputError> {
    let again = ReExecution::new(f64::from(re_execution_permille) / 1_000.0, 1.0)?;
    let accounts = grids.iter().map(|grid| grid.matching.accounts);
    // Who has nobody for the job computes nothing of it.
    let crowds = accounts.filter(|accounts| *accounts > 0).map(|accounts| {
        match assumed.colluders {
            // Of fewer accounts than are assumed to collude all do.
            Some(colluders) => Crowd::new(accounts, colluders.min(accounts)),
            None => Crowd::assumed(accounts),
        }
    });
    let crowds = crowds.collect::<Result<Vec<_>, _>>()?;
    quern_confidence::at_worst(agreement, crowds, again)
}

/// What can be said of a job that the chain has, by the accounts that may compute it now. None if the
/// chain does not know the job, or no masternode has devices of enough accounts for it.
pub(crate) async fn of_job(
    chain: &Chain,
    job: JobId,
    assumed: AssumedArgs,
) -> Result<Option<Statement>, UnknownCrowdError> {
    let state = chain.at_finalised().await?;
    let Some(known) = state.job(job).await? else {
        return Ok(None);
    };
    let submission = known.submission;
    let asking = Asking {
        preferences: submission.preferences,
        class: submission.class,
        agreement: submission.agreement,
        // Whose bond is too small for what a task costs now may have had one that was not.
        task: 0,
        memory_bytes: submission.memory_bytes_max,
        terms: known.terms,
    };
    let asked = live::ask(Masternodes::of(&state).await?, asking).await;
    let permille = known.terms.re_execution_permille;
    Ok(at_worst(
        submission.agreement,
        permille,
        &asked.grids,
        assumed,
    )?)
}

/// What is said, in words.
pub(crate) fn in_words(said: Option<&Statement>) -> String {
    said.map_or_else(
        || {
            "how likely a wrong answer is cannot be said: no masternode tells of enough accounts that may compute it"
                .into()
        },
        Statement::to_string,
    )
}

/// Whether a bound that the owner asked for is kept, by what is said now; in words.
pub(crate) fn bound_in_words(asked: Bound, said: Option<&Statement>) -> String {
    let start =
        format!("you asked for a wrong and final answer with a probability of {asked} at the most");
    match said {
        Some(said) if asked.is_kept_by(said) => {
            format!("{start}: by the accounts of now that is kept")
        }
        Some(_) => format!("! {start}: with the accounts of now that would not be kept"),
        None => format!("{start}: whether that is kept cannot be said now"),
    }
}

/// How a task's devices agree.
pub(crate) fn agreement_in_words(agreement: Agreement) -> String {
    match agreement {
        Agreement::Single => "one device each, which is believed".into(),
        Agreement::Majority { replicas } => format!(
            "{replicas} devices each, of which {} must agree",
            agreement.quorum()
        ),
        Agreement::Unanimous => {
            "2 devices each, which must agree; where they differ a referee computes the task".into()
        }
        Agreement::Adaptive => {
            "one device each, and a second that must agree with it unless the first one's record is long enough; where they differ a referee computes the task"
                .into()
        }
    }
}

/// When masternodes compute a task themselves, and how many do.
pub(crate) fn referees_in_words(agreement: Agreement, referees: Referees) -> String {
    let when = match agreement {
        Agreement::Unanimous | Agreement::Adaptive => "where devices differ",
        // These count answers; what ends the job is believed of no device.
        Agreement::Single | Agreement::Majority { .. } => "where the program is said to fail",
    };
    let who = match referees {
        Referees::One => "one masternode computes the task",
        Referees::Three => {
            "three masternodes of the job's group compute the task, or as many as it has, and two of them must say the same"
        }
    };
    format!("{when}, {who}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::grid::live::tests::grid;

    const THREE: Agreement = Agreement::Majority { replicas: 3 };

    fn with(accounts: u32) -> LiveGrid {
        grid("ws://here", accounts, &[])
    }

    fn said(agreement: Agreement, accounts: &[u32], colluders: Option<u32>) -> Option<Statement> {
        let grids: Vec<_> = accounts.iter().copied().map(with).collect();
        at_worst(agreement, 0, &grids, AssumedArgs { colluders }).unwrap()
    }

    #[test]
    fn a_tenth_of_the_accounts_is_assumed_to_collude_unless_it_is_said_otherwise() {
        let assumed = said(Agreement::Unanimous, &[100], None).unwrap();
        assert_eq!((assumed.eligible, assumed.colluding), (100, 10));
        let told = said(Agreement::Unanimous, &[100], Some(30)).unwrap();
        assert_eq!(told.colluding, 30);
        assert!(told.wrong > assumed.wrong);
        // More than there are is all of them.
        let all = said(Agreement::Unanimous, &[4], Some(30)).unwrap();
        assert_eq!((all.colluding, all.wrong), (4, 1.0));
    }

    #[test]
    fn of_several_grids_the_worst_that_could_compute_it_counts() {
        let worst = said(Agreement::Unanimous, &[1_000, 1, 100, 0], Some(10)).unwrap();
        assert_eq!(worst.eligible, 100);
        assert_eq!(said(THREE, &[2, 0], None), None);
        assert_eq!(said(Agreement::Adaptive, &[1], None), None);
        assert_eq!(said(Agreement::Single, &[1], None).unwrap().wrong, 1.0);
        assert_eq!(said(Agreement::Unanimous, &[], None), None);
    }

    #[test]
    fn of_what_is_computed_again_no_wrong_answer_stays_with_who_fetches_the_result() {
        let at = |permille| {
            let said = at_worst(
                Agreement::Unanimous,
                permille,
                &[with(100)],
                AssumedArgs::default(),
            );
            said.unwrap().unwrap()
        };
        let (none, tenth) = (at(0), at(100));
        assert_eq!((tenth.computed_again, tenth.detected), (0.1, 1.0));
        assert!((tenth.wrong_and_final - 0.9 * none.wrong).abs() < 1e-12);
        let words = in_words(Some(&tenth));
        assert!(words.contains("re-execution is 10 %"), "{words}");
        assert!(words.contains("tells what comes out"), "{words}");
    }

    #[test]
    fn that_nothing_is_computed_again_is_said() {
        let words = in_words(said(Agreement::Unanimous, &[100], None).as_ref());
        assert!(words.contains("re-execution is 0 %"), "{words}");
        assert!(in_words(None).contains("cannot be said"));
    }

    #[test]
    fn whether_a_bound_is_kept_is_said_by_the_accounts_of_now() {
        let asked = Bound::new(0.01).unwrap();
        let words = |accounts: &[u32]| {
            bound_in_words(
                asked,
                said(Agreement::Unanimous, accounts, Some(10)).as_ref(),
            )
        };
        assert!(words(&[100]).ends_with("of 1 % at the most: by the accounts of now that is kept"));
        let broken = words(&[100, 50]);
        assert!(broken.starts_with('!') && broken.contains("would not be kept"));
        assert!(words(&[]).contains("cannot be said now"));
    }

    #[test]
    fn how_devices_agree_is_told_in_words() {
        assert_eq!(
            agreement_in_words(THREE),
            "3 devices each, of which 2 must agree"
        );
        let unanimous = agreement_in_words(Agreement::Unanimous);
        assert!(unanimous.contains("2 devices") && unanimous.contains("referee"));
        assert!(agreement_in_words(Agreement::Single).contains("believed"));
        assert!(agreement_in_words(Agreement::Adaptive).contains("record"));
    }
}
