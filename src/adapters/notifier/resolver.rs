//! Names to addresses, for the connections to one app. The filter sits here, where a connection gets
//! its address from, so that a name can't be public when it is looked at and private when it is used.

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::address::AllowList;

/// Look-ups under way for one app. Each holds a thread for as long as the system's resolver likes,
/// even when nobody waits for it any longer.
const LOOKUPS_AT_ONCE: usize = 8;
/// Addresses of one name that are looked at.
const ADDRESSES_MAX: usize = 64;

/// Resolves through the system and drops what must not be reached.
#[derive(Debug)]
pub(super) struct FilteringResolver {
    allow: Arc<AllowList>,
    lookups: Arc<Semaphore>,
}

impl FilteringResolver {
    pub(super) fn new(allow: Arc<AllowList>) -> Self {
        Self {
            allow,
            lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)),
        }
    }
}

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = Arc::clone(&self.allow);
        let lookups = Arc::clone(&self.lookups);
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let permit = lookups.acquire_owned().await?;
            let asked = host.clone();
            // In a task of its own: the permit comes back when the look-up ends, not when its caller
            // gives up.
            let lookup = tokio::spawn(async move {
                let found = tokio::net::lookup_host((asked, 0)).await;
                drop(permit);
                found.map(|found| found.take(ADDRESSES_MAX).collect::<Vec<SocketAddr>>())
            });
            let permitted = allow.permitted(&host, lookup.await??)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(allow: &[&str], host: &str) -> Result<Vec<SocketAddr>, String> {
        let allow: Vec<String> = allow.iter().map(|&entry| entry.to_owned()).collect();
        let allow = AllowList::parse(&allow).expect("a legal list");
        let resolver = FilteringResolver::new(Arc::new(allow));
        let name: Name = host.parse().expect("a name");
        match resolver.resolve(name).await {
            Ok(found) => Ok(found.collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_name_leads_only_where_the_list_lets_it() {
        assert_eq!(
            resolve(&[], "localhost").await,
            Err("every address of localhost is in a forbidden range (loopback): allow it with notify.allow".to_owned())
        );
        let by_range = resolve(&["127.0.0.0/8"], "localhost")
            .await
            .expect("allowed");
        assert!(!by_range.is_empty() && by_range.iter().all(SocketAddr::is_ipv4));
        let by_name = resolve(&["localhost"], "LOCALHOST").await;
        assert!(
            by_name.is_err(),
            "URLs have names in small letters: {by_name:?}"
        );
        assert!(resolve(&["localhost"], "localhost").await.is_ok());
    }
}
