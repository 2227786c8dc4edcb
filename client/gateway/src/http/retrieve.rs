//! WADO-RS (PS3.18 §10.4): instances, metadata, frames, pictures and bulk values of images that may be opened now.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;

use pcim_core::ImageDigest;
use pcim_dicom::arrival::file_parts;
use pcim_dicom::view::{Image, Window};
use pcim_dicom::web::{Bulk, Instance, UNCOMPRESSED};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::accept::{Offer, accepted, choose};
use super::address::Wanted;
use super::body::{Content, Maker};
use super::search::JSON;
use super::{Answer, Asked, Web, answer, plain, typed};
use crate::catalogue::{Catalogue, Member, Refusal, Scope, Source};

/// Most instances whose metadata are in one answer.
const METADATA_MAX: usize = 10_000;

const OCTETS: &str = "application/octet-stream";
const DICOM: &str = "application/dicom";

/// The instances of a request, and their images, open.
struct Chosen {
    members: Vec<Member>,
    sources: HashMap<ImageDigest, Source>,
}

/// An instance in memory, and the room that it takes there.
struct Held {
    bytes: Zeroizing<Vec<u8>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Answers a request for what an address names.
pub(super) async fn retrieve(
    web: &Arc<Web>,
    asked: &Asked,
    scope: Scope<'_>,
    wanted: Wanted<'_>,
) -> Answer {
    let chosen = match Chosen::of(&web.catalogue, scope).await {
        Ok(chosen) => chosen,
        Err(refusal) => return refused(&refusal),
    };
    let images: Vec<_> = chosen.sources.keys().map(ToString::to_string).collect();
    let (instances, images) = (chosen.members.len(), images.join(" "));
    let answered = match wanted {
        Wanted::Instances => self::instances(web, asked, scope, chosen).await,
        Wanted::Metadata => metadata(web, asked, scope, chosen).await,
        Wanted::Frames(numbers) => frames(web, asked, &chosen, numbers).await,
        Wanted::Picture(number) => picture(web, asked, &chosen, number).await,
        Wanted::Bulk(path) => bulk(web, asked, &chosen, &path).await,
        Wanted::Search(_) => Err(Refusal::Absent),
    };
    match answered {
        Ok(answer) => {
            if answer.status().is_success() {
                web.metrics.retrieved.add(instances as u64);
                let fields: [(&str, &dyn std::fmt::Display); 3] = [
                    ("caller", &asked.caller),
                    ("images", &images),
                    ("instances", &instances),
                ];
                web.log.event("retrieved", &fields);
            }
            answer
        }
        Err(refusal) => refused(&refusal),
    }
}

/// The answer to a request that is refused.
fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::Ended(_) => StatusCode::FORBIDDEN,
        Refusal::Absent => StatusCode::NOT_FOUND,
        Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    plain(status, &refusal.to_string())
}

impl Chosen {
    /// Finds what an address names, and asks the chain for each image whether it may be opened now.
    async fn of(catalogue: &Catalogue, scope: Scope<'_>) -> Result<Self, Refusal> {
        let mut members = catalogue.members(scope);
        let (mut sources, mut refusal) = (HashMap::new(), Refusal::Absent);
        let mut images: Vec<_> = members.iter().map(|it| it.slot.image).collect();
        images.dedup();
        for image in images {
            if sources.contains_key(&image) {
                continue;
            }
            match catalogue.open(image).await {
                Ok(source) => _ = sources.insert(image, source),
                Err(why) => refusal = why,
            }
        }
        members.retain(|it| sources.contains_key(&it.slot.image));
        match members.is_empty() {
            true => Err(refusal),
            false => Ok(Self { members, sources }),
        }
    }

