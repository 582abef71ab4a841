//! HTTPS in front of a server: an authority and certificates made for the test, and a wire that lets
//! through only who proves who it is.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// An authority that exists for one test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for `name`, as files `NAME.pem` and `NAME.key`.
    pub(crate) fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file(&format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        (certificate, key)
    }

    /// Serves `behind` under `https://localhost:PORT`; lets a request through whose head contains
    /// `proof`, and asks for a certificate of this authority where `wants_certificate`.
    pub(crate) async fn guard(
        &self,
        behind: &str,
        proof: Option<&str>,
        wants_certificate: bool,
    ) -> String {
        let (certificate, key) = self.certify("localhost");
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ServerConfig::builder();
        let builder = if wants_certificate {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = behind.trim_start_matches("http://").to_owned();
        let proof = proof.map(str::to_lowercase);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, behind, proof) = (acceptor.clone(), behind.clone(), proof.clone());
                tokio::spawn(async move {
                    // Whoever breaks off is not served.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        drop(serve(stream, &behind, proof.as_deref()).await);
                    }
                });
            }
        });
        format!("https://localhost:{port}")
    }
}

/// One connection, one request.
async fn serve(
    mut stream: tokio_rustls::server::TlsStream<TcpStream>,
    behind: &str,
    proof: Option<&str>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    if proof.is_some_and(|proof| !text.contains(proof)) {
        let denied = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(denied).await?;
        return stream.shutdown().await;
    }
    let mut server = TcpStream::connect(behind).await?;
    server.write_all(&head).await?;
    drop(tokio::io::copy_bidirectional(&mut stream, &mut server).await);
    Ok(())
}
