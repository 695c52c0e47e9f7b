//! Whether the process lives, and whether it should be sent requests.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::{Doors, Problem};
use crate::ports::JournalHealth;

/// `GET /livez`: the process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// `GET /readyz`: 503 while it starts, drains, or can't make anything durable.
pub(super) async fn ready(doors: web::Data<Doors>) -> Result<HttpResponse, Problem> {
    if doors.house.is_draining() {
        return Err(Problem::not_ready("the node is draining before it stops"));
    }
    if !doors.house.router.is_complete() {
        return Err(Problem::not_ready("the node is starting"));
    }
    if let Some(cluster) = &doors.cluster
        && cluster.cluster().heard_ms_ago.is_none()
    {
        return Err(Problem::not_ready("the node has not joined the others yet"));
    }
    match doors.house.journal.health() {
        JournalHealth::Serving => Ok(HttpResponse::Ok().json(json!({ "status": "ready" }))),
        JournalHealth::Lagging(records) => Err(Problem::not_ready(&format!(
            "the archive is {records} records behind the journal"
        ))),
        JournalHealth::Unreachable(why) => Err(Problem::not_ready(&format!(
            "the journal can't be reached: {why}"
        ))),
        JournalHealth::Failed(why) => {
            Err(Problem::not_ready(&format!("the journal failed: {why}")))
        }
    }
}
