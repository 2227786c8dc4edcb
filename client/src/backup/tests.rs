#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error as Refused;
use super::*;
use crate::Error;
use crate::actor::notes::Author;
use crate::home::{Config, Home, NewHome};
use crate::papers::backup::Error as Document;
use crate::papers::card::{Card, CardDocument};
use crate::papers::share;
use crate::papers::sheet::{Form, Sheet};
use crate::unlocked::Actor;
use pcim_core::{ImageDigest, LockCost, Passphrase};
use pcim_seal::KeyKind;

fn passphrase() -> Passphrase {
    Passphrase::new("test".to_owned())
}

/// Homes in one folder, all of which the test's passphrase opens.
struct Homes(tempfile::TempDir);

impl Homes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn make(&self, name: &str, openpgp: KeyKind) {
        let new = NewHome {
            config: Config {
                name: Some(name.to_owned()),
                ..Config::default()
            },
            passphrase: &passphrase(),
            cost: LockCost::LIGHT,
            openpgp,
            user_id: None,
            account: None,
        };
        Home::init(&self.path(name), new).unwrap();
    }

    async fn open(&self, name: &str) -> Actor {
        if !self.path(name).exists() {
            self.make(name, KeyKind::default());
        }
        let home = Home::open(&self.path(name)).unwrap();
        Actor::open(home, passphrase()).await.unwrap()
    }

    async fn card(&self, name: &str) -> CardDocument {
        let actor = self.open(name).await;
        let keys = actor.unlocked().keys();
        Card::issue(&keys.account, &keys.openpgp, Vec::new()).unwrap()
    }

    async fn cards(&self, names: &[&str]) -> Vec<CardDocument> {
        let mut cards = Vec::new();
        for name in names {
            cards.push(self.card(name).await);
        }
        cards
    }

    /// A patient with a contact, a note and something that she holds for another.
    async fn patient(&self) -> Actor {
        let patient = self.open("patient").await;
        let folder = patient.home().contacts_dir();
        fs::create_dir(&folder).unwrap();
        let doctor = self.card("doctor").await;
        fs::write(
            folder.join("doctor.card"),
            serde_json::to_vec(&doctor).unwrap(),
        )
        .unwrap();
        fs::create_dir(patient.home().held_dir()).unwrap();
        fs::write(patient.home().held_dir().join("mother.share"), b"a letter").unwrap();
        let note = patient
            .unlocked()
            .note(&image(), Author::Owner, "left knee");
        note.unwrap();
        patient
    }

    async fn guarded(&self, patient: &Actor, sheet_b: Option<Form>) -> Made {
        let keepers = Keepers::Guardians {
            cards: self.cards(&["g1", "g2", "g3"]).await,
            threshold: 2,
        };
        let followers = self.cards(&["f1", "f2"]).await;
        let made = patient.backups().begin(&keepers, &followers, sheet_b, true);
        let made = made.unwrap();
        patient.backups().handed().unwrap();
        made
    }
}

fn image() -> ImageDigest {
    ImageDigest([7; 32])
}

fn refusal(result: crate::Result<impl std::fmt::Debug>) -> Refused {
    match result.unwrap_err() {
        Error::Backup(refused) => *refused,
        other => panic!("{other}"),
    }
}

/// What a home has that a backup holds.
fn state(home: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "notes-0.pgp",
        "contacts/doctor.card",
        "held/mother.share",
        "backup.pgp",
    ];
    let read = |name| (name, fs::read(home.join(name)).unwrap());
    names.map(read).to_vec()
}

