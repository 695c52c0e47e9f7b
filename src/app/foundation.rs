//! What teller stands on: the journal that is configured, whose the transactions in it are, and what
//! time it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, IntoConnectionInfo, RedisResult};
use tokio::sync::watch;

use super::OpenJournal;
use super::nodes::Node;
use crate::actors::Ground;
use crate::adapters::council::{Confirmation, Connect, RedisCouncil, Ways};
use crate::adapters::journal::embedded::{self, EmbeddedJournal};
use crate::adapters::journal::redis::{
    Address, Archive, Link, Options, Password, Place, RedisJournal, Retention, Tls,
};
use crate::clock::Clock;
use crate::config::{ArchivePlace, ClusterConfig, Config, RedisConfig, StorePlace};
use crate::ports::{Council, JournalError, Promise, Shared};

/// An answer of the store to the council may take this part of a lease: half the time between two
/// renewals.
const COUNCIL_ANSWERS_IN: u32 = 6;

/// What the rest is built upon.
pub(super) struct Foundation {
    pub(super) ground: Ground,
    pub(super) clock: Clock,
    pub(super) node: Option<Node>,
    pub(super) failed: watch::Receiver<Option<String>>,
    pub(super) close: Box<dyn FnOnce() + Send>,
}

impl Foundation {
    /// Opens what is configured.
    pub(super) async fn lay(config: &Config) -> anyhow::Result<Self> {
        match (&config.redis, &config.cluster) {
            (Some(redis), Some(cluster)) => Self::among_several(config, redis, cluster).await,
            (None, _) | (_, None) => Self::embedded(config),
        }
    }

    /// A journal that this node has for itself.
    pub(super) fn alone(open: OpenJournal) -> Self {
        Self {
            ground: Ground::alone(open.journal),
            clock: Clock::system(),
            node: None,
            failed: open.failed,
            close: open.close,
        }
    }

    fn embedded(config: &Config) -> anyhow::Result<Self> {
        let options = embedded::Options {
            max_unfolded: config.max_unfolded,
            ..embedded::Options::new(&config.data_dir)
        };
        let journal = Arc::new(EmbeddedJournal::open(options)?);
        refuse_orphans(&journal.open_providers()?, config)?;
        let failed = journal.failed();
        let closing = Arc::clone(&journal);
        Ok(Self::alone(OpenJournal {
            journal,
            failed,
            close: Box::new(move || closing.close()),
        }))
    }

    async fn among_several(
        config: &Config,
        redis: &RedisConfig,
        cluster: &ClusterConfig,
    ) -> anyhow::Result<Self> {
        let (clock, correction) = Clock::correctable();
        let options = options(redis)?;
        let journal = Arc::new(RedisJournal::connect(options.clone()).await?);
        refuse_orphans(&journal.open_providers().await?, config)?;
        let link = journal.link();
        let council = council(&link, &options, cluster);
        // What is not confirmed is repeated until it is: this journal never fails for good by itself.
        let (fails, failed) = watch::channel(None);
        let node = Node::new(cluster, link, council, (clock, correction), fails.clone())?;
        let retiring = redis.finished_kept_for.map(|_| Arc::clone(&journal));
        let node = node.retiring(retiring);
        Ok(Self {
            ground: Ground {
                ownership: Arc::new(node.table.clone()),
                shared: Some(Arc::clone(&journal) as Arc<dyn Shared>),
                journal,
            },
            clock,
            node: Some(node),
            failed,
            close: Box::new(move || drop(fails)),
        })
    }
}

/// The council over the same store, on connections of its own.
fn council(link: &Arc<Link>, options: &Options, cluster: &ClusterConfig) -> Arc<dyn Council> {
    let answer_max = cluster.lease / COUNCIL_ANSWERS_IN;
    let ways = LinkWays {
        link: Arc::clone(link),
        answer_max,
    };
    let confirmation = Confirmation {
        replicas: options.replicas,
        within: options.confirm_within.min(answer_max / 2),
        on_disk: false,
    };
    if link.is_cluster() {
        // One that is silent must not keep the others' answers from the keeper.
        let patience = answer_max * 2 / 3;
        let council = RedisCouncil::spread(Arc::new(ways), &options.prefix, confirmation, patience);
        return Arc::new(council);
    }
    let connect: Connect = Arc::new(move || ways.connect(""));
    Arc::new(RedisCouncil::new(connect, &options.prefix, confirmation))
}

/// The journal's connections, as the council's ways.
struct LinkWays {
    link: Arc<Link>,
    answer_max: Duration,
}

impl Ways for LinkWays {
    fn way(&self, key: &str) -> Result<String, JournalError> {
        self.link.whereabouts(key)
    }

    fn connect(&self, way: &str) -> Promise<RedisResult<MultiplexedConnection>> {
        let (link, way, answer_max) = (Arc::clone(&self.link), way.to_owned(), self.answer_max);
        Box::pin(async move { link.connect_for(&way, answer_max).await })
    }

