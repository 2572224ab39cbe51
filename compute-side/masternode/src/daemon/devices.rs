//! What devices ask, answered from core and vault.

use super::{Command, Grid, state::Shared};
use crate::{
    core::{Event, Token},
    vault::Item,
};
use quern_network::{Misbehaviour, ReplyToken, ServerEvent};
use quern_primitives::{DeviceId, view::DeviceView};
use quern_protocol::{
    Content, Deliver, Fetch, Hello, Piece, Refusal, ReplicaId, Request, Response, Welcome, limits,
};
use std::time::Duration;

/// How long a device that breaks the wire's rules is kept out.
const MISBEHAVIOUR_BLOCK: Duration = Duration::from_secs(60);

impl Grid {
    pub(super) fn hello(
        &mut self,
        device: DeviceId,
        view: Option<Box<DeviceView>>,
        hello: Hello,
        reply: ReplyToken,
    ) {
        match (admit(view.as_deref()), view) {
            (Ok(()), Some(view)) => {
                let software = String::from_utf8_lossy(&hello.software).into_owned();
                let engines = self.core.check_engines(&hello.engines);
                self.sealing_keys.insert(device, view.device.sealing_key);
                self.step(Event::Hello { view, hello });
                if let Err(refusal) = engines {
                    tracing::info!(%device, software, %refusal, "device is refused");
                    tokio::spawn(reply.dismiss(Response::Refused(refusal)));
                    return;
                }
                tracing::info!(%device, software, "device is here");
                let heartbeat_ms = limits::HEARTBEAT.as_millis() as u32;
                reply.reply(Response::Welcome(Welcome { heartbeat_ms }));
            }
            (refusal, _) => {
                let refusal = refusal.err().unwrap_or(Refusal::NotRegistered);
                tracing::info!(%device, %refusal, "device is refused");
                tokio::spawn(reply.dismiss(Response::Refused(refusal)));
            }
        }
    }

    pub(super) fn network(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Connected { .. } => {}
            ServerEvent::Disconnected { device } => self.step(Event::Gone { device }),
            ServerEvent::Misbehaved { device, why } => self.misbehaved(device, why),
            ServerEvent::Request {
                device,
                request,
                reply,
            } => match request {
                Request::Hello(hello) => self.look_up(device, hello, reply),
                Request::Exchange(exchange) => {
                    self.next_token += 1;
                    let token = Token(self.next_token);
                    self.tokens.insert(token, reply);
                    let delivered = exchange
                        .reports
                        .iter()
                        .filter_map(|report| self.delivered(device, report))
                        .collect();
                    self.step(Event::Exchange {
                        device,
                        token,
                        exchange,
                        delivered,
                    });
                }
                Request::Fetch(fetch) => self.fetch(device, fetch, reply),
                Request::Deliver(deliver) => self.deliver(device, deliver, reply),
            },
        }
    }

    fn misbehaved(&mut self, device: DeviceId, why: Misbehaviour) {
        tracing::warn!(%device, %why, "device breaks the protocol and is kept out for a while");
        let server = self.server.clone();
        tokio::spawn(async move { server.block(device, MISBEHAVIOUR_BLOCK).await });
    }

    fn look_up(&self, device: DeviceId, hello: Hello, reply: ReplyToken) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            match look_up(&shared, device).await {
                Ok(view) => {
                    let view = view.map(Box::new);
                    let command = Command::LookedUp {
                        device,
                        view,
                        hello,
                        reply,
                    };
                    // An error says that the masternode stops.
                    drop(shared.commands.send(command).await);
                }
                Err(error) => {
                    tracing::warn!(%device, error = &error as &dyn std::error::Error, "cannot look a device up");
                    reply.dismiss(Response::Refused(Refusal::Starting)).await;
                }
            }
        });
    }

    /// Length and chunk root of a result that was delivered in pieces.
    fn delivered(
        &self,
        device: DeviceId,
        report: &quern_protocol::Report,
    ) -> Option<(ReplicaId, (u64, quern_primitives::Digest))> {
        let quern_protocol::Output::Delivered { bytes } = report.output else {
            return None;
        };
        let receipt = &report.receipt.payload;
        let id = ReplicaId {
            job: receipt.job,
            task: receipt.task,
            replica: receipt.replica,
        };
        if !self.core.holds_replica(&device, id) {
            return None;
        }
        let item = Item::Result(id.task, id.replica, device);
        let vault = &self.shared.vault;
        if vault.held(id.job, item) != bytes {
            return None;
        }
        let root = vault.chunk_root(id.job, item).ok()?;
        // It was kept before if the masternode went down before the report was on disk.
        if !vault.has(id.job, item) {
            vault.keep(id.job, item).ok()?;
        }
        Some((id, (bytes, root)))
    }

    fn fetch(&self, device: DeviceId, fetch: Fetch, reply: ReplyToken) {
        let (job, item) = match fetch.content {
            Content::Shard { job, task } if self.core.holds(&device, job, task) => {
                (Some(job), Item::Shard(task))
            }
            Content::Program(program) => (self.core.program_of(&device, &program), Item::Program),
            Content::Shard { .. } => (None, Item::Program),
        };
        let Some(job) = job else {
            return reply.reply(Response::Refused(Refusal::NotAssigned));
        };
        let vault = self.shared.vault.clone();
        tokio::task::spawn_blocking(move || {
            let total_bytes = vault.held(job, item);
            let bytes = vault.read(job, item, fetch.offset, fetch.length as usize);
            reply.reply(match bytes {
                Ok(bytes) => Response::Piece(Piece { total_bytes, bytes }),
                Err(_) => Response::Refused(Refusal::NoSuchContent),
            });
        });
    }

    fn deliver(&self, device: DeviceId, deliver: Deliver, reply: ReplyToken) {
        if !self.core.holds_replica(&device, deliver.id) {
            return reply.reply(Response::Refused(Refusal::NotAssigned));
        }
        let result_bytes_max = self
            .shared
            .job(deliver.id.job)
            .map_or(0, |job| u64::from(job.submission.result_bytes_max));
        let vault = self.shared.vault.clone();
        tokio::task::spawn_blocking(move || {
            let ReplicaId { job, task, replica } = deliver.id;
            let item = Item::Result(task, replica, device);
            // The length is not known before the report; one byte over the largest never is whole.
            let limit = quern_shards::seal::sealed_bytes(result_bytes_max).saturating_add(1);
            // A piece out of order is answered with what is here, and the device resumes.
            let _ = vault.append(job, item, deliver.offset, limit, &deliver.bytes);
            reply.reply(Response::Delivered {
                received_bytes: vault.held(job, item),
            });
        });
    }
}

/// Whether the chain admits a device.
pub(super) fn admit(view: Option<&DeviceView>) -> Result<(), Refusal> {
    match view {
        None => Err(Refusal::NotRegistered),
        Some(view) if view.banned => Err(Refusal::Banned),
        Some(view) if !view.bonded => Err(Refusal::NotBonded),
        Some(_) => Ok(()),
    }
}

pub(super) async fn look_up(
    shared: &Shared,
    device: DeviceId,
) -> Result<Option<DeviceView>, quern_ledger::ChainError> {
    shared.chain.at_finalised().await?.device(device).await
}
