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
use maud::{DOCTYPE, Markup, html};

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

/// The frame of every page.
pub(crate) fn frame(title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · PCIM" }
                link rel="stylesheet" href="/app.css";
            }
            body {
                a.skip href="#page" { "Skip to the page" }
                header {
                    nav aria-label="Pages" {
                        ul {
                            li { a href="/" { "Start" } }
                            li { a href="/requests" { "Requests" } }
                            li { a href="/people" { "People" } }
                        }
                    }
                }
                main id="page" {
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}

/// A moment as people read it: the day, and the time of day in UTC.
fn moment(unix: u64) -> Markup {
    let full = pcim_core::date::time(unix);
    let shown = full
        .get(..16)
        .map_or(full.clone(), |it| it.replace('T', ", "));
    html! { time datetime=(full) { (shown) " UTC" } }
}

/// What the codes of an image's description say, or that there is none.
fn kind(description: &str) -> String {
    let text = pcim_client::audit::report::visible(description);
    match text.trim() {
        "" => "Image".to_owned(),
        text => text.to_owned(),
    }
}
