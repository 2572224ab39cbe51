//! Reads small files and folders below a root, within limits.

use super::oddity::{Figure, Oddities, Wrong};
use std::{
    fs::{self, File},
    io::{self, Read},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// Bytes of a file that holds a value or a few lines.
pub(super) const SHORT_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of a table with a line for each processor or interrupt: `/proc/interrupts` has 11 bytes for
/// each processor in each of some hundred lines.
pub(super) const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 4_096;

/// Characters of a name.
const NAME_CHARACTERS_MAX: usize = 96;

/// Characters of a wrong value that are told.
const FOUND_CHARACTERS_MAX: usize = 32;

/// What Linux answers when a sensor is there and has nothing to say: no such device or address, try
/// again, no such device, no data, not supported. That is an absence, and no fault.
#[cfg(target_os = "linux")]
const SILENCES: [i32; 5] = [6, 11, 19, 61, 95];
#[cfg(not(target_os = "linux"))]
const SILENCES: [i32; 0] = [];

/// A view of the machine below a root. Places are relative to it; what is not there is `None`, what
/// is there and wrong is `None` and told.
pub(super) struct Look<'a> {
    root: &'a Path,
    oddities: &'a mut Oddities,
}

impl<'a> Look<'a> {
    pub(super) fn new(root: &'a Path, oddities: &'a mut Oddities) -> Self {
        Self { root, oddities }
    }

    /// Where a place is.
    pub(super) fn path(&self, place: &str) -> PathBuf {
        self.root.join(place)
    }

    /// Says that something is wrong.
    pub(super) fn odd(&mut self, figure: Figure, place: PathBuf, wrong: Wrong) {
        self.oddities.add(figure, place, wrong);
    }

    /// Whether there is something at a place.
    pub(super) fn has(&self, place: &str) -> bool {
        self.path(place).exists()
    }

    /// The names in a folder, in order; none if it is not there.
    pub(super) fn names(&mut self, figure: Figure, place: &str) -> Vec<String> {
        self.folder(figure, place).unwrap_or_default()
    }

    /// The names in a folder, in order; `None` if it cannot be looked into.
    pub(super) fn folder(&mut self, figure: Figure, place: &str) -> Option<Vec<String>> {
        let path = self.path(place);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => {
                self.failed(figure, path, &error);
                return None;
            }
        };
        let mut names: Vec<String> = entries
            .take(ENTRIES_MAX)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        Some(names)
    }

    /// The text of a file.
    pub(super) fn text(&mut self, figure: Figure, place: &str, bytes_max: u64) -> Option<String> {
        let path = self.path(place);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| {
            file.take(bytes_max.saturating_add(1))
                .read_to_end(&mut bytes)
        });
        if let Err(error) = read {
            self.failed(figure, path, &error);
            return None;
        }
        if bytes.len() as u64 > bytes_max {
            self.odd(figure, path, Wrong::TooLong { bytes_max });
            return None;
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The one word or line of a file, without the blanks around it.
    pub(super) fn line(&mut self, figure: Figure, place: &str) -> Option<String> {
        let text = self.text(figure, place, SHORT_BYTES_MAX)?;
        Some(text.trim().to_owned())
    }

    /// The number that a file holds, if it is believed.
    pub(super) fn number(
        &mut self,
        figure: Figure,
        place: &str,
        believed: RangeInclusive<i64>,
    ) -> Option<i64> {
        let text = self.line(figure, place)?;
        self.parsed(figure, place, &text, believed)
    }

    /// The number that a word is, if it is believed.
    pub(super) fn parsed(
        &mut self,
        figure: Figure,
        place: &str,
        word: &str,
        believed: RangeInclusive<i64>,
    ) -> Option<i64> {
        match word.trim().parse::<i128>() {
            Ok(found) => self.within(figure, place, found, believed),
            Err(_) => {
                self.not_understood(figure, place, word);
                None
            }
        }
    }

    /// A number, if it is believed.
    pub(super) fn within(
        &mut self,
        figure: Figure,
        place: &str,
        found: i128,
        believed: RangeInclusive<i64>,
    ) -> Option<i64> {
        if let Some(number) = i64::try_from(found)
            .ok()
            .filter(|number| believed.contains(number))
        {
            return Some(number);
        }
        let wrong = Wrong::Absurd {
            found,
            least: (*believed.start()).into(),
            most: (*believed.end()).into(),
        };
        self.odd(figure, self.path(place), wrong);
        None
    }

    /// Says that a text is not what belongs there.
    pub(super) fn not_understood(&mut self, figure: Figure, place: &str, text: &str) {
        let found = text.trim().chars().take(FOUND_CHARACTERS_MAX).collect();
        self.odd(figure, self.path(place), Wrong::NotUnderstood { found });
    }

    fn failed(&mut self, figure: Figure, path: PathBuf, error: &io::Error) {
        let kind = error.kind();
        let is_absent = matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            || error
                .raw_os_error()
                .is_some_and(|code| SILENCES.contains(&code));
        if !is_absent {
            self.odd(figure, path, Wrong::Unreadable(kind));
        }
    }
}

/// A name as it may be shown and sent: printable, single blanks, not longer than names are; `None`
/// if nothing is left.
pub(super) fn words(text: &str) -> Option<String> {
    let printable: String = text
        .chars()
        .map(|character| match character {
            control if control.is_control() || control == '\u{fffd}' => ' ',
            printable => printable,
        })
        .collect();
    let joined = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = joined.chars().take(NAME_CHARACTERS_MAX).collect();
    let short = short.trim_end();
    (!short.is_empty()).then(|| short.to_owned())
}

/// The value of a key in a file of `KEY=value` lines, as the kernel's `uevent` files are.
pub(super) fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim())
}
