//! A Rust file as the rules read it: the code that ships, without comments and tests.

/// The lines of a Rust file that ship, each with its number from 1, comments and blank lines left
/// out.
#[must_use]
pub fn shipped_lines(text: &str) -> Vec<(usize, &str)> {
    without_tests(text)
        .into_iter()
        .map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
        .filter(|(_, code)| !code.trim().is_empty())
        .collect()
}

/// The lines of a Rust file, each with its number from 1, without everything under `#[cfg(test)]`
/// and its relatives for mocks and benchmarks.
///
/// This is no parser. It knows how this workspace's files are formatted: an item under a `cfg` is
/// followed either by a `;` on its own line, or by a block whose closing brace stands at the
/// column where the item began.
#[must_use]
pub fn without_tests(text: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if !is_for_tests(line) {
            kept.push((index + 1, line));
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let closing = format!("{indent}}}");
        for (_, line) in lines.by_ref() {
            let at_column = line.starts_with(indent) && !line[indent.len()..].starts_with(' ');
            let ends_item = line.trim_end().ends_with(';') || line.trim_end().ends_with("},");
            if line.starts_with(&closing) || (at_column && ends_item) {
                break;
            }
        }
    }
    kept
}

/// The files that modules declared under `#[cfg(test)]` and its relatives live in: for
/// `#[cfg(test)] mod mock;` the name `mock`.
#[must_use]
pub fn modules_for_tests(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .filter(|pair| is_for_tests(pair[0]))
        .filter_map(|pair| {
            let item = pair[1].trim().strip_suffix(';')?;
            item.rsplit_once("mod ")
                .map(|(_, name)| name.trim().to_owned())
        })
        .collect()
}

fn is_for_tests(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("#[cfg(")
        && !line.contains("not(")
        && (line.contains("test") || line.contains("runtime-benchmarks"))
}

/// Whether a word stands in a line of code by itself, not as a part of a longer word.
#[must_use]
pub fn has_word(code: &str, word: &str) -> bool {
    let belongs_to_word = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
    code.match_indices(word).any(|(at, _)| {
        !belongs_to_word(code[..at].chars().next_back())
            && !belongs_to_word(code[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
use std::fmt; // why
/// Not Instant.

#[cfg(test)]
mod mock;
pub fn shipped() {
    one();
    #[cfg(feature = \"runtime-benchmarks\")]
    measure();
}

#[cfg(any(test, feature = \"fuzz\"))]
impl Thing {
    fn made_up() {}
}

#[cfg(not(test))]
fn also_shipped() {}

#[cfg(test)]
mod tests {
    #[test]
    fn works() {
        let map = HashMap::new();
    }
}
";

    #[test]
    fn tests_and_comments_do_not_ship() {
        let shipped: Vec<&str> = shipped_lines(FILE)
            .into_iter()
            .map(|it| it.1.trim())
            .collect();
        assert_eq!(
            shipped,
            [
                "use std::fmt;",
                "pub fn shipped() {",
                "one();",
                "}",
                "#[cfg(not(test))]",
                "fn also_shipped() {}",
            ]
        );
        assert_eq!(shipped_lines(FILE)[1].0, 6, "numbers are those of the file");
    }

    #[test]
    fn files_of_test_modules_are_known_by_name() {
        assert_eq!(modules_for_tests(FILE), ["mock"]);
    }

    #[test]
    fn words_are_found_only_by_themselves() {
        assert!(has_word("let x: f64 = 0.0;", "f64"));
        assert!(has_word("HashMap<u8, u8>", "HashMap"));
        assert!(!has_word("MyHashMap", "HashMap"));
        assert!(!has_word("instants", "instant"));
    }
}
