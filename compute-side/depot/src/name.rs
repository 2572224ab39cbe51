//! What things are called in a depot, and in the folder or bucket under it.

use quern_primitives::{
    DeviceId, JobId, TaskIndex,
    ids::ReplicaIndex,
    limits::{REPLICAS_PER_TASK_MAX, TASKS_PER_JOB_MAX},
};
use std::fmt;

/// Bytes of one thing, at most: a result of the greatest length, sealed, has room.
pub const ITEM_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// How the name of a file ends that is not whole.
pub(crate) const PART: &str = "part";

/// A thing of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Whose it is.
    pub job: JobId,
    /// Which thing of it.
    pub item: Item,
}

/// Which thing of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// The sealed manifest.
    Manifest,
    /// The program.
    Program,
    /// A sealed shard.
    Shard(TaskIndex),
    /// A sealed result.
    Result(TaskIndex, ReplicaIndex, DeviceId),
}

impl Item {
    /// Whether it is what a job is computed from, and not what came of it.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Result(..))
    }
}

impl Name {
    /// What it is called in a folder or bucket, with `/` between the parts: `JOB/manifest`, `JOB/program.wasm`,
    /// `JOB/shards/3`, `JOB/results/3/0-DEVICE`; job and device are 64 hexadecimal digits. Two names never have one
    /// key, and none is the beginning of another's up to a `/`.
    pub fn key(&self) -> String {
        let job = hex::encode(self.job.0);
        match self.item {
            Item::Manifest => format!("{job}/manifest"),
            Item::Program => format!("{job}/program.wasm"),
            Item::Shard(task) => format!("{job}/shards/{task}"),
            Item::Result(task, replica, device) => {
                format!("{job}/results/{task}/{replica}-{}", hex::encode(device.0))
            }
        }
    }

    /// The name with that key; none if no name has exactly that one, whatever it looks like.
    pub fn of_key(key: &str) -> Option<Self> {
        let (job, rest) = key.split_once('/')?;
        let item = match *rest.split('/').collect::<Vec<_>>().as_slice() {
            ["manifest"] => Item::Manifest,
            ["program.wasm"] => Item::Program,
            ["shards", task] => Item::Shard(task.parse().ok()?),
            ["results", task, result] => {
                let (replica, device) = result.split_once('-')?;
                let device = DeviceId(id(device)?);
                Item::Result(task.parse().ok()?, replica.parse().ok()?, device)
            }
            _ => return None,
        };
        let name = Self {
            job: JobId(id(job)?),
            item,
        };
        (name.is_possible() && name.key() == key).then_some(name)
    }

    /// What it is called while it is not whole: the last part of the key with another ending.
    pub(crate) fn part_key(&self) -> String {
        let key = self.key();
        match key.strip_suffix(".wasm") {
            Some(stem) => format!("{stem}.{PART}"),
            None => format!("{key}.{PART}"),
        }
    }

    /// The name with that [part key](Self::part_key).
    pub(crate) fn of_part_key(key: &str) -> Option<Self> {
        let stem = key.strip_suffix(PART)?.strip_suffix('.')?;
        Self::of_key(stem).or_else(|| Self::of_key(&format!("{stem}.wasm")))
    }

    /// Whether a job can have it. What a masternode computed itself has the greatest number of a replica there is.
    fn is_possible(&self) -> bool {
        match self.item {
            Item::Manifest | Item::Program => true,
            Item::Shard(task) => task < TASKS_PER_JOB_MAX,
            Item::Result(task, replica, _) => {
                task < TASKS_PER_JOB_MAX
                    && (replica < REPLICAS_PER_TASK_MAX || replica == ReplicaIndex::MAX)
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

fn id(digits: &str) -> Option<[u8; 32]> {
    let mut id = [0; 32];
    hex::decode_to_slice(digits, &mut id).ok()?;
    Some(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items() -> impl Strategy<Value = Item> {
        prop_oneof![
            Just(Item::Manifest),
            Just(Item::Program),
            (0..TASKS_PER_JOB_MAX).prop_map(Item::Shard),
            (
                0..TASKS_PER_JOB_MAX,
                prop_oneof![0..REPLICAS_PER_TASK_MAX, Just(ReplicaIndex::MAX)],
                any::<[u8; 32]>()
            )
                .prop_map(|(task, replica, device)| Item::Result(
                    task,
                    replica,
                    DeviceId(device)
                )),
        ]
    }

    proptest! {
        #[test]
        fn a_name_is_read_from_its_key_and_from_its_parts(job: [u8; 32], item in items()) {
            let name = Name { job: JobId(job), item };
            prop_assert_eq!(Name::of_key(&name.key()), Some(name));
            prop_assert_eq!(Name::of_part_key(&name.part_key()), Some(name));
            prop_assert_eq!(Name::of_key(&name.part_key()), None);
            prop_assert_eq!(Name::of_part_key(&name.key()), None);
        }

        #[test]
        fn a_key_of_any_kind_is_a_names_own_or_nobodys(key in "[0-9a-fA-F]{64}/(shards|results|manifest)[-/0-9a-f+.]{0,90}") {
            if let Some(name) = Name::of_key(&key) {
                prop_assert_eq!(name.key(), key);
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_name_is_none() {
        let job = hex::encode([7; 32]);
        let device = hex::encode([8; 32]);
        let more = TASKS_PER_JOB_MAX.to_string();
        for rest in [
            "manifest/",
            "manifest.part",
            "program",
            "program.wasm.part",
            "shards/",
            "shards/03",
            "shards/+3",
            "shards/-1",
            "shards/3/",
            "shards/../manifest",
            &format!("shards/{more}"),
            &format!("results/{more}/0-{device}"),
            &format!("results/3/15-{device}"),
            &format!("results/3/0-{}", device.to_uppercase().replace('8', "A")),
            "results/3/0-08",
            "results/3",
        ] {
            assert_eq!(Name::of_key(&format!("{job}/{rest}")), None, "{rest}");
        }
        assert_eq!(Name::of_key("manifest"), None);
        assert_eq!(
            Name::of_key(&format!(
                "{}/manifest",
                job.to_uppercase().replace('0', "A")
            )),
            None
        );
        assert_eq!(Name::of_key(""), None);
    }
}
