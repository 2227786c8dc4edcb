//! The pages: one file each, in one frame.

mod home;
mod image;
mod look;
mod people;
mod requests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::routing::{get, post};

use crate::failure::Failure;
use crate::house::House;

/// Most bytes of a form.
const MAX_FORM: usize = 16 * 1024;

const STYLE: &str = include_str!("../assets/app.css");
const VIEWER: &str = include_str!("../assets/viewer.js");

/// The pages of a home.
pub(crate) fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/requests", get(requests::page))
        .route("/requests/decide", post(requests::decide))
        .route("/image/{image}", get(image::page))
        .route("/image/{image}/withdraw", post(image::withdraw))
        .route("/image/{image}/look", get(look::page))
        .route("/image/{image}/{instance}/{frame}", get(look::picture))
        .route("/people", get(people::page))
        .route("/app.css", get(|| asset("text/css", STYLE)))
        .route("/viewer.js", get(|| asset("text/javascript", VIEWER)))
        .fallback(async || Failure::NoPage)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .with_state(house)
}

async fn asset(
    kind: &'static str,
    text: &'static str,
) -> ([(header::HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, kind)], text)
}