    /// Reads an instance.
    async fn read(&self, catalogue: &Catalogue, at: usize) -> Result<Held, Refusal> {
        let slot = self.members.get(at).ok_or(Refusal::Absent)?.slot;
        let source = self.sources.get(&slot.image).ok_or(Refusal::Absent)?;
        let room = catalogue.room_for(source.bytes(slot.number)).await;
        let bytes = source.instance(slot.number).await?;
        Ok(Held { bytes, _room: room })
    }

    /// Begins to fetch the instance behind this one.
    fn fetch_ahead(&self, at: usize) {
        let next = self.members.get(at + 1).map(|it| it.slot);
        if let Some(next) = next
            && let Some(source) = self.sources.get(&next.image)
        {
            source.fetch_ahead(next.number);
        }
    }

    /// Reads the first instance, unless it was read a moment ago.
    async fn first(&self, catalogue: &Catalogue) -> Result<Arc<Instance>, Refusal> {
        let slot = self.members.first().ok_or(Refusal::Absent)?.slot;
        if let Some(instance) = catalogue.recent(slot) {
            return Ok(instance);
        }
        let held = self.read(catalogue, 0).await?;
        let bytes = held.bytes.len();
        let instance = Arc::new(apart(move || Instance::read(&held.bytes)).await?);
        catalogue.remember(slot, &instance, bytes);
        Ok(instance)
    }
}

/// Does what takes long apart from the threads that answer.
async fn apart<T: Send + 'static, E: Into<Refusal> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Refusal> {
    let failed = |error: tokio::task::JoinError| Refusal::Failed(error.to_string());
    spawn_blocking(work)
        .await
        .map_err(failed)?
        .map_err(Into::into)
}

