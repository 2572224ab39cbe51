//! What devices ask, answered from core and vault.

use super::{Command, Grid, Shared, Sighting, showing};
use crate::{
    core::{Event, Measured, ReportFacts, Shown, Token, replica_of},
    held,
    vault::{Item, Received, Vault},
};
use quern_jobs_api::ApiError;
use quern_network::{Misbehaviour, ReplyToken, ServerEvent};
use quern_primitives::{DeviceId, Digest, JobId, TaskIndex, view::DeviceView};
use quern_protocol::{
    Content, Deliver, Exchange, Fetch, Held, Hello, Mark, Output, Piece, Refusal, ReplicaId,
    Report, Request, Response, Welcome, limits,
};
use quern_shards::{held::Showing, keys::Courier, manifest::ShardEntry};
use rand::RngExt as _;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a device that breaks the wire's rules is kept out.
const MISBEHAVIOUR_BLOCK: Duration = Duration::from_secs(60);

/// What a device shows of a shard.
struct ToLookAt {
    /// The replica, with the place of its assignment in the log.
    assignment: (ReplicaId, u64),
    /// What it is to show; none if the job's manifest is not here.
    showing: Option<Showing>,
    shown: Digest,
}

impl ToLookAt {
    /// Reads the shard for it.
    async fn look(&self, vault: &Vault) -> Shown {
        match &self.showing {
            Some(showing) => held::look(vault, showing, &self.shown).await,
            None => Shown::Unreadable,
        }
    }
}

impl Grid {
    pub(super) fn hello(
        &mut self,
        device: DeviceId,
        found: Option<Sighting>,
        hello: Hello,
        reply: ReplyToken,
    ) {
        if !reply.is_wanted() {
            // It went away while it was looked up, and that was told already.
            return;
        }
        match (admit_found(found.as_ref()), found) {
            (Ok(()), Some(Sighting { at, view, bond })) => {
                let Ok(courier) = Courier::to(&view.device.sealing_key, &mut rand::rng()) else {
                    tracing::info!(%device, "the device's sealing key protects nothing; it is refused");
                    tokio::spawn(reply.dismiss(Response::Refused(Refusal::NotRegistered)));
                    return;
                };
                let software = String::from_utf8_lossy(&hello.software).into_owned();
                let engines = self.core.check_engines(&hello.engines);
                self.couriers.insert(device, Arc::new(courier));
                self.step(Event::Hello {
                    at,
                    view,
                    bond,
                    hello,
                });
                let has_room = match self.core.is_here(&device) {
                    true => Ok(()),
                    false => Err(Refusal::Full),
                };
                if let Err(refusal) = engines.and(has_room) {
                    self.couriers.remove(&device);
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
                tokio::spawn(reply.dismiss(Response::Refused(refusal)));
                match refusal {
                    // It was here before its account retired it.
                    Refusal::NotRegistered if self.core.is_known(&device) => {
                        tracing::info!(%device, %refusal, "device is refused");
                        self.step(Event::Retired { device });
                    }
                    // A key that anybody may have made up costs no line of the log.
                    Refusal::NotRegistered => {
                        tracing::debug!(%device, %refusal, "device is refused");
                    }
                    _ => tracing::info!(%device, %refusal, "device is refused"),
                }
            }
        }
    }

    /// A connected device was looked up again.
    pub(super) fn looked_up_again(&mut self, device: DeviceId, found: Option<Sighting>) {
        match (admit_found(found.as_ref()), found) {
            (Ok(()), Some(Sighting { at, view, bond })) => {
                self.step(Event::Rechecked { at, view, bond });
            }
            (Ok(()) | Err(Refusal::NotRegistered), _) => self.step(Event::Retired { device }),
            (Err(refusal), _) => self.step(Event::Barred { device, refusal }),
        }
    }

    pub(super) fn network(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Connected { .. } => {}
            ServerEvent::Disconnected { device } => {
                self.couriers.remove(&device);
                self.transfers.gone(&device);
                self.step(Event::Gone { device });
            }
            ServerEvent::Misbehaved { device, why } => self.misbehaved(device, why),
            ServerEvent::Request {
                device,
                request,
                reply,
            } => match request {
                Request::Hello(hello) => self.look_up(device, hello, reply),
                // What became of its work a device is told whether or not it is let in.
                Request::Show(show) => {
                    let is_let_in = self.couriers.contains_key(&device);
                    tokio::spawn(showing::show(self.shared.clone(), show, is_let_in, reply));
                }
                // Without a hello nothing else is served, and the place is for others.
                _ if !self.couriers.contains_key(&device) => {
                    tokio::spawn(reply.dismiss(Response::Refused(Refusal::NoHello)));
                }
                Request::Exchange(exchange) => {
                    let measured = self.transfers.round_trip(device, reply.round_trip());
                    self.measured(device, measured);
                    self.receive(device, exchange, reply);
                }
                Request::Fetch(fetch) => self.fetch(device, fetch, reply),
                Request::Deliver(deliver) => self.deliver(device, deliver, reply),
            },
        }
    }

