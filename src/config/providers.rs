//! The providers: one `[[provider]]` for each set-up of a profile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::Spanned;

use super::origin::Origin;
use super::secret_source::SecretSource;
use crate::adapters::provider::{OneOrMany, Profile, Secret, nearest};
use crate::clock::Clock;

/// Providers of one teller, at most: each has a gate, connections and a row on an operator's page.
pub const PROVIDERS_MAX: usize = 100;
/// Secrets, or settings, of one provider, at most: the longest list known has a dozen.
const NAMES_MAX: usize = 50;
/// Characters of the name of a secret or a setting, at most.
const NAME_MAX_CHARS: usize = 40;
/// Secrets of one name, at most: two while they are exchanged; more are forgotten ones.
const AT_ONCE_MAX: usize = 10;
/// Characters of a setting, at most: a URL or a certificate's fingerprint is far shorter.
const SETTING_MAX_CHARS: usize = 4096;

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Its profile, parsed, under the name that it has here.
    pub profile: Profile,
    /// Where it is, instead of where the profile says.
    pub base_url: Option<String>,
    /// `sandbox` or `live`, if said.
    pub environment: Option<String>,
    /// Its secrets by name, the first of each the newest.
    pub secrets: BTreeMap<String, Vec<Secret>>,
    /// What the profile needs to know of this set-up, and anybody may know.
    pub settings: BTreeMap<String, String>,
    /// The provider that takes its place.
    pub stand_in: Option<String>,
}

/// `[[provider]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderTable {
    pub(super) profile: PathBuf,
    name: Option<String>,
    base_url: Option<String>,
    environment: Option<Environment>,
    #[serde(default)]
    default: bool,
    stand_in: Option<String>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, OneOrMany<SecretSource>>,
    #[serde(default)]
    pub(super) settings: BTreeMap<String, String>,
}

/// Whether money moves there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Environment {
    Sandbox,
    Live,
}

impl Environment {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        }
    }
}

/// What was read of all providers.
pub(super) struct Providers {
    pub(super) all: Vec<ProviderConfig>,
    pub(super) default: String,
    pub(super) retired: BTreeSet<String>,
}

/// Reads the providers, their profiles and their secrets. `time_scale` is teller's.
pub(super) fn providers(
    origin: &Origin<'_>,
    tables: Vec<Spanned<ProviderTable>>,
    retired: Vec<String>,
    time_scale: f64,
    warnings: &mut Vec<String>,
) -> anyhow::Result<Providers> {
    if tables.len() > PROVIDERS_MAX {
        bail!(origin.whole(format_args!(
            "a teller has {PROVIDERS_MAX} providers at most; there are {}",
            tables.len()
        )));
    }
    let mut all: Vec<ProviderConfig> = Vec::with_capacity(tables.len());
    let mut places = Vec::with_capacity(tables.len());
    let mut default = None;
    for table in tables {
        let span = table.span();
        let table = table.into_inner();
        let is_default = table.default;
        let provider =
            provider(origin, table, time_scale, warnings).with_context(|| origin.place(&span))?;
        let name = provider.profile.name().to_owned();
        if all.iter().any(|other| other.profile.name() == name) {
            bail!(origin.at(
                &span,
                format_args!(
                    "two providers have the name {name:?}; name = \"…\" gives one another"
                )
            ));
        }
        if is_default && default.replace(name).is_some() {
            bail!(origin.at(&span, "more than one provider says default = true"));
        }
        all.push(provider);
        places.push(span);
    }
    for (provider, span) in all.iter().zip(&places) {
        check_stand_in(&all, provider).map_err(|what| origin.at(span, what))?;
    }
    let default = match (default, all.as_slice()) {
        (Some(default), _) => default,
        (None, [only]) => only.profile.name().to_owned(),
        (None, []) => {
            bail!(origin.whole("no provider is configured; add a [[provider]] with a profile"))
        }
        (None, _) => bail!(origin.whole("several providers, and none says default = true")),
    };
    let retired = read_retired(origin, retired, &all)?;
    Ok(Providers {
        all,
        default,
        retired,
    })
}

fn provider(
    origin: &Origin<'_>,
    table: ProviderTable,
    time_scale: f64,
    warnings: &mut Vec<String>,
) -> anyhow::Result<ProviderConfig> {
    let path = origin.beside(&table.profile);
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("the profile {shown} can't be read"))?;
    let mut profile = Profile::parse(&text, &shown)?;
    if let Some(name) = &table.name {
        profile = profile.named(name).map_err(anyhow::Error::msg)?;
    }
    let name = profile.name().to_owned();
    if table.environment == Some(Environment::Live) && time_scale > 1.0 {
        bail!(
            "provider {name}: environment = \"live\" and time_scale = {time_scale} don't go together: a rehearsal \
             shortens ghost windows, and would pay twice"
        );
    }
    let secrets =
        secrets(origin, table.secrets, warnings).with_context(|| format!("provider {name}"))?;
    settings(&table.settings).with_context(|| format!("provider {name}"))?;
    Ok(ProviderConfig {
        profile,
        base_url: table.base_url,
        environment: table
            .environment
            .map(|environment| environment.as_str().to_owned()),
        secrets,
        settings: table.settings,
        stand_in: table.stand_in,
    })
}

