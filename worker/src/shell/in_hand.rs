//! What is at hand of each task: its program and shard, what is being fetched or delivered, and the
//! way to the thread that does it.

use super::{
    News, WorkerError,
    thread::{Order, Queue},
};
use crate::{
    bench::Errand,
    core::{Event, Fault},
    held::{HeldShard, showing},
    programs::Programs,
    reports::Reports,
    transfer::{self, Link},
};
use quern_primitives::ids::{DeviceId, GenesisHash, RevealSalt};
use quern_protocol::{Assignment, Benchmark, Content, Held, ReplicaId};
use quern_sandbox::{Cancel, Program};
use quern_shards::seal::sealed_bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc::TrySendError},
};
use tokio::{
    sync::{Mutex, mpsc},
    task::AbortHandle,
};

/// A program and a sealed shard.
pub(super) struct Ready {
    program: Program,
    shard: HeldShard,
}

impl Ready {
    /// What shows that the shard is here.
    pub(super) fn held(&self) -> Held {
        self.shard.held()
    }
}

/// All tasks in hand.
pub(super) struct InHand {
    device: DeviceId,
    genesis: GenesisHash,
    programs: Programs,
    reports: Reports,
    queue: Queue,
    news: mpsc::Sender<News>,
    tasks: BTreeMap<ReplicaId, Task>,
    deliveries: BTreeMap<ReplicaId, AbortHandle>,
    /// Stops the benchmark that was begun last.
    benchmark: Cancel,
    /// Results are delivered one at a time: each may be as large as memory allows.
    delivering: Arc<Mutex<()>>,
}

/// One task.
struct Task {
    masternode: DeviceId,
    cancel: Cancel,
    stage: Stage,
}

enum Stage {
    Fetching {
        assignment: Box<Assignment>,
        task: AbortHandle,
    },
    Ready {
        assignment: Box<Assignment>,
        ready: Box<Ready>,
    },
    /// With the thread.
    Queued,
}

