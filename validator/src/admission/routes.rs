//! What the API server posts, and what it gets.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use serde_json::json;

use super::answer::Answer;
use super::asked::Review;
use super::body::Room;
use super::decide::decide;
use super::knowledge::Knowledge;
use super::known::{Known, Rules};
use super::mode::Mode;
use super::record::Record;
use crate::moment::now;

/// Who answers.
pub(super) struct Gate {
    knowledge: Arc<Knowledge>,
    rules: Rules,
    record: Record,
    room: Room,
}

impl Gate {
    pub(super) fn new(knowledge: Arc<Knowledge>, rules: Rules, record: Record) -> Self {
        Self { knowledge, rules, record, room: Room::new() }
    }

    /// 500 where nobody can tell: the failure policy of the webhook decides then.
    async fn answer(&self, review: Review, mode: Mode) -> Response {
        let (runs, policy) = match self.knowledge.now() {
            Ok(known) => known,
            Err(why) => {
                self.record.unable(&why);
                return (StatusCode::INTERNAL_SERVER_ERROR, why).into_response();
            }
        };
        let asked = review.request;
        let known = Known { runs: &runs, policy: &policy, rules: &self.rules, now: now() };
        let decision = decide(&asked, &known);
        self.record.decided(&asked, &decision, mode).await;
        let Answer { allowed, message, warnings, audit } = Answer::to(&asked, &decision, mode);
        Json(json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {
                "uid": asked.uid, "allowed": allowed, "status": { "message": message }, "warnings": warnings,
                "auditAnnotations": audit
            }
        }))
        .into_response()
    }
}

/// A path for each mode.
pub(super) fn routes(gate: Gate) -> Router {
    let gate = Arc::new(gate);
    Mode::ALL.into_iter().fold(Router::new(), |router, mode| {
        let gate = gate.clone();
        let answer = move |request: Request| async move {
            match gate.room.read(request.into_body()).await {
                Ok(review) => gate.answer(review, mode).await,
                Err(unread) => unread.into_response(),
            }
        };
        router.route(&format!("/{}", mode.name()), post(answer))
    })
}
