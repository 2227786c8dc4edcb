//! The frame of every page, and how moments and kinds of images are written in it.

use maud::{DOCTYPE, Markup, html};

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
pub(crate) fn moment(unix: u64) -> Markup {
    let full = pcim_core::date::time(unix);
    let shown = full
        .get(..16)
        .map_or(full.clone(), |it| it.replace('T', ", "));
    html! { time datetime=(full) { (shown) " UTC" } }
}

/// What the codes of an image's description say, or that there is none.
pub(crate) fn kind(description: &str) -> String {
    let text = pcim_client::audit::report::visible(description);
    match text.trim() {
        "" => "Image".to_owned(),
        text => text.to_owned(),
    }
}
