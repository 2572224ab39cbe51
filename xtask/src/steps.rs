//! Numbered steps with the time each took, and the table at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What has been done so far, in order.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<Step>,
}

struct Step {
    title: String,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Time since the first step began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Does one step, saying before what it does and after how long it took. The first failure
    /// ends the task.
    pub(crate) fn step<T>(&mut self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("[{}] {title}", self.done.len() + 1);
        let began = Instant::now();
        let outcome = work();
        let took = began.elapsed();
        let word = if outcome.is_ok() { "done" } else { "FAILED" };
        println!("    {word} after {}", spelled(took));
        self.done.push(Step {
            title: title.to_owned(),
            took,
            failure: outcome.as_ref().err().map(|error| format!("{error:#}")),
        });
        outcome
    }

    /// Does one step whose failure does not keep the following ones from being tried. The failure
    /// is remembered for [`Steps::conclude`].
    pub(crate) fn part(&mut self, title: &str, work: impl FnOnce() -> Result<()>) {
        if let Err(error) = self.step(title, work) {
            eprintln!("    {error:#}");
        }
    }

    /// Takes note of a part that was done beside others, in a thread of its own.
    pub(crate) fn done_beside(&mut self, title: &str, took: Duration, outcome: Result<()>) {
        let word = if outcome.is_ok() { "done" } else { "FAILED" };
        println!(
            "[{}] {title}: {word} after {}",
            self.done.len() + 1,
            spelled(took)
        );
        if let Err(error) = &outcome {
            eprintln!("    {error:#}");
        }
        self.done.push(Step {
            title: title.to_owned(),
            took,
            failure: outcome.err().map(|error| format!("{error:#}")),
        });
    }

    /// Prints the time of every step, and fails if one of them did.
    pub(crate) fn conclude(&self) -> Result<()> {
        print!("{}", self.table());
        let failed: Vec<&str> = self
            .done
            .iter()
            .filter(|step| step.failure.is_some())
            .map(|step| step.title.as_str())
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!(
            "{} of {} parts failed: {}; each says above what was wrong",
            failed.len(),
            self.done.len(),
            failed.join(", ")
        );
    }

    fn table(&self) -> String {
        let width = self
            .done
            .iter()
            .map(|step| step.title.chars().count())
            .max()
            .unwrap_or(0);
        let mut table = String::from("\nTime of each part\n");
        for step in &self.done {
            let word = if step.failure.is_some() {
                "FAILED"
            } else {
                "ok"
            };
            let time = spelled(step.took);
            table.push_str(&format!("  {:<width$}  {time:>11}  {word}\n", step.title));
        }
        let total = spelled(self.elapsed());
        table.push_str(&format!("  {:<width$}  {total:>11}\n", "in all"));
        table
    }
}

/// A length of time as a person reads it: `0.3 s`, `42 s`, `12 min 05 s`.
pub(crate) fn spelled(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn times_are_spelled_as_a_person_reads_them() {
        assert_eq!(spelled(Duration::from_millis(340)), "0.3 s");
        assert_eq!(spelled(Duration::from_secs(42)), "42 s");
        assert_eq!(spelled(Duration::from_secs(725)), "12 min 05 s");
    }

    #[test]
    fn a_failed_part_lets_the_next_one_run_and_fails_the_whole() {
        let mut steps = Steps::start();
        let mut ran = false;
        steps.part("first", || Err(anyhow!("broken")));
        steps.part("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        let message = steps.conclude().map_err(|error| error.to_string());
        assert_eq!(
            message,
            Err("1 of 2 parts failed: first; each says above what was wrong".to_owned())
        );
        assert!(steps.table().contains("second"));
    }

    #[test]
    fn a_failed_step_ends_the_task() {
        let mut steps = Steps::start();
        assert!(
            steps
                .step("only", || Err::<(), _>(anyhow!("broken")))
                .is_err()
        );
        assert!(steps.conclude().is_err());
    }
}
