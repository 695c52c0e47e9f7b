//! What a server has to promise before teller relies on it, and the line of its configuration that
//! makes it promise that.

use std::collections::HashMap;

use super::answers::read;
use super::link::{Link, Trunk};
use crate::ports::JournalError;

/// The first release with Functions.
const OLDEST: u32 = 7;

/// What teller asks of a server's configuration: name, value, and what is lost otherwise.
const DEMANDS: [(&str, &str, &str); 3] = [
    (
        "appendonly",
        "yes",
        "it keeps everything in memory only, and a restart loses it",
    ),
    (
        "appendfsync",
        "always",
        "it acknowledges what is not on disk yet, and a crash loses it",
    ),
    (
        "maxmemory-policy",
        "noeviction",
        "it throws transactions away when its memory is full",
    ),
];

/// What is wrong with a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    /// It can't be used, whatever an operator accepts.
    Unusable(String),
    /// It loses what it has acknowledged, or may do so.
    Loses(Vec<String>),
    /// It can't be asked.
    Unreachable(String),
}

/// Looks at every server that answers as a primary.
///
/// # Errors
/// What is wrong with one, each with the way out.
pub(super) async fn check(link: &Link) -> Result<(), Finding> {
    for trunk in link.trunks() {
        check_one(&trunk, link.is_cluster()).await?;
    }
    Ok(())
}

async fn check_one(link: &Trunk, of_cluster: bool) -> Result<(), Finding> {
    let unreachable = |JournalError(why)| Finding::Unreachable(why);
    let mut ask = redis::cmd("INFO");
    ask.arg("server");
    let info: String = read(link.ask(ask).await.map_err(unreachable)?).map_err(unreachable)?;
    let field = |name: &str| {
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(its, _)| *its == name);
        found.next().map(|(_, value)| value.trim().to_owned())
    };
    let version = field("redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|part| part.parse().ok());
    if major.is_none_or(|major: u32| major < OLDEST) {
        return Err(Finding::Unusable(format!(
            "the server is Redis {version}, and teller needs Functions: Redis {OLDEST} or later, or Valkey"
        )));
    }
    // Valkey has another name for it.
    let mode = field("redis_mode").or_else(|| field("server_mode"));
    match (mode.as_deref() == Some("cluster"), of_cluster) {
        (true, false) => {
            return Err(Finding::Unusable(
                "the server is a node of a Cluster: name it, and some others of its nodes, in \
                 [redis] cluster = [\"redis://…\"] instead"
                    .to_owned(),
            ));
        }
        (false, true) => {
            return Err(Finding::Unusable(
                "the server is no node of a Cluster: name it as [redis] url instead".to_owned(),
            ));
        }
        (true, true) | (false, false) => {}
    }
    functions(link).await?;
    settings(link).await
}

/// Whether teller may call Functions and load its own.
async fn functions(link: &Trunk) -> Result<(), Finding> {
    let mut ask = redis::cmd("FUNCTION");
    ask.arg("LIST").arg("LIBRARYNAME").arg("teller_journal*");
    match link.ask(ask).await {
        Ok(_) => Ok(()),
        Err(JournalError(why)) => Err(Finding::Unusable(format!(
            "the server lets teller see no Functions: {why}. Its user needs +function and +fcall; \
             docs/configuration.md has the whole ACL rule"
        ))),
    }
}

/// Whether its configuration keeps what it acknowledges.
async fn settings(link: &Trunk) -> Result<(), Finding> {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET")
        .arg(DEMANDS.map(|(name, _, _)| name).as_slice());
    let answer = link
        .ask(ask)
        .await
        .and_then(read::<HashMap<String, String>>);
    let settings = answer.map_err(|JournalError(why)| {
        Finding::Loses(vec![format!(
            "teller can't see whether the server keeps what it acknowledges: {why}. Grant its user \
             +config|get"
        )])
    })?;
    let missing: Vec<String> = DEMANDS
        .iter()
        .filter_map(|(name, wanted, otherwise)| {
            let has = settings.get(*name).map_or("unknown", String::as_str);
            (has != *wanted).then(|| {
                format!(
                    "{name} is {has}: {otherwise}. Put \"{name} {wanted}\" into its configuration"
                )
            })
        })
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Finding::Loses(missing))
    }
}
