//! TLS of the doors (PS3.15 §B.12): the certificate that they show, and those that they ask for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::error::{Error, Result};
use crate::wire::Wire;

/// The files of TLS, all PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of the certificates that applications show at the DIMSE door; without it none is asked for.
    pub clients: Option<PathBuf>,
}

/// What the doors accept connections with.
#[derive(Clone, Default)]
pub(crate) struct Acceptors {
    /// Asks for a certificate, if roots are given.
    pub(crate) dimse: Acceptor,
    /// Asks for none: its callers have tokens.
    pub(crate) http: Acceptor,
}

/// What one door accepts connections with; plain ones without a certificate.
#[derive(Clone, Default)]
pub(crate) struct Acceptor(Option<TlsAcceptor>);

impl TlsFiles {
    /// Checks that the files read, and fit each other.
    ///
    /// # Errors
    /// [`Error::Settings`], naming the file.
    pub fn check(&self) -> Result<()> {
        Acceptors::read(Some(self)).map(drop)
    }
}

impl Acceptors {
    /// Reads the files; without them connections are plain.
    pub(crate) fn read(files: Option<&TlsFiles>) -> Result<Self> {
        let Some(files) = files else {
            return Ok(Self::default());
        };
        let http = config(files, None)?;
        let dimse = match &files.clients {
            None => http.clone(),
            Some(path) => config(files, Some(path))?,
        };
        let acceptor = |config| Acceptor(Some(TlsAcceptor::from(Arc::new(config))));
        Ok(Self {
            dimse: acceptor(dimse),
            http: acceptor(http),
        })
    }
}

impl Acceptor {
    /// Says whether connections are encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.is_some()
    }

    /// Accepts a connection within a time; the error is a sentence for the log.
    pub(crate) async fn accept(
        &self,
        socket: TcpStream,
        within: Duration,
    ) -> std::result::Result<Wire, String> {
        let Some(acceptor) = &self.0 else {
            return Ok(Wire::Plain(socket));
        };
        match timeout(within, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(format!("TLS was not agreed on: {error}")),
            Err(_) => Err(format!("TLS was not agreed on within {within:?}")),
        }
    }
}

fn config(files: &TlsFiles, clients: Option<&PathBuf>) -> Result<ServerConfig> {
    let bad = |path: &PathBuf, reason: String| Error::Settings {
        path: path.clone(),
        reason,
    };
    let certificates = |path: &PathBuf| {
        let read = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
        match read {
            Ok(all) if !all.is_empty() => Ok(all),
            Ok(_) => Err(bad(path, "has no certificate in PEM".to_owned())),
            Err(error) => Err(bad(path, format!("no certificates in PEM: {error}"))),
        }
    };
    let own = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| bad(&files.key, format!("no private key in PEM: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&files.certificate, error.to_string()))?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(path)? {
                roots
                    .add(root)
                    .map_err(|error| bad(path, format!("no root: {error}")))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier
                .build()
                .map_err(|error| bad(path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder
        .with_single_cert(own, key)
        .map_err(|error| bad(&files.certificate, format!("does not fit its key: {error}")))
}

/// Certificates for tests.
#[cfg(test)]
pub(crate) mod standing {
    #![allow(clippy::unwrap_used)]

    use std::path::{Path, PathBuf};

    /// Makes a certificate for this machine that signs itself, and its key; none where openssl is not installed.
    pub(crate) fn certificate(dir: &Path, name: &str) -> Option<(PathBuf, PathBuf)> {
        let (certificate, key) = (
            dir.join(format!("{name}.pem")),
            dir.join(format!("{name}.key")),
        );
        // Without the system's settings, which would make it an authority's.
        let config = dir.join("openssl.cnf");
        std::fs::write(&config, "[req]\ndistinguished_name = dn\n[dn]\n").unwrap();
        let made = std::process::Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args([
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ])
            .arg("-config")
            .arg(&config)
            .arg("-out")
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output();
        match made {
            Ok(made) => assert!(made.status.success(), "{made:?}"),
            Err(_) => {
                println!("skipped: openssl is not installed");
                return None;
            }
        }
        Some((certificate, key))
    }
}