    fn measured(&mut self, device: DeviceId, measured: Option<Measured>) {
        if let Some(measured) = measured {
            self.step(Event::Measured { device, measured });
        }
    }

    fn misbehaved(&mut self, device: DeviceId, why: Misbehaviour) {
        tracing::warn!(%device, %why, "device breaks the protocol and is kept out for a while");
        let server = self.server.clone();
        tokio::spawn(async move { server.block(device, MISBEHAVIOUR_BLOCK).await });
    }

    /// Takes an exchange in. Before, what the device shows of shards is held to those that are here, and results that
    /// were delivered in pieces are read and kept: beside the task that owns the core, for both read files, and the
    /// largest take a while.
    ///
    /// An exchange that comes meanwhile may be taken first, so a device shows with each what it hangs on.
    fn receive(&mut self, device: DeviceId, exchange: Exchange, reply: ReplyToken) {
        for report in &exchange.reports {
            let id = replica_of(&report.receipt);
            if let Some(position) = self.core.reported_at(&device, id) {
                self.accuser.compare(position, &report.receipt);
            }
        }
        let files: Vec<_> = exchange
            .reports
            .iter()
            .filter_map(|report| self.delivered(device, report))
            .collect();
        let mut facts = ReportFacts {
            questions: self.questions(device, &exchange.reports),
            ..ReportFacts::default()
        };
        let held = exchange.holds.iter();
        let held: Vec<_> = held
            .filter_map(|held| self.to_look_at(device, held))
            .collect();
        if files.is_empty() && held.is_empty() {
            return self.exchange(device, exchange, facts, reply);
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            for (id, bytes) in files {
                let item = Item::Result(id.task, id.replica, device);
                let root = shared.vault.delivered(id.job, item, bytes).await;
                facts.delivered.extend(root.map(|root| (id, (bytes, root))));
            }
            for it in held {
                facts
                    .shown
                    .insert(it.assignment, it.look(&shared.vault).await);
            }
            let command = Command::Exchanged {
                device,
                facts,
                exchange,
                reply,
            };
            // An error says that the masternode stops.
            drop(shared.commands.send(command).await);
        });
    }

    pub(super) fn exchange(
        &mut self,
        device: DeviceId,
        exchange: Exchange,
        facts: ReportFacts,
        reply: ReplyToken,
    ) {
        if !self.couriers.contains_key(&device) {
            // Without a hello on this connection there is no key to seal its tasks to.
            tokio::spawn(reply.dismiss(Response::Refused(Refusal::NoHello)));
            return;
        }
        self.next_token += 1;
        let token = Token(self.next_token);
        self.tokens.insert(token, reply);
        self.step(Event::Exchange {
            device,
            token,
            exchange,
            facts,
        });
    }

    /// What a device was asked of which it reports, as far as their jobs' keys are here.
    fn questions(&self, device: DeviceId, reports: &[Report]) -> BTreeMap<ReplicaId, Digest> {
        let asked = |report: &Report| {
            let id = replica_of(&report.receipt);
            // What it does not hold is not looked at.
            let is_held = self.core.holds_replica(&device, id);
            let context = self.shared.context(id.job).filter(|_| is_held)?;
            Some((id, context.question(id.task)?))
        };
        reports.iter().filter_map(asked).collect()
    }

    /// What a device shows of a shard, if it is to be looked at.
    fn to_look_at(&self, device: DeviceId, held: &Held) -> Option<ToLookAt> {
        let Held {
            id,
            log_position,
            shown,
        } = *held;
        if !self.core.awaits_shown(&device, id, log_position) {
            return None;
        }
        let context = self.shared.context(id.job);
        let shard = context.as_ref().and_then(|it| it.manifest.shard(id.task));
        let showing = shard.map(|shard| Showing {
            genesis: self.shared.genesis,
            job: id.job,
            task: id.task,
            replica: id.replica,
            device,
            log_position,
            root: shard.chunk_root,
            sealed_bytes: shard.sealed_bytes(),
        });
        Some(ToLookAt {
            assignment: (id, log_position),
            showing,
            shown,
        })
    }

    /// The replica whose result a report says was delivered in pieces, and its length.
    fn delivered(&self, device: DeviceId, report: &Report) -> Option<(ReplicaId, u64)> {
        let Output::Delivered { bytes } = report.output else {
            return None;
        };
        let id = replica_of(&report.receipt);
        self.core.holds_replica(&device, id).then_some((id, bytes))
    }

    fn fetch(&mut self, device: DeviceId, fetch: Fetch, reply: ReplyToken) {
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
        let mark = draw_mark();
        if let Content::Shard { job, task } = fetch.content {
            let given = (self.shard_bytes(job, task, &fetch), mark);
            let shard = (job, task);
            let measured = self
                .transfers
                .fetch(device, shard, &fetch, given, Instant::now());
            self.measured(device, measured);
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let read = read_piece(&shared, job, item, &fetch).await;
            reply.reply(match read {
                Some((total_bytes, bytes)) => Response::Piece(Piece {
                    total_bytes,
                    bytes,
                    mark,
                }),
                None => Response::Refused(Refusal::NoSuchContent),
            });
        });
    }

    /// How many bytes of a shard there are for a device that fetches a piece of it.
    fn shard_bytes(&self, job: JobId, task: TaskIndex, fetch: &Fetch) -> u64 {
        let context = self.shared.context(job);
        let shard = context.as_ref().and_then(|it| it.manifest.shard(task));
        let total = shard.map_or(0, ShardEntry::sealed_bytes);
        total.saturating_sub(fetch.offset).min(fetch.length.into())
    }

    fn deliver(&mut self, device: DeviceId, deliver: Deliver, reply: ReplyToken) {
        let Some(given) = self.core.given(&device, deliver.id) else {
            return reply.reply(Response::Refused(Refusal::NotAssigned));
        };
        let mark = draw_mark();
        let measured = self
            .transfers
            .deliver(device, &deliver, mark, Instant::now());
        self.measured(device, measured);
        let result_bytes_max = self
            .shared
            .job(deliver.id.job)
            .map_or(0, |job| u64::from(job.submission.result_bytes_max));
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let vault = &shared.vault;
            let ReplicaId { job, task, replica } = deliver.id;
            let item = Item::Result(task, replica, device);
            // The length is not known before the report; one byte over the largest never is whole.
            let limit = quern_shards::seal::sealed_bytes(result_bytes_max).saturating_add(1);
            let piece = deliver.bytes.into();
            let appended = vault.append(job, item, deliver.offset, limit, piece).await;
            if let Err(ApiError::NoRoom { .. }) = appended {
                tracing::warn!(%job, task, "there is no room for a result; raise disk_bytes_max, or most_bytes of the depot");
                reply.reply(Response::Refused(Refusal::Full));
                // The device cannot help it: nobody is found at fault, and the replica rests.
                let command = Command::Withheld { device, given };
                // An error says that the masternode stops.
                return drop(shared.commands.send(command).await);
            }
            // A piece out of order is answered with what is here, and the device resumes.
            let received_bytes = match appended {
                Ok(Received::Partly(bytes) | Received::Kept(bytes)) => bytes,
                Ok(Received::Whole) => limit,
                Err(ApiError::OutOfOrder { expected }) => expected,
                // Of what cannot be looked for nothing is said to be here.
                Err(_) => vault.held(job, item).await.unwrap_or(0),
            };
            reply.reply(Response::Delivered {
                received_bytes,
                mark,
            });
        });
    }
}

