//! A probability of failure, between 0 and 1.

use std::{fmt, str::FromStr};

/// How likely it is that something fails: a device with a task, or some task of a job.
///
/// Written as a fraction or in percent: `0.05` or `5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct FailureProbability(f64);

/// A number is no probability.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FailureProbabilityError {
    /// It is not even a number.
    #[error("a probability must be a number; give one from 0 to 1")]
    NotANumber,
    /// Nothing is rarer than never or more frequent than always.
    #[error("{value} is no probability; give a number from 0 to 1, or from 0% to 100%")]
    Outside {
        /// What was given.
        value: f64,
    },
    /// A text is neither a fraction nor a percentage.
    #[error("`{text}` is no probability; write it as 0.05 or 5%")]
    NotWrittenSo {
        /// What was written.
        text: String,
    },
}

impl FailureProbability {
    /// Of what never fails.
    pub const NEVER: Self = Self(0.0);

    /// Of what always fails.
    pub const ALWAYS: Self = Self(1.0);

    /// A number as a probability.
    pub fn new(value: f64) -> Result<Self, FailureProbabilityError> {
        if value.is_nan() {
            return Err(FailureProbabilityError::NotANumber);
        }
        if !(0.0..=1.0).contains(&value) {
            return Err(FailureProbabilityError::Outside { value });
        }
        // A negative zero becomes a plain one.
        Ok(Self(value + 0.0))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Its natural logarithm; minus infinity for what never fails.
    pub(super) fn ln(self) -> f64 {
        libm::log(self.0)
    }

    /// The probability of failure where success has this natural logarithm.
    pub(super) fn where_ln_success(ln_success: f64) -> Self {
        // Rounding may leave the interval by one step; a negative zero becomes a plain one.
        Self((-libm::expm1(ln_success)).clamp(0.0, 1.0) + 0.0)
    }
}

/// `ln(1 - e^x)` for `x` from minus infinity to 0, to the last digits at both ends.
///
/// Near 0 the difference is taken by `expm1`, elsewhere by `log1p`, as R's `log1mexp` does.
pub(super) fn ln_of_complement(x: f64) -> f64 {
    if x > -std::f64::consts::LN_2 {
        libm::log(-libm::expm1(x))
    } else {
        libm::log1p(-libm::exp(x))
    }
}

impl FromStr for FailureProbability {
    type Err = FailureProbabilityError;

    fn from_str(text: &str) -> Result<Self, FailureProbabilityError> {
        let not_written_so = |_| FailureProbabilityError::NotWrittenSo {
            text: text.to_owned(),
        };
        let Some(percent) = text.trim().strip_suffix('%').map(str::trim_end) else {
            return Self::new(text.trim().parse().map_err(not_written_so)?);
        };
        // Moving the point in the text, `7` to `7e-2`, rounds once; dividing would round twice.
        let moved: Result<f64, _> = match percent.ends_with(|digit: char| digit.is_ascii_digit())
            && !percent.contains(['e', 'E'])
        {
            true => format!("{percent}e-2").parse(),
            false => percent.parse::<f64>().map(|value| value / 100.0),
        };
        Self::new(moved.map_err(not_written_so)?)
    }
}

/// In percent with four significant digits, such as `25.91 %`; below a millionth as `3.2e-9`.
impl fmt::Display for FailureProbability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 {
            return f.write_str("0 %");
        }
        let scientific = format!("{:.3e}", self.0);
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        match exponent.parse::<usize>().or_else(|_| exponent[1..].parse()) {
            Ok(places @ 0..=6) => {
                let percent = format!("{:.*}", places + 1, self.0 * 100.0);
                // What is not certain does not look so.
                if percent == "100.0" && self.0 < 1.0 {
                    return f.write_str("over 99.99 %");
                }
                write!(f, "{} %", without_trailing_zeros(&percent))
            }
            _ => write!(f, "{}e{exponent}", without_trailing_zeros(digits)),
        }
    }
}

/// A decimal fraction without the zeros at its end.
fn without_trailing_zeros(fraction: &str) -> &str {
    fraction.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<f64, FailureProbabilityError> {
        text.parse().map(FailureProbability::get)
    }

    #[test]
    fn probabilities_read_as_people_write_them() {
        for (text, value) in [
            ("0.05", 0.05),
            ("5%", 0.05),
            (" 0.005 % ", 0.000_05),
            ("13.4%", 0.134),
            ("0.1%", 0.001),
            ("1e-3", 0.001),
            ("1e-1%", 0.001),
            ("0", 0.0),
            ("100%", 1.0),
            ("-0", 0.0),
        ] {
            assert_eq!(read(text), Ok(value), "{text}");
        }
        assert!(read("-0").unwrap().is_sign_positive());
    }

    #[test]
    fn what_is_no_probability_is_refused_in_words() {
        for text in ["", "%", "five", "5 percent", "0,05", "1%%"] {
            let error = read(text).unwrap_err();
            assert!(
                matches!(error, FailureProbabilityError::NotWrittenSo { .. }),
                "{text}: {error:?}"
            );
            assert!(error.to_string().contains("5%"), "{error}");
        }
        for text in ["-0.1", "1.5", "101%", "inf", "-inf", "1e999"] {
            let error = read(text).unwrap_err();
            assert!(
                matches!(error, FailureProbabilityError::Outside { .. }),
                "{text}: {error:?}"
            );
        }
        assert_eq!(read("nan"), Err(FailureProbabilityError::NotANumber));
    }

    #[test]
    fn four_digits_are_shown_and_no_trailing_zeros() {
        for (value, shown) in [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.259_123_3, "25.91 %"),
            (0.01, "1 %"),
            (0.002_496_88, "0.2497 %"),
            (0.000_05, "0.005 %"),
            (3.2e-9, "3.2e-9"),
            (0.2, "20 %"),
            (0.999_9, "99.99 %"),
            (0.999_96, "over 99.99 %"),
        ] {
            assert_eq!(FailureProbability(value).to_string(), shown);
        }
    }

    #[test]
    fn complements_keep_their_digits_at_both_ends() {
        assert_eq!(ln_of_complement(f64::NEG_INFINITY), 0.0);
        assert_eq!(ln_of_complement(0.0), f64::NEG_INFINITY);
        // 1 - e^-1e-20 is 1e-20, which a plain difference takes for 0.
        assert!((ln_of_complement(-1e-20) - libm::log(1e-20)).abs() < 1e-12);
        // ln(1 - e^-100) is -e^-100, which a plain difference takes for 0 as well.
        assert!((ln_of_complement(-100.0) / -libm::exp(-100.0) - 1.0).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,20}") {
            let _ = read(&text);
        }

        #[test]
        fn a_fraction_and_its_percentage_are_the_same(hundredths_of_a_percent in 0u32..=10_000) {
            let fraction = format!("0.{hundredths_of_a_percent:04}");
            let (whole, part) = (hundredths_of_a_percent / 100, hundredths_of_a_percent % 100);
            prop_assume!(hundredths_of_a_percent < 10_000);
            prop_assert_eq!(read(&fraction), read(&format!("{whole}.{part:02}%")));
        }
    }
}