impl InHand {
    pub(super) fn new(
        (device, genesis): (DeviceId, GenesisHash),
        programs: Programs,
        reports: Reports,
        queue: Queue,
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            device,
            genesis,
            programs,
            reports,
            queue,
            news,
            tasks: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            benchmark: Cancel::new(),
            delivering: Arc::default(),
        }
    }

    /// Gets what a task needs. If all of it is here already, it is prepared at once.
    pub(super) fn prepare(
        &mut self,
        masternode: DeviceId,
        mut assignment: Box<Assignment>,
        mut link: Link,
    ) -> Option<Event> {
        let id = assignment.id;
        if assignment.shard.sealed_bytes != sealed_bytes(assignment.shard.plaintext_bytes) {
            return Some(Event::Failed {
                id,
                fault: Fault::BadInput,
            });
        }
        let showing = showing(&assignment, self.device, self.genesis);
        let cancel = Cancel::new();
        let inline = assignment.inline_shard.take();
        let program = self
            .programs
            .compiled(assignment.class, &assignment.program);
        if let (Some(program), Some(shard)) = (&program, &inline) {
            let shard = match HeldShard::check(shard.clone(), &showing) {
                Ok(shard) => shard,
                Err(fault) => return Some(Event::Failed { id, fault }),
            };
            let held = shard.held();
            let program = program.clone();
            let ready = Box::new(Ready { program, shard });
            let stage = Stage::Ready { assignment, ready };
            self.tasks.insert(
                id,
                Task {
                    masternode,
                    cancel,
                    stage,
                },
            );
            return Some(Event::Prepared { held });
        }
        let (programs, news) = (self.programs.clone(), self.news.clone());
        let (class, hash, bytes) = (
            assignment.class,
            assignment.program,
            assignment.program_bytes,
        );
        let content = Content::Shard {
            job: id.job,
            task: id.task,
        };
        let total = assignment.shard.sealed_bytes;
        let task = tokio::spawn(async move {
            let fetched = async {
                let program = programs.prepare(class, hash, bytes, &mut link).await?;
                let shard = match inline {
                    Some(shard) => shard,
                    None => transfer::fetch(&mut link, content, total).await?,
                };
                // It is read from its beginning to its end, which takes a while.
                let check = move || HeldShard::check(shard, &showing);
                let checked = tokio::task::spawn_blocking(check).await;
                // Where it was not done the worker ends.
                let shard = checked.unwrap_or(Err(Fault::NoRoom))?;
                Ok(Ready { program, shard })
            };
            let told = match fetched.await {
                Ok(ready) => News::Prepared { ready },
                Err(fault) => News::Core(Event::Failed { id, fault }),
            };
            // An error says that the worker ends.
            let _ = news.send(told).await;
        });
        let stage = Stage::Fetching {
            assignment,
            task: task.abort_handle(),
        };
        self.tasks.insert(
            id,
            Task {
                masternode,
                cancel,
                stage,
            },
        );
        None
    }

    /// Takes what was fetched for a task.
    pub(super) fn prepared(&mut self, ready: Ready) {
        let id = ready.held().id;
        if let Some(task) = self.tasks.remove(&id)
            && let Stage::Fetching { assignment, .. } = task.stage
        {
            let ready = Box::new(ready);
            let stage = Stage::Ready { assignment, ready };
            self.tasks.insert(id, Task { stage, ..task });
        }
    }

    /// Hands a prepared task to the thread.
    pub(super) fn run(&mut self, id: &ReplicaId) -> Result<Option<Event>, WorkerError> {
        let Some(Task {
            masternode,
            cancel,
            stage,
        }) = self.tasks.remove(id)
        else {
            return Ok(None);
        };
        let Stage::Ready { assignment, ready } = stage else {
            self.tasks.insert(
                *id,
                Task {
                    masternode,
                    cancel,
                    stage,
                },
            );
            return Ok(None);
        };
        let Ready { program, shard } = *ready;
        let errand = Errand {
            assignment: *assignment,
            masternode,
            shard,
            program,
            salt: RevealSalt(rand::random()),
            cancel: cancel.clone(),
        };
        match self.queue.try_send(Order::Task(Box::new(errand))) {
            Ok(()) => {
                self.tasks.insert(
                    *id,
                    Task {
                        masternode,
                        cancel,
                        stage: Stage::Queued,
                    },
                );
                Ok(None)
            }
            Err(TrySendError::Full(_)) => Ok(Some(Event::Failed {
                id: *id,
                fault: Fault::NoRoom,
            })),
            Err(TrySendError::Disconnected(_)) => Err(WorkerError::ThreadEnded),
        }
    }

    /// Hands a benchmark to the thread.
    pub(super) fn benchmark(
        &mut self,
        benchmark: Box<Benchmark>,
    ) -> Result<Option<Event>, WorkerError> {
        self.benchmark = Cancel::new();
        let order = Order::Benchmark {
            benchmark,
            cancel: self.benchmark.clone(),
        };
        match self.queue.try_send(order) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(_)) => Ok(Some(Event::Benchmarked { output: None })),
            Err(TrySendError::Disconnected(_)) => Err(WorkerError::ThreadEnded),
        }
    }

    /// Stops the benchmark.
    pub(super) fn stop_benchmark(&self) {
        self.benchmark.cancel();
    }

    /// Delivers a kept result, unless that is under way.
    pub(super) fn deliver(&mut self, id: ReplicaId, mut link: Link) {
        if self
            .deliveries
            .get(&id)
            .is_some_and(|delivery| !delivery.is_finished())
        {
            return;
        }
        self.tasks.remove(&id);
        let (reports, news) = (self.reports.clone(), self.news.clone());
        let delivering = Arc::clone(&self.delivering);
        let task = tokio::spawn(async move {
            let _only_one = delivering.lock().await;
            let sealed = tokio::task::spawn_blocking(move || reports.sealed(&id)).await;
            let outcome = match sealed {
                Ok(Ok(sealed)) => transfer::deliver(&mut link, id, &sealed).await,
                Ok(Err(error)) => {
                    tracing::error!(?id, %error, "a kept result cannot be read");
                    Err(Fault::NoRoom)
                }
                // The worker ends.
                Err(_) => return,
            };
            let event = match outcome {
                Ok(()) => Event::Delivered { id },
                Err(fault) => Event::Failed { id, fault },
            };
            let _ = news.send(News::Core(event)).await;
        });
        self.deliveries
            .retain(|_, delivery| !delivery.is_finished());
        self.deliveries.insert(id, task.abort_handle());
    }

    /// Stops whatever is done for a task, and drops what is at hand of it.
    pub(super) fn abandon(&mut self, id: &ReplicaId) {
        if let Some(task) = self.tasks.remove(id) {
            task.cancel.cancel();
            if let Stage::Fetching { task, .. } = task.stage {
                task.abort();
            }
        }
        if let Some(delivery) = self.deliveries.remove(id) {
            delivery.abort();
        }
    }
}
