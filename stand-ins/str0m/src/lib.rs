//! Stands in for `str0m`, the WebRTC of the networking libraries.
//!
//! The node offers no WebRTC: it takes such addresses out of what it listens on before the network
//! is built. The networking library compiles its WebRTC transport all the same, and the crate of
//! this name brings OpenSSL, DTLS and SCTP with it: minutes of compiling for code that never runs.
//!
//! Here is what `litep2p` names of it, and no more. Every datagram is refused, no certificate is
//! generated, a connection is never alive. Should the transport be started nevertheless, it drops
//! what it receives and the rest of the node works on. Of the values that only a connection could
//! give (a channel, an event, a datagram to send) none is ever made.

use std::{error::Error, fmt, net::SocketAddr, time::Instant};

use self::{
    channel::{Channel, ChannelConfig, ChannelData, ChannelId},
    config::{DtlsCert, Fingerprint},
    error::DtlsError,
    ice::IceCreds,
    net::{Protocol, Receive, Transmit},
};

/// Why all of it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoWebRtc;

impl fmt::Display for NoWebRtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this build has no WebRTC: use addresses of TCP or WebSocket")
    }
}

impl Error for NoWebRtc {}

/// What a connection fails with.
#[derive(Debug)]
pub enum RtcError {
    /// There is no certificate.
    Dtls(DtlsError),
    /// There are no candidates.
    Ice(NoWebRtc),
    /// There is no connection.
    Refused(NoWebRtc),
}

impl fmt::Display for RtcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dtls(error) => write!(f, "{NoWebRtc} ({error})"),
            Self::Ice(error) | Self::Refused(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for RtcError {}

/// An address to connect from or to.
pub struct Candidate(());

impl Candidate {
    /// Refused.
    pub fn host(_address: SocketAddr, _protocol: Protocol) -> Result<Self, NoWebRtc> {
        Err(NoWebRtc)
    }
}

/// How connected the addresses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceConnectionState {
    /// Not.
    Disconnected,
}

/// What happens on a connection: nothing.
#[derive(Debug)]
pub enum Event {
    /// It is connected.
    Connected,
    /// Its addresses are connected otherwise than before.
    IceConnectionStateChange(IceConnectionState),
    /// A channel of this name was opened.
    ChannelOpen(ChannelId, String),
    /// Something arrived.
    ChannelData(ChannelData),
    /// A channel has room again.
    ChannelBufferedAmountLow(ChannelId),
    /// A channel was closed.
    ChannelClose(ChannelId),
    /// The other side closed it.
    Closed,
}

/// What is given to a connection.
pub enum Input<'a> {
    /// The time.
    Timeout(Instant),
    /// What arrived, and when.
    Receive(Instant, Receive<'a>),
}

/// What a connection gives.
pub enum Output {
    /// When it wants to be told the time.
    Timeout(Instant),
    /// What to send.
    Transmit(Transmit),
    /// What happened.
    Event(Event),
}

/// How to build a connection.
pub struct RtcConfig(());

impl RtcConfig {
    /// Without effect.
    #[must_use]
    pub fn set_ice_lite(self, _enabled: bool) -> Self {
        self
    }

    /// Without effect.
    #[must_use]
    pub fn set_dtls_cert(self, _certificate: DtlsCert) -> Self {
        self
    }

    /// Without effect.
    #[must_use]
    pub fn set_fingerprint_verification(self, _enabled: bool) -> Self {
        self
    }

    /// A connection that is not alive.
    #[must_use]
    pub fn build(self, _now: Instant) -> Rtc {
        Rtc(())
    }
}

/// A connection that is never alive.
pub struct Rtc(());

impl Rtc {
    /// Begins to build one.
    #[must_use]
    pub fn builder() -> RtcConfig {
        RtcConfig(())
    }

