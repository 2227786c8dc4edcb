//! Commands that were cut off after their transaction was sent, and given again: nothing is sent twice, and nothing
//! that was undone meanwhile is passed off as done.

use std::path::Path;
use std::time::Duration;

use pcim_client::home::{Config, Home, NewHome};
use pcim_client::{Actor, Error, Limits, Relayed};
use pcim_core::{GrantStatus, LockCost, Passphrase, U256};
use pcim_ledger::{Account, Accreditation, Call, Nonce, Revert};
use pcim_seal::KeyKind;

use crate::ledger::{IMAGE, KEY, World};

/// Does not wait for a transaction that it has sent.
const HASTY: Limits = Limits {
    mine: Duration::ZERO,
    fetch: Duration::from_secs(5),
    total: Duration::from_secs(60),
    relay_gas: pcim_client::RELAY_GAS,
    body_bytes: 1 << 20,
};

/// An actor with a home of his own, who is the owner of `account`.
struct Member<'w> {
    world: &'w World,
    dir: tempfile::TempDir,
    passphrase: Passphrase,
}

impl<'w> Member<'w> {
    fn new(world: &'w World, account: &Account) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("correct horse".to_owned());
        let account = Account::from_private_key(&account.expose_key()).unwrap();
        let new = NewHome {
            config: Config {
                rpc_url: Some(world.deployment.rpc_url.clone()),
                chain_id: Some(world.deployment.chain_id),
                contract: Some(world.deployment.contract),
                ..Config::default()
            },
            passphrase: &passphrase,
            cost: LockCost::LIGHT,
            openpgp: KeyKind::default(),
            user_id: None,
            account: Some(account),
        };
        Home::init(&home(&dir), new).unwrap();
        Self {
            world,
            dir,
            passphrase,
        }
    }

    async fn client(&self, limits: Limits) -> Actor {
        let home = Home::open(&home(&self.dir)).unwrap();
        let client = Actor::open(home, self.passphrase.clone()).await.unwrap();
        client.with_limits(limits)
    }

    /// Transactions of this actor on the chain.
    async fn sent(&self, account: &Account) -> u64 {
        let probe = Call::TraceAuthorization {
            patient: self.world.patient.address(),
            requestor: account.address(),
            image: IMAGE,
        };
        let signed = self
            .world
            .ledger
            .prepare(account, &probe, None)
            .await
            .unwrap();
        signed.nonce
    }
}

fn home(dir: &tempfile::TempDir) -> std::path::PathBuf {
    Path::join(dir.path(), "home")
}

fn cut_off<T>(result: Result<T, Error>) {
    let error = result.err();
    assert!(
        matches!(
            &error,
            Some(Error::Ledger(pcim_ledger::Error::NotMined { .. }))
        ),
        "{error:?}"
    );
}

/// A registered image that the doctor has asked for.
async fn asked() -> World {
    let world = World::start().await;
    let accredit = Call::AccreditRadiologist {
        radiologist: world.radiologist.address(),
        status: Accreditation::Accredited,
        since: 0,
    };
    world.send(&world.consortium, &accredit).await;
    world.send(&world.patient, &world.registration()).await;
    ask(&world).await;
    world
}

async fn ask(world: &World) {
    let request = Call::RequestingAccess {
        patient: world.patient.address(),
        image: IMAGE,
        public_key: KEY,
        notes: "TREAT".to_owned(),
    };
    world.send(&world.doctor, &request).await;
}

async fn status(world: &World) -> GrantStatus {
    let grant = world.ledger.grant(&IMAGE, world.doctor.address()).await;
    grant.unwrap().status
}

#[tokio::test]
async fn what_was_cut_off_is_seen_through_and_not_sent_again() {
    let world = asked().await;
    let doctor = world.doctor.address();
    let patient = Member::new(&world, &world.patient);
    cut_off(
        patient
            .client(HASTY)
            .await
            .patient()
            .deny(&IMAGE, doctor, "")
            .await,
    );
    assert_eq!(status(&world).await, GrantStatus::Denied);
    let sent = patient.sent(&world.patient).await;

    let client = patient.client(Limits::default()).await;
    let written = client
        .patient()
        .deny(&IMAGE, doctor, "")
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(written.resumed);
    assert_eq!(patient.sent(&world.patient).await, sent);
    // What was seen through is over.
    let again = client.patient().deny(&IMAGE, doctor, "").await;
    assert!(matches!(again, Err(Error::NoOpenRequest { .. })));
}

#[tokio::test]
async fn an_old_revocation_does_not_stand_in_for_a_new_one() {
    let world = asked().await;
    let doctor = world.doctor.address();
    let patient = Member::new(&world, &world.patient);
    cut_off(
        patient
            .client(HASTY)
            .await
            .patient()
            .revoke(&IMAGE, doctor)
            .await,
    );
    assert_eq!(status(&world).await, GrantStatus::Removed);
    ask(&world).await;
    assert_eq!(status(&world).await, GrantStatus::Requested);

    let client = patient.client(Limits::default()).await;
    let written = client
        .patient()
        .revoke(&IMAGE, doctor)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(!written.resumed);
    assert_eq!(status(&world).await, GrantStatus::Removed);
}

