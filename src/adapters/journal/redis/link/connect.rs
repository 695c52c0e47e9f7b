//! One connection: to whichever server is the primary, and only if it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo,
    IntoConnectionInfo, RedisConnectionInfo, TlsCertificates,
};
use tokio::time::timeout;

use super::primary::Primary;
use super::trouble::of_connection;
use crate::adapters::journal::redis::options::{Address, Options, Place};

/// How long it may take to connect, and to answer who one is: a server that is there takes a
/// millisecond, one in another place a few round trips.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long a Sentinel may take to answer.
const SENTINEL_WITHIN: Duration = Duration::from_millis(500);
/// How often the Sentinels are asked whether the primary is still the same.
const SENTINELS_EVERY: Duration = Duration::from_secs(1);

/// Makes connections.
pub(super) struct Connector {
    options: Options,
    primary: Arc<Primary>,
}

/// A connection to a primary.
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    /// Of the primary; see [`Primary::generation`].
    pub(super) generation: u64,
    /// Whether the server can say what is on disk.
    pub(super) waits_for_disks: bool,
}

impl Connector {
    pub(super) fn new(options: Options, primary: Arc<Primary>) -> Self {
        Self { options, primary }
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether another server has been seen since this connection was made.
    pub(super) fn is_outdated(&self, connected: &Connected) -> bool {
        connected.generation != self.primary.generation()
    }

    /// The server that was the primary isn't any more: every connection looks again.
    pub(super) fn doubt(&self) {
        self.primary.doubt();
    }

    /// Connects to the primary.
    ///
    /// # Errors
    /// What is in the way, with the address.
    pub(super) async fn connect(&self) -> Result<Connected, String> {
        let address = self.find().await?;
        let complain = |why: String| format!("Redis at {address} {why}");
        let mut connection = self.open(&address).await.map_err(complain)?;
        let info = self.info(&mut connection).await.map_err(complain)?;
        let field = |name: &str| info.get(name).map_or("", String::as_str);
        if field("loading") != "0" {
            return Err(complain("is still loading its files".to_owned()));
        }
        if field("role") != "master" {
            return Err(complain("is a replica, which takes no writes".to_owned()));
        }
        let text = format!("{} {}", field("run_id"), field("master_replid"));
        Ok(Connected {
            connection,
            generation: self.primary.reached(&text),
            // 7.2 brought it; Valkey says 7.2 and more in the same field.
            waits_for_disks: at_least(field("redis_version"), (7, 2))
                && field("aof_enabled") == "1",
        })
    }

    /// What the server says of itself.
    async fn info(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<HashMap<String, String>, String> {
        let ask = redis::cmd("INFO");
        let answer = timeout(CONNECT_WITHIN, ask.query_async::<String>(connection)).await;
        let text = answer
            .map_err(|_| "does not answer in time".to_owned())?
            .map_err(|error| of_connection(&error))?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.trim().to_owned());
        Ok(fields.map(owned).collect())
    }

    /// Opens a connection and proves who teller is.
    pub(super) async fn open(&self, address: &Address) -> Result<MultiplexedConnection, String> {
        let client = self.client(address)?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            // Each use has a deadline of its own.
            .set_response_timeout(None);
        let connect = client.get_multiplexed_async_connection_with_config(&config);
        // The crate's own limit is for the connection only, not for what is said on it at first.
        match timeout(CONNECT_WITHIN, connect).await {
            Ok(connected) => connected.map_err(|error| of_connection(&error)),
            Err(_) => Err("does not answer in time".to_owned()),
        }
    }

    /// A connection that hears what is published.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) async fn listener(&self) -> Result<redis::aio::PubSub, String> {
        let client = self.client(&self.find().await?)?;
        match timeout(CONNECT_WITHIN, client.get_async_pubsub()).await {
            Ok(connected) => connected.map_err(|error| of_connection(&error)),
            Err(_) => Err("does not answer in time".to_owned()),
        }
    }

    fn client(&self, address: &Address) -> Result<Client, String> {
        let wrong = |error| format!("can't be asked: {}", of_connection(&error));
        let Options {
            username,
            password,
            tls,
            ..
        } = &self.options;
        let mut who = RedisConnectionInfo::default();
        if let Some(username) = username {
            who = who.set_username(username);
        }
        if let Some(password) = password {
            who = who.set_password(&password.0);
        }
        let (host, port) = (address.host.clone(), address.port);
        let Some(tls) = tls else {
            let info = plain(host, port).map_err(wrong)?.set_redis_settings(who);
            return Client::open(info).map_err(wrong);
        };
        let encrypted = ConnectionAddr::TcpTls {
            host: host.clone(),
            port,
            insecure: false,
            tls_params: None,
        };
        let info = plain(host, port).map_err(wrong)?;
        let info = info.set_addr(encrypted).set_redis_settings(who);
        let client_tls = tls.client.clone();
        let certificates = TlsCertificates {
            client_tls: client_tls.map(|(client_cert, client_key)| ClientTlsConfig {
                client_cert,
                client_key,
            }),
            root_cert: tls.ca.clone(),
        };
        Client::build_with_tls(info, certificates).map_err(wrong)
    }

    /// Where the primary is.
    async fn find(&self) -> Result<Address, String> {
        let (sentinels, master) = match &self.options.place {
            Place::Server(address) => return Ok(address.clone()),
            Place::Sentinels { sentinels, master } => (sentinels, master),
            Place::Cluster { .. } => return Err("a Cluster has several primaries".to_owned()),
        };
        let mut why = "no Sentinel is configured".to_owned();
        for sentinel in sentinels {
            match ask_sentinel(sentinel, master).await {
                Ok(address) => return Ok(address),
                Err(complaint) => why = format!("the Sentinel at {sentinel} {complaint}"),
            }
        }
        Err(why)
    }

    /// Asks the Sentinels now and then, for as long as it lives: a primary that was replaced while it
    /// can still be reached would go on answering.
    pub(super) async fn watch(&self) {
        if !matches!(self.options.place, Place::Sentinels { .. }) {
            return;
        }
        let mut last = None;
        loop {
            tokio::time::sleep(SENTINELS_EVERY).await;
            let Ok(now) = self.find().await else { continue };
            if last.as_ref().is_some_and(|last| *last != now) {
                tracing::warn!(primary = %now, "the Sentinels have another primary");
                self.primary.doubt();
            }
            last = Some(now);
        }
    }
}

fn plain(host: String, port: u16) -> redis::RedisResult<ConnectionInfo> {
    (host, port).into_connection_info()
}

/// Where a Sentinel sees the primary.
async fn ask_sentinel(sentinel: &Address, master: &str) -> Result<Address, String> {
    let ask = async {
        let info = plain(sentinel.host.clone(), sentinel.port)?;
        let mut connection = Client::open(info)?
            .get_multiplexed_async_connection()
            .await?;
        redis::cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(master)
            .query_async::<Option<(String, u16)>>(&mut connection)
            .await
    };
    match timeout(SENTINEL_WITHIN, ask).await {
        Err(_) => Err("does not answer in time".to_owned()),
        Ok(Err(error)) => Err(of_connection(&error)),
        Ok(Ok(None)) => Err(format!("knows no primary named {master:?}")),
        Ok(Ok(Some((host, port)))) => Ok(Address { host, port }),
    }
}

/// Whether a version like "7.0.15" is this one or later.
fn at_least(version: &str, wanted: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(at_least("7.2.4", (7, 2)));
        assert!(at_least("10.0.0", (7, 2)));
        assert!(!at_least("7.0.15", (7, 2)));
        assert!(!at_least("", (7, 2)));
    }
}
