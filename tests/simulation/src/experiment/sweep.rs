//! Which of many settings gives a short makespan at the least cost.
//!
//! Every setting runs on the same grids with the same luck, so two of them are compared run by run.
//! Those whose mean difference to the best is within two of its standard errors cannot be told from
//! it. Where a little more time is not worth an execution, nor can those within 1 % of it; and of all these
//! the ones with the fewest executions for each task are chosen, told apart in the same way, and of those
//! the ones for which devices are asked again least. Today's setting stays if it is among what is left.

use super::{
    case::{Case, in_a_column},
    summary::{Summary, mean_and_deviation, standard_errors},
    thousands,
};
use quern_simulation::makespan::Outcome;
use std::collections::BTreeSet;

/// What [`Found::lines`] are.
pub(super) const HEAD: &str = "sweep,first,second,runs,mean,executions_per_task,\
                               asked_again_per_task,may_be_set,as_short_as_the_shortest,as_good_as_the_best\n";

/// What settings are chosen by: what comes first decides, as far as it tells them apart.
const MEASURES: [fn(&Outcome) -> f64; 3] = [
    Outcome::ratio,
    |outcome| outcome.executions_per_task,
    |outcome| outcome.asked_again_per_task,
];

/// Two numbers that are set.
pub(super) type At = (u64, u64);

/// Settings that are compared and not chosen, however good they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Barred {
    pub(super) is_it: fn(At) -> bool,
    /// Why, to follow "may not be the default, as".
    pub(super) because: &'static str,
}

/// Settings to be compared.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// As files have it.
    pub(super) name: String,
    /// What stands over it.
    pub(super) heading: String,
    /// What the two numbers are called.
    pub(super) axes: [&'static str; 2],
    /// What a setting is chosen for that the makespan does not tell; then it tells only what that
    /// costs.
    pub(super) buys: Option<&'static str>,
    /// By how many percent a makespan may be more than the shortest, however well they can be told apart,
    /// for what a setting saves; none where it is not to save anything.
    pub(super) saves_for_percent: Option<f64>,
    /// Which of them may not be set, if any.
    pub(super) barred: Option<Barred>,
    /// The setting of today.
    pub(super) today: At,
    /// What is the matter on each of the grids on which a setting runs, where these are several: the runs are
    /// those on the first, then as many on the next.
    pub(super) grids: Vec<String>,
    /// The runs of each setting, as many for each and in the same order.
    pub(super) settings: Vec<(At, Vec<Case>)>,
}

/// What came of a sweep.
#[derive(Clone, Debug)]
pub(super) struct Found {
    sweep: Sweep,
    /// For each setting.
    summaries: Vec<Summary>,
    /// For each setting its mean makespan on each of the grids.
    by_grid: Vec<Vec<f64>>,
    /// The settings whose makespan is as good as the shortest, that one first.
    short: Vec<usize>,
    /// Those of them that cost no more than the one that costs least, that one first.
    cheap: Vec<usize>,
}

impl Sweep {
    pub(super) fn cases(&self) -> Vec<Case> {
        let all = self.settings.iter().flat_map(|(_, cases)| cases);
        all.cloned().collect()
    }