/// At version 1 of the contract; at version 2 it is revoked for good.
#[tokio::test]
async fn an_accreditation_that_was_withdrawn_is_given_anew() {
    let world = World::of_version_1().await;
    let radiologist = world.radiologist.address();
    let consortium = Member::new(&world, &world.consortium);
    cut_off(
        consortium
            .client(HASTY)
            .await
            .consortium()
            .accredit(radiologist, true, None)
            .await,
    );
    let client = consortium.client(Limits::default()).await;
    client
        .consortium()
        .accredit(radiologist, false, None)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(!world.ledger.is_accredited(radiologist).await.unwrap());

    assert!(
        !client
            .consortium()
            .consortium()
            .accredit(radiologist, true, None)
            .await
            .unwrap()
            .mined()
            .unwrap()
            .resumed
    );
    assert!(world.ledger.is_accredited(radiologist).await.unwrap());
}

#[tokio::test]
async fn an_accreditation_that_was_retired_is_given_anew_and_a_revoked_one_is_not() {
    let world = World::start().await;
    let radiologist = world.radiologist.address();
    let member = Member::new(&world, &world.consortium);
    let hasty = member.client(HASTY).await;
    cut_off(hasty.consortium().accredit(radiologist, true, None).await);
    drop(hasty);
    let client = member.client(Limits::default()).await;
    let consortium = client.consortium();
    let now = world.ledger.now().await.unwrap();
    consortium.retire(radiologist, now).await.unwrap();
    let retired = world.ledger.accreditation(radiologist).await.unwrap();
    assert_eq!(
        (retired.status, retired.since),
        (Accreditation::Retired, now)
    );
    assert!(!world.ledger.is_accredited(radiologist).await.unwrap());

    let again = consortium.accredit(radiologist, true, None).await.unwrap();
    assert!(!again.mined().unwrap().resumed);
    let found = world.ledger.accreditation(radiologist).await.unwrap();
    assert_eq!(found.accredited_at, retired.accredited_at);
    assert!(world.ledger.is_accredited(radiologist).await.unwrap());

    consortium
        .accredit(radiologist, false, Some(now))
        .await
        .unwrap();
    assert!(!world.ledger.is_accredited(radiologist).await.unwrap());
    let refused = consortium.accredit(radiologist, true, None).await;
    assert!(
        matches!(
            refused,
            Err(Error::Ledger(pcim_ledger::Error::Refused(
                Revert::BadStatus { .. }
            )))
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_old_trace_is_not_an_answer_to_a_new_question() {
    let world = asked().await;
    let doctor = Member::new(&world, &world.doctor);
    let me = world.doctor.address();
    cut_off(
        doctor
            .client(HASTY)
            .await
            .unlocked()
            .trace(&IMAGE, me)
            .await,
    );
    let open = world.ledger.grant(&IMAGE, me).await.unwrap();
    let approve = Call::ApproveIrs {
        requestor: me,
        image: IMAGE,
        public_key: KEY,
        requested_at: open.requested_at,
        notes_digest: open.notes_digest,
        shared_image: pcim_core::ImageDigest([0x22; 32]),
        expires_at: 0,
        notes: String::new(),
    };
    world.send(&world.patient, &approve).await;

    let client = doctor.client(Limits::default()).await;
    let traced = client
        .unlocked()
        .trace(&IMAGE, me)
        .await
        .unwrap()
        .mined()
        .unwrap();
    assert!(traced.authorized && !traced.written.resumed);
}

#[tokio::test]
async fn a_relay_that_was_cut_off_is_seen_through_and_not_sent_again() {
    let world = asked().await;
    let denial = Call::DenyIrs {
        requestor: world.doctor.address(),
        image: IMAGE,
        reason: String::new(),
    };
    let signed = world
        .patient
        .sign_call(
            &world.deployment,
            &denial,
            Nonce::Free(U256::ZERO),
            u64::MAX,
        )
        .unwrap();
    let relayer = Member::new(&world, &world.doctor);
    cut_off(relayer.client(HASTY).await.relayer().relay(&signed).await);
    assert_eq!(status(&world).await, GrantStatus::Denied);
    let sent = relayer.sent(&world.doctor).await;

    let client = relayer.client(Limits::default()).await;
    let again = client.relayer().relay(&signed).await.unwrap();
    assert!(
        matches!(&again, Relayed::Sent(written) if written.resumed),
        "{again:?}"
    );
    let done = match &again {
        Relayed::Sent(written) => Some(written.mined.tx),
        _ => None,
    };
    let again = client.relayer().relay(&signed).await.unwrap();
    assert!(
        matches!(&again, Relayed::Found(mined) if Some(mined.tx) == done),
        "{again:?}"
    );
    assert_eq!(relayer.sent(&world.doctor).await, sent);
}
