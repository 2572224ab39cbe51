//! What was measured: a table for people, a file for programs.

use anyhow::Context as _;
use serde::Serialize;
use std::{io::Write as _, path::Path};

/// One measured value beside what it is held against.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) reference_name: &'static str,
    pub(crate) reference_value: f64,
    /// The value divided by the reference's.
    pub(crate) ratio: f64,
    #[serde(skip)]
    pub(crate) bar: Option<Bar>,
}

/// What a row has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// The value, at least.
    ValueAtLeast(f64),
    /// The value, at most.
    ValueAtMost(f64),
    /// The ratio, at least.
    RatioAtLeast(f64),
    /// The ratio, at most.
    RatioAtMost(f64),
}

impl Row {
    pub(crate) fn new(
        name: &'static str,
        (value, unit): (f64, &'static str),
        (reference_name, reference_value): (&'static str, f64),
    ) -> Self {
        Self {
            name,
            value,
            unit,
            reference_name,
            reference_value,
            ratio: value / reference_value,
            bar: None,
        }
    }

    pub(crate) fn with_bar(self, bar: Bar) -> Self {
        Self {
            bar: Some(bar),
            ..self
        }
    }

    /// Whether there is a bar and the value does not reach it.
    pub(crate) fn misses_its_bar(&self) -> bool {
        // Not the other way round: what was not measured reaches no bar.
        let reached = match self.bar {
            None => true,
            Some(Bar::ValueAtLeast(least)) => self.value >= least,
            Some(Bar::ValueAtMost(most)) => self.value <= most,
            Some(Bar::RatioAtLeast(least)) => self.ratio >= least,
            Some(Bar::RatioAtMost(most)) => self.ratio <= most,
        };
        !reached
    }

    fn verdict(&self) -> String {
        let bar = match self.bar {
            None => return String::new(),
            Some(Bar::ValueAtLeast(least)) => format!("at least {least}"),
            Some(Bar::ValueAtMost(most)) => format!("at most {most}"),
            Some(Bar::RatioAtLeast(least)) => format!("ratio at least {least}"),
            Some(Bar::RatioAtMost(most)) => format!("ratio at most {most}"),
        };
        let mark = if self.misses_its_bar() { '✗' } else { '✓' };
        format!("{mark} {bar}")
    }
}

/// Prints a line. A closed terminal does not stop a measurement.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

pub(crate) fn title(text: &str) {
    say(&format!("\n{text}\n{}", "─".repeat(text.chars().count())));
}

pub(crate) fn print(rows: &[Row]) {
    title("Measured");
    for row in rows {
        say(&format!(
            "{:<28} {:>10} {:<8} {:>6.2} times {} {}",
            row.name,
            number(row.value),
            row.unit,
            row.ratio,
            number(row.reference_value),
            row.unit
        ));
        say(&format!(
            "{:<28} reference: {}",
            row.verdict(),
            row.reference_name
        ));
    }
}

fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value => format!("{value:.3}"),
    }
}

/// Writes the rows where programs look for them.
pub(crate) fn write(path: &Path, rows: &[Row]) -> anyhow::Result<()> {
    std::fs::write(path, serde_json::to_string_pretty(rows)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: f64, reference: f64) -> Row {
        Row::new("speed", (value, "m/s"), ("a snail", reference))
    }

    #[test]
    fn a_row_says_what_it_is_of_its_reference_and_whether_the_bar_is_reached() {
        assert_eq!(row(6.0, 4.0).ratio, 1.5);
        let least = |value| row(value, 4.0).with_bar(Bar::ValueAtLeast(5.0)).verdict();
        assert_eq!([least(6.0), least(4.0)], ["✓ at least 5", "✗ at least 5"]);
        let most = |value| row(value, 4.0).with_bar(Bar::ValueAtMost(5.0)).verdict();
        assert_eq!([most(4.0), most(6.0)], ["✓ at most 5", "✗ at most 5"]);
        let least = |value| row(value, 4.0).with_bar(Bar::RatioAtLeast(1.3)).verdict();
        assert_eq!(
            [least(6.0), least(5.0)],
            ["✓ ratio at least 1.3", "✗ ratio at least 1.3"]
        );
        let most = |value| row(value, 4.0).with_bar(Bar::RatioAtMost(1.3)).verdict();
        assert_eq!(
            [most(5.0), most(6.0), most(f64::NAN)],
            [
                "✓ ratio at most 1.3",
                "✗ ratio at most 1.3",
                "✗ ratio at most 1.3"
            ]
        );
        assert_eq!(row(6.0, 4.0).verdict(), "");
    }

    #[test]
    fn only_a_value_beyond_its_bar_misses_it() {
        assert!(!row(0.0, 4.0).misses_its_bar());
        let most = |value| row(value, 4.0).with_bar(Bar::ValueAtMost(5.0));
        assert!(most(5.1).misses_its_bar() && !most(5.0).misses_its_bar());
        assert!(most(f64::NAN).misses_its_bar());
        let least = |value| row(value, 4.0).with_bar(Bar::ValueAtLeast(5.0));
        assert!(least(4.9).misses_its_bar() && !least(5.0).misses_its_bar());
        let least = |value| row(value, 4.0).with_bar(Bar::RatioAtLeast(1.0));
        assert!(least(3.9).misses_its_bar() && !least(4.0).misses_its_bar());
        assert!(least(f64::NAN).misses_its_bar());
        let most = |value| row(value, 4.0).with_bar(Bar::RatioAtMost(1.0));
        assert!(most(4.1).misses_its_bar() && !most(4.0).misses_its_bar());
        assert!(most(f64::NAN).misses_its_bar());
    }

    #[test]
    fn the_file_has_the_fields_that_programs_read() {
        let text = serde_json::to_value(row(6.0, 4.0)).map(|value| value.to_string());
        assert_eq!(
            text.ok().as_deref(),
            Some(concat!(
                r#"{"name":"speed","ratio":1.5,"reference_name":"a snail","#,
                r#""reference_value":4.0,"unit":"m/s","value":6.0}"#
            ))
        );
    }
}