    /// Compares the settings by what came of [`Sweep::cases`]; nothing if there is nothing to compare.
    pub(super) fn compare(self, outcomes: &[Outcome]) -> Option<Found> {
        let mut rest = outcomes;
        let mut runs: Vec<&[Outcome]> = Vec::new();
        for (_, cases) in &self.settings {
            let (mine, others) = rest.split_at_checked(cases.len())?;
            rest = others;
            runs.push(mine);
        }
        let [by_makespan, by_cost @ ..] = MEASURES;
        let best_of = |settings, measure, tolerance_percent| {
            as_good_as_the_least(settings, &runs, measure, tolerance_percent)
        };
        let mut all: Vec<usize> = (0..runs.len()).collect();
        all.retain(|setting| !self.is_barred(self.settings[*setting].0));
        let short = best_of(all, by_makespan, self.saves_for_percent.unwrap_or(0.0));
        // What is cheap has no tolerance: nearly all executions are those that every setting needs, so a
        // hundredth of them would be a large part of what a setting costs.
        let by_cost = by_cost
            .into_iter()
            .filter(|_| self.saves_for_percent.is_some());
        let cheap = by_cost.fold(short.clone(), |best, measure| best_of(best, measure, 0.0));
        short.first()?;
        let by_grid = runs
            .iter()
            .map(|runs| means_by_grid(runs, self.grids.len()));
        Some(Found {
            by_grid: by_grid.collect(),
            summaries: runs.into_iter().map(Summary::of).collect(),
            sweep: self,
            short,
            cheap,
        })
    }

    fn is_barred(&self, at: At) -> bool {
        self.barred.is_some_and(|barred| (barred.is_it)(at))
    }
}

/// The mean makespan on each of so many grids, on which a setting has as many runs.
fn means_by_grid(runs: &[Outcome], grids: usize) -> Vec<f64> {
    let runs_of_each = (runs.len() / grids.max(1)).max(1);
    let mean = |runs: &[Outcome]| {
        let ratios: Vec<f64> = runs.iter().map(Outcome::ratio).collect();
        mean_and_deviation(&ratios).0
    };
    runs.chunks(runs_of_each).take(grids).map(mean).collect()
}

/// Of these settings those of which a measure is as good as the least, that one first.
fn as_good_as_the_least(
    mut settings: Vec<usize>,
    runs: &[&[Outcome]],
    measure: fn(&Outcome) -> f64,
    tolerance_percent: f64,
) -> Vec<usize> {
    let of = |setting: usize| -> Vec<f64> {
        let mine = runs.get(setting).into_iter().copied().flatten();
        mine.map(measure).collect()
    };
    let mean = |setting: usize| mean_and_deviation(&of(setting)).0;
    // Of equal ones the first stays first.
    settings.sort_by(|one, other| mean(*one).total_cmp(&mean(*other)));
    let least = settings.first().map(|setting| of(*setting));
    let least = least.unwrap_or_default();
    settings.retain(|setting| is_as_good(&of(*setting), &least, tolerance_percent));
    settings
}

/// Whether runs cannot be told from those with the least mean, or are hardly worse.
fn is_as_good(mine: &[f64], least: &[f64], tolerance_percent: f64) -> bool {
    let pairs = mine.iter().zip(least);
    let differences: Vec<f64> = pairs.map(|(mine, least)| mine - least).collect();
    let hardly = tolerance_percent / 100.0 * mean_and_deviation(least).0;
    mean_and_deviation(&differences).0 <= standard_errors(&differences).max(hardly)
}

impl Found {
    fn at(&self, setting: usize) -> At {
        self.sweep.settings[setting].0
    }

    fn in_words(&self, (first, second): At) -> String {
        let [one, other] = self.sweep.axes;
        let (first, second) = (thousands(first), thousands(second));
        format!("{one} {first} and {other} {second}")
    }

    /// The setting with the shortest makespan.
    fn shortest(&self) -> usize {
        self.short.first().copied().unwrap_or_default()
    }

    /// Of those as good, the one that costs least.
    fn cheapest(&self) -> usize {
        self.cheap.first().copied().unwrap_or_default()
    }

    /// The setting that the defaults should have.
    pub(super) fn chosen(&self) -> At {
        let mut cheap = self.cheap.iter().map(|setting| self.at(*setting));
        match cheap.any(|at| at == self.sweep.today) {
            true => self.sweep.today,
            false => self.at(self.cheapest()),
        }
    }

