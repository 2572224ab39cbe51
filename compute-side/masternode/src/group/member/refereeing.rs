//! Tasks that a member computes for who coordinates the job, because devices differ on them.
//!
//! Only the coordinator has any computed, and only those of which the member's own copy of the log shows
//! that they wait for a referee: a device that knew early what comes out need not compute it.

use super::{super::not_read, Members, Part};
use crate::{
    core::{Purpose, REFEREE_REPLICA, Settings, Truth, name_of},
    daemon::{Command, Errand, Shared},
    vault::Item,
};
use codec::Encode as _;
use quern_jobs_api::{
    Blob, GroupError, PIECE_BYTES_MAX, REFEREE_MS_MAX, RefereeRequest, Refereeing,
};
use quern_primitives::{
    JobId, TaskIndex,
    payload::{NodeSignature, Signature as _, SignedPayload as _},
};
use quern_protocol::Output;
use quern_recheck::Asking;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

impl Members {
    /// Computes a task for who coordinates its job, and tells how far that is.
    pub(crate) async fn referee(
        &self,
        request: RefereeRequest,
        signature: &[u8],
    ) -> Result<Refereeing, GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let RefereeRequest { job, task, .. } = request;
        let part = self.part(job).await?;
        self.check_request(&part, &request, signature)?;
        if let Some(told) = self.refereeings.look(job, task, Instant::now()) {
            return Ok(refereeing(told?.as_deref()));
        }
        self.check_awaited(&part, &request).await?;
        // Whatever comes of it, on disk before it is said: what is written without this one's word it certifies.
        let (of, store) = ((job, part.turn), self.shared.clone());
        remember(store, of, task, Asking::Asked).await?;
        if !self.room.is_on() {
            return Err(GroupError::ComputesNothing);
        }
        let context = self.shared.context(job).ok_or(GroupError::KeyMissing)?;
        let has_input = context.has_input(&self.shared.vault, task).await;
        if !has_input.map_err(|error| not_read(job, &error))? {
            return Err(GroupError::InputMissing);
        }
        let known = &part.job.submission;
        let least = Settings::referee_ms_min(known.fuel_per_task_max);
        let time_ms = request.time_ms.clamp(least, REFEREE_MS_MAX);
        let now = Instant::now();
        let until = now.checked_add(Duration::from_millis(time_ms));
        let until = until.unwrap_or(now);
        let cancel = self.refereeings.begin(job, task, (now, until))?;
        let errand = Errand {
            job,
            task,
            purpose: Purpose::Referee,
            accepted: None,
            time_ms,
            cancel: cancel.clone(),
        };
        let (shared, room, refereeings) = (
            self.shared.clone(),
            self.room.clone(),
            self.refereeings.clone(),
        );
        tracing::info!(%job, task, by = %part.coordinator.account, "devices differ on a task; it is computed here");
        tokio::spawn(async move {
            // Devices wait for it, so what is only checked makes room. An error says that the masternode stops.
            let tell = |begins| shared.commands.send(Command::Refereeing { begins });
            drop(tell(true).await);
            let outcome = room.compute(&shared, errand).await;
            drop(tell(false).await);
            if let Ok(truth) = &outcome
                && Instant::now() < until
            {
                // It holds for this masternode whether or not anybody still asks for it. What comes out later is not
                // held against who has gone on without it.
                let seen = Asking::Told(truth.report.payload.answer);
                if let Err(error) = remember(shared.clone(), of, task, seen).await {
                    tracing::error!(%job, task, %error, "what came out of a task is not remembered");
                }
            }
            let outcome = outcome.map(Arc::new).map_err(|error| {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(%job, task, error, "a task is not computed here");
                error
            });
            refereeings.end(job, task, &cancel, outcome);
        });
        Ok(Refereeing::Computing)
    }

    /// The sealed result of a task that was computed so, from a byte on.
    pub(crate) async fn refereed(
        &self,
        request: RefereeRequest,
        signature: &[u8],
        offset: u64,
    ) -> Result<Vec<u8>, GroupError> {
        let _place = self.answering.try_acquire().map_err(|_| GroupError::Busy)?;
        let RefereeRequest { job, task, .. } = request;
        let part = self.part(job).await?;
        self.check_request(&part, &request, signature)?;
        let told = self.refereeings.look(job, task, Instant::now());
        let told = told.ok_or(GroupError::NotAwaited)??;
        let truth = told.ok_or(GroupError::NotAwaited)?;
        match &truth.output {
            Output::Inline(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                Ok(bytes.get(from..).unwrap_or_default().to_vec())
            }
            Output::Delivered { bytes } => {
                let name = name_of(&self.shared.node.public());
                let item = Item::Result(task, REFEREE_REPLICA, name);
                let end = offset.saturating_add(PIECE_BYTES_MAX as u64).min(*bytes);
                // From the end on there is nothing.
                let range = offset.min(end)..end;
                let read = self.shared.vault.read(job, item, range).await;
                read.map_err(|error| not_read(job, &error))
            }
        }
    }

    /// That the coordinator has signed a request, to this member.
    fn check_request(
        &self,
        part: &Part,
        request: &RefereeRequest,
        signature: &[u8],
    ) -> Result<(), GroupError> {
        let digest = request.signing_digest(&self.shared.genesis);
        let signature = signature.try_into().map(NodeSignature);
        let is_signed = signature.is_ok_and(|it| it.holds(&digest, &part.coordinator.node));
        match is_signed && request.referee == self.shared.node.public() {
            true => Ok(()),
            false => Err(GroupError::NotAsked),
        }
    }

    /// That the copy of the log shows that a task waits for a referee.
    async fn check_awaited(&self, part: &Part, request: &RefereeRequest) -> Result<(), GroupError> {
        let follower = self.follower(request.job, part.turn);
        let mut follower = follower.lock().await;
        let follower = self.opened(&mut follower, request.job, part).await?;
        self.check(follower, request.job, part).await?;
        let checked = follower.checked.as_ref();
        match checked.is_some_and(|checked| checked.recheck.awaits_referee(request.task)) {
            true => Ok(()),
            false => Err(GroupError::NotAwaited),
        }
    }
}

/// Remembers what was seen of a referee being asked, of a job's log by the place of who writes it.
async fn remember(
    shared: Arc<Shared>,
    of: (JobId, u8),
    task: TaskIndex,
    seen: Asking,
) -> Result<(), GroupError> {
    let kept = tokio::task::spawn_blocking(move || shared.store.remember_asking(of, task, seen));
    let kept = kept.await.map_err(|_| GroupError::Storage)?;
    kept.map_err(|_| GroupError::Storage)
}

/// As it is told to the coordinator.
fn refereeing(truth: Option<&Truth>) -> Refereeing {
    let Some(truth) = truth else {
        return Refereeing::Computing;
    };
    Refereeing::Computed {
        report: Blob(truth.report.encode()),
        output_root: truth.output_root,
        bytes: match &truth.output {
            Output::Inline(bytes) => bytes.len() as u64,
            Output::Delivered { bytes } => *bytes,
        },
    }
}
