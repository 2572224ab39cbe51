//! One line of a scene file: a directive, names, and fields `name=value`.

use crate::math::Vec3;

use super::error::SceneFault;

/// The largest number of a scene file, without its sign, where nothing narrower is asked.
pub(crate) const NUMBER_MAX: f32 = 1e6;

/// The range of lengths and scales.
pub(crate) const SIZE: (f32, f32) = (1e-4, 1e4);

/// A line that says something.
#[derive(Clone, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) directive: &'a str,
    words: Vec<&'a str>,
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Statement<'a> {
    /// Reads a line; `None` if it is empty or a comment.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        let text = line.split('#').next().unwrap_or_default();
        let mut parts = text.split_ascii_whitespace();
        let directive = parts.next()?;
        let (mut words, mut fields) = (Vec::new(), Vec::new());
        for part in parts {
            match part.split_once('=') {
                Some(field) => fields.push(field),
                None => words.push(part),
            }
        }
        Some(Self {
            directive,
            words,
            fields,
        })
    }

    /// Holds the line to so many words and to these fields, each at most once.
    pub(crate) fn only(
        &self,
        words: usize,
        known: &'static [&'static str],
    ) -> Result<(), SceneFault> {
        if let Some(word) = self.words.get(words) {
            return Err(SceneFault::UnexpectedWord {
                word: excerpt(word),
            });
        }
        for (place, (field, _)) in self.fields.iter().enumerate() {
            if !known.contains(field) {
                return Err(SceneFault::UnknownField {
                    field: excerpt(field),
                    known,
                });
            }
            if self
                .fields
                .iter()
                .take(place)
                .any(|(earlier, _)| earlier == field)
            {
                return Err(SceneFault::RepeatedField {
                    field: excerpt(field),
                });
            }
        }
        Ok(())
    }

    /// The word at a place after the directive.
    pub(crate) fn word(&self, place: usize, what: &'static str) -> Result<&'a str, SceneFault> {
        self.words
            .get(place)
            .copied()
            .ok_or(SceneFault::MissingName { what })
    }

    pub(crate) fn text(&self, field: &str) -> Option<&'a str> {
        self.fields
            .iter()
            .find(|(name, _)| *name == field)
            .map(|(_, value)| *value)
    }

    pub(crate) fn required_text(&self, field: &'static str) -> Result<&'a str, SceneFault> {
        self.text(field).ok_or(SceneFault::MissingField { field })
    }

    /// A number within a range, if the field is there.
    pub(crate) fn number(
        &self,
        field: &'static str,
        (low, high): (f32, f32),
    ) -> Result<Option<f32>, SceneFault> {
        let Some(text) = self.text(field) else {
            return Ok(None);
        };
        let value = parse_within(text, low, high);
        let bad = || SceneFault::BadNumber {
            field,
            text: excerpt(text),
            low,
            high,
        };
        value.ok_or_else(bad).map(Some)
    }

    /// Three numbers within a range, or one that stands for all three, if the field is there.
    pub(crate) fn vector_within(
        &self,
        field: &'static str,
        (low, high): (f32, f32),
    ) -> Result<Option<Vec3>, SceneFault> {
        let Some(text) = self.text(field) else {
            return Ok(None);
        };
        let mut numbers = text.split(',').map(|part| parse_within(part, low, high));
        let value = match (
            numbers.next(),
            numbers.next(),
            numbers.next(),
            numbers.next(),
        ) {
            (Some(Some(x)), Some(Some(y)), Some(Some(z)), None) => Some(Vec3::new(x, y, z)),
            (Some(Some(all)), None, ..) => Some(Vec3::splat(all)),
            _ => None,
        };
        let bad = || SceneFault::BadVector {
            field,
            text: excerpt(text),
            low,
            high,
        };
        value.ok_or_else(bad).map(Some)
    }

    /// A point or direction: always three numbers.
    pub(crate) fn vector(&self, field: &'static str) -> Result<Option<Vec3>, SceneFault> {
        let (low, high) = (-NUMBER_MAX, NUMBER_MAX);
        match self.text(field) {
            Some(text) if !text.contains(',') => Err(SceneFault::BadVector {
                field,
                text: excerpt(text),
                low,
                high,
            }),
            _ => self.vector_within(field, (low, high)),
        }
    }

    pub(crate) fn required_vector(&self, field: &'static str) -> Result<Vec3, SceneFault> {
        self.vector(field)?
            .ok_or(SceneFault::MissingField { field })
    }

    /// A colour that reflects: each channel 0 to 1.
    pub(crate) fn colour(&self, field: &'static str) -> Result<Option<Vec3>, SceneFault> {
        self.vector_within(field, (0.0, 1.0))
    }

    /// Light: each channel at or above 0.
    pub(crate) fn light(&self, field: &'static str) -> Result<Option<Vec3>, SceneFault> {
        self.vector_within(field, (0.0, NUMBER_MAX))
    }

    /// A direction, brought to length one.
    pub(crate) fn direction(&self, field: &'static str) -> Result<Option<Vec3>, SceneFault> {
        let Some(vector) = self.vector(field)? else {
            return Ok(None);
        };
        vector
            .normalized()
            .ok_or(SceneFault::NoDirection { field })
            .map(Some)
    }
}

fn parse_within(text: &str, low: f32, high: f32) -> Option<f32> {
    text.parse()
        .ok()
        .filter(|value| (low..=high).contains(value))
}

/// As much of a hostile word as an error message should carry.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
