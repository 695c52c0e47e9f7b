//! `teller.toml`: read strictly, an unknown key is an error with a suggestion. The file is overridden
//! by the environment, and that by flags.

mod apps;
mod archive;
mod cluster;
mod doors;
mod effective;
mod file;
mod keys;
mod origin;
mod providers;
mod redis;
mod routing;
mod secret_source;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

pub use apps::{APPS_MAX, AppConfig};
pub use archive::ArchivePlace;
pub use cluster::{ClusterConfig, NodeFiles};
pub use keys::{KEYS_MAX, KeyConfig, NewKey};
pub use providers::{PROVIDERS_MAX, ProviderConfig};
pub use redis::{RedisConfig, StorePlace};
pub use routing::ROUTES_MAX;
pub use secret_source::SecretSource;
pub use secrets::webhook_secrets;

use file::{BoundsTable, File};
use origin::Origin;

use crate::actors::Bounds;
use crate::adapters::provider::ProfileProblem;
use crate::api::routing::Routes;
use crate::api::{Access, DoorBounds};

/// How long a webhook that nobody claims is kept, if not said otherwise: for as long as the longest
/// sender repeats.
const INBOX_KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// The shortest such time.
const INBOX_KEPT_FOR_MIN: Duration = Duration::from_mins(1);

/// Everything that an operator can set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it came from.
    pub origin: PathBuf,
    /// Where the doors are: address and port, port 0 for a free one.
    pub listen: String,
    /// Where providers reach the webhooks; by default the address that is listened on.
    pub public_url: Option<String>,
    /// Where the journal lives.
    pub data_dir: PathBuf,
    /// Worker threads, each with a shard; by default one per core.
    pub workers: usize,
    /// The time from SIGTERM to the end, at most.
    pub drain_timeout: Duration,
    /// Divides every duration of the profiles and multiplies every rate; 1.0 except in rehearsals.
    pub time_scale: f64,
    /// The apps, one at least.
    pub apps: Vec<AppConfig>,
    /// The operators' keys.
    pub operators: Vec<KeyConfig>,
    /// Who may come in.
    pub access: Access,
    /// Whether doors without keys may be open to other machines.
    pub open_doors: bool,
    /// The providers.
    pub providers: Vec<ProviderConfig>,
    /// The provider that takes what names none and what no route is about.
    pub default_provider: String,
    /// Which provider takes what names none.
    pub routes: Routes,
    /// Providers that are gone for good: their webhooks are told so.
    pub retired_providers: BTreeSet<String>,
    /// How long a webhook that nobody claims stays in the inbox.
    pub inbox_kept_for: Duration,
    /// Files with secrets for the tokens in webhook URLs; without any, one is made in the data directory.
    pub token_secret_files: Vec<PathBuf>,
    /// The store that several nodes share, instead of the journal in `data_dir`.
    pub redis: Option<RedisConfig>,
    /// Bounds of the actors.
    pub bounds: Bounds,
    /// Bounds of the doors.
    pub doors: DoorBounds,
    /// Log rows that may wait to be folded.
    pub max_unfolded: u64,
    /// This node among others; `None` for a node that is alone.
    pub cluster: Option<ClusterConfig>,
    /// What works and is unwise, in words for an operator.
    pub warnings: Vec<String>,
}

/// What flags and the environment override.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Instead of `listen`.
    pub listen: Option<String>,
    /// Instead of `public_url`.
    pub public_url: Option<String>,
    /// Instead of `data_dir`.
    pub data_dir: Option<PathBuf>,
    /// Instead of `workers`.
    pub workers: Option<usize>,
    /// As if `open_doors = true` were said.
    pub open_doors: bool,
    /// Takes a store that can lose what it confirmed.
    pub accept_data_loss: bool,
}

