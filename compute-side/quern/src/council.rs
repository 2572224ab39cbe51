//! `quern council`: what the council decides, from a motion to what comes of it.

mod decision;
mod motion;

use crate::{
    context::Context,
    output::{Output, fields, patiently, submit, table},
    units::{counted, span_of_blocks},
};
use clap::{Args, Subcommand, ValueEnum};
use decision::Decision;
use motion::{CouncilError, check_close, check_vote, find, is_decided, majority, member};
use quern_ledger::{Call, Chain, Motion, MotionEnd, Settled};
use quern_primitives::{AccountId, BlockNumber, Digest};
use serde::Serialize;

/// What can be done in the council.
#[derive(Subcommand, Debug)]
pub(crate) enum CouncilCommand {
    /// Who sits in the council, and which motions are open
    Show,
    /// Propose a motion; a council of one decides by that
    #[command(subcommand)]
    Propose(Decision),
    /// Vote on a motion; until it is closed the vote may be changed
    Vote(VoteArgs),
    /// Close a motion that is decided; if it is accepted, what it says is done. Anyone may
    Close(MotionArgs),
}

#[derive(Args, Debug)]
pub(crate) struct MotionArgs {
    /// The motion's number, as `quern council show` tells it
    motion: u32,
}

#[derive(Args, Debug)]
pub(crate) struct VoteArgs {
    #[command(flatten)]
    motion: MotionArgs,
    /// For it or against it
    #[arg(value_enum)]
    vote: Vote,
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vote {
    /// For it
    Yes,
    /// Against it
    No,
}

/// A motion as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Shown {
    number: u32,
    /// The digest of its call.
    motion: Digest,
    /// The call, such as `Roster.verify_device`.
    call: String,
    /// What it would do.
    words: String,
    threshold: u32,
    yes: Vec<AccountId>,
    no: Vec<AccountId>,
    /// The first block in which it can be closed without the votes of all.
    ends_at: BlockNumber,
    /// Whether it can be closed in the block after this one.
    decided: bool,
}

/// The council and its motions.
#[derive(Debug, Serialize)]
struct Council {
    block: BlockNumber,
    members: Vec<AccountId>,
    /// The members that must vote for a motion.
    majority: u32,
    motions: Vec<Shown>,
}

/// What a command did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Done {
    /// The motion is open.
    Proposed,
    /// A vote is given.
    Voted,
    /// What the motion says is done.
    Made,
    /// The motion was not accepted.
    Rejected,
}

/// A motion after something was done with it.
#[derive(Debug, Serialize)]
struct Acted {
    done: Done,
    /// The digest of the motion's call.
    motion: Digest,
    /// What it does.
    words: String,
    /// How it stands, while it is open.
    open: Option<Shown>,
    block: BlockNumber,
    transaction: String,
}

/// Does what is asked.
pub(crate) async fn run(context: &Context, command: &CouncilCommand) -> anyhow::Result<()> {
    match command {
        CouncilCommand::Show => show(context).await,
        CouncilCommand::Propose(decision) => propose(context, decision).await,
        CouncilCommand::Vote(args) => vote(context, args).await,
        CouncilCommand::Close(args) => close(context, args).await,
    }
}

async fn show(context: &Context) -> anyhow::Result<()> {
    let asked = patiently("asking the chain", async {
        let state = context.chain().await?.at_finalised().await?;
        let (members, motions) = (state.council().await?, state.motions().await?);
        anyhow::Ok((state.block().number, members, motions))
    });
    let (block, members, motions) = asked.await?;
    let seats = members.len();
    context.show(&Council {
        block,
        majority: majority(seats),
        motions: motions
            .iter()
            .map(|motion| Shown::new(motion, seats, block))
            .collect(),
        members,
    })
}

async fn propose(context: &Context, decision: &Decision) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let members = state.council().await?;
    member(&members, &account.id())?;
    let call = decision.call(context, &state).await?;
    let call = state.encoded(&call)?;
    let (hash, words) = (call.hash, decision::in_words(&call));
    let motions = state.motions().await?;
    if let Some(open) = motions.iter().find(|motion| motion.call.hash == hash) {
        let number = open.number;
        return Err(CouncilError::Open { number }.into());
    }
    let threshold = majority(members.len());
    let propose = Call::ProposeMotion { threshold, call };
    let settled = submit(&chain, &account, &propose, "proposing the motion").await?;
    match threshold {
        // It is decided by being proposed.
        0 | 1 => ended(context, &chain, (hash, words), settled).await,
        _ => still_open(context, &chain, Done::Proposed, (hash, words), settled).await,
    }
}

async fn vote(context: &Context, args: &VoteArgs) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    member(&state.council().await?, &account.id())?;
    let motion = find(state.motions().await?, args.motion.motion)?;
    check_vote(&motion, &account.id(), args.vote)?;
    let hash = motion.call.hash;
    let call = Call::VoteOnMotion {
        motion: hash,
        number: motion.number,
        aye: args.vote == Vote::Yes,
    };
    let settled = submit(&chain, &account, &call, "voting").await?;
    let words = decision::in_words(&motion.call);
    still_open(context, &chain, Done::Voted, (hash, words), settled).await
}

