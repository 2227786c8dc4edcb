//! The people whom the patient knows by name.

use std::sync::Arc;

use axum::extract::State;
use maud::{Markup, html};

use crate::frame::frame;
use crate::house::House;

pub(super) async fn page(State(house): State<Arc<House>>) -> Markup {
    let mut known: Vec<_> = house.contacts.names().collect();
    known.sort_by_key(|(_, name)| name.to_lowercase());
    frame(
        "People you know",
        html! {
            @if known.is_empty() {
                p { "Nobody yet. " code { "pcim card add NAME FILE" } " takes a card that someone gave you." }
            } @else {
                p { "These names are yours: you gave them to cards that you checked." }
                dl {
                    @for (address, name) in known {
                        dt { (name) }
                        dd { code { (address) } }
                    }
                }
            }
        },
    )
}
