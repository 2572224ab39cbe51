//! A connection to a bucket: TCP, and TLS over it where the address says so.

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    fmt,
    fs::File,
    future::Future,
    io::{self, Read as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How long it may take until a connection stands.
const CONNECT_WAIT: Duration = Duration::from_secs(15);

/// Bytes of a file of certificates, at most.
const ROOTS_BYTES_MAX: u64 = 1024 * 1024;

/// Why there are no certificates to trust.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{} cannot be read; ca_file has to name a file of certificates in PEM", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file has none, or something else.
    #[error("{} is no file of certificates in PEM, or has more than {ROOTS_BYTES_MAX} bytes", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
    },
    /// This machine trusts nobody.
    #[error(
        "this machine has no certificates to trust; install ca-certificates, or name them with ca_file"
    )]
    None,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// What a server's certificate has to lead to.
#[derive(Clone)]
pub struct Roots(Arc<ClientConfig>);

impl Roots {
    /// What this machine trusts.
    pub fn of_machine() -> Result<Self, RootsError> {
        let mut roots = RootCertStore::empty();
        // What cannot be read or is none is one fewer to trust.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::of(roots)
    }

    /// The certificates of a file, and no others.
    pub fn of_file(path: &Path) -> Result<Self, RootsError> {
        let read = |source| RootsError::Read {
            path: path.to_owned(),
            source,
        };
        let no_pem = || RootsError::Pem {
            path: path.to_owned(),
        };
        let mut pem = Vec::new();
        let file = File::open(path).map_err(read)?;
        file.take(ROOTS_BYTES_MAX + 1)
            .read_to_end(&mut pem)
            .map_err(read)?;
        if pem.len() as u64 > ROOTS_BYTES_MAX {
            return Err(no_pem());
        }
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|_| no_pem())?;
            roots.add(certificate).map_err(|_| no_pem())?;
        }
        match roots.is_empty() {
            true => Err(no_pem()),
            false => Self::of(roots),
        }
    }

    /// Nobody's: what is asked is on this machine, over http.
    pub fn nobody() -> Result<Self, RootsError> {
        Self::trusting(RootCertStore::empty())
    }

    fn of(roots: RootCertStore) -> Result<Self, RootsError> {
        match roots.is_empty() {
            true => Err(RootsError::None),
            false => Self::trusting(roots),
        }
    }

    fn trusting(roots: RootCertStore) -> Result<Self, RootsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(RootsError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roots")
    }
}

/// Makes connections.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    roots: Roots,
}

impl Dial {
    pub(crate) fn new(roots: Roots) -> Self {
        Self { roots }
    }
}

impl tower_service::Service<Uri> for Dial {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let roots = self.roots.clone();
        Box::pin(async move {
            let connected = tokio::time::timeout(CONNECT_WAIT, connect(roots, to));
            connected.await.map_err(|_| io::ErrorKind::TimedOut)?
        })
    }
}

async fn connect(Roots(config): Roots, to: Uri) -> io::Result<Stream> {
    let is_tls = to.scheme_str() == Some("https");
    let host = to.host().ok_or(io::ErrorKind::InvalidInput)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = to.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    if !is_tls {
        return Ok(Stream::Plain(TokioIo::new(tcp)));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let tls = TlsConnector::from(config).connect(name, tcp).await?;
    Ok(Stream::Tls(Box::new(TokioIo::new(tls))))
}

/// A connection that stands.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_read(context, buffer),
            Self::Tls(io) => Pin::new(io).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_write(context, bytes),
            Self::Tls(io) => Pin::new(io).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_flush(context),
            Self::Tls(io) => Pin::new(io).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(io) => Pin::new(io).poll_shutdown(context),
            Self::Tls(io) => Pin::new(io).poll_shutdown(context),
        }
    }
}
