//! Whose turn it is to be weighed again, and how long a task is open for one account more, found in all that
//! happened.

use super::*;
use proptest::prelude::*;

const TASKS: TaskIndex = 200;
const TEN_MINUTES_MS: u64 = 600_000;

/// Within so many turns of [`WEIGHED_MAX`] all tasks have theirs, and one more may be half through.
const TURNS: usize = TASKS as usize / WEIGHED_MAX + 2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    /// A device could not open a task.
    Comes(TaskIndex),
    /// A task is before the judge no more.
    Goes(TaskIndex),
    /// A task is wanted to be open for one account more.
    Opens(TaskIndex),
    /// Some have their turn.
    Turn,
}

fn happening() -> impl Strategy<Value = Happening> {
    // A few of them often, so that the same ones come and go.
    let task = || prop_oneof![1 => 0..TASKS, 1 => 60..64u32];
    prop_oneof![
        4 => task().prop_map(Happening::Comes),
        4 => task().prop_map(Happening::Goes),
        6 => task().prop_map(Happening::Opens),
        4 => Just(Happening::Turn),
    ]
}

type Story = [(Tick, Happening)];

/// What happened to a task since it came; nothing if it is not here.
fn stay(story: &Story, task: TaskIndex) -> &Story {
    let place_of = |wanted: Happening| move |(_, it): &(Tick, Happening)| *it == wanted;
    let gone = story.iter().rposition(place_of(Happening::Goes(task)));
    let since = &story[gone.map_or(0, |place| place + 1)..];
    let comes = since.iter().position(place_of(Happening::Comes(task)));
    &since[comes.unwrap_or(since.len())..]
}

/// For ten minutes from when it was first wanted.
fn is_open(story: &Story, task: TaskIndex, now: Tick) -> bool {
    let wanted = |(_, it): &&(Tick, Happening)| *it == Happening::Opens(task);
    let first = stay(story, task).iter().find(wanted);
    first.is_some_and(|(at, _)| now.since(*at) < TEN_MINUTES_MS)
}

/// Those behind the last one that had its turn, in their order, and then the others.
fn turn(story: &Story, last: Option<TaskIndex>) -> Vec<TaskIndex> {
    let here = (0..TASKS).filter(|task| !stay(story, *task).is_empty());
    let is_behind = |task: &TaskIndex| last.is_none_or(|last| last < *task);
    let (mut turn, before): (Vec<_>, Vec<_>) = here.partition(is_behind);
    turn.extend(before);
    turn.truncate(64);
    turn
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whoever_comes_and_goes_each_task_has_its_turn_and_is_open_for_ten_minutes(
        first in prop::collection::btree_set(0..TASKS, 0..150),
        happenings in prop::collection::vec((happening(), prop_oneof![
            3 => 0u64..2_000,
            2 => 0u64..400_000,
            1 => Just(TEN_MINUTES_MS),
        ]), 0..60),
    ) {
        let (mut unopened, mut now, mut last) = (Unopened::default(), Tick(0), None);
        let (mut story, mut turns) = (Vec::new(), Vec::new());
        for task in first {
            unopened.insert(task);
            story.push((now, Happening::Comes(task)));
        }
        for (happening, later_ms) in happenings {
            now = now.plus_ms(later_ms);
            story.push((now, happening));
            match happening {
                Happening::Comes(task) => unopened.insert(task),
                Happening::Goes(task) => unopened.remove(task),
                Happening::Opens(task) => {
                    let found = unopened.is_open_for_one_more(task, now);
                    prop_assert_eq!(found, is_open(&story, task, now));
                }
                Happening::Turn => {
                    let found = unopened.turn();
                    prop_assert_eq!(&found, &turn(&story, last));
                    last = found.last().copied().or(last);
                    turns.push((story.len(), found));
                }
            }
        }
        // Whoever was here all the time had a turn.
        if let Some((begin, _)) = turns.iter().rev().nth(TURNS - 1) {
            let lately = &turns[turns.len() - TURNS..];
            for task in 0..TASKS {
                let goes = |(_, it): &(Tick, Happening)| *it == Happening::Goes(task);
                let was_here = !stay(&story[..*begin], task).is_empty();
                let was_here = was_here && !story[*begin..].iter().any(goes);
                let had_turn = lately.iter().any(|(_, turn)| turn.contains(&task));
                prop_assert!(!was_here || had_turn, "{task}");
            }
        }
    }
}
