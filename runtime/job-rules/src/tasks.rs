//! Sets of tasks as bitmaps: what a batch names, and what of a job is settled.
//!
//! A job's settled tasks are a bitmap with one bit a task, least significant bit of each byte
//! first. Bytes beyond the end of the slice count as zero, so a job without settled tasks needs
//! none.

use alloc::vec::Vec;
use core::fmt;
use quern_primitives::{
    batch::TaskSet,
    ids::TaskIndex,
    limits::{TASKS_PER_JOB_MAX, VERDICTS_PER_BATCH_MAX},
};

const BITS: u32 = u8::BITS;

/// Why a set of tasks cannot be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskSetError {
    /// It names no task.
    Empty,
    /// It is not in its shortest form: `first` a multiple of 8, outer bytes not zero.
    NotShortest,
    /// It names a task that the job does not have.
    NotInJob {
        /// The first place beyond the job's tasks that is named, as a plain number.
        task: u64,
    },
    /// It names more tasks than [`VERDICTS_PER_BATCH_MAX`].
    TooMany {
        /// Tasks named.
        tasks: u32,
    },
    /// A task was settled before.
    AlreadySettled {
        /// The first such task.
        task: TaskIndex,
    },
}

impl fmt::Display for TaskSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the batch settles no task; name at least one"),
            Self::NotShortest => f.write_str(
                "the set of tasks is not in its shortest form; start at a multiple of 8 and leave \
                 out outer zero bytes",
            ),
            Self::NotInJob { task } => {
                write!(f, "the job has no task {task}; settle only tasks it has")
            }
            Self::TooMany { tasks } => write!(
                f,
                "{tasks} tasks are too many for one batch; settle at most {VERDICTS_PER_BATCH_MAX}"
            ),
            Self::AlreadySettled { task } => {
                write!(f, "task {task} is settled already; leave it out")
            }
        }
    }
}

impl core::error::Error for TaskSetError {}

/// A set of tasks of one job that is well formed: not empty, in its shortest form, of the job's
/// tasks only, and no more than one batch may settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidTasks<'a> {
    first: TaskIndex,
    bits: &'a [u8],
    count: u32,
}

/// Checks a set of tasks of a job with `job_tasks` tasks.
pub fn validate(set: &TaskSet, job_tasks: u32) -> Result<ValidTasks<'_>, TaskSetError> {
    let (first, bits) = (set.first, set.bits.as_slice());
    let (Some(lowest), Some(highest)) = (bits.first(), bits.last()) else {
        return Err(TaskSetError::Empty);
    };
    if !first.is_multiple_of(BITS) || *lowest == 0 || *highest == 0 {
        return Err(TaskSetError::NotShortest);
    }
    if let Some(task) = tasks_of(first, bits).find(|task| *task >= job_tasks.into()) {
        return Err(TaskSetError::NotInJob { task });
    }
    let count = count(bits);
    if count > VERDICTS_PER_BATCH_MAX {
        return Err(TaskSetError::TooMany { tasks: count });
    }
    Ok(ValidTasks { first, bits, count })
}

impl<'a> ValidTasks<'a> {
    /// How many tasks it names; at least one.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The tasks it names, ascending.
    pub fn iter(&self) -> impl Iterator<Item = TaskIndex> + 'a {
        tasks_of(self.first, self.bits).filter_map(|task| task.try_into().ok())
    }

    /// Fails with the first task that `settled` has already.
    pub fn check_unsettled(&self, settled: &[u8]) -> Result<(), TaskSetError> {
        match self.iter().find(|task| is_settled(settled, *task)) {
            Some(task) => Err(TaskSetError::AlreadySettled { task }),
            None => Ok(()),
        }
    }

    /// Adds the set to a bitmap of [`bitmap_bytes`] bytes of the same job.
    pub fn add_to(&self, settled: &mut [u8]) {
        let start = byte_of(self.first);
        for (byte, bits) in settled.iter_mut().skip(start).zip(self.bits) {
            *byte |= bits;
        }
    }
}

/// Takes a set, as a batch named it, from the bitmap of its job.
pub fn remove_from(set: &TaskSet, settled: &mut [u8]) {
    let start = byte_of(set.first);
    for (byte, bits) in settled.iter_mut().skip(start).zip(&set.bits) {
        *byte &= !bits;
    }
}