impl Config {
    /// Reads the file and the profiles that it names. Paths in it are relative to it.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub fn load(path: &Path, overrides: Overrides) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!(
                "{} can't be read; name another file with --config",
                path.display()
            )
        })?;
        Self::parse(&text, path, overrides)
    }

    /// Reads the text of a file that lies, or would lie, at `path`.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub fn parse(text: &str, path: &Path, overrides: Overrides) -> anyhow::Result<Self> {
        let place = Origin { path, text };
        let origin = path.display().to_string();
        let file: File =
            toml::from_str(text).map_err(|error| ProfileProblem::of_toml(&origin, text, &error))?;
        let mut warnings = Vec::new();
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let workers = overrides.workers.or(file.workers).unwrap_or(cores);
        if workers == 0 || workers > 256 {
            bail!(
                "{origin}: workers has to be 1 to 256 (a shard each, and there are 256 partitions); it is {workers}"
            );
        }
        let kept_for = file.webhooks.kept_for.map(|written| written.0);
        let inbox_kept_for = kept_for.unwrap_or(INBOX_KEPT_FOR);
        if inbox_kept_for < INBOX_KEPT_FOR_MIN {
            bail!(
                "{origin}: [webhooks] kept_for is a minute at least: an answer may be hours behind its webhook"
            );
        }
        let apps = apps::apps(&place, file.app.into_vec())?;
        let access = keys::access(&origin, &apps, &file.operators.keys)?;
        let providers = providers::providers(
            &place,
            file.provider,
            file.retired_providers,
            file.time_scale,
            &mut warnings,
        )?;
        let routes = routing::routes(&place, file.route, &providers.all, &apps)?;
        let redis = file
            .redis
            .map(|table| redis::redis(&place, table, overrides.accept_data_loss, &mut warnings))
            .transpose()?;
        let cluster = file
            .cluster
            .map(|table| cluster::cluster(&place, table, &mut warnings))
            .transpose()?;
        let token_files = file.webhooks.token_secret_files.len();
        redis::goes_together(&origin, redis.is_some(), cluster.is_some(), token_files)?;
        Ok(Self {
            redis,
            listen: overrides.listen.unwrap_or(file.listen),
            public_url: overrides.public_url.or(file.public_url),
            data_dir: overrides
                .data_dir
                .unwrap_or_else(|| place.beside(&file.data_dir)),
            workers,
            // Kubernetes kills after 30 s; a payment's call is worth most of that.
            drain_timeout: file
                .drain_timeout
                .map_or(Duration::from_secs(20), |written| written.0),
            time_scale: file.time_scale,
            apps,
            operators: file.operators.keys,
            access,
            open_doors: overrides.open_doors || file.open_doors,
            providers: providers.all,
            default_provider: providers.default,
            routes,
            retired_providers: providers.retired,
            inbox_kept_for,
            token_secret_files: file
                .webhooks
                .token_secret_files
                .iter()
                .map(|file| place.beside(file))
                .collect(),
            bounds: bounds(&file.bounds),
            doors: doors(&file.bounds),
            max_unfolded: file.bounds.max_unfolded.unwrap_or(500_000),
            cluster,
            origin: path.to_owned(),
            warnings,
        })
    }
}

fn bounds(table: &BoundsTable) -> Bounds {
    let usual = Bounds::default();
    Bounds {
        open_transactions: table.open_transactions.unwrap_or(usual.open_transactions),
        linger: table.linger.map_or(usual.linger, |written| written.0),
        passivate_beyond: table
            .passivate_beyond
            .map_or(usual.passivate_beyond, |written| written.0),
    }
}

fn doors(table: &BoundsTable) -> DoorBounds {
    let usual = DoorBounds::default();
    DoorBounds {
        body_bytes: table.body_bytes.unwrap_or(usual.body_bytes),
        webhook_bytes: table.webhook_bytes.unwrap_or(usual.webhook_bytes),
        body_deadline: table
            .body_deadline
            .map_or(usual.body_deadline, |written| written.0),
        commit_deadline: table
            .commit_deadline
            .map_or(usual.commit_deadline, |written| written.0),
    }
}
