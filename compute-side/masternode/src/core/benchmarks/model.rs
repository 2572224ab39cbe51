//! When devices may be sent a benchmark, what they may decline, and since when they are not free, found in
//! all that happened to each.

use super::*;
use proptest::prelude::*;

const DEVICES: u8 = 3;
const MINUTE_MS: u64 = 60_000;
const SIX_HOURS_MS: u64 = 360 * MINUTE_MS;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    Sent,
    Declined,
    /// It asks for work, and could not be sent one that is due, or could, or none is.
    Asks {
        puts_off: bool,
    },
    Forgotten,
}

/// All that happened to a device, oldest first.
type Story = [(Tick, Happening)];

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        6 => Just(Happening::Sent),
        6 => Just(Happening::Declined),
        4 => any::<bool>().prop_map(|puts_off| Happening::Asks { puts_off }),
        1 => Just(Happening::Forgotten),
    ]
}

fn later_ms() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..3 * MINUTE_MS,
        4 => 0..90 * MINUTE_MS,
        1 => 0..2 * SIX_HOURS_MS,
        1 => Just(SIX_HOURS_MS),
    ]
}

/// What is known of a device: what happened since it was last forgotten.
fn known(story: &Story) -> &[(Tick, Happening)] {
    let forgotten = |(_, it): &(Tick, Happening)| *it == Happening::Forgotten;
    let last = story.iter().rposition(forgotten);
    &story[last.map_or(0, |place| place + 1)..]
}

/// A minute after the last one, and twice as long for each that was sent before it in a row of which none
/// came six hours after another; six hours at the most.
fn rests_until(story: &Story) -> Tick {
    let sent = known(story).iter().filter(|(_, it)| *it == Happening::Sent);
    let mut row: Vec<Tick> = vec![];
    for (at, _) in sent {
        if row
            .last()
            .is_some_and(|last| at.since(*last) >= SIX_HOURS_MS)
        {
            row.clear();
        }
        row.push(*at);
    }
    let Some(last) = row.pop() else {
        return Tick(0);
    };
    let doubled = |pause_ms: u64, _: Tick| (2 * pause_ms).min(SIX_HOURS_MS);
    last.plus_ms(row.into_iter().fold(MINUTE_MS, doubled))
}

/// When it declined one and owes nothing for that: three times in any six hours.
fn excused(story: &Story) -> Vec<Tick> {
    let declined = known(story)
        .iter()
        .filter(|(_, it)| *it == Happening::Declined);
    let mut excused: Vec<Tick> = vec![];
    for (at, _) in declined {
        let lately = |before: &&Tick| at.since(**before) < SIX_HOURS_MS;
        if excused.iter().filter(lately).count() < 3 {
            excused.push(*at);
        }
    }
    excused
}

/// When it first put one off of all the times since it was sent one, or asked without.
fn busy_since(story: &Story) -> Option<Tick> {
    let ends = [Happening::Sent, Happening::Asks { puts_off: false }];
    let story = known(story);
    let last = story.iter().rposition(|(_, it)| ends.contains(it));
    let since = &story[last.map_or(0, |place| place + 1)..];
    let puts_off = Happening::Asks { puts_off: true };
    let first = since.iter().find(|(_, it)| *it == puts_off);
    first.map(|(at, _)| *at)
}

proptest! {
    #[test]
    fn what_is_remembered_of_devices_is_what_their_whole_stories_tell(
        happenings in prop::collection::vec((0..DEVICES, happening(), later_ms()), 0..60),
    ) {
        let (mut benchmarks, mut now) = (Benchmarks::default(), Tick(0));
        benchmarks.know(u32::from(DEVICES) - 1);
        let mut stories = vec![vec![]; DEVICES.into()];
        for (device, happening, later_ms) in happenings {
            now = now.plus_ms(later_ms);
            let of = u32::from(device);
            let story = &mut stories[usize::from(device)];
            story.push((now, happening));
            match happening {
                Happening::Sent => benchmarks.sent(now, of),
                Happening::Declined => {
                    let before = excused(&story[..story.len() - 1]).len();
                    let is_excused = excused(story).len() > before;
                    prop_assert_eq!(benchmarks.declined(now, of), is_excused);
                }
                Happening::Asks { puts_off } => {
                    let since = benchmarks.heard(now, of, puts_off);
                    prop_assert_eq!(since, busy_since(story));
                }
                Happening::Forgotten => benchmarks.forget(of),
            }
            for (number, story) in (0..).zip(&stories) {
                // What is over already is as good as nothing.
                let rests = benchmarks.rests_until(number).max(now);
                prop_assert_eq!(rests, rests_until(story).max(now));
                if known(story).is_empty() {
                    prop_assert_eq!(benchmarks.of[number as usize], Past::default());
                }
            }
        }
    }
}
