//! Settled tasks that another member of a job's group computes again, beside who coordinates the job.

use super::{
    ledger::Ledger,
    worker::truth,
    world::{GENESIS, Habit, JOB, Refereeing, World, seed_of, settings},
};
use crate::core::{
    Core, CountedBatch, Effect, Entry, Event, News, NoReferee, Note, Noted, Purpose, Seat,
    Settings, Tick, Truth,
};
use quern_jobs_api::Recomputations;
use quern_primitives::{
    batch::Batch,
    ids::{JobId, NodeKey, TaskIndex},
    job::Agreement,
    payload::NodeSecret,
    receipt::Answer,
    verdict::{Ground, Verdict},
};
use quern_verdict::is_re_executed;
use std::collections::{BTreeSet, VecDeque};

/// A member of a job's group that does not coordinate it: a core that knows no job of its own.
struct Member {
    core: Core,
    seat: Seat,
    /// What it is to compute, each with the answer that was accepted.
    asked: VecDeque<(TaskIndex, Option<Answer>)>,
    seeds: VecDeque<u32>,
    notes: Vec<Noted>,
    effects: Vec<Effect>,
}

impl Member {
    fn new(settings: Settings, seat: Seat) -> Self {
        Self {
            core: Core::new(settings),
            seat,
            asked: VecDeque::new(),
            seeds: VecDeque::new(),
            notes: vec![],
            effects: vec![],
        }
    }

    fn feed(&mut self, event: Event) {
        for effect in self.core.step(Tick(1_000), event) {
            self.effects.push(effect.clone());
            match effect {
                Effect::Recompute {
                    job,
                    task,
                    purpose,
                    accepted,
                    ..
                } => {
                    assert_eq!(purpose, Purpose::Check);
                    if job == JOB {
                        self.asked.push_back((task, accepted));
                    }
                }
                Effect::ReadSeed { block } => self.seeds.push_back(block),
                Effect::Note { job, noted, .. } => {
                    assert_eq!(job, JOB);
                    self.notes.push(*noted);
                }
                _ => {}
            }
        }
    }

    fn hear(&mut self, news: News) {
        self.feed(Event::Elsewhere { job: JOB, news });
    }

    fn read_seeds(&mut self) {
        while let Some(block) = self.seeds.pop_front() {
            let seed = seed_of(block);
            self.feed(Event::Seed { block, seed });
        }
    }

    /// It computes what it is asked for first, or says why it cannot. Gives the task, if there is one.
    fn compute(&mut self, fails: Option<NoReferee>) -> Option<TaskIndex> {
        let (task, _) = self.asked.pop_front()?;
        let outcome = match fails {
            None => Ok(found_by(self.seat, task)),
            Some(why) => Err(why),
        };
        self.feed(Event::Recomputed {
            job: JOB,
            task,
            outcome: Box::new(outcome),
        });
        Some(task)
    }

    /// The same until it is asked for nothing more.
    fn compute_all(&mut self, fails: Option<NoReferee>) -> Vec<TaskIndex> {
        std::iter::from_fn(|| self.compute(fails)).collect()
    }

    fn counts(&self) -> Recomputations {
        self.core.grid_state(Tick(1_000)).recomputations
    }

    fn has_dropped_inputs(&self) -> bool {
        self.effects.contains(&Effect::DropInputs { job: JOB })
    }
}

fn key_of(seat: Seat) -> NodeSecret {
    NodeSecret::from_seed(&[200 + seat.place as u8; 32])
}

/// What comes out of a task, on the word of a member.
fn found_by(seat: Seat, task: TaskIndex) -> Truth {
    let (truth, key) = (truth(task), key_of(seat));
    Truth {
        report: key.sign(truth.report.payload, &GENESIS),
        node: key.public(),
        ..truth
    }
}

/// Who coordinates a job, and the others of its group, who have its log and see the same chain.
struct Group {
    world: World,
    members: Vec<Member>,
    /// How many of the chain's batches they have seen.
    seen: usize,
}