fn secrets(
    origin: &Origin<'_>,
    tables: BTreeMap<String, OneOrMany<SecretSource>>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<BTreeMap<String, Vec<Secret>>> {
    names("secrets", tables.keys())?;
    let read = |(name, sources): (String, OneOrMany<SecretSource>)| {
        let key = format!("secrets.{name}");
        let read = secrets_of(origin, &key, sources.into_vec(), warnings)?;
        Ok((name, read))
    };
    tables.into_iter().map(read).collect()
}

/// Reads the secrets of one key, the newest first; one whose time is over is passed over with a warning.
pub(super) fn secrets_of(
    origin: &Origin<'_>,
    key: &str,
    sources: Vec<SecretSource>,
    warnings: &mut Vec<String>,
) -> anyhow::Result<Vec<Secret>> {
    let now = Clock::system().now().wall;
    if sources.is_empty() || sources.len() > AT_ONCE_MAX {
        bail!(
            "{key}: 1 to {AT_ONCE_MAX} places are expected; there are {}",
            sources.len()
        );
    }
    let mut read = Vec::with_capacity(sources.len());
    for source in sources {
        if source.is_over(now) {
            warnings.push(format!("{key}: {source} is not used any more; take it out"));
            continue;
        }
        let source = source.beside(origin.folder());
        read.push(source.read(warnings).with_context(|| key.to_owned())?);
    }
    if read.is_empty() {
        bail!("{key}: the time of every one is over");
    }
    Ok(read)
}

fn settings(settings: &BTreeMap<String, String>) -> anyhow::Result<()> {
    names("settings", settings.keys())?;
    let long = settings
        .iter()
        .find(|(_, value)| value.chars().count() > SETTING_MAX_CHARS);
    match long {
        Some((name, _)) => {
            bail!("settings.{name}: a setting has {SETTING_MAX_CHARS} characters at most")
        }
        None => Ok(()),
    }
}

/// Templates call secrets and settings by their names, so these have to be names there.
fn names<'a>(table: &str, names: impl ExactSizeIterator<Item = &'a String>) -> anyhow::Result<()> {
    if names.len() > NAMES_MAX {
        bail!("{table}: {NAMES_MAX} at most; there are {}", names.len());
    }
    let legal = |name: &str| {
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        let goes_on = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        begins && name.len() <= NAME_MAX_CHARS && name.chars().all(goes_on)
    };
    for name in names {
        if !legal(name) {
            bail!(
                "{table}: a name has 1 to {NAME_MAX_CHARS} characters of a-z, 0-9 and '_' and begins with a letter; \
                 got {name:?}"
            );
        }
    }
    Ok(())
}

fn check_stand_in(all: &[ProviderConfig], provider: &ProviderConfig) -> Result<(), String> {
    let names = || all.iter().map(|one| one.profile.name());
    let start = provider.profile.name();
    let mut at = provider;
    // Longer than all of them, a chain has come round.
    for _ in 0..=all.len() {
        let Some(next) = &at.stand_in else {
            return Ok(());
        };
        if next == start {
            return Err(format!(
                "provider {start}: stand_in: the chain leads back to {start} itself, which would stand in for its own \
                 failure"
            ));
        }
        let found = all.iter().find(|one| one.profile.name() == *next);
        at = found.ok_or_else(|| {
            let near = nearest(next, names());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            format!(
                "provider {}: stand_in = {next:?} is no configured provider{hint}",
                at.profile.name()
            )
        })?;
    }
    Ok(())
}

fn read_retired(
    origin: &Origin<'_>,
    retired: Vec<String>,
    all: &[ProviderConfig],
) -> anyhow::Result<BTreeSet<String>> {
    if retired.len() > PROVIDERS_MAX {
        bail!(origin.whole(format_args!(
            "retired_providers: {PROVIDERS_MAX} at most; there are {}",
            retired.len()
        )));
    }
    let configured = all
        .iter()
        .map(|one| one.profile.name())
        .find(|name| retired.iter().any(|retired| retired == name));
    match configured {
        Some(name) => bail!(origin.whole(format_args!(
            "retired_providers: {name:?} is configured too; it is one or the other"
        ))),
        None => Ok(retired.into_iter().collect()),
    }
}
