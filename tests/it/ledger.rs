//! The client's view of the contract, against the contract: calls, refusals, events and views through `ledger`.

use std::time::Duration;

use pcim_core::{Address, BlockDigest, Event, GrantStatus, ImageDigest, Seal, U256};
use pcim_deploy::{artifact, deploy};
use pcim_ledger::{
    Account, Accreditation, Attestation, Call, Deployment, Error, EventFilter, Ledger, Mined,
    NotesDigest, Revert, Version,
};
use stylus_devnet::{Config, Handle};

pub(super) const IMAGE: ImageDigest = ImageDigest([0x11; 32]);
const SHARED: ImageDigest = ImageDigest([0x22; 32]);
const SEAL: Seal = Seal([0x33; 32]);
pub(super) const KEY: BlockDigest = BlockDigest([0x44; 32]);
const WAIT: Duration = Duration::from_secs(30);

pub(super) struct World {
    pub(super) devnet: Handle,
    pub(super) deployment: Deployment,
    pub(super) ledger: Ledger,
    pub(super) consortium: Account,
    pub(super) radiologist: Account,
    pub(super) patient: Account,
    pub(super) doctor: Account,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::of(artifact::PCAC_WASM).await
    }

    /// With version 1 of the contract.
    pub(super) async fn of_version_1() -> Self {
        Self::of(artifact::V1_WASM).await
    }

    async fn of(wasm: &[u8]) -> Self {
        let devnet = stylus_devnet::spawn(Config::default()).await.unwrap();
        let account =
            |n: usize| Account::from_private_key(&devnet.accounts()[n].private_key.0).unwrap();
        let consortium = account(1);
        let record = deploy::deploy(&deploy::Request {
            rpc_url: &devnet.url(),
            chain_id: devnet.chain_id(),
            deployer_key: &devnet.accounts()[0].private_key.0,
            consortium: consortium.address(),
            predecessor: None,
            wasm,
            max_fee: deploy::MAX_FEE,
            records: None,
        })
        .await
        .unwrap();
        let deployment = Deployment {
            rpc_url: devnet.url(),
            chain_id: record.chain_id,
            contract: record.contract,
        };
        let ledger = Ledger::connect(deployment.clone()).await.unwrap();
        assert_eq!(ledger.consortium().await.unwrap(), consortium.address());
        let (radiologist, patient, doctor) = (account(2), account(3), account(4));
        Self {
            devnet,
            deployment,
            ledger,
            consortium,
            radiologist,
            patient,
            doctor,
        }
    }

    pub(super) async fn send(&self, from: &Account, call: &Call) -> Mined {
        let signed = self.ledger.prepare(from, call, None).await.unwrap();
        self.ledger.submit(&signed, WAIT).await.unwrap()
    }

    async fn refusal(&self, from: &Account, call: &Call) -> Revert {
        match self.ledger.prepare(from, call, None).await {
            Err(Error::Refused(reason)) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) fn registration(&self) -> Call {
        let Deployment {
            chain_id, contract, ..
        } = self.deployment;
        let patient = self.patient.address();
        let attested = Attestation {
            version: self.ledger.version(),
            chain_id,
            contract,
            image: IMAGE,
            patient,
            seal: SEAL,
            replaces: 0,
        };
        let attestation = self.radiologist.attest(&attested).unwrap();
        let signer = attested.signer(&attestation).unwrap();
        assert_eq!(signer, self.radiologist.address());
        Call::CreateContract {
            image: IMAGE,
            patient,
            seal: SEAL,
            radiologist: self.radiologist.address(),
            attestation: attestation.to_vec(),
            description: "CT CHEST".into(),
        }
    }
}

#[tokio::test]
async fn a_whole_consent_through_the_ledger() {
    let w = World::start().await;
    assert_eq!(w.ledger.version(), Version::V2);
    whole_consent(w).await;
}

#[tokio::test]
async fn a_whole_consent_at_version_1() {
    let w = World::of_version_1().await;
    assert_eq!(w.ledger.version(), Version::V1);
    whole_consent(w).await;
}