impl From<pcim_dicom::Error> for Refusal {
    fn from(error: pcim_dicom::Error) -> Self {
        match error {
            pcim_dicom::Error::NoSuchFrame { .. } | pcim_dicom::Error::Missing { .. } => {
                Self::Absent
            }
            pcim_dicom::Error::TooLarge { .. } | pcim_dicom::Error::TooManyPixels { .. } => {
                Self::TooLarge(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// The address of an instance.
fn address(service: &str, study: &str, member: &Member) -> String {
    let Member {
        series, instance, ..
    } = member;
    format!("{service}/studies/{study}/series/{series}/instances/{instance}")
}

async fn instances(
    web: &Arc<Web>,
    asked: &Asked,
    scope: Scope<'_>,
    chosen: Chosen,
) -> Result<Answer, Refusal> {
    let first = chosen.read(&web.catalogue, 0).await?;
    let (syntax, _) = file_parts(&first.bytes).map_err(Refusal::from)?;
    let is_one = scope.instance.is_some();
    // Of several instances each has its own, so that none can be promised.
    let syntax = is_one.then_some(syntax);
    let offer = |parts| Offer {
        media: DICOM,
        syntax: syntax.as_deref(),
        parts,
        usual: true,
    };
    let offers = [offer(true), offer(false)];
    let offers = if is_one { &offers[..] } else { &offers[..1] };
    let Some(form) = choose(&accepted(&asked.headers), offers) else {
        let stored = syntax
            .as_deref()
            .unwrap_or("* alone, for more than one instance");
        let why = format!(
            "an instance is multipart/related; type=\"application/dicom\", or application/dicom by itself, as it was sealed: transfer-syntax={stored}"
        );
        return Ok(plain(StatusCode::NOT_ACCEPTABLE, &why));
    };
    if !form.parts {
        let kind = format!(
            "{DICOM}; transfer-syntax={}",
            syntax.as_deref().unwrap_or_default()
        );
        return Ok(answer(
            StatusCode::OK,
            &kind,
            Bytes::from_owner(first).into(),
        ));
    }
    let (parts, body) = Parts::begin(web, DICOM);
    let (catalogue, service) = (Arc::clone(&web.catalogue), asked.service.clone());
    let study = scope.study.unwrap_or_default().to_owned();
    tokio::spawn(async move {
        let mut held = Some(first);
        for at in 0..chosen.members.len() {
            chosen.fetch_ahead(at);
            let read = match held.take() {
                Some(first) => Ok(first),
                None => chosen.read(&catalogue, at).await,
            };
            let Ok(read) = read else {
                return parts.maker.break_off().await;
            };
            let syntax = file_parts(&read.bytes).map_or_else(|_| String::new(), |it| it.0);
            let place = address(&service, &study, &chosen.members[at]);
            let kind = format!("{DICOM}; transfer-syntax={syntax}");
            if parts
                .give(&kind, &place, Bytes::from_owner(read))
                .await
                .is_none()
            {
                return;
            }
        }
        parts.end().await;
    });
    Ok(parts_answer(body))
}

async fn metadata(
    web: &Arc<Web>,
    asked: &Asked,
    scope: Scope<'_>,
    chosen: Chosen,
) -> Result<Answer, Refusal> {
    let Some(form) = choose(&accepted(&asked.headers), &JSON) else {
        let why = "metadata are application/dicom+json";
        return Ok(plain(StatusCode::NOT_ACCEPTABLE, why));
    };
    let found = chosen.members.len();
    if found > METADATA_MAX {
        let why =
            format!("{found} instances: metadata of at most {METADATA_MAX} are in one answer");
        return Err(Refusal::TooLarge(why));
    }
    let study = scope.study.unwrap_or_default().to_owned();
    let (catalogue, service) = (Arc::clone(&web.catalogue), asked.service.clone());
    let of = async move |chosen: &Chosen, at: usize| {
        let held = chosen.read(&catalogue, at).await?;
        let place = address(&service, &study, &chosen.members[at]);
        apart(move || {
            let instance = Instance::read(&held.bytes)?;
            Ok::<_, pcim_dicom::Error>(instance.metadata(&place).to_string())
        })
        .await
    };
    let first = of(&chosen, 0).await?;
    let (maker, body) = Content::made(web.stall);
    tokio::spawn(async move {
        let mut next = Some(format!("[{first}"));
        for at in 0..found {
            chosen.fetch_ahead(at);
            let document = match next.take() {
                Some(first) => first,
                None => match of(&chosen, at).await {
                    Ok(document) => format!(",{document}"),
                    Err(_) => return maker.break_off().await,
                },
            };
            if maker.give(document).await.is_none() {
                return;
            }
        }
        // The last piece may be left by its reader.
        let _ = maker.give("]").await;
    });
    Ok(answer(StatusCode::OK, form.media, body))
}

async fn frames(
    web: &Arc<Web>,
    asked: &Asked,
    chosen: &Chosen,
    numbers: Vec<usize>,
) -> Result<Answer, Refusal> {
    let instance = chosen.first(&web.catalogue).await?;
    let count = instance.frames()?;
    if numbers.iter().any(|it| *it > count) {
        return Err(Refusal::Absent);
    }
    let (media, syntax) = (instance.frame_type(), instance.frame_syntax());
    let offer = |media, syntax, parts, usual| Offer {
        media,
        syntax: Some(syntax),
        parts,
        usual,
    };
    let is_plain = syntax == UNCOMPRESSED;
    let mut offers = vec![
        offer(media, syntax, true, true),
        offer(OCTETS, syntax, true, is_plain),
        offer(OCTETS, UNCOMPRESSED, true, true),
    ];
    if numbers.len() == 1 {
        let single: Vec<_> = offers
            .iter()
            .map(|it| Offer {
                parts: false,
                ..*it
            })
            .collect();
        offers.extend(single);
    }
    let not_so = |why: &str| Ok(plain(StatusCode::NOT_ACCEPTABLE, why));
    let Some(form) = choose(&accepted(&asked.headers), &offers).copied() else {
        let why = format!(
            "frames are {media}; transfer-syntax={syntax}, or {OCTETS}; transfer-syntax={UNCOMPRESSED}"
        );
        return not_so(&why);
    };
    let decoded = form.syntax == Some(UNCOMPRESSED) && !is_plain;
    let made = apart(move || {
        let one = |number: usize| match decoded {
            true => instance.decoded_frame(number),
            false => instance.frame(number).map(Some),
        };
        numbers
            .into_iter()
            .map(one)
            .collect::<Result<Option<Vec<_>>, _>>()
    });
    let made = match made.await {
        Ok(Some(made)) => made,
        Ok(None) => return not_so("decoded, its samples would be others than its metadata say"),
        Err(Refusal::Failed(why)) if decoded => return not_so(&why),
        Err(refusal) => return Err(refusal),
    };
    let kind = format!(
        "{}; transfer-syntax={}",
        form.media,
        form.syntax.unwrap_or_default()
    );
    Ok(several(web, form.parts, form.media, &kind, made))
}

/// Values as parts of one answer, or the only one by itself.
fn several(
    web: &Arc<Web>,
    in_parts: bool,
    media: &str,
    kind: &str,
    mut values: Vec<Vec<u8>>,
) -> Answer {
    if !in_parts && values.len() == 1 {
        let only = values.pop().unwrap_or_default();
        return answer(StatusCode::OK, kind, Bytes::from(only).into());
    }
    let (parts, body) = Parts::begin(web, media);
    let kind = kind.to_owned();
    tokio::spawn(async move {
        for value in values {
            if parts.give(&kind, "", value.into()).await.is_none() {
                return;
            }
        }
        parts.end().await;
    });
    parts_answer(body)
}

async fn picture(
    web: &Arc<Web>,
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

async fn bulk(
    web: &Arc<Web>,
    asked: &Asked,
    chosen: &Chosen,
    path: &[&str],
) -> Result<Answer, Refusal> {
    let instance = chosen.first(&web.catalogue).await?;
    match instance.bulk(path).ok_or(Refusal::Absent)? {
        Bulk::Frames(count) => frames(web, asked, chosen, (1..=count).collect()).await,
        Bulk::Bytes(bytes) => {
            let offer = |parts| Offer {
                media: OCTETS,
                syntax: Some(UNCOMPRESSED),
                parts,
                usual: true,
            };
            let Some(form) =
                choose(&accepted(&asked.headers), &[offer(true), offer(false)]).copied()
            else {
                let why = "bulk values are application/octet-stream";
                return Ok(plain(StatusCode::NOT_ACCEPTABLE, why));
            };
            Ok(several(web, form.parts, OCTETS, OCTETS, vec![bytes]))
        }
    }
}

/// A body of type `multipart/related` on its way out.
struct Parts {
    maker: Maker,
    boundary: String,
}

impl Parts {
    /// Begins one whose parts are of this media type; with it its Content-Type and its body.
    fn begin(web: &Web, media: &str) -> (Self, (String, Content)) {
        // No content knows this number, which is drawn for the answer.
        let draw = || RandomState::new().hash_one(0);
        let boundary = format!("{:016x}{:016x}", draw(), draw());
        let kind = format!("multipart/related; type=\"{media}\"; boundary={boundary}");
        let (maker, body) = Content::made(web.stall);
        (Self { maker, boundary }, (kind, body))
    }

    async fn give(&self, kind: &str, place: &str, content: Bytes) -> Option<()> {
        let place = match place.is_empty() {
            true => String::new(),
            false => format!("Content-Location: {place}\r\n"),
        };
        let boundary = &self.boundary;
        let head = format!("--{boundary}\r\nContent-Type: {kind}\r\n{place}\r\n");
        self.maker.give(head).await?;
        self.maker.give(content).await?;
        self.maker.give("\r\n").await
    }

    async fn end(&self) {
        // The last piece may be left by its reader.
        let _ = self.maker.give(format!("--{}--\r\n", self.boundary)).await;
    }
}

fn parts_answer((kind, body): (String, Content)) -> Answer {
    answer(StatusCode::OK, &kind, body)
}
