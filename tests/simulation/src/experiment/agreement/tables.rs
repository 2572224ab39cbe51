//! What was counted, in words and tables.

use super::{
    AgreementArgs, TABLE,
    figures::{percent, z},
    found::Found,
    judgement::Judgement,
    picture::RE_EXECUTED_PERMILLE,
};
use crate::experiment::thousands;
use anyhow::Context as _;
use quern_simulation::agreement::{
    ACCOUNTS, Claim, LIES_MAX, Point, Policy, Rate, Setting, brings, sizes, surprise::SIGMAS,
};

/// All of the page's region.
pub(super) fn all(
    args: &AgreementArgs,
    found: &[Found],
    judgement: &Judgement,
) -> anyhow::Result<String> {
    let tables = Tables { found };
    let mut text = summary(args, found, judgement);
    text.push_str(&tables.policies()?);
    text.push_str(&tables.honest()?);
    text.push_str(&tables.betrayals()?);
    text.push_str(&format!(
        "All that was counted is in [{TABLE}]({TABLE}), with 0, 1 and 10 % computed again.\n"
    ));
    Ok(text)
}

fn summary(args: &AgreementArgs, found: &[Found], judgement: &Judgement) -> String {
    let (tasks, seed, lucky) = (thousands(args.tasks), args.seed, judgement.lucky);
    let mut text = format!(
        "{} points of {tasks} tasks each, seed {seed}; {lucky} rates in which there is luck, all others are \
         exact. Beyond {SIGMAS} σ: {}; chance alone is expected to put {:.1} there. The least likely rate is \
         {:.2} σ off; in so many it takes {:.2} for the probability with which one alone is beyond {SIGMAS}. \
         The root of the mean square of all z is {:.3}, and is to be about 1.\n\n",
        found.len(),
        judgement.beyond.len(),
        judgement.beyond_by_chance(),
        judgement.farthest(),
        judgement.farthest_max(),
        judgement.spread(),
    );
    if !judgement.beyond.is_empty() {
        text.push_str(
            "| beyond, and measured again with ten times as many new tasks | rate | z | z again |\n\
             | --- | --- | ---: | ---: |\n",
        );
        for it in &judgement.beyond {
            let (rate, first, again) = (it.rate, z(it.first), z(it.again));
            text.push_str(&format!(
                "| {} | {rate} | {first} | {again} |\n",
                in_words(&it.point)
            ));
        }
        text.push('\n');
    }
    text
}

/// What a point is called in a table.
fn in_words(point: &Point) -> String {
    let name = point.to_string();
    let mut cells = name.split(',');
    let (what, colluding) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
    let again = cells.next().unwrap_or("");
    format!("{what}, {colluding} of {ACCOUNTS} collude, {again} of 1,000 computed again")
}

struct Tables<'a> {
    found: &'a [Found],
}

