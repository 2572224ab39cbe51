//! What is said to whom at the end of a step: each word once, to all but whom it came from.

use super::Rules;
use crate::{
    event::Effect,
    keys::Keys,
    limits::WORDS_PER_MESSAGE_MAX,
    message::{Message, PeerId, Word},
};

/// Words that a step has brought.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// This peer's own: said at once, each as a message of its own.
    own: Vec<Message>,
    /// Those of others, with whom they came from.
    passed_on: Vec<(PeerId, Word)>,
}

impl Outbox {
    pub(super) fn say(&mut self, message: Message) {
        self.own.push(message);
    }

    pub(super) fn pass_on(&mut self, from: PeerId, word: Word) {
        self.passed_on.push((from, word));
    }
}

impl<K: Keys> Rules<K> {
    pub(super) fn say_all(&mut self, out: &mut Vec<Effect>) {
        let outbox = std::mem::take(&mut self.outbox);
        if outbox.own.is_empty() && outbox.passed_on.is_empty() {
            return;
        }
        for peer in self.neighbours.greeted() {
            let own = outbox.own.iter().cloned();
            out.extend(own.map(|message| Effect::Send(peer, message)));
            let words = outbox.passed_on.iter().filter(|(from, _)| *from != peer);
            send_words(peer, words.map(|(_, word)| *word), out);
        }
    }
}

/// Says what others said, in as many messages as it takes.
pub(super) fn send_words(peer: PeerId, words: impl Iterator<Item = Word>, out: &mut Vec<Effect>) {
    let words: Vec<Word> = words.collect();
    for words in words.chunks(WORDS_PER_MESSAGE_MAX) {
        out.push(Effect::Send(peer, Message::Heard(words.to_vec())));
    }
}
