#![allow(clippy::unwrap_used)]

use pcim_client::Session;
use pcim_client::home::{Config, Home, NewHome};
use pcim_core::{LockCost, Passphrase};
use pcim_dicom::arrival::file_parts;
use pcim_dicom::sample::write_instance;
use pcim_ledger::Account;
use pcim_seal::KeyKind;
use tempfile::TempDir;

use super::*;
use crate::inbox::{Entry, Reply, Request};
use crate::spool::arrive::Origin;

/// A department's home, and a patient's key and card.
struct Place {
    dir: TempDir,
    patient: UnlockedKey,
    card: pcim_client::papers::card::CardDocument,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let new = NewHome {
            config: Config {
                rpc_url: Some("http://127.0.0.1:1".to_owned()),
                chain_id: Some(412_346),
                contract: Some(
                    "0x1111111111111111111111111111111111111111"
                        .parse()
                        .unwrap(),
                ),
                ..Config::default()
            },
            passphrase: &passphrase(),
            cost: LockCost::LIGHT,
            openpgp: KeyKind::default(),
            user_id: None,
            account: None,
        };
        drop(Home::init(&dir.path().join("home"), new).unwrap());
        let patient = UnlockedKey::generate(KeyKind::default(), None).unwrap();
        let card = Card::issue(&Account::generate(), &patient, Vec::new()).unwrap();
        Self { dir, patient, card }
    }

    async fn open(&self, rules: &str) -> Arc<Gateway> {
        let path = self.dir.path().join("rules.toml");
        std::fs::write(&path, rules).unwrap();
        let home = Home::open(&self.dir.path().join("home")).unwrap();
        let keys = home.unlock(&passphrase()).unwrap();
        let key = Arc::clone(&keys.openpgp);
        let actor = Session::open(home).unwrap().with_keys(keys);
        let settings = Settings {
            quiet_seconds: 1,
            dicom_port: 0,
            rules: Some(path),
            ..Settings::default()
        };
        let gateway = Gateway::open(actor, key, settings, Arc::new(|_| {}));
        Arc::new(gateway.await.unwrap())
    }

    /// Sends an instance of the one study that there is.
    async fn send(&self, gateway: &Gateway, number: u64) {
        let path = self.dir.path().join("object.dcm");
        write_instance(&path, number, 6000).unwrap();
        let file = std::fs::read(path).unwrap();
        let (syntax, start) = file_parts(&file).unwrap();
        let origin = Origin {
            sender: "CT1".to_owned(),
            class: None,
            instance: None,
            study: None,
            syntax,
        };
        let mut arriving = gateway.spool.begin(origin).unwrap();
        arriving.push(&file[start..]).await.unwrap();
        arriving.end().await.unwrap();
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new("seven quiet herons".to_owned())
}

async fn entry(gateway: &Gateway, study: u64) -> Entry {
    match gateway.inbox(Request::Show { study }).await {
        Reply::Study(entry) => *entry,
        other => panic!("{other:?}"),
    }
}

async fn refused(gateway: &Gateway, request: Request) -> String {
    match gateway.inbox(request).await {
        Reply::Refused { why, hints } => {
            assert!(!hints.is_empty());
            why
        }
        other => panic!("{other:?}"),
    }
}

