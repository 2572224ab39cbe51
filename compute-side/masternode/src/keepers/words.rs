//! The words of a contract's group that pieces are proved: each member says it of what was proved to itself.

use super::orders::{self, Context};
use crate::locks::lock;
use codec::{DecodeAll as _, Encode as _};
use futures::{StreamExt as _, stream, stream::FuturesUnordered};
use quern_jobs_api::{Blob, StorageApiClient as _, StorageError};
use quern_keeping::Outcome;
use quern_ledger::ChainError;
use quern_primitives::{
    batch::Words,
    custody::{Held, Proved},
    group::{Group, Member},
    payload::{NodeSignature, Signature as _, SignedPayload as _},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// Bytes of the longest list of who has proved: 256 holders of 36 bytes each.
const PROVED_BYTES_MAX: usize = 10 * 1024;

/// How long the others of a group are waited for: each may have to ask all holders itself.
const PATIENCE: Duration = Duration::from_secs(90);

/// A member to which not all is proved yet is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// A device that did not prove a piece to this masternode is asked again after so long at the soonest.
const ASKED_IN_VAIN: Duration = Duration::from_secs(10);

/// Devices that are asked at a time for what others want certified.
const ASKED_AT_A_TIME: usize = 8;

/// Why there are not words enough.
#[derive(Debug, thiserror::Error)]
pub(super) enum WordsError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("this masternode has no say in the contract any more")]
    NoVoice,
    #[error("{here} of {needed} members say that these are proved ({why})")]
    TooFew {
        here: usize,
        needed: usize,
        why: String,
    },
}

/// What a member is asked to certify.
pub(super) fn decode(bytes: &[u8]) -> Result<Proved, StorageError> {
    let not = |why: &str| StorageError::NotCertifiable { why: why.into() };
    if bytes.len() > PROVED_BYTES_MAX {
        return Err(not("it is longer than any list of holders"));
    }
    let proved =
        Proved::decode_all(&mut &bytes[..]).map_err(|_| not("it is no list of holders"))?;
    let holders = &proved.holders;
    let is_sorted = holders
        .iter()
        .zip(holders.iter().skip(1))
        .all(|(one, next)| one < next);
    match is_sorted && !holders.is_empty() {
        true => Ok(proved),
        false => Err(not("holders are not strictly ascending, or there are none")),
    }
}

/// This masternode's word. What was not proved to it is asked for, and the word is given when it is asked for again.
pub(super) async fn certify(
    context: &Arc<Context>,
    proved: Proved,
) -> Result<Vec<u8>, StorageError> {
    let not = |why: &str| StorageError::NotCertifiable { why: why.into() };
    let randomness = lock(&context.seen).randomness;
    let (period, randomness) = randomness.ok_or(StorageError::NotProved)?;
    if proved.period != period {
        return Err(not("it is of another period than the present one"));
    }
    if proved
        .holders
        .iter()
        .any(|held| !context.holders_of(held.piece).contains(&held.device))
    {
        return Err(not(
            "a device does not hold what it is to be paid for, as this masternode's node has it",
        ));
    }
    let is_proved = |held: &Held| lock(&context.proofs).contains(&(period, *held));
    let open: Vec<Held> = proved
        .holders
        .iter()
        .filter(|it| !is_proved(it))
        .copied()
        .collect();
    if open.is_empty() {
        let signed = context.shared.node.sign(proved, &context.shared.genesis);
        return Ok(signed.signature.0.to_vec());
    }
    // Whoever asks comes again. However often that is, each device is asked for a piece once at a time, and where it does not
    // prove it, not again for a while.
    let open = open
        .into_iter()
        .filter(|held| lock(&context.asking).insert((period, *held)));
    let open: Vec<Held> = open.collect();
    if open.is_empty() {
        return Err(StorageError::NotProved);
    }
    let asking = context.clone();
    tokio::spawn(async move {
        stream::iter(open)
            .for_each_concurrent(ASKED_AT_A_TIME, |held| {
                let asking = asking.clone();
                async move {
                    if orders::prove(&asking, held, (period, randomness)).await != Outcome::Done {
                        tracing::debug!(piece = held.piece, device = %held.device, "is not proved here");
                        sleep(ASKED_IN_VAIN).await;
                    }
                    lock(&asking.asking).remove(&(period, held));
                }
            })
            .await;
    });
    Err(StorageError::NotProved)
}

