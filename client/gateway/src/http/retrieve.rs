//! WADO-RS (PS3.18 §10.4): instances, metadata, frames and bulk values of images that may be opened now.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use pcim_dicom::arrival::file_parts;
use pcim_dicom::web::{Bulk, Instance, UNCOMPRESSED};

use super::accept::{Offer, accepted, choose};
use super::address::Wanted;
use super::body::Content;
use super::parts::{Parts, parts_answer};
use super::picture::picture;
use super::search::JSON;
use super::{Answer, Asked, Web, answer, plain, typed};
use crate::catalogue::chosen::{Chosen, apart};
use crate::catalogue::{Member, Refusal, Scope};

/// Most instances whose metadata are in one answer.
const METADATA_MAX: usize = 10_000;

const OCTETS: &str = "application/octet-stream";
const DICOM: &str = "application/dicom";

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
    if numbers.is_empty() || numbers.iter().any(|it| *it > count) {
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
    let one = move |number: usize| {
        let instance = Arc::clone(&instance);
        apart(move || match decoded {
            true => instance.decoded_frame(number),
            false => instance.frame(number).map(Some),
        })
    };
    // One at a time, for they may be large; the first tells whether they can be made.
    let first = match one(numbers[0]).await {
        Ok(Some(first)) => first,
        Ok(None) => return not_so("decoded, its samples would be others than its metadata say"),
        Err(Refusal::Failed(why)) if decoded => return not_so(&why),
        Err(refusal) => return Err(refusal),
    };
    let kind = format!(
        "{}; transfer-syntax={}",
        form.media,
        form.syntax.unwrap_or_default()
    );
    if !form.parts {
        return Ok(typed(StatusCode::OK, &kind, first));
    }
    let (parts, body) = Parts::begin(web, form.media);
    tokio::spawn(async move {
        let mut made = Some(first);
        for number in numbers {
            let frame = match made.take() {
                Some(first) => Ok(Some(first)),
                None => one(number).await,
            };
            let Ok(Some(frame)) = frame else {
                return parts.maker.break_off().await;
            };
            if parts.give(&kind, "", frame.into()).await.is_none() {
                return;
            }
        }
        parts.end().await;
    });
    Ok(parts_answer(body))
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
            if !form.parts {
                return Ok(typed(StatusCode::OK, OCTETS, bytes));
            }
            let (parts, body) = Parts::begin(web, OCTETS);
            tokio::spawn(async move {
                if parts.give(OCTETS, "", bytes.into()).await.is_some() {
                    parts.end().await;
                }
            });
            Ok(parts_answer(body))
        }
    }
}