/// Waits for a study to be in this state.
async fn wait(gateway: &Gateway, study: u64, state: &str) -> Entry {
    for _ in 0..1200 {
        let found = entry(gateway, study).await;
        if found.state == state {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not {state}: {:?}", entry(gateway, study).await);
}

const RULE: &str = "[[rule]]\nname = 'ct'\nsender = ['CT*']\naccept_burned_in = true\n";

#[tokio::test(flavor = "multi_thread")]
async fn studies_wait_are_assigned_sealed_and_rejected() {
    let place = Place::new();
    let gateway = place.open(RULE).await;
    let (stop, stopped) = watch::channel(false);
    let ports = Ports::open(&gateway.settings).await.unwrap();
    let (served, ()) = tokio::join!(gateway.serve(ports, stopped), async {
        story(&place, &gateway).await;
        stop.send(true).unwrap();
    });
    served.unwrap();
}

async fn story(place: &Place, gateway: &Gateway) {
    for number in 0..3 {
        place.send(gateway, number).await;
    }
    let waiting = wait(gateway, 1, "waiting").await;
    assert_eq!(
        waiting.reason.as_deref(),
        Some("no card of this patient is known")
    );
    assert_eq!(
        (waiting.objects, waiting.patient_id.as_str()),
        (3, "12345678")
    );
    let why = refused(gateway, Request::Seal { study: 1 }).await;
    assert_eq!(why, "study 1 has no patient's card");
    // It takes further objects again.
    place.send(gateway, 3).await;
    assert_eq!(entry(gateway, 1).await.objects, 4);

    let card = Box::new(place.card.clone());
    gateway.inbox(Request::Assign { study: 1, card }).await;
    let sealed = wait(gateway, 1, "sealed").await;
    assert!(sealed.image.is_some() && sealed.objects == 4, "{sealed:?}");
    let handover = std::fs::read(sealed.handover.unwrap()).unwrap();
    assert!(pcim_seal::open_document(&handover, &place.patient).is_ok());
    assert_eq!(gateway.spool.used(), 0);
    assert_eq!(
        refused(gateway, Request::Seal { study: 1 }).await,
        "study 1 was sealed before"
    );

    // Another object of the study is a study of its own.
    place.send(gateway, 9).await;
    assert_eq!(entry(gateway, 2).await.objects, 1);
    let reason = "a test".to_owned();
    gateway.inbox(Request::Reject { study: 2, reason }).await;
    let rejected = entry(gateway, 2).await;
    assert_eq!(
        (rejected.state.as_str(), rejected.reason.as_deref()),
        ("rejected", Some("a test"))
    );
    assert_eq!(
        refused(gateway, Request::Show { study: 7 }).await,
        "no study 7 is in the inbox"
    );
    let Reply::Studies(open) = gateway.inbox(Request::List { all: false }).await else {
        panic!("a list is wanted")
    };
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_study_that_cannot_be_sealed_says_why_and_a_restart_goes_on() {
    let place = Place::new();
    let folder = place.dir.path();
    let card = serde_json::to_vec(&place.card).unwrap();
    std::fs::write(folder.join("jane.card"), card).unwrap();
    let patient = "[[patient]]\nid = '12345678'\ncard = 'jane.card'\n";
    // Blanking a region of an image that has no such pixels is refused.
    let strict = format!("[[rule]]\nname = 'ct'\nblank = ['5000,5000,10,10']\n{patient}");
    let gateway = place.open(&strict).await;
    for number in 0..2 {
        place.send(&gateway, number).await;
    }
    assert_eq!(
        entry(&gateway, 1).await.patient,
        Some(Card::verify(&place.card).unwrap().address.to_string())
    );
    let why = refused(&gateway, Request::Seal { study: 1 }).await;
    let waiting = entry(&gateway, 1).await;
    assert_eq!(
        (waiting.state.as_str(), waiting.reason.as_deref()),
        ("waiting", Some(why.as_str()))
    );
    assert_eq!(waiting.objects, 2);
    assert!(!why.contains("Doe") && !why.contains("12345678"), "{why}");
    // As if the program had ended while it was being sealed.
    let handover = "handover-1-1.pgp".to_owned();
    let state = State::Sealing { handover };
    gateway
        .spool
        .change(1, |record| record.state = state)
        .await
        .unwrap();
    let Ok(gateway) = Arc::try_unwrap(gateway) else {
        panic!("it is shared")
    };
    gateway.shutdown().await;

    let gateway = place.open(&format!("{RULE}{patient}")).await;
    assert_eq!(entry(&gateway, 1).await.objects, 2);
    // The reason stays until a person says go on.
    assert_eq!(entry(&gateway, 1).await.state, "waiting");
    gateway.inbox(Request::Seal { study: 1 }).await;
    let sealed = entry(&gateway, 1).await;
    assert_eq!(sealed.state, "sealed", "{sealed:?}");
    // As if it had ended before that was recorded: the handover says that it was done.
    let name = sealed
        .handover
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    place.send(&gateway, 5).await;
    let state = State::Sealing { handover: name };
    gateway
        .spool
        .change(2, |record| record.state = state)
        .await
        .unwrap();
    let Ok(gateway) = Arc::try_unwrap(gateway) else {
        panic!("it is shared")
    };
    gateway.shutdown().await;
    let gateway = place.open(RULE).await;
    assert_eq!(entry(&gateway, 2).await.state, "sealed");
}
