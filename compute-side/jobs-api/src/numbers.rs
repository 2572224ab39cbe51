//! Numbers as people read them, in whatever program says them.

/// A number with its digits in groups of three, such as `1,234,567`. One that no 64 bits hold is as large
/// as they can say.
pub fn grouped(number: impl TryInto<u64>) -> String {
    let digits = whole(number).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, such as `1 device` and `1,234 devices`.
pub fn counted(number: impl TryInto<u64>, thing: &str) -> String {
    counted_as(number, thing, &format!("{thing}s"))
}

/// The same where the word for several is another one, such as `1 process` and `2 processes`.
pub fn counted_as(number: impl TryInto<u64>, one: &str, several: &str) -> String {
    let number = whole(number);
    let things = if number == 1 { one } else { several };
    format!("{} {things}", grouped(number))
}

fn whole(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups_of_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (19_985, "19,985")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(1_234_567u64), "1,234,567");
        assert_eq!(grouped(u128::MAX), grouped(u64::MAX));
    }

    #[test]
    fn one_is_one_thing_and_every_other_number_several() {
        assert_eq!(counted(0u8, "tile"), "0 tiles");
        assert_eq!(counted(1usize, "tile"), "1 tile");
        assert_eq!(counted(19_985u32, "task"), "19,985 tasks");
        assert_eq!(counted_as(1u32, "batch", "batches"), "1 batch");
        assert_eq!(counted_as(2u32, "batch", "batches"), "2 batches");
    }
}