    /// What is to be done about it.
    fn advice(&self) -> String {
        let today = self.in_words(self.sweep.today);
        if let Some(buys) = self.sweep.buys {
            let mut settings = self.sweep.settings.iter().zip(&self.summaries);
            let found = settings.find(|((at, _), _)| *at == self.sweep.today);
            let mean = found.map_or(0.0, |(_, summary)| summary.mean);
            return format!("Today's, {today}, take {mean:.4} of it, and stay: {buys}.");
        }
        match self.chosen() {
            chosen if chosen == self.sweep.today && self.at(self.cheapest()) == chosen => {
                "These are today's settings, which stay.".to_owned()
            }
            chosen if chosen == self.sweep.today => {
                format!("Today's, {today}, are among those, and stay.")
            }
            chosen => {
                let words = self.in_words(chosen);
                match self
                    .short
                    .iter()
                    .find(|it| self.at(**it) == self.sweep.today)
                {
                    None => format!("Today's, {today}, are not among those: set {words}."),
                    Some(setting) => {
                        let Summary {
                            executions_per_task: executions,
                            asked_again_per_task: asked,
                            ..
                        } = self.summaries[*setting];
                        format!(
                            "Today's, {today}, are as short and cost more, with {executions:.3} \
                             executions and {asked:.3} devices asked again: {words} would save that."
                        )
                    }
                }
            }
        }
    }

    /// What was found, in sentences.
    pub(super) fn conclusion(&self) -> String {
        let (shortest, cheapest) = (self.shortest(), self.cheapest());
        let [best, least] = [shortest, cheapest].map(|setting| &self.summaries[setting]);
        let advice = self.advice();
        let saves = self.sweep.saves_for_percent;
        let within = saves.map(|percent| format!("are within {percent} % of it or "));
        let within = within.unwrap_or_default();
        let mut text = format!(
            "{} give the shortest makespan: {:.4} of the fluid bound on average over {} runs, with \
             {:.3} executions and {:.3} devices asked again for each task. {} of {} other settings \
             {within}cannot be told from it.",
            self.in_words(self.at(shortest)),
            best.mean,
            best.runs,
            best.executions_per_task,
            best.asked_again_per_task,
            self.short.len() - 1,
            self.sweep
                .settings
                .iter()
                .filter(|(at, _)| !self.sweep.is_barred(*at))
                .count()
                - 1,
        );
        if saves.is_some() {
            text.push_str(&format!(
                " Of all these {} cost least, with {:.3} executions and {:.3} devices asked again; {} \
                 others cost no more.",
                self.in_words(self.at(cheapest)),
                least.executions_per_task,
                least.asked_again_per_task,
                self.cheap.len() - 1,
            ));
        }
        let barred = self.sweep.barred.map(|barred| {
            let because = barred.because;
            format!(" What is in brackets may not be the default, as {because}.")
        });
        format!("{text} {advice}{}", barred.unwrap_or_default())
    }

    /// The mean makespan of each setting; the shortest in bold, in italics those that are as good, and in
    /// brackets those that may not be the default.
    pub(super) fn table(&self) -> String {
        let all = || (0..self.summaries.len()).map(|setting| self.at(setting));
        let rows: BTreeSet<u64> = all().map(|(first, _)| first).collect();
        let columns: BTreeSet<u64> = all().map(|(_, second)| second).collect();
        let [one, other] = self.sweep.axes;
        let mut text = format!("| {one} \\ {other} |");
        for column in &columns {
            text.push_str(&format!(" {} |", thousands(*column)));
        }
        text.push_str(&format!("\n| ---: |{}\n", " ---: |".repeat(columns.len())));
        for row in &rows {
            text.push_str(&format!("| {} |", thousands(*row)));
            for column in &columns {
                text.push_str(&self.cell((*row, *column)));
            }
            text.push('\n');
        }
        text
    }

