use pcim_core::chance::{Numbers, mutations};
use pcim_ledger::Account;
use pcim_seal::KeyKind;

use super::*;

struct Scene {
    facts: EmergencyFacts,
    key: SessionKey,
    custodians: Vec<UnlockedKey>,
    json: Vec<u8>,
}

fn party() -> (UnlockedKey, CardDocument) {
    let key = UnlockedKey::generate(KeyKind::Classic, None).unwrap();
    let card = Card::issue(&Account::generate(), &key, Vec::new()).unwrap();
    (key, card)
}

fn scene() -> Scene {
    let (patient, card) = party();
    let (custodians, cards): (Vec<_>, Vec<_>) = (0..3).map(|_| party()).unzip();
    let facts = EmergencyFacts {
        chain_id: 412_346,
        contract: Address::repeat_byte(0xc0),
        patient: Address::repeat_byte(0xb0),
        image: ImageDigest([7; 32]),
        body: BodyRef {
            cid: "bafkreibody".to_owned(),
            file_size: 5,
            dag_size: 6,
        },
    };
    let key = SessionKey::from_secret(&pcim_core::Secret::new([9; 32]), BodyVersion::V2);
    let named = Custodians::new(2, cards);
    let json = EmergencyObject::make(&facts, &key, &named, &patient, &card).unwrap();
    Scene {
        facts,
        key,
        custodians,
        json,
    }
}

#[test]
fn two_of_three_custodians_give_the_key_and_one_does_not() {
    let scene = scene();
    let object = EmergencyObject::read(&scene.json).unwrap();
    assert_eq!(object.facts, scene.facts);
    let shares: Vec<_> = scene
        .custodians
        .iter()
        .map(|key| object.own_share(key).unwrap())
        .collect();
    for pair in [[0, 1], [2, 0], [1, 2]] {
        let given = pair.map(|number| shares[number].clone());
        let joined = object.join(&given).unwrap();
        assert_eq!(joined.to_secret().expose(), scene.key.to_secret().expose());
    }
    let few = object.join(&shares[..1]).unwrap_err();
    assert!(matches!(few, Error::Share(share::Error::TooFew { .. })));
    let twice = object.join(&[shares[0].clone(), shares[0].clone()]);
    let twice = twice.unwrap_err();
    assert!(matches!(
        twice,
        Error::Share(share::Error::Twice { index: 1 })
    ));
    let mut other = shares[..2].to_vec();
    other[1].image = Some(ImageDigest([8; 32]));
    let other = object.join(&other).unwrap_err();
    assert!(matches!(other, Error::OtherImage { index: 2 }));
    let stranger = UnlockedKey::generate(KeyKind::Classic, None).unwrap();
    let none = object.own_share(&stranger).unwrap_err();
    assert!(matches!(none, Error::NotCustodian { found: 3 }));
}

#[test]
fn an_object_names_no_custodian_and_holds_no_share_in_clear() {
    let scene = scene();
    let text = String::from_utf8(scene.json.clone())
        .unwrap()
        .to_lowercase();
    let object = EmergencyObject::read(&scene.json).unwrap();
    for custodian in &scene.custodians {
        let share = object.own_share(custodian).unwrap();
        let fingerprint = custodian.certificate().fingerprint().to_lowercase();
        for found in [
            fingerprint,
            hex::encode(share.share.share.expose()),
            hex::encode(share.share.salt.expose()),
        ] {
            assert!(!text.contains(&found));
            let raw = hex::decode(&found).unwrap();
            let within = |letter: &Vec<u8>| letter.windows(raw.len()).any(|it| it == raw);
            assert!(!object.letters.iter().any(within));
        }
    }
}

#[test]
fn what_an_object_cannot_be_is_refused() {
    let scene = scene();
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json: serde_json::Value = serde_json::from_slice(&scene.json).unwrap();
        change(&mut json);
        EmergencyObject::read(json.to_string().as_bytes()).unwrap_err()
    };
    let version = changed(&|it| it["pcim-emergency"] = 2.into());
    assert!(matches!(version, Error::Version { found: 2 }));
    type Change<'a> = (&'a str, &'a dyn Fn(&mut serde_json::Value));
    let changes: [Change<'_>; 5] = [
        ("container", &|it| it["container"] = 3.into()),
        ("set", &|it| it["set"]["threshold"] = 4.into()),
        ("set", &|it| it["set"]["shares"] = 16.into()),
        ("commitments", &|it| {
            drop(it["commitments"].as_array_mut().unwrap().pop())
        }),
        ("shares", &|it| it["shares"][0] = "xy".into()),
    ];
    for (wanted, change) in changes {
        let refused = changed(change);
        assert!(
            matches!(refused, Error::Field { field } if field == wanted),
            "{refused}"
        );
    }
    let large = vec![b' '; MAX_EMERGENCY_BYTES + 1];
    let large = EmergencyObject::read(&large).unwrap_err();
    assert!(matches!(large, Error::TooLarge { .. }));
    let object = EmergencyObject::read(&scene.json).unwrap();
    let place = (scene.facts.chain_id, scene.facts.contract);
    let (patient, image) = (scene.facts.patient, scene.facts.image);
    object.check(place, patient, &image).unwrap();
    for (what, refused) in [
        ("contract", object.check((1, place.1), patient, &image)),
        ("patient", object.check(place, place.1, &image)),
        ("image", object.check(place, patient, &ImageDigest([1; 32]))),
    ] {
        assert!(matches!(refused, Err(Error::Other { what: found }) if found == what));
    }
}

#[test]
fn mutated_objects_are_refused_or_give_the_key() {
    let scene = scene();
    let (mut numbers, mut read) = (Numbers(0x5eed_0016), 0);
    for round in 0..mutations() {
        let Ok(object) = EmergencyObject::read(&numbers.mutated(&scene.json)) else {
            continue;
        };
        read += 1;
        let shares: Result<Vec<_>, _> = scene.custodians[..2]
            .iter()
            .map(|key| object.own_share(key))
            .collect();
        if let Ok(shares) = shares
            && let Ok(joined) = object.join(&shares)
        {
            let wanted = scene.key.to_secret();
            assert_eq!(joined.to_secret().expose(), wanted.expose(), "{round}");
        }
    }
    println!("{read} of {} mutated objects read", mutations());
    assert!(read < mutations());
}
