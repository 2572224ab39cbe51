//! What the masternodes of a world answer a device, by their books.

use super::{super::committing::commits, World, assignment, benchmark, held, output, words};
use quern_primitives::ids::DeviceId;
use quern_protocol::{
    Assignment, Discard, DiscardReason, Exchange, Hello, Refusal, ReplicaId, Response, Stage,
    Welcome, Work, limits::TASKS_IN_HAND_MAX,
};
use std::collections::BTreeSet;

impl World {
    pub(super) fn on_hello(&mut self, masternode: DeviceId, hello: &Hello) -> Response {
        if self.trouble(10) {
            return Response::Refused(Refusal::Full);
        }
        let books = self.books.get_mut(&masternode).unwrap();
        books.committed.clear();
        books.asked.clear();
        books.assigned.retain(|id| hello.in_hand.contains(id));
        let unknown = hello
            .in_hand
            .iter()
            .filter(|id| !books.assigned.contains(id) && !books.acknowledged.contains(id));
        let reason = DiscardReason::NotAssigned;
        books
            .to_discard
            .extend(unknown.map(|id| Discard { id: *id, reason }));
        Response::Welcome(Welcome {
            heartbeat_ms: 5_000,
        })
    }

    pub(super) fn on_exchange(&mut self, masternode: DeviceId, exchange: &Exchange) -> Response {
        let discards = self.trouble(15);
        let late = self.trouble(3);
        let generous = self.draw(4);
        let gives_benchmark = self.trouble(8);
        let asks = self.calm || self.draw(3) == 0;
        let cannot_wait = self.core.cannot_wait();
        let is_withheld = self.core.offer.is_withheld();
        assert!(exchange.want == 0 || !is_withheld, "it asks all the same");
        assert_eq!(exchange.is_busy, self.core.is_busy());
        assert!(exchange.is_busy || self.queue.is_empty(), "a task runs");
        if let Some(state) = &exchange.state {
            assert_eq!(state.unavailable.is_empty(), !is_withheld);
        }
        let books = self.books.get_mut(&masternode).unwrap();
        if let Some(answer) = exchange.benchmark {
            assert!(answer.number <= books.benchmark, "it was given");
            assert_eq!(answer.output, output(answer.number));
        }
        if let Some(number) = exchange.unavailable_for {
            assert!(number <= books.benchmark, "it was given");
        }
        let holds: BTreeSet<ReplicaId> = exchange.holds.iter().map(|held| held.id).collect();
        assert_eq!(holds.len(), exchange.holds.len(), "each once");
        for shown in &exchange.holds {
            assert_eq!(*shown, held(shown.id.task));
        }
        for told in &exchange.progress {
            let is_here = told.stage != Stage::Fetching;
            assert_eq!(holds.contains(&told.id), is_here, "{told:?}");
        }
        for commitment in &exchange.commitments {
            let commitment = &commitment.payload;
            let id = ReplicaId {
                job: commitment.job,
                task: commitment.task,
                replica: commitment.replica,
            };
            assert!(books.committed.insert(id), "said twice");
            assert!(holds.contains(&id), "not shown");
        }
        for report in &exchange.reports {
            let receipt = &report.receipt.payload;
            let id = ReplicaId {
                job: receipt.job,
                task: receipt.task,
                replica: receipt.replica,
            };
            assert!(holds.contains(&id), "not shown");
            if commits(id.task) {
                assert!(books.committed.contains(&id), "not committed");
                assert!(books.asked.contains(&id) || cannot_wait, "not asked");
            }
            books.assigned.remove(&id);
            books.acknowledged.insert(id);
            books.to_acknowledge.extend(words(&report.receipt));
        }
        for hand_back in &exchange.handed_back {
            books.assigned.remove(&hand_back.id);
        }
        if discards && let Some(id) = books.assigned.pop_first() {
            books.to_discard.push(Discard {
                id,
                reason: DiscardReason::Decided,
            });
        }
        let mut reveals = vec![];
        if asks {
            let committed = books.committed.iter().copied();
            reveals.extend(committed.filter(|id| books.asked.insert(*id)));
        }
        let acknowledged = if late {
            vec![]
        } else {
            std::mem::take(&mut books.to_acknowledge)
        };
        let room = TASKS_IN_HAND_MAX - books.assigned.len().min(TASKS_IN_HAND_MAX);
        let given = u32::try_from(room.min(exchange.want.into())).unwrap();
        let given = if generous == 0 { 0 } else { given };
        let assignments: Vec<Assignment> = (self.next_task..self.next_task + given)
            .map(assignment)
            .collect();
        self.next_task += given;
        let books = self.books.get_mut(&masternode).unwrap();
        books
            .assigned
            .extend(assignments.iter().map(|assignment| assignment.id));
        let discard = std::mem::take(&mut books.to_discard);
        let benchmark = gives_benchmark.then(|| {
            self.next_benchmark += 1;
            books.benchmark = self.next_benchmark;
            benchmark(self.next_benchmark)
        });
        Response::Work(Work {
            acknowledged,
            reveals,
            discard,
            assignments,
            ask_again_ms: 1_000,
            benchmark,
        })
    }
}
