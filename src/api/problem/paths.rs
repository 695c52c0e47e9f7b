//! Problems with the path or the method: no door, or not for this.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use super::Problem;

/// The path is a door, but not for this method.
pub(in crate::api) async fn method_not_allowed(
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let path = request.path();
    let allow = if path.starts_with("/webhook") {
        "POST, PUT"
    } else if path == "/v1/transactions" {
        "GET, POST"
    } else if path == "/transaction" || request.match_info().get("command").is_some() {
        "POST"
    } else {
        "GET"
    };
    let method: &Method = request.method();
    let detail = format!("{method} is not understood here; this path takes {allow}");
    let mut problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Wrong method",
        detail,
    );
    problem.allow = Some(allow);
    Err(problem)
}

/// No door has this path.
pub(in crate::api) async fn no_such_path(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let detail = format!(
        "there is nothing at {:?}; transactions are at /v1/transactions",
        request.path()
    );
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_path",
        "No such path",
        detail,
    ))
}
