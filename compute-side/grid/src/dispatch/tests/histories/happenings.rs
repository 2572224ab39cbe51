//! What may happen to the queues.

use super::*;

/// What happens to the queues, to replicas that are there and to others. Who asks is a place in
/// [`ASKERS`].
#[derive(Clone, Debug)]
pub(super) enum Happening {
    AddJob(JobId, JobTerms, Grid),
    RemoveJob(JobId),
    Retarget(JobId, Grid),
    SetTrusted(JobId, Vec<usize>),
    Push(JobId, TaskIndex),
    Expect(JobId, u32),
    Add(JobId, TaskIndex, ReplicaIndex),
    Rescue(JobId, TaskIndex),
    Take {
        who: usize,
        rank: Option<Rank>,
        backlog_ms: u64,
    },
    Finish(ReplicaId),
    Accept(JobId, u64, u64),
    Release {
        id: ReplicaId,
        fault: bool,
    },
    Retract {
        id: ReplicaId,
        fault: bool,
    },
    Rest(ReplicaId),
    Wake(ReplicaId),
    Claim {
        id: ReplicaId,
        who: usize,
        runs: bool,
    },
    Doubt(JobId, TaskIndex),
    Reserve(JobId, TaskIndex, bool),
    Exclude(JobId, TaskIndex, usize),
    Forget {
        who: usize,
    },
    Close(JobId, TaskIndex),
    Pass {
        ms: u64,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let either_job = || prop::sample::select(JOBS.to_vec());
    let job = || prop_oneof![9 => Just(JOB), 1 => Just(OTHER)];
    let task = || prop::sample::select(TASKS.to_vec());
    let id = || {
        let replica = prop_oneof![12 => 0u8..3, 1 => any::<u8>()];
        (job(), task(), replica).prop_map(|(job, task, replica)| ReplicaId { job, task, replica })
    };
    let who = || 0..ASKERS.len();
    let rank = prop_oneof![
        1 => Just(None),
        4 => (0u32..7).prop_map(Some),
        1 => Just(Some(Rank::MAX)),
    ];
    let backlog_ms = prop_oneof![6 => Just(0), 2 => 0u64..60_000, 1 => Just(u64::MAX)];
    let work = prop_oneof![6 => 1u64..20_000_000, 1 => Just(0), 1 => Just(u64::MAX)];
    let ms = prop_oneof![
        10 => 0u64..4_000,
        10 => 4_000u64..40_000,
        4 => 40_000u64..4_000_000,
        1 => Just(u64::MAX),
    ];
    let to_come = prop_oneof![6 => Just(0), 3 => 0u32..20, 1 => Just(u32::MAX)];
    prop_oneof![
        3 => (either_job(), terms_of_any_kind(), grid())
            .prop_map(|(job, terms, grid)| AddJob(job, terms, grid)),
        1 => either_job().prop_map(RemoveJob),
        4 => (job(), grid()).prop_map(|(job, grid)| Retarget(job, grid)),
        3 => (job(), prop::sample::subsequence(vec![4usize, 9], 0..=2))
            .prop_map(|(job, trusted)| SetTrusted(job, trusted)),
        10 => (job(), task()).prop_map(|(job, task)| Push(job, task)),
        2 => (job(), to_come).prop_map(|(job, tasks)| Expect(job, tasks)),
        2 => id().prop_map(|id| Add(id.job, id.task, id.replica)),
        3 => id().prop_map(|id| Rescue(id.job, id.task)),
        60 => (who(), rank, backlog_ms)
            .prop_map(|(who, rank, backlog_ms)| Take { who, rank, backlog_ms }),
        12 => id().prop_map(Finish),
        12 => (job(), work, bytes()).prop_map(|(job, work, bytes)| Accept(job, work, bytes)),
        12 => (id(), any::<bool>()).prop_map(|(id, fault)| Release { id, fault }),
        4 => (id(), any::<bool>()).prop_map(|(id, fault)| Retract { id, fault }),
        4 => id().prop_map(Rest),
        4 => id().prop_map(Wake),
        4 => (id(), who(), any::<bool>())
            .prop_map(|(id, who, runs)| Claim { id, who, runs }),
        3 => id().prop_map(|id| Doubt(id.job, id.task)),
        2 => (id(), any::<bool>())
            .prop_map(|(id, is_reserved)| Reserve(id.job, id.task, is_reserved)),
        2 => (id(), who()).prop_map(|(id, who)| Exclude(id.job, id.task, who)),
        1 => who().prop_map(|who| Forget { who }),
        2 => id().prop_map(|id| Close(id.job, id.task)),
        16 => ms.prop_map(|ms| Pass { ms }),
    ]
}

/// A job to begin with, and what happens then.
pub(super) type Story = (JobTerms, Grid, Vec<Happening>);

pub(super) fn story() -> impl Strategy<Value = Story> {
    let happenings = prop::collection::vec(happening(), 0..120);
    (terms_of_any_kind(), grid(), happenings)
}
