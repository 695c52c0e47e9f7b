//! Doors without keys are open to whoever reaches them, and that must be nobody else by default.

use std::net::ToSocketAddrs;

use anyhow::{Context, bail};

use super::Config;
use crate::api::Access;

impl Config {
    /// Whether the doors are open, by configuration or by its lack, to other machines than this one.
    ///
    /// # Errors
    /// When `listen` is no address.
    pub fn is_open_to_others(&self) -> anyhow::Result<bool> {
        if matches!(self.access, Access::Keys(_)) {
            return Ok(false);
        }
        let mut addresses = self.listen.to_socket_addrs().with_context(|| {
            format!(
                "listen = {:?} is no address such as \"127.0.0.1:8080\"",
                self.listen
            )
        })?;
        Ok(addresses.any(|address| !address.ip().to_canonical().is_loopback()))
    }

    /// Checks that doors without keys are not open to other machines, unless that was said to be
    /// wanted.
    ///
    /// # Errors
    /// What to do about it.
    pub fn refuse_open_doors(&self) -> anyhow::Result<()> {
        if self.open_doors || !self.is_open_to_others()? {
            return Ok(());
        }
        bail!(
            "{}: listen = {:?} is open to other machines, and no key is configured, so that anybody there could move \
             money; configure keys (`teller key new` makes one), or listen on 127.0.0.1, or say that it is meant: \
             open_doors = true, or --i-accept-open-doors",
            self.origin.display(),
            self.listen
        )
    }
}
