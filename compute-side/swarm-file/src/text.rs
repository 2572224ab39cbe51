//! Texts with a limit. What strangers write is shown on terminals, and next to a question whether their
//! command shall be run: so nothing in a name or path may hide, and what is in a command is shown.

use std::{fmt, str::FromStr};

/// Why a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It has too many.
    #[error("it has {bytes} bytes, and at most {max} are allowed")]
    Long {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// It is no UTF-8.
    #[error("it is no UTF-8")]
    NoUtf8,
    /// It has a character that it must not have.
    #[error("it has the character U+{code:04X}, which is not seen or ends texts")]
    Hidden {
        /// The character.
        code: u32,
    },
}

macro_rules! limited_text {
    ($(#[$doc:meta])* $name:ident, $is_refused:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name<const BYTES_MAX: usize>(String);

        impl<const BYTES_MAX: usize> $name<BYTES_MAX> {
            /// Reads it from bytes.
            ///
            /// # Errors
            ///
            /// If they are no such text.
            pub fn read(bytes: &[u8]) -> Result<Self, TextFault> {
                checked(bytes, BYTES_MAX, $is_refused).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<const BYTES_MAX: usize> FromStr for $name<BYTES_MAX> {
            type Err = TextFault;

            fn from_str(text: &str) -> Result<Self, TextFault> {
                Self::read(text.as_bytes())
            }
        }

        impl<const BYTES_MAX: usize> fmt::Display for $name<BYTES_MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<const BYTES_MAX: usize> fmt::Debug for $name<BYTES_MAX> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

limited_text! {
    /// UTF-8 of 1 to `BYTES_MAX` bytes without NUL, of any number of lines: a command.
    Text, is_nul
}

limited_text! {
    /// UTF-8 of 1 to `BYTES_MAX` bytes on one line, without characters that are not seen: a name.
    Line, hides
}

fn checked(bytes: &[u8], max: usize, is_refused: fn(char) -> bool) -> Result<String, TextFault> {
    if bytes.is_empty() {
        return Err(TextFault::Empty);
    }
    if bytes.len() > max {
        let bytes = bytes.len();
        return Err(TextFault::Long { bytes, max });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| TextFault::NoUtf8)?;
    match text.chars().find(|it| is_refused(*it)) {
        Some(found) => Err(TextFault::Hidden {
            code: u32::from(found),
        }),
        None => Ok(text.to_owned()),
    }
}

fn is_nul(character: char) -> bool {
    character == '\0'
}

/// Whether a character steers a terminal, ends a line, is not seen, or has text read in another order than
/// it stands in: by these a name, a path or a command looks like another. The two that join and part
/// letters (U+200C, U+200D) are not among them, for some languages cannot be written without.
pub fn hides(character: char) -> bool {
    let is_unseen = matches!(
        character,
        '\u{AD}'
            | '\u{61C}'
            | '\u{200B}'
            | '\u{200E}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}'
    );
    is_unseen || character.is_control()
}

/// A stranger's text for a terminal: its lines stay, and every other character that hides is written
/// out.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push('\n'),
            _ if hides(character) => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_keep_their_limits() {
        assert_eq!("ab".parse::<Text<2>>().unwrap().as_str(), "ab");
        let cases: [(&[u8], TextFault); 4] = [
            (b"", TextFault::Empty),
            (b"abc", TextFault::Long { bytes: 3, max: 2 }),
            (b"\xff", TextFault::NoUtf8),
            (b"a\0", TextFault::Hidden { code: 0 }),
        ];
        for (bytes, fault) in cases {
            assert_eq!(Text::<2>::read(bytes), Err(fault));
            assert_eq!(Line::<2>::read(bytes), Err(fault));
        }
        assert_eq!("é".parse::<Line<2>>().unwrap().to_string(), "é");
        assert!("é".parse::<Line<1>>().is_err(), "bytes count");
    }

    #[test]
    fn commands_have_lines_and_names_do_not() {
        assert!("a\n\tb".parse::<Text<9>>().is_ok());
        for hidden in [
            '\n', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}',
        ] {
            let text = format!("a{hidden}b");
            let code = u32::from(hidden);
            assert_eq!(text.parse::<Line<9>>(), Err(TextFault::Hidden { code }));
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        let tricky = "rm -rf ~\r\u{1b}[2Kecho hello\nls \u{202e}gpj";
        let written = "rm -rf ~\\u{d}\\u{1b}[2Kecho hello\nls \\u{202e}gpj";
        assert_eq!(shown(tricky), written);
    }

    proptest! {
        #[test]
        fn nothing_that_is_shown_hides(text in any::<String>()) {
            let shown = shown(&text);
            prop_assert!(shown.chars().all(|it| it == '\n' || !hides(it)));
            prop_assert_eq!(shown.lines().count(), shown.matches('\n').count() + usize::from(!shown.is_empty() && !shown.ends_with('\n')));
        }

        #[test]
        fn a_line_is_shown_as_it_stands(text in "[a-zA-Z0-9 äß/$|-]{1,40}") {
            let line: Line<80> = text.parse().unwrap();
            prop_assert_eq!(shown(line.as_str()), text);
        }
    }
}
