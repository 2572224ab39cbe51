//! What is wanted, who has it, and what is asked of whom.

mod choosing;

use crate::{
    Effect, PeerId, Refusal, RequestId, SourceKind, Tick,
    limits::{
        BROKEN_REST_MS, HEAD_BYTES_MAX, HOLDINGS_AGAIN_MS, SHUNNED_MAX, SHUNNED_MS, SOURCES_MAX,
        WANTED_MAX,
    },
    line::{Line, Way},
    source::Source,
    spans::{SpanSet, Thing},
    wanted::Wanted,
};
use quern_primitives::ids::Digest;
use std::collections::BTreeMap;

/// Spans that one source was asked for. They come in order, one behind the other.
#[derive(Debug)]
struct Request {
    peer: PeerId,
    root: Digest,
    /// The span that comes next.
    next: u32,
    end: u32,
    asked_at: Tick,
    /// Whether nothing else was under way when it was asked, so that its first byte tells the round trip.
    tells_round_trip: bool,
    /// When its first bytes came, and how many those were.
    heard: Option<(Tick, u64)>,
    /// Bytes that are taken of the line for it and have not moved.
    taken_bytes: u64,
}

#[derive(Debug)]
pub(crate) struct Fetching {
    seed: u64,
    wanted: BTreeMap<Digest, Wanted>,
    /// What is wanted, in the order in which it was.
    order: Vec<Digest>,
    sources: BTreeMap<PeerId, Source>,
    requests: BTreeMap<RequestId, Request>,
    /// Those whose proofs did not hold, and until when they are not asked.
    shunned: BTreeMap<PeerId, Tick>,
    next_request: u64,
    /// When the line has room for what it had none for.
    line_ready_at: Option<Tick>,
}