impl Group {
    /// A job of so many tasks, of which so many of a thousand are drawn, two devices of this habit, and so many
    /// others. Each verdict has a batch of its own.
    fn new(tasks: u32, permille: u16, others: u32, habit: Habit) -> Self {
        Self::of(settings(), tasks, permille, others, habit)
    }

    /// The same where the coordinator has these settings.
    fn of(mut coordinator: Settings, tasks: u32, permille: u16, others: u32, habit: Habit) -> Self {
        coordinator.settle.verdicts_max = 1;
        let mut ledger = Ledger::new(tasks, Agreement::Unanimous);
        ledger.job.terms.re_execution_permille = permille;
        let mut world = World::of(coordinator, ledger, &[]);
        world.referee = Refereeing::Slow;
        world.join(1, habit);
        world.join(2, habit);
        let seat = |place| Seat { place, of: others };
        let members = (0..others).map(|place| Member::new(settings(), seat(place)));
        Self {
            world,
            members: members.collect(),
            seen: 0,
        }
    }

    /// Both devices answer a task, and it is settled.
    fn settle(&mut self) {
        (0..2).for_each(|worker| {
            self.world.ask(worker, 1);
        });
        (0..2).for_each(|worker| self.world.report(worker));
    }

    /// The next block is finalised, in which all see what was settled.
    fn next_block(&mut self) {
        self.world.next_block();
        let block = self.world.block;
        let batches = self.world.ledger.batches[self.seen..].to_vec();
        self.seen += batches.len();
        for member in &mut self.members {
            member.feed(Event::Finalised {
                block,
                jobs: vec![],
            });
            for batch in &batches {
                member.hear(counted(&self.world, batch, block, member.seat));
            }
        }
    }

    /// Some blocks later the seeds are read by which all draw.
    fn draw(&mut self) {
        (0..3).for_each(|_| self.next_block());
        self.world.read_seeds();
        self.members.iter_mut().for_each(Member::read_seeds);
    }
}

/// A batch that a block counted, as a member's copy of the log has it.
fn counted(world: &World, batch: &Batch, block: u32, seat: Seat) -> News {
    let tasks = quern_job_rules::tasks::validate(&batch.tasks, u32::MAX).unwrap();
    let tasks: BTreeSet<_> = tasks.iter().collect();
    let verdicts = verdicts(world).filter(|verdict| tasks.contains(&verdict.task));
    News::Counted(Box::new(CountedBatch {
        job: world.ledger.job.clone(),
        block,
        verdicts: verdicts.collect(),
        seat,
        notes: 0,
    }))
}

fn verdicts(world: &World) -> impl Iterator<Item = Verdict> + '_ {
    world.log().filter_map(|entry| match entry {
        Entry::Judged { verdict } => Some(verdict.clone()),
        _ => None,
    })
}

/// The tasks of which notes say that their accepted answer is wrong, each on whose word.
fn contradicted<'a>(notes: impl IntoIterator<Item = &'a Note>) -> Vec<(TaskIndex, NodeKey)> {
    let notes = notes.into_iter().filter_map(|note| match note {
        Note::Contradicted { task, node, .. } => Some((*task, *node)),
        _ => None,
    });
    notes.collect()
}

/// One task is settled that falls to the only other member, which is asked for it.
fn asked_for_one(habit: Habit) -> Group {
    let mut group = Group::new(3, 1_000, 1, habit);
    group.settle();
    group.draw();
    assert_eq!(group.members[0].asked.len(), 1);
    group
}

