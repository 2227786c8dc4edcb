//! The requests: who asks for what, and her decision about exactly what she read.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::response::Redirect;
use maud::{Markup, html};
use pcim_client::audit::report::visible;
use pcim_client::papers::request::Purpose;
use pcim_client::{PendingRequest, Reviewed};
use pcim_core::date::now;
use pcim_core::{Address, BlockDigest, ImageDigest};
use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::frame::{frame, moment};
use crate::house::House;

/// How long an approval lasts, in days, with its words; the first is the usual one.
const LASTS: [(u64, &str); 4] = [
    (30, "30 days"),
    (1, "one day"),
    (7, "one week"),
    (365, "one year"),
];
/// A request that is older, in days, is called so: more may have changed than the request.
const OLD: u64 = 90;

pub(super) async fn page(State(house): State<Arc<House>>) -> Result<Markup> {
    let asked = async |house: Arc<House>| Ok(house.actor.patient().requests().await?);
    let requests = house.work(asked).await?;
    Ok(frame(
        "Requests",
        html! {
            @if requests.is_empty() { p { "Nobody asks to see your images." } }
            ul.cards {
                @for (number, request) in requests.iter().enumerate() {
                    li { (one(&house, number, request)) }
                }
            }
        },
    ))
}

fn one(house: &House, number: usize, request: &PendingRequest) -> Markup {
    let known = house.contacts.name(request.requestor);
    let document = request.document.as_ref();
    let name = document.and_then(|it| it.name.as_deref()).map(visible);
    let note = document.and_then(|it| it.note.as_deref()).map(visible);
    let title = match (known, &name) {
        (Some(known), _) => known.to_owned(),
        (None, Some(name)) => format!("Says to be {name}"),
        (None, None) => "Somebody without a name".to_owned(),
    };
    let days = now().saturating_sub(request.requested_at) / 86_400;
    let (heading, lasts) = (format!("who-{number}"), format!("lasts-{number}"));
    html! {
        article aria-labelledby=(heading) {
            h2 id=(heading) { (title) }
            @if known.is_none() {
                p.warning { "You do not know this person by a card. The name is what they wrote." }
            }
            dl {
                dt { "Asks for" }
                dd { a href={ "/image/" (request.image) } { "this image" } }
                dt { "Purpose" }
                dd { (purpose(&request.purpose)) }
                @if let Some(note) = note { dt { "Their words" } dd { (note) } }
                dt { "Since" }
                dd { (moment(request.requested_at)) @if days > OLD { " (old: ask whether it still holds)" } }
            }
            @if request.post_quantum == Some(false) {
                p.warning { "Their key is of an older kind: what you share may be read by the computers of a later time." }
            }
            @if let Some(why) = &request.document_error {
                p.warning { "Their letter could not be read: " (visible(why)) }
            }
            details {
                summary { "Details" }
                dl {
                    dt { "Address" } dd { code { (request.requestor) } }
                    dt { "Certificate" } dd { code { (request.public_key) } }
                    dt { "Image" } dd { code { (request.image) } }
                }
            }
            form method="post" action="/requests/decide" {
                input type="hidden" name="image" value=(request.image);
                input type="hidden" name="requestor" value=(request.requestor);
                input type="hidden" name="requested_at" value=(request.requested_at);
                input type="hidden" name="certificate" value=(request.public_key);
                label for=(lasts) { "They may open it for" }
                select id=(lasts) name="days" {
                    @for (days, words) in LASTS { option value=(days) { (words) } }
                }
                div.actions {
                    button name="decision" value="approve" aria-describedby=(heading) { "Allow" }
                    button.quiet name="decision" value="deny" aria-describedby=(heading) { "Do not allow" }
                }
            }
        }
    }
}

/// A purpose in words; a text that is no code of ours as it is.
fn purpose(code: &str) -> String {
    match code.parse() {
        Ok(Purpose::Treat) => "To treat you".to_owned(),
        Ok(Purpose::Hresch) => "Health research".to_owned(),
        Ok(Purpose::Hpaymt) => "Payment for care".to_owned(),
        Ok(Purpose::Etreat) => "To treat you in an emergency".to_owned(),
        Err(_) => visible(code),
    }
}

/// What the form of a request says.
#[derive(Deserialize)]
pub(super) struct Decided {
    image: String,
    requestor: String,
    requested_at: u64,
    certificate: String,
    days: u64,
    decision: String,
}

impl Decided {
    /// The request as it was on the page.
    fn read(&self) -> Option<Reviewed> {
        Some(Reviewed {
            image: self.image.parse::<ImageDigest>().ok()?,
            requestor: self.requestor.parse::<Address>().ok()?,
            requested_at: self.requested_at,
            public_key: self.certificate.parse::<BlockDigest>().ok()?,
        })
    }
}

pub(super) async fn decide(
    State(house): State<Arc<House>>,
    form: Result<Form<Decided>, FormRejection>,
) -> Result<Redirect> {
    let Form(decided) = form.map_err(|_| Failure::Form)?;
    let request = decided.read().ok_or(Failure::Form)?;
    let image = request.image;
    match decided.decision.as_str() {
        "approve" => {
            let known = LASTS.iter().any(|(days, _)| *days == decided.days);
            let days = known.then_some(decided.days).ok_or(Failure::Form)?;
            house
                .work(async move |house| approve(&house, request, days).await)
                .await?;
        }
        "deny" => {
            let requestor = request.requestor;
            let denied = async move |house: Arc<House>| {
                house.actor.patient().deny(&image, requestor, "").await?;
                Ok(())
            };
            house.work(denied).await?;
        }
        _ => return Err(Failure::Form),
    }
    Ok(Redirect::to(&format!("/image/{image}")))
}

/// Approves the request as it was on the page, and no other.
async fn approve(house: &House, request: Reviewed, days: u64) -> Result<()> {
    let patient = house.actor.patient();
    let (image, requestor, certificate) = (request.image, request.requestor, request.public_key);
    patient.check_reviewed(&[request]).await?;
    let ledger = house.actor.ledger().await?;
    // A chain without transactions stops at the time of its last block.
    let from = ledger.now().await.map_err(pcim_client::Error::from)?;
    let until = from.max(now()) + days * 86_400;
    patient
        .approve_certificate(&image, requestor, Some(certificate), until)
        .await?;
    Ok(())
}
