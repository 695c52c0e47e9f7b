//! `teller.toml` as it is written: every table and key that there is.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::cluster::ClusterTable;
use super::keys::KeyConfig;
use super::providers::ProviderTable;
use super::redis::RedisTable;
use super::routing::RouteTable;
use crate::adapters::notifier::NotifyConfig;
use crate::adapters::provider::{OneOrMany, Written};
use crate::transaction::AppId;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default = "listen")]
    pub(super) listen: String,
    pub(super) public_url: Option<String>,
    #[serde(default = "data_dir")]
    pub(super) data_dir: PathBuf,
    pub(super) workers: Option<usize>,
    pub(super) drain_timeout: Option<Written>,
    #[serde(default = "time_scale")]
    pub(super) time_scale: f64,
    #[serde(default)]
    pub(super) open_doors: bool,
    pub(super) app: OneOrMany<AppTable>,
    #[serde(default)]
    pub(super) operators: OperatorsTable,
    #[serde(default)]
    pub(super) webhooks: WebhooksTable,
    pub(super) provider: Vec<Spanned<ProviderTable>>,
    #[serde(default)]
    pub(super) retired_providers: Vec<String>,
    #[serde(default)]
    pub(super) route: Vec<Spanned<RouteTable>>,
    pub(super) redis: Option<Spanned<RedisTable>>,
    #[serde(default)]
    pub(super) bounds: BoundsTable,
    pub(super) cluster: Option<Spanned<ClusterTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppTable {
    pub(super) name: AppId,
    pub(super) notify: Option<NotifyConfig>,
    #[serde(default)]
    pub(super) keys: Vec<KeyConfig>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorsTable {
    #[serde(default)]
    pub(super) keys: Vec<KeyConfig>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhooksTable {
    #[serde(default)]
    pub(super) token_secret_files: Vec<PathBuf>,
    pub(super) kept_for: Option<Written>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct BoundsTable {
    pub(super) open_transactions: Option<usize>,
    pub(super) linger: Option<Written>,
    pub(super) passivate_beyond: Option<Written>,
    pub(super) max_unfolded: Option<u64>,
    pub(super) body_bytes: Option<usize>,
    pub(super) webhook_bytes: Option<usize>,
    pub(super) body_deadline: Option<Written>,
    pub(super) commit_deadline: Option<Written>,
}

fn listen() -> String {
    "127.0.0.1:8080".to_owned()
}

fn data_dir() -> PathBuf {
    "data".into()
}

fn time_scale() -> f64 {
    1.0
}
