//! What anybody is told of the grid and of what waits in it.

use super::{Api, Audience, desk::Desk};
use crate::daemon::{Answered, Command, Question, Reply};
use jsonrpsee::{ConnectionId, Extensions};
use quern_jobs_api::{
    ApiError, Asking, DEVICE_POOLS_MAX, DeviceExplanation, DeviceState, GridState, JobExplanation,
    MESSAGE_BYTES_MAX, Matching, TaskExplanation, TaskStage,
};
use quern_primitives::{DeviceId, JobId, TaskIndex};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes that the devices of one answer may take as JSON; the rest of the answer is its frame.
const DEVICES_BYTES_MAX: usize = MESSAGE_BYTES_MAX as usize - 64 * 1024;

/// Puts a question to the task that owns the core, for whoever asks over this connection.
async fn ask(
    api: &Api,
    desk: &Desk,
    over: &Extensions,
    question: Question,
) -> Result<Arc<Reply>, ApiError> {
    let connection = over.get::<ConnectionId>().map_or(0, |id| id.0);
    let (answer, answered) = oneshot::channel();
    let command = Command::Ask {
        question: question.clone(),
        answer,
    };
    let shared = api.shared.clone();
    let put = async move {
        // An error says that the masternode stops; then nobody answers either.
        drop(shared.commands.send(command).await);
        let Answered { reply, took } = answered.await.ok()?;
        let reply = match reply {
            Reply::Devices(devices) => Reply::Devices(fitting(devices, DEVICES_BYTES_MAX)),
            reply => reply,
        };
        Some(Answered { reply, took })
    };
    desk.ask(connection, question, put).await
}

pub(super) async fn explain_job(
    api: &Api,
    over: &Extensions,
    job: JobId,
) -> Result<JobExplanation, ApiError> {
    let desk = &api.desks.explanations;
    match &*ask(api, desk, over, Question::Job(job)).await? {
        Reply::Job(Some(explanation)) => Ok((**explanation).clone()),
        // The core has not heard yet of a job that is open here.
        _ => Err(api.open_job(job).await.err().unwrap_or(ApiError::Starting)),
    }
}

pub(super) async fn explain_task(
    api: &Api,
    over: &Extensions,
    job: JobId,
    task: TaskIndex,
) -> Result<TaskExplanation, ApiError> {
    let desk = &api.desks.explanations;
    match &*ask(api, desk, over, Question::Task(job, task)).await? {
        Reply::Task(Some(explanation)) => Ok(with_verdict(api, (**explanation).clone()).await),
        _ => Err(match api.open_job(job).await {
            Ok(known) if task >= known.submission.tasks => ApiError::NoSuchTask { task },
            Ok(_) => ApiError::Starting,
            Err(error) => error,
        }),
    }
}

/// With the verdict, and the batch it is in, if the task has one and the core does not remember it.
/// They are in the job's log; what cannot be read there is left out.
async fn with_verdict(api: &Api, mut explanation: TaskExplanation) -> TaskExplanation {
    let task = explanation.task;
    let is_decided = match explanation.stage {
        TaskStage::NotUploaded | TaskStage::Untouched | TaskStage::Open => false,
        TaskStage::Decided | TaskStage::Batched | TaskStage::Settled | TaskStage::EndsJob => true,
    };
    if is_decided && explanation.verdict.is_none() {
        let job = explanation.job;
        let decision = api.outcome(job, Audience::Anybody, move |outcome, log, _| {
            outcome.decision(log, task)
        });
        if let Ok((verdict, batch)) = decision.await {
            explanation.verdict = Some(verdict);
            explanation.batch = batch;
        }
    }
    explanation
}

pub(super) async fn explain_device(
    api: &Api,
    over: &Extensions,
    device: DeviceId,
) -> Result<DeviceExplanation, ApiError> {
    let desk = &api.desks.explanations;
    match &*ask(api, desk, over, Question::Device(device)).await? {
        Reply::Device(Some(explanation)) => Ok((**explanation).clone()),
        _ => Err(ApiError::UnknownDevice),
    }
}

pub(super) async fn grid_state(api: &Api, over: &Extensions) -> Result<GridState, ApiError> {
    let desk = &api.desks.glances;
    match &*ask(api, desk, over, Question::Grid).await? {
        Reply::Grid(grid) => Ok((**grid).clone()),
        _ => Err(ApiError::Starting),
    }
}

