//! Whether what was counted is what the formulas say.
//!
//! Of several hundred rates some are beyond three standard deviations by chance. So three things have to
//! hold: a rate that is beyond is within when it is measured again; no more of them are beyond than chance
//! makes, and none so far that it would be beyond if it were alone among as many; and what knows no luck is
//! exact.

use super::{
    figures::{self, percent},
    found::Found,
};
use quern_simulation::agreement::{
    Claim, Point, Rate,
    surprise::{SIGMAS, binomial_tail, normal_tail, sigmas},
};

/// A rate that was beyond.
#[derive(Clone, Debug)]
pub(super) struct Beyond {
    pub(super) point: Point,
    pub(super) rate: Rate,
    /// By how much, in standard deviations.
    pub(super) first: Option<f64>,
    /// The same when it was measured again.
    pub(super) again: Option<f64>,
}

/// What was found of all rates together.
#[derive(Clone, Debug, Default)]
pub(super) struct Judgement {
    /// Rates in which there is luck.
    pub(super) lucky: u64,
    /// Those that were beyond.
    pub(super) beyond: Vec<Beyond>,
    /// The probability of the least likely one, on its side.
    least: f64,
    squares: f64,
    faults: Vec<String>,
}

impl Judgement {
    pub(super) fn of(found: &[Found]) -> anyhow::Result<Self> {
        let mut judgement = Self {
            least: 1.0,
            ..Self::default()
        };
        for it in found {
            for (rate, claim) in it.rates()? {
                judgement.look(it, rate, &claim);
            }
        }
        Ok(judgement)
    }

    fn look(&mut self, found: &Found, rate: Rate, claim: &Claim) {
        let (point, first) = (found.point, &found.first);
        let (sum, trials) = (first.sum(rate), first.trials);
        let expected = match claim {
            Claim::AtMost(most) => {
                let measured = first.mean(rate);
                if measured > *most {
                    let (measured, most) = (percent(measured), percent(*most));
                    self.faults
                        .push(format!("{point}: {rate} is {measured}, above {most}"));
                }
                return;
            }
            Claim::Is(expected) => expected,
        };
        let Some(z) = expected.z(sum, trials) else {
            if !expected.is_within(sum, trials) {
                let mean = expected.mean;
                self.faults.push(format!(
                    "{point}: {rate} is {sum} of {trials}, and knows no luck: {mean} each"
                ));
            }
            return;
        };
        self.lucky += 1;
        self.squares += z * z;
        self.least = self.least.min(expected.tail(sum, trials));
        if expected.is_within(sum, trials) {
            return;
        }
        let again = found.again.map(|it| (it.sum(rate), it.trials));
        let again_z = again.and_then(|(sum, trials)| expected.z(sum, trials));
        if !again.is_some_and(|(sum, trials)| expected.is_within(sum, trials)) {
            let (z, again) = (figures::z(Some(z)), figures::z(again_z));
            self.faults.push(format!(
                "{point}: {rate} is {z} standard deviations off, and {again} when measured again"
            ));
        }
        self.beyond.push(Beyond {
            point,
            rate,
            first: Some(z),
            again: again_z,
        });
    }

    /// How many rates chance alone is expected to put beyond.
    pub(super) fn beyond_by_chance(&self) -> f64 {
        self.lucky as f64 * 2.0 * normal_tail(SIGMAS)
    }

    /// How far off the least likely rate is, in standard deviations of a normal number.
    pub(super) fn farthest(&self) -> f64 {
        sigmas(self.least)
    }

    /// How far off one of so many rates may be for the same probability with which one alone is beyond.
    pub(super) fn farthest_max(&self) -> f64 {
        sigmas(normal_tail(SIGMAS) / self.lucky.max(1) as f64)
    }

    /// The root of the mean square of all rates' distances, in standard deviations.
    pub(super) fn spread(&self) -> f64 {
        (self.squares / self.lucky.max(1) as f64).sqrt()
    }

    /// What does not hold, in words.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = self.faults.clone();
        let (many, lucky) = (self.beyond.len() as u64, self.lucky);
        let chance = 2.0 * normal_tail(SIGMAS);
        let is_more = many as f64 > self.beyond_by_chance();
        if is_more && binomial_tail(many, lucky, chance) < normal_tail(SIGMAS) {
            faults.push(format!("{many} of {lucky} rates are beyond {SIGMAS} σ"));
        }
        if self.farthest() > self.farthest_max() {
            let (farthest, most) = (self.farthest(), self.farthest_max());
            faults.push(format!(
                "one rate is {farthest:.2} σ off, where {most:.2} are too many"
            ));
        }
        faults
    }
}
