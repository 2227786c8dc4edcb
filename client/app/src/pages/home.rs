//! The start: what waits, and the images.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use crate::failure::Result;
use crate::frame::{frame, kind, moment};
use crate::house::House;

pub(super) async fn page(State(house): State<Arc<House>>) -> Result<Markup> {
    let asked = async |house: Arc<House>| {
        let waiting = house.actor.patient().open_requests().await?.len();
        Ok((waiting, house.images().await?))
    };
    let (waiting, (images, story)) = house.work(asked).await?;
    Ok(frame(
        "Your images",
        html! {
            @if let Some(why) = &story.stale {
                p.warning role="status" {
                    "The network does not answer. You see what was known before (" (why) ")."
                }
            }
            section aria-labelledby="waits" {
                h2 id="waits" { "What waits for you" }
                @match waiting {
                    0 => p { "Nothing." },
                    1 => p { a href="/requests" { "One person asks to see an image." } },
                    many => p { a href="/requests" { (many) " requests to see your images." } },
                }
            }
            section aria-labelledby="images" {
                h2 id="images" { "Images" }
                @if images.is_empty() {
                    p { "You have no image yet. Your radiologist gives you a file for each; " code { "pcim patient register FILE" } " takes it." }
                } @else {
                    ul.cards {
                        @for shown in &images {
                            li {
                                h3 { a href={ "/image/" (shown.image.image) } { (kind(&shown.image.description)) } }
                                p { "Yours since " (moment(shown.image.registered_at)) }
                                @match shown.readers.len() {
                                    0 => p { "Only you can open it." },
                                    1 => p { "You and one other can open it." },
                                    many => p { "You and " (many) " others can open it." },
                                }
                            }
                        }
                    }
                }
            }
        },
    ))
}
