//! Stands in for `str0m-openssl` in the node.
//!
//! The network library of the node brings a WebRTC transport whose cryptography is OpenSSL, compiled
//! from its C sources. The node listens on TCP and WebSocket only, so no connection ever asks for
//! it. Here is what the transport needs to be compiled: hashes are real, and every connection is
//! refused where it would agree on keys ([`NO_DTLS`]).

mod srtp;

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2_for_hmac::{Digest, Sha256};
use srtp::NoSrtp;
use std::time::Instant;
use str0m_proto::crypto::{
    CryptoError, CryptoProvider, DtlsVersion, Sha1HmacProvider, Sha256Provider,
    dtls::{DtlsCert, DtlsInstance, DtlsProvider},
};

/// Why a WebRTC connection comes to nothing.
pub const NO_DTLS: &str =
    "this node is built without DTLS, so without WebRTC: connect over TCP or WebSocket";

/// The cryptography of a transport that is not offered.
#[must_use]
pub fn default_provider() -> CryptoProvider {
    CryptoProvider {
        srtp_provider: &NoSrtp,
        sha1_hmac_provider: &Hashes,
        sha256_provider: &Hashes,
        dtls_provider: &NoDtls,
    }
}

/// The two hashes, of pure Rust.
#[derive(Debug)]
struct Hashes;

impl Sha1HmacProvider for Hashes {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        // A key of any length is taken.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
            return [0; 20];
        };
        for payload in payloads {
            mac.update(payload);
        }
        mac.finalize().into_bytes().into()
    }
}

impl Sha256Provider for Hashes {
    fn sha256(&self, data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }
}

/// Agrees on no keys with anybody.
#[derive(Debug)]
struct NoDtls;

impl DtlsProvider for NoDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        None
    }

    fn new_dtls(
        &self,
        _: &DtlsCert,
        _: Instant,
        _: DtlsVersion,
        _: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        Err(CryptoError::Other(NO_DTLS.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_connection_is_refused_with_what_to_do() {
        let provider = default_provider().dtls_provider;
        assert!(provider.generate_certificate().is_none());
        let certificate = DtlsCert {
            certificate: Vec::new(),
            private_key: Vec::new(),
        };
        let refused = provider.new_dtls(&certificate, Instant::now(), DtlsVersion::Auto, None);
        assert_eq!(refused.unwrap_err().to_string(), NO_DTLS);
    }

    #[test]
    fn the_hashes_are_those_of_their_standards() {
        // RFC 2202, test case 2, in two parts.
        let mac = Hashes.sha1_hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hex(&Hashes.sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
