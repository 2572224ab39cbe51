//! Whom to ask for what now.

use super::{Fetching, Request, cost};
use crate::{
    Effect, PeerId, RequestId, Tick,
    limits::{
        FILLED_MS, HOLDINGS_AGAIN_MS, HOLDINGS_BYTES_MAX, QUESTION_BYTES_MAX, SPANS_UNDER_WAY_MAX,
    },
    line::{Line, Way},
    source::{Holding, Source},
    spans::SpanSet,
};
use quern_primitives::{ids::Digest, limits::SPAN_BYTES};
use std::ops::Range;

impl Fetching {
    /// Asks everybody for as much as is to be asked for now. All have a turn before one has a second, so
    /// that nobody gets all of the rest while others have nothing to do.
    pub(crate) fn ask_all(&mut self, now: Tick, line: &mut Line, out: &mut Vec<Effect>) {
        self.line_ready_at = None;
        let mut peers: Vec<_> = self
            .sources
            .iter()
            .map(|(peer, it)| (it.kind, *peer))
            .collect();
        peers.sort();
        peers.retain(|(_, peer)| !self.is_shunned(now, peer));
        for (_, peer) in &peers {
            self.ask_what_it_has(now, *peer, line, out);
        }
        while !peers.is_empty() {
            peers.retain(|(_, peer)| self.ask_next(now, *peer, line, out));
        }
    }

    fn ask_what_it_has(&mut self, now: Tick, peer: PeerId, line: &mut Line, out: &mut Vec<Effect>) {
        for root in &self.order {
            let (Some(wanted), Some(source)) = (self.wanted.get(root), self.sources.get_mut(&peer))
            else {
                continue;
            };
            let known = source.holdings.get(root).copied();
            if known.is_some_and(|it| it.again_at > now || it.spans.is_whole()) {
                continue;
            }
            if !line.fits(now, HOLDINGS_BYTES_MAX, QUESTION_BYTES_MAX) {
                let ready_at = line.fits_at(now, HOLDINGS_BYTES_MAX, QUESTION_BYTES_MAX);
                self.line_ready_at = sooner(self.line_ready_at, ready_at);
                return;
            }
            // So few bytes are reckoned as the most that they can be.
            for (way, bytes) in [
                (Way::Up, QUESTION_BYTES_MAX),
                (Way::Down, HOLDINGS_BYTES_MAX),
            ] {
                line.take(now, way, bytes);
                line.moved(way, bytes);
            }
            let asked = Holding {
                spans: known.map_or_else(|| SpanSet::none(&wanted.thing), |it| it.spans),
                is_asked: true,
                again_at: now.plus_ms(HOLDINGS_AGAIN_MS),
            };
            source.holdings.insert(*root, asked);
            out.push(Effect::AskHoldings {
                peer,
                root: *root,
                bytes: wanted.thing.bytes(),
            });
        }
    }

    /// One request to a source, if it is to get one. Whether it was asked.
    fn ask_next(
        &mut self,
        now: Tick,
        peer: PeerId,
        line: &mut Line,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(source) = self.sources.get(&peer) else {
            return false;
        };
        let room = SPANS_UNDER_WAY_MAX.saturating_sub(self.spans_under_way());
        let most = source.wants(now).min(room);
        if most == 0 {
            return false;
        }
        match self
            .open(source, most)
            .or_else(|| self.second(&peer, source))
        {
            Some((root, spans)) => self.ask(now, peer, root, spans, line, out),
            None => false,
        }
    }

    /// Spans that nobody is asked for.
    fn open(&self, source: &Source, most: u32) -> Option<(Digest, Range<u32>)> {
        self.order.iter().find_map(|root| {
            let holding = source.holdings.get(root)?;
            let spans = self.wanted.get(root)?.pick(&holding.spans, most)?;
            Some((*root, spans))
        })
    }

