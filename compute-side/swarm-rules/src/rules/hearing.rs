//! Who comes and goes, and what they say. Whatever is no word of whom it names, or breaks a limit, ends the
//! connection with whoever said it: a peer checks what it passes on.

use super::{Rules, saying::send_words};
use crate::{
    bits::Bits,
    event::{Effect, Fault},
    keys::Keys,
    limits::{CLAIM_MS_MAX, SLOTS_MAX},
    message::{Claimed, Hello, Made, Message, PeerId, Statement, VERSION, Word},
};
use quern_primitives::payload::Signed;
use quern_swarm_file::{PeerAddress, PieceIndex};

impl<K: Keys> Rules<K> {
    pub(super) fn joined(&mut self, peer: PeerId, opened: bool, out: &mut Vec<Effect>) {
        if peer == self.me || self.belief.standing(&peer).is_out() {
            out.push(Effect::Drop(peer, Fault::Lied));
            return;
        }
        // Whatever stood before with the same peer stands no more.
        self.left(&peer);
        if let Err(fault) = self.neighbours.join(peer, opened) {
            out.push(Effect::Drop(peer, fault));
            return;
        }
        let hello = Hello {
            task: self.task.digest,
            version: VERSION,
            // One that computes nothing says one: it could.
            slots: self.slots.max(1),
        };
        let bits = self.pieces.stored.as_bytes().to_vec();
        out.push(Effect::Send(peer, Message::Hello(hello)));
        out.push(Effect::Send(peer, Message::Bitfield(bits)));
    }

    pub(super) fn left(&mut self, peer: &PeerId) {
        let Some(gone) = self.neighbours.leave(self.now, peer) else {
            return;
        };
        for piece in gone.fetching {
            self.fetching.remove(&piece);
        }
        self.fetch_from = None;
        for piece in gone.has.iter() {
            if !self.neighbours.anybody_has(piece)
                && let Some(known) = self.pieces.get_mut(piece)
            {
                known.out_of_reach_since = self.now;
            }
        }
    }

    pub(super) fn hear(
        &mut self,
        from: PeerId,
        message: Message,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let Some(neighbour) = self.neighbours.get_mut(&from) else {
            return Ok(());
        };
        if let Message::Hello(hello) = message {
            neighbour.greet(hello, &self.task.digest)?;
            self.fetch_from = None;
            self.greet(from, out);
            return Ok(());
        }
        let hello = neighbour.hello.ok_or(Fault::NoHello)?;
        match message {
            Message::Hello(_) => Ok(()),
            Message::Bitfield(bytes) => self.hear_bitfield(from, &bytes),
            Message::Have(word) => self.hear_have(from, word, out),
            Message::Claim(word) => {
                let claim = word.payload;
                match claim.by == from {
                    false => Err(Fault::NotItsOwn),
                    true if claim.slot >= hello.slots => Err(Fault::Claims),
                    true => self.hear_claim(from, word, out),
                }
            }
            Message::Checked(word) => match word.payload.by == from {
                true => self.hear_statement(from, word, out),
                false => Err(Fault::NotItsOwn),
            },
            Message::Heard(words) => words.into_iter().try_for_each(|word| match word {
                Word::Made(word) => self.hear_made(from, word, out),
                Word::Claim(word) => self.hear_claim(from, word, out),
                Word::Checked(word) => self.hear_statement(from, word, out),
            }),
            Message::Compare(sums) => {
                self.hear_sums(from, &sums, out);
                Ok(())
            }
            Message::Resend(wanted) => self.resend(from, wanted, out),
            Message::Peers(addresses) => addresses.iter().try_for_each(|bytes| {
                let address = PeerAddress::read(bytes).map_err(|_| Fault::Address)?;
                if !self
                    .belief
                    .standing(&PeerId::from(*address.peer()))
                    .is_out()
                {
                    self.neighbours.found(address);
                }
                Ok(())
            }),
        }
    }

    /// Tells a newcomer what is under way here, and what all this adds up to.
    fn greet(&mut self, peer: PeerId, out: &mut Vec<Effect>) {
        let own = self.claims.of_key(&self.me).map(Message::Claim);
        out.extend(own.map(|message| Effect::Send(peer, message)));
        out.push(Effect::Send(peer, Message::Compare(self.sums())));
        out.push(Effect::Send(peer, self.neighbours.addresses()));
    }