impl Fetching {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            wanted: BTreeMap::new(),
            order: Vec::new(),
            sources: BTreeMap::new(),
            requests: BTreeMap::new(),
            shunned: BTreeMap::new(),
            next_request: 0,
            line_ready_at: None,
        }
    }

    /// What of a wanted thing is written.
    pub(crate) fn written(&self, root: &Digest) -> Option<(Thing, SpanSet)> {
        let wanted = self.wanted.get(root)?;
        Some((wanted.thing, wanted.written()))
    }

    pub(crate) fn held_by_nobody(&self, root: &Digest) -> Option<u32> {
        self.wanted.get(root).map(Wanted::held_by_nobody)
    }

    pub(crate) fn spans_under_way(&self) -> u32 {
        self.sources.values().map(|source| source.under_way).sum()
    }

    pub(crate) fn want(&mut self, thing: Thing, written: SpanSet, out: &mut Vec<Effect>) {
        let root = thing.root();
        if self.wanted.contains_key(&root) {
            return;
        }
        if self.order.len() >= WANTED_MAX {
            out.push(Effect::Decline { root });
            return;
        }
        let wanted = Wanted::new(thing, written, self.seed);
        let is_whole = wanted.written().is_whole();
        self.wanted.insert(root, wanted);
        self.order.push(root);
        if is_whole {
            out.push(Effect::Finish { root });
            self.forget(&root);
        }
    }

    /// A thing is not wanted any more.
    pub(crate) fn unwant(
        &mut self,
        now: Tick,
        root: &Digest,
        line: &mut Line,
        out: &mut Vec<Effect>,
    ) {
        for id in self.requests_where(|request| request.root == *root) {
            self.drop_request(now, id, line, out);
        }
        self.forget(root);
    }

    fn forget(&mut self, root: &Digest) {
        self.wanted.remove(root);
        self.order.retain(|it| it != root);
        for source in self.sources.values_mut() {
            source.holdings.remove(root);
        }
    }

    pub(crate) fn came(&mut self, now: Tick, peer: PeerId, kind: SourceKind) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.kind = kind;
            return;
        }
        if self.sources.len() >= SOURCES_MAX {
            let useless = self.sources.iter().find(|(peer, source)| {
                source.requests.is_empty()
                    && (self.is_shunned(now, peer)
                        || source.holdings.values().all(|it| it.spans.is_empty()))
            });
            let Some(useless) = useless.map(|(peer, _)| *peer) else {
                return;
            };
            self.sources.remove(&useless);
        }
        self.sources.insert(peer, Source::new(kind, now));
    }

    pub(crate) fn left(&mut self, now: Tick, peer: &PeerId, line: &mut Line) {
        for id in self.requests_where(|request| request.peer == *peer) {
            self.end(now, id, line);
        }
        self.sources.remove(peer);
        self.recount_all();
    }

    /// A source answered what it has of a thing: nothing if it said no. What nobody asked for is not
    /// listened to.
    pub(crate) fn told(&mut self, peer: &PeerId, root: &Digest, spans: Option<SpanSet>) {
        let (Some(wanted), Some(source)) = (self.wanted.get(root), self.sources.get_mut(peer))
        else {
            return;
        };
        let Some(holding) = source.holdings.get_mut(root).filter(|it| it.is_asked) else {
            return;
        };
        holding.is_asked = false;
        holding.spans = spans
            .filter(|spans| spans.count() == wanted.thing.spans())
            .unwrap_or_else(|| SpanSet::none(&wanted.thing));
        self.recount(root);
    }

    pub(crate) fn moved(&mut self, now: Tick, id: RequestId, bytes: u64, line: &mut Line) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let bytes = bytes.min(request.taken_bytes);
        request.taken_bytes -= bytes;
        line.moved(Way::Down, bytes);
        let is_first = request.heard.is_none();
        request.heard.get_or_insert((now, bytes));
        if let Some(source) = self.sources.get_mut(&request.peer) {
            source.heard_at = now;
            if is_first && request.tells_round_trip {
                source.heard_first(now.since(request.asked_at));
            }
        }
    }

    pub(crate) fn arrived(
        &mut self,
        now: Tick,
        id: RequestId,
        proof_holds: bool,
        line: &mut Line,
        out: &mut Vec<Effect>,
    ) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let (peer, root, span) = (request.peer, request.root, request.next);
        if !proof_holds {
            self.shun(now, peer, line, out);
            return;
        }
        let (Some(wanted), Some(source)) =
            (self.wanted.get_mut(&root), self.sources.get_mut(&peer))
        else {
            return;
        };
        source.heard_at = now;
        let bytes = wanted.thing.span_bytes(span);
        match request.heard.filter(|(_, heard)| *heard < bytes) {
            Some((at, heard)) if at > source.came_at => source.came(now, at, bytes - heard),
            Some(_) => source.came(now, source.came_at, bytes),
            None => source.came(now, request.asked_at.max(source.came_at), bytes),
        }
        source.under_way = source.under_way.saturating_sub(1);
        wanted.unask(span..span + 1);
        request.next += 1;
        let rest = cost(&wanted.thing, request.next, request.end);
        let over = request.taken_bytes.saturating_sub(rest);
        request.taken_bytes -= over;
        line.give_back(now, Way::Down, over);
        if request.next >= request.end {
            self.end(now, id, line);
        }
        self.write(id, root, span, out);
        self.drop_seconds(now, root, line, out);
        let is_whole = |wanted: &Wanted| wanted.written().is_whole();
        if self.wanted.get(&root).is_some_and(is_whole) {
            out.push(Effect::Finish { root });
            self.unwant(now, &root, line, out);
        }
    }

    fn write(&mut self, request: RequestId, root: Digest, span: u32, out: &mut Vec<Effect>) {
        let Some(wanted) = self.wanted.get_mut(&root) else {
            return;
        };
        if !wanted.write(span) {
            return;
        }
        let written = wanted.written();
        out.push(Effect::Write {
            request,
            root,
            span,
        });
        out.push(Effect::Note { root, written });
    }

    /// Drops every request of which the next span has come from another source.
    fn drop_seconds(&mut self, now: Tick, root: Digest, line: &mut Line, out: &mut Vec<Effect>) {
        let Some(written) = self.wanted.get(&root).map(Wanted::written) else {
            return;
        };
        let is_second = |request: &Request| request.root == root && written.has(request.next);
        for id in self.requests_where(is_second) {
            self.drop_request(now, id, line, out);
        }
    }

    pub(crate) fn refused(&mut self, now: Tick, id: RequestId, refusal: Refusal, line: &mut Line) {
        let Some((peer, root)) = self.end(now, id, line) else {
            return;
        };
        let Some(source) = self.sources.get_mut(&peer) else {
            return;
        };
        source.heard_at = now;
        match refusal {
            Refusal::Busy { ms } => source.is_busy(now, ms),
            Refusal::No => {
                let wanted = self.wanted.get(&root);
                if let (Some(holding), Some(wanted)) = (source.holdings.get_mut(&root), wanted) {
                    holding.spans = SpanSet::none(&wanted.thing);
                    holding.again_at = now.plus_ms(HOLDINGS_AGAIN_MS);
                }
                self.recount(&root);
            }
        }
    }

    pub(crate) fn broke(&mut self, now: Tick, id: RequestId, line: &mut Line) {
        let source = self.end(now, id, line);
        if let Some(source) = source.and_then(|(peer, _)| self.sources.get_mut(&peer)) {
            source.rest(now, BROKEN_REST_MS);
        }
    }

    /// Takes from those who are silent what they were asked for.
    pub(crate) fn end_silence(&mut self, now: Tick, line: &mut Line, out: &mut Vec<Effect>) {
        let is_silent = |source: &Source| source.silent_at().is_some_and(|at| at <= now);
        let silent: Vec<PeerId> = self
            .sources
            .iter()
            .filter_map(|(peer, source)| is_silent(source).then_some(*peer))
            .collect();
        for peer in silent {
            for id in self.requests_where(|request| request.peer == peer) {
                self.drop_request(now, id, line, out);
            }
            if let Some(source) = self.sources.get_mut(&peer) {
                source.was_silent(now);
            }
        }
        self.shunned.retain(|_, until| *until > now);
    }

    fn shun(&mut self, now: Tick, peer: PeerId, line: &mut Line, out: &mut Vec<Effect>) {
        for id in self.requests_where(|request| request.peer == peer) {
            self.drop_request(now, id, line, out);
        }
        if let Some(source) = self.sources.get_mut(&peer) {
            source.holdings.clear();
        }
        if self.shunned.len() >= SHUNNED_MAX {
            let first = self.shunned.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(peer, _)| *peer) {
                self.shunned.remove(&first);
            }
        }
        self.shunned.insert(peer, now.plus_ms(SHUNNED_MS));
        self.recount_all();
    }

    fn is_shunned(&self, now: Tick, peer: &PeerId) -> bool {
        self.shunned.get(peer).is_some_and(|until| *until > now)
    }

    fn requests_where(&self, is_meant: impl Fn(&Request) -> bool) -> Vec<RequestId> {
        let meant = self.requests.iter().filter(|(_, it)| is_meant(it));
        meant.map(|(id, _)| *id).collect()
    }

    fn drop_request(&mut self, now: Tick, id: RequestId, line: &mut Line, out: &mut Vec<Effect>) {
        if self.end(now, id, line).is_some() {
            out.push(Effect::Drop { request: id });
        }
    }

    /// A request is over. What has not come of it can be asked for again.
    fn end(&mut self, now: Tick, id: RequestId, line: &mut Line) -> Option<(PeerId, Digest)> {
        let request = self.requests.remove(&id)?;
        let rest = request.next..request.end;
        if let Some(source) = self.sources.get_mut(&request.peer) {
            source.requests.retain(|it| *it != id);
            source.under_way = source.under_way.saturating_sub(rest.end - rest.start);
        }
        if let Some(wanted) = self.wanted.get_mut(&request.root) {
            wanted.unask(rest);
        }
        line.give_back(now, Way::Down, request.taken_bytes);
        Some((request.peer, request.root))
    }

    fn recount_all(&mut self) {
        for root in self.order.clone() {
            self.recount(&root);
        }
    }

    /// Counts anew who has what of a thing.
    fn recount(&mut self, root: &Digest) {
        if let Some(wanted) = self.wanted.get_mut(root) {
            let holdings = self.sources.values();
            let holdings = holdings.filter_map(|source| source.holdings.get(root));
            wanted.recount(holdings.map(|it| &it.spans));
        }
    }
}

/// Bytes that so many spans take at the most, with their heads.
fn cost(thing: &Thing, first: u32, end: u32) -> u64 {
    let spans = first..end;
    spans
        .map(|span| thing.span_bytes(span).saturating_add(HEAD_BYTES_MAX))
        .fold(0, u64::saturating_add)
}
