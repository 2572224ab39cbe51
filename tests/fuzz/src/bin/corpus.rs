//! Writes a target's corpus: `quern-fuzz-corpus CORPUS TARGET [FOUND]`. Its folder in CORPUS then holds
//! what honest people say, and of the inputs in FOUND, or without it of those that it holds, as many as
//! there is room for.

#![allow(
    clippy::print_stdout,
    reason = "talking to the person at the terminal is what this program is for"
)]

use anyhow::{Context, Result, bail};
use quern_fuzz::{corpus, target};
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (corpus, name, found) = match words.as_slice() {
        [corpus, name] => (corpus, name, None),
        [corpus, name, found] => (corpus, name, Some(PathBuf::from(found))),
        _ => bail!("expected CORPUS TARGET [FOUND]; `cargo xtask fuzz` calls this program"),
    };
    let target = target(name).with_context(|| format!("`{name}` is no target"))?;
    let folder = Path::new(corpus).join(target.name);
    let found = corpus::read(found.as_deref().unwrap_or(&folder))?;
    let kept = corpus::keep(target, &folder, found.into_values())?;
    println!("    {name}: {kept} inputs in {}", folder.display());
    Ok(())
}
