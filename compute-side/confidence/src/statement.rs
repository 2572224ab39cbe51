//! What is told to an owner: a bound, and all that it assumes.

use crate::{Crowd, InputError, share};
use quern_primitives::job::Agreement;
use serde::Serialize;
use std::fmt;

/// How many accepted tasks are computed again, and how surely that finds a wrong answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReExecution {
    computed_again: f64,
    detected: f64,
}

impl ReExecution {
    /// No task is computed again.
    pub const NONE: Self = Self {
        computed_again: 0.0,
        detected: 1.0,
    };

    /// A share a of all accepted tasks, of which a wrong answer is found with probability d: 1 for
    /// programs that always give the same output.
    pub fn new(computed_again: f64, detected: f64) -> Result<Self, InputError> {
        Ok(Self {
            computed_again: share("the share that is computed again", computed_again)?,
            detected: share("the detection rate", detected)?,
        })
    }
}

/// How likely a wrong answer to a task is accepted and stays, with all that this assumes. In JSON the
/// assumptions have the letters of the formula.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Statement {
    /// How the job's answers are agreed on.
    pub agreement: Agreement,
    /// Accounts that may compute the job.
    #[serde(rename = "n")]
    pub eligible: u32,
    /// Those of them that are assumed to collude.
    #[serde(rename = "c")]
    pub colluding: u32,
    /// Replicas of a task among which the coalition must have all, or more than half of a majority's.
    #[serde(rename = "u")]
    pub replicas: u8,
    /// The share of accepted tasks that is computed again.
    #[serde(rename = "a")]
    pub computed_again: f64,
    /// With what probability that finds a wrong answer.
    #[serde(rename = "d")]
    pub detected: f64,
    /// The chance that the coalition has as many replicas of a task as make its answer the accepted one.
    pub wrong: f64,
    /// The chance that such an answer stays: `wrong (1 - a d)`.
    pub wrong_and_final: f64,
}

impl Statement {
    /// What can be said of a job whose tasks are computed by this crowd.
    ///
    /// Of an adaptive job it is what the longest record makes it, one replica; a device whose record is
    /// shorter is believed less often, see [`Crowd::believed`].
    pub fn new(
        agreement: Agreement,
        crowd: Crowd,
        re_execution: ReExecution,
    ) -> Result<Self, InputError> {
        let replicas = agreement.replicas();
        let eligible = crowd.eligible();
        if u32::from(replicas) > eligible {
            return Err(InputError::TooFewEligible { replicas, eligible });
        }
        let wrong = match agreement {
            Agreement::Majority { replicas } => crowd.outvoted(replicas)?,
            Agreement::Single | Agreement::Unanimous | Agreement::Adaptive => {
                crowd.all_colluding(replicas)?
            }
        };
        let ReExecution {
            computed_again,
            detected,
        } = re_execution;
        Ok(Self {
            agreement,
            eligible,
            colluding: crowd.colluding(),
            replicas,
            computed_again,
            detected,
            wrong,
            wrong_and_final: wrong * (1.0 - computed_again * detected),
        })
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            eligible,
            colluding,
            replicas,
            ..
        } = self;
        write!(
            f,
            "a wrong answer to a task is accepted and stays with a probability of {} at the most, assuming that\n  \
             – {colluding} of the {eligible} accounts that may compute it collude (c = {colluding}, n = {eligible}), and ",
            percent(self.wrong_and_final)
        )?;
        match self.agreement {
            Agreement::Single => write!(f, "its one replica is theirs (u = 1)")?,
            Agreement::Majority { .. } => write!(
                f,
                "more than half of its {replicas} replicas are theirs (u = {})",
                replicas / 2 + 1
            )?,
            Agreement::Unanimous => write!(f, "both of its replicas are theirs (u = 2)")?,
            Agreement::Adaptive => write!(
                f,
                "its one replica is theirs, on a device whose record is so long that it is believed alone (u = 1)"
            )?,
        }
        // Were a split voted, two liars of three would win.
        if let Agreement::Unanimous | Agreement::Adaptive = self.agreement {
            write!(f, "\n  – a referee decides where answers differ")?;
        }
        write!(
            f,
            "\n  – re-execution is {} (a), and finds a wrong answer with {} (d)",
            percent(self.computed_again),
            percent(self.detected)
        )?;
        // Nobody else draws and computes them.
        if self.computed_again > 0.0 {
            write!(
                f,
                "\n  – who coordinates the job computes again what is drawn of it and tells what comes out, or, in a \
                 group of several, the one other masternode does that the task falls to"
            )?;
        }
        Ok(())
    }
}

