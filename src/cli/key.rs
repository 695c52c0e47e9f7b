//! `teller key`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

use super::NewKeyArguments;
use crate::api::keys::Role;
use crate::config::NewKey;
use crate::transaction::AppId;

/// Prints a new key on stdout, where a pipe takes it, and what to configure on stderr, where people
/// read it.
pub(super) fn new(arguments: &NewKeyArguments) -> anyhow::Result<ExitCode> {
    let (role, table) = match (&arguments.app, arguments.operator) {
        (Some(app), false) => {
            let app = AppId::parse(app).map_err(anyhow::Error::msg)?;
            let table = format!("the table of the app \"{app}\"");
            (Role::App(app), table)
        }
        (None, true) => (Role::Operator, "the table [operators]".to_owned()),
        (Some(_), true) | (None, false) => bail!("say whose key it is: --app NAME, or --operator"),
    };
    let key = NewKey::draw(&role)?;
    eprintln!(
        "# The key is shown once, and stored nowhere. This line belongs into {table} of teller.toml:"
    );
    eprintln!("{}", key.line());
    writeln!(std::io::stdout(), "{}", key.text)?;
    Ok(ExitCode::SUCCESS)
}