#[tokio::test]
async fn a_lost_home_comes_back_from_guardians_and_a_follower() {
    let homes = Homes::new();
    let patient = homes.patient().await;
    let (address, fingerprint) = {
        let keys = patient.unlocked().keys();
        (
            keys.account.address(),
            keys.openpgp.certificate().fingerprint(),
        )
    };
    let first = homes.guarded(&patient, None).await;
    assert_eq!((first.number, first.shares.len()), (1, 3));
    assert!(first.sheet_a.is_none() && first.sheet_b.is_none());
    let newest = patient.backups().renew(None).unwrap();
    assert_eq!((newest.number, newest.shares.len()), (2, 0));
    assert_eq!(newest.set, first.set);
    let lost = state(patient.home().dir());
    let deid = patient.home().deid_key(patient.unlocked().keys()).unwrap();
    let keeping = patient.backups().keeping().unwrap().unwrap();
    assert_eq!((keeping.number, keeping.threshold), (2, Some(2)));
    assert_eq!(
        keeping.guardians,
        first
            .shares
            .iter()
            .map(|it| it.guardian)
            .collect::<Vec<_>>()
    );
    patient.shutdown().await;
    fs::remove_dir_all(homes.path("patient")).unwrap();

    let to = Card::verify(&homes.card("new").await).unwrap();
    let mut shares = Vec::new();
    for number in [2, 0] {
        let guardian = homes.open(["g1", "g2", "g3"][number]).await;
        let given = Given::Share(&first.shares[number].bytes);
        let given = guardian.backups().give_on(given, &to).unwrap();
        assert_eq!(given.share, Some(number as u8 + 1));
        assert_eq!(given.patient, address);
        shares.push(given.letter);
    }
    let follower = homes.open("f2").await;
    let key = follower
        .backups()
        .give_on(Given::Backup(&newest.backup), &to);
    let key = key.unwrap();
    assert_eq!((key.share, key.set), (None, first.set));

    let new = homes.open("new").await;
    let own = new.address();
    let given = Restoring {
        backup: &newest.backup,
        shares: &shares,
        seed: None,
        key: Key::Letter(&key.letter),
    };
    let before = fs::read(homes.path("new").join("openpgp.asc")).unwrap();
    let restored = new.backups().restore(&given, &passphrase()).unwrap();
    assert_eq!((restored.number, restored.already), (2, false));
    assert_eq!(
        (restored.patient, &restored.fingerprint),
        (address, &fingerprint)
    );
    assert_eq!(state(&homes.path("new")), lost);
    new.shutdown().await;

    // Killed before its last step: the same again comes to the same.
    fs::write(homes.path("new").join("openpgp.asc"), before).unwrap();
    let new = homes.open("new").await;
    let again = new.backups().restore(&given, &passphrase()).unwrap();
    assert_eq!(again, restored);
    new.shutdown().await;

    let new = homes.open("new").await;
    let keys = new.unlocked().keys();
    assert_eq!(keys.openpgp.certificate().fingerprint(), fingerprint);
    assert_eq!((new.address(), keys.account.address()), (own, own));
    assert_eq!(new.home().deid_key(keys).unwrap(), deid);
    let notes = new.unlocked().notes().unwrap();
    assert_eq!(notes[&image()][0].text, "left knee");
    assert_eq!(new.home().config().name.as_deref(), Some("patient"));
    let third = new.backups().renew(None).unwrap();
    assert_eq!((third.number, third.set), (3, first.set));
    let done = new.backups().restore(&given, &passphrase()).unwrap();
    assert!(done.already);
}

#[tokio::test]
async fn a_lost_home_comes_back_from_paper() {
    let homes = Homes::new();
    let patient = homes.patient().await;
    let made = patient
        .backups()
        .begin(&Keepers::Paper, &[], Some(Form::Text), false);
    let made = made.unwrap();
    // Killed before the sheets were written: the same set again, so that no sheet of an earlier attempt is another one.
    let again = patient
        .backups()
        .begin(&Keepers::Paper, &[], Some(Form::Text), false);
    let again = again.unwrap();
    assert!(again.resumed && !made.resumed);
    assert_eq!(
        (again.number, again.set, &again.sheet_a),
        (2, made.set, &made.sheet_a)
    );
    patient.backups().handed().unwrap();
    let later = patient.backups().renew(None).unwrap();
    assert!(later.sheet_a.is_none());
    let lost = state(patient.home().dir());

    let words = |sheet: &str| {
        let rows = sheet.lines().filter(|line| {
            let mut parts = line.split_whitespace();
            parts.next().is_some_and(|it| it.parse::<u8>().is_ok()) && parts.count() == 7
        });
        let words: Vec<_> = rows
            .flat_map(|row| row.split_whitespace().skip(1).step_by(2))
            .collect();
        words.join(" ")
    };
    let seed = Sheet::A.read(&words(&made.sheet_a.unwrap())).unwrap();
    let key = Sheet::B.read(&words(&again.sheet_b.unwrap())).unwrap();
    let guardian = crate::papers::sheet::from_seed(&seed).unwrap().guardian;
    assert_eq!(made.paper_guardian, Some(guardian.address()));
    let new = homes.open("new").await;
    let given = Restoring {
        backup: &later.backup,
        shares: &[],
        seed: Some(&seed),
        key: Key::Sheet(&key),
    };
    let swapped = Restoring {
        backup: &later.backup,
        shares: &[],
        seed: Some(&key),
        key: Key::Sheet(&seed),
    };
    let refused = refusal(new.backups().restore(&swapped, &passphrase()));
    assert!(matches!(
        refused,
        Refused::Document(Document::WrongKeys { number: 3, .. })
    ));
    let none = Restoring {
        seed: None,
        key: Key::Sheet(&key),
        ..given
    };
    let refused = refusal(new.backups().restore(&none, &passphrase()));
    assert!(matches!(refused, Refused::Document(Document::Kept { .. })));
    let given = Restoring {
        backup: &later.backup,
        shares: &[],
        seed: Some(&seed),
        key: Key::Sheet(&key),
    };
    new.backups().restore(&given, &passphrase()).unwrap();
    assert_eq!(state(&homes.path("new")), lost);
}