/// Bytes of the bitmap of a job with this many tasks.
pub fn bitmap_bytes(tasks: u32) -> u32 {
    tasks.div_ceil(BITS)
}

/// Whether the bitmap has this task.
pub fn is_settled(settled: &[u8], task: TaskIndex) -> bool {
    settled
        .get(byte_of(task))
        .is_some_and(|byte| byte & (1 << (task % BITS)) != 0)
}

/// How many tasks the bitmap has.
pub fn count(bits: &[u8]) -> u32 {
    bits.iter()
        .fold(0, |sum, byte| sum.saturating_add(byte.count_ones()))
}

/// Tasks that cannot be written as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectError {
    /// There are none.
    Empty,
    /// A task is not above the one before it.
    NotAscending {
        /// That task.
        task: TaskIndex,
    },
    /// A task is at or above [`TASKS_PER_JOB_MAX`].
    NoSuchTask {
        /// That task.
        task: TaskIndex,
    },
}

impl fmt::Display for CollectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no task; a batch settles at least one"),
            Self::NotAscending { task } => {
                write!(
                    f,
                    "task {task} is not above the one before; sort tasks, each once"
                )
            }
            Self::NoSuchTask { task } => {
                write!(
                    f,
                    "no job has a task {task}; the last is {}",
                    TASKS_PER_JOB_MAX - 1
                )
            }
        }
    }
}

impl core::error::Error for CollectError {}

/// Writes ascending tasks as a set in its shortest form.
pub fn collect(tasks: impl IntoIterator<Item = TaskIndex>) -> Result<TaskSet, CollectError> {
    let mut tasks = tasks.into_iter().peekable();
    let lowest = *tasks.peek().ok_or(CollectError::Empty)?;
    let start = byte_of(lowest);
    let mut bits = Vec::new();
    let mut before = None;
    for task in tasks {
        if before.is_some_and(|before| task <= before) {
            return Err(CollectError::NotAscending { task });
        }
        if task >= TASKS_PER_JOB_MAX {
            return Err(CollectError::NoSuchTask { task });
        }
        before = Some(task);
        let place = byte_of(task).saturating_sub(start);
        if bits.len() <= place {
            bits.resize(place.saturating_add(1), 0u8);
        }
        if let Some(byte) = bits.get_mut(place) {
            *byte |= 1 << (task % BITS);
        }
    }
    let bits = bits.try_into().map_err(|_| CollectError::NoSuchTask {
        task: TASKS_PER_JOB_MAX,
    })?;
    Ok(TaskSet {
        first: lowest.saturating_sub(lowest % BITS),
        bits,
    })
}

/// The byte of a bitmap that holds a task's bit.
fn byte_of(task: TaskIndex) -> usize {
    // A pointer has at least 32 bits wherever the chain or a client runs.
    (task / BITS) as usize
}

