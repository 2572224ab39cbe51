//! Putting results together: they come in any order and leave in the order of their tasks.
//!
//! What is not next is held, up to a limit of bytes. What is next is always taken, so a caller that
//! asks for the lowest [`missing`](Assembler::missing) tasks first never stands still.

use quern_primitives::TaskIndex;
use std::collections::BTreeMap;

/// Why a result was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// The job has no such task.
    #[error("there is no task {task} among {tasks}; check the job")]
    NoSuchTask {
        /// The task named.
        task: TaskIndex,
        /// The job's number of tasks.
        tasks: u32,
    },
    /// The task's result came before.
    #[error("the result of task {task} came before; drop this one")]
    CameBefore {
        /// The task.
        task: TaskIndex,
    },
}

/// What became of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// These follow what left before, in order: this result and all that waited for it.
    Ready(Vec<Vec<u8>>),
    /// It waits for results before it.
    Held,
    /// There is no room to hold it; here it is back. Bring the lowest missing results first.
    NoRoom(Vec<u8>),
}

/// Puts the results of one job in order.
#[derive(Clone, Debug)]
pub struct Assembler {
    tasks: u32,
    next: TaskIndex,
    held: BTreeMap<TaskIndex, Vec<u8>>,
    held_bytes: u64,
    held_bytes_max: u64,
}

impl Assembler {
    /// For a job with so many tasks; holds at most `held_bytes_max` of results that are not next.
    pub fn new(tasks: u32, held_bytes_max: u64) -> Self {
        Self {
            tasks,
            next: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
            held_bytes_max,
        }
    }

    /// For a job whose results before `next` were put together before.
    pub fn resume(tasks: u32, next: TaskIndex, held_bytes_max: u64) -> Self {
        Self {
            next: next.min(tasks),
            ..Self::new(tasks, held_bytes_max)
        }
    }

    /// Takes the result of a task.
    pub fn place(&mut self, task: TaskIndex, result: Vec<u8>) -> Result<Placed, AssembleError> {
        if task >= self.tasks {
            return Err(AssembleError::NoSuchTask {
                task,
                tasks: self.tasks,
            });
        }
        if task < self.next || self.held.contains_key(&task) {
            return Err(AssembleError::CameBefore { task });
        }
        if task == self.next {
            return Ok(Placed::Ready(self.release(result)));
        }
        let held_bytes = self.held_bytes.saturating_add(result.len() as u64);
        if held_bytes > self.held_bytes_max {
            return Ok(Placed::NoRoom(result));
        }
        self.held_bytes = held_bytes;
        self.held.insert(task, result);
        Ok(Placed::Held)
    }

    /// The tasks whose results have not come, lowest first: the order to fetch them in.
    pub fn missing(&self) -> impl Iterator<Item = TaskIndex> + '_ {
        (self.next..self.tasks).filter(|task| !self.held.contains_key(task))
    }

    /// The task whose result leaves next; the number of tasks when all have left.
    pub fn next_task(&self) -> TaskIndex {
        self.next
    }

    /// Bytes of results that wait.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Whether every result has left.
    pub fn is_complete(&self) -> bool {
        self.next == self.tasks
    }

    fn release(&mut self, first: Vec<u8>) -> Vec<Vec<u8>> {
        let mut ready = vec![first];
        self.next += 1;
        while let Some(result) = self.held.remove(&self.next) {
            self.held_bytes -= result.len() as u64;
            ready.push(result);
            self.next += 1;
        }
        ready
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn results_leave_in_order_whatever_order_they_come_in(
            order in Just((0u32..40).collect::<Vec<_>>()).prop_shuffle(), held_bytes_max in 0u64..400,
        ) {
            let result = |task: u32| vec![task.to_le_bytes()[0]; task as usize % 7];
            let mut assembler = Assembler::new(40, held_bytes_max);
            let mut output = Vec::new();
            let mut waiting = order;
            while !assembler.is_complete() {
                let mut refused = Vec::new();
                for task in waiting {
                    match assembler.place(task, result(task)).unwrap() {
                        Placed::Ready(ready) => output.extend(ready),
                        Placed::Held => {}
                        Placed::NoRoom(back) => {
                            prop_assert_eq!(back, result(task));
                            refused.push(task);
                        }
                    }
                    prop_assert!(assembler.held_bytes() <= held_bytes_max);
                }
                let mut missing: Vec<_> = assembler.missing().collect();
                prop_assert!(missing.is_sorted());
                refused.sort_unstable();
                prop_assert_eq!(&missing, &refused);
                missing.reverse();
                waiting = missing;
            }
            prop_assert_eq!(output, (0..40).map(result).collect::<Vec<_>>());
            prop_assert_eq!(assembler.held_bytes(), 0);
        }
    }

    #[test]
    fn a_result_comes_once_and_for_a_task_there_is() {
        let mut assembler = Assembler::new(3, 100);
        assert_eq!(assembler.place(1, vec![1]), Ok(Placed::Held));
        assert_eq!(
            assembler.place(1, vec![1]),
            Err(AssembleError::CameBefore { task: 1 })
        );
        assert_eq!(
            assembler.place(0, vec![0]),
            Ok(Placed::Ready(vec![vec![0], vec![1]]))
        );
        assert_eq!(
            assembler.place(0, vec![0]),
            Err(AssembleError::CameBefore { task: 0 })
        );
        let refused = assembler.place(3, vec![]);
        assert_eq!(
            refused,
            Err(AssembleError::NoSuchTask { task: 3, tasks: 3 })
        );
        assert_eq!(assembler.missing().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn assembling_goes_on_where_it_stopped() {
        let mut assembler = Assembler::resume(3, 2, 0);
        assert_eq!(
            assembler.place(1, vec![]),
            Err(AssembleError::CameBefore { task: 1 })
        );
        assert_eq!(
            assembler.place(2, vec![2]),
            Ok(Placed::Ready(vec![vec![2]]))
        );
        assert!(assembler.is_complete());
        assert!(Assembler::resume(3, 3, 0).is_complete());
    }
}