impl Tables<'_> {
    fn of(&self, point: Point) -> anyhow::Result<&Found> {
        let found = self.found.iter().find(|it| it.point == point);
        found.with_context(|| format!("the point {point} is missing"))
    }

    /// What was measured of a rate, what was expected, its σ and z.
    fn cell(
        &self,
        point: Point,
        rate: Rate,
        words: impl Fn(f64) -> String,
    ) -> anyhow::Result<String> {
        let found = self.of(point)?;
        let rates = found.rates()?;
        let claim = rates.iter().find(|(of, _)| *of == rate);
        let (sum, trials) = (found.first.sum(rate), found.first.trials);
        let measured = words(found.first.mean(rate));
        Ok(match claim {
            Some((_, Claim::Is(expected))) if expected.is_sure() => {
                format!("{measured} | exact | | ")
            }
            Some((_, Claim::Is(expected))) => format!(
                "{measured} | {} | {} | {}",
                words(expected.mean),
                words(expected.sigma(trials)),
                z(expected.z(sum, trials))
            ),
            Some((_, Claim::AtMost(most))) => format!("{measured} | ≤ {} | | ", words(*most)),
            None => format!("{measured} | | | "),
        })
    }

    /// A table for each policy.
    fn policies(&self) -> anyhow::Result<String> {
        let again = f64::from(RE_EXECUTED_PERMILLE) / 10.0;
        let mut text = format!(
            "### Coalitions, where {again} % of the settled tasks are computed again\n\n\
             For each rate: measured, formula, σ, z.\n\n\
             ![wrong answers that stay](agreement-stays.svg)\n\n\
             ![liars that are found out](agreement-caught.svg)\n\n"
        );
        for policy in Policy::all() {
            text.push_str(&format!(
                "**{policy}**\n\n\
                 | collude | wrong accepted | formula | σ | z | wrong and final | formula | σ | z \
                 | caught | formula | σ | z | extra executions | formula | σ | z |\n\
                 | ---: |{}\n",
                " ---: |".repeat(16)
            ));
            for colluding in sizes() {
                let point = Point::Task(Setting {
                    policy,
                    colluding,
                    re_executed_permille: RE_EXECUTED_PERMILLE,
                });
                text.push_str(&format!("| {} % |", colluding * 100 / ACCOUNTS));
                for rate in [Rate::Wrong, Rate::Stays, Rate::Caught, Rate::Extra] {
                    text.push_str(&format!(" {} |", self.cell(point, rate, percent)?));
                }
                text.push('\n');
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// What honest devices cost.
    fn honest(&self) -> anyhow::Result<String> {
        let mut text = "### What a seasoned, honest grid costs\n\n\
                        ![executions beyond the first](agreement-extra.svg)\n\n\
                        | devices | extra executions | formula | σ | z |\n\
                        | --- | ---: | ---: | ---: | ---: |\n"
            .to_owned();
        for row in Point::honest_rows() {
            let cell = self.cell(Point::honest(row), Rate::Extra, percent)?;
            text.push_str(&format!("| with {row} accepted in a row | {cell} |\n"));
        }
        let cell = self.cell(Point::Seasoned, Rate::Extra, percent)?;
        text.push_str(&format!(
            "| of a grid on which each has 100 and more, as their records grow | {cell} |\n"
        ));
        for it in self.found {
            if let Point::First { tasks } = it.point {
                let each = |sum: f64| percent(sum / f64::from(tasks));
                let cell = self.cell(it.point, Rate::Extra, each)?;
                text.push_str(&format!("| new, in their first {tasks} tasks | {cell} |\n"));
            }
        }
        text.push_str(
            "\nCounted is what devices execute beyond once a task. What masternodes compute again, in the \
             tables above a tenth of the settled tasks, comes on top, and in a group of several once more for \
             another member.\n\n",
        );
        Ok(text)
    }

    /// What it brings to be right first.
    fn betrayals(&self) -> anyhow::Result<String> {
        let mut text = format!(
            "### Right until it is worth it\n\n\
             ![wrong answers that stay](agreement-betrayal.svg)\n\n\
             Wrong answers of one device that stay before one of it is found out; after {} nobody looks any \
             longer. What they bring, by the formula, is in prices of a task that costs as much as it may: the pay of \
             each, beside it as much as the task costs, less what is burnt of a bond when one is found. Honest work is \
             counted as bringing nothing, as if it cost all that it is paid. Where nothing is computed again a task may \
             cost anything.\n\n\
             | accepted in a row | collude | computed again | wrong and final | formula | σ | z | brings |\n\
             | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
            thousands(LIES_MAX.into())
        );
        for it in self.found {
            let Point::Betrayal {
                row,
                colluding,
                re_executed_permille,
            } = it.point
            else {
                continue;
            };
            let again = f64::from(re_executed_permille) / 10.0;
            let cell = self.cell(it.point, Rate::Stays, |mean| format!("{mean:.3}"))?;
            let stays = it.rates()?.into_iter().find_map(|(_, claim)| match claim {
                Claim::Is(expected) => Some(expected.mean),
                Claim::AtMost(_) => None,
            });
            let stays = stays.with_context(|| format!("nothing is expected of {}", it.point))?;
            let brings = brings(stays, re_executed_permille);
            let brings = brings.map_or("no such task".into(), |it| format!("{it:+.2}"));
            let share = colluding * 100 / ACCOUNTS;
            text.push_str(&format!(
                "| {row} | {share} % | {again} % | {cell} | {brings} |\n"
            ));
        }
        text.push('\n');
        Ok(text)
    }
}
