//! The command line. Data goes to stdout, everything else to stderr.

mod check;
mod client;
pub mod demo;
mod healthcheck;
mod key;
mod provider;
mod serve;
mod supervisor;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::Overrides;

/// Exit code of a command that was understood and failed.
const FAILED: u8 = 1;
/// Exit code when the journal failed: `EX_IOERR` of sysexits.h. A supervisor should start it again.
const JOURNAL_FAILED: u8 = 74;

/// Accepts transactions durably, submits them to unreliable payment providers, and finds out what
/// became of each.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run teller.
    Serve(ServeArguments),
    /// Play the whole through on this machine, with a kill in the middle, and audit it.
    Demo(demo::DemoArguments),
    /// Read the configuration and the profiles, and say what is wrong with them.
    CheckConfig(CheckArguments),
    /// Try a provider's profile.
    Provider(provider::ProviderArguments),
    /// Show what the actor of one transaction is doing.
    Status(StatusArguments),
    /// List transactions, newest first.
    List(ListArguments),
    /// Show the nodes, and which of them owns what.
    Nodes(NodesArguments),
    /// Ask a running teller whether it is ready: exit code 0 if it is, 1 with the reason if not.
    Healthcheck(HealthcheckArguments),
    /// Make keys for apps and operators.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Run the reference provider, or with `app` the reference app.
    #[command(hide = true, disable_help_flag = true)]
    MockProvider {
        /// Handed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Print a new key on stdout, once, and the line for teller.toml on stderr.
    New(NewKeyArguments),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct NewKeyArguments {
    /// A key of this app: it asks for transactions and sees its own.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// A key of an operator: it sees all transactions and acts on them.
    #[arg(long)]
    operator: bool,
}

#[derive(Args)]
struct ConfigArguments {
    /// The configuration file.
    #[arg(long, short, env = "TELLER_CONFIG", default_value = "teller.toml")]
    config: PathBuf,
}

#[derive(Args)]
struct ServeArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Listen here instead; port 0 takes a free one.
    #[arg(long, env = "TELLER_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where providers reach the webhooks.
    #[arg(long, env = "TELLER_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Keep the journal here instead.
    #[arg(long, env = "TELLER_DATA_DIR", value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    /// Worker threads; one per core if not given.
    #[arg(long, env = "TELLER_WORKERS")]
    workers: Option<usize>,
    /// Listen for other machines although no key is configured: anybody there can move money.
    #[arg(long, env = "TELLER_I_ACCEPT_OPEN_DOORS")]
    i_accept_open_doors: bool,
    /// Take a store that can lose what it confirmed, such as one that does not write to disk at once.
    #[arg(long, env = "TELLER_I_ACCEPT_DATA_LOSS")]
    i_accept_data_loss: bool,
}

#[derive(Args)]
struct CheckArguments {
    #[command(flatten)]
    serve: ServeArguments,
    /// Say in plain words what teller does with this provider.
    #[arg(long, value_name = "PROVIDER", conflicts_with = "print_effective")]
    explain: Option<String>,
    /// Fail when there is a warning.
    #[arg(long)]
    deny_warnings: bool,
    /// Print the configuration as it takes effect, as TOML: every default filled in, and of every
    /// secret only where it is kept.
    #[arg(long)]
    print_effective: bool,
    /// Print it as JSON.
    #[arg(long, requires = "print_effective")]
    json: bool,
}

#[derive(Args)]
struct ServerArguments {
    /// Where teller listens.
    #[arg(long, env = "TELLER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A file with the key; without one the key is taken from TELLER_KEY, if that is set.
    #[arg(long, env = "TELLER_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct StatusArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The transaction's id.
    id: String,
    /// The app whose transaction it is, where there are several.
    #[arg(long)]
    app: Option<String>,
}

#[derive(Args)]
struct ListArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Only with this status: pending, in_review, completed, declined or failed.
    #[arg(long)]
    status: Option<String>,
    /// Only this provider's.
    #[arg(long)]
    provider: Option<String>,
    /// Only this app's.
    #[arg(long)]
    app: Option<String>,
    /// Rows at most, 1 to 100.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// From the page before.
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Args)]
struct NodesArguments {
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Args)]
struct HealthcheckArguments {
    /// Where teller listens; a URL with a path is asked as it is.
    #[arg(long, env = "TELLER_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Ask whether the process lives, instead of whether it should be sent requests.
    #[arg(long)]
    live: bool,
}

impl ServeArguments {
    fn overrides(&self) -> Overrides {
        Overrides {
            listen: self.listen.clone(),
            public_url: self.public_url.clone(),
            data_dir: self.data_dir.clone(),
            workers: self.workers,
            open_doors: self.i_accept_open_doors,
            accept_data_loss: self.i_accept_data_loss,
        }
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Demo(arguments) => demo::demo(&arguments),
        Command::CheckConfig(arguments) => check::check(&arguments),
        Command::Provider(arguments) => provider::provider(&arguments),
        Command::Status(arguments) => client::status(&arguments),
        Command::List(arguments) => client::list(&arguments),
        Command::Nodes(arguments) => client::nodes(&arguments),
        Command::Healthcheck(arguments) => healthcheck::healthcheck(&arguments),
        Command::Key(KeyCommand::New(arguments)) => key::new(&arguments),
        Command::MockProvider { arguments } => {
            let program = OsString::from("teller mock-provider");
            mock_provider::cli::run(std::iter::once(program).chain(arguments))
                .map(|()| ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("teller: {error:#}");
        ExitCode::from(FAILED)
    })
}
