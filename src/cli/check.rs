//! `teller check-config`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;

use super::CheckArguments;
use crate::adapters::provider::{HttpProvider, Secret, Settings};
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
    for warning in &config.warnings {
        eprintln!("teller: {warning}");
    }
    if (config.time_scale - 1.0).abs() > f64::EPSILON {
        eprintln!(
            "teller: time_scale is {}: a rehearsal, never to be used with a real provider",
            config.time_scale
        );
    }
    let mut out = std::io::stdout();
    if arguments.print_effective {
        let table = config.effective(&text)?;
        if arguments.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&table)?)?;
        } else {
            write!(out, "{table}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{}: good", file.display())?;
    for app in &config.apps {
        let told = if app.notify.is_some() {
            "notification"
        } else {
            "nobody"
        };
        writeln!(out, "  app {}, told by {told}", app.name)?;
    }
    for provider in &providers {
        writeln!(out, "{}", line(provider, &config.default_provider))?;
    }
    Ok(ExitCode::SUCCESS)
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
