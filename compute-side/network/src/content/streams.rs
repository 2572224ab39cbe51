//! What streams beside the protocol of tasks are for.

use futures::future::{Ready, ok};
use libp2p::{
    Stream,
    core::upgrade::{InboundUpgrade, UpgradeInfo},
};
use quern_protocol::{fetch, keep};
use std::convert::Infallible;

/// What a stream is for. Each kind has a protocol of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A question of [`fetch`].
    Content,
    /// A wish of [`keep`].
    Keep,
}

impl AsRef<str> for Kind {
    fn as_ref(&self) -> &str {
        match self {
            Self::Content => fetch::PROTOCOL,
            Self::Keep => keep::PROTOCOL,
        }
    }
}

/// Which streams are taken. A device that keeps nothing does not speak of keeping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) is_keeping: bool,
}

impl UpgradeInfo for Taken {
    type Info = Kind;
    type InfoIter = std::iter::Chain<std::option::IntoIter<Kind>, std::option::IntoIter<Kind>>;

    fn protocol_info(&self) -> Self::InfoIter {
        let keep = self.is_keeping.then_some(Kind::Keep);
        Some(Kind::Content).into_iter().chain(keep)
    }
}

impl InboundUpgrade<Stream> for Taken {
    type Output = (Stream, Kind);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, kind: Kind) -> Self::Future {
        ok((stream, kind))
    }
}
