//! Regions of a page that a command writes, between marks that readers do not see.

use anyhow::Context as _;

/// Puts text into its region of a page; at the end with marks of its own if there is none.
pub(super) fn with_region(page: &str, region: &str, text: &str) -> anyhow::Result<String> {
    let begin = format!("<!-- {region}: written by quern-simulate, change nothing here -->");
    let end = format!("<!-- {region} ends -->");
    let text = format!("{begin}\n\n{}\n\n{end}", text.trim());
    let Some((before, rest)) = page.split_once(&begin) else {
        let page = page.trim_end();
        let gap = if page.is_empty() { "" } else { "\n\n" };
        return Ok(format!("{page}{gap}{text}\n"));
    };
    let (_, after) = rest
        .split_once(&end)
        .with_context(|| format!("`{begin}` stands without `{end}`; put both back"))?;
    Ok(format!("{before}{text}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_replaced_and_what_is_around_it_stays() {
        let first = with_region("# A page\n", "table", "old\n").unwrap();
        assert!(first.starts_with("# A page\n\n<!-- table: ") && first.contains("\n\nold\n\n"));
        let more = format!("{first}\nprose after\n");
        let second = with_region(&more, "table", "new").unwrap();
        assert_eq!(second, more.replace("old", "new"));
        assert_eq!(with_region(&second, "table", "new").unwrap(), second);
        let other = with_region(&second, "another", "x").unwrap();
        assert!(other.starts_with(second.trim_end()));
    }

    #[test]
    fn a_region_without_an_end_is_not_guessed() {
        let page = with_region("", "table", "old").unwrap();
        let broken = page.replace("<!-- table ends -->", "");
        assert!(with_region(&broken, "table", "new").is_err());
    }
}
