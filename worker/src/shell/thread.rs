//! The thread on which tasks and benchmarks run, one after the other.

use super::{News, WorkerError};
use crate::{
    bench::{Bench, Errand, Executor},
    benchmark::Benchmarks,
    core::{Event, Fault},
    limits::RUN_STACK_BYTES,
};
use quern_protocol::Benchmark;
use quern_sandbox::Cancel;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{SyncSender, sync_channel},
};
use tokio::sync::mpsc;

/// Orders that may wait for the thread, abandoned ones that it has not looked at included.
const ORDERS_MAX: usize = 64;

/// Something to run.
pub(super) enum Order {
    Task(Box<Errand>),
    Benchmark {
        benchmark: Box<Benchmark>,
        cancel: Cancel,
    },
}

/// The way to the thread.
pub(super) type Queue = SyncSender<Order>;

/// Starts the thread.
pub(super) fn start<E: Executor>(
    mut bench: Bench<E>,
    mut benchmarks: Benchmarks,
    news: mpsc::Sender<News>,
) -> Result<Queue, WorkerError> {
    let (queue, orders) = sync_channel(ORDERS_MAX);
    let work = move || {
        for order in orders {
            let event = match order {
                Order::Task(errand) => task(&mut bench, &errand),
                Order::Benchmark { benchmark, cancel } => {
                    let run = || benchmarks.run(&benchmark, &cancel);
                    let output = catch_unwind(AssertUnwindSafe(run)).unwrap_or(None);
                    Some(Event::Benchmarked { output })
                }
            };
            if let Some(event) = event
                && news.blocking_send(News::Core(event)).is_err()
            {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("tasks".into())
        .stack_size(RUN_STACK_BYTES)
        .spawn(work)
        .map_err(WorkerError::Thread)?;
    Ok(queue)
}

/// Does a task. `None` if it was cancelled.
fn task<E: Executor>(bench: &mut Bench<E>, errand: &Errand) -> Option<Event> {
    let id = errand.assignment.id;
    // A fault of the engine may cost a task, but not the worker.
    match catch_unwind(AssertUnwindSafe(|| bench.work(errand))) {
        Ok(Some(Ok(finished))) => Some(Event::Ran { finished }),
        Ok(Some(Err(fault))) => Some(Event::Failed { id, fault }),
        Ok(None) => None,
        Err(_) => Some(Event::Failed {
            id,
            fault: Fault::NoRoom,
        }),
    }
}
