//! A provider that answers "202, I have it" and posts its webhook at the same moment, on another
//! connection.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use serde_json::{Value, json};

use crate::support::{Rig, Setup, eventually, new_id, put};

/// Payments that are under way at once, each on a connection of its own.
const AT_ONCE: usize = 64;

/// A provider that keeps no promise but to be quick.
struct Hasty {
    http: reqwest::Client,
    /// How many webhooks were answered with each status; 0: with none.
    webhooks: Mutex<BTreeMap<u16, usize>>,
    inquiries: AtomicUsize,
}

impl Hasty {
    fn start() -> (Arc<Self>, String, ServerHandle) {
        let hasty = Arc::new(Self {
            http: keeping_connections(),
            webhooks: Mutex::default(),
            inquiries: AtomicUsize::new(0),
        });
        let shared = web::Data::from(Arc::clone(&hasty));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/transaction", web::post().to(submitted))
                .route("/transaction/{id}", web::get().to(asked))
        });
        let server = server
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
        (hasty, url, handle)
    }

    fn webhooks(&self) -> BTreeMap<u16, usize> {
        let webhooks = self.webhooks.lock().unwrap_or_else(PoisonError::into_inner);
        webhooks.clone()
    }
}

fn keeping_connections() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().http1_only();
    client.build().expect("a plain client")
}

async fn submitted(hasty: web::Data<Hasty>, body: Bytes) -> HttpResponse {
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let (id, url) = (&body["id"], body["webhookUrl"].as_str().expect("a URL"));
    let webhook = json!({ "id": id, "status": "completed" });
    let request = hasty.http.post(url).json(&webhook);
    let hasty = hasty.into_inner();
    actix_web::rt::spawn(async move {
        let status = request
            .send()
            .await
            .map_or(0, |answer| answer.status().as_u16());
        let webhooks = hasty.webhooks.lock();
        *webhooks
            .unwrap_or_else(PoisonError::into_inner)
            .entry(status)
            .or_default() += 1;
    });
    HttpResponse::Accepted().json(json!({ "id": id, "status": "pending" }))
}

async fn asked(hasty: web::Data<Hasty>) -> HttpResponse {
    hasty.inquiries.fetch_add(1, Ordering::Relaxed);
    HttpResponse::Ok().json(json!({ "status": "pending" }))
}

/// What clients were answered that wait for the outcome: status code and status.
type Answers = BTreeMap<(u16, String), usize>;

async fn pay(http: reqwest::Client, url: String, times: usize) -> Answers {
    let mut answers = Answers::new();
    for _ in 0..times {
        let request = http
            .post(format!("{url}/v1/transactions"))
            .header("prefer", "wait=30")
            .json(&json!({ "id": new_id(), "payload": {} }));
        let answer = request.send().await.expect("answered");
        let code = answer.status().as_u16();
        let view: Value = answer.json().await.expect("JSON");
        let status = view["status"].as_str().unwrap_or_default().to_owned();
        *answers.entry((code, status)).or_default() += 1;
    }
    answers
}

/// Pays so often, and says how long that took.
async fn pay_at_once(payments: usize) -> f64 {
    let (hasty, url, provider) = Hasty::start();
    let change = |setup: &mut Setup| {
        // A slow machine must not make an inquiry due.
        setup.time_scale = 1.0;
        put(&mut setup.provider, "base_url", url);
        let outcomes = setup.profile["submit"]["outcome"].as_array_mut();
        let pending = outcomes.expect("a list").iter_mut();
        let mut pending = pending.filter(|one| one.get("word") == Some(&"pending".into()));
        let pending = pending.next().and_then(toml::Value::as_table_mut);
        put(pending.expect("one says pending"), "status", 202);
    };
    let rig = Rig::start_with(change).await;
    let began = Instant::now();
    let http = keeping_connections();
    let paying: Vec<_> = (0..AT_ONCE)
        .map(|n| {
            let times = payments / AT_ONCE + usize::from(n < payments % AT_ONCE);
            tokio::spawn(pay(http.clone(), rig.client.url.clone(), times))
        })
        .collect();
    let mut answers = Answers::new();
    for one in paying {
        for (answer, count) in one.await.expect("no panic") {
            *answers.entry(answer).or_default() += count;
        }
    }
    let took_s = began.elapsed().as_secs_f64();
    let house = &rig.teller().house;
    let refused = (house.appends_refused(), house.invariant_violations());
    assert_eq!(refused, (0, 0), "appends refused, laws broken");
    let webhooks = eventually("each webhook is answered", || async {
        Some(hasty.webhooks()).filter(|all| all.values().sum::<usize>() == payments)
    });
    assert_eq!(webhooks.await, BTreeMap::from([(200, payments)]));
    let completed = (200, "completed".to_owned());
    assert_eq!(answers, Answers::from([(completed, payments)]));
    assert_eq!(hasty.inquiries.load(Ordering::Relaxed), 0, "inquiries");
    provider.stop(false).await;
    took_s
}

#[tokio::test]
async fn a_webhook_that_comes_with_the_answer_is_taken_at_once_and_nothing_is_asked() {
    pay_at_once(4_000).await;
}

#[tokio::test]
#[ignore = "takes a minute; by hand, in release mode"]
#[allow(clippy::print_stdout, reason = "its figures are its output")]
async fn a_hundred_thousand_webhooks_that_come_with_the_answer_are_taken_at_once() {
    let took_s = pay_at_once(100_000).await;
    println!(
        "100,000 payments in {took_s:.1} s: {:.0}/s",
        100_000.0 / took_s
    );
}
