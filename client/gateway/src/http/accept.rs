//! Content negotiation (RFC 9110 §12.5.1, PS3.18 §8.7.5): which of the offered forms a request accepts.

use hyper::header::{self, HeaderMap};

use super::multipart::media_type;

/// Most media ranges of a request.
const RANGES_MAX: usize = 64;

/// A form in which an answer may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer<'a> {
    /// The media type, of each part if it comes in parts.
    pub(super) media: &'a str,
    /// The transfer syntax, where the media type has one.
    pub(super) syntax: Option<&'a str>,
    /// True for `multipart/related`.
    pub(super) parts: bool,
    /// True if a request that names no transfer syntax means this one.
    pub(super) usual: bool,
}

/// The media ranges that a request accepts; all where it says nothing.
pub(super) fn accepted(headers: &HeaderMap) -> String {
    let all = headers.get_all(header::ACCEPT).iter();
    let all: Vec<_> = all.filter_map(|it| it.to_str().ok()).collect();
    match all.is_empty() {
        true => "*/*".to_owned(),
        false => all.join(","),
    }
}

/// The offer that is accepted most; of equal ones the first.
pub(super) fn choose<'o, 'a>(accepted: &str, offers: &'o [Offer<'a>]) -> Option<&'o Offer<'a>> {
    let ranges: Vec<&str> = ranges(accepted).take(RANGES_MAX).collect();
    let weight = |offer: &Offer<'_>| {
        let fitting = ranges.iter().filter(|range| fits(range, offer));
        let weights = fitting.map(|range| {
            let (_, quality) = media_type(range, "q");
            quality.map_or(1.0, |it| it.parse::<f32>().unwrap_or(0.0))
        });
        weights.fold(0.0, f32::max)
    };
    let mut best = None;
    for offer in offers {
        let weight = weight(offer);
        if weight > best.map_or(0.0, |(known, _)| known) {
            best = Some((weight, offer));
        }
    }
    best.map(|(_, offer)| offer)
}

fn fits(range: &str, offer: &Offer<'_>) -> bool {
    let (media, inner) = media_type(range, "type");
    let (_, syntax) = media_type(range, "transfer-syntax");
    let syntax_fits = match syntax {
        Some("*") => true,
        Some(syntax) => offer.syntax == Some(syntax),
        None => offer.usual,
    };
    let is = |wanted: &str, found: &str| match wanted.split_once("/*") {
        Some((family, "")) => family == "*" || found.starts_with(&format!("{family}/")),
        _ => wanted.eq_ignore_ascii_case(found),
    };
    if media == "*/*" {
        return true;
    }
    let of_parts = media.eq_ignore_ascii_case("multipart/related");
    if of_parts != offer.parts {
        return false;
    }
    let wanted = if of_parts {
        inner.unwrap_or("*/*")
    } else {
        media
    };
    is(wanted, offer.media) && (syntax_fits || wanted == "*/*")
}

/// The ranges of a header: separated by commas outside of quotes.
fn ranges(accepted: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    accepted
        .split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LE: &str = "1.2.840.10008.1.2.1";
    const JLS: &str = "1.2.840.10008.1.2.4.80";

    fn offer(
        media: &'static str,
        syntax: &'static str,
        parts: bool,
        usual: bool,
    ) -> Offer<'static> {
        Offer {
            media,
            syntax: Some(syntax),
            parts,
            usual,
        }
    }

    #[test]
    fn forms_are_chosen_by_type_transfer_syntax_and_weight() {
        let octets = "application/octet-stream";
        let offers = [
            offer("image/jls", JLS, true, true),
            offer(octets, JLS, true, false),
            offer(octets, LE, true, true),
            offer("image/jls", JLS, false, true),
        ];
        let parts = |rest: &str| format!("multipart/related; type={rest}");
        for (accepted, wanted) in [
            ("*/*".to_owned(), Some(0)),
            ("multipart/related".to_owned(), Some(0)),
            (parts("\"image/jls\""), Some(0)),
            (parts("\"application/octet-stream\""), Some(2)),
            (
                parts("application/octet-stream; transfer-syntax=*"),
                Some(1),
            ),
            (
                parts(&format!(
                    "\"application/octet-stream\"; transfer-syntax={LE}"
                )),
                Some(2),
            ),
            (
                parts("\"application/octet-stream\"; transfer-syntax=1.2.3"),
                None,
            ),
            (parts("\"image/jpeg\""), None),
            ("image/*".to_owned(), Some(3)),
            ("text/html, image/jls;q=0.5".to_owned(), Some(3)),
            (
                format!("{};q=0.1, image/jls;q=0.2", parts("\"image/jls\"")),
                Some(3),
            ),
            ("image/jls;q=0".to_owned(), None),
            ("image/jls;q=x".to_owned(), None),
            (String::new(), None),
            ("application/dicom".to_owned(), None),
        ] {
            let found = choose(&accepted, &offers);
            assert_eq!(found, wanted.map(|it: usize| &offers[it]), "{accepted}");
        }
    }
}
