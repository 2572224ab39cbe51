//! Where others are found: peers to begin with, and trackers.

use crate::limits::{PEER_ADDRESS_BYTES_MAX, TRACKER_URL_BYTES_MAX};
use std::{
    fmt,
    net::Ipv6Addr,
    str::{FromStr, from_utf8},
};

/// A peer's name: its Ed25519 key.
pub type PeerKey = [u8; 32];

/// What libp2p puts before an Ed25519 key where it names a peer: an identity multihash of 36 bytes, in
/// which are the key's kind and its length.
const PEER_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Why a text is no address of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// It is too long.
    #[error("it has {bytes} bytes, and at most {PEER_ADDRESS_BYTES_MAX} are allowed")]
    Long {
        /// How many it has.
        bytes: usize,
    },
    /// It has other characters than addresses have.
    #[error("it has other characters than an address has, which are ASCII and no spaces")]
    Characters,
    /// It is no multiaddress.
    #[error("it is no multiaddress, such as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…")]
    Form,
    /// It does not end with a peer's name.
    #[error("it does not end with /p2p/ and the peer's name")]
    NoPeer,
    /// The peer is not named by an Ed25519 key.
    #[error("the name at its end is not that of an Ed25519 key, which begins with 12D3KooW")]
    OtherKey,
}

/// A multiaddress that ends with the name of the peer that is there. How the peer is reached, the parts
/// before, is for whoever dials to understand.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    text: String,
    peer: PeerKey,
}

impl PeerAddress {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, AddressFault> {
        if bytes.len() > PEER_ADDRESS_BYTES_MAX {
            let bytes = bytes.len();
            return Err(AddressFault::Long { bytes });
        }
        let text = graphic(bytes).ok_or(AddressFault::Characters)?;
        let parts = text.strip_prefix('/').ok_or(AddressFault::Form)?;
        if parts.split('/').any(str::is_empty) {
            return Err(AddressFault::Form);
        }
        let (before, name) = text.rsplit_once('/').ok_or(AddressFault::Form)?;
        let place = before.strip_suffix("/p2p").ok_or(AddressFault::NoPeer)?;
        // At least a protocol and where.
        if place.matches('/').count() < 2 {
            return Err(AddressFault::Form);
        }
        let peer = peer_key(name).ok_or(AddressFault::OtherKey)?;
        let text = text.to_owned();
        Ok(Self { text, peer })
    }

    /// The address as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who must be there.
    pub fn peer(&self) -> &PeerKey {
        &self.peer
    }
}

fn peer_key(name: &str) -> Option<PeerKey> {
    let bytes = bs58::decode(name).into_vec().ok()?;
    bytes.strip_prefix(&PEER_PREFIX)?.try_into().ok()
}

fn graphic(bytes: &[u8]) -> Option<&str> {
    let is_graphic = bytes.iter().all(u8::is_ascii_graphic);
    is_graphic.then(|| from_utf8(bytes).ok()).flatten()
}

impl FromStr for PeerAddress {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        Self::read(text.as_bytes())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no tracker's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// It is too long.
    #[error("it has {bytes} bytes, and at most {TRACKER_URL_BYTES_MAX} are allowed")]
    Long {
        /// How many it has.
        bytes: usize,
    },
    /// It has other characters than URLs have.
    #[error("it has other characters than a URL has, which are ASCII and no spaces")]
    Characters,
    /// It begins otherwise.
    #[error("it does not begin with http:// or https://")]
    Scheme,
    /// It names no host.
    #[error("it names no host: a name, or an IPv6 address in brackets")]
    Host,
    /// Its port is none.
    #[error("its port is none from 1 to 65535")]
    Port,
    /// It holds what no tracker needs.
    #[error("it holds a user's name or a fragment; leave out what is before `@` and from `#` on")]
    Extra,
}

/// The URL of a tracker: `http` or `https`, a host, maybe a port, path and query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TrackerUrl(String);

