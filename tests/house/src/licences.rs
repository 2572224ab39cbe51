//! Every package that is built comes under terms we accept.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

use crate::{Finding, built::Built, deny::Licences};

/// Whether an SPDX expression can be satisfied with the allowed terms alone.
///
/// A term is a licence, or a licence `WITH` an exception: the exception is part of the name, so
/// that allowing the one does not allow the other. `/`, by which older manifests say `OR`, is
/// understood.
///
/// # Errors
///
/// If the expression is not one.
pub fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> Result<bool> {
    let words = words(expression);
    let mut parser = Parser {
        words: &words,
        allowed,
    };
    let answer = parser.either()?;
    ensure!(
        parser.words.is_empty(),
        "`{expression}` goes on after its end"
    );
    Ok(answer)
}

fn words(expression: &str) -> Vec<String> {
    expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// Recursive descent over `OR`, which binds least, `AND`, and terms with `WITH`, which binds most.
struct Parser<'a> {
    words: &'a [String],
    allowed: &'a BTreeSet<String>,
}

impl Parser<'_> {
    fn either(&mut self) -> Result<bool> {
        let mut answer = self.both()?;
        while self.takes("OR") {
            // Not short-circuited: the right side has to be read in any case.
            answer |= self.both()?;
        }
        Ok(answer)
    }

    fn both(&mut self) -> Result<bool> {
        let mut answer = self.term()?;
        while self.takes("AND") {
            answer &= self.term()?;
        }
        Ok(answer)
    }

    fn term(&mut self) -> Result<bool> {
        if self.takes("(") {
            let answer = self.either()?;
            ensure!(self.takes(")"), "a parenthesis is not closed");
            return Ok(answer);
        }
        let mut term = self.name()?;
        if self.takes("WITH") {
            term = format!("{term} WITH {}", self.name()?);
        }
        Ok(self.allowed.contains(&term))
    }

    fn name(&mut self) -> Result<String> {
        let Some((first, rest)) = self.words.split_first() else {
            bail!("the expression ends where a licence should stand");
        };
        ensure!(
            !["OR", "AND", "WITH", "(", ")"].contains(&first.as_str()),
            "`{first}` stands where a licence should"
        );
        self.words = rest;
        Ok(first.clone())
    }

    fn takes(&mut self, word: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else {
            return false;
        };
        let takes = first == word;
        if takes {
            self.words = rest;
        }
        takes
    }
}

/// Every package has an expression that the allowed terms, or those allowed to it alone, satisfy.
#[must_use]
pub fn check(built: &[Built], licences: &Licences) -> Vec<Finding> {
    let mut findings = Vec::new();
    let names: BTreeSet<&str> = built.iter().map(|it| it.name.as_str()).collect();
    for name in licences.exceptions.keys() {
        if !names.contains(name.as_str()) {
            findings.push(format!(
                "deny.toml excepts {name}, which is not built; remove it"
            ));
        }
    }
    for package in built {
        let mut allowed = licences.allowed.clone();
        if let Some(own) = licences.exceptions.get(&package.name) {
            allowed.extend(own.iter().cloned());
        }
        let complaint = match is_allowed(&package.licence, &allowed) {
            Ok(true) => continue,
            Ok(false) => "which deny.toml does not allow".to_owned(),
            Err(error) => format!("which is no SPDX expression: {error}"),
        };
        findings.push(format!(
            "{} {} comes under `{}`, {complaint}; do without it, or allow it with a reason",
            package.name, package.version, package.licence
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Apache-2.0 WITH LLVM-exception", "ISC"]
            .map(str::to_owned)
            .into()
    }

    fn answer(expression: &str) -> Option<bool> {
        is_allowed(expression, &allowed()).ok()
    }

    #[test]
    fn one_of_several_is_enough_and_all_of_several_are_needed() {
        assert_eq!(answer("MIT"), Some(true));
        assert_eq!(answer("MIT OR GPL-3.0"), Some(true));
        assert_eq!(answer("GPL-3.0/MIT"), Some(true));
        assert_eq!(answer("GPL-3.0 AND MIT"), Some(false));
        assert_eq!(answer("ISC AND MIT"), Some(true));
    }

    #[test]
    fn and_binds_more_than_or_and_parentheses_more_than_both() {
        assert_eq!(answer("MIT OR GPL-3.0 AND AGPL-3.0"), Some(true));
        assert_eq!(answer("(MIT OR GPL-3.0) AND AGPL-3.0"), Some(false));
        assert_eq!(answer("(MIT OR GPL-3.0) AND (AGPL-3.0 OR ISC)"), Some(true));
    }

    #[test]
    fn an_exception_is_part_of_the_name() {
        assert_eq!(answer("Apache-2.0 WITH LLVM-exception"), Some(true));
        assert_eq!(answer("Apache-2.0"), Some(false));
        assert_eq!(answer("MIT WITH LLVM-exception"), Some(false));
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for expression in [
            "", "MIT OR", "(MIT", "MIT)", "MIT ISC", "OR MIT", "MIT WITH",
        ] {
            assert_eq!(answer(expression), None, "{expression}");
        }
    }

    #[test]
    fn an_exception_serves_its_own_package_only_and_must_be_needed() {
        let package = |name: &str| Built {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: "MPL-2.0".to_owned(),
            features: String::new(),
        };
        let licences = Licences {
            allowed: allowed(),
            exceptions: BTreeMap::from([
                ("roots".to_owned(), BTreeSet::from(["MPL-2.0".to_owned()])),
                ("gone".to_owned(), BTreeSet::from(["MPL-2.0".to_owned()])),
            ]),
        };
        let findings = check(&[package("roots"), package("other")], &licences);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains("gone"));
        assert!(findings[1].starts_with("other 1.0.0"));
    }
}
