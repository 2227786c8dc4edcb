//! How much of the room for requests one requestor may take, and those for one image: a stranger can ask for every image, and as many
//! strangers as he likes for one.

use crate::actor::follow::job::{Held, MAX_BLOCK_BYTES};

/// The part of the room for requests that one requestor's may take: one in so much.
const REQUESTOR_SHARE: u64 = 4;
/// The part that those for one image may take.
const IMAGE_SHARE: u64 = 16;
/// The bytes of one request before they are known: a certificate and a document.
const LEAST: u64 = 2 * MAX_BLOCK_BYTES as u64;

/// Says why a block of a request is too much beside the others that are kept, where requests may take `room` bytes; `None` if it is
/// not, or no request names it.
pub(crate) fn excess<'h>(
    block: &Held,
    others: impl Iterator<Item = &'h Held>,
    room: u64,
) -> Option<String> {
    block.requestor?;
    let (mut of_requestor, mut for_image) = (0_u64, 0_u64);
    for other in others.filter(|other| other.requestor.is_some()) {
        if other.requestor == block.requestor {
            of_requestor = of_requestor.saturating_add(other.bytes);
        }
        if other.image == block.image {
            for_image = for_image.saturating_add(other.bytes);
        }
    }
    let shares = [
        (of_requestor, REQUESTOR_SHARE, "of this requestor"),
        (for_image, IMAGE_SHARE, "for this image"),
    ];
    shares.into_iter().find_map(|(used, share, whose)| {
        let most = (room / share).max(LEAST);
        (used.saturating_add(block.bytes) > most)
            .then(|| format!("{used} bytes of requests {whose} are kept; at most {most} are"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pcim_core::{Address, ImageDigest};

    use super::*;

    const ROOM: u64 = 64 * LEAST;

    fn held(image: u8, requestor: Option<u8>) -> Held {
        Held {
            image: ImageDigest([image; 32]),
            bytes: LEAST / 2,
            body: None,
            requestor: requestor.map(Address::repeat_byte),
        }
    }

    #[test]
    fn neither_one_requestor_nor_those_for_one_image_take_all_the_room() {
        let spread: Vec<Held> = (0..31).map(|image| held(image, Some(1))).collect();
        let next = held(99, Some(1));
        assert_eq!(excess(&next, spread.iter(), ROOM), None);
        let more: Vec<Held> = (0..32).map(|image| held(image, Some(1))).collect();
        let reason = excess(&next, more.iter(), ROOM).unwrap();
        assert!(reason.contains("of this requestor"), "{reason}");
        // Another requestor's are kept beside them.
        assert_eq!(excess(&held(99, Some(2)), more.iter(), ROOM), None);

        let crowd: Vec<Held> = (0..8).map(|who| held(7, Some(who))).collect();
        let reason = excess(&held(7, Some(99)), crowd.iter(), ROOM).unwrap();
        assert!(reason.contains("for this image"), "{reason}");
        assert_eq!(excess(&held(8, Some(99)), crowd.iter(), ROOM), None);
        // What no request names, such as an emergency object, is not counted.
        assert_eq!(excess(&held(7, None), crowd.iter(), ROOM), None);
        let objects: Vec<Held> = (0..99).map(|_| held(7, None)).collect();
        assert_eq!(excess(&held(7, Some(1)), objects.iter(), ROOM), None);
    }

    #[test]
    fn there_is_room_for_one_request_however_little_there_is() {
        let certificate = [held(7, Some(1))];
        let document = held(7, Some(1));
        assert_eq!(excess(&document, certificate.iter(), 0), None);
        let both = [held(7, Some(1)), held(7, Some(1))];
        assert!(excess(&document, both.iter(), 0).is_some());
    }
}
