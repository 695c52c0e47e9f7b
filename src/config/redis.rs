//! `[redis]`: the store that several nodes share.
//!
//! ```toml
//! [redis]
//! url = "rediss://redis.internal:6379"      # or sentinels = [...] and master = "..."; or cluster = [...]
//! username = "teller"
//! password = { file = "redis.password" }
//! replicas = 1
//! ```

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use redis::{ConnectionAddr, IntoConnectionInfo};
use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::archive::{ArchivePlace, archive};
use super::origin::Origin;
use super::secret_source::SecretSource;
use crate::adapters::provider::{Secret, Written};

/// Connections that write, at most: each is a pipeline of its own, and the server has one thread.
const CONNECTIONS_MAX: usize = 16;
/// Replicas whose confirmation can be asked for.
const REPLICAS_MAX: u32 = 8;
/// Servers that can be named.
const SERVERS_MAX: usize = 64;
/// The shortest wait for the replicas' word, and the longest: clients give up after ten seconds.
const CONFIRM_WITHIN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_secs(8);
/// Characters of a prefix, at most: it begins every key.
const PREFIX_MAX_CHARS: usize = 64;

/// What an operator says of the store, checked.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where it is.
    pub place: StorePlace,
    /// The ACL user; the default user if there is none.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Where that is kept, for people.
    pub password_kept: Option<String>,
    /// Certificates of authorities that are trusted instead of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// What teller shows of itself, as PEM: certificate and key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Every key begins with it.
    pub prefix: String,
    /// Replicas that have to confirm a record before it counts.
    pub replicas: u32,
    /// How long they are waited for.
    pub confirm_within: Duration,
    /// Connections that write.
    pub connections: usize,
    /// How long a finished transaction stays in the store before its history moves to the archive; for
    /// ever if not said.
    pub finished_kept_for: Option<Duration>,
    /// Where it moves.
    pub archive: ArchivePlace,
    /// Whether a server that can lose what it confirmed is good enough.
    pub accept_data_loss: bool,
}

/// Where the store is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StorePlace {
    /// One server.
    Server(String),
    /// Whoever the sentinels say is the primary.
    Sentinels {
        /// URLs of the sentinels.
        sentinels: Vec<String>,
        /// What they call it.
        master: String,
        /// Whether the servers speak TLS.
        tls: bool,
    },
    /// A Redis Cluster, found through any of these.
    Cluster(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RedisTable {
    url: Option<String>,
    #[serde(default)]
    sentinels: Vec<String>,
    master: Option<String>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    cluster: Vec<String>,
    username: Option<String>,
    password: Option<SecretSource>,
    ca_file: Option<PathBuf>,
    client_certificate_file: Option<PathBuf>,
    client_key_file: Option<PathBuf>,
    prefix: Option<String>,
    replicas: Option<u32>,
    confirm_within: Option<Written>,
    connections: Option<usize>,
    finished_kept_for: Option<Written>,
    archive: Option<Value>,
}

impl RedisConfig {
    /// As a table like the one that it was read from; of the password only where it is kept.
    pub(super) fn shown(&self) -> Value {
        let mut table = Table::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.to_owned(), value);
            }
        };
        let list = |urls: &[String]| Value::Array(urls.iter().cloned().map(Value::from).collect());
        match &self.place {
            StorePlace::Server(url) => set("url", Some(url.as_str().into())),
            StorePlace::Sentinels {
                sentinels,
                master,
                tls,
            } => {
                set("sentinels", Some(list(sentinels)));
                set("master", Some(master.as_str().into()));
                set("tls", Some((*tls).into()));
            }
            StorePlace::Cluster(nodes) => set("cluster", Some(list(nodes))),
        }
        let path = |path: &PathBuf| Value::from(path.display().to_string());
        let duration = |span: Duration| Value::from(Written(span).to_string());
        let client = self.client_certificate.as_ref();
        set("username", self.username.clone().map(Value::from));
        set("password", self.password_kept.clone().map(Value::from));
        set("ca_file", self.ca_file.as_ref().map(path));
        set("client_certificate_file", client.map(|pair| path(&pair.0)));
        set("client_key_file", client.map(|pair| path(&pair.1)));
        set("prefix", Some(self.prefix.as_str().into()));
        set("replicas", Some(i64::from(self.replicas).into()));
        set("confirm_within", Some(duration(self.confirm_within)));
        // At most CONNECTIONS_MAX.
        set(
            "connections",
            i64::try_from(self.connections).ok().map(Value::from),
        );
        set("finished_kept_for", self.finished_kept_for.map(duration));
        let archive = self.finished_kept_for.map(|_| self.archive.shown());
        set("archive", archive);
        Value::Table(table)
    }
}

