//! Where the server is, how teller proves who it is, and how much has to be confirmed.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Connections that write, at most: each has a queue of its own.
pub const CONNECTIONS_MAX: usize = 16;
/// Replicas that can be asked for, at most.
pub const REPLICAS_MAX: u32 = 16;

/// How to reach the store, and what to ask of it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub place: Place,
    /// Encryption; `None` for none.
    pub tls: Option<Tls>,
    /// The ACL user; `None` for the default one.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Password>,
    /// What every key begins with, so that several installations can share a server.
    pub prefix: String,
    /// How many replicas have to confirm a write before it is acknowledged.
    pub replicas: u32,
    /// How long they may take.
    pub confirm_within: Duration,
    /// Connections that write, 1 to [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// How long a start waits for a server that doesn't answer yet.
    pub start_within: Duration,
    /// When finished transactions leave the store; `None` for never.
    pub retention: Option<Retention>,
    /// Serves over a server that loses what it has acknowledged. Said on purpose only.
    pub accept_data_loss: bool,
}

impl Options {
    /// What suits most, for a server at this place.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self {
            place,
            tls: None,
            username: None,
            password: None,
            prefix: "teller".to_owned(),
            replicas: 0,
            confirm_within: Duration::from_secs(2),
            connections: 2,
            // Whatever starts both together needs a few seconds; a supervisor tries again after that.
            start_within: Duration::from_secs(10),
            retention: None,
            accept_data_loss: false,
        }
    }
}

/// When finished transactions leave the store, and where their histories go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retention {
    /// How long after its last change, by the server's clock.
    pub finished_kept_for: Duration,
    /// Where its history goes.
    pub archive: Archive,
}

/// Where histories go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Archive {
    /// A stream per partition, in the store: whoever consumes it has to trim it.
    Stream,
    /// This file on the disk of the node that owns the partition.
    File(PathBuf),
}

/// Where the primary is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// At one address.
    Server(Address),
    /// Wherever the Sentinels say.
    Sentinels {
        /// Where they are; asked in turn.
        sentinels: Vec<Address>,
        /// What they call the primary.
        master: String,
    },
    /// Wherever a Cluster has a partition's slot: a primary each.
    Cluster {
        /// Some of its nodes, which know the others.
        seeds: Vec<Address>,
    },
}

/// Host and port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, or `host` with this port.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str, usual_port: u16) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address like \"host:{usual_port}\"");
        let (host, port) = match text.rsplit_once(':') {
            // An IPv6 address without a port has colons of its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            Some(_) | None => (text, usual_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
        if host.is_empty() || !host.chars().all(legal) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What encryption needs, as PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Who may vouch for the server; `None` for those that the system trusts.
    pub ca: Option<Vec<u8>>,
    /// The certificate and the key by which teller proves who it is.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = self.client.is_some();
        write!(f, "Tls {{ ca: {}, client: {client} }}", self.ca.is_some())
    }
}

/// A password, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_their_port() {
        for (text, host, port) in [
            ("redis.internal:7000", "redis.internal", 7000),
            ("redis.internal", "redis.internal", 6379),
            ("[::1]:7000", "::1", 7000),
            ("::1", "::1", 6379),
        ] {
            let address = Address::parse(text, 6379).expect("legal");
            assert_eq!((address.host.as_str(), address.port), (host, port));
        }
        for text in ["", ":7000", "host:port", "user@host:1", "a b"] {
            assert!(Address::parse(text, 6379).is_err(), "{text:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut options = Options::new(Place::Server(Address {
            host: "h".to_owned(),
            port: 1,
        }));
        options.password = Some(Password("pssst".to_owned()));
        options.tls = Some(Tls {
            ca: None,
            client: Some((b"certificate".to_vec(), b"pssst".to_vec())),
        });
        assert!(!format!("{options:?}").contains("pssst"));
    }
}