    fn look_again(&self) {
        self.link.look_again();
    }
}

/// What the journal needs to know of what an operator said.
fn options(config: &RedisConfig) -> anyhow::Result<Options> {
    let (place, tls) = match &config.place {
        StorePlace::Server(url) => {
            let (address, tls) = address(url)?;
            (Place::Server(address), tls)
        }
        StorePlace::Sentinels {
            sentinels,
            master,
            tls,
        } => {
            let sentinels = sentinels.iter().map(|url| Ok(address(url)?.0));
            let sentinels = sentinels.collect::<anyhow::Result<_>>()?;
            let master = master.clone();
            (Place::Sentinels { sentinels, master }, *tls)
        }
        StorePlace::Cluster(urls) => {
            let seeds: Vec<(Address, bool)> = urls
                .iter()
                .map(|url| address(url))
                .collect::<anyhow::Result<_>>()?;
            let tls = seeds.iter().any(|(_, tls)| *tls);
            if !seeds.iter().all(|(_, its)| *its == tls) {
                bail!("[redis] cluster: all of them are redis://, or all are rediss:// (TLS)");
            }
            let seeds = seeds.into_iter().map(|(address, _)| address).collect();
            (Place::Cluster { seeds }, tls)
        }
    };
    let read = |path: &PathBuf| {
        std::fs::read(path).with_context(|| format!("[redis] {} can't be read", path.display()))
    };
    let client = config.client_certificate.as_ref();
    let client = client
        .map(|(certificate, key)| anyhow::Ok((read(certificate)?, read(key)?)))
        .transpose()?;
    let tls = tls
        .then(|| {
            let ca = config.ca_file.as_ref().map(read).transpose()?;
            anyhow::Ok(Tls { ca, client })
        })
        .transpose()?;
    let password = config.password.as_ref().map(|secret| {
        let text = String::from_utf8(secret.expose().to_vec());
        text.map(Password)
            .map_err(|_| anyhow::anyhow!("[redis] password is no text in UTF-8"))
    });
    Ok(Options {
        tls,
        username: config.username.clone(),
        password: password.transpose()?,
        prefix: config.prefix.clone(),
        replicas: config.replicas,
        confirm_within: config.confirm_within,
        connections: config.connections,
        retention: retention(config),
        accept_data_loss: config.accept_data_loss,
        ..Options::new(place)
    })
}

/// When finished transactions leave the store, if ever.
fn retention(config: &RedisConfig) -> Option<Retention> {
    let archive = match &config.archive {
        ArchivePlace::Stream => Archive::Stream,
        ArchivePlace::File(path) => Archive::File(path.clone()),
    };
    config.finished_kept_for.map(|finished_kept_for| Retention {
        finished_kept_for,
        archive,
    })
}

/// Host and port of a URL, and whether it says TLS.
fn address(url: &str) -> anyhow::Result<(Address, bool)> {
    let info = url.into_connection_info()?;
    match info.addr() {
        ConnectionAddr::Tcp(host, port) => Ok((
            Address {
                host: host.clone(),
                port: *port,
            },
            false,
        )),
        ConnectionAddr::TcpTls { host, port, .. } => Ok((
            Address {
                host: host.clone(),
                port: *port,
            },
            true,
        )),
        _ => bail!("[redis] a store is reached at redis://host:port or rediss://host:port"),
    }
}

/// A transaction whose provider is not configured could neither end nor be asked about; one of whose
/// attempts went to such a provider could not be told by it that the attempt was executed after all.
fn refuse_orphans(open: &[String], config: &Config) -> anyhow::Result<()> {
    let configured = |name: &&String| {
        config
            .providers
            .iter()
            .any(|one| one.profile.name() == *name)
    };
    if let Some(missing) = open.iter().find(|name| !configured(name)) {
        anyhow::bail!(
            "{}: transactions that are or were with the provider {missing:?} are open, and it is not configured; \
             put its profile back until they have ended",
            config.origin.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Overrides;

    /// `open` holds the providers of earlier attempts as well: both journals have tests for that.
    #[test]
    fn an_open_transaction_without_its_provider_refuses_the_start() {
        let text = "[app]\nname = \"shop\"\n[[provider]]\nprofile = \"providers/reference.toml\"\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("teller.toml");
        let config =
            Config::parse(text, &file, Overrides::default()).expect("a good configuration");
        let refused = |open: &[&str]| {
            let open: Vec<String> = open.iter().map(|&name| name.to_owned()).collect();
            refuse_orphans(&open, &config).map_err(|error| error.to_string())
        };
        assert_eq!(refused(&[]), Ok(()));
        assert_eq!(refused(&["reference"]), Ok(()));
        let why = refused(&["reference", "gone"]).expect_err("nobody could ask about it");
        assert!(
            why.contains("\"gone\"") && why.contains("put its profile back"),
            "{why}"
        );
    }
}