#[tokio::test]
async fn what_does_not_belong_is_refused_and_changes_nothing() {
    let homes = Homes::new();
    let patient = homes.patient().await;
    let first = homes.guarded(&patient, None).await;
    let second = homes.guarded(&patient, None).await;
    assert_ne!(first.set, second.set);
    let to = Card::verify(&homes.card("new").await).unwrap();
    let guardian = homes.open("g1").await;
    let give = |bytes: &[u8]| guardian.backups().give_on(Given::Share(bytes), &to);
    let old = give(&first.shares[0].bytes).unwrap().letter;
    let share = give(&second.shares[0].bytes).unwrap().letter;
    let follower = homes.open("f1").await;
    let key = follower
        .backups()
        .give_on(Given::Backup(&second.backup), &to);
    let key = key.unwrap().letter;
    let stale = follower
        .backups()
        .give_on(Given::Backup(&first.backup), &to);
    let stale = stale.unwrap().letter;

    let new = homes.open("new").await;
    let before = fs::read(homes.path("new").join("config.toml")).unwrap();
    let tried = |shares: &[Vec<u8>], key: &[u8]| {
        let given = Restoring {
            backup: &second.backup,
            shares,
            seed: None,
            key: Key::Letter(key),
        };
        refusal(new.backups().restore(&given, &passphrase()))
    };
    let shared = |refused| match refused {
        Refused::Document(Document::Share(refused)) => refused,
        other => panic!("{other}"),
    };
    let few = shared(tried(std::slice::from_ref(&share), &key));
    assert_eq!(
        few,
        share::Error::TooFew {
            found: 1,
            wanted: 2
        }
    );
    let twice = shared(tried(&[share.clone(), share.clone()], &key));
    assert_eq!(twice, share::Error::Twice { index: 1 });
    let other = shared(tried(&[share.clone(), old], &key));
    assert!(matches!(other, share::Error::OtherSet { index: 1, .. }));
    let second_guardian = homes.open("g2").await;
    let given = Given::Share(&second.shares[1].bytes);
    let other = second_guardian
        .backups()
        .give_on(given, &to)
        .unwrap()
        .letter;
    let stale = tried(&[share.clone(), other.clone()], &stale);
    assert!(matches!(stale, Refused::OtherSet { .. }));
    // The letter that is still sealed to the guardian, and one that is no share.
    for wrong in [&second.shares[1].bytes, &key] {
        let refused = tried(&[share.clone(), wrong.clone()], &key);
        assert!(matches!(refused, Refused::Document(Document::Letter(_))));
    }
    // A follower of nobody, and a guardian's letter in another's hands.
    let stranger = homes.open("stranger").await;
    let none = refusal(
        stranger
            .backups()
            .give_on(Given::Backup(&second.backup), &to),
    );
    assert!(matches!(none, Refused::NoLetter { found: 2 }));
    assert!(stranger.backups().give_on(given, &to).is_err());

    assert_eq!(
        fs::read(homes.path("new").join("config.toml")).unwrap(),
        before
    );
    let shares = [share, other];
    let given = Restoring {
        backup: &second.backup,
        shares: &shares,
        seed: None,
        key: Key::Letter(&key),
    };
    new.journal.begin("an operation").unwrap();
    let in_use = refusal(new.backups().restore(&given, &passphrase()));
    assert!(matches!(
        in_use,
        Refused::InUse {
            images: 0,
            operations: 1
        }
    ));
}

