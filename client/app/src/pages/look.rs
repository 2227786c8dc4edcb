//! Looking at an image: one picture at a time, by links alone or by the script that scrolls and sets the window.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use maud::{Markup, html};
use pcim_core::ImageDigest;
use pcim_dicom::view::Window;
use serde::Deserialize;

use super::image::named;
use crate::failure::{Failure, Result};
use crate::frame::frame;
use crate::house::House;
use crate::viewer::Look;

/// Windows of computed tomography, in Hounsfield units.
const WINDOWS: [(&str, &str); 4] = [
    ("As stored", ""),
    ("Soft tissue", "40,400"),
    ("Lung", "-600,1500"),
    ("Bone", "400,1800"),
];

/// What is shown: numbers from 1, and a window.
#[derive(Deserialize)]
pub(super) struct Place {
    #[serde(default = "first")]
    n: usize,
    #[serde(default = "first")]
    f: usize,
    #[serde(default)]
    window: String,
}

fn first() -> usize {
    1
}

fn window(text: &str) -> Result<Option<Window>> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Failure::NoPage),
    }
}

/// The image opened, once for all its pictures.
async fn opened(house: &House, image: &ImageDigest) -> Result<Arc<Look>> {
    let mut look = house.look.lock().await;
    if let Some(known) = look.as_ref()
        && known.image == *image
    {
        return Ok(Arc::clone(known));
    }
    let opened = Arc::new(Look::open(&house.actor, image).await?);
    *look = Some(Arc::clone(&opened));
    Ok(opened)
}

pub(super) async fn page(
    State(house): State<Arc<House>>,
    Path(image): Path<String>,
    Query(place): Query<Place>,
) -> Result<Markup> {
    let image = named(&image)?;
    let set = window(&place.window)?;
    let (shown, _) = house.image(image).await?;
    let is_ct = shown
        .image
        .description
        .split_whitespace()
        .any(|code| code == "CT");
    let number = place.n;
    let counted = async move |house: Arc<House>| {
        let look = opened(&house, &image).await?;
        Ok((look.instances(), look.instance(number).await?.frames()))
    };
    let (instances, frames) = house.work(counted).await?;
    if place.f == 0 || place.f > frames {
        return Err(Failure::NoPage);
    }
    let suffix = set.map_or(String::new(), |_| format!("&window={}", place.window));
    let link = |n: usize, f: usize| format!("/image/{image}/look?n={n}&f={f}{suffix}");
    let before = match (place.n, place.f) {
        (1, 1) => None,
        (n, 1) => Some(link(n - 1, 1)),
        (n, f) => Some(link(n, f - 1)),
    };
    let after = match (place.n, place.f) {
        (n, f) if f < frames => Some(link(n, f + 1)),
        (n, _) if n < instances => Some(link(n + 1, 1)),
        _ => None,
    };
    let source = format!(
        "/image/{image}/{}/{}?window={}",
        place.n, place.f, place.window
    );
    Ok(frame(
        "Looking at your image",
        html! {
            p { "Not for diagnosis. " a href={ "/image/" (image) } { "Back to the image" } }
            figure id="viewer" tabindex="0" data-image=(image) data-instances=(instances) data-frames=(frames)
                data-n=(place.n) data-f=(place.f) data-window=(place.window) {
                img id="picture" src=(source) alt={ "Picture " (place.n) " of " (instances) };
                figcaption id="where" { "Picture " (place.n) " of " (instances) @if frames > 1 { ", frame " (place.f) " of " (frames) } }
            }
            nav.actions aria-label="Pictures" {
                @if let Some(before) = before { a.button id="before" href=(before) rel="prev" { "Before" } }
                @if let Some(after) = after { a.button id="after" href=(after) rel="next" { "Next" } }
            }
            @if is_ct { nav.actions aria-label="Brightness" {
                @for (words, value) in WINDOWS {
                    a.button.quiet data-window=(value) aria-current=[(value == place.window).then_some("true")]
                        href=(at_window(&image, &place, value)) { (words) }
                }
            } }
            p { "The arrow keys and the wheel go from picture to picture. Once a brightness is chosen, dragging changes it." }
            script type="module" src="/viewer.js" {}
        },
    ))
}

/// The address of the same place in another window.
fn at_window(image: &ImageDigest, place: &Place, window: &str) -> String {
    format!(
        "/image/{image}/look?n={}&f={}&window={window}",
        place.n, place.f
    )
}

pub(super) async fn picture(
    State(house): State<Arc<House>>,
    Path((image, instance, frame)): Path<(String, usize, usize)>,
    Query(place): Query<Place>,
) -> Result<impl IntoResponse> {
    let image = named(&image)?;
    let window = window(&place.window)?;
    let drawn = async move |house: Arc<House>| {
        let look = opened(&house, &image).await?;
        look.picture(instance, frame, window).await
    };
    let png = house.work(drawn).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png))
}
