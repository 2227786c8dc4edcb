//! An entry for fuzzing into the reader of messages.

use bytes::Bytes;
use cid::Cid;

use super::wire::{Ask, Message, Want, cid_of_received};
use crate::unixfs::{RAW, cid_of, is_of_profile, put_bytes};

/// Reads a message as a peer may send it, without its length; says whether it is one. A message that is read is of this node's
/// profile, and reads back from what is written of it.
#[must_use]
pub fn message(frame: &[u8]) -> bool {
    let frame = Bytes::copy_from_slice(frame);
    let Ok(message) = Message::decode(&frame) else {
        return false;
    };
    let wants = message.wants.iter().map(|want| &want.cid);
    let named = wants.chain(message.presences.iter().map(|(cid, _)| cid));
    named.for_each(|cid| assert!(is_of_profile(cid)));
    let bytes: usize = message.blocks.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes <= frame.len());
    for (codec, bytes) in &message.blocks {
        let _ = cid_of_received(*codec, bytes);
    }
    let written = Message {
        blocks: Vec::new(),
        ..message
    };
    let again = Message::decode(&without_length(&written.encode()));
    assert!(again.is_ok_and(|again| again == written));
    true
}

/// Messages of every kind, to begin with.
#[must_use]
pub fn messages() -> Vec<Vec<u8>> {
    let cid = |byte: u8| -> Cid { cid_of(RAW, &[byte; 9]) };
    let want = |byte, ask| Want {
        cid: cid(byte),
        ask,
        answer_missing: byte % 2 == 0,
    };
    let wants = [
        want(1, Ask::Block),
        want(2, Ask::Have),
        want(3, Ask::Cancel),
    ];
    let presences = Message {
        presences: vec![(cid(4), true), (cid(5), false)],
        ..Message::default()
    };
    let mut block = Vec::new();
    let mut inner = Vec::new();
    put_bytes(&mut inner, 0x0a, &[1, 0x55, 0x12, 0x20]);
    put_bytes(&mut inner, 0x12, b"a block of a few bytes");
    put_bytes(&mut block, 0x1a, &inner);
    let written = [Message::wants(wants.to_vec()), presences].map(|it| it.encode());
    let written = written.map(|message| without_length(&message).to_vec());
    [written.to_vec(), vec![block]].concat()
}

/// The message behind its length.
fn without_length(framed: &[u8]) -> Bytes {
    let length = framed.iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
    Bytes::copy_from_slice(&framed[length..])
}