#[tokio::test]
async fn keepers_who_cannot_keep_are_refused() {
    let homes = Homes::new();
    let patient = homes.open("patient").await;
    homes.make("classic", KeyKind::Classic);
    let begin = |names: Vec<CardDocument>, threshold, followers: Vec<CardDocument>| {
        let keepers = Keepers::Guardians {
            cards: names,
            threshold,
        };
        refusal(patient.backups().begin(&keepers, &followers, None, false))
    };
    let (two, followers) = (
        homes.cards(&["g1", "g2"]).await,
        homes.cards(&["f1", "f2"]).await,
    );
    let twice = vec![two[0].clone(), two[0].clone()];
    assert!(matches!(
        begin(twice, 2, followers.clone()),
        Refused::NamedTwice { .. }
    ));
    let classic = homes.cards(&["g1", "classic"]).await;
    assert!(matches!(
        begin(classic, 2, followers.clone()),
        Refused::Classic { .. }
    ));
    let one = followers[..1].to_vec();
    assert!(matches!(
        begin(two.clone(), 2, one),
        Refused::Followers { found: 1 }
    ));
    for threshold in [0, 1, 3] {
        let refused = begin(two.clone(), threshold, followers.clone());
        let numbers = Refused::Document(Document::Share(share::Error::Numbers {
            threshold,
            shares: 2,
        }));
        assert_eq!(refused.to_string(), numbers.to_string());
    }
    let own = {
        let keys = patient.unlocked().keys();
        Card::issue(&keys.account, &keys.openpgp, Vec::new()).unwrap()
    };
    let own = vec![two[0].clone(), own];
    assert!(matches!(
        begin(own, 2, followers.clone()),
        Refused::Own { .. }
    ));
    assert!(matches!(
        refusal(patient.backups().renew(None)),
        Refused::NoSet
    ));
    assert!(patient.backups().keeping().unwrap().is_none());
    let classic = Card::verify(&homes.card("classic").await).unwrap();
    assert!(matches!(
        refusal(patient.backups().add_device(&classic)),
        Refused::Classic { .. }
    ));
}

#[tokio::test]
async fn a_second_device_has_all_keys() {
    let homes = Homes::new();
    let patient = homes.patient().await;
    let _ = homes.guarded(&patient, None).await;
    let from = Card::verify(&homes.card_of(&patient)).unwrap();
    let to = Card::verify(&homes.card("tablet").await).unwrap();
    let file = patient.backups().add_device(&to).unwrap();
    let keys = patient.unlocked().keys();
    let key = hex::encode(&keys.account.expose_key()[..]);
    assert!(!String::from_utf8_lossy(&file).contains(&key));

    let stranger = homes.open("stranger").await;
    assert!(
        stranger
            .backups()
            .accept_device(&file, &from, &passphrase())
            .is_err()
    );
    let tablet = homes.open("tablet").await;
    let other = Card::verify(&homes.card("doctor").await).unwrap();
    let refused = refusal(tablet.backups().accept_device(&file, &other, &passphrase()));
    assert!(matches!(refused, Refused::OtherAuthor { .. }));

    let before = fs::read(homes.path("tablet").join("openpgp.asc")).unwrap();
    let done = tablet
        .backups()
        .accept_device(&file, &from, &passphrase())
        .unwrap();
    assert_eq!((done.patient, done.already), (patient.address(), false));
    tablet.shutdown().await;
    // Killed before its last step.
    fs::write(homes.path("tablet").join("openpgp.asc"), before).unwrap();
    let tablet = homes.open("tablet").await;
    let again = tablet
        .backups()
        .accept_device(&file, &from, &passphrase())
        .unwrap();
    assert_eq!(again, done);
    tablet.shutdown().await;

    let tablet = homes.open("tablet").await;
    assert_eq!(tablet.address(), patient.address());
    let there = tablet.unlocked().keys();
    assert_eq!(*there.account.expose_key(), *keys.account.expose_key());
    assert_eq!(there.openpgp.certificate(), keys.openpgp.certificate());
    assert_eq!(state(&homes.path("tablet")), state(patient.home().dir()));
    assert!(
        tablet
            .backups()
            .accept_device(&file, &from, &passphrase())
            .unwrap()
            .already
    );
}

impl Homes {
    fn card_of(&self, actor: &Actor) -> CardDocument {
        let keys = actor.unlocked().keys();
        Card::issue(&keys.account, &keys.openpgp, Vec::new()).unwrap()
    }
}
