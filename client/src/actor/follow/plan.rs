//! The items that the chain wants kept: a fold over the contract's events, and nothing else. No clock but the chain's, no network.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::papers::request::Notes;
use pcim_core::{Address, B256, BlockDigest, Event, ImageDigest};

/// The state of every image, as the events say it.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    images: HashMap<ImageDigest, Image>,
    /// In the order of their registration.
    order: Vec<ImageDigest>,
    /// The image that named a root first. Another image that names it later has no claim to it: otherwise anyone who has an
    /// image could have a header kept that its owner removed.
    claims: HashMap<ImageDigest, ImageDigest>,
}

#[derive(Debug)]
struct Image {
    /// The patient's own: as registered, then as resealed.
    roots: Vec<ImageDigest>,
    /// The emergency object that was named last.
    emergency: Option<BlockDigest>,
    grants: BTreeMap<Address, Grant>,
}

#[derive(Debug)]
enum Grant {
    Open {
        certificate: BlockDigest,
        document: Option<BlockDigest>,
    },
    Approved {
        certificate: BlockDigest,
        root: ImageDigest,
        expires_at: u64,
    },
    Closed,
}

/// The items to be kept now, each with the image it is for, oldest image first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ToKeep {
    /// Sealed roots, with their headers and bodies.
    pub(crate) roots: Vec<(ImageDigest, ImageDigest)>,
    /// Certificates, request documents and emergency objects.
    pub(crate) blocks: Vec<(BlockDigest, ImageDigest)>,
}