/// A probability in percent, with three digits that count.
pub(crate) fn percent(probability: f64) -> String {
    let value = probability * 100.0;
    if value == 0.0 {
        return "0 %".into();
    }
    // The place of the first digit that counts.
    let place = libm::floor(libm::log10(value));
    if place < -6.0 {
        return format!("{value:.2e} %");
    }
    let decimals = (2.0 - place).clamp(0.0, 8.0) as usize;
    let written = format!("{value:.decimals$}");
    let short = match written.contains('.') {
        true => written.trim_end_matches('0').trim_end_matches('.'),
        false => &written,
    };
    format!("{short} %")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const THREE: Agreement = Agreement::Majority { replicas: 3 };

    fn of(agreement: Agreement, n: u32, c: u32) -> Statement {
        let crowd = Crowd::new(n, c).unwrap();
        Statement::new(agreement, crowd, ReExecution::NONE).unwrap()
    }

    #[test]
    fn two_that_must_agree_are_seldomer_wrong_than_a_majority_of_three() {
        let (many, tenth) = (1_000_000, 100_000);
        let three = of(THREE, many, tenth).wrong_and_final;
        let two = of(Agreement::Unanimous, many, tenth).wrong_and_final;
        assert!((three - 0.028).abs() < 1e-6 && (two - 0.01).abs() < 1e-6);
        for agreement in [Agreement::Single, Agreement::Adaptive] {
            assert_eq!(of(agreement, many, tenth).wrong_and_final, 0.1);
        }
    }

    #[test]
    fn what_is_computed_again_and_found_does_not_stay() {
        let crowd = Crowd::new(100, 10).unwrap();
        let with = |a, d| {
            let again = ReExecution::new(a, d).unwrap();
            Statement::new(Agreement::Unanimous, crowd, again).unwrap()
        };
        let bare = with(0.0, 1.0);
        assert_eq!(bare.wrong_and_final, bare.wrong);
        assert!((with(0.2, 0.5).wrong_and_final - 0.9 * bare.wrong).abs() < 1e-15);
        assert_eq!(with(1.0, 1.0).wrong_and_final, 0.0);
        let provision = "who coordinates the job computes again what is drawn";
        let others = "the one other masternode does that the task falls to";
        for word in [provision, others] {
            assert!(with(0.2, 0.5).to_string().contains(word), "{word}");
        }
        assert!(!bare.to_string().contains(provision));
        assert!(ReExecution::new(1.1, 1.0).is_err() && ReExecution::new(0.1, -0.1).is_err());
    }

    #[test]
    fn a_statement_names_all_that_it_assumes() {
        let text = of(Agreement::Unanimous, 100, 10).to_string();
        for part in [
            "0.909 % at the most",
            "10 of the 100 accounts",
            "c = 10, n = 100",
            "both of its replicas",
            "u = 2",
            "– a referee decides where answers differ",
            "re-execution is 0 % (a)",
            "100 % (d)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for counted in [Agreement::Single, THREE] {
            let text = of(counted, 100, 10).to_string();
            assert!(!text.contains("referee"), "nobody asks one: {text}");
        }
        let text = of(THREE, 1_000_000, 100_000).to_string();
        assert!(
            text.contains("2.8 %") && text.contains("half of its 3") && text.contains("(u = 2)"),
            "{text}"
        );
        assert!(of(Agreement::Single, 4, 1).to_string().contains("25 %"));
        assert!(of(Agreement::Adaptive, 4, 1).to_string().contains("record"));
        // One of four cannot have two replicas.
        assert!(
            of(Agreement::Unanimous, 4, 1)
                .to_string()
                .contains("of 0 % at")
        );
    }

    #[test]
    fn programs_read_the_letters_of_the_formula() {
        let told = serde_json::to_value(of(Agreement::Unanimous, 100, 10)).unwrap();
        assert_eq!(told["agreement"], "unanimous");
        let letters = ["n", "c", "u", "a", "d"].map(|letter| told[letter].clone());
        assert_eq!(
            letters,
            [json!(100), json!(10), json!(2), json!(0.0), json!(1.0)]
        );
        assert_eq!(told["wrong"], told["wrong_and_final"]);
        let told = serde_json::to_value(of(THREE, 100, 10)).unwrap();
        assert_eq!(told["agreement"]["majority"]["replicas"], 3);
    }

    #[test]
    fn nothing_is_said_where_there_are_too_few_accounts() {
        let crowd = Crowd::new(1, 1).unwrap();
        let error = Statement::new(Agreement::Unanimous, crowd, ReExecution::NONE).unwrap_err();
        let words = "2 are needed, and 1 may compute";
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn three_digits_count() {
        for (probability, words) in [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.5, "50 %"),
            (0.028, "2.8 %"),
            (1.0 / 110.0, "0.909 %"),
            (0.000_001_234_5, "0.000123 %"),
            (1.5e-12, "1.50e-10 %"),
        ] {
            assert_eq!(percent(probability), words);
        }
    }

    proptest! {
        #[test]
        fn more_that_is_computed_again_never_makes_a_job_less_certain(
            n in 15u32..10_000, part in 0.0..1.0f64, a in 0.0..1.0f64, more in 0.0..1.0f64,
            d in 0.0..1.0f64,
        ) {
            let crowd = Crowd::new(n, (f64::from(n) * part) as u32).unwrap();
            for agreement in [Agreement::Single, THREE, Agreement::Unanimous, Agreement::Adaptive] {
                let at = |a: f64| {
                    let again = ReExecution::new(a.min(1.0), d).unwrap();
                    Statement::new(agreement, crowd, again).unwrap()
                };
                let (less, more) = (at(a), at(a + more));
                prop_assert!(more.wrong_and_final <= less.wrong_and_final);
                prop_assert!(less.wrong_and_final <= less.wrong);
                prop_assert!(!less.to_string().is_empty());
            }
        }
    }
}
