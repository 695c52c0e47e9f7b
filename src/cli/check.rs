//! `teller check-config`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

use super::{CheckArguments, FAILED};
use crate::adapters::provider::{HttpProvider, Secret, Settings, nearest};
use crate::app::notifier;
use crate::clock::Clock;
use crate::config::{Config, Overrides};
use crate::ports::Provider;

pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let file = &arguments.config.config;
    let config = Config::load(file, Overrides::default())?;
    let mut cautions = Vec::new();
    let mut explanation = None;
    // Everything is checked before anything is called good.
    let mut lines = Vec::new();
    for provider in &config.providers {
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
        let checked = HttpProvider::new(provider.profile.clone(), settings, Clock::system())?;
        let name = checked.name();
        let said = checked.cautions();
        cautions.extend(said.iter().map(|one| format!("provider {name}: {one}")));
        if arguments.explain.as_deref() == Some(name) {
            explanation = Some(checked.explain());
        }
        let window = checked.policy().ghost_window;
        let window = window.map_or("none: absence is never proven".to_owned(), |window| {
            format!("{window:?}")
        });
        let default = if checked.name() == config.default_provider {
            " (default)"
        } else {
            ""
        };
        lines.push(format!(
            "  provider {}{default}, ghost window {window}",
            checked.name()
        ));
    }
    notifier(&config, Clock::system())?;
    for caution in &cautions {
        eprintln!("teller: warning: {caution}");
    }
    let verdict = if arguments.deny_warnings && !cautions.is_empty() {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    };
    let mut out = std::io::stdout();
    if let Some(name) = &arguments.explain {
        let Some(explanation) = explanation else {
            let known = config.providers.iter().map(|one| one.profile.name());
            bail!(
                "{}: there is no provider {name:?}{}",
                file.display(),
                nearest(name, known)
                    .map_or_else(String::new, |one| format!("; did you mean {one:?}?"))
            );
        };
        write!(out, "{explanation}")?;
        return Ok(verdict);
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
    for warning in &config.warnings {
        eprintln!("teller: {warning}");
    }
    if config.refuse_open_doors().is_err() {
        eprintln!(
            "teller: no key is configured and listen = {:?} is open to other machines: `teller serve` refuses to \
             start without --i-accept-open-doors",
            config.listen
        );
    }
    for line in lines {
        writeln!(out, "{line}")?;
    }
    if (config.time_scale - 1.0).abs() > f64::EPSILON {
        eprintln!(
            "teller: time_scale is {}: a rehearsal, never to be used with a real provider",
            config.time_scale
        );
    }
    Ok(verdict)
}
