//! Which tasks are settled.

use quern_primitives::{TaskIndex, limits::TASK_BITMAP_BYTES_MAX};

/// A set of tasks is none that a job can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TasksError {
    /// Its first task is none with which a byte of a job's tasks begins.
    #[error("the first task of a set is {first}, which is no multiple of 8")]
    NotAligned {
        /// The first task.
        first: TaskIndex,
    },
    /// It reaches beyond what a job may have.
    #[error("the set names tasks beyond those that any job may have")]
    Beyond,
}

/// A set of tasks: bit `i`, least significant bit of each byte first, stands for task `first + i`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Which byte of a job's tasks is the first.
    first_byte: usize,
    bits: Vec<u8>,
}

impl Tasks {
    /// A set, if a job can have it.
    pub fn new(first: TaskIndex, bits: Vec<u8>) -> Result<Self, TasksError> {
        if !first.is_multiple_of(8) {
            return Err(TasksError::NotAligned { first });
        }
        let first_byte = usize::try_from(first / 8).map_err(|_| TasksError::Beyond)?;
        let end = first_byte.checked_add(bits.len());
        if end.is_none_or(|end| end > TASK_BITMAP_BYTES_MAX as usize) {
            return Err(TasksError::Beyond);
        }
        Ok(Self { first_byte, bits })
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        count(&self.bits)
    }

    /// Adds them to the settled tasks of a job; returns those that were settled before.
    pub(crate) fn add_to(&self, settled: &mut Vec<u8>) -> Vec<TaskIndex> {
        let end = self.first_byte.saturating_add(self.bits.len());
        if settled.len() < end {
            settled.resize(end, 0);
        }
        let mut twice = Vec::new();
        let bytes = settled.iter_mut().enumerate().skip(self.first_byte);
        for ((place, old), new) in bytes.zip(&self.bits) {
            let both = *old & *new;
            let first = u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(8);
            let set = (0..8_u32).filter(|bit| both.wrapping_shr(*bit) & 1 == 1);
            twice.extend(set.map(|bit| first.saturating_add(bit)));
            *old |= *new;
        }
        twice
    }
}

impl Tasks {
    /// Takes them from the settled tasks of a job.
    pub(crate) fn remove_from(&self, settled: &mut [u8]) {
        let bytes = settled.iter_mut().skip(self.first_byte);
        for (old, struck) in bytes.zip(&self.bits) {
            *old &= !struck;
        }
    }
}

/// How many bits are set.
pub(crate) fn count(bits: &[u8]) -> u32 {
    bits.iter()
        .fold(0, |sum: u32, byte| sum.saturating_add(byte.count_ones()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_was_settled_before_is_named() {
        let mut settled = Vec::new();
        let set = |first, bits: &[u8]| Tasks::new(first, bits.to_vec()).unwrap();
        assert!(set(8, &[0b101, 1]).add_to(&mut settled).is_empty());
        assert_eq!(settled, [0, 0b101, 1]);
        assert!(set(0, &[1]).add_to(&mut settled).is_empty());
        assert_eq!(set(8, &[0b111, 1]).add_to(&mut settled), [8, 10, 16]);
        assert_eq!(count(&settled), 5);
        assert_eq!(set(8, &[0b101, 1]).count(), 3);
    }

    #[test]
    fn a_set_beyond_any_job_is_refused() {
        let longest = vec![1; TASK_BITMAP_BYTES_MAX as usize];
        assert!(Tasks::new(0, longest.clone()).is_ok());
        assert_eq!(Tasks::new(8, longest), Err(TasksError::Beyond));
        assert_eq!(Tasks::new(u32::MAX - 7, vec![1]), Err(TasksError::Beyond));
        let off = TasksError::NotAligned { first: 3 };
        assert_eq!(Tasks::new(3, vec![1]), Err(off));
    }
}
