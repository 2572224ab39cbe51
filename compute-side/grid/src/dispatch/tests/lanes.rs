//! What lanes are for: accounts that act together, are first, and take all that they can.

use super::*;

/// So many accounts of a grid act together on a job of so many tasks and replicas.
struct Coalition {
    accounts: u32,
    replicas: ReplicaIndex,
    tasks: TaskIndex,
}

impl Coalition {
    /// Answers that decide a task.
    fn quorum(&self) -> usize {
        usize::from(self.replicas) / 2 + 1
    }

    /// Of how many tasks they get a quorum among so many accounts, when they all ask at once, over and
    /// over until nobody of them gets anything.
    fn captures(&self, of: u32) -> usize {
        let speeds = vec![1_000; of as usize];
        let mut dispatch = dispatch(plain(), self.tasks, self.replicas, &speeds);
        let mut taken = vec![0; self.tasks as usize];
        let mut asking: Vec<u32> = (1..=self.accounts).collect();
        while !asking.is_empty() {
            asking.retain(|number| match device(*number).take(&mut dispatch, NOW) {
                Ok((task, _)) => {
                    taken[task as usize] += 1;
                    true
                }
                Err(_) => false,
            });
        }
        taken.iter().filter(|it| **it >= self.quorum()).count()
    }

    /// How likely so many throws hit as many different lanes of a task as decide it.
    fn chance(&self) -> f64 {
        let lanes = usize::from(self.replicas);
        let mut hit = vec![0.0; lanes + 1];
        hit[0] = 1.0;
        for _ in 0..self.accounts {
            for lane in (0..=lanes).rev() {
                let again = hit[lane] * lane as f64 / lanes as f64;
                let before = lane.checked_sub(1);
                let one_more = before.map_or(0.0, |before| {
                    hit[before] * (lanes - before) as f64 / lanes as f64
                });
                hit[lane] = again + one_more;
            }
        }
        hit[self.quorum()..].iter().sum()
    }
}

#[test]
fn accounts_that_race_to_tasks_together_capture_no_more_quorums_than_lanes_leave_to_chance() {
    for (replicas, accounts, tasks) in [(3, 2, 1_000), (5, 3, 600), (5, 4, 600), (15, 8, 250)] {
        let coalition = Coalition {
            accounts,
            replicas,
            tasks,
        };
        // With one account less than lanes need there are none, and a quorum gets every task.
        let enough = 8 * u32::from(replicas);
        assert_eq!(coalition.captures(enough - 1), tasks as usize);
        // Each task is one trial: four standard deviations from the mean.
        let (trials, chance) = (f64::from(tasks), coalition.chance());
        let deviation = (trials * chance * (1.0 - chance)).sqrt();
        let captured = coalition.captures(enough) as f64;
        let off = (captured - trials * chance).abs();
        assert!(off <= 4.0 * deviation, "{replicas} {accounts}: {captured}");
    }
}

#[test]
fn lanes_keep_less_from_a_coalition_the_larger_it_is_and_most_where_there_are_many_replicas() {
    let chance = |replicas, accounts| {
        let tasks = 1;
        let coalition = Coalition {
            accounts,
            replicas,
            tasks,
        };
        coalition.chance()
    };
    assert!((chance(3, 2) - 2.0 / 3.0).abs() < 1e-12);
    assert!((chance(15, 8) - 0.101).abs() < 1e-3);
    assert!(chance(3, 1) < 1e-12);
    assert!((2..12).all(|accounts| chance(3, accounts) < chance(3, accounts + 1)));
}