#[tokio::test]
async fn an_image_of_version_1_is_taken_over_by_version_2() {
    let w = World::of_version_1().await;
    let accredit = Call::AccreditRadiologist {
        radiologist: w.radiologist.address(),
        status: Accreditation::Accredited,
        since: 0,
    };
    w.send(&w.consortium, &accredit).await;
    w.send(&w.patient, &w.registration()).await;
    let before = w.ledger.image_record(&IMAGE).await.unwrap().unwrap();
    // What version 1 has not is said, and nothing is sent.
    let withdraw = Call::WithdrawImage { image: IMAGE };
    let lacks = w.ledger.prepare(&w.patient, &withdraw, None).await;
    assert!(
        matches!(
            lacks,
            Err(Error::Lacks {
                function: "withdraw_image"
            })
        ),
        "{lacks:?}"
    );

    let old = w.deployment.contract;
    let url = w.devnet.url();
    let request = deploy::Request {
        rpc_url: &url,
        chain_id: w.devnet.chain_id(),
        deployer_key: &w.devnet.accounts()[0].private_key.0,
        consortium: w.consortium.address(),
        predecessor: Some(old),
        wasm: artifact::PCAC_WASM,
        max_fee: deploy::MAX_FEE,
        records: None,
    };
    let record = deploy::deploy(&request).await.unwrap();
    assert_eq!(record.predecessor, Some(old));
    let next = Ledger::connect(Deployment {
        contract: record.contract,
        ..w.deployment.clone()
    });
    let next = next.await.unwrap();
    assert_eq!(next.version(), Version::V2);
    assert_eq!(next.predecessor().await.unwrap(), Some(old));
    assert_eq!(next.image_record(&IMAGE).await.unwrap(), None);
    let import = Call::ImportImage { image: IMAGE };
    let stranger = next.prepare(&w.doctor, &import, None).await;
    assert!(matches!(
        stranger,
        Err(Error::Refused(Revert::NotPatient { .. }))
    ));
    let signed = next.prepare(&w.patient, &import, None).await.unwrap();
    let mined = next.submit(&signed, WAIT).await.unwrap();
    assert!(
        matches!(mined.events.last().map(|it| &it.event), Some(Event::ImageImported { registered_at, tag: 0, .. }) if *registered_at == before.registered_at),
        "{:?}",
        mined.events
    );
    let after = next.image_record(&IMAGE).await.unwrap().unwrap();
    assert_eq!(
        (after.patient, after.registered_at),
        (before.patient, before.registered_at)
    );
    let twice = next.prepare(&w.patient, &import, None).await;
    assert!(matches!(
        twice,
        Err(Error::Refused(Revert::ImageTaken { .. }))
    ));

    // Nothing that is no contract of this kind is a predecessor.
    let none = deploy::deploy(&deploy::Request {
        predecessor: Some(w.doctor.address()),
        ..request
    })
    .await;
    assert!(
        matches!(none, Err(deploy::Error::NoPredecessor { .. })),
        "{none:?}"
    );
    w.devnet.shutdown().await;
}

