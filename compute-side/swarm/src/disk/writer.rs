//! The thread that writes: one thing after the other, so that what is wanted of a piece is done in the order
//! in which it was wanted.

use super::{DiskError, Folder, load::forget};
use crate::limits::TOLD_MAX;
use quern_primitives::{Digest, payload::Signed};
use quern_swarm_file::{PieceIndex, ValidatedTaskFile};
use quern_swarm_rules::message::Made;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::mpsc;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Order {
    /// Put a piece in its place that is in another of the folder.
    Store { made: Signed<Made>, from: PathBuf },
    /// Say of a piece that is there who made it.
    NameMaker(Signed<Made>),
    /// Remove a piece.
    Discard(PieceIndex),
    /// Put the files together of pieces with these roots, in order.
    Merge(Vec<Digest>),
    /// Remove what was on its way and is not wanted.
    Forget(PathBuf),
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Written {
    /// A piece is on the disk, with who made it.
    Stored(Made),
    /// The files are in this folder.
    Merged(PathBuf),
    /// Something could not be done: nothing more is.
    Failed(DiskError),
}

/// Starts the thread. It ends when nobody can order any more, or hears of it.
pub(crate) fn writing(
    folder: Arc<Folder>,
    task: Arc<ValidatedTaskFile>,
    written: mpsc::Sender<Written>,
) -> mpsc::Sender<Order> {
    let (orders, mut ordered) = mpsc::channel(TOLD_MAX);
    tokio::task::spawn_blocking(move || {
        while let Some(order) = ordered.blocking_recv() {
            let done = carry_out(&folder, &task, order);
            let told = match done {
                Ok(None) => continue,
                Ok(Some(done)) => done,
                Err(error) => Written::Failed(error),
            };
            let is_over = matches!(told, Written::Failed(_));
            if written.blocking_send(told).is_err() || is_over {
                break;
            }
        }
        // Who hears that it has ended finds the folder free.
        drop(folder);
        drop(written);
    });
    orders
}

fn carry_out(
    folder: &Folder,
    task: &ValidatedTaskFile,
    order: Order,
) -> Result<Option<Written>, DiskError> {
    Ok(match order {
        Order::Store { made, from } => {
            folder.store(&from, &made)?;
            Some(Written::Stored(made.payload))
        }
        Order::NameMaker(made) => {
            folder.name_maker(&made)?;
            Some(Written::Stored(made.payload))
        }
        Order::Discard(piece) => {
            folder.discard(piece)?;
            None
        }
        Order::Merge(roots) => Some(Written::Merged(folder.merge(task, &roots)?)),
        Order::Forget(path) => {
            forget(&path);
            None
        }
    })
}
