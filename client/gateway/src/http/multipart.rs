//! Bodies of type `multipart/related` (RFC 2387, RFC 2046 §5.1), read as they come. Lengths that a part claims are not
//! believed: a part ends at its boundary.

use std::collections::VecDeque;

/// Most bytes of a boundary (RFC 2046 §5.1.1), and of the headers of a part.
const BOUNDARY_MAX: usize = 70;
const HEADERS_MAX: usize = 8 << 10;
/// Most bytes before the first boundary.
const PREAMBLE_MAX: usize = 4 << 10;

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A part begins; its Content-Type.
    Begin(String),
    /// More of its content.
    Data(Vec<u8>),
    /// It ends.
    End,
}

/// A body that is none of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is malformed: {0}")]
pub(crate) struct MalformedBody(&'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary: what follows says whether it is the last.
    Boundary,
    Headers,
    Content,
    /// Behind the last boundary.
    Ended,
}

/// A body on its way in.
pub(crate) struct Multipart {
    /// `CRLF -- boundary`
    mark: Vec<u8>,
    held: Vec<u8>,
    stage: Stage,
}

/// The media type of a header, without its parameters, and its parameter of this name.
pub(crate) fn media_type<'a>(header: &'a str, name: &str) -> (&'a str, Option<&'a str>) {
    let (kind, rest) = header.split_once(';').unwrap_or((header, ""));
    let mut found = None;
    let mut rest = rest;
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(';').unwrap_or((after, "")),
        };
        if key
            .trim_matches([' ', ';', '\t'])
            .eq_ignore_ascii_case(name)
        {
            found = Some(value.trim());
        }
        rest = next;
    }
    (kind.trim(), found)
}

impl Multipart {
    /// Begins a body with this boundary.
    pub(crate) fn new(boundary: &str) -> Result<Self, MalformedBody> {
        let plain = |b: u8| b.is_ascii_graphic() || b == b' ';
        if !(1..=BOUNDARY_MAX).contains(&boundary.len()) || !boundary.bytes().all(plain) {
            return Err(MalformedBody("its boundary is none"));
        }
        Ok(Self {
            mark: [b"\r\n--", boundary.as_bytes()].concat(),
            // The first boundary may stand at the very start.
            held: b"\r\n".to_vec(),
            stage: Stage::Preamble,
        })
    }

    /// Takes more of the body; gives what is known now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<VecDeque<Event>, MalformedBody> {
        self.held.extend_from_slice(bytes);
        let mut events = VecDeque::new();
        loop {
            match self.stage {
                Stage::Preamble => match self.found() {
                    Some(at) if at <= PREAMBLE_MAX => {
                        self.held.drain(..at + self.mark.len());
                        self.stage = Stage::Boundary;
                    }
                    None if self.held.len() <= PREAMBLE_MAX + self.mark.len() => {
                        return Ok(events);
                    }
                    _ => return Err(MalformedBody("it does not begin with its boundary")),
                },
                Stage::Boundary => match self.held[..] {
                    [b'-', b'-', ..] => self.stage = Stage::Ended,
                    [b'\r', b'\n', ..] => {
                        self.held.drain(..2);
                        self.stage = Stage::Headers;
                    }
                    [b' ' | b'\t', ..] => drop(self.held.remove(0)),
                    [] | [b'-' | b'\r'] => return Ok(events),
                    _ => return Err(MalformedBody("behind a boundary stands something else")),
                },
                Stage::Headers => {
                    let end = match self.held.starts_with(b"\r\n") {
                        true => Some((0, 2)),
                        false => find(&self.held, b"\r\n\r\n").map(|at| (at, at + 4)),
                    };
                    let longest = end.map_or(self.held.len().saturating_sub(3), |(end, _)| end);
                    if longest > HEADERS_MAX {
                        return Err(MalformedBody("the headers of a part are too long"));
                    }
                    let Some((end, next)) = end else {
                        return Ok(events);
                    };
                    events.push_back(Event::Begin(content_type(&self.held[..end])?));
                    self.held.drain(..next);
                    self.stage = Stage::Content;
                }
                Stage::Content => match self.found() {
                    Some(at) => {
                        let content = self.held.drain(..at).collect();
                        self.held.drain(..self.mark.len());
                        events.extend([Event::Data(content), Event::End]);
                        self.stage = Stage::Boundary;
                    }
                    None => {
                        // The end may be the start of a boundary.
                        let safe = self.held.len().saturating_sub(self.mark.len());
                        if safe > 0 {
                            events.push_back(Event::Data(self.held.drain(..safe).collect()));
                        }
                        return Ok(events);
                    }
                },
                Stage::Ended => {
                    self.held.clear();
                    return Ok(events);
                }
            }
        }
    }

    /// Checks that the body ended with its last boundary.
    pub(crate) fn finish(&self) -> Result<(), MalformedBody> {
        match self.stage {
            Stage::Ended => Ok(()),
            _ => Err(MalformedBody("it is cut")),
        }
    }

    fn found(&self) -> Option<usize> {
        find(&self.held, &self.mark)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

/// The Content-Type among a part's headers; empty if there is none.
fn content_type(headers: &[u8]) -> Result<String, MalformedBody> {
    let text = std::str::from_utf8(headers);
    let text = text.map_err(|_| MalformedBody("the headers of a part are no text"))?;
    let named = text.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-type")
            .then(|| value.trim().to_owned())
    });
    Ok(named.unwrap_or_default())
}

