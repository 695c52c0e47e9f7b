//! TEMP
use super::{Doors, Problem};
use actix_web::{HttpRequest, HttpResponse, web};
pub(super) async fn receive(
    _: web::Data<Doors>,
    _: HttpRequest,
    _: web::Payload,
) -> Result<HttpResponse, Problem> {
    Err(Problem::several_providers())
}
pub(super) async fn receive_from_the_only_provider(
    _: web::Data<Doors>,
    _: HttpRequest,
    _: web::Payload,
) -> Result<HttpResponse, Problem> {
    Err(Problem::several_providers())
}
