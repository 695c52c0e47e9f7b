//! The operators' view of where apps are told, and the switch for each.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::auth::Operator;
use super::{Doors, Problem, body, forward, operators};
use crate::ports::EndpointRefusal;
use crate::transaction::AppId;

/// `GET /v1/endpoints`: how each of them is doing.
pub(super) async fn list(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
) -> HttpResponse {
    let here = json!({ "data": doors.endpoints.endpoints() });
    let answer = forward::gather(&doors, &caller, &request, here).await;
    HttpResponse::Ok().json(answer.map_or_else(|here| here, |gathered| gathered.data()))
}

/// `POST /v1/endpoints/{app}/enable`, `/disable`.
pub(super) async fn switch(
    Operator(caller): Operator,
    doors: web::Data<Doors>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let path = request.match_info();
    let app = AppId::parse(path.get("app").unwrap_or_default())
        .map_err(|why| Problem::invalid_field("path:app", why))?;
    let enables = path.get("command") == Some("enable");
    let body = body::read(
        &request,
        payload,
        doors.bounds.body_bytes,
        doors.bounds.body_deadline,
    )
    .await?;
    if !body.is_empty() {
        body::expect_json(&request)?;
    }
    let fields: Value = match body.as_ref() {
        b"" => json!({}),
        body => serde_json::from_slice(body).map_err(Problem::malformed_json)?,
    };
    let by = caller.signed(operators::text(&fields, "by")?);
    let why = operators::text(&fields, "why")?;
    let switched = if enables {
        doors.endpoints.enable(&app).await
    } else {
        let why = why.ok_or_else(|| {
            Problem::invalid_field("/why", "say \"why\": the app is told nothing from now on")
        })?;
        let why = match &by {
            Some(by) => format!("{why}, says {by}"),
            None => why,
        };
        doors.endpoints.disable(&app, why).await
    };
    tracing::info!(%app, enables, by, "somebody switches an endpoint");
    match switched {
        Ok(()) => {
            let endpoints = doors.endpoints.endpoints();
            let endpoint = endpoints.iter().find(|endpoint| endpoint.app == app);
            Ok(HttpResponse::Ok().json(endpoint))
        }
        Err(refusal @ EndpointRefusal::Unknown(_)) => {
            Err(Problem::unknown_endpoint(refusal.to_string()))
        }
        Err(refusal @ EndpointRefusal::Forgetful(_)) => {
            Err(Problem::unavailable(refusal.to_string()))
        }
    }
}
