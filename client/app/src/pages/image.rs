//! An image: who may open it, and what happened to it.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use pcim_client::audit::report::{Facts, timeline};
use pcim_core::date::now;
use pcim_core::{Address, ImageDigest};
use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::frame::{frame, kind, moment};
use crate::house::House;

/// What of a timeline's row is shown: when, what, and whom it is about.
const COLUMNS: [usize; 3] = [0, 1, 4];

/// The image that a path names.
pub(super) fn named(image: &str) -> Result<ImageDigest> {
    image.parse().map_err(|_| Failure::NoPage)
}

pub(super) async fn page(
    State(house): State<Arc<House>>,
    Path(image): Path<String>,
) -> Result<Markup> {
    let image = named(&image)?;
    let (shown, story) = house.image(image).await?;
    let deployment = house.actor.deployment()?;
    let facts = Facts {
        chain_id: deployment.chain_id,
        contract: deployment.contract,
        events: &story.events,
        unknown: story.unknown,
        block: story.block,
        now: now(),
        contacts: &house.contacts,
    };
    let happened = timeline(&facts, |told| told.image == Some(image));
    Ok(frame(
        &kind(&shown.image.description),
        html! {
            p { a.button href={ "/image/" (image) "/look" } { "Look at it" } }
            section aria-labelledby="readers" {
                h2 id="readers" { "Who may open it" }
                p { "You." }
                @for reader in &shown.readers {
                    form method="post" action={ "/image/" (image) "/withdraw" } {
                        input type="hidden" name="requestor" value=(reader.requestor);
                        p {
                            strong { (house.who(reader.requestor)) } ", "
                            @match reader.until {
                                Some(until) => { "until " (moment(until)) },
                                None => { "without end" },
                            }
                        }
                        button.quiet { "Stop sharing with " (house.who(reader.requestor)) }
                    }
                }
                @if !shown.readers.is_empty() {
                    p { "Whoever has opened it may have kept a copy. Nothing can take that back." }
                }
            }
            section aria-labelledby="happened" {
                h2 id="happened" { "What happened" }
                div.scroll tabindex="0" role="region" aria-labelledby="happened" {
                    table {
                        thead { tr { @for at in COLUMNS { th scope="col" { (happened.columns[at]) } } } }
                        tbody {
                            @for row in happened.rows.iter().rev() {
                                tr { @for at in COLUMNS { td { (row[at]) } } }
                            }
                        }
                    }
                }
            }
            details {
                summary { "Details" }
                dl {
                    dt { "Image" } dd { code { (image) } }
                    dt { "Radiologist" } dd { (house.who(shown.image.radiologist)) }
                    dt { "Registered" } dd { (moment(shown.image.registered_at)) }
                }
            }
        },
    ))
}

/// Whom the form names.
#[derive(Deserialize)]
pub(super) struct Withdrawn {
    requestor: String,
}

pub(super) async fn withdraw(
    State(house): State<Arc<House>>,
    Path(image): Path<String>,
    form: Result<Form<Withdrawn>, FormRejection>,
) -> Result<Redirect> {
    let image = named(&image)?;
    let Form(form) = form.map_err(|_| Failure::Form)?;
    let requestor: Address = form.requestor.parse().map_err(|_| Failure::Form)?;
    let withdrawn = async move |house: Arc<House>| {
        house.actor.patient().revoke(&image, requestor).await?;
        Ok(())
    };
    house.work(withdrawn).await?;
    Ok(Redirect::to(&format!("/image/{image}")))
}