pub(super) async fn grid_devices(
    api: &Api,
    over: &Extensions,
    first: u32,
) -> Result<Vec<DeviceState>, ApiError> {
    let desk = &api.desks.explanations;
    match &*ask(api, desk, over, Question::Devices { first }).await? {
        Reply::Devices(devices) => Ok(devices.clone()),
        _ => Err(ApiError::Starting),
    }
}

pub(super) async fn grid_rates(
    api: &Api,
    over: &Extensions,
    asking: Asking,
) -> Result<Vec<u32>, ApiError> {
    let desk = &api.desks.glances;
    match &*ask(api, desk, over, Question::Rates(asking)).await? {
        Reply::Rates(rates) => Ok(rates.clone()),
        _ => Err(ApiError::Starting),
    }
}

pub(super) async fn grid_matching(
    api: &Api,
    over: &Extensions,
    asking: Asking,
) -> Result<Matching, ApiError> {
    let desk = &api.desks.glances;
    match &*ask(api, desk, over, Question::Matching(asking)).await? {
        Reply::Matching(matching) => Ok(*matching),
        _ => Err(ApiError::Starting),
    }
}

/// The first of these devices, as many as fit. What devices say of their machines is written with up
/// to six letters a byte, so a page of the longest would not fit.
fn fitting(devices: Vec<DeviceState>, bytes_max: usize) -> Vec<DeviceState> {
    let mut bytes = 0usize;
    let devices = devices.into_iter().map(|mut device| {
        device.pools.truncate(DEVICE_POOLS_MAX);
        device
    });
    devices
        .take_while(|device| {
            let length = serde_json::to_string(device).map_or(0, |text| text.len() + 1);
            bytes = bytes.saturating_add(length);
            bytes <= bytes_max
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use quern_jobs_api::{
        Claimed, DevicePool, GRID_DEVICES_MAX, MachineFacts, Measured, ScoreParts,
    };
    use quern_primitives::{AccountId, device::Class};

    /// A device whose texts are as long as they may be, and need escapes throughout.
    fn device() -> DeviceState {
        let text = || Some("\u{1}".repeat(128));
        DeviceState {
            position: 0,
            device: DeviceId([1; 32]),
            account: AccountId::new([2; 32]),
            connected: true,
            byte_rank: 1,
            ranked: 1,
            ranked_s_ago: None,
            score: 1.0,
            parts: ScoreParts::default(),
            fault_rate: 0.0,
            faulty_tasks: 0,
            flags: vec![],
            lifted: false,
            in_hand: 0,
            in_hand_max: 2,
            software: "\u{1}".repeat(128),
            classes: vec![Class::Pinned, Class::Portable],
            machine: MachineFacts {
                operating_system: text(),
                processor_maker: text(),
                processor_family: text(),
                processor_model: text(),
                gpu: text(),
                ..MachineFacts::default()
            },
            claimed: Claimed::default(),
            measured: Measured::default(),
            pools: vec![
                DevicePool {
                    job: JobId([3; 32]),
                    pool: 1,
                    pools: 1,
                };
                100
            ],
        }
    }

    #[test]
    fn a_page_of_the_longest_devices_is_cut_so_that_it_fits() {
        let all = vec![device(); GRID_DEVICES_MAX as usize];
        let page = fitting(all, DEVICES_BYTES_MAX);
        let bytes = serde_json::to_string(&page).unwrap().len();
        assert!((100..GRID_DEVICES_MAX as usize).contains(&page.len()));
        assert!(bytes <= DEVICES_BYTES_MAX + 2, "{bytes}");
        assert_eq!(page[0].pools.len(), DEVICE_POOLS_MAX);
    }

    #[test]
    fn short_devices_fit_all() {
        let short = DeviceState {
            software: String::new(),
            machine: MachineFacts::default(),
            pools: vec![],
            ..device()
        };
        let all = vec![short; GRID_DEVICES_MAX as usize];
        let page = fitting(all, DEVICES_BYTES_MAX);
        assert_eq!(page.len(), GRID_DEVICES_MAX as usize);
        assert!(fitting(vec![], 0).is_empty());
    }
}
