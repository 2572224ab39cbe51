//! A server of S3 in the test's own process, on loopback: `s3s-fs`, and before it a proxy that does to single requests
//! what servers and lines do. In no program.

// Only tests have it, and where it panics a test fails.
#![allow(clippy::unwrap_used)]

mod proxy;

pub use proxy::{Answer, Body, Happens, Proxy, Trouble, full};

use futures::FutureExt as _;
use http::Request;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use s3s::{
    S3, S3Request, S3Response, S3Result,
    auth::SimpleAuth,
    dto::*,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// The bucket that there is.
pub const BUCKET: &str = "shards";

/// The prefix of all that is put into it.
const PREFIX: &str = "grid/one";

/// Who may ask it.
pub const ID: &str = "AKIATEST";

/// With what it is asked.
pub const SECRET: &str = "secret/of+tests";

/// What the server knows of uploads that were begun and not ended, by the name that it gave each: `s3s-fs` has them, and
/// does not tell.
#[derive(Clone, Default)]
pub struct Uploads(Arc<Mutex<BTreeMap<String, String>>>);

impl Uploads {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// A bucket on a server.
pub struct Server {
    folder: TempDir,
    address: SocketAddr,
    /// What is done to requests.
    pub proxy: Proxy,
    /// Uploads that were begun and not ended.
    pub uploads: Uploads,
    /// Whether it tells of them.
    pub tells_uploads: Arc<AtomicBool>,
}

impl Server {
    /// Starts one without TLS.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// A server with a certificate for 127.0.0.1, which is returned as PEM.
    pub async fn start_with_tls() -> (Self, String) {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.key_pair.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], PrivateKeyDer::from(key))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (Self::start_with(Some(acceptor)).await, certified.cert.pem())
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let uploads = Uploads::default();
        let tells_uploads = Arc::new(AtomicBool::new(true));
        let listing = Telling {
            files: FileSystem::new(folder.path()).unwrap(),
            uploads: uploads.clone(),
            tells_uploads: Arc::clone(&tells_uploads),
        };
        let mut builder = S3ServiceBuilder::new(listing);
        builder.set_auth(SimpleAuth::from_single(ID, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Proxy::default();
        tokio::spawn(accept(listener, tls, proxy.clone(), service));
        Self {
            folder,
            address,
            proxy,
            uploads,
            tells_uploads,
        }
    }

    /// Where a bucket of it is, as settings name it.
    pub fn url(&self, scheme: &str, bucket: &str) -> String {
        format!("{scheme}://{}/{bucket}/{PREFIX}", self.address)
    }

    /// Where the objects are as files.
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX)
    }
}

/// A certificate for that name that no server here has, as PEM.
pub fn certificate_of(name: &str) -> String {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]);
    certified.unwrap().cert.pem()
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, proxy: Proxy, service: S3Service) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, proxy, service) = (tls.clone(), proxy.clone(), service.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(tcp, proxy, service).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, proxy, service).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    proxy: Proxy,
    service: S3Service,
) {
    let answered = service_fn(move |request: Request<Incoming>| {
        let (proxy, service) = (proxy.clone(), service.clone());
        async move {
            let asked = |request: Request<Incoming>| {
                let answered = async move {
                    let answer = service.call(request.map(s3s::Body::from)).await;
                    answer
                        .unwrap()
                        .map(|body| body.map_err(io::Error::other).boxed_unsync())
                };
                answered.boxed()
            };
            proxy.answer(request, asked).await
        }
    });
    // An error says that a connection was broken, on purpose or by who asked.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answered)
        .await;
}

/// `s3s-fs`, which tells of uploads as well.
struct Telling {
    files: FileSystem,
    uploads: Uploads,
    tells_uploads: Arc<AtomicBool>,
}

/// Hands requests on as they are.
macro_rules! hands_on {
    ($($call:ident($asked:ident) -> $answered:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Telling {
            $(async fn $call(&self, request: S3Request<$asked>) -> S3Result<S3Response<$answered>> {
                self.files.$call(request).await
            })*

            async fn create_multipart_upload(
                &self,
                request: S3Request<CreateMultipartUploadInput>,
            ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
                let key = request.input.key.clone();
                let answer = self.files.create_multipart_upload(request).await?;
                let id = answer.output.upload_id.clone().unwrap();
                self.uploads.0.lock().unwrap().insert(id, key);
                Ok(answer)
            }

            async fn complete_multipart_upload(
                &self,
                request: S3Request<CompleteMultipartUploadInput>,
            ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
                let id = request.input.upload_id.clone();
                // What s3s-fs does not know it calls forbidden; S3 says that it is not there.
                if !self.uploads.0.lock().unwrap().contains_key(&id) {
                    return Err(s3s::s3_error!(NoSuchUpload));
                }
                let answer = self.files.complete_multipart_upload(request).await?;
                self.uploads.0.lock().unwrap().remove(&id);
                Ok(answer)
            }

            async fn abort_multipart_upload(
                &self,
                request: S3Request<AbortMultipartUploadInput>,
            ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
                let id = request.input.upload_id.clone();
                if self.uploads.0.lock().unwrap().remove(&id).is_none() {
                    return Err(s3s::s3_error!(NoSuchUpload));
                }
                self.files.abort_multipart_upload(request).await
            }

            async fn list_multipart_uploads(
                &self,
                request: S3Request<ListMultipartUploadsInput>,
            ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
                if !self.tells_uploads.load(Ordering::Relaxed) {
                    return Err(s3s::s3_error!(NotImplemented));
                }
                let prefix = request.input.prefix.unwrap_or_default();
                let uploads = self.uploads.0.lock().unwrap();
                let below = uploads.iter().filter(|(_, key)| key.starts_with(&prefix));
                let most = 2;
                let output = ListMultipartUploadsOutput {
                    is_truncated: Some(below.clone().count() > most),
                    uploads: Some(below.take(most).map(|(id, key)| MultipartUpload {
                        key: Some(key.clone()),
                        upload_id: Some(id.clone()),
                        ..MultipartUpload::default()
                    }).collect()),
                    ..ListMultipartUploadsOutput::default()
                };
                Ok(S3Response::new(output))
            }
        }
    };
}

hands_on! {
    put_object(PutObjectInput) -> PutObjectOutput;
    get_object(GetObjectInput) -> GetObjectOutput;
    head_object(HeadObjectInput) -> HeadObjectOutput;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    upload_part(UploadPartInput) -> UploadPartOutput;
}
