//! What masternodes sign for this device's work: looked at beside everything else, and kept.

use super::{News, Shell};
use crate::{
    acknowledgements::Kept,
    core::{Effect, Event},
};
use quern_primitives::{
    Digest, GenesisHash, JobId,
    ids::{DeviceId, NodeKey},
    log::{Acknowledgements, SignedAcknowledgement},
};
use quern_protocol::Response;
use std::collections::BTreeSet;

/// Jobs of which the chain is asked at a time.
const ASKED_MAX: usize = 64;

/// Those words that a masternode has signed.
fn signed(
    masternode: DeviceId,
    genesis: &GenesisHash,
    lists: &[Acknowledgements],
) -> Vec<SignedAcknowledgement> {
    let node = NodeKey(masternode.0);
    let (mut words, mut false_ones) = (Vec::new(), 0);
    for list in lists {
        match list.signed_by(&node, genesis) {
            Some(each) => words.extend(each),
            None => false_ones += list.words.len(),
        }
    }
    if false_ones > 0 {
        tracing::warn!(
            %masternode,
            false_ones,
            "a masternode acknowledges work and does not sign for it; the work is reported again"
        );
    }
    words
}

impl Shell {
    /// Takes the words out of an answer. Their signatures are checked on another thread, so that the tasks
    /// in the same answer do not wait for it; the core hears of them after that.
    pub(super) fn take_words(&self, event: &mut Event) {
        let Event::Answered {
            masternode,
            answer: Some(Response::Work(work)),
            ..
        } = event
        else {
            return;
        };
        let lists = std::mem::take(&mut work.acknowledged);
        if lists.is_empty() {
            return;
        }
        let (masternode, genesis, news) = (*masternode, self.genesis, self.news.clone());
        tokio::task::spawn_blocking(move || {
            let words = signed(masternode, &genesis, &lists);
            let acknowledged = Event::Acknowledged { masternode, words };
            // An error says that the worker ends.
            let _ = news.blocking_send(News::Core(acknowledged));
        });
    }

    /// Writes down the words that are to be kept of these effects, all at once and before anything else of
    /// them is done.
    pub(super) fn keep_words(&mut self, effects: &[Effect]) {
        let words = effects.iter().filter_map(|effect| match effect {
            Effect::Keep { masternode, word } => Some(Kept {
                masternode: NodeKey(masternode.0),
                word: word.clone(),
            }),
            _ => None,
        });
        let words: Vec<Kept> = words.collect();
        if !words.is_empty()
            && let Err(error) = self.words.keep(words)
        {
            tracing::warn!(%error, "what masternodes signed for this device's work is not kept");
        }
    }

    /// Jobs of which something is kept, to be asked about: those behind one, and then from the first again.
    /// And whether there are others.
    pub(super) fn jobs_with_words(&self, behind: Option<JobId>) -> (Vec<JobId>, bool) {
        let jobs: Vec<JobId> = self.words.jobs().collect();
        let has_more = jobs.len() > ASKED_MAX;
        let first = behind.map_or(0, |behind| jobs.partition_point(|job| *job <= behind));
        let (before, behind) = jobs.split_at(first);
        let turn = behind.iter().chain(before).take(ASKED_MAX);
        (turn.copied().collect(), has_more)
    }

    /// A job is over.
    pub(super) fn forget_words(&mut self, job: &JobId) {
        if let Err(error) = self.words.forget(job) {
            tracing::warn!(%error, "what is no longer needed stays on disk");
        }
    }

    /// What these receipts are for is settled for good.
    pub(super) fn forget_receipts(&mut self, job: &JobId, receipts: &BTreeSet<Digest>) {
        if let Err(error) = self.words.forget_receipts(job, receipts) {
            tracing::warn!(%error, "what is no longer needed stays on disk");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quern_primitives::{log::Acknowledgement, payload::NodeSecret};

    #[test]
    fn a_word_counts_only_if_its_masternode_signed_it_for_this_chain() {
        let (node, other) = ([1; 32], [2; 32]);
        let genesis = GenesisHash([3; 32]);
        let word = |seed: &[u8; 32], chain: u8| {
            let payload = Acknowledgement {
                job: JobId([4; 32]),
                task: 5,
                replica: 0,
                device: DeviceId([6; 32]),
                receipt: Digest([7; 32]),
                position: 8,
            };
            let node = NodeSecret::from_seed(seed);
            Acknowledgements::sign(&[payload], &node, &GenesisHash([chain; 32]))
        };
        let lists = [word(&other, 3), word(&node, 3), word(&node, 9)].concat();
        let node = NodeSecret::from_seed(&node);
        let masternode = DeviceId(node.public().0);
        let good = SignedAcknowledgement::alone(lists[1].words[0], &node, &genesis);
        assert_eq!(signed(masternode, &genesis, &lists), [good]);
    }
}
