//! `teller check-config`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use super::{CheckArguments, FAILED};
use crate::adapters::provider::{HttpProvider, Secret, Settings, nearest};
use crate::app::notifier;
use crate::clock::Clock;
use crate::config::{Config, ProviderConfig};
use crate::ports::Provider;

pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let file = &arguments.serve.config.config;
    let text = std::fs::read_to_string(file).with_context(|| {
        format!(
            "{} can't be read; name another file with --config",
            file.display()
        )
    })?;
    let config = Config::parse(&text, file, arguments.serve.overrides())?;
    // Everything is checked before anything is called good.
    let providers = config
        .providers
        .iter()
        .map(|provider| set_up(&config, provider))
        .collect::<anyhow::Result<Vec<HttpProvider>>>()?;
    notifier(&config, Clock::system())?;
    config.refuse_open_doors()?;
    let warnings = warnings(&config, &providers);
    for warning in &warnings {
        eprintln!("teller: warning: {warning}");
    }
    if (config.time_scale - 1.0).abs() > f64::EPSILON {
        eprintln!(
            "teller: time_scale is {}: a rehearsal, never to be used with a real provider",
            config.time_scale
        );
    }
    print(arguments, &text, &config, &providers)?;
    Ok(if arguments.deny_warnings && !warnings.is_empty() {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// What works and is unwise, of the configuration and of each profile.
fn warnings(config: &Config, providers: &[HttpProvider]) -> Vec<String> {
    let cautions = providers.iter().flat_map(|provider| {
        let name = provider.name();
        let cautions = provider.cautions().into_iter();
        cautions.map(move |caution| format!("provider {name}: {caution}"))
    });
    config.warnings.iter().cloned().chain(cautions).collect()
}

/// Prints what was asked for, or that all is good.
fn print(
    arguments: &CheckArguments,
    text: &str,
    config: &Config,
    providers: &[HttpProvider],
) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    if let Some(name) = &arguments.explain {
        write!(out, "{}", explained(config, providers, name)?.explain())?;
        return Ok(());
    }
    if arguments.print_effective {
        let table = config.effective(text)?;
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&table)?)?;
        } else {
            write!(out, "{table}")?;
        }
        return Ok(());
    }
    writeln!(out, "{}: good", config.origin.display())?;
    for app in &config.apps {
        let told = if app.notify.is_some() {
            "notification"
        } else {
            "nobody"
        };
        writeln!(out, "  app {}, told by {told}", app.name)?;
    }
    for provider in providers {
        writeln!(out, "{}", line(provider, &config.default_provider))?;
    }
    Ok(())
}

/// The provider whose explanation is asked for.
fn explained<'a>(
    config: &Config,
    providers: &'a [HttpProvider],
    name: &str,
) -> anyhow::Result<&'a HttpProvider> {
    let found = providers.iter().find(|provider| provider.name() == name);
    found.ok_or_else(|| {
        let known = providers.iter().map(HttpProvider::name);
        let near = nearest(name, known);
        let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
        anyhow!(
            "{}: there is no provider {name:?}{hint}",
            config.origin.display()
        )
    })
}

fn set_up(config: &Config, provider: &ProviderConfig) -> anyhow::Result<HttpProvider> {
    let settings = Settings {
        public_url: config
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", config.listen)),
        base_url: provider.base_url.clone(),
        environment: provider.environment.clone(),
        settings: provider.settings.clone(),
        secrets: provider.secrets.clone(),
        token_secrets: vec![Secret::new("only to check that the profile can be set up")],
        time_scale: config.time_scale,
    };
    Ok(HttpProvider::new(
        provider.profile.clone(),
        settings,
        Clock::system(),
    )?)
}

fn line(provider: &HttpProvider, default: &str) -> String {
    let window = provider.policy().ghost_window;
    let window = window.map_or("none: absence is never proven".to_owned(), |window| {
        format!("{window:?}")
    });
    let default = if provider.name() == default {
        " (default)"
    } else {
        ""
    };
    format!(
        "  provider {}{default}, ghost window {window}",
        provider.name()
    )
}
