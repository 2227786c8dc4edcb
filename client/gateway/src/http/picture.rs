//! Rendered frames (PS3.18 §10.4.1.1.4): as PNG.

use hyper::StatusCode;
use pcim_dicom::view::{Image, Window};
use tokio::task::spawn_blocking;

use super::accept::{Offer, accepted, choose};
use super::{Answer, Asked, Web, plain, typed};
use crate::catalogue::Refusal;
use crate::catalogue::chosen::Chosen;

/// Answers with a picture of the frame of this number.
pub(super) async fn picture(
    web: &Web,
    asked: &Asked,
    chosen: &Chosen,
    number: usize,
) -> Result<Answer, Refusal> {
    let png = Offer {
        media: "image/png",
        syntax: None,
        parts: false,
        usual: true,
    };
    let not_so = |why: &str| Ok(plain(StatusCode::NOT_ACCEPTABLE, why));
    if choose(&accepted(&asked.headers), &[png]).is_none() {
        return not_so("pictures are image/png");
    }
    let Some((window, viewport)) = rendering(&asked.query) else {
        let why = "wanted window=center,width,linear and viewport=width,height";
        return Ok(plain(StatusCode::BAD_REQUEST, why));
    };
    let held = chosen.read(&web.catalogue, 0).await?;
    let drawn = spawn_blocking(move || {
        let image = Image::read(&held.bytes)?;
        if number > image.frames() {
            return Ok(None);
        }
        let picture = image.render(number - 1, window)?;
        let picture = match viewport {
            None => picture,
            Some((width, height)) => {
                let (w, h) = (picture.width() as f64, picture.height() as f64);
                let scale = (width / w).min(height / h).min(1.0);
                picture.fitted(((w.max(h) * scale) as usize).max(1))
            }
        };
        Ok::<_, pcim_dicom::view::Error>(Some(picture.png()))
    });
    let failed = |error: tokio::task::JoinError| Refusal::Failed(error.to_string());
    match drawn.await.map_err(failed)? {
        Ok(Some(png)) => Ok(typed(StatusCode::OK, "image/png", png)),
        Ok(None) => Err(Refusal::Absent),
        // Without pixels, or with pixels of a kind that is not drawn.
        Err(why) => not_so(&why.to_string()),
    }
}

/// A window and a viewport, each if it is given.
type Rendering = (Option<Window>, Option<(f64, f64)>);

/// The window and the viewport of a query; none if one of them is malformed. Other parameters are ignored (PS3.18 §8.3.5).
fn rendering(query: &str) -> Option<Rendering> {
    let (mut window, mut viewport) = (None, None);
    for (name, value) in query.split('&').filter_map(|it| it.split_once('=')) {
        let value = value.replace("%2C", ",").replace("%2c", ",");
        match name {
            "window" => {
                let parts: Vec<&str> = value.split(',').collect();
                let (center, width) = match parts[..] {
                    [center, width] => (center, width),
                    [center, width, function] if function.eq_ignore_ascii_case("linear") => {
                        (center, width)
                    }
                    _ => return None,
                };
                window = Some(format!("{center},{width}").parse().ok()?);
            }
            "viewport" => {
                let mut sides = value.split(',').map(|it| it.parse::<u16>().ok());
                let (width, height) = (sides.next()??, sides.next()??);
                (width > 0 && height > 0 && sides.next().is_none()).then_some(())?;
                viewport = Some((f64::from(width), f64::from(height)));
            }
            _ => {}
        }
    }
    Some((window, viewport))
}