    /// One of the last spans, which another source was asked for: the one that would be waited for longest,
    /// if this source brings it sooner.
    fn second(&self, peer: &PeerId, source: &Source) -> Option<(Digest, Range<u32>)> {
        if !source.requests.is_empty() || source.is_wary() {
            return None;
        }
        let ours = source.takes_ms(SPAN_BYTES.into()).unwrap_or(FILLED_MS);
        let mut longest = (ours, None);
        for request in self.requests.values().filter(|it| it.peer != *peer) {
            let wanted = self.wanted.get(&request.root);
            let holding = source.holdings.get(&request.root);
            let (Some(wanted), Some(holding)) = (wanted, holding) else {
                continue;
            };
            if !wanted.is_all_asked() {
                continue;
            }
            let spans = request.next..request.end;
            let span = spans
                .filter(|span| wanted.is_asked_once(*span) && holding.spans.has(*span))
                .max();
            let Some(span) = span else { continue };
            let theirs = self.brings_after_ms(request, span).unwrap_or(u64::MAX);
            if theirs > longest.0 {
                longest = (theirs, Some((request.root, span..span + 1)));
            }
        }
        longest.1
    }

    /// How long it takes until a request brings a span; nothing if nobody can say.
    fn brings_after_ms(&self, request: &Request, span: u32) -> Option<u64> {
        let source = self.sources.get(&request.peer)?;
        if source.is_wary() {
            return None;
        }
        let before = source
            .requests
            .iter()
            .filter_map(|id| self.requests.get(id))
            .take_while(|it| !(it.root == request.root && it.next == request.next))
            .map(|it| it.end - it.next);
        let spans = before.sum::<u32>() + span - request.next + 1;
        source.takes_ms(u64::from(spans) * u64::from(SPAN_BYTES))
    }

    /// Asks for as many of the spans as the line has room for.
    fn ask(
        &mut self,
        now: Tick,
        peer: PeerId,
        root: Digest,
        spans: Range<u32>,
        line: &mut Line,
        out: &mut Vec<Effect>,
    ) -> bool {
        let (Some(wanted), Some(source)) =
            (self.wanted.get_mut(&root), self.sources.get_mut(&peer))
        else {
            return false;
        };
        let first = spans.start;
        let down = |end: u32| cost(&wanted.thing, first, end);
        let fits = |end: &u32| line.fits(now, down(*end), QUESTION_BYTES_MAX);
        let Some(end) = (first + 1..spans.end + 1).rev().find(fits) else {
            let ready_at = line.fits_at(now, down(first + 1), QUESTION_BYTES_MAX);
            self.line_ready_at = sooner(self.line_ready_at, ready_at);
            return false;
        };
        let taken_bytes = down(end);
        line.take(now, Way::Up, QUESTION_BYTES_MAX);
        line.moved(Way::Up, QUESTION_BYTES_MAX);
        line.take(now, Way::Down, taken_bytes);
        wanted.ask(first..end);
        let is_alone = source.requests.is_empty();
        if is_alone {
            source.heard_at = now;
            source.came_at = now;
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        source.requests.push(request);
        source.under_way += end - first;
        self.requests.insert(
            request,
            Request {
                peer,
                root,
                next: first,
                end,
                asked_at: now,
                tells_round_trip: is_alone,
                heard: None,
                taken_bytes,
            },
        );
        out.push(Effect::AskSpans {
            request,
            peer,
            root,
            first,
            count: end - first,
        });
        true
    }

    /// When something is to be done although nothing happens.
    pub(crate) fn next_wakeup(&self, now: Tick) -> Option<Tick> {
        if self.order.is_empty() {
            return None;
        }
        let of_sources = self.sources.iter().flat_map(|(peer, source)| {
            let again = source.holdings.values();
            let again = again
                .filter(|it| !it.spans.is_whole())
                .map(|it| it.again_at);
            let own = [Some(source.rests_until), source.silent_at()];
            let shunned = self.shunned.get(peer).copied();
            own.into_iter().flatten().chain(again).chain(shunned)
        });
        of_sources
            .chain(self.line_ready_at)
            .filter(|at| *at > now)
            .min()
    }
}

fn sooner(one: Option<Tick>, other: Option<Tick>) -> Option<Tick> {
    one.into_iter().chain(other).min()
}
