//! A catalogue of files in memory, for tests of those who read from it.

use std::collections::HashMap;
use std::sync::Arc;

use pcim_client::Openable;
use pcim_core::{Address, ImageDigest};
use pcim_dicom::Listing;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{Ask, Catalogue, Listed, Refusal, Source, Whole};

/// An image of this number, of the patient of that number.
pub(crate) fn openable(number: u8, patient: u8) -> Openable {
    Openable {
        image: ImageDigest([number; 32]),
        patient: Address::repeat_byte(patient),
        registered_at: number.into(),
        ends_at: None,
    }
}

/// Lists files as images, one of each, and answers requests to open them, as `outcome` says of the image of this number.
#[allow(clippy::unwrap_used)]
pub(crate) fn stand(
    catalogue: &Catalogue,
    mut asks: mpsc::Receiver<Ask>,
    files: &[Vec<u8>],
    outcome: fn(u8) -> Option<Refusal>,
) {
    let mut sources = HashMap::new();
    for (number, file) in (1..).zip(files) {
        let image = openable(number, 1);
        let listing = Listing::of_file(file).unwrap();
        let numbers = listing.instances().into_iter().map(|it| (it.instance, 1));
        let numbers = numbers.collect();
        assert!(catalogue.add(&image, Listed { listing, numbers }));
        let whole = Whole::new(Zeroizing::new(file.clone())).unwrap();
        sources.insert(image.image, Source::Whole(Arc::new(whole)));
    }
    tokio::spawn(async move {
        while let Some(ask) = asks.recv().await {
            let answer = match outcome(ask.image.0[0]) {
                Some(refusal) => Err(refusal),
                None => Ok(sources[&ask.image].clone()),
            };
            let _ = ask.reply.send(answer);
        }
    });
}
