//! `[cluster]`: this node among the others.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::origin::Origin;
use super::providers::secrets_of;
use super::secret_source::SecretSource;
use crate::adapters::provider::{OneOrMany, Secret, Written};
use crate::cluster::{LEASE, LEASE_MAX, LEASE_MIN, MAX_PAUSE};

/// Where other nodes are listened to, if not said otherwise: this machine only.
const LISTEN: &str = "127.0.0.1:8081";
/// Characters of a node's name, at most: what a host's name may have.
const NAME_MAX_CHARS: usize = 64;
/// Bytes of the secret, at least: 256 bits, or 128 in hexadecimal digits.
const SECRET_BYTES_MIN: usize = 32;
/// The longest pause that may be asked for. Every ghost window after a change of owner is longer by it.
const MAX_PAUSE_MAX: Duration = Duration::from_mins(10);

/// This node among the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterConfig {
    /// Its name, for people.
    pub node: String,
    /// Where it listens to other nodes: address and port, port 0 for a free one.
    pub listen: String,
    /// Where other nodes reach it, without a slash at the end, if that was said.
    pub advertise: Option<String>,
    /// What nodes prove themselves with: the first is sent, all are taken.
    pub secrets: Vec<Secret>,
    /// By what nodes know each other's machines; `None` if they talk without encryption.
    pub tls: Option<NodeFiles>,
    /// The length of a lease.
    pub lease: Duration,
    /// How long a process may stand still between its look at the clock and a request's first byte.
    pub max_pause: Duration,
    /// Where the secrets are, for people.
    places: Vec<String>,
}

/// Files of PEM by which nodes know each other's machines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeFiles {
    /// This node's certificate, and those between it and the authority's.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority: whoever has a certificate of it is let in, and nobody else.
    pub ca: PathBuf,
}

/// `[cluster]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterTable {
    node: Option<String>,
    listen: Option<String>,
    advertise: Option<String>,
    secret: OneOrMany<SecretSource>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    lease: Option<Written>,
    max_pause: Option<Written>,
}

impl ClusterConfig {
    /// Where other nodes reach this one, which listens at `bound`.
    #[must_use]
    pub fn advertised(&self, bound: SocketAddr) -> String {
        let usual = || format!("{}{bound}", scheme(self.tls.is_some()));
        self.advertise.clone().unwrap_or_else(usual)
    }

    /// What takes effect; of secrets their places only.
    pub(super) fn shown(&self) -> Value {
        let usual = format!("{}{}", scheme(self.tls.is_some()), self.listen);
        let advertise = self.advertise.clone().unwrap_or(usual);
        let places: Vec<Value> = self
            .places
            .iter()
            .map(|place| place.as_str().into())
            .collect();
        let pairs: [(&str, Value); 6] = [
            ("node", self.node.as_str().into()),
            ("listen", self.listen.as_str().into()),
            ("advertise", advertise.into()),
            ("secret", places.into()),
            ("lease", Written(self.lease).to_string().into()),
            ("max_pause", Written(self.max_pause).to_string().into()),
        ];
        let path = |path: &PathBuf| Value::from(path.display().to_string());
        let files = self.tls.iter().flat_map(|files| {
            [
                ("certificate_file", path(&files.certificate)),
                ("key_file", path(&files.key)),
                ("ca_file", path(&files.ca)),
            ]
        });
        let pairs = pairs.into_iter().chain(files);
        Value::Table(Table::from_iter(
            pairs.map(|(key, value)| (key.to_owned(), value)),
        ))
    }
}

