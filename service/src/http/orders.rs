use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::users::{no_such_user, user_id};
use super::{Api, Problem};
use crate::users::Lookup;

/// With an orders service: the user is looked up here and the orders there. Without one, this process is the orders
/// service and answers from its own table.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = user_id(id)?;
    let Some(orders) = &api.orders else {
        return match api.users.orders(id).await? {
            Some(orders) => Ok(Json(orders).into_response()),
            None => Err(no_such_user()),
        };
    };
    if let Lookup::Unknown = api.users.find(id).await? {
        return Err(no_such_user());
    }
    let body = orders.of_user(id).await?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