    fn hear_bitfield(&mut self, from: PeerId, bytes: &[u8]) -> Result<(), Fault> {
        let bits = Bits::read(self.task.pieces, bytes)?;
        let neighbour = self.neighbours.get_mut(&from);
        let neighbour = neighbour.filter(|it| it.bitfields_due > 0);
        let neighbour = neighbour.ok_or(Fault::BitfieldAgain)?;
        if neighbour.has != bits {
            neighbour.asking.has_brought();
        }
        neighbour.set_bits(bits);
        self.fetch_from = None;
        Ok(())
    }

    /// A word brought something new: others hear of it, and who said it is worth asking.
    fn pass_on(&mut self, from: PeerId, word: Word) {
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.asking.has_brought();
        }
        self.outbox.pass_on(from, word);
    }

    fn hear_have(
        &mut self,
        from: PeerId,
        word: Signed<Made>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let piece = word.payload.piece;
        self.hear_made(from, word, out)?;
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.has_now(piece);
        }
        self.fetch_later(piece);
        Ok(())
    }

    pub(super) fn hear_made(
        &mut self,
        from: PeerId,
        word: Signed<Made>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let made = word.payload;
        self.check_piece(made.piece)?;
        if made.bytes > self.task.piece_bytes_max {
            return Err(Fault::PieceLong {
                bytes: made.bytes,
                max: self.task.piece_bytes_max,
            });
        }
        let Some(piece) = self.pieces.get(made.piece) else {
            return Ok(());
        };
        let known = piece.makers.iter().find(|it| it.payload.by == made.by);
        let before = known.map(|it| it.payload);
        if before == Some(made) || self.belief.standing(&made.by).is_out() || made.by == self.me {
            return Ok(());
        }
        if !self.keys.holds(&word, &made.by, &self.genesis) {
            return Err(Fault::Signature);
        }
        if before.is_some() {
            // The same key signed two results of one piece. Where bytes decide, that is a lie; where a
            // command does it may have computed it again after a break.
            if self.task.is_exact {
                self.pass_on(from, Word::Made(word));
                self.convict(made.by, true, out);
            }
            return Ok(());
        }
        if !self.pieces.add(self.now, word, &self.belief) {
            return Ok(());
        }
        self.fetch_later(made.piece);
        self.pass_on(from, Word::Made(word));
        self.let_go_of_made(made.piece, out);
        self.judge_work(&made, out);
        Ok(())
    }

    fn hear_claim(
        &mut self,
        from: PeerId,
        word: Signed<Claimed>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let claim = word.payload;
        self.check_piece(claim.piece)?;
        if claim.slot >= SLOTS_MAX {
            return Err(Fault::Claims);
        }
        let ttl_ms = claim.ttl_ms;
        if ttl_ms == 0 || u64::from(ttl_ms) > CLAIM_MS_MAX {
            return Err(Fault::ClaimTime { ttl_ms });
        }
        let standing = self.belief.standing(&claim.by);
        if !self.claims.is_new(&claim) || standing.is_out() || claim.by == self.me {
            return Ok(());
        }
        if !self.keys.holds(&word, &claim.by, &self.genesis) {
            return Err(Fault::Signature);
        }
        if self.claims.take(self.now, word, standing.is_believed()) {
            self.pass_on(from, Word::Claim(word));
            self.let_go_of_claimed(&claim, out);
        }
        Ok(())
    }

    fn hear_statement(
        &mut self,
        from: PeerId,
        word: Signed<Statement>,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let statement = word.payload;
        self.check_piece(statement.piece)?;
        if self.belief.knows(&statement) || statement.by == self.me {
            return Ok(());
        }
        if !self.keys.holds(&word, &statement.by, &self.genesis) {
            return Err(Fault::Signature);
        }
        if self.belief.take(word) {
            self.pass_on(from, Word::Checked(word));
            self.judge(statement, out);
        }
        Ok(())
    }

    fn check_piece(&self, piece: PieceIndex) -> Result<(), Fault> {
        match piece < self.task.pieces {
            true => Ok(()),
            false => Err(Fault::NoSuchPiece { piece }),
        }
    }

    pub(super) fn tell_addresses(&mut self, out: &mut Vec<Effect>) {
        if self.neighbours.book_len() == 0 {
            return;
        }
        for peer in self.neighbours.greeted().collect::<Vec<_>>() {
            out.push(Effect::Send(peer, self.neighbours.addresses()));
        }
    }

    /// Says words to one peer.
    pub(super) fn send_to(
        &self,
        peer: PeerId,
        words: impl Iterator<Item = Word>,
        out: &mut Vec<Effect>,
    ) {
        send_words(peer, words, out);
    }
}
