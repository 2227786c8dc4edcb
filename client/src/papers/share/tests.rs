#![allow(clippy::unwrap_used)]

use super::*;
use crate::papers::card::Card;
use crate::papers::card::tests::actor;
use crate::papers::letter;
use pcim_core::chance::{Numbers, mutations};
use pcim_ledger::Account;
use pcim_seal::UnlockedKey;

struct Scene {
    account: Account,
    key: UnlockedKey,
    set: ShareSet,
    commitments: Vec<Hex<32>>,
    documents: Vec<ShareDocument>,
}

fn scene(secret: &Secret, threshold: u8, shares: u8) -> Scene {
    let (account, key) = actor();
    let set = ShareSet {
        name: Hex::random(),
        threshold,
        shares,
    };
    let card = Card::issue(&account, &key, Vec::new()).unwrap();
    let cut = split(secret, threshold, shares).unwrap();
    Scene {
        commitments: cut.iter().map(Share::commitment).collect(),
        documents: cut
            .into_iter()
            .map(|share| ShareDocument::new(account.address(), set, share, card.clone()))
            .collect(),
        account,
        key,
        set,
    }
}

impl Scene {
    fn combine(&self, given: &[ShareDocument]) -> Result<Secret, Error> {
        combine(&self.set, &self.commitments, given)
    }

    fn of(&self, indices: &[usize]) -> Vec<ShareDocument> {
        let chosen = indices.iter().map(|it| self.documents[*it].clone());
        chosen.collect()
    }
}

#[test]
fn any_threshold_of_the_shares_give_the_secret() {
    let secret = Secret::random();
    for (threshold, shares) in [(2, 2), (2, 3), (3, 5), (4, 7), (15, 15)] {
        let scene = scene(&secret, threshold, shares);
        let mut tried = 0;
        for choice in 0..1_u32 << shares {
            if choice.count_ones() < u32::from(threshold) {
                continue;
            }
            let indices: Vec<_> = (0..usize::from(shares))
                .filter(|at| choice >> at & 1 == 1)
                .collect();
            let joined = scene.combine(&scene.of(&indices)).unwrap();
            assert_eq!(joined.expose(), secret.expose(), "{indices:?}");
            tried += 1;
        }
        println!("{threshold} of {shares}: {tried} choices");
    }
}

/// Every secret fits the shares that one too few have: for each there is exactly one polynomial through all of them.
#[test]
fn one_share_too_few_tells_nothing() {
    let secret = Secret::new([0x5a; 32]);
    let scene = scene(&secret, 3, 5);
    let two: Vec<Vec<u8>> = scene.of(&[1, 3]).iter().map(raw).collect();
    for byte in 0..=255_u8 {
        // The third point at which the secret would be this byte.
        let third = (0..=255_u8).filter(|value| {
            let shares = [two[0][..2].to_vec(), two[1][..2].to_vec(), vec![5, *value]];
            Gf256::combine_bytes(&shares).unwrap() == [byte]
        });
        assert_eq!(third.count(), 1, "{byte}");
    }
    // The highest coefficient is drawn from all 256: were zero left out, no share of two would equal its secret.
    let mut equal = 0;
    for _ in 0..400 {
        let cut = split(&secret, 2, 2).unwrap();
        equal += cut[0]
            .share
            .expose()
            .iter()
            .filter(|it| **it == 0x5a)
            .count();
    }
    println!("{equal} of 12800 bytes of a share equal the secret's; 50 are to be expected");
    assert!((15..110).contains(&equal), "{equal}");
}

fn raw(document: &ShareDocument) -> Vec<u8> {
    [&[document.share.index][..], document.share.share.expose()].concat()
}

/// Other implementations join our shares: the field is that of x⁸ + x⁴ + x³ + x + 1.
#[test]
fn the_field_is_that_of_aes() {
    // f(x) = 0x48 + 0x53·x + 0xca·x²; 0x53 and 0xca are inverses of each other.
    let at = |x| vec![x, 0x48 ^ mul(0x53, x) ^ mul(0xca, mul(x, x))];
    let shares = [at(1), at(0x53), at(0xca)];
    assert_eq!(mul(0x53, 0xca), 1);
    assert_eq!(Gf256::combine_bytes(&shares).unwrap(), [0x48]);
}

/// Multiplies as AES does, bit by bit.
fn mul(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b > 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        let carry = a & 0x80 != 0;
        a <<= 1;
        if carry {
            a ^= 0x1b;
        }
        b >>= 1;
    }
    product
}

