//! A worker that returns wrong answers, or none, to show that it is caught.
//!
//! It is the worker with another executor: programs run in the sandbox, and then some of their
//! results are falsified before they are sealed and signed, or the first of them is given to every task.
//! Or the device commits itself to something else than it reveals: to anything, or to what another device
//! did. Or some tasks are given back as if their input could not be opened, or every task waits until it is
//! told to go on. Or the whole process falls silent with a task, and answers later or never. It may be
//! honest for some tasks before it begins. Or it shows pieces that it does not keep any more from where
//! another device keeps them, which takes it some time. Everything else, keys, receipts and manners, is the honest
//! worker's. For tests and demonstrations only; it is not shipped.

use clap::{Parser, ValueEnum};
use quern_primitives::ids::{ContractId, Digest, PieceIndex};
use quern_sandbox::{Cancel, Exit, Invocation, Limits, Outcome, Program, RunError};
use quern_worker::{
    bench::{Executor, Machinery, Sandbox},
    cli::{self, RunArgs},
    kept::Elsewhere,
};
use std::{
    fs,
    path::PathBuf,
    process::{self, ExitCode},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How often it is looked whether what is waited for has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a process is silent that means to be, in seconds: a masternode takes 17 seconds without a word
/// for silence.
const SILENT_S: u32 = 25;

/// Takes tasks like a worker and answers some of them falsely.
#[derive(Debug, Parser)]
#[command(name = "quern-lying-worker", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take tasks, run them, and lie about some
    Run {
        #[command(flatten)]
        run: RunArgs,
        /// How to falsify a result
        #[arg(long, value_enum, default_value_t = Lie::Flip)]
        lie: Lie,
        /// How many of a thousand results are falsified, or tasks given back
        #[arg(long, default_value_t = 1_000, value_name = "PERMILLE",
              value_parser = clap::value_parser!(u16).range(0..=1_000))]
        share: u16,
        /// What decides which results, and how; the same seed lies the same way again
        #[arg(long, default_value_t = 1, value_name = "NUMBER")]
        seed: u64,
        /// Where liars that copy find what others committed themselves to
        #[arg(long, value_name = "FOLDER", required_if_eq("lie", "copy"))]
        shared: Option<PathBuf>,
        /// Tell there what this device commits itself to, whatever else it does
        #[arg(long, requires = "shared")]
        publish: bool,
        /// How long one that copies waits for another device to tell, in seconds. One that waited in vain
        /// commits itself to anything; one that does not wait is the first to tell
        #[arg(long, default_value_t = 0, value_name = "SECONDS",
              value_parser = clap::value_parser!(u8).range(0..=60))]
        patience: u8,
        /// So many tasks are done honestly before
        #[arg(long, default_value_t = 0, value_name = "TASKS")]
        after: u32,
        /// No task is begun while there is this file
        #[arg(long, value_name = "FILE")]
        hold: Option<PathBuf>,
        /// Where another device keeps pieces; this one shows from there what it has no more
        #[arg(long, value_name = "FOLDER")]
        borrow: Vec<PathBuf>,
        /// How long it takes to borrow a piece, in seconds
        #[arg(long, default_value_t = 0, value_name = "SECONDS", requires = "borrow",
              value_parser = clap::value_parser!(u16).range(0..=600))]
        borrowing: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lie {
    /// Other bytes altogether, as many as there were
    Random,
    /// One bit
    Flip,
    /// None: the task is given back, as if its input could not be opened
    Refuse,
    /// None: the device commits itself to one thing and reveals another
    TwoFaced,
    /// None: the device commits itself to what the first did that had the task and told
    Copy,
    /// The result of the first task again, and nothing is run
    Lazy,
    /// None: the process falls silent with the task, and answers when others have it
    Late,
    /// None: the process falls silent with the task, and never answers
    Silent,
}

/// Runs programs in the sandbox and falsifies a share of the results.
struct Liar {
    honest: Sandbox,
    lie: Lie,
    share_permille: u16,
    seed: u64,
    shared: Option<PathBuf>,
    publishes: bool,
    patience: Duration,
    /// Tasks that are done honestly before.
    honest_tasks: u32,
    hold: Option<PathBuf>,
    /// Tasks that were begun.
    begun: u32,
    /// The task that was run last, as its program draws its randomness.
    task: [u8; 32],
    /// What came of the first task.
    first: Option<Outcome>,
}