/// Words of more than half of the group that these have proved their pieces.
pub(super) async fn gather(context: &Context, proved: &Proved) -> Result<Words, WordsError> {
    let shared = &context.shared;
    let state = shared.chain.at_finalised().await?;
    let group = state.contract_group(context.contract).await?;
    let group = group.ok_or(WordsError::NoVoice)?;
    let own = group.place_of(&shared.account.id());
    let own = own.ok_or(WordsError::NoVoice)?;
    let is_own_key = group
        .member(own)
        .is_some_and(|member| !member.is_out && member.node == shared.node.public());
    if !is_own_key {
        return Err(WordsError::NoVoice);
    }
    let signature = shared.node.sign(proved.clone(), &shared.genesis).signature;
    let mut words = vec![(own, signature)];
    let needed = group.needed();
    let mut refusals = Vec::new();
    if words.len() < needed {
        let urls = crate::group::urls(&shared.chain).await?;
        let gathered = others(
            context,
            (&group, own),
            proved,
            &urls,
            &mut words,
            &mut refusals,
        );
        if timeout(PATIENCE, gathered).await.is_err() {
            refusals.push(format!(
                "others did not answer within {} s",
                PATIENCE.as_secs()
            ));
        }
    }
    let here = words.len();
    words.sort_by_key(|(place, _)| *place);
    let too_few = || WordsError::TooFew {
        here,
        needed,
        why: refusals.join("; "),
    };
    if here < needed {
        return Err(too_few());
    }
    words.try_into().map_err(|_| too_few())
}

/// Asks the others, until there are words enough.
async fn others(
    context: &Context,
    (group, own): (&Group, u8),
    proved: &Proved,
    urls: &std::collections::BTreeMap<quern_primitives::AccountId, String>,
    words: &mut Vec<(u8, NodeSignature)>,
    refusals: &mut Vec<String>,
) {
    let others = (0u8..).zip(&group.members);
    let others = others.filter(|(place, member)| *place != own && !member.is_out);
    let mut asked: FuturesUnordered<_> = others
        .map(|(place, member)| {
            let url = urls.get(&member.account).cloned();
            async move { (place, member, word(context, member, url, proved).await) }
        })
        .collect();
    while words.len() < group.needed() {
        match asked.next().await {
            Some((place, _, Ok(signature))) => words.push((place, signature)),
            Some((_, member, Err(why))) => refusals.push(format!("{}: {why}", member.account)),
            None => return,
        }
    }
}

/// One member's word, or why there is none.
async fn word(
    context: &Context,
    member: &Member,
    url: Option<String>,
    proved: &Proved,
) -> Result<NodeSignature, String> {
    let url = url.ok_or("it has published nowhere where it is reached")?;
    loop {
        let client = context.shared.peers.client(&url).await;
        let client = client.map_err(|error| error.to_string())?;
        let refused = match client.certify(Blob(proved.encode())).await {
            Ok(word) => {
                let signature = word.0.try_into().map_err(|_| "its word is no signature")?;
                let signature = NodeSignature(signature);
                let digest = proved.signing_digest(&context.shared.genesis);
                return match signature.holds(&digest, &member.node) {
                    true => Ok(signature),
                    false => {
                        Err("its word is not over this, or not by the key that was drawn".into())
                    }
                };
            }
            Err(error) => error,
        };
        let told = match &refused {
            jsonrpsee::core::client::Error::Call(object) => StorageError::of(object),
            _ => None,
        };
        match told {
            Some(StorageError::NotProved | StorageError::Starting) => sleep(AGAIN).await,
            Some(error) => return Err(error.to_string()),
            None => return Err(refused.to_string()),
        }
    }
}
