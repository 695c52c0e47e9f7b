//! Acorn's flags.

use clap::{Args, ValueEnum};

use super::ListenArgs;
use crate::acorn::{
    Credentials, DeliverTo, Faults, Options, SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET,
    SANDBOX_WEBHOOK_KEY,
};
use crate::faults::BadFaults;

/// The port that acorn takes unless told otherwise.
const DEFAULT_PORT: u16 = 4002;

#[derive(Debug, Args)]
pub(super) struct AcornArgs {
    #[command(flatten)]
    pub(super) listen: ListenArgs,
    /// Port to listen on, 0 for a free one
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// What every draw derives from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Divides every delay but the lifetime of tokens
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// Inquiries per unscaled second; who asks more gets 429, then 403
    #[arg(long)]
    status_limit: Option<f64>,
    /// Faults to begin with, as JSON such as '{"ghost": 0.1}'
    #[arg(long, value_parser = parse_faults, default_value = "{}")]
    faults: Faults,
    /// Id of the client
    #[arg(long, default_value = SANDBOX_CLIENT_ID)]
    client_id: String,
    /// Its secret; the sandbox's unless given
    #[arg(long, env = "MOCK_ACORN_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
    /// Key that signs events, in hex; the sandbox's unless given
    #[arg(long, env = "MOCK_ACORN_WEBHOOK_KEY", hide_env_values = true)]
    webhook_key: Option<String>,
    /// Real seconds that a token is valid
    #[arg(long, value_name = "S", default_value_t = Options::default().token_lifetime_s)]
    token_lifetime: u32,
    /// Unscaled ms that the token endpoint takes
    #[arg(long, value_name = "MS", default_value_t = Options::default().token_delay_ms)]
    token_delay: u64,
    /// How many of the first calls of the token endpoint fail with 503
    #[arg(long, value_name = "N", default_value_t = Options::default().token_failures)]
    token_failures: u32,
    /// Unscaled seconds that a key and its answer are kept
    #[arg(long, value_name = "S", default_value_t = Options::default().key_window_s)]
    key_window: u64,
    /// Refuse charges without X-Content-SHA256
    #[arg(long)]
    require_digest: bool,
    /// The account's address for events
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// Where events go
    #[arg(long, value_enum, default_value_t = Whereto::Account)]
    deliver_to: Whereto,
    /// Unscaled ms that events are collected into a batch
    #[arg(long, value_name = "MS", default_value_t = Options::default().batch_every_ms)]
    batch_every: u64,
    /// Unscaled ms before a batch is delivered again, doubled each time
    #[arg(long, value_name = "MS", default_value_t = Options::default().retry_first_ms)]
    retry_first: u64,
    /// The longest such delay
    #[arg(long, value_name = "MS", default_value_t = Options::default().retry_longest_ms)]
    retry_longest: u64,
    /// How often a batch is delivered at most
    #[arg(long, value_name = "N", default_value_t = Options::default().retry_attempts)]
    retry_attempts: u32,
    /// How often an event of another kind comes along, 0 to 1
    #[arg(long, value_name = "P", default_value_t = Options::default().other_kinds)]
    other_kinds: f64,
}

/// [`DeliverTo`] in the words of a flag.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whereto {
    /// To --webhook-url
    Account,
    /// To each request's callback_url, else to --webhook-url
    Request,
}

fn parse_faults(text: &str) -> Result<Faults, BadFaults> {
    Faults::from_json(text.as_bytes())
}

impl From<AcornArgs> for Options {
    fn from(args: AcornArgs) -> Self {
        let or_sandbox =
            |given: Option<String>, sandbox: &str| given.unwrap_or_else(|| sandbox.to_owned());
        Self {
            seed: args.seed,
            host: args.listen.host,
            port: args.port,
            time_scale: args.time_scale,
            status_limit: args.status_limit,
            faults: args.faults,
            credentials: Credentials {
                client_id: args.client_id,
                client_secret: or_sandbox(args.client_secret, SANDBOX_CLIENT_SECRET),
                webhook_key: or_sandbox(args.webhook_key, SANDBOX_WEBHOOK_KEY),
            },
            token_lifetime_s: args.token_lifetime,
            token_delay_ms: args.token_delay,
            token_failures: args.token_failures,
            key_window_s: args.key_window,
            require_digest: args.require_digest,
            webhook_url: args.webhook_url,
            deliver_to: match args.deliver_to {
                Whereto::Account => DeliverTo::Account,
                Whereto::Request => DeliverTo::Request,
            },
            batch_every_ms: args.batch_every,
            retry_first_ms: args.retry_first,
            retry_longest_ms: args.retry_longest,
            retry_attempts: args.retry_attempts,
            other_kinds: args.other_kinds,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{AcornArgs, DEFAULT_PORT, Options};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        acorn: AcornArgs,
    }

    #[test]
    fn without_flags_it_is_the_default_on_its_port() {
        let flags = Flags::parse_from(["acorn"]);
        let expected = Options {
            port: DEFAULT_PORT,
            ..Options::default()
        };
        assert_eq!(Options::from(flags.acorn), expected);
    }
}