/// Checks the table.
pub(super) fn redis(
    place: &Origin<'_>,
    table: Spanned<RedisTable>,
    accept_data_loss: bool,
    warnings: &mut Vec<String>,
) -> anyhow::Result<RedisConfig> {
    let span = table.span();
    let complain = |what: String| place.at(&span, format!("[redis] {what}"));
    let table = table.into_inner();
    let store = store(&table).map_err(complain)?;
    let password_source = table.password.map(|source| source.beside(place.folder()));
    let password_kept = password_source.as_ref().map(ToString::to_string);
    let password = password_source
        .map(|source| source.read(warnings))
        .transpose()
        .map_err(|error| complain(format!("password: {error:#}")))?;
    let client_certificate = match (table.client_certificate_file, table.client_key_file) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((place.beside(&certificate), place.beside(&key))),
        (Some(_), None) | (None, Some(_)) => {
            return Err(complain(
                "client_certificate_file and client_key_file go together; one of them is missing"
                    .to_owned(),
            ));
        }
    };
    let prefix = table.prefix.unwrap_or_else(|| "teller".to_owned());
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    if prefix.is_empty() || prefix.len() > PREFIX_MAX_CHARS || !prefix.chars().all(legal) {
        return Err(complain(format!(
            "prefix has 1 to {PREFIX_MAX_CHARS} letters, digits, '-', '_', '.' and ':'; got {prefix:?}"
        )));
    }
    let confirm_within = table
        .confirm_within
        .map_or(Duration::from_secs(2), |written| written.0);
    if !CONFIRM_WITHIN.contains(&confirm_within) {
        return Err(complain(format!(
            "confirm_within is \"50ms\" to \"8s\": a client that waits longer has given up; got \"{}\"",
            Written(confirm_within)
        )));
    }
    let (replicas, connections) = (table.replicas.unwrap_or(0), table.connections.unwrap_or(2));
    if replicas > REPLICAS_MAX || !(1..=CONNECTIONS_MAX).contains(&connections) {
        return Err(complain(format!(
            "replicas is 0 to {REPLICAS_MAX} and connections 1 to {CONNECTIONS_MAX}; got {replicas} and {connections}"
        )));
    }
    let finished_kept_for = table.finished_kept_for.map(|written| written.0);
    let archive = archive(place, finished_kept_for, table.archive.as_ref()).map_err(complain)?;
    Ok(RedisConfig {
        place: store,
        username: table.username,
        password,
        password_kept,
        ca_file: table.ca_file.map(|file| place.beside(&file)),
        client_certificate,
        prefix,
        replicas,
        confirm_within,
        connections,
        finished_kept_for,
        archive,
        accept_data_loss,
    })
}

fn store(table: &RedisTable) -> Result<StorePlace, String> {
    let named = [
        table.url.is_some(),
        !table.sentinels.is_empty(),
        !table.cluster.is_empty(),
    ];
    if named.iter().filter(|named| **named).count() != 1 {
        return Err(
            "needs one of url = \"redis://…\", sentinels = [\"redis://…\"] with master = \"…\", or cluster = \
             [\"redis://…\"]"
                .to_owned(),
        );
    }
    for url in table
        .sentinels
        .iter()
        .chain(&table.cluster)
        .chain(&table.url)
    {
        check_url(url)?;
    }
    if table.sentinels.len().max(table.cluster.len()) > SERVERS_MAX {
        return Err(format!("names {SERVERS_MAX} servers at most"));
    }
    match (&table.url, &table.master) {
        (Some(url), None) => Ok(StorePlace::Server(url.clone())),
        (None, None) if !table.cluster.is_empty() => Ok(StorePlace::Cluster(table.cluster.clone())),
        (None, Some(master)) if !table.sentinels.is_empty() => Ok(StorePlace::Sentinels {
            sentinels: table.sentinels.clone(),
            master: master.clone(),
            tls: table.tls,
        }),
        (None, _) if !table.sentinels.is_empty() => Err(
            "sentinels go with master = \"…\", the name under which they know the primary"
                .to_owned(),
        ),
        _ => Err("master goes with sentinels only".to_owned()),
    }
}

/// A URL without a password in it: that belongs into `password`, where it is read from a file.
fn check_url(url: &str) -> Result<(), String> {
    let info = url.into_connection_info().map_err(|_| {
        "a store's address is written redis://host:port or rediss://host:port (TLS)".to_owned()
    })?;
    if info.redis_settings().password().is_some() || info.redis_settings().username().is_some() {
        return Err(
            "keep user and password out of the URL: username = \"…\" and password = { file = \"…\" }".to_owned(),
        );
    }
    match info.addr() {
        ConnectionAddr::Tcp(..)
        | ConnectionAddr::TcpTls {
            insecure: false, ..
        } => Ok(()),
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(
            "a certificate that isn't checked protects nothing: take #insecure out of the URL"
                .to_owned(),
        ),
        _ => Err("a store is reached at redis://host:port or rediss://host:port".to_owned()),
    }
}

/// What goes together with a store that several nodes share.
pub(super) fn goes_together(
    origin: &str,
    redis: bool,
    cluster: bool,
    token_files: usize,
) -> anyhow::Result<()> {
    match (redis, cluster) {
        (true, false) => bail!(
            "{origin}: [redis] needs [cluster]: several nodes share that store, and each has to say where the others \
             reach it and which secret they share"
        ),
        (false, true) => bail!(
            "{origin}: [cluster] needs [redis]: without a store that they share, several nodes can't work together"
        ),
        (true, true) if token_files == 0 => bail!(
            "{origin}: with [redis], [webhooks] token_secret_files has to name a file that is the same on every node \
             (`openssl rand -base64 32` makes a good one): a webhook comes to any node"
        ),
        _ => Ok(()),
    }
}