impl Chain {
    /// Takes in the next event.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::ContractCreated { image, .. } | Event::ImageImported { image, .. }
                if !self.images.contains_key(image) =>
            {
                self.order.push(*image);
                let new = Image {
                    roots: vec![*image],
                    emergency: None,
                    grants: BTreeMap::new(),
                };
                self.images.insert(*image, new);
                self.claim(*image, *image);
            }
            Event::ImageResealed {
                image,
                root,
                emergency,
                ..
            } => {
                self.claim(*root, *image);
                if let Some(known) = self.images.get_mut(image) {
                    known.roots.push(*root);
                    let named = emergency.filter(|object| *object != B256::ZERO);
                    known.emergency = named.map(|object| BlockDigest(object.0));
                }
            }
            Event::RequestedForApproval {
                requestor,
                image,
                public_key,
                info,
                ..
            } => self.set(
                image,
                requestor,
                Grant::Open {
                    certificate: *public_key,
                    document: Notes::parse(info).document,
                },
            ),
            Event::Approved {
                requestor,
                image,
                public_key,
                shared_image,
                expires_at,
                ..
            } => {
                self.claim(*shared_image, *image);
                let approved = Grant::Approved {
                    certificate: *public_key,
                    root: *shared_image,
                    expires_at: *expires_at,
                };
                self.set(image, requestor, approved);
            }
            Event::Reshared {
                requestor,
                image,
                shared_image,
                expires_at: until,
            } => {
                self.claim(*shared_image, *image);
                let image = self.images.get_mut(image);
                if let Some(Grant::Approved {
                    root, expires_at, ..
                }) = image.and_then(|image| image.grants.get_mut(requestor))
                {
                    (*root, *expires_at) = (*shared_image, *until);
                }
            }
            // Why a request was denied or an approval removed: both end with it.
            Event::Reason {
                requestor, image, ..
            }
            | Event::UserRemoved {
                requestor, image, ..
            } => self.set(image, requestor, Grant::Closed),
            _ => {}
        }
    }

    fn claim(&mut self, root: ImageDigest, image: ImageDigest) {
        self.claims.entry(root).or_insert(image);
    }

    fn set(&mut self, image: &ImageDigest, requestor: &Address, grant: Grant) {
        if let Some(image) = self.images.get_mut(image) {
            image.grants.insert(*requestor, grant);
        }
    }

    /// Lists what is to be kept at the chain's time `now`. Until an image's latest root is `complete` here, the latest one
    /// before it that is complete stays: a reseal must not take an image away before its new body has come.
    pub(crate) fn wanted(&self, now: u64, complete: impl Fn(&ImageDigest) -> bool) -> ToKeep {
        let mut wanted = ToKeep::default();
        let (mut roots, mut blocks) = (HashSet::new(), HashSet::new());
        for digest in &self.order {
            let image = &self.images[digest];
            let mut root = |root: &ImageDigest| {
                if self.claims.get(root) == Some(digest) && roots.insert(*root) {
                    wanted.roots.push((*root, *digest));
                }
            };
            for own in image.roots.iter().rev() {
                // One that cannot be fetched stays wanted only while it is the latest.
                let latest = image.roots.last() == Some(own);
                let whole = complete(own);
                if latest || whole {
                    root(own);
                }
                if whole {
                    break;
                }
            }
            let mut block = |block: &BlockDigest| {
                if blocks.insert(*block) {
                    wanted.blocks.push((*block, *digest));
                }
            };
            image.emergency.iter().for_each(&mut block);
            for grant in image.grants.values() {
                match grant {
                    Grant::Open {
                        certificate,
                        document,
                    } => {
                        block(certificate);
                        document.iter().for_each(&mut block);
                    }
                    Grant::Approved {
                        certificate,
                        root: shared,
                        expires_at,
                    } if *expires_at == 0 || now < *expires_at => {
                        root(shared);
                        block(certificate);
                    }
                    Grant::Approved { .. } | Grant::Closed => {}
                }
            }
        }
        wanted
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pcim_core::Seal;

    const PATIENT: Address = Address::repeat_byte(1);
    const READER: Address = Address::repeat_byte(2);

    fn root(n: u8) -> ImageDigest {
        ImageDigest([n; 32])
    }

    fn block(n: u8) -> BlockDigest {
        BlockDigest([n; 32])
    }

    fn registered(image: u8) -> Event {
        Event::ContractCreated {
            patient: PATIENT,
            image: root(image),
            radiologist: PATIENT,
            seal: Seal([0; 32]),
            attestation: None,
            replaces: None,
            info: String::new(),
        }
    }

    fn requested(image: u8) -> Event {
        let document = format!("TREAT {}", block(8));
        Event::RequestedForApproval {
            requestor: READER,
            patient: PATIENT,
            image: root(image),
            public_key: block(7),
            info: document,
        }
    }

    fn approved(image: u8, shared: u8, expires_at: u64) -> Event {
        Event::Approved {
            requestor: READER,
            image: root(image),
            public_key: block(7),
            shared_image: root(shared),
            expires_at,
            info: String::new(),
        }
    }

    fn removed(image: u8) -> [Event; 2] {
        [
            Event::UserRemoved {
                requestor: READER,
                patient: PATIENT,
                image: root(image),
                info: "removed".to_owned(),
            },
            Event::Reason {
                requestor: READER,
                image: root(image),
                info: "Contract expired".to_owned(),
            },
        ]
    }

    fn resealed(image: u8, to: u8) -> Event {
        Event::ImageResealed {
            image: root(image),
            root: root(to),
            emergency: None,
            round: None,
        }
    }

    fn kept(events: &[Event], now: u64, here: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let complete = |digest: &ImageDigest| here.contains(&digest.0[0]);
        let mut chain = Chain::default();
        events.iter().for_each(|event| chain.apply(event));
        let wanted = chain.wanted(now, complete);
        (
            wanted.roots.iter().map(|(root, _)| root.0[0]).collect(),
            wanted.blocks.iter().map(|(block, _)| block.0[0]).collect(),
        )
    }

    #[test]
    fn a_request_an_approval_and_its_end() {
        let mut events = vec![registered(10)];
        assert_eq!(kept(&events, 0, &[]), (vec![10], vec![]));
        events.push(requested(10));
        assert_eq!(kept(&events, 0, &[]), (vec![10], vec![7, 8]));
        events.push(approved(10, 11, 0));
        assert_eq!(kept(&events, 0, &[]), (vec![10, 11], vec![7]));
        events.extend(removed(10));
        assert_eq!(kept(&events, 0, &[]), (vec![10], vec![]));
    }

    #[test]
    fn a_denial_ends_a_request() {
        let denied = Event::Reason {
            requestor: READER,
            image: root(10),
            info: "no".to_owned(),
        };
        let events = [registered(10), requested(10), denied];
        assert_eq!(kept(&events, 0, &[]), (vec![10], vec![]));
    }

    #[test]
    fn an_approval_ends_by_the_chains_clock_and_comes_back() {
        let mut events = vec![registered(10), requested(10), approved(10, 11, 500)];
        assert_eq!(kept(&events, 499, &[]).0, [10, 11]);
        assert_eq!(kept(&events, 500, &[]), (vec![10], vec![]));
        events.extend([requested(10), approved(10, 12, 900)]);
        assert_eq!(kept(&events, 500, &[]).0, [10, 12]);
        let longer = Event::Reshared {
            requestor: READER,
            image: root(10),
            shared_image: root(13),
            expires_at: 0,
        };
        events.push(longer);
        assert_eq!(kept(&events, 1000, &[]).0, [10, 13]);
    }

    #[test]
    fn the_old_root_stays_until_the_new_one_is_here() {
        let events = [registered(10), resealed(10, 20), resealed(10, 30)];
        assert_eq!(kept(&events, 0, &[]).0, [30]);
        assert_eq!(kept(&events, 0, &[10]).0, [30, 10]);
        assert_eq!(kept(&events, 0, &[10, 20]).0, [30, 20]);
        assert_eq!(kept(&events, 0, &[10, 20, 30]).0, [30]);
    }

    #[test]
    fn the_emergency_object_that_was_named_last_is_kept() {
        let entrusted = |object: u8| Event::ImageResealed {
            image: root(10),
            root: root(10),
            emergency: Some(B256::repeat_byte(object)),
            round: Some(1),
        };
        let mut events = vec![registered(10), entrusted(5)];
        assert_eq!(kept(&events, 0, &[10]), (vec![10], vec![5]));
        events.push(entrusted(6));
        assert_eq!(kept(&events, 0, &[10]), (vec![10], vec![6]));
        events.push(entrusted(0));
        assert_eq!(kept(&events, 0, &[10]), (vec![10], vec![]));
    }

    #[test]
    fn a_removed_root_does_not_come_back_through_another_image() {
        let mut events = vec![registered(10), requested(10), approved(10, 11, 0)];
        events.extend(removed(10));
        events.extend([registered(40), requested(40), approved(40, 11, 0)]);
        assert_eq!(kept(&events, 0, &[]).0, [10, 40]);
        events.push(resealed(40, 11));
        assert_eq!(kept(&events, 0, &[40]).0, [10, 40]);
    }
}
