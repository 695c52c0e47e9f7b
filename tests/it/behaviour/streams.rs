//! The history of a transaction, as JSON and as server-sent events, without what is secret in it.

use serde_json::{Value, json};

use crate::support::{Answer, Rig, eventually, new_id};

/// One server-sent event.
#[derive(Debug)]
struct Event {
    id: u64,
    name: String,
    data: Value,
}

/// An open stream.
struct Stream {
    response: reqwest::Response,
    text: String,
    comments: usize,
}

impl Stream {
    async fn open(rig: &Rig, id: &str, last_event_id: Option<u64>) -> Self {
        let path = format!("/v1/transactions/{id}/events");
        let mut request = rig.client.request(reqwest::Method::GET, &path);
        request = request.header("accept", "text/event-stream");
        if let Some(last) = last_event_id {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        assert_eq!(header("content-type"), Some("text/event-stream"));
        assert_eq!(header("x-accel-buffering"), Some("no"));
        assert_eq!(header("cache-control"), Some("no-store"));
        Self {
            response,
            text: String::new(),
            comments: 0,
        }
    }

    /// The next event; comments and the retry hint are passed over.
    async fn next(&mut self) -> Event {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = self.read(&block) {
                    return event;
                }
                continue;
            }
            let chunk = self.response.chunk().await.expect("the stream goes on");
            let chunk = chunk.expect("the stream goes on");
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn read(&mut self, block: &str) -> Option<Event> {
        if block.starts_with(':') {
            self.comments += 1;
            assert!(self.comments < 100, "a flood of comments");
            return None;
        }
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        if field("retry: ").is_some() {
            return None;
        }
        Some(Event {
            id: field("id: ").expect("an id").parse().expect("a number"),
            name: field("event: ").expect("a name").to_owned(),
            data: serde_json::from_str(field("data: ").expect("data")).expect("JSON"),
        })
    }

    /// Reads up to the event with which the transaction ends.
    async fn read_to_the_outcome(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await;
            let ends = event.data["resolution"].is_object();
            events.push(event);
            if ends {
                return events;
            }
        }
    }
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id).collect()
}

/// Answered late enough for a test to be listening.
fn script() -> Value {
    json!({"answer_after_ms": 20_000})
}

#[tokio::test]
async fn the_history_is_told_record_by_record() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client
        .paid(
            &id,
            json!({"answer": "timeout", "answer_after_ms": 1_000, "ghost_after_ms": 20_000}),
        )
        .await;
    rig.audit(&id).await;
    let history = rig.client.history(&id).await;
    let versions: Vec<u64> = history
        .iter()
        .filter_map(|record| record["version"].as_u64())
        .collect();
    assert_eq!(versions, (1..=history.len() as u64).collect::<Vec<_>>());
    let kinds: Vec<&str> = history
        .iter()
        .filter_map(|record| record["type"].as_str())
        .collect();
    assert_eq!(
        kinds[..3],
        ["accepted", "attempt_started", "answered"],
        "{history:?}"
    );
    assert_eq!(kinds.last(), Some(&"inquired"), "{history:?}");
}

#[tokio::test]
async fn the_stream_follows_the_transaction_to_its_outcome() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, script()).await;
    let mut stream = Stream::open(&rig, &id, None).await;
    let events = stream.read_to_the_outcome().await;
    assert_eq!(ids(&events), [1, 2, 3]);
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["accepted", "attempt_started", "answered"]);
    assert_eq!(events[2].data["to"]["name"], "completed");
}

#[tokio::test]
async fn the_stream_goes_on_after_the_last_event_that_was_seen() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, script()).await;
    let mut open = Stream::open(&rig, &id, Some(1)).await;
    assert_eq!(ids(&open.read_to_the_outcome().await), [2, 3]);
    let mut afterwards = Stream::open(&rig, &id, Some(2)).await;
    assert_eq!(ids(&afterwards.read_to_the_outcome().await), [3]);
}

#[tokio::test]
async fn a_last_event_that_never_was_neither_floods_nor_silences_the_stream() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, script()).await;
    let mut stream = Stream::open(&rig, &id, Some(1_000_000)).await;
    let events = stream.read_to_the_outcome().await;
    assert_eq!(events.last().map(|event| event.id), Some(3), "{events:?}");
}

/// An actor has room for 64 that watch it; the others look for themselves, at a bounded pace.
#[tokio::test]
async fn many_followers_of_one_transaction_all_see_its_outcome_and_none_is_flooded() {
    const FOLLOWERS: usize = 80;
    let rig = Rig::start().await;
    let id = new_id();
    rig.client
        .paid(&id, json!({"answer": "hang", "ghost_after_ms": 60_000}))
        .await;
    let mut streams = Vec::new();
    for _ in 0..FOLLOWERS {
        streams.push(Stream::open(&rig, &id, None).await);
    }
    for stream in &mut streams {
        let events = stream.read_to_the_outcome().await;
        let expected: Vec<u64> = (1..).take(events.len()).collect();
        assert_eq!(ids(&events), expected);
    }
}

#[tokio::test]
async fn a_stream_ends_when_teller_drains_and_is_resumed_after_the_restart() {
    let mut rig = Rig::start().await;
    let id = new_id();
    rig.client
        .paid(&id, json!({"answer": "hang", "ghost_after_ms": 100_000}))
        .await;
    let mut stream = Stream::open(&rig, &id, None).await;
    let last = stream.next().await.id;
    rig.restart_teller().await;
    while let Ok(Some(_)) = stream.response.chunk().await {}
    let mut stream = Stream::open(&rig, &id, Some(last)).await;
    let events = stream.read_to_the_outcome().await;
    let expected: Vec<u64> = (last + 1..).take(events.len()).collect();
    assert_eq!(ids(&events), expected);
    rig.audit(&id).await;
}

/// Neither the request as it was rendered nor the token that opens the webhook's door is shown
/// anywhere.
#[tokio::test]
async fn what_is_secret_is_never_shown() {
    let rig = Rig::start().await;
    let id = new_id();
    rig.client.paid(&id, script()).await;
    eventually("posted", || async { rig.posts(&id).pop() }).await;
    let path = rig.webhook_path(&id, 1).await;
    let (_, token) = path.rsplit_once('/').expect("a token");
    let hides = |text: &str, place: &str| {
        for secret in [token, "webhookUrl", "webhook_url", "/webhooks/"] {
            assert!(!text.contains(secret), "{place} shows {secret}: {text}");
        }
    };
    let mut stream = Stream::open(&rig, &id, None).await;
    for event in stream.read_to_the_outcome().await {
        hides(&event.data.to_string(), "the stream");
    }
    for place in [
        format!("/v1/transactions/{id}"),
        format!("/v1/transactions/{id}/events"),
        format!("/v1/actors/{id}"),
        "/v1/actors".to_owned(),
        "/v1/transactions".to_owned(),
        "/v1/providers".to_owned(),
    ] {
        let Answer { text, .. } = rig.client.get(&place).await;
        hides(&text, &place);
    }
}
