//! The doors for those who test with acorn.

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::Faults;
use super::state::Acorn;
use crate::faults::object;

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin/ledger", web::get().to(ledger))
        .route("/admin/stats", web::get().to(stats))
        .route("/admin/faults", web::post().to(set_faults))
        .route("/admin/scripts", web::post().to(set_script))
        .route("/admin/webhook-url", web::post().to(set_webhook_url))
        .route("/admin/revoke-tokens", web::post().to(revoke_tokens))
        .route("/admin/fail-tokens", web::post().to(fail_tokens))
        .route("/healthz", web::get().to(healthz));
}

async fn ledger(acorn: Data<Acorn>) -> HttpResponse {
    HttpResponse::Ok().json(acorn.ledger())
}

async fn stats(acorn: Data<Acorn>) -> HttpResponse {
    HttpResponse::Ok().json(acorn.stats())
}

async fn set_faults(body: Bytes, acorn: Data<Acorn>) -> HttpResponse {
    let faults = Faults::from_json(&body).map_err(anyhow::Error::from);
    done(faults.and_then(|faults| {
        acorn.set_faults(faults.clone())?;
        Ok(json!(faults))
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderScript {
    order: String,
    script: Value,
}

async fn set_script(body: Bytes, acorn: Data<Acorn>) -> HttpResponse {
    done(read(&body).and_then(|OrderScript { order, script }| {
        let told = json!({"order": order});
        acorn.set_script(order, script)?;
        Ok(told)
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookUrl {
    url: Option<String>,
}

async fn set_webhook_url(body: Bytes, acorn: Data<Acorn>) -> HttpResponse {
    done(read(&body).and_then(|WebhookUrl { url }| {
        acorn.set_webhook_url(url.as_deref())?;
        Ok(json!({"set": url.is_some()}))
    }))
}

async fn revoke_tokens(acorn: Data<Acorn>) -> HttpResponse {
    HttpResponse::Ok().json(json!({"revoked": acorn.revoke_tokens()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailTokens {
    next: u32,
}

async fn fail_tokens(body: Bytes, acorn: Data<Acorn>) -> HttpResponse {
    done(read(&body).map(|FailTokens { next }| {
        acorn.fail_tokens(next);
        json!({"next": next})
    }))
}

async fn healthz() -> &'static str {
    "ok\n"
}

fn read<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    Ok(object(body)?)
}

fn done(result: anyhow::Result<Value>) -> HttpResponse {
    match result {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(error) => HttpResponse::BadRequest().json(json!({"error": format!("{error:#}")})),
    }
}
