//! Deliveries to a real listener.

mod answers;
mod forms;
mod setup;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{HttpNotifier, NotifierConfig, NotifyConfig};
use crate::adapters::provider::tests::server::{Act, Server, answer};
use crate::clock::Clock;
use crate::ports::{Notification, Notifier};
use crate::transaction::{
    Amount, AppId, Delivery, DeliveryResult, Key, Notice, Outcome, Request, Resolution, Source,
    Status, Timestamp, TransactionId, notification_id,
};

const WORDS: &str =
    "words = { completed = 'accepted', declined = 'declined', failed = 'not_executed' }";
const KEY: [u8; 32] = [7; 32];

/// The configuration of one app; words are added where the format is a template, and
/// this machine is allowed unless `more` says what is.
pub(super) fn config(app: &str, table: &str, more: &str) -> NotifierConfig {
    let words = if table.contains("standard_webhooks") {
        ""
    } else {
        WORDS
    };
    let allow = if more.contains("allow") {
        ""
    } else {
        "allow = ['127.0.0.1']"
    };
    let table: NotifyConfig =
        toml::from_str(&format!("{table}\n{allow}\n{words}\n{more}")).expect("a legal table");
    NotifierConfig {
        apps: [(AppId::parse(app).expect("legal"), table)].into(),
        time_scale: 1.0,
    }
}

/// What the app `shop` is told of transaction 5.
pub(super) fn notification(status: Status) -> Notification {
    let key = Key {
        app: AppId::parse("shop").expect("legal"),
        id: TransactionId(Uuid::from_u128(5)),
    };
    let outcome = match status {
        Status::Completed => Some(Outcome::Completed),
        Status::Declined => Some(Outcome::Declined),
        Status::Failed => Some(Outcome::Failed),
        Status::Pending | Status::InReview => None,
    };
    Notification {
        notice: Notice {
            id: notification_id(&key, 4),
            version: 4,
            status,
            since: Timestamp::from_millis(1_700_000_000_123),
            failures: 0,
            delivery: Delivery::Open,
        },
        key,
        request: Arc::new(Request {
            provider: "reference".to_owned(),
            amount: Some(Amount {
                value: 995,
                currency: "EUR".to_owned(),
            }),
            submit_by: Timestamp::from_millis(0),
            payload: json!({"card": "4242"}),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        }),
        resolution: outcome.map(|outcome| Resolution {
            outcome,
            source: Source::Answer,
            attempt: Some(1),
            why: "the answer said \"so\"".to_owned(),
        }),
    }
}

fn notifier(config: NotifierConfig) -> HttpNotifier {
    HttpNotifier::new(config, Clock::system()).expect("usable")
}

fn reference_app(server: &Server) -> HttpNotifier {
    let url = format!("url = '{}/transaction'", server.url());
    notifier(config("shop", &url, ""))
}

/// An app with Standard Webhooks, whose secrets stand in files.
fn standard_app(server: &Server, keys: &[[u8; 32]]) -> HttpNotifier {
    standard_app_at(server, keys, Clock::system())
}

fn standard_app_at(server: &Server, keys: &[[u8; 32]], clock: Clock) -> HttpNotifier {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<String> = (0..)
        .zip(keys)
        .map(|(n, key)| {
            let path = folder.path().join(format!("{n}"));
            let text = format!("whsec_{}\n", STANDARD.encode(key));
            std::fs::write(&path, text).expect("a file");
            format!("{{ file = {:?} }}", path.display().to_string())
        })
        .collect();
    let table = format!(
        "url = '{}/hooks?a=1'\nformat = 'standard_webhooks'\nsecrets = [{}]",
        server.url(),
        files.join(", ")
    );
    HttpNotifier::new(config("shop", &table, ""), clock).expect("usable")
}

/// The result without the time that it took, which has to be told with everything that went out.
fn untimed(mut result: DeliveryResult) -> DeliveryResult {
    match &mut result {
        DeliveryResult::Acknowledged { took, .. }
        | DeliveryResult::Failed { took, .. }
        | DeliveryResult::Gone { took } => {
            took.take().expect("a time");
        }
        DeliveryResult::Disabled { .. } | DeliveryResult::HeldBack { .. } => {}
    }
    result
}

/// The app took it with this status.
fn acknowledged(status: u16) -> DeliveryResult {
    DeliveryResult::Acknowledged {
        status: Some(status),
        took: None,
    }
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = request.split_once("\r\n\r\n")?;
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").expect("a head").1
}