    /// Never.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        false
    }

    /// Never.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        false
    }

    /// Without effect: it is not connected.
    pub fn disconnect(&mut self) {}

    /// Without effect.
    pub fn add_local_candidate(&mut self, _candidate: Candidate) {}

    /// Without effect.
    pub fn add_remote_candidate(&mut self, _candidate: Candidate) {}

    /// The finer settings of the connection.
    pub fn direct_api(&mut self) -> DirectApi {
        DirectApi(())
    }

    /// None: no channel is open.
    pub fn channel(&mut self, _id: ChannelId) -> Option<Channel<'_>> {
        None
    }

    /// Refused.
    pub fn poll_output(&mut self) -> Result<Output, RtcError> {
        Err(RtcError::Refused(NoWebRtc))
    }

    /// Refused.
    pub fn handle_input(&mut self, _input: Input<'_>) -> Result<(), RtcError> {
        Err(RtcError::Refused(NoWebRtc))
    }
}

/// The digest of a certificate that there is not.
static NO_FINGERPRINT: Fingerprint = Fingerprint { bytes: Vec::new() };

/// The finer settings of a connection that is never alive.
pub struct DirectApi(());

impl DirectApi {
    /// Without effect.
    pub fn set_remote_fingerprint(&mut self, _fingerprint: Fingerprint) {}

    /// Without effect.
    pub fn set_remote_ice_credentials(&mut self, _credentials: IceCreds) {}

    /// Without effect.
    pub fn set_local_ice_credentials(&mut self, _credentials: IceCreds) {}

    /// Without effect.
    pub fn set_ice_controlling(&mut self, _controlling: bool) {}

    /// Refused.
    pub fn start_dtls(&mut self, _active: bool) -> Result<(), RtcError> {
        Err(RtcError::Refused(NoWebRtc))
    }

    /// Without effect.
    pub fn start_sctp(&mut self, _client: bool) {}

    /// Of no bytes: there is no certificate.
    #[must_use]
    pub fn local_dtls_fingerprint(&self) -> &Fingerprint {
        &NO_FINGERPRINT
    }

    /// None: nobody is connected.
    #[must_use]
    pub fn remote_dtls_fingerprint(&self) -> Option<&Fingerprint> {
        None
    }

    /// The name of a channel that is never opened.
    pub fn create_data_channel(&mut self, _config: ChannelConfig) -> ChannelId {
        ChannelId(())
    }

    /// Without effect.
    pub fn close_data_channel(&mut self, _id: ChannelId) {}
}

/// Channels of a connection.
pub mod channel {
    use super::{NoWebRtc, RtcError};
    use std::marker::PhantomData;

    /// Names a channel. None is ever opened, so there is no need to tell them apart.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct ChannelId(pub(crate) ());

    /// How messages arrive.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Reliability {
        /// All of them.
        Reliable,
    }

    /// What to open.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ChannelConfig {
        /// Its name for the user.
        pub label: String,
        /// Whether messages arrive in order.
        pub ordered: bool,
        /// Whether they arrive at all.
        pub reliability: Reliability,
        /// The stream that both sides agreed on before, if so.
        pub negotiated: Option<u16>,
        /// What is spoken on it.
        pub protocol: String,
    }

    /// What arrived on a channel.
    #[derive(Debug)]
    pub struct ChannelData {
        /// On which.
        pub id: ChannelId,
        /// The bytes.
        pub data: Vec<u8>,
    }

    /// An open channel.
    pub struct Channel<'a>(PhantomData<&'a mut ()>);

    impl Channel<'_> {
        /// Refused.
        pub fn write(&mut self, _binary: bool, _data: &[u8]) -> Result<bool, RtcError> {
            Err(RtcError::Refused(NoWebRtc))
        }

        /// Without effect.
        pub fn set_buffered_amount_low_threshold(&mut self, _bytes: usize) {}
    }
}

/// Certificates.
pub mod config {
    use super::NoWebRtc;
    use std::str::FromStr;

