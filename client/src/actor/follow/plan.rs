//! The items that the chain wants kept: a fold over the contract's events, and nothing else. No clock but the chain's, no network.
//!
//! Nobody destroys data in minutes, whatever key he has: an image that was withdrawn, and the roots and emergency objects that a
//! reseal replaced, stay for thirty days, counted again when another key acts for the patient, and while a recovery is pending.

mod account;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::actor::follow::plan::account::Account;
use crate::papers::request::Notes;
use pcim_core::{Address, B256, BlockDigest, Event, ImageDigest};

/// The bit of a withdrawal among an image's flags.
const WITHDRAWN: u8 = 1;

/// The state of every image, as the events say it.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    images: HashMap<ImageDigest, Image>,
    /// In the order of their registration.
    order: Vec<ImageDigest>,
    /// The image that named a root first. Another image that names it later has no claim to it: otherwise anyone who has an
    /// image could have a header kept that its owner removed.
    claims: HashMap<ImageDigest, ImageDigest>,
    /// The accounts that changed, by patient.
    accounts: HashMap<Address, Account>,
}

#[derive(Debug)]
struct Image {
    patient: Address,
    /// The patient's own: as registered, then as resealed.
    roots: Vec<Named<ImageDigest>>,
    /// The emergency objects; none, if a reseal named none.
    emergencies: Vec<Named<Option<BlockDigest>>>,
    /// When it was withdrawn, in unix seconds.
    withdrawn: Option<u64>,
    grants: BTreeMap<Address, Grant>,
}

/// A thing that an image had from a moment on, until the next.
#[derive(Debug)]
struct Named<T> {
    what: T,
    /// Unix seconds.
    from: u64,
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
    /// Certificates, request documents and emergency objects; those of a request with the requestor.
    pub(crate) blocks: Vec<(BlockDigest, ImageDigest, Option<Address>)>,
}

impl Chain {
    /// Takes in the next event, of unix second `at`.
    pub(crate) fn apply(&mut self, at: u64, event: &Event) {
        match event {
            Event::ContractCreated { image, patient, .. }
            | Event::ImageImported { image, patient, .. }
                if !self.images.contains_key(image) =>
            {
                self.order.push(*image);
                let root = Named {
                    what: *image,
                    from: at,
                };
                let mut new = Image {
                    patient: *patient,
                    roots: vec![root],
                    emergencies: Vec::new(),
                    withdrawn: None,
                    grants: BTreeMap::new(),
                };
                if let Event::ImageImported { flags, .. } = event {
                    new.flag(at, *flags);
                }
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
                    let (what, from) = (*root, at);
                    known.roots.push(Named { what, from });
                    let named = emergency.filter(|object| *object != B256::ZERO);
                    let what = named.map(|object| BlockDigest(object.0));
                    known.emergencies.push(Named { what, from });
                }
            }
            Event::ImageFlagged { image, flags, .. } => {
                if let Some(known) = self.images.get_mut(image) {
                    known.flag(at, *flags);
                }
            }
            Event::AccountMoved { patient, .. } => {
                self.accounts.entry(*patient).or_default().moved(at);
            }
            Event::AccountChanged {
                patient,
                kind,
                ripe,
                ..
            } => self
                .accounts
                .entry(*patient)
                .or_default()
                .changed(*kind, *ripe),
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
            let account = self.accounts.get(&image.patient);
            let stays = |from| account.copied().unwrap_or_default().keeps(from, now);
            if image.withdrawn.is_some_and(|from| !stays(from)) {
                continue;
            }
            let mut root = |root: &ImageDigest| {
                if self.claims.get(root) == Some(digest) && roots.insert(*root) {
                    wanted.roots.push((*root, *digest));
                }
            };
            let (mut replaced, mut found) = (None, false);
            for own in image.roots.iter().rev() {
                // One that cannot be fetched stays wanted only while it is the latest.
                let whole = complete(&own.what);
                if replaced.is_none() || whole && (!found || replaced.is_some_and(stays)) {
                    root(&own.what);
                }
                found |= whole;
                replaced = Some(own.from);
            }
            let mut block = |block: &BlockDigest, requestor: Option<Address>| {
                if blocks.insert(*block) {
                    wanted.blocks.push((*block, *digest, requestor));
                }
            };
            let mut replaced = None;
            for object in image.emergencies.iter().rev() {
                if let Some(object) = &object.what
                    && replaced.is_none_or(stays)
                {
                    block(object, None);
                }
                replaced = Some(object.from);
            }
            for (requestor, grant) in &image.grants {
                match grant {
                    Grant::Open {
                        certificate,
                        document,
                    } => {
                        for each in [Some(certificate), document.as_ref()].into_iter().flatten() {
                            block(each, Some(*requestor));
                        }
                    }
                    Grant::Approved {
                        certificate,
                        root: shared,
                        expires_at,
                    } if *expires_at == 0 || now < *expires_at => {
                        root(shared);
                        block(certificate, Some(*requestor));
                    }
                    Grant::Approved { .. } | Grant::Closed => {}
                }
            }
        }
        wanted
    }
}

impl Image {
    /// Takes in its flags of unix second `at`.
    fn flag(&mut self, at: u64, flags: u8) {
        self.withdrawn = match flags & WITHDRAWN {
            0 => None,
            _ => Some(self.withdrawn.unwrap_or(at)),
        };
    }
}
