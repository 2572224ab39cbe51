//! What kinds of cells there are.

use codec::{Decode, Encode};
use std::fmt;

/// How a cell is held, by what the machine gives. [`probe`](crate::probe()) finds it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Kind {
    /// By namespaces of its own, a root of its own, seccomp, and landlock where the kernel has it.
    Full,
    /// The same, but that the program `bwrap` makes the namespaces and the root.
    Bubblewrap,
    /// By landlock and seccomp alone. What is weaker: the disk, and for a mere user
    /// the number of processes, are looked at and not cut off; the names and sizes of files outside can be seen; what ends stray processes can itself be killed, by others
    /// than the command.
    WithoutNamespaces,
}

impl Kind {
    /// All of them, the strongest first.
    pub const ALL: [Kind; 3] = [Kind::Full, Kind::Bubblewrap, Kind::WithoutNamespaces];

    /// Whether the kernel ends all processes of such a cell with the first of them.
    pub(crate) fn has_names(self) -> bool {
        self != Kind::WithoutNamespaces
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Full => "full",
            Kind::Bubblewrap => "by bubblewrap",
            Kind::WithoutNamespaces => "without namespaces",
        })
    }
}