async fn whole_consent(w: World) {
    let (patient, doctor) = (w.patient.address(), w.doctor.address());
    let radiologist = w.radiologist.address();

    // Not accredited yet: the contract's own error arrives typed.
    assert_eq!(
        w.refusal(&w.patient, &w.registration()).await,
        Revert::NotAccredited { radiologist }
    );
    w.send(
        &w.consortium,
        &Call::AccreditRadiologist {
            radiologist,
            status: Accreditation::Accredited,
            since: 0,
        },
    )
    .await;
    assert!(w.ledger.is_accredited(radiologist).await.unwrap());

    assert_eq!(w.ledger.image_record(&IMAGE).await.unwrap(), None);
    let created = w.send(&w.patient, &w.registration()).await;
    assert_eq!(created.returns, Some(true));
    assert!(created.gas_used > 0 && created.gas_price > 0);
    assert!(
        matches!(&created.events[..], [e] if e.timestamp.is_some()
            && matches!(&e.event, Event::ContractCreated { seal: SEAL, info, .. } if info == "CT CHEST")),
        "{:?}",
        created.events
    );
    let record = w.ledger.image_record(&IMAGE).await.unwrap().unwrap();
    assert_eq!((record.patient, record.approval_limit), (patient, 0));

    let ask = Call::RequestingAccess {
        patient,
        image: IMAGE,
        public_key: KEY,
        notes: "TREAT".into(),
    };
    assert_eq!(w.send(&w.doctor, &ask).await.returns, Some(false));
    let grant = w.ledger.grant(&IMAGE, doctor).await.unwrap();
    assert_eq!(
        (grant.status, grant.public_key_prefix),
        (GrantStatus::Requested, [0x44; 16])
    );
    assert_eq!(grant.shared_image, None);

    let approve = Call::ApproveIrs {
        requestor: doctor,
        image: IMAGE,
        public_key: KEY,
        requested_at: grant.requested_at,
        notes_digest: match w.ledger.version() {
            Version::V1 => NotesDigest::default(),
            Version::V2 => NotesDigest::of("TREAT"),
        },
        shared_image: SHARED,
        expires_at: 0,
        notes: String::new(),
    };
    assert_eq!(
        w.refusal(&w.doctor, &approve).await,
        Revert::NotPatient {
            caller: doctor,
            patient
        }
    );
    let approved = w.send(&w.patient, &approve).await;
    assert!(matches!(
        approved.events.iter().map(|e| &e.event).collect::<Vec<_>>()[..],
        [
            Event::Requestaccepted { .. },
            Event::Approved {
                shared_image: SHARED,
                ..
            }
        ]
    ));
    assert!(
        w.ledger
            .is_authorized(patient, doctor, &IMAGE)
            .await
            .unwrap()
    );

    let remove = Call::RemoveIrs {
        requestor: doctor,
        image: IMAGE,
    };
    assert_eq!(w.send(&w.patient, &remove).await.returns, Some(true));
    let trace = Call::TraceAuthorization {
        patient,
        requestor: doctor,
        image: IMAGE,
    };
    assert_eq!(w.send(&w.doctor, &trace).await.returns, Some(false));
    assert!(
        !w.ledger
            .is_authorized(patient, doctor, &IMAGE)
            .await
            .unwrap()
    );

    // What the receipts told and what the chain's index tells is the same.
    let about = EventFilter {
        image: Some(IMAGE),
        ..EventFilter::default()
    };
    let events = w.ledger.events(&about).await.unwrap();
    assert_eq!(events.len(), 7, "{events:?}");
    assert!(events.starts_with(&created.events));
    let of_doctor = EventFilter {
        requestor: Some(doctor),
        ..about.clone()
    };
    assert_eq!(w.ledger.events(&of_doctor).await.unwrap().len(), 5);
    let whole = w.ledger.events(&EventFilter::default()).await.unwrap();
    assert!(matches!(
        whole[0].event,
        Event::ConsortiumTransferred {
            from: Address::ZERO,
            ..
        }
    ));
    assert_eq!(whole.len(), events.len() + 2);
    w.devnet.shutdown().await;
}

#[tokio::test]
async fn a_call_goes_out_once_however_often_it_is_submitted() {
    let w = World::start().await;
    let accredit = Call::AccreditRadiologist {
        radiologist: w.radiologist.address(),
        status: Accreditation::Accredited,
        since: 0,
    };
    let signed = w
        .ledger
        .prepare(&w.consortium, &accredit, None)
        .await
        .unwrap();
    // Another call prepared at the same time takes the same nonce.
    let transfer = Call::TransferConsortium {
        to: w.doctor.address(),
    };
    let rival = w
        .ledger
        .prepare(&w.consortium, &transfer, None)
        .await
        .unwrap();
    assert_eq!(signed.nonce, rival.nonce);

    let mined = w.ledger.submit(&signed, WAIT).await.unwrap();
    let again = Ledger::connect(w.deployment.clone()).await.unwrap();
    assert_eq!(again.submit(&signed, WAIT).await.unwrap(), mined);
    assert_eq!(again.mined(&signed.tx).await.unwrap(), Some(mined));
    let error = again.submit(&rival, WAIT).await.unwrap_err();
    assert!(
        matches!(error, Error::Replaced { tx, .. } if tx == rival.tx),
        "{error}"
    );
    assert_eq!(again.consortium().await.unwrap(), w.consortium.address());
    w.devnet.shutdown().await;
}

