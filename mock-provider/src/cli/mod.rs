//! The providers and the app as a program.

mod acorn;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::faults::{BadFaults, Faults};
use crate::{acorn as acorn_server, app, server};
use acorn::AcornArgs;

/// The port that the provider takes unless told otherwise.
const DEFAULT_PORT: u16 = 4000;

/// The port that the app takes unless told otherwise.
const DEFAULT_APP_PORT: u16 = 4001;

/// What is logged unless `RUST_LOG` says otherwise. Torn answers are wanted here, but actix-http
/// reports each as an error.
const DEFAULT_LOG: &str = "warn,actix_http=off";

/// The reference provider of teller, another provider called acorn, or the reference app.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    provider: ProviderArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the provider (also without a subcommand)
    Provider(ProviderArgs),
    /// Run acorn: tokens, forms, keys, its own ids, batches of signed events
    Acorn(Box<AcornArgs>),
    /// Run the reference app
    App(AppArgs),
}

#[derive(Debug, Args)]
struct ListenArgs {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Print the bare address instead of `listening on …`
    #[arg(long)]
    print_url: bool,
}

#[derive(Debug, Args)]
struct ProviderArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Port to listen on, 0 for a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// What every draw derives from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Divides every delay
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// Inquiries per unscaled second; who asks more gets 429, then 403
    #[arg(long)]
    status_limit: Option<f64>,
    /// Faults to begin with, as JSON such as '{"reset": 0.1}'
    #[arg(long, value_parser = parse_faults, default_value = "{}")]
    faults: Faults,
}

#[derive(Debug, Args)]
struct AppArgs {
    #[command(flatten)]
    listen: ListenArgs,
    /// Port to listen on, 0 for a free one
    #[arg(long, default_value_t = DEFAULT_APP_PORT)]
    port: u16,
    /// Where teller listens
    #[arg(long, value_name = "URL")]
    teller: String,
    /// API key to send as bearer token
    #[arg(long, env = "MOCK_APP_BEARER", hide_env_values = true)]
    bearer: Option<String>,
    /// A file with that key instead, as container engines hand out secrets
    #[arg(
        long,
        env = "MOCK_APP_BEARER_FILE",
        value_name = "FILE",
        conflicts_with = "bearer"
    )]
    bearer_file: Option<PathBuf>,
    /// How often a request is sent twice at once, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    double_tap: f64,
    /// What decides, with the id, whether it is
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn parse_faults(text: &str) -> Result<Faults, BadFaults> {
    Faults::from_json(text.as_bytes())
}

/// Runs the program with `args`, the first of which is its name, until it is told to stop.
///
/// It blocks and brings its own runtime, so it must not be called from within one. Wrong arguments
/// and `--help` end the process, as usual.
///
/// # Errors
/// A port that is taken, or options that make no sense.
pub fn run(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<()> {
    let cli = Cli::parse_from(args);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    // The host program may have set up its own logging already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .try_init();
    actix_web::rt::System::new().block_on(async {
        match cli.command.unwrap_or(Command::Provider(cli.provider)) {
            Command::Provider(args) => run_provider(args).await,
            Command::Acorn(args) => run_acorn(*args).await,
            Command::App(args) => run_app(args).await,
        }
    })
}

async fn run_provider(args: ProviderArgs) -> anyhow::Result<()> {
    let running = server::start(server::Options {
        seed: args.seed,
        host: args.listen.host,
        port: args.port,
        time_scale: args.time_scale,
        status_limit: args.status_limit,
        faults: args.faults,
    })
    .await?;
    announce(&running.url, args.listen.print_url)?;
    told_to_stop().await?;
    running.stop().await;
    Ok(())
}

async fn run_acorn(args: AcornArgs) -> anyhow::Result<()> {
    let bare = args.listen.print_url;
    let running = acorn_server::start(args.into()).await?;
    announce(&running.url, bare)?;
    told_to_stop().await?;
    running.stop().await;
    Ok(())
}

async fn run_app(args: AppArgs) -> anyhow::Result<()> {
    let bearer = match &args.bearer_file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("--bearer-file {} can't be read", file.display()))?;
            Some(text.trim().to_owned())
        }
        None => args.bearer,
    };
    let running = app::start(app::Options {
        host: args.listen.host,
        port: args.port,
        teller: args.teller,
        bearer,
        double_tap: args.double_tap,
        seed: args.seed,
    })
    .await?;
    announce(&running.url, args.listen.print_url)?;
    told_to_stop().await?;
    running.stop().await;
    Ok(())
}

/// One line, flushed: a parent process waits for it.
fn announce(url: &str, bare: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let prefix = if bare { "" } else { "listening on " };
    writeln!(out, "{prefix}{url}")
        .and_then(|()| out.flush())
        .context("printing the address")
}

#[cfg(unix)]
async fn told_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("listening for ctrl-c"),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> anyhow::Result<()> {
    tokio::signal::ctrl_c()
        .await
        .context("listening for ctrl-c")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, Command, DEFAULT_PORT};

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_provider_is_the_default() {
        let bare = Cli::parse_from(["mock-provider"]);
        assert!(bare.command.is_none());
        assert_eq!(bare.provider.port, DEFAULT_PORT);
        let flagged =
            Cli::parse_from(["mock-provider", "--port", "1", "--faults", r#"{"drip": 1}"#]);
        assert_eq!(flagged.provider.port, 1);
        assert_eq!(flagged.provider.faults.drip, 1.0);
        let named = Cli::parse_from(["mock-provider", "provider", "--seed", "7"]);
        assert!(matches!(named.command, Some(Command::Provider(args)) if args.seed == 7));
    }

    #[test]
    fn bad_faults_are_refused() {
        for faults in [r#"{"dirp": 1}"#, r#"{"drip": 2}"#, "drip"] {
            assert!(Cli::try_parse_from(["mock-provider", "--faults", faults]).is_err());
        }
    }
}