async fn close(context: &Context, args: &MotionArgs) -> anyhow::Result<()> {
    let account = context.account()?;
    let chain = context.chain().await?;
    let state = chain.at_finalised().await?;
    let motion = find(state.motions().await?, args.motion)?;
    check_close(&motion, state.council().await?.len(), state.block().number)?;
    let words = decision::in_words(&motion.call);
    let (hash, weight) = (motion.call.hash, state.weight_of(&motion.call).await?);
    let call = Call::CloseMotion {
        number: motion.number,
        call: motion.call,
        weight,
    };
    let settled = submit(&chain, &account, &call, "closing the motion").await?;
    ended(context, &chain, (hash, words), settled).await
}

/// Shows a motion that goes on. Of one that was closed within the same block no votes are known.
async fn still_open(
    context: &Context,
    chain: &Chain,
    done: Done,
    (motion, words): (Digest, String),
    settled: Settled,
) -> anyhow::Result<()> {
    let state = chain.at(settled.block).await?;
    let seats = state.council().await?.len();
    let motions = state.motions().await?;
    let open = motions.iter().find(|open| open.call.hash == motion);
    let open = open.map(|open| Shown::new(open, seats, settled.block.number));
    context.show(&Acted::new(done, (motion, words), open, settled))
}

/// Shows what came of a motion that is over. Fails if what was decided could not be done.
async fn ended(
    context: &Context,
    chain: &Chain,
    (motion, words): (Digest, String),
    settled: Settled,
) -> anyhow::Result<()> {
    let state = chain.at(settled.block).await?;
    let block = settled.block.number;
    let done = match state.motion_end(motion).await? {
        Some(MotionEnd::Made) => Done::Made,
        Some(MotionEnd::Rejected) => Done::Rejected,
        Some(MotionEnd::Refused { why }) => {
            return Err(CouncilError::NotMade { block, why }.into());
        }
        None => return Err(CouncilError::NoEnd { block }.into()),
    };
    context.show(&Acted::new(done, (motion, words), None, settled))
}

impl Shown {
    fn new(motion: &Motion, seats: usize, block: BlockNumber) -> Self {
        Self {
            number: motion.number,
            motion: motion.call.hash,
            call: format!("{}.{}", motion.call.pallet, motion.call.name),
            words: decision::in_words(&motion.call),
            threshold: motion.threshold,
            yes: motion.ayes.clone(),
            no: motion.nays.clone(),
            ends_at: motion.ends_at,
            decided: is_decided(motion, seats, block.saturating_add(1)),
        }
    }

    /// What is to be done next.
    fn next(&self, block: BlockNumber) -> String {
        let number = self.number;
        if self.decided {
            return format!("quern council close {number}");
        }
        let left = span_of_blocks(self.ends_at.saturating_sub(block).into());
        let until = self.ends_at;
        format!("quern council vote {number} yes|no, until block {until}, in {left}")
    }
}

impl Acted {
    fn new(
        done: Done,
        (motion, words): (Digest, String),
        open: Option<Shown>,
        settled: Settled,
    ) -> Self {
        Self {
            done,
            motion,
            words,
            open,
            block: settled.block.number,
            transaction: format!("0x{}", hex::encode(settled.transaction)),
        }
    }
}

impl Output for Council {
    fn people(&self) -> String {
        let seats = counted(self.members.len(), "member");
        let mut lines = vec![format!("{seats}; a motion needs {} of them", self.majority)];
        lines.extend(self.members.iter().map(|account| format!("  {account}")));
        if self.motions.is_empty() {
            lines.push("\nno motion is open; `quern council propose` makes one".into());
            return lines.join("\n");
        }
        let row = |it: &Shown| {
            vec![
                it.number.to_string(),
                format!("{}/{}", it.yes.len(), it.threshold),
                it.no.len().to_string(),
                it.words.clone(),
                it.next(self.block),
            ]
        };
        let rows: Vec<_> = self.motions.iter().map(row).collect();
        let head = [">motion", ">yes", ">no", "what it does", "next"];
        format!("{}\n\n{}", lines.join("\n"), table(&head, &rows))
    }
}

impl Output for Acted {
    fn people(&self) -> String {
        let state = match self.done {
            Done::Proposed => "proposed",
            Done::Voted => "your vote is given",
            Done::Made => "decided and done",
            Done::Rejected => "not accepted; nothing is done",
        };
        let mut pairs = vec![
            ("motion", self.words.clone()),
            ("state", state.to_owned()),
            ("block", self.block.to_string()),
        ];
        if let Some(open) = &self.open {
            let votes = format!(
                "{} yes of the {} needed, {} no",
                open.yes.len(),
                open.threshold,
                open.no.len()
            );
            pairs.extend([
                ("number", open.number.to_string()),
                ("votes", votes),
                ("next", open.next(self.block)),
            ]);
        }
        fields(&pairs)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