    /// What the setting of today takes on each of several grids, and which is the shortest there.
    pub(super) fn grids(&self) -> String {
        let today = (0..self.by_grid.len()).find(|it| self.at(*it) == self.sweep.today);
        let mut text = String::new();
        for (number, grid) in self.sweep.grids.iter().enumerate() {
            let mean = |setting: usize| {
                let means = self.by_grid.get(setting);
                means.and_then(|means| means.get(number)).copied()
            };
            let may_be = (0..self.by_grid.len()).filter(|it| !self.sweep.is_barred(self.at(*it)));
            let all = may_be.filter_map(|it| Some((it, mean(it)?)));
            let best = all.min_by(|one, other| one.1.total_cmp(&other.1));
            if let (Some(today), Some((best, least))) = (today.and_then(mean), best) {
                if text.is_empty() {
                    text = "\n| where | today's | the shortest | with |\n| --- | ---: | ---: | --- |\n".into();
                }
                let best = self.in_words(self.at(best));
                text.push_str(&format!("| {grid} | {today:.4} | {least:.4} | {best} |\n"));
            }
        }
        text
    }

    fn cell(&self, at: At) -> String {
        let Some(setting) = (0..self.summaries.len()).find(|setting| self.at(*setting) == at)
        else {
            return " – |".into();
        };
        let mean = self.summaries[setting].mean;
        match self.short.contains(&setting) {
            _ if self.sweep.is_barred(at) => format!(" ({mean:.4}) |"),
            _ if setting == self.shortest() => format!(" **{mean:.4}** |"),
            true => format!(" *{mean:.4}* |"),
            false => format!(" {mean:.4} |"),
        }
    }

