//! Encryption between nodes: each shows a certificate of one authority, and believes no other.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::config::NodeFiles;

/// What a node shows and what it believes.
pub(super) struct NodeTls {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: Vec<CertificateDer<'static>>,
    identity: reqwest::Identity,
}

impl NodeTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them is of no use.
    pub(super) fn read(files: &NodeFiles) -> anyhow::Result<Self> {
        let chain = text(&files.certificate)?;
        let key = text(&files.key)?;
        let is_no_key = || format!("[cluster] {} holds no private key", files.key.display());
        // The client takes both as one text.
        let both = [chain.as_slice(), b"\n", key.as_slice()].concat();
        Ok(Self {
            certificates: certificates(&files.certificate, &chain)?,
            key: PrivateKeyDer::from_pem_slice(&key).with_context(is_no_key)?,
            authorities: certificates(&files.ca, &text(&files.ca)?)?,
            identity: reqwest::Identity::from_pem(&both).with_context(is_no_key)?,
        })
    }

    /// For the listener: who comes in has a certificate of the authority.
    pub(super) fn server(&self) -> anyhow::Result<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in &self.authorities {
            roots.add(authority.clone())?;
        }
        let of_authority =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(of_authority.build()?)
            .with_single_cert(self.certificates.clone(), self.key.clone_key());
        config.context("[cluster] certificate_file and key_file don't belong together")
    }

    /// For the calls of other nodes: never without encryption, and to the authority's own only.
    pub(super) fn client(
        &self,
        builder: reqwest::ClientBuilder,
    ) -> anyhow::Result<reqwest::ClientBuilder> {
        let authorities = self.authorities.iter();
        let authorities: Vec<reqwest::Certificate> = authorities
            .map(|one| reqwest::Certificate::from_der(one))
            .collect::<Result<_, _>>()?;
        Ok(builder
            .tls_certs_only(authorities)
            .identity(self.identity.clone())
            .https_only(true))
    }
}

fn text(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("[cluster] {} can't be read", path.display()))
}

fn certificates(path: &Path, pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.with_context(|| format!("[cluster] {} is no PEM", path.display()))?;
    if found.is_empty() {
        bail!("[cluster] {} holds no certificate", path.display());
    }
    Ok(found)
}