#[test]
fn a_coordinator_that_computes_nothing_again_and_lies_with_its_devices_is_found_out_by_the_others()
{
    let mut coordinator = settings();
    coordinator.re_executes = false;
    let tasks = 8;
    let mut group = Group::of(coordinator, tasks, 1_000, 3, Habit::Lies(99));
    (0..tasks).for_each(|_| group.settle());
    group.draw();
    assert!(group.world.asked.is_empty(), "the coordinator looks away");
    let mut found = BTreeSet::new();
    for member in &mut group.members {
        let computed = member.compute_all(None);
        let notes = contradicted(member.notes.iter().map(|noted| &noted.note));
        let expected = computed.iter().map(|task| {
            let node = key_of(member.seat).public();
            (*task, node)
        });
        assert_eq!(notes, expected.collect::<Vec<_>>());
        assert_eq!(member.counts().contradicted, computed.len() as u64);
        found.extend(computed);
    }
    assert_eq!(found, (0..tasks).collect());
    assert!(contradicted(group.world.noted()).is_empty());
    // Those who gave the accepted answer are named, with what was accepted.
    let of_all = group.members.iter().flat_map(|member| &member.notes);
    for noted in of_all {
        let Note::Contradicted {
            accepted,
            report,
            receipts,
            kept,
            ..
        } = &noted.note
        else {
            panic!("{noted:?}");
        };
        assert_ne!(*accepted, report.payload.answer);
        assert!(kept.is_some(), "its owner can fetch the result");
        let devices: BTreeSet<_> = receipts.iter().map(|(device, _)| *device).collect();
        let liars = group.world.workers.iter().map(|worker| worker.id());
        assert_eq!(devices, liars.collect());
    }
}

#[test]
fn each_drawn_task_is_computed_by_exactly_one_member_beside_its_coordinator() {
    let (tasks, permille) = (40, 300);
    let mut group = Group::new(tasks, permille, 4, Habit::Honest);
    group.world.referee = Refereeing::Truthful;
    let (mut drawn, mut by_others) = (BTreeSet::new(), Vec::new());
    for _ in 0..tasks {
        group.settle();
        let (task, ground) = verdicts(&group.world)
            .last()
            .map(|verdict| (verdict.task, verdict.ground))
            .unwrap();
        group.next_block();
        let seed = seed_of(group.world.block);
        drawn.extend(is_re_executed(&seed, &JOB, task, ground, permille).then_some(task));
        (0..2).for_each(|_| group.next_block());
        group.world.read_seeds();
        for member in &mut group.members {
            member.read_seeds();
            by_others.extend(member.compute_all(None));
        }
    }
    assert!((1..tasks as usize).contains(&drawn.len()));
    by_others.sort_unstable();
    assert_eq!(by_others, drawn.iter().copied().collect::<Vec<_>>());
    let of_member = |member: &Member| member.counts().confirmed;
    let counts: Vec<_> = group.members.iter().map(of_member).collect();
    assert_eq!(counts.iter().sum::<u64>(), drawn.len() as u64);
    assert!(counts.iter().all(|count| *count < drawn.len() as u64));
    let coordinator = group.world.core.grid_state(group.world.now).recomputations;
    assert_eq!(coordinator.confirmed, drawn.len() as u64);
}

#[test]
fn who_computes_again_for_the_group_is_told_what_was_accepted_and_draws_no_referee_s_word() {
    let group = asked_for_one(Habit::Lies(99));
    let judged = verdicts(&group.world).next().unwrap();
    let asked = group.members[0].asked.front().copied();
    assert_eq!(asked, Some((judged.task, Some(judged.answer))));

    let mut group = Group::new(2, 1_000, 1, Habit::Honest);
    group.settle();
    let mut batch = counted(
        &group.world,
        &group.world.ledger.batches[0],
        30,
        Seat { place: 0, of: 1 },
    );
    let News::Counted(counted) = &mut batch else {
        panic!("it is no batch");
    };
    counted.verdicts[0].ground = Ground::Referee;
    let member = &mut group.members[0];
    member.hear(batch);
    member.feed(Event::Finalised {
        block: 32,
        jobs: vec![],
    });
    member.read_seeds();
    assert!(member.asked.is_empty());
}

#[test]
fn a_member_that_lacks_the_upload_skips_what_falls_to_it_and_that_is_counted_and_told() {
    let mut group = asked_for_one(Habit::Lies(99));
    let member = &mut group.members[0];
    member.compute_all(Some(NoReferee::Data));
    let counts = member.counts();
    assert_eq!(
        (counts.to_check, counts.unchecked),
        (1, 0),
        "it may come yet"
    );
    assert!(member.core.may_be_contradicted(JOB));
    // Once nothing is taken from the owner any more it is tried for the last time.
    member.hear(News::Settled);
    assert_eq!(member.compute_all(Some(NoReferee::Data)).len(), 1);
    let counts = member.counts();
    assert_eq!(
        (counts.to_check, counts.unchecked, counts.not_uploaded),
        (0, 1, 1)
    );
    assert!(!member.core.may_be_contradicted(JOB));
    assert!(member.notes.is_empty());
}

