//! After how many tasks a device is out.
//!
//! A device of which each task is at fault with chance `q`, whatever happened at the others, gets nothing
//! any more in two ways: for a while after three faults in a row, and until it is reviewed once more than
//! half of its last [`WINDOW`] tasks were faults. How many tasks that takes is chance, so it
//! is said with a doubt: the least number of tasks after which it has happened but for a chance of at most
//! so much.
//!
//! **Three in a row.** Let `a`, `b`, `c` be the chances that no three came in a row yet and that the last
//! tasks end with none, one or two faults. At the beginning `a = 1`, and with each task
//!
//! ```text
//! a' = (1 - q) (a + b + c),  b' = q a,  c' = q b
//! ```
//!
//! so `a + b + c` after `n` tasks is the chance that the device has not had to wait by then: exact.
//!
//! **More than half of the window.** Cut `n` tasks into stretches of `s` tasks, where `s` is more than half
//! of the window and at most all of it. If the device is not out, none of the stretches has more faults than
//! half of a window: the chance is at most `P(Bin(s, q) <= 10)` to the power of `floor(n / s)`. The stretch
//! that gives the fewest tasks is taken. For a device that is always at fault it has eleven tasks, and so
//! it is exact there.
//!
//! A task counts when its verdict names the device, in the order of the verdicts. What the device was given
//! before is judged after it is out, and is no more than what was out at that moment.

use super::{IN_A_ROW, WINDOW};

/// Above so many tasks no number is named: who is so seldom at fault is not out.
pub const TASKS_MAX: u32 = 1_000_000;

/// Faults that are borne in a window.
const BORNE: u32 = WINDOW / 2;

/// Tasks after which a device that is at fault with this chance at each has had to wait, but for a doubt of
/// at most so much. None where a number is no chance or doubt, or more than [`TASKS_MAX`] would be needed.
pub fn tasks_until_waiting(share: f64, doubt: f64) -> Option<u32> {
    check(share, doubt)?;
    let mut ends_with = [0.0; IN_A_ROW as usize];
    if let Some(none) = ends_with.first_mut() {
        *none = 1.0;
    }
    (1..=TASKS_MAX).find(|_| {
        let all: f64 = ends_with.iter().sum();
        // Whoever has one fault more than it ends with is in the next place, or out behind the last.
        ends_with.rotate_right(1);
        ends_with.iter_mut().for_each(|chance| *chance *= share);
        if let Some(none) = ends_with.first_mut() {
            *none = (1.0 - share) * all;
        }
        ends_with.iter().sum::<f64>() <= doubt
    })
}

/// Tasks after which the failures of a device that is at fault with this chance at each are repeated, but for
/// a doubt of at most so much: it gets nothing until it is reviewed. None where a number is no chance or
/// doubt, or more than [`TASKS_MAX`] would be needed.
pub fn tasks_until_repeated(share: f64, doubt: f64) -> Option<u32> {
    check(share, doubt)?;
    let of_stretch = |tasks: u32| {
        let borne = borne(tasks, share);
        let stretches = match borne {
            _ if borne <= doubt => 1.0,
            _ if borne < 1.0 => (doubt.ln() / borne.ln()).ceil(),
            _ => f64::INFINITY,
        };
        let needed = stretches * f64::from(tasks);
        // Whole, and not above the limit.
        (needed <= f64::from(TASKS_MAX)).then_some(needed as u32)
    };
    (BORNE + 1..=WINDOW).filter_map(of_stretch).min()
}

/// The chance that no more of so many tasks are faults than are borne in a window.
fn borne(tasks: u32, share: f64) -> f64 {
    // The chances of no fault, one, two and so on.
    let mut of_faults = vec![0.0; BORNE as usize + 1];
    if let Some(none) = of_faults.first_mut() {
        *none = 1.0;
    }
    for _ in 0..tasks {
        let mut from_fewer = 0.0;
        for chance in &mut of_faults {
            let here = *chance;
            *chance = here * (1.0 - share) + from_fewer;
            from_fewer = here * share;
        }
    }
    of_faults.iter().sum::<f64>().min(1.0)
}