/// The places of the set bits, as numbers that cannot wrap however large `first` is.
fn tasks_of(first: TaskIndex, bits: &[u8]) -> impl Iterator<Item = u64> + '_ {
    (u64::from(first)..)
        .step_by(BITS as usize)
        .zip(bits)
        .flat_map(|(start, byte)| {
            (start..)
                .zip(0..BITS)
                .filter(move |(_, bit)| byte & (1 << bit) != 0)
                .map(|(task, _)| task)
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set(first: u32, bits: &[u8]) -> TaskSet {
        TaskSet {
            first,
            bits: bits.to_vec().try_into().unwrap(),
        }
    }

    #[test]
    fn the_lowest_bit_is_the_first_task() {
        let set = set(8, &[0b0000_0101, 0b1000_0000]);
        let valid = validate(&set, 24).unwrap();
        assert_eq!(valid.iter().collect::<Vec<_>>(), [8, 10, 23]);
        assert_eq!(valid.count(), 3);
    }

    #[test]
    fn a_set_in_any_but_its_shortest_form_is_refused() {
        assert_eq!(validate(&set(0, &[]), 8), Err(TaskSetError::Empty));
        for (first, bits) in [(4, &[1][..]), (0, &[0, 1]), (0, &[1, 0]), (0, &[0])] {
            assert_eq!(
                validate(&set(first, bits), 65_536),
                Err(TaskSetError::NotShortest)
            );
        }
    }

    #[test]
    fn a_task_beyond_the_job_is_named() {
        assert_eq!(
            validate(&set(8, &[0b11]), 9),
            Err(TaskSetError::NotInJob { task: 9 })
        );
        let last = u32::MAX - 7;
        assert_eq!(
            validate(&set(last, &[1, 1]), 9),
            Err(TaskSetError::NotInJob { task: last.into() })
        );
    }

    #[test]
    fn a_batch_may_settle_so_many_tasks_and_no_more() {
        let full = set(0, &[0xff; 512]);
        assert_eq!(
            validate(&full, TASKS_PER_JOB_MAX).unwrap().count(),
            VERDICTS_PER_BATCH_MAX
        );
        let mut over = [0xff; 513];
        over[512] = 1;
        assert_eq!(
            validate(&set(0, &over), TASKS_PER_JOB_MAX),
            Err(TaskSetError::TooMany {
                tasks: VERDICTS_PER_BATCH_MAX + 1
            })
        );
    }

    #[test]
    fn a_task_settled_before_is_named() {
        let set = set(0, &[0b1100]);
        let valid = validate(&set, 8).unwrap();
        assert_eq!(valid.check_unsettled(&[]), Ok(()));
        assert_eq!(valid.check_unsettled(&[0b0011]), Ok(()));
        let error = TaskSetError::AlreadySettled { task: 3 };
        assert_eq!(valid.check_unsettled(&[0b1001]), Err(error));
    }

    #[test]
    fn tasks_that_are_not_ascending_make_no_set() {
        assert_eq!(collect([]), Err(CollectError::Empty));
        assert_eq!(collect([3, 3]), Err(CollectError::NotAscending { task: 3 }));
        assert_eq!(collect([3, 2]), Err(CollectError::NotAscending { task: 2 }));
        let task = TASKS_PER_JOB_MAX;
        assert_eq!(collect([0, task]), Err(CollectError::NoSuchTask { task }));
    }

    proptest! {
        #[test]
        fn collected_tasks_read_back_and_join_like_sets(
            one in prop::collection::btree_set(0u32..3_000, 1..200),
            other in prop::collection::btree_set(0u32..3_000, 1..200),
        ) {
            let (set_one, set_other) =
                (collect(one.iter().copied()).unwrap(), collect(other.iter().copied()).unwrap());
            let valid = validate(&set_one, 3_000).unwrap();
            let valid_other = validate(&set_other, 3_000).unwrap();
            prop_assert_eq!(valid.iter().collect::<BTreeSet<_>>(), one.clone());
            prop_assert_eq!(valid.count() as usize, one.len());

            let mut settled = std::vec![0; bitmap_bytes(3_000) as usize];
            valid.add_to(&mut settled);
            let common = one.intersection(&other).next().copied();
            let expected = match common {
                Some(task) => Err(TaskSetError::AlreadySettled { task }),
                None => Ok(()),
            };
            prop_assert_eq!(valid_other.check_unsettled(&settled), expected);

            valid_other.add_to(&mut settled);
            let mut again = settled.clone();
            remove_from(&set_other, &mut again);
            let left = one.difference(&other).count();
            prop_assert_eq!(count(&again) as usize, left);
            let union: BTreeSet<_> = one.union(&other).copied().collect();
            prop_assert_eq!(count(&settled) as usize, union.len());
            prop_assert!((0..3_000).all(|task| is_settled(&settled, task) == union.contains(&task)));
        }

        #[test]
        fn any_bytes_are_judged_without_panic(
            first in prop_oneof![0u32..70_000, any::<u32>()],
            bits in prop::collection::vec(any::<u8>(), 0..600),
            job_tasks in 0..=TASKS_PER_JOB_MAX,
        ) {
            let set = set(first, &bits);
            if let Ok(valid) = validate(&set, job_tasks) {
                prop_assert_eq!(collect(valid.iter()), Ok(set.clone()));
                prop_assert!(valid.iter().all(|task| task < job_tasks));
            }
        }
    }
}