impl TrackerUrl {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// If it is none of a tracker.
    pub fn read(bytes: &[u8]) -> Result<Self, UrlFault> {
        if bytes.len() > TRACKER_URL_BYTES_MAX {
            let bytes = bytes.len();
            return Err(UrlFault::Long { bytes });
        }
        let text = graphic(bytes).ok_or(UrlFault::Characters)?;
        let schemes = ["http://", "https://"];
        let rest = schemes.iter().find_map(|it| text.strip_prefix(it));
        let rest = rest.ok_or(UrlFault::Scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        if authority.contains('@') || rest.contains('#') {
            return Err(UrlFault::Extra);
        }
        let port = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, behind) = bracketed.split_once(']').ok_or(UrlFault::Host)?;
                host.parse::<Ipv6Addr>().map_err(|_| UrlFault::Host)?;
                match behind.strip_prefix(':') {
                    None if behind.is_empty() => None,
                    port => Some(port.ok_or(UrlFault::Host)?),
                }
            }
            None => {
                let (host, port) = match authority.split_once(':') {
                    Some((host, port)) => (host, Some(port)),
                    None => (authority, None),
                };
                let is_named = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-');
                if host.is_empty() || !host.bytes().all(is_named) {
                    return Err(UrlFault::Host);
                }
                port
            }
        };
        let is_port = |port: &str| {
            let is_plain = port.bytes().all(|it| it.is_ascii_digit()) && !port.starts_with('0');
            is_plain && port.parse::<u16>().is_ok()
        };
        match port {
            Some(port) if !is_port(port) => Err(UrlFault::Port),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The URL as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrackerUrl {
    type Err = UrlFault;

    fn from_str(text: &str) -> Result<Self, UrlFault> {
        Self::read(text.as_bytes())
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The name of the key of 32 bytes that are all 7, by another implementation.
    const PEER: &str = "12D3KooWAHoEkEqnKzM5PXFygh2movVBCSX3k8tDsT2cneU68Gyt";

    #[test]
    fn an_address_tells_who_is_there() {
        for place in [
            "/ip4/192.0.2.1/udp/4001/quic-v1",
            "/dns/example.org/tcp/443",
        ] {
            let text = format!("{place}/p2p/{PEER}");
            let address: PeerAddress = text.parse().unwrap();
            assert_eq!(address.peer(), &[7; 32]);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_of_a_peer_is_refused() {
        let here = |text: &str| text.replace("PEER", PEER);
        let long = format!("/dns/{}/tcp/1/p2p/PEER", "x".repeat(250));
        let cases = [
            ("", AddressFault::Form),
            ("PEER", AddressFault::Form),
            ("/p2p/PEER", AddressFault::Form),
            ("/quic/p2p/PEER", AddressFault::Form),
            ("/ip4//tcp/1/p2p/PEER", AddressFault::Form),
            ("/ip4/192.0.2.1/tcp/1/p2p/PEER/", AddressFault::Form),
            ("/ip4/192.0.2.1/tcp/1", AddressFault::NoPeer),
            ("/ip4/192.0.2.1/tcp/1/PEER", AddressFault::NoPeer),
            ("/ip4/192.0.2.1/tcp/1/p2p/PEERx", AddressFault::OtherKey),
            ("/ip4/192.0.2.1/tcp/1/p2p/12D3KooW", AddressFault::OtherKey),
            (
                "/ip4/192.0.2.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
                AddressFault::OtherKey,
            ),
            ("/ip4/192.0.2.1/tcp/1 /p2p/PEER", AddressFault::Characters),
            (
                "/dns/bücher.example/tcp/1/p2p/PEER",
                AddressFault::Characters,
            ),
        ];
        for (text, fault) in cases {
            assert_eq!(here(text).parse::<PeerAddress>(), Err(fault), "{text}");
        }
        let long = here(&long);
        let bytes = long.len();
        assert_eq!(
            long.parse::<PeerAddress>(),
            Err(AddressFault::Long { bytes })
        );
    }

    #[test]
    fn a_peers_name_is_its_key() {
        assert_eq!(peer_key(PEER), Some([7; 32]));
    }

    #[test]
    fn urls_of_trackers_have_a_host_and_nothing_that_no_tracker_needs() {
        for text in [
            "http://tracker.example",
            "https://tracker.example:6969/announce?key=a%20b",
            "http://192.0.2.1/",
            "http://[2001:db8::1]:80/a",
            "https://a?b@c",
        ] {
            let url: TrackerUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), text);
        }
        let long = format!("http://a/{}", "x".repeat(1_016));
        let cases: [(&str, UrlFault); 16] = [
            ("", UrlFault::Scheme),
            ("udp://tracker.example:1", UrlFault::Scheme),
            ("file:///etc/passwd", UrlFault::Scheme),
            ("HTTP://a", UrlFault::Scheme),
            ("http://", UrlFault::Host),
            ("http:///a", UrlFault::Host),
            ("http://a_b/", UrlFault::Host),
            ("http://[::1", UrlFault::Host),
            ("http://[a]/", UrlFault::Host),
            ("http://[::1]1/", UrlFault::Host),
            ("http://a:0/", UrlFault::Port),
            ("http://a:65536/", UrlFault::Port),
            ("http://a:+1/", UrlFault::Port),
            ("http://user:password@a/", UrlFault::Extra),
            ("http://a/#b", UrlFault::Extra),
            ("http://a/ b", UrlFault::Characters),
        ];
        for (text, fault) in cases {
            assert_eq!(text.parse::<TrackerUrl>(), Err(fault), "{text}");
        }
        let bytes = long.len();
        assert_eq!(long.parse::<TrackerUrl>(), Err(UrlFault::Long { bytes }));
    }
}
