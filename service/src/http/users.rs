use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AGE, HeaderName, HeaderValue, LOCATION};
use serde::Deserialize;
use serde_json::Value;

use super::{Api, Problem, deadline};
use crate::users::{Listing, Lookup, NewUser, User};

const CACHE: HeaderName = HeaderName::from_static("x-cache");
/// RFC 9211: whoever hides the `x-` headers still tells an answer that is none of Postgres.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const LARGEST_PAGE: i64 = 100;

/// A page of the list, by the last id that was seen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

/// Of any type, so that a wrong one can be told by the name of its field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    name: Option<Value>,
    email: Option<Value>,
}

pub(super) async fn find(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    match api.users.find(user_id(id)?).await? {
        Lookup::Live(user) => Ok(Json(user).into_response()),
        Lookup::Stale { user, age } => Ok(stale(user, age)),
        Lookup::Unknown => Err(no_such_user()),
    }
}

pub(super) async fn list(
    State(api): State<Arc<Api>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Page { after, limit }) =
        page.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    let limit = limit.unwrap_or(LARGEST_PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Problem::field("limit", format!("must be from 1 to {LARGEST_PAGE}")));
    }
    Ok(match api.users.list(after, limit).await? {
        Listing::Live(users) => Json(users).into_response(),
        Listing::Empty => {
            let told = [(CACHE, "empty"), (CACHE_STATUS, "users; fwd=bypass; detail=unavailable")];
            (told, Json(Vec::<User>::new())).into_response()
        }
    })
}

pub(super) async fn create(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let body = deadline::body(request).await?;
    let draft: Draft = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let (name, email) = (text("name", draft.name)?, text("email", draft.email)?);
    let user = api.users.create(&NewUser::try_new(&name, &email)?).await?;
    let location = format!("/api/users/{}", user.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(user)).into_response())
}

fn text(field: &'static str, value: Option<Value>) -> Result<String, Problem> {
    match value {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Problem::field(field, "must be a string")),
        None => Err(Problem::field(field, "is missing")),
    }
}

/// Reads the id out of the path: a positive number.
pub(super) fn user_id(id: Result<Path<String>, PathRejection>) -> Result<i64, Problem> {
    let id = id.ok().and_then(|Path(text)| text.parse().ok()).filter(|id| *id > 0);
    id.ok_or_else(|| Problem::field("id", "must be a positive number"))
}

pub(super) fn no_such_user() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such user")
}

fn stale(user: User, age: Duration) -> Response {
    let mut response = Json(user).into_response();
    response.headers_mut().insert(AGE, age.as_secs().into());
    response.headers_mut().insert(CACHE, HeaderValue::from_static("stale"));
    response.headers_mut().insert(CACHE_STATUS, HeaderValue::from_static("users; hit; detail=stale"));
    response
}