#[tokio::test]
async fn ether_moves_and_its_lack_is_told() {
    let w = World::start().await;
    let poor = Account::generate();
    let call = Call::RemoveIrs {
        requestor: w.doctor.address(),
        image: IMAGE,
    };
    assert_eq!(
        w.refusal(&poor, &call).await,
        Revert::UnknownImage { image: IMAGE }
    );
    let ask = Call::TransferConsortium {
        to: w.doctor.address(),
    };
    assert_eq!(
        w.refusal(&poor, &ask).await,
        Revert::NotConsortium {
            caller: poor.address()
        }
    );

    let wei = U256::from(1_000_000);
    let mined = w
        .ledger
        .transfer(&w.doctor, poor.address(), wei)
        .await
        .unwrap();
    assert!(mined.events.is_empty());
    assert_eq!(w.ledger.balance(poor.address()).await.unwrap(), wei);
    let error = w
        .ledger
        .transfer(&poor, w.doctor.address(), wei)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Funds { have, need, .. } if have == wei && need > wei),
        "{error}"
    );
    assert!(w.ledger.block_number().await.unwrap() >= mined.block);
    assert!(w.ledger.now().await.unwrap() > 1_600_000_000);
    w.devnet.shutdown().await;
}

#[tokio::test]
async fn connecting_tells_what_is_wrong() {
    let w = World::start().await;
    let connect = async |change: &dyn Fn(&mut Deployment)| {
        let mut deployment = w.deployment.clone();
        change(&mut deployment);
        Ledger::connect(deployment).await.unwrap_err()
    };
    let found = w.deployment.chain_id;
    assert!(matches!(
        connect(&|d| d.chain_id = 1).await,
        Error::WrongChain { wanted: 1, found: f } if f == found
    ));
    let nobody = Address::repeat_byte(9);
    assert!(matches!(
        connect(&|d| d.contract = nobody).await,
        Error::NoContract { address } if address == nobody
    ));
    assert!(matches!(
        connect(&|d| d.contract = deploy::STYLUS_DEPLOYER).await,
        Error::NotPcac { .. }
    ));
    w.devnet.shutdown().await;
    assert!(matches!(connect(&|_| ()).await, Error::Rpc { .. }));
}

#[tokio::test]
async fn deploying_again_costs_no_activation_and_needs_ether() {
    let w = World::start().await;
    let url = w.devnet.url();
    let key = w.patient.expose_key();
    let request = deploy::Request {
        rpc_url: &url,
        chain_id: w.deployment.chain_id,
        deployer_key: &key,
        consortium: w.consortium.address(),
        predecessor: None,
        wasm: artifact::PCAC_WASM,
        max_fee: deploy::MAX_FEE,
        records: None,
    };
    let record = deploy::deploy(&request).await.unwrap();
    assert_ne!(record.contract, w.deployment.contract);
    assert_eq!(record.data_fee, "0");
    assert_eq!(record.wasm_sha256, artifact::manifest().unwrap().sha256);

    let pauper = Account::generate().expose_key();
    let error = deploy::deploy(&deploy::Request {
        deployer_key: &pauper,
        ..request
    })
    .await
    .unwrap_err();
    assert!(
        matches!(error, deploy::Error::Funds { have, .. } if have == U256::ZERO),
        "{error}"
    );
    w.devnet.shutdown().await;
}