/// A piece of what a device fetches, and how many bytes there are of all; none if it is not here. What cannot be read
/// is told to the operator, and the device asks again later.
async fn read_piece(
    shared: &Shared,
    job: JobId,
    item: Item,
    fetch: &Fetch,
) -> Option<(u64, Vec<u8>)> {
    let (context, vault) = (shared.context(job)?, &shared.vault);
    let report = |error: &(dyn std::error::Error + 'static)| {
        tracing::warn!(%job, error, "cannot read what a device fetches");
    };
    let total = context.fetched_bytes(vault, item).await;
    let total = total.inspect_err(|error| report(error)).ok()??;
    let end = fetch.offset.saturating_add(fetch.length.into()).min(total);
    // From the end on there is nothing.
    let bytes = vault.read(job, item, fetch.offset.min(end)..end).await;
    let bytes = bytes.inspect_err(|error| report(error)).ok()?;
    Some((total, bytes))
}

/// What goes with an answer to a piece.
fn draw_mark() -> Mark {
    Mark(rand::rng().random())
}

/// Whether the chain admits a device. It lets nobody take away what a bond needs to cover its devices, so
/// one that is registered is bonded too; that is looked at all the same.
fn admit(view: Option<&DeviceView>) -> Result<(), Refusal> {
    match view {
        None => Err(Refusal::NotRegistered),
        Some(view) if view.banned => Err(Refusal::Banned),
        Some(view) if !view.bonded => Err(Refusal::NotBonded),
        Some(_) => Ok(()),
    }
}

/// The same of one that was looked up.
fn admit_found(found: Option<&Sighting>) -> Result<(), Refusal> {
    admit(found.map(|it| &*it.view))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{
        AccountId, SealingKey,
        device::{Device, Hardware, Region},
    };

    #[test]
    fn only_a_registered_bonded_unbanned_device_is_admitted() {
        let admitted = DeviceView {
            id: DeviceId([1; 32]),
            device: Device::new(
                AccountId::new([2; 32]),
                SealingKey([3; 32]),
                Region::Unknown,
                Hardware::Unknown,
            ),
            bonded: true,
            banned: false,
            verified: false,
            quarantined: false,
        };
        let with = |change: fn(&mut DeviceView)| {
            let mut view = admitted.clone();
            change(&mut view);
            admit(Some(&view))
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|view| view.verified = true), Ok(()));
        assert_eq!(admit(None), Err(Refusal::NotRegistered));
        assert_eq!(with(|view| view.bonded = false), Err(Refusal::NotBonded));
        assert_eq!(with(|view| view.banned = true), Err(Refusal::Banned));
    }
}