    /// A line for each setting, for programs. As short is what cannot be told from the shortest makespan, or
    /// is hardly longer; as good as the best is what may be chosen: nothing that is as short costs less.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        for (setting, summary) in self.summaries.iter().enumerate() {
            let (first, second) = self.at(setting);
            let Summary {
                runs,
                mean,
                executions_per_task,
                asked_again_per_task,
                ..
            } = summary;
            let is_among = |settings: &[usize]| settings.contains(&setting);
            let (as_short, as_good) = (is_among(&self.short), is_among(&self.cheap));
            let may_be_set = !self.sweep.is_barred((first, second));
            let name = in_a_column(&self.sweep.name);
            text.push_str(&format!("{name},{first},{second},{runs},{mean:.6},"));
            text.push_str(&format!(
                "{executions_per_task:.6},{asked_again_per_task:.6},{may_be_set},{as_short},{as_good}\n"
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::case::{GridKind, TASK_S};
    use quern_simulation::makespan::Contestant;

    fn outcome(makespan_s: f64, executions_per_task: f64, asked_again_per_task: f64) -> Outcome {
        Outcome {
            makespan_s,
            bound_s: 1.0,
            executions_per_task,
            asked_again_per_task,
            history: 0,
        }
    }

    fn found(today: At, makespans: &[(At, [f64; 3])]) -> Found {
        let case = |seed| Case {
            devices: 20,
            faults_percent: 0,
            kind: GridKind::Alike,
            task_s: TASK_S,
            policy: "random".into(),
            contestant: Contestant::Random,
            seed,
        };
        let outcomes = makespans
            .iter()
            .flat_map(|(_, all)| all.map(|it| outcome(it, 1.0, 0.0)));
        let outcomes: Vec<Outcome> = outcomes.collect();
        let settings = makespans
            .iter()
            .map(|(at, _)| (*at, [0, 1, 2].map(case).into()));
        let sweep = Sweep {
            name: "pools".into(),
            heading: "C_min and s_min".into(),
            axes: ["C_min", "s_min"],
            buys: None,
            saves_for_percent: None,
            barred: None,
            today,
            grids: vec![],
            settings: settings.collect(),
        };
        sweep.compare(&outcomes).unwrap()
    }

    /// The second is a little worse on average, but not in every run; the third is in every run.
    const MAKESPANS: [(At, [f64; 3]); 3] = [
        ((1_000, 4), [1.0, 2.0, 3.0]),
        ((2_000, 4), [1.2, 1.9, 3.1]),
        ((2_000, 8), [1.5, 2.5, 3.6]),
    ];

    #[test]
    fn settings_are_told_apart_run_by_run_however_much_runs_differ() {
        let found = found((1_000, 4), &MAKESPANS);
        assert_eq!((&*found.short, &*found.cheap), (&[0, 1][..], &[0, 1][..]));
        let table = "| C_min \\ s_min | 4 | 8 |\n\
                     | ---: | ---: | ---: |\n\
                     | 1,000 | **2.0000** | – |\n\
                     | 2,000 | *2.0667* | 2.5333 |\n";
        assert_eq!(found.table(), table);
        let lines = found.lines();
        let ends: Vec<&str> = lines
            .lines()
            .filter_map(|it| it.rsplit(',').next())
            .collect();
        assert_eq!(ends, ["true", "true", "false"]);
    }

    #[test]
    fn today_s_setting_stays_unless_the_best_is_told_from_it() {
        let chosen = |today| found(today, &MAKESPANS).chosen();
        assert_eq!(chosen((1_000, 4)), (1_000, 4));
        assert_eq!(chosen((2_000, 4)), (2_000, 4));
        assert_eq!(chosen((2_000, 8)), (1_000, 4));
        let words = |today| found(today, &MAKESPANS).conclusion();
        assert!(words((1_000, 4)).ends_with("today's settings, which stay."));
        assert!(words((2_000, 4)).ends_with("are among those, and stay."));
        assert!(words((2_000, 8)).ends_with(": set C_min 1,000 and s_min 4."));
    }

    #[test]
    fn a_setting_that_may_not_be_set_is_shown_and_not_chosen_however_short() {
        let mut sweep = found((2_000, 8), &MAKESPANS).sweep;
        let barred = Barred {
            is_it: |at| at == (1_000, 4),
            because: "it is too small",
        };
        sweep.barred = Some(barred);
        sweep.grids = vec!["at sea".into()];
        let outcomes = MAKESPANS
            .iter()
            .flat_map(|(_, all)| all.map(|it| outcome(it, 1.0, 0.0)));
        let outcomes: Vec<Outcome> = outcomes.collect();
        let found = sweep.compare(&outcomes).unwrap();
        assert_eq!(found.chosen(), (2_000, 4));
        assert!(found.table().contains("| 1,000 | (2.0000) | – |\n"));
        let words = found.conclusion();
        let of_the_rest = "0 of 1 other settings cannot be told from it.";
        assert!(words.contains(of_the_rest), "{words}");
        assert!(
            words.ends_with(" What is in brackets may not be the default, as it is too small.")
        );
        assert!(
            found.grids().contains("| with |") && found.grids().contains("C_min 2,000 and s_min 4")
        );
        let lines = found.lines();
        assert!(
            lines
                .lines()
                .next()
                .unwrap()
                .ends_with(",false,false,false")
        );
    }

    #[test]
    fn what_today_s_setting_takes_on_each_of_several_grids_is_told_beside_the_shortest_there() {
        let mut sweep = found((2_000, 4), &MAKESPANS).sweep;
        sweep.grids = ["at sea", "ashore", "aloft"].map(String::from).into();
        let outcomes = MAKESPANS
            .iter()
            .flat_map(|(_, all)| all.map(|it| outcome(it, 1.0, 0.0)));
        let outcomes: Vec<Outcome> = outcomes.collect();
        let told = "\n| where | today's | the shortest | with |\n\
                    | --- | ---: | ---: | --- |\n\
                    | at sea | 1.2000 | 1.0000 | C_min 1,000 and s_min 4 |\n\
                    | ashore | 1.9000 | 1.9000 | C_min 2,000 and s_min 4 |\n\
                    | aloft | 3.1000 | 3.0000 | C_min 1,000 and s_min 4 |\n";
        assert_eq!(sweep.compare(&outcomes).unwrap().grids(), told);
        assert_eq!(found((2_000, 4), &MAKESPANS).grids(), "");
    }

    #[test]
    fn of_settings_as_short_the_one_with_the_fewest_executions_and_messages_is_chosen() {
        let mut sweep = found((1_000, 4), &MAKESPANS).sweep;
        let (_, cases) = sweep.settings[0].clone();
        sweep.settings.push(((4_000, 8), cases));
        sweep.today = (4_000, 8);
        sweep.saves_for_percent = Some(1.0);
        let runs = |[makespan, executions, asked]: [f64; 3]| {
            [0.0, 0.1, 0.2].map(|luck| outcome(makespan + luck, executions + luck, asked + luck))
        };
        // The shortest; one within 1 % of it, in every run, that saves executions; one that saves messages
        // beside those; and one that costs nothing and is no more within 1 %.
        let all = [
            [2.00, 1.50, 0.2],
            [2.01, 1.20, 0.9],
            [2.01, 1.20, 0.3],
            [2.05, 1.00, 0.0],
        ];
        let outcomes: Vec<Outcome> = all.into_iter().flat_map(runs).collect();
        let found = sweep.clone().compare(&outcomes).unwrap();
        assert_eq!(found.short, [0, 1, 2]);
        assert_eq!(found.cheap, [2]);
        assert_eq!(found.chosen(), (2_000, 8));
        let words = found.conclusion();
        for told in [
            "C_min 1,000 and s_min 4 give the shortest makespan: 2.1000 of",
            "2 of 3 other settings are within 1 % of it or cannot be told from it.",
            "Of all these C_min 2,000 and s_min 8 cost least, with 1.300 executions and 0.400 devices \
             asked again; 0 others cost no more.",
            "are not among those: set C_min 2,000 and s_min 8.",
        ] {
            assert!(words.contains(told), "{words}");
        }
        let lines = found.lines();
        let ends = |end: &str| lines.lines().filter(|line| line.ends_with(end)).count();
        assert_eq!((ends(",true,true"), ends(",true,false")), (1, 2));
        // One that is as short and costs more is told with what it costs.
        sweep.today = (2_000, 4);
        let words = sweep.clone().compare(&outcomes).unwrap().conclusion();
        let told = "Today's, C_min 2,000 and s_min 4, are as short and cost more, with 1.300 executions and \
                    1.000 devices asked again: C_min 2,000 and s_min 8 would save that.";
        assert!(words.ends_with(told), "{words}");
        // Where a little more time counts.
        sweep.saves_for_percent = Some(0.0);
        let strict = sweep.clone().compare(&outcomes).unwrap();
        assert_eq!((&*strict.short, strict.chosen()), (&[0][..], (1_000, 4)));
        // Where what is saved does not count.
        sweep.settings.truncate(2);
        sweep.today = (2_000, 4);
        sweep.saves_for_percent = None;
        let as_short = [[2.0, 1.2, 0.3], [2.0, 1.5, 0.2]];
        let outcomes: Vec<Outcome> = as_short.into_iter().flat_map(runs).collect();
        let found = sweep.compare(&outcomes).unwrap();
        assert_eq!((&*found.cheap, found.chosen()), (&[0, 1][..], (2_000, 4)));
        assert!(!found.conclusion().contains("cost least"));
    }

    #[test]
    fn a_setting_that_buys_something_else_stays_and_what_it_costs_is_told() {
        let mut found = found((2_000, 8), &MAKESPANS);
        found.sweep.buys = Some("they buy safety");
        let words = found.conclusion();
        let end = "Today's, C_min 2,000 and s_min 8, take 2.5333 of it, and stay: they buy safety.";
        assert!(words.ends_with(end), "{words}");
    }

    #[test]
    fn nothing_is_compared_with_runs_that_are_missing() {
        let sweep = found((1_000, 4), &MAKESPANS).sweep;
        assert!(sweep.compare(&[]).is_none());
    }
}