#[test]
fn a_task_whose_upload_comes_later_is_computed_when_the_job_goes_on_no_more() {
    let mut group = asked_for_one(Habit::Lies(99));
    let member = &mut group.members[0];
    member.compute_all(Some(NoReferee::Data));
    member.hear(News::Settled);
    assert_eq!(member.compute_all(None).len(), 1);
    let counts = member.counts();
    assert_eq!((counts.contradicted, counts.not_uploaded), (1, 0));
}

#[test]
fn what_waits_for_an_upload_is_given_up_when_the_chain_has_closed_the_job() {
    let mut group = asked_for_one(Habit::Honest);
    let member = &mut group.members[0];
    member.compute_all(Some(NoReferee::Data));
    member.hear(News::Closed);
    assert!(member.asked.is_empty());
    assert_eq!(member.counts().not_uploaded, 1);
    assert!(member.has_dropped_inputs());
}

#[test]
fn a_machine_that_fails_skips_a_task_and_nobody_s_upload_is_missed() {
    let mut group = asked_for_one(Habit::Honest);
    let member = &mut group.members[0];
    member.compute_all(Some(NoReferee::Machine));
    let counts = member.counts();
    assert_eq!((counts.unchecked, counts.not_uploaded), (1, 0));
}

#[test]
fn a_member_keeps_what_a_closed_job_is_computed_from_until_its_part_of_it_is_done() {
    let mut group = asked_for_one(Habit::Lies(99));
    let member = &mut group.members[0];
    member.hear(News::Settled);
    member.hear(News::Closed);
    assert!(!member.has_dropped_inputs());
    assert!(member.core.may_be_contradicted(JOB), "it is being computed");
    member.compute_all(None);
    assert_eq!(member.notes.len(), 1, "it is noted all the same");
    assert!(member.has_dropped_inputs());
    assert!(!member.core.may_be_contradicted(JOB));
}

#[test]
fn of_a_job_of_which_nothing_fell_to_it_a_member_keeps_nothing_when_it_is_closed() {
    let mut member = Member::new(settings(), Seat { place: 0, of: 2 });
    member.hear(News::Settled);
    member.hear(News::Closed);
    assert!(member.has_dropped_inputs());
    assert!(!member.core.may_be_contradicted(JOB));
}

#[test]
fn a_member_that_computes_nothing_draws_nothing_of_what_others_coordinate() {
    let mut group = Group::new(2, 1_000, 1, Habit::Lies(99));
    let mut idle = settings();
    idle.re_executes = false;
    group.members = vec![Member::new(idle, Seat { place: 0, of: 1 })];
    group.settle();
    group.draw();
    let member = &group.members[0];
    assert!(member.asked.is_empty() && member.seeds.is_empty());
    assert!(!member.core.may_be_contradicted(JOB));
}

#[test]
fn what_was_drawn_of_another_s_job_is_forgotten_with_a_restart() {
    let mut group = asked_for_one(Habit::Lies(99));
    let seat = group.members[0].seat;
    group.members = vec![Member::new(settings(), seat)];
    group.draw();
    assert!(group.members[0].asked.is_empty());
    // What is counted from now on is drawn.
    group.settle();
    group.draw();
    assert_eq!(group.members[0].asked.len(), 1);
}

#[test]
fn notes_of_who_goes_on_with_a_job_are_numbered_behind_those_that_it_wrote_as_a_member() {
    let mut group = asked_for_one(Habit::Lies(99));
    group.settle();
    group.draw();
    let member = &mut group.members[0];
    assert!(member.compute(None).is_some());
    let numbers = |member: &Member| -> Vec<(u64, u64)> {
        let notes = member.notes.iter();
        notes.map(|it| (it.behind, it.number)).collect()
    };
    assert_eq!(numbers(member), [(0, 0)]);
    let job = group.world.ledger.job.clone();
    assert!(job.state.is_open());
    member.feed(Event::Finalised {
        block: group.world.block + 1,
        jobs: vec![(JOB, job)],
    });
    // What fell to it before is computed all the same.
    assert!(member.compute(None).is_some());
    assert_eq!(numbers(member), [(0, 0), (0, 1)]);
}

