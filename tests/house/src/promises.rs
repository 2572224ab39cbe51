//! What `docs/security.md` says is defended is shown by tests that exist.

use std::collections::BTreeSet;

use crate::Finding;

/// The heading of the column that names tests; only tables that end with it are looked at.
const COLUMN: &str = "shown by";

/// A row of such a table: its line from 1, and the tests it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The row's line.
    pub line: usize,
    /// The names in backticks in its last column.
    pub tests: Vec<String>,
}

/// The rows of all tables of a page whose last column is headed `shown by`.
#[must_use]
pub fn read(page: &str) -> Vec<Promise> {
    let mut promises = Vec::new();
    let mut is_inside = false;
    for (index, line) in page.lines().enumerate() {
        let Some(last) = last_cell(line) else {
            is_inside = false;
            continue;
        };
        if last == COLUMN {
            is_inside = true;
        } else if is_inside && !last.starts_with("---") {
            let tests = last.split('`').skip(1).step_by(2).map(str::to_owned);
            promises.push(Promise {
                line: index + 1,
                tests: tests.collect(),
            });
        }
    }
    promises
}

/// The last cell of a table's row; none of a line that is no row.
fn last_cell(line: &str) -> Option<&str> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    row.rsplit('|').next().map(str::trim)
}

/// The names of the tests in a Rust file.
#[must_use]
pub fn tests(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= !line.starts_with("#[cfg") && line.contains("test");
        } else if !line.is_empty() && !line.starts_with("//") {
            let function = line.strip_prefix("async ").unwrap_or(line);
            let function = function.strip_prefix("fn ").filter(|_| is_test);
            names.extend(function.and_then(|it| it.split('(').next()));
            is_test = false;
        }
    }
    names
}

/// Every row names a test, and every test that is named exists.
#[must_use]
pub fn check(file: &str, promises: &[Promise], tests: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Promise { line, tests: named } in promises {
        if named.is_empty() {
            findings.push(format!(
                "{file}:{line}: no test shows it; name one, or say it among what is not defended"
            ));
        }
        for name in named.iter().filter(|name| !tests.contains(*name)) {
            findings.push(format!(
                "{file}:{line}: there is no test `{name}`; name the one that shows it now"
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
| word | meaning |
| --- | --- |
| `one` | two |

| who | defence | shown by |
| --- | --- | --- |
| a worker | it is compared | `a_liar_is_found`, `b_is_too` |
| an owner | nothing yet | |
";

    const FILE: &str = "\
#[test]
fn a_liar_is_found() {
    helps();
}

fn helps() {}

#[tokio::test]
#[ignore = \"it takes long\"]
async fn it_takes_long() -> Result<()> {}

#[cfg(test)]
fn made_up() {}
";

    #[test]
    fn rows_are_read_from_tables_that_name_tests_only() {
        let promises = read(PAGE);
        assert_eq!(promises.len(), 2);
        assert_eq!(promises[0].line, 7);
        assert_eq!(promises[0].tests, ["a_liar_is_found", "b_is_too"]);
        assert!(promises[1].tests.is_empty());
    }

    #[test]
    fn tests_are_known_from_other_functions() {
        assert_eq!(tests(FILE), ["a_liar_is_found", "it_takes_long"]);
    }

    #[test]
    fn a_row_without_a_test_and_a_test_that_is_not_there_are_found() {
        let there: BTreeSet<String> = tests(FILE).into_iter().map(str::to_owned).collect();
        let findings = check("page", &read(PAGE), &there);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].contains("page:7") && findings[0].contains("b_is_too"));
        assert!(findings[1].contains("page:8"));
    }
}