/// Shows what other devices keep.
#[derive(Debug)]
struct Borrower {
    others: Vec<PathBuf>,
    /// How long that takes.
    takes: Duration,
}

impl Elsewhere for Borrower {
    #[expect(clippy::disallowed_methods, reason = "a slow line is what is played")]
    fn find(&self, contract: ContractId, piece: PieceIndex) -> Option<PathBuf> {
        let name = format!("{}/{piece}", hex_of(&contract.0));
        let mut places = self.others.iter().map(|other| other.join(&name));
        let place = places.find(|place| place.is_file())?;
        thread::sleep(self.takes);
        Some(place)
    }
}

impl Liar {
    /// Whether it lies about the task that was begun last.
    fn lies(&self) -> bool {
        let mut draw = Draw::new(self.seed, &self.task);
        self.begun > self.honest_tasks && draw.below(1_000) < u64::from(self.share_permille)
    }

    /// Where it is told what devices commit themselves to for the task.
    fn told(&self) -> Option<PathBuf> {
        Some(self.shared.as_ref()?.join(hex_of(&self.task)))
    }

    /// Tells what the device commits itself to.
    fn publish(&self, opens: Digest) -> Option<()> {
        let path = self.told()?;
        // Beside its place first: others read all of it or nothing.
        let unfinished = path.with_extension(process::id().to_string());
        fs::write(&unfinished, opens.0).ok()?;
        fs::rename(&unfinished, &path).ok()
    }