#[test]
fn who_goes_on_with_a_job_after_a_restart_is_told_how_many_notes_there_are() {
    let mut group = asked_for_one(Habit::Lies(99));
    let member = &mut group.members[0];
    member.hear(News::TakenOver { notes: 3 });
    let job = group.world.ledger.job.clone();
    member.feed(Event::Finalised {
        block: group.world.block + 1,
        jobs: vec![(JOB, job)],
    });
    assert!(member.compute(None).is_some());
    let [noted] = &member.notes[..] else {
        panic!("{:?}", member.notes);
    };
    assert_eq!(noted.number, 3);
}

#[test]
fn news_of_a_job_that_nobody_knows_changes_nothing() {
    let mut member = Member::new(settings(), Seat { place: 0, of: 1 });
    let job = JobId([3; 32]);
    member.feed(Event::Elsewhere {
        job,
        news: News::Settled,
    });
    assert!(member.effects.is_empty() && member.counts() == Recomputations::default());
}

#[test]
fn what_is_only_checked_makes_room_for_what_another_masternode_s_devices_wait_for() {
    let mut group = asked_for_one(Habit::Lies(99));
    let member = &mut group.members[0];
    let (task, _) = member.asked[0];
    let stops = Effect::StopRecomputing { job: JOB, task };
    let refereeing = |member: &mut Member, begins| member.feed(Event::Refereeing { begins });
    refereeing(member, true);
    assert!(member.effects.contains(&stops));
    // Two are computed for others, and as long as one is left nothing is begun.
    refereeing(member, true);
    refereeing(member, false);
    member.feed(Event::Tick);
    assert_eq!(member.asked.len(), 1, "it is not asked for anew yet");
    assert_eq!(member.counts().to_check, 1, "and it is not forgotten");
    refereeing(member, false);
    assert_eq!(member.asked.len(), 2, "it is begun from the start");
    member.asked.pop_front();
    assert_eq!(member.compute(None), Some(task));
    assert_eq!(member.counts().contradicted, 1);
    // One more that ends than began changes nothing.
    refereeing(member, false);
    refereeing(member, true);
    group.settle();
    group.draw();
    let member = &mut group.members[0];
    assert!(member.asked.is_empty());
    refereeing(member, false);
    assert_eq!(member.asked.len(), 1);
}

#[test]
fn an_owner_that_uploads_nothing_to_a_member_takes_no_room_of_others() {
    let mut group = Group::new(2, 1_000, 1, Habit::Honest);
    group.settle();
    let batch = group.world.ledger.batches[0].clone();
    let (world, member) = (&group.world, &mut group.members[0]);
    // A batch of so many tasks is counted in a block, and drawn.
    let counts = |member: &mut Member, job, block, tasks| {
        let mut news = counted(world, &batch, block, member.seat);
        if let News::Counted(counted) = &mut news {
            let verdicts = (0..tasks).map(|task| Verdict {
                task,
                ..counted.verdicts[0].clone()
            });
            counted.verdicts = verdicts.collect();
        }
        for event in [
            Event::Elsewhere { job, news },
            Event::Finalised {
                block: block + 2,
                jobs: vec![],
            },
        ] {
            member.core.step(Tick(1_000), event);
        }
        let seed = seed_of(block);
        member.feed(Event::Seed { block, seed });
    };
    counts(member, JOB, 30, 100);
    assert_eq!(member.compute_all(Some(NoReferee::Data)).len(), 100);
    // So many wait for the upload; the others are given up.
    let told = member.counts();
    assert_eq!((told.to_check, told.not_uploaded), (64, 36));
    // Of another job all is drawn that there is room for.
    let before = member.counts().to_check;
    counts(member, JobId([3; 32]), 40, 1_100);
    assert_eq!(member.counts().to_check, before + 1_024);
}