#[test]
fn shares_that_do_not_belong_are_refused_by_name() {
    let secret = Secret::random();
    let scene = scene(&secret, 3, 5);
    let too_few = Error::TooFew {
        found: 2,
        wanted: 3,
    };
    assert_eq!(scene.combine(&scene.of(&[0, 4])).unwrap_err(), too_few);
    assert_eq!(
        scene.combine(&scene.of(&[0, 4, 0])).unwrap_err(),
        Error::Twice { index: 1 }
    );

    let mut damaged = scene.of(&[0, 1, 2]);
    let mut bytes = *damaged[1].share.share.expose();
    bytes[7] ^= 1;
    damaged[1].share.share = Secret::new(bytes);
    assert_eq!(
        scene.combine(&damaged).unwrap_err(),
        Error::Damaged { index: 2 }
    );
    // A guardian who changes share and commitment is found by the backup's list.
    damaged[1].commitment = damaged[1].share.commitment();
    assert_eq!(
        scene.combine(&damaged).unwrap_err(),
        Error::NotListed { index: 2 }
    );

    let mut renumbered = scene.of(&[0, 1, 2]);
    renumbered[2].share.index = 4;
    assert_eq!(
        scene.combine(&renumbered).unwrap_err(),
        Error::Damaged { index: 4 }
    );
    for index in [0, 6, 255] {
        renumbered[2].share.index = index;
        renumbered[2].commitment = renumbered[2].share.commitment();
        assert_eq!(
            scene.combine(&renumbered).unwrap_err(),
            Error::NotListed { index }
        );
    }

    let other = self::scene(&secret, 3, 5);
    let mut mixed = scene.of(&[0, 1]);
    mixed.push(other.documents[3].clone());
    assert_eq!(
        scene.combine(&mixed).unwrap_err(),
        Error::OtherSet {
            index: 4,
            wanted: scene.set.name,
            found: other.set.name
        }
    );
    let mut lowered = scene.of(&[0, 1]);
    lowered.iter_mut().for_each(|it| it.set.threshold = 2);
    assert_eq!(
        scene.combine(&lowered).unwrap_err(),
        Error::OtherNumbers {
            index: 1,
            wanted: (3, 5),
            found: (2, 5)
        }
    );
    for (threshold, shares) in [(0, 3), (1, 3), (4, 3), (2, 16), (2, 255), (0, 0)] {
        let numbers = Error::Numbers { threshold, shares };
        assert_eq!(split(&secret, threshold, shares).unwrap_err(), numbers);
    }
}

#[test]
fn a_share_reaches_its_guardian_and_nobody_else() {
    let scene = scene(&Secret::random(), 2, 3);
    let (_, guardian) = actor();
    let (_, other) = actor();
    let sealed = letter::seal(&scene.documents[1], &scene.key, &guardian.certificate()).unwrap();
    let (read, author) = letter::open::<ShareDocument>(&sealed, &guardian).unwrap();
    assert_eq!(raw(&read), raw(&scene.documents[1]));
    assert_eq!(author.address, scene.account.address());
    assert!(matches!(
        letter::open::<ShareDocument>(&sealed, &other),
        Err(letter::Error::OpenPgp(_))
    ));
    // Signed by another than the card in it.
    let forged = letter::seal(&scene.documents[1], &other, &guardian.certificate()).unwrap();
    assert!(matches!(
        letter::open::<ShareDocument>(&forged, &guardian),
        Err(letter::Error::OpenPgp(_))
    ));
    let large = vec![0; letter::MAX_LETTER_BYTES + 1];
    assert!(matches!(
        letter::open::<ShareDocument>(&large, &guardian),
        Err(letter::Error::TooLarge { .. })
    ));
    assert!(!format!("{:?}", read).contains(&hex::encode(read.share.share.expose())));
}

/// Changed below the encryption, as its author can change it.
#[test]
fn mutated_shares_never_give_another_secret() {
    let secret = Secret::random();
    let scene = scene(&secret, 2, 3);
    let good = serde_json::to_vec(&scene.documents[0]).unwrap();
    let (mut numbers, mut joined) = (Numbers(0x5eed_2041), 0);
    for round in 0..mutations() {
        let Ok(read) = serde_json::from_slice::<ShareDocument>(&numbers.mutated(&good)) else {
            continue;
        };
        if let Ok(found) = scene.combine(&[read, scene.documents[2].clone()]) {
            assert_eq!(found.expose(), secret.expose(), "{round}");
            joined += 1;
        }
    }
    println!("{joined} of {} mutated shares gave the secret", mutations());
}