    /// What another device committed itself to for the task, if it told.
    #[expect(
        clippy::disallowed_methods,
        reason = "tasks run on threads of their own, and nobody tells when a file comes"
    )]
    fn copied(&self) -> Option<Digest> {
        let (path, begun) = (self.told()?, Instant::now());
        loop {
            if let Ok(bytes) = fs::read(&path) {
                return <[u8; 32]>::try_from(bytes).ok().map(Digest);
            }
            if begun.elapsed() >= self.patience {
                return None;
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The whole process does nothing for a while, as if its machine slept: another one stops it, and has
    /// it go on.
    fn fall_silent() {
        let own = process::id();
        let script = format!("kill -STOP {own}; sleep {SILENT_S}; kill -CONT {own}");
        let slept = process::Command::new("sh").args(["-c", &script]).status();
        // Without a shell it lies less than it should, which the test that counts on it will see.
        drop(slept);
    }

    /// Does nothing until the task is not wanted any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "tasks run on threads of their own, and are cancelled by a flag"
    )]
    fn idle(cancel: &Cancel) {
        while !cancel.is_cancelled() {
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits while there is the file, unless the task is not wanted any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "tasks run on threads of their own, and nobody tells when a file goes"
    )]
    fn wait(&self, cancel: &Cancel) {
        let Some(hold) = &self.hold else {
            return;
        };
        while hold.exists() && !cancel.is_cancelled() {
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Executor for Liar {
    fn run(
        &mut self,
        program: &Program,
        invocation: &Invocation,
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<Outcome, RunError> {
        self.wait(cancel);
        self.task = *invocation.seed();
        self.begun = self.begun.saturating_add(1);
        let task = Draw::new(self.seed, &self.task);
        let share_permille = match self.lies() {
            true => self.share_permille,
            false => 0,
        };
        refuse(limits, self.lie, share_permille, task)?;
        match self.lie {
            _ if share_permille == 0 => {}
            Lie::Lazy => {
                if let Some(first) = &self.first {
                    return Ok(first.clone());
                }
            }
            Lie::Late => Self::fall_silent(),
            Lie::Silent => {
                Self::fall_silent();
                Self::idle(cancel);
            }
            Lie::Random | Lie::Flip | Lie::Refuse | Lie::TwoFaced | Lie::Copy => {}
        }
        let mut outcome = self.honest.run(program, invocation, limits, cancel)?;
        if outcome.exit == Exit::Success {
            falsify(&mut outcome.output, self.lie, share_permille, task);
            if self.lie == Lie::Lazy && self.first.is_none() {
                self.first = Some(outcome.clone());
            }
        }
        Ok(outcome)
    }

    fn commitment(&mut self, opens: Digest) -> Digest {
        if self.publishes {
            self.publish(opens);
        }
        let anything = Digest(opens.0.map(|byte| !byte));
        match self.lie {
            _ if !self.lies() => opens,
            Lie::TwoFaced => anything,
            Lie::Copy => match self.copied() {
                Some(copied) => copied,
                None if self.patience.is_zero() => {
                    self.publish(opens);
                    opens
                }
                None => anything,
            },
            Lie::Random | Lie::Flip | Lie::Refuse | Lie::Lazy | Lie::Late | Lie::Silent => opens,
        }
    }
}

/// Gives a task back, or does not, as the draw for it decides: it is said to ask for more than a task may
/// have, and an honest worker that is given such a one says that it cannot be done as it was assigned.
fn refuse(limits: &Limits, lie: Lie, share_permille: u16, mut draw: Draw) -> Result<(), RunError> {
    if lie == Lie::Refuse && draw.below(1_000) < u64::from(share_permille) {
        let beyond = Limits {
            fuel: u64::MAX,
            ..*limits
        };
        beyond.check()?;
    }
    Ok(())
}

/// Falsifies a result, or leaves it, as the draw for its task decides.
fn falsify(result: &mut Vec<u8>, lie: Lie, share_permille: u16, mut draw: Draw) {
    let is_kept = !matches!(lie, Lie::Random | Lie::Flip);
    if is_kept || draw.below(1_000) >= u64::from(share_permille) {
        return;
    }
    if result.is_empty() {
        result.push(0);
    }
    match lie {
        Lie::Random => {
            for byte in result.iter_mut() {
                // Never the byte that was there.
                *byte = byte.wrapping_add(1 + draw.byte() % 255);
            }
        }
        Lie::Flip => {
            let place = draw.below(result.len() as u64);
            let bit = draw.below(8);
            if let Some(byte) = usize::try_from(place)
                .ok()
                .and_then(|place| result.get_mut(place))
            {
                *byte ^= 1 << bit;
            }
        }
        Lie::Refuse | Lie::TwoFaced | Lie::Copy | Lie::Lazy | Lie::Late | Lie::Silent => {}
    }
}

/// Numbers that follow from a seed and a task (SplitMix64).
#[derive(Clone, Copy)]
struct Draw(u64);

impl Draw {
    /// The draw for the task whose program draws its own randomness from `task`.
    fn new(seed: u64, task: &[u8; 32]) -> Self {
        let mut draw = Self(seed);
        for byte in task {
            draw.0 ^= u64::from(*byte);
            draw.0 = draw.next();
        }
        draw
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, sides: u64) -> u64 {
        self.next() % sides.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn main() -> anyhow::Result<ExitCode> {
    let Command::Run {
        run,
        lie,
        share,
        seed,
        shared,
        publish,
        patience,
        after,
        hold,
        borrow,
        borrowing,
    } = Cli::parse().command;
    let liar = Liar {
        honest: Sandbox,
        lie,
        share_permille: share,
        seed,
        shared,
        publishes: publish,
        patience: Duration::from_secs(patience.into()),
        honest_tasks: after,
        hold,
        begun: 0,
        task: [0; 32],
        first: None,
    };
    let borrower = Borrower {
        others: borrow,
        takes: Duration::from_secs(borrowing.into()),
    };
    let machinery = Machinery {
        executor: Box::new(liar),
        elsewhere: Some(Arc::new(borrower)),
    };
    Ok(cli::run(&run, machinery)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn lied(result: &[u8], lie: Lie, share: u16, seed: u64, task: u8) -> Vec<u8> {
        let mut result = result.to_vec();
        falsify(&mut result, lie, share, Draw::new(seed, &[task; 32]));
        result
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_flip_changes_one_bit_and_random_every_byte() {
        let honest = vec![7; 100];
        for task in 0..50 {
            let flipped = lied(&honest, Lie::Flip, 1_000, 3, task);
            let bits: u32 = honest
                .iter()
                .zip(&flipped)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            assert_eq!((flipped.len(), bits), (100, 1));
            let random = lied(&honest, Lie::Random, 1_000, 3, task);
            assert!(random.len() == 100 && random.iter().all(|byte| *byte != 7));
        }
        assert_eq!(lied(&[], Lie::Flip, 1_000, 3, 1).len(), 1);
    }

    #[test]
    fn a_refusal_is_what_an_honest_worker_says_of_what_it_cannot_do() {
        let refused = |lie, share| refuse(&Limits::default(), lie, share, Draw::new(1, &[1; 32]));
        assert!(matches!(
            refused(Lie::Refuse, 1_000),
            Err(RunError::Limit(_))
        ));
        assert!(refused(Lie::Refuse, 0).is_ok() && refused(Lie::Flip, 1_000).is_ok());
        assert_eq!(lied(&[7; 9], Lie::Refuse, 1_000, 1, 1), [7; 9]);
    }

    fn liar(lie: Lie, shared: Option<PathBuf>) -> Liar {
        Liar {
            honest: Sandbox,
            lie,
            share_permille: 1_000,
            seed: 1,
            shared,
            publishes: false,
            patience: Duration::ZERO,
            honest_tasks: 0,
            hold: None,
            begun: 1,
            task: [7; 32],
            first: None,
        }
    }

    /// A folder for one test, which it removes.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("quern-lying-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn whoever_is_two_faced_commits_itself_to_something_else_and_whoever_copies_to_what_the_first_did()
     {
        let (own, others) = (Digest([1; 32]), Digest([2; 32]));
        assert_ne!(liar(Lie::TwoFaced, None).commitment(own), own);
        assert_eq!(liar(Lie::Flip, None).commitment(own), own);
        let shared = folder("copied");
        let mut first = liar(Lie::Copy, Some(shared.clone()));
        let mut second = liar(Lie::Copy, Some(shared.clone()));
        assert_eq!(first.commitment(others), others);
        assert_eq!(second.commitment(own), others);
        second.task = [8; 32];
        assert_eq!(second.commitment(own), own);
        assert_eq!(lied(&[7; 9], Lie::TwoFaced, 1_000, 1, 1), [7; 9]);
        fs::remove_dir_all(&shared).unwrap();
    }

    #[test]
    fn whoever_copies_and_waits_takes_what_an_honest_device_told_or_anything() {
        let (own, others) = (Digest([1; 32]), Digest([2; 32]));
        let shared = folder("published");
        let mut honest = liar(Lie::Copy, Some(shared.clone()));
        (honest.publishes, honest.share_permille) = (true, 0);
        let mut copying = liar(Lie::Copy, Some(shared.clone()));
        copying.patience = LOOK_EVERY;
        let in_vain = copying.commitment(own);
        assert!(in_vain != own && in_vain != others);
        assert_eq!(honest.commitment(others), others);
        assert_eq!(copying.commitment(own), others);
        fs::remove_dir_all(&shared).unwrap();
    }

    #[test]
    fn whoever_borrows_shows_what_another_device_keeps_and_nothing_else() {
        let theirs = folder("borrowed");
        let contract = ContractId([7; 32]);
        let place = theirs.join(hex_of(&contract.0)).join("3");
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, "a piece").unwrap();
        let borrower = Borrower {
            others: vec![theirs.join("nowhere"), theirs.clone()],
            takes: Duration::ZERO,
        };
        assert_eq!(borrower.find(contract, 3), Some(place));
        assert_eq!(borrower.find(contract, 4), None);
        fs::remove_dir_all(&theirs).unwrap();
    }

    #[test]
    fn whoever_is_honest_for_some_tasks_lies_from_the_next_on() {
        let mut selective = liar(Lie::TwoFaced, None);
        selective.honest_tasks = 2;
        let lies = [1, 2, 3, 4].map(|begun| {
            selective.begun = begun;
            selective.lies()
        });
        assert_eq!(lies, [false, false, true, true]);
    }

    #[test]
    fn what_is_not_falsified_by_its_bytes_is_kept() {
        for lie in [Lie::Lazy, Lie::Late, Lie::Silent] {
            assert_eq!(lied(&[7; 9], lie, 1_000, 1, 1), [7; 9]);
        }
    }

    #[test]
    fn the_share_and_the_seed_decide_which_results_are_false() {
        let honest = vec![7; 100];
        let lies = |share, seed| -> Vec<bool> {
            (0..=255)
                .map(|task| lied(&honest, Lie::Flip, share, seed, task) != honest)
                .collect()
        };
        assert!(lies(0, 1).iter().all(|lie| !lie));
        assert!(lies(1_000, 1).iter().all(|lie| *lie));
        let some = lies(300, 1).iter().filter(|lie| **lie).count();
        assert!((40..120).contains(&some), "{some} of 256");
        assert_eq!(lies(300, 1), lies(300, 1));
        assert_ne!(lies(300, 1), lies(300, 2));
    }
}