    /// A certificate and its key.
    #[derive(Clone)]
    pub struct DtlsCert {
        /// X.509, as DER.
        pub certificate: Vec<u8>,
        /// PKCS#8, as DER.
        pub private_key: Vec<u8>,
    }

    /// The digest of a certificate.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Fingerprint {
        /// Its bytes.
        pub bytes: Vec<u8>,
    }

    impl FromStr for Fingerprint {
        type Err = NoWebRtc;

        fn from_str(_text: &str) -> Result<Self, NoWebRtc> {
            Err(NoWebRtc)
        }
    }
}

/// Cryptography, of which there is none.
pub mod crypto {
    use super::config::DtlsCert;

    pub use super::error::CryptoError;

    /// What the build has of it.
    pub struct CryptoProvider {
        /// Makes certificates.
        pub dtls_provider: DtlsProvider,
    }

    /// Makes no certificates.
    pub struct DtlsProvider(());

    impl DtlsProvider {
        /// None.
        #[must_use]
        pub fn generate_certificate(&self) -> Option<DtlsCert> {
            None
        }
    }

    /// What the build has of cryptography.
    #[must_use]
    pub fn from_feature_flags() -> CryptoProvider {
        CryptoProvider {
            dtls_provider: DtlsProvider(()),
        }
    }
}

/// What fails.
pub mod error {
    use std::fmt;

    /// Why there is no certificate.
    #[derive(Debug)]
    pub enum DtlsError {
        /// The cryptography failed.
        CryptoError(CryptoError),
    }

    /// Why the cryptography failed.
    #[derive(Debug)]
    pub enum CryptoError {
        /// As the caller says.
        Other(String),
    }

    impl fmt::Display for DtlsError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let Self::CryptoError(CryptoError::Other(text)) = self;
            f.write_str(text)
        }
    }
}

/// How connections are found.
pub mod ice {
    use super::NoWebRtc;
    use std::marker::PhantomData;

    /// What both sides know each other by.
    pub struct IceCreds {
        /// The name.
        pub ufrag: String,
        /// The password.
        pub pass: String,
    }

    /// The first message of a connection.
    pub struct StunMessage<'a>(PhantomData<&'a [u8]>);

    impl<'a> StunMessage<'a> {
        /// Refused.
        pub fn parse(_datagram: &'a [u8]) -> Result<Self, NoWebRtc> {
            Err(NoWebRtc)
        }

        /// None.
        #[must_use]
        pub fn split_username(&self) -> Option<(&str, &str)> {
            None
        }
    }
}

/// Datagrams.
pub mod net {
    use super::NoWebRtc;
    use std::{marker::PhantomData, net::SocketAddr, ops::Deref};

    /// What carries them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Protocol {
        /// UDP.
        Udp,
    }

    /// A datagram that arrived.
    pub struct Receive<'a> {
        /// What carried it.
        pub proto: Protocol,
        /// From where.
        pub source: SocketAddr,
        /// To where.
        pub destination: SocketAddr,
        /// What it holds.
        pub contents: DatagramRecv<'a>,
    }

    /// What an arrived datagram holds.
    pub struct DatagramRecv<'a>(PhantomData<&'a [u8]>);

    impl<'a> TryFrom<&'a [u8]> for DatagramRecv<'a> {
        type Error = NoWebRtc;

        fn try_from(_datagram: &'a [u8]) -> Result<Self, NoWebRtc> {
            Err(NoWebRtc)
        }
    }

    /// A datagram to send.
    pub struct Transmit {
        /// To where.
        pub destination: SocketAddr,
        /// What it holds.
        pub contents: DatagramSend,
    }

    /// What a datagram to send holds: nothing.
    #[derive(Debug)]
    pub struct DatagramSend(());

    impl Deref for DatagramSend {
        type Target = [u8];

        fn deref(&self) -> &[u8] {
            &[]
        }
    }
}
