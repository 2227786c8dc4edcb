//! STOW-RS (PS3.18 §10.5): objects of type `application/dicom` in a body of type `multipart/related`.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header;
use hyper::{Request, StatusCode};
use pcim_dicom::arrival::{Arrival, file_parts};
use serde_json::json;

use super::multipart::{Event, Multipart, media_type};
use super::{Answer, Web, plain, typed};
use crate::spool::Refused;
use crate::spool::arrive::{Arriving, Origin, Taken};

/// Bytes of a file in which its file meta information ends.
const META_MAX: usize = 64 << 10;
/// Most objects of a request.
const OBJECTS_MAX: usize = 50_000;

/// The outcome of one object.
enum Outcome {
    Kept(Arrival),
    /// Its identifiers if they were known, and the status that DIMSE would give.
    Failed(Option<Arrival>, u16),
}

/// An object on its way in.
enum Object {
    /// Its file meta information has not come whole.
    Start(BytesMut),
    Data(Box<Arriving>, u64),
    Refused(u16),
}

/// Takes the objects of a request; `study` is the only one that they may be of.
pub(super) async fn store(
    web: &Web,
    request: Request<Incoming>,
    caller: &str,
    study: Option<&str>,
) -> Answer {
    let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
    let kind = header(header::CONTENT_TYPE).unwrap_or_default().to_owned();
    let accept = header(header::ACCEPT).unwrap_or("*/*");
    let accepts = [
        "*/*",
        "application/*",
        "application/dicom+json",
        "application/json",
    ];
    if !accept
        .split(',')
        .any(|it| accepts.contains(&media_type(it, "q").0))
    {
        return plain(
            StatusCode::NOT_ACCEPTABLE,
            "answers are application/dicom+json",
        );
    }
    let (media, inner) = media_type(&kind, "type");
    let (_, boundary) = media_type(&kind, "boundary");
    let is_dicom = inner.is_none_or(|inner| media_type(inner, "").0 == "application/dicom");
    let boundary = boundary.filter(|_| media.eq_ignore_ascii_case("multipart/related") && is_dicom);
    let Some(boundary) = boundary else {
        let why = "multipart/related; type=\"application/dicom\" is taken";
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    };
    if !web.spool.has_room() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the spool is full");
    }
    let mut parts = match Multipart::new(boundary) {
        Ok(parts) => parts,
        Err(error) => return plain(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mut body = request.into_body();
    let mut taking = Taking {
        web,
        caller,
        study,
        object: None,
        outcomes: Vec::new(),
    };
    let malformed = loop {
        let piece = match next(&mut body, web.stall).await {
            Ok(Some(piece)) => piece,
            Ok(None) => break parts.finish().err().map(|error| error.to_string()),
            Err(why) => break Some(why.to_owned()),
        };
        match parts.push(&piece) {
            Ok(events) => {
                for event in events {
                    taking.take(event).await;
                }
            }
            Err(error) => break Some(error.to_string()),
        }
        if taking.outcomes.len() > OBJECTS_MAX {
            break Some(format!("more than {OBJECTS_MAX} objects"));
        }
    };
    // What was kept before the fault is kept, and said to be.
    answer(&taking.outcomes, malformed.as_deref())
}

/// The next piece of a body; none at its end.
async fn next(body: &mut Incoming, limit: Duration) -> Result<Option<Bytes>, &'static str> {
    loop {
        let frame = tokio::time::timeout(limit, body.frame()).await;
        match frame.map_err(|_| "the body did not go on")? {
            None => return Ok(None),
            Some(Err(_)) => return Err("the body broke off"),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

struct Taking<'w> {
    web: &'w Web,
    caller: &'w str,
    study: Option<&'w str>,
    object: Option<Object>,
    outcomes: Vec<Outcome>,
}

impl Taking<'_> {
    async fn take(&mut self, event: Event) {
        match event {
            Event::Begin(kind) => {
                let is_dicom = media_type(&kind, "")
                    .0
                    .eq_ignore_ascii_case("application/dicom");
                self.object = Some(match is_dicom {
                    true => Object::Start(BytesMut::new()),
                    false => Object::Refused(0xc000),
                });
            }
            Event::Data(data) => {
                if let Some(object) = self.object.take() {
                    self.object = Some(self.go_on(object, &data).await);
                }
            }
            Event::End => {
                if let Some(object) = self.object.take() {
                    let outcome = self.end(object).await;
                    self.outcomes.push(outcome);
                }
            }
        }
    }

    async fn go_on(&self, object: Object, data: &[u8]) -> Object {
        match object {
            Object::Start(mut start) => {
                start.extend_from_slice(data);
                match start.len() < META_MAX {
                    true => Object::Start(start),
                    false => self.begin(&start).await,
                }
            }
            Object::Data(mut arriving, bytes) => match arriving.push(data).await {
                Ok(()) => Object::Data(arriving, bytes + data.len() as u64),
                Err(refused) => Object::Refused(refused.status()),
            },
            refused @ Object::Refused(_) => refused,
        }
    }

    async fn begin(&self, start: &[u8]) -> Object {
        let Ok((syntax, place)) = file_parts(start) else {
            return Object::Refused(0xc000);
        };
        let origin = Origin {
            sender: self.caller.to_owned(),
            class: None,
            instance: None,
            study: self.study.map(str::to_owned),
            syntax,
        };
        let data = start.get(place..).unwrap_or_default();
        let begun = match self.web.spool.begin(origin) {
            Ok(mut arriving) => arriving.push(data).await.map(|()| arriving),
            Err(refused) => Err(refused),
        };
        match begun {
            Ok(arriving) => Object::Data(Box::new(arriving), data.len() as u64),
            Err(refused) => Object::Refused(refused.status()),
        }
    }

    async fn end(&self, object: Object) -> Outcome {
        let object = match object {
            Object::Start(start) => self.begin(&start).await,
            other => other,
        };
        let metrics = &self.web.metrics;
        let (known, taken, bytes) = match object {
            Object::Data(arriving, bytes) => {
                let known = arriving.arrival().cloned();
                (
                    known,
                    arriving.end().await.map_err(|refused| refused.status()),
                    bytes,
                )
            }
            Object::Refused(status) => (None, Err(status), 0),
            // It has begun by now.
            Object::Start(_) => (None, Err(0xc000), 0),
        };
        match taken {
            Ok((Taken::New, arrival)) => {
                metrics.kept.add(1);
                metrics.bytes.add(bytes);
                Outcome::Kept(arrival)
            }
            Ok((Taken::Known, arrival)) => {
                metrics.known.add(1);
                Outcome::Kept(arrival)
            }
            Err(status) => {
                metrics.refused.add(1);
                let why = format!("{status:04x}");
                self.web.log.event(
                    "object_refused",
                    &[("token", &self.caller), ("status", &why)],
                );
                Outcome::Failed(known, status)
            }
        }
    }
}

/// The Store Instances Response Module (PS3.18 §I.2) in JSON (§F.2).
fn answer(outcomes: &[Outcome], malformed: Option<&str>) -> Answer {
    let (mut kept, mut failed) = (Vec::new(), Vec::new());
    let item = |arrival: &Arrival| {
        json!({
            "00081150": { "vr": "UI", "Value": [arrival.class] },
            "00081155": { "vr": "UI", "Value": [arrival.instance] },
        })
    };
    for outcome in outcomes {
        match outcome {
            Outcome::Kept(arrival) => kept.push(item(arrival)),
            Outcome::Failed(arrival, reason) => {
                let mut item = arrival.as_ref().map_or_else(|| json!({}), item);
                item["00081197"] = json!({ "vr": "US", "Value": [reason] });
                failed.push(item);
            }
        }
    }
    let status = match (malformed, kept.is_empty(), failed.is_empty()) {
        (Some(why), true, true) => return plain(StatusCode::BAD_REQUEST, why),
        (None, true, true) => return plain(StatusCode::BAD_REQUEST, "the body holds no object"),
        (None, false, true) => StatusCode::OK,
        (_, false, _) => StatusCode::ACCEPTED,
        (_, true, false) if outcomes.iter().all(|it| it.is_full()) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (_, true, false) => StatusCode::CONFLICT,
    };
    let mut document = json!({});
    for (tag, items) in [("00081199", kept), ("00081198", failed)] {
        if !items.is_empty() {
            document[tag] = json!({ "vr": "SQ", "Value": items });
        }
    }
    if malformed.is_some() {
        // Other Failures Sequence: what stood behind the fault was not looked at.
        let other = json!({ "00081197": { "vr": "US", "Value": [0x0110] } });
        document["0008119A"] = json!({ "vr": "SQ", "Value": [other] });
    }
    let body = document.to_string();
    typed(status, "application/dicom+json", body)
}

impl Outcome {
    fn is_full(&self) -> bool {
        let full = Refused::Full.status();
        matches!(self, Self::Failed(_, status) if *status == full)
    }
}
