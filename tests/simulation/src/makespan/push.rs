//! Devices that are given their tasks beforehand. Nobody watches how long they take.

use super::grid::{Course, FETCH_MS, Grid, SILENCE_MS};
use crate::clock::Clock;
use quern_primitives::ids::TaskIndex;
use rand::RngExt as _;
use std::collections::VecDeque;

/// Who is given a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deal {
    /// One drawn at random.
    Random,
    /// The next in turn.
    Equal,
}

enum Event {
    Ends {
        device: u32,
        life: u32,
        answers: bool,
    },
    GoesAway {
        device: u32,
        life: u32,
        for_ms: u64,
    },
    Missed {
        device: u32,
        life: u32,
    },
    ComesBack(u32),
}

#[derive(Clone, Default)]
struct Worker {
    queue: VecDeque<TaskIndex>,
    runs: bool,
    is_away: bool,
    /// Counts its absences.
    life: u32,
}

struct Run<'a> {
    grid: &'a mut Grid,
    clock: Clock<Event>,
    workers: Vec<Worker>,
    deal: Deal,
    turn: u32,
}

/// Returns the makespan in milliseconds.
pub(super) fn run(grid: &mut Grid, tasks: u32, deal: Deal) -> u64 {
    let mut run = Run {
        workers: vec![Worker::default(); grid.devices.len()],
        grid,
        clock: Clock::default(),
        deal,
        turn: 0,
    };
    (0..tasks).for_each(|task| run.give(task));
    let mut left = tasks;
    while left > 0
        && let Some(event) = run.clock.advance()
    {
        left -= u32::from(run.happens(event));
    }
    run.clock.now().0
}

impl Run<'_> {
    fn give(&mut self, task: TaskIndex) {
        let devices = self.workers.len() as u32;
        // A device that is known to be away is passed over; if all are, one of them it is.
        let mut device = 0;
        for _ in 0..100 {
            device = match self.deal {
                Deal::Random => self.grid.chance.random_range(0..devices),
                Deal::Equal => self.turn % devices,
            };
            self.turn = self.turn.wrapping_add(1);
            if !self.workers[device as usize].is_away {
                break;
            }
        }
        self.workers[device as usize].queue.push_back(task);
        self.start(device);
    }

    fn start(&mut self, device: u32) {
        let worker = &mut self.workers[device as usize];
        let Some(task) = worker.queue.front().copied() else {
            return;
        };
        if worker.runs || worker.is_away {
            return;
        }
        worker.runs = true;
        let life = worker.life;
        match self.grid.execute(device, task) {
            Course::Answers { after_ms } => {
                let answers = true;
                self.clock.plan(
                    FETCH_MS + after_ms,
                    Event::Ends {
                        device,
                        life,
                        answers,
                    },
                );
            }
            Course::Fails { after_ms } => {
                let answers = false;
                self.clock.plan(
                    FETCH_MS + after_ms,
                    Event::Ends {
                        device,
                        life,
                        answers,
                    },
                );
            }
            Course::GoesAway { after_ms, for_ms } => {
                let event = Event::GoesAway {
                    device,
                    life,
                    for_ms,
                };
                self.clock.plan(FETCH_MS + after_ms, event);
            }
            Course::Halts { after_ms, halt } => {
                let answers = true;
                self.clock.plan(
                    FETCH_MS + after_ms + halt.for_ms + halt.rest_ms,
                    Event::Ends {
                        device,
                        life,
                        answers,
                    },
                );
            }
        }
    }

    /// True when a task is answered.
    fn happens(&mut self, event: Event) -> bool {
        match event {
            Event::Ends {
                device,
                life,
                answers,
            } if self.workers[device as usize].life == life => {
                let worker = &mut self.workers[device as usize];
                worker.runs = false;
                let Some(task) = worker.queue.pop_front() else {
                    return false;
                };
                let now = self.clock.now().0;
                self.grid.record([
                    now,
                    device.into(),
                    u64::from(task) << 1 | u64::from(answers),
                ]);
                if !answers {
                    self.give(task);
                }
                self.start(device);
                answers
            }
            Event::GoesAway {
                device,
                life,
                for_ms,
            } if self.workers[device as usize].life == life => {
                let worker = &mut self.workers[device as usize];
                (worker.is_away, worker.runs) = (true, false);
                worker.life += 1;
                let life = worker.life;
                self.clock.plan(for_ms, Event::ComesBack(device));
                self.clock.plan(SILENCE_MS, Event::Missed { device, life });
                false
            }
            Event::Missed { device, life } if self.workers[device as usize].life == life => {
                let lost = std::mem::take(&mut self.workers[device as usize].queue);
                lost.into_iter().for_each(|task| self.give(task));
                false
            }
            Event::ComesBack(device) => {
                let worker = &mut self.workers[device as usize];
                worker.is_away = false;
                worker.life += 1;
                self.start(device);
                false
            }
            // What was planned before an absence.
            Event::Ends { .. } | Event::GoesAway { .. } | Event::Missed { .. } => false,
        }
    }
}