/// A chance above none, and a doubt above none.
fn check(share: f64, doubt: f64) -> Option<()> {
    let is_chance = share > 0.0 && share <= 1.0;
    let is_doubt = doubt > 0.0 && doubt < 1.0;
    (is_chance && is_doubt).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Tick,
        faults::{Ending, Faults},
    };

    const DOUBT: f64 = 1e-9;

    #[test]
    fn a_device_that_is_always_at_fault_waits_after_three_tasks_and_is_in_quarantine_after_eleven()
    {
        assert_eq!(tasks_until_waiting(1.0, DOUBT), Some(3));
        assert_eq!(tasks_until_repeated(1.0, DOUBT), Some(11));
        let mut faults = Faults::default();
        for task in 1..=11 {
            faults.note(Tick(0), Ending::INCORRECT);
            assert_eq!(faults.waits_until(Tick(0)).is_some(), task >= 3);
            assert_eq!(faults.is_repeated(), task >= 11);
        }
    }

    #[test]
    fn the_seldomer_a_device_is_at_fault_the_more_tasks_it_takes() {
        let shares = [1.0, 0.9, 0.75, 0.5, 0.25, 0.1];
        for until in [tasks_until_waiting, tasks_until_repeated] {
            let tasks = shares.map(|share| until(share, 1e-3).unwrap_or(u32::MAX));
            assert!(tasks.is_sorted(), "{tasks:?}");
        }
        // A thousandth of its tasks: three in a row come once in a thousand million.
        assert_eq!(tasks_until_waiting(0.001, DOUBT), None);
        assert_eq!(tasks_until_repeated(0.1, DOUBT), None);
    }

    #[test]
    fn the_less_doubt_the_more_tasks() {
        for until in [tasks_until_waiting, tasks_until_repeated] {
            let tasks = [0.5, 1e-2, 1e-6, 1e-9].map(|doubt| until(0.75, doubt));
            assert!(tasks.is_sorted() && tasks.iter().all(Option::is_some));
        }
    }

    #[test]
    fn what_is_no_chance_or_no_doubt_has_no_number() {
        for share in [0.0, -0.5, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(tasks_until_waiting(share, DOUBT), None);
            assert_eq!(tasks_until_repeated(share, DOUBT), None);
        }
        for doubt in [0.0, -0.5, 1.0, f64::NAN] {
            assert_eq!(tasks_until_waiting(0.5, doubt), None);
            assert_eq!(tasks_until_repeated(0.5, doubt), None);
        }
    }

    /// Every course of so few tasks, weighed: how likely it is that none of them has three in a row.
    #[test]
    fn the_chance_of_three_in_a_row_is_that_of_all_courses_that_have_them() {
        const TASKS: u32 = 12;
        for share in [0.25, 0.5, 0.75] {
            let mut spared = 0.0;
            for course in 0..1u32 << TASKS {
                let faults = course.count_ones();
                if course & course >> 1 & course >> 2 == 0 {
                    let honest = (TASKS - faults) as i32;
                    spared += f64::powi(share, faults as i32) * f64::powi(1.0 - share, honest);
                }
            }
            // With a little more doubt than that it is the number of tasks, and with a little less it is not.
            let above = tasks_until_waiting(share, spared * 1.000_001).unwrap();
            let below = tasks_until_waiting(share, spared * 0.999_999).unwrap();
            assert!(above <= TASKS && below > TASKS, "{share}: {above} {below}");
        }
    }

    /// Devices by the thousand, each drawn by numbers that follow from its own.
    #[test]
    fn no_more_devices_than_the_doubt_says_are_not_out_by_then() {
        const DEVICES: u32 = 20_000;
        let mut state = 1u64;
        let mut draw = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) >> 11
        };
        for share in [0.6, 0.75, 0.9] {
            let doubt = 0.01;
            let waiting = tasks_until_waiting(share, doubt).unwrap();
            let repeated = tasks_until_repeated(share, doubt).unwrap();
            let (mut spared, mut borne) = (0, 0);
            for _ in 0..DEVICES {
                let (mut faults, mut has_waited, mut was_repeated) =
                    (Faults::default(), false, false);
                for task in 1..=waiting.max(repeated) {
                    let is_fault = (draw() as f64) < share * (1u64 << 53) as f64;
                    let ending = match is_fault {
                        true => Ending::INCORRECT,
                        false => Ending::COMPLETED,
                    };
                    faults.note(Tick(0), ending);
                    has_waited |= task <= waiting && faults.waits_until(Tick(0)).is_some();
                    was_repeated |= task <= repeated && faults.is_repeated();
                }
                spared += u32::from(!has_waited);
                borne += u32::from(!was_repeated);
            }
            // One in a hundred, and four deviations of that.
            assert!(spared < 260, "{share}: {spared}");
            assert!(borne < 260, "{share}: {borne}");
            // The first number is exact, so there are as many as it says.
            assert!(spared > 40, "{share}: {spared}");
        }
    }
}