/// Checks the table and reads its secrets.
pub(super) fn cluster(
    origin: &Origin<'_>,
    table: Spanned<ClusterTable>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<ClusterConfig> {
    let span = table.span();
    read(origin, table.into_inner(), warnings)
        .map_err(|error| origin.at(&span, format!("[cluster] {error:#}")))
}

fn read(
    origin: &Origin<'_>,
    table: ClusterTable,
    warnings: &mut Vec<String>,
) -> anyhow::Result<ClusterConfig> {
    let node = match table.node {
        Some(node) => node,
        None => host_name()?,
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if node.is_empty() || node.len() > NAME_MAX_CHARS || !node.chars().all(legal) {
        bail!(
            "node: a node's name has 1 to {NAME_MAX_CHARS} letters, digits, '-', '_' and '.'; it is {node:?}"
        );
    }
    let listen = table.listen.unwrap_or_else(|| LISTEN.to_owned());
    let tls = match (table.certificate_file, table.key_file, table.ca_file) {
        (None, None, None) => None,
        (Some(certificate), Some(key), Some(ca)) => Some(NodeFiles {
            certificate: origin.beside(&certificate),
            key: origin.beside(&key),
            ca: origin.beside(&ca),
        }),
        _ => bail!("certificate_file, key_file and ca_file go together; one of them is missing"),
    };
    let advertise = advertise(&listen, table.advertise, scheme(tls.is_some()))?;
    let lease = table.lease.map_or(LEASE, |written| written.0);
    if !(LEASE_MIN..=LEASE_MAX).contains(&lease) {
        bail!(
            "lease: it is {} to {}: a shorter one is lost to a slow moment of the store, and for a longer one nobody \
             acts for a dead node's transactions",
            Written(LEASE_MIN),
            Written(LEASE_MAX)
        );
    }
    let max_pause = table
        .max_pause
        .map_or(MAX_PAUSE.max(lease), |written| written.0);
    if max_pause < lease || max_pause > MAX_PAUSE_MAX {
        bail!(
            "max_pause: it is at least the lease ({}), and at most {}: every ghost window after a change of owner is \
             longer by it",
            Written(lease),
            Written(MAX_PAUSE_MAX)
        );
    }
    let sources = table.secret.into_vec();
    let shown = |source: &SecretSource| source.clone().beside(origin.folder()).to_string();
    let places = sources.iter().map(shown).collect();
    let secrets = secrets_of(origin, "secret", sources, warnings)?;
    if let Some(short) = secrets
        .iter()
        .find(|one| one.expose().len() < SECRET_BYTES_MIN)
    {
        bail!(
            "secret: one has {} bytes, and needs {SECRET_BYTES_MIN} at least; `openssl rand -hex 32` makes one",
            short.expose().len()
        );
    }
    Ok(ClusterConfig {
        node,
        listen,
        advertise,
        secrets,
        tls,
        lease,
        max_pause,
        places,
    })
}

/// What URLs of nodes begin with.
fn scheme(tls: bool) -> &'static str {
    if tls { "https://" } else { "http://" }
}

/// Checks where the node says that it is.
fn advertise(
    listen: &str,
    advertise: Option<String>,
    scheme: &str,
) -> anyhow::Result<Option<String>> {
    let mut addresses = listen
        .to_socket_addrs()
        .with_context(|| format!("listen: {listen:?} is no address such as {LISTEN:?}"))?;
    let Some(advertise) = advertise else {
        if addresses.any(|address| address.ip().is_unspecified()) {
            bail!(
                "advertise: listen = {listen:?} is every address of this machine; say by which URL the other nodes \
                 reach it, such as \"{scheme}10.0.0.5:8081\""
            );
        }
        return Ok(None);
    };
    let rest = advertise.strip_prefix(scheme);
    let host = rest.map(|rest| rest.trim_end_matches('/'));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
            Ok(Some(format!("{scheme}{host}")))
        }
        Some(_) | None => bail!(
            "advertise: expected a URL such as \"{scheme}10.0.0.5:8081\", without a path; it is {advertise:?}"
        ),
    }
}

fn host_name() -> anyhow::Result<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str();
    let name = name.context("node: this machine's name is no text; give the node one")?;
    Ok(name.to_owned())
}
