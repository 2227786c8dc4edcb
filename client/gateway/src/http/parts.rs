//! Bodies of type `multipart/related` (RFC 2387) on their way out.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use bytes::Bytes;
use hyper::StatusCode;

use super::body::{Content, Maker};
use super::{Answer, Web, answer};

/// A body of type `multipart/related` on its way out.
pub(super) struct Parts {
    pub(super) maker: Maker,
    boundary: String,
}

impl Parts {
    /// Begins one whose parts are of this media type; with it its Content-Type and its body.
    pub(super) fn begin(web: &Web, media: &str) -> (Self, (String, Content)) {
        // No content knows this number, which is drawn for the answer.
        let draw = || RandomState::new().hash_one(0);
        let boundary = format!("{:016x}{:016x}", draw(), draw());
        let kind = format!("multipart/related; type=\"{media}\"; boundary={boundary}");
        let (maker, body) = Content::made(web.stall);
        (Self { maker, boundary }, (kind, body))
    }

    /// Gives the next part, with its address unless that is empty; none if nobody takes it.
    pub(super) async fn give(&self, kind: &str, place: &str, content: Bytes) -> Option<()> {
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

    /// Ends the body.
    pub(super) async fn end(&self) {
        // The last piece may be left by its reader.
        let _ = self.maker.give(format!("--{}--\r\n", self.boundary)).await;
    }
}

/// The answer of which a body in parts is.
pub(super) fn parts_answer((kind, body): (String, Content)) -> Answer {
    answer(StatusCode::OK, &kind, body)
}