/// The parts of a body that comes in pieces of this size: Content-Type and content of each.
#[cfg(any(test, fuzzing))]
pub(super) fn parts(
    body: &[u8],
    boundary: &str,
    size: usize,
) -> Result<Vec<(String, Vec<u8>)>, MalformedBody> {
    let mut reader = Multipart::new(boundary)?;
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    for piece in body.chunks(size) {
        for event in reader.push(piece)? {
            match (event, parts.last_mut()) {
                (Event::Begin(kind), _) => parts.push((kind, Vec::new())),
                (Event::Data(data), Some((_, content))) => content.extend(data),
                _ => {}
            }
        }
    }
    reader.finish().map(|()| parts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const BODY: &[u8] = b"--x y\r\nContent-Type: application/dicom; transfer-syntax=1.2\r\nContent-Length: 999999\r\n\r\none\r\n--x\r\n\r\n--x y \r\n\r\n\r\n--x y\r\ncontent-type:text/plain\r\n\r\n\r\n--x y--\r\nepilogue";

    fn parts(body: &[u8], size: usize) -> Result<Vec<(String, Vec<u8>)>, MalformedBody> {
        super::parts(body, "x y", size)
    }

    #[test]
    fn parts_end_at_their_boundary_however_the_body_is_cut_into_pieces() {
        for size in 1..BODY.len() {
            let parts = parts(BODY, size).unwrap();
            let dicom = "application/dicom; transfer-syntax=1.2".to_owned();
            assert_eq!(
                parts,
                [
                    (dicom, b"one\r\n--x\r\n".to_vec()),
                    (String::new(), Vec::new()),
                    ("text/plain".to_owned(), Vec::new()),
                ],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn what_is_cut_or_malformed_is_refused() {
        let last = BODY.len() - b"--\r\nepilogue".len();
        for end in 0..last + 2 {
            assert!(parts(&BODY[..end], 7).is_err(), "{end}");
        }
        assert!(parts(&[&[b'-'; PREAMBLE_MAX + 8][..], BODY].concat(), 1000).is_err());
        let long = [b"--x y\r\na:", &[b'b'; HEADERS_MAX][..]].concat();
        assert!(parts(&long, 1000).is_err());
        assert!(parts(b"--x yz\r\n\r\n--x y--", 3).is_err());
        for boundary in ["", "a\r\nb", &"b".repeat(71)] {
            assert!(Multipart::new(boundary).is_err());
        }
    }

    #[test]
    fn changed_bodies_make_no_harm() {
        let mut state = 0x0bad_cafe_1234_5678u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize
        };
        let mut good = 0;
        for _ in 0..5000 {
            let mut body = BODY.to_vec();
            for _ in 0..=next() % 3 {
                let at = next() % body.len();
                match next() % 3 {
                    0 => body[at] = next() as u8,
                    1 => body.truncate(at.max(1)),
                    _ => body.insert(at, b"\r\n-x"[next() % 4]),
                }
            }
            let sizes = [1, 1 + next() % 50].map(|size| parts(&body, size).ok());
            assert_eq!(sizes[0], sizes[1], "pieces change nothing");
            good += usize::from(sizes[0].is_some());
        }
        assert!(good > 500, "{good}");
    }

    #[test]
    fn media_types_have_their_parameters() {
        let header = "multipart/related; type=\"application/dicom; x=1\"; boundary=\"a=b;c\"";
        assert_eq!(
            media_type(header, "boundary"),
            ("multipart/related", Some("a=b;c"))
        );
        assert_eq!(media_type(header, "type").1, Some("application/dicom; x=1"));
        assert_eq!(media_type(header, "start").1, None);
        assert_eq!(
            media_type("a/b;boundary = q ; c=d", "BOUNDARY"),
            ("a/b", Some("q"))
        );
        assert_eq!(media_type("a/b", "c"), ("a/b", None));
    }
}
