//! Whom a card is of as twelve words, to be read aloud and compared (format.md §7.3).

use bip39::Mnemonic;
use sha2::{Digest, Sha256};

use crate::papers::card::Card;

/// Bytes of the words' entropy: 128 bits, and 4 of checksum.
const ENTROPY: usize = 16;

impl Card {
    /// Returns twelve words of BIP-39's English list that stand for the card's address and certificate together.
    ///
    /// # Panics
    /// Never: sixteen bytes are twelve words.
    pub fn words(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"pcim card words 1");
        hash.update(self.address);
        hash.update(self.certificate.to_published_bytes());
        let hash = hash.finalize();
        let words =
            Mnemonic::from_entropy(&hash[..ENTROPY]).expect("sixteen bytes are twelve words");
        words.words().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::papers::card::Card;
    use crate::papers::card::tests::actor;

    #[test]
    fn words_stand_for_address_and_certificate_and_not_for_the_node() {
        let (account, key) = actor();
        let card = |peers: Vec<String>| {
            Card::verify(&Card::issue(&account, &key, peers).unwrap()).unwrap()
        };
        let words = card(Vec::new()).words();
        assert_eq!(words.split(' ').count(), 12, "{words}");
        assert_eq!(card(vec!["/ip4/192.0.2.1/tcp/1".to_owned()]).words(), words);
        let (other_account, other_key) = actor();
        let other = |account, key| {
            Card::verify(&Card::issue(account, key, Vec::new()).unwrap())
                .unwrap()
                .words()
        };
        assert_ne!(other(&other_account, &key), words);
        assert_ne!(other(&account, &other_key), words);
    }
}
