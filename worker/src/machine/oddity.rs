//! What the machine tells wrong.

use std::{fmt, io, mem, path::PathBuf};

/// What a reading is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The operating system's name.
    OperatingSystem,
    /// The processor, its cores and threads.
    Processor,
    /// The graphics processor.
    Gpu,
    /// All memory.
    Ram,
    /// All storage.
    Storage,
    /// The kind of network.
    Network,
    /// Free memory.
    FreeRam,
    /// Free storage.
    FreeStorage,
    /// Free processor time.
    FreeCpu,
    /// The battery's charge.
    Battery,
    /// Whether there is external power.
    Charging,
    /// The temperature of the cores.
    Temperature,
    /// What a person does with the machine.
    Input,
}

impl fmt::Display for Figure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OperatingSystem => "the operating system",
            Self::Processor => "the processor",
            Self::Gpu => "the GPU",
            Self::Ram => "the memory",
            Self::Storage => "the storage",
            Self::Network => "the network's kind",
            Self::FreeRam => "the free memory",
            Self::FreeStorage => "the free storage",
            Self::FreeCpu => "the free processor time",
            Self::Battery => "the battery",
            Self::Charging => "the external power",
            Self::Temperature => "the temperature",
            Self::Input => "the input",
        })
    }
}

/// Why something the machine tells is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The system does not let it be read.
    #[error("it cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// It is longer than it may be.
    #[error("it is longer than {bytes_max} bytes")]
    TooLong {
        /// What it may be.
        bytes_max: u64,
    },
    /// It is not what belongs there.
    #[error("it says {found:?}, which is not understood")]
    NotUnderstood {
        /// The beginning of what it says.
        found: String,
    },
    /// It is less or more than any machine has.
    #[error("it says {found}, and only {least} to {most} is believed")]
    Absurd {
        /// What it says.
        found: i128,
        /// The least that is believed.
        least: i128,
        /// The most that is believed.
        most: i128,
    },
    /// A count that only grows has become less.
    #[error("its count went back")]
    WentBack,
}

/// A figure that is left out, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{figure} is left out where {place} tells it: {wrong}")]
pub struct Oddity {
    /// What is left out.
    pub figure: Figure,
    /// Where it was to be read.
    pub place: PathBuf,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Collects oddities, each kind of each figure once: a sensor that is broken is so every 30
/// seconds. There are at most as many as there are figures times kinds.
#[derive(Debug, Default)]
pub(super) struct Oddities {
    known: Vec<(Figure, mem::Discriminant<Wrong>)>,
    news: Vec<Oddity>,
}

impl Oddities {
    pub(super) fn add(&mut self, figure: Figure, place: PathBuf, wrong: Wrong) {
        let kind = (figure, mem::discriminant(&wrong));
        if !self.known.contains(&kind) {
            self.known.push(kind);
            self.news.push(Oddity {
                figure,
                place,
                wrong,
            });
        }
    }

    pub(super) fn take(&mut self) -> Vec<Oddity> {
        mem::take(&mut self.news)
    }
}
