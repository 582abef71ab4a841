//! Where reports come in: `POST /samples` with a token, a page of metrics as its body.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use em_core::port::Clock;
use em_core::read::exposition::{Exposition, ExpositionFormat};
use serde::Serialize;

use super::inbox::{Inboxes, Refused};

/// A larger report is refused.
const LARGEST: usize = 4 << 20;
/// Where reports are sent.
pub(super) const PATH: &str = "/samples";

/// What the door needs.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inboxes: Arc<Mutex<Inboxes>>,
}

/// What went wrong, as RFC 9457 has it.
#[derive(Debug, Serialize)]
struct Problem {
    title: &'static str,
    status: u16,
    detail: String,
}

impl Door {
    pub(super) fn router(self) -> Router {
        Router::new()
            .route(PATH, post(take))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(self)
    }
}

async fn take(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let token = text(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let Some(token) = token else {
        return unknown(
            "the header Authorization: Bearer TOKEN is missing (TOKEN is in EM_PUSH_TOKEN)",
        );
    };
    let format = ExpositionFormat::of_content_type(text(CONTENT_TYPE).unwrap_or_default());
    let page = std::str::from_utf8(&body).map_err(|error| error.to_string());
    let page = page.and_then(|page| read(page, format));
    let page = match page {
        Ok(page) => page,
        Err(problem) => {
            let title = "The report cannot be read";
            return answer(StatusCode::BAD_REQUEST, title, &problem).into_response();
        }
    };
    let now = door.clock.now();
    // Nothing that holds the lock can fail half-way.
    let mut inboxes = door.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
    match inboxes.take(token.trim(), page.samples, now) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(Refused::Unknown) => unknown("the token is of no iteration that runs"),
        Err(Refused::Full) => {
            let title = "There are too many samples";
            let problem = "report less often, or fewer series";
            let answer = answer(StatusCode::TOO_MANY_REQUESTS, title, problem);
            ([(RETRY_AFTER, "60")], answer).into_response()
        }
    }
}

/// A report need not end as a page must.
fn read(page: &str, format: ExpositionFormat) -> Result<Exposition, String> {
    Exposition::parse(page, format).map_err(|error| error.to_string())
}

fn unknown(problem: &str) -> Response {
    let answer = answer(
        StatusCode::UNAUTHORIZED,
        "Who reports is not known",
        problem,
    );
    ([(WWW_AUTHENTICATE, "Bearer")], answer).into_response()
}

fn answer(
    status: StatusCode,
    title: &'static str,
    detail: &str,
) -> (StatusCode, [(HeaderName, &'static str); 1], Json<Problem>) {
    let problem = Problem {
        title,
        status: status.as_u16(),
        detail: detail.to_owned(),
    };
    let media_type = [(CONTENT_TYPE, "application/problem+json")];
    (status, media_type, Json(problem))
}
