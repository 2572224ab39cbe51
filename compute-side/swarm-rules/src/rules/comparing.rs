//! What was lost on its way is found by comparing: neighbours tell what their knowledge adds up to, and
//! where that differs ask for what they lack.

use super::Rules;
use crate::{
    bits::Bits,
    claims::differing,
    event::{Effect, Fault},
    keys::Keys,
    limits::WORDS_PER_MESSAGE_MAX,
    message::{Message, PeerId, Resend, Sums, Word},
};

/// Words that one answer says again, of each kind. What is left over is asked for the next time.
const RESENT_MAX: usize = 4 * WORDS_PER_MESSAGE_MAX;

/// Bytes of bitfields that are asked of one neighbour in a millisecond: a task of a million pieces has
/// 128 KiB of them, for which everything else that is said would wait.
const BITS_BYTES_PER_MS: u64 = 16;

impl<K: Keys> Rules<K> {
    pub(super) fn sums(&self) -> Sums {
        Sums {
            has: self.pieces.stored_sum(),
            made: self.pieces.made_sum(),
            claims: self.claims.sums(self.now),
            statements: self.belief.sums(),
        }
    }

    pub(super) fn compare_with_all(&self, out: &mut Vec<Effect>) {
        let message = Message::Compare(self.sums());
        let all = self.neighbours.greeted();
        out.extend(all.map(|peer| Effect::Send(peer, message.clone())));
    }

    pub(super) fn hear_sums(&mut self, from: PeerId, theirs: &Sums, out: &mut Vec<Effect>) {
        let ours = self.sums();
        let bits_ms = u64::from(self.task.pieces / 8) / BITS_BYTES_PER_MS;
        let pause_ms = bits_ms.max(self.pace.ms() / 4);
        let now = self.now;
        let Some(neighbour) = self.neighbours.get_mut(&from) else {
            return;
        };
        let bitfield = neighbour.has_sum != theirs.has;
        let is_made_other = ours.made != theirs.made;
        let claims = differing(&ours.claims, &theirs.claims);
        let statements = differing(&ours.statements, &theirs.statements);
        let is_same = !bitfield && !is_made_other && claims == 0 && statements == 0;
        if is_same || !neighbour.asking.asks(now, pause_ms) {
            return;
        }
        let asked = u32::from(bitfield);
        neighbour.bitfields_due = neighbour.bitfields_due.saturating_add(asked);
        let wanted = Resend {
            bitfield,
            made_but: is_made_other.then(|| self.pieces.made.as_bytes().to_vec()),
            claims,
            statements,
        };
        out.push(Effect::Send(from, Message::Resend(wanted)));
    }

    pub(super) fn resend(
        &mut self,
        to: PeerId,
        wanted: Resend,
        out: &mut Vec<Effect>,
    ) -> Result<(), Fault> {
        let known = wanted
            .made_but
            .map(|bytes| Bits::read(self.task.pieces, &bytes));
        let known = known.transpose()?;
        // Who asks more often than anybody compares waits: an answer may be a thousand times as long.
        let pause_ms = self.pace.compare_ms() / 4;
        let now = self.now;
        match self.neighbours.get_mut(&to) {
            Some(it) if it.resend_from <= now => it.resend_from = now.plus_ms(pause_ms),
            _ => return Ok(()),
        }
        if wanted.bitfield {
            let bits = self.pieces.stored.as_bytes().to_vec();
            out.push(Effect::Send(to, Message::Bitfield(bits)));
        }
        if let Some(known) = known {
            let lacking = self.pieces.made.iter().filter(|piece| !known.has(*piece));
            let words = lacking.filter_map(|piece| {
                let piece = self.pieces.get(piece)?;
                let word = piece.maker(&self.belief)?;
                // What is made here is told once it is on the disk.
                let is_told = word.payload.by != self.me || piece.is_stored;
                is_told.then_some(Word::Made(*word))
            });
            self.send_to(to, words.take(RESENT_MAX), out);
        }
        let claims = self.claims.in_buckets(now, wanted.claims).copied();
        let claims = claims.take(RESENT_MAX).map(Word::Claim);
        self.send_to(to, claims, out);
        let statements = self.belief.in_buckets(wanted.statements).copied();
        let statements = statements.take(RESENT_MAX).map(Word::Checked);
        self.send_to(to, statements, out);
        Ok(())
    }
}
