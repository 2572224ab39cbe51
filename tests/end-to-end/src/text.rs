//! A text from a seed, as long as wanted.

use crate::Dice;
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

/// Different words that a text has at most.
const VOCABULARY: u64 = 60_000;

/// Writes a text of so many bytes or a few more: lines of words of which few are frequent and most
/// are rare, as in a language, with several kinds of blanks, some bytes that are no UTF-8, and no
/// line feed at the end. The same seed gives the same text.
pub fn write_text(path: &Path, bytes: u64, seed: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let (mut dice, mut written) = (Dice::new(seed), 0);
    let mut spelt = Vec::new();
    while written < bytes {
        word(&mut dice, &mut spelt);
        let blank: &[u8] = match dice.below(64) {
            0..6 => b"\n",
            6 => b"\r\n",
            7 => b"\t",
            8 => b"  \x0b",
            9 => b"\x0c\n\n",
            _ => b" ",
        };
        file.write_all(&spelt)?;
        written += spelt.len() as u64;
        if written < bytes {
            file.write_all(blank)?;
            written += blank.len() as u64;
        }
    }
    file.into_inner()?.sync_all()
}

fn word(dice: &mut Dice, word: &mut Vec<u8>) {
    // The least of three is small most of the time, so that low ranks are frequent.
    let rank = (0..3).map(|_| dice.below(VOCABULARY)).min().unwrap_or(0);
    let mut spelling = Dice::new(rank);
    word.clear();
    for _ in 0..spelling.below(9) + 1 {
        let letter = match spelling.below(40) {
            0 => 0xff,
            1 => b'\'',
            2..5 => b'A' + (spelling.below(26) as u8),
            _ => b'a' + (spelling.below(26) as u8),
        };
        word.push(letter);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_text_of_the_wanted_length() {
        let folder = tempfile::tempdir().unwrap();
        let text = |name: &str, seed| {
            let path = folder.path().join(name);
            write_text(&path, 10_000, seed).unwrap();
            std::fs::read(path).unwrap()
        };
        let first = text("a", 1);
        assert_eq!(first, text("b", 1));
        assert_ne!(first, text("c", 2));
        assert!((10_000..10_020).contains(&first.len()));
        assert_ne!(first.last(), Some(&b'\n'));
    }
}
