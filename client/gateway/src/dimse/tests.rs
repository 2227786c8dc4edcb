#![allow(clippy::unwrap_used)]

mod giving;
mod hostile;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dicom_ul::association::client::{AsyncClientAssociation, ClientAssociationOptions};
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};
use pcim_dicom::arrival::file_parts;
use pcim_dicom::commitment::CommitmentRequest;
use pcim_dicom::sample::write_instance;
use pcim_seal::{KeyKind, UnlockedKey};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::classes::{COMMITMENT, COMMITMENT_INSTANCE, EXPLICIT, VERIFICATION};
use super::command::{Command, field};
use super::serve::Door;
use crate::catalogue::Catalogue;
use crate::current::{Current, InForce};
use crate::limits::{Limits, Timing};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::spool::Spool;
use crate::spool::kept::Department;
use crate::status;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

fn in_force(settings: Settings) -> Current {
    Current::new(InForce::read(settings).unwrap())
}

/// A door that listens, and what it is made of.
struct Open {
    address: SocketAddr,
    spool: Arc<Spool>,
    metrics: Arc<Metrics>,
    log: Arc<Mutex<Vec<String>>>,
    stop: watch::Sender<bool>,
    dir: TempDir,
}

impl Open {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Door)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = Arc::new(UnlockedKey::generate(KeyKind::default(), None).unwrap());
        let limits = Limits {
            spool_bytes: 1 << 30,
            free_bytes: 0,
            object_bytes: 1 << 30,
            remember: Duration::from_secs(60),
        };
        let spool = Spool::open(&dir.path().join("spool"), Department::new(key), limits);
        let spool = Arc::new(spool.unwrap());
        let metrics = Arc::new(Metrics::default());
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let mut door = Door {
            called: Some("PCIM".to_owned()),
            current: in_force(Settings::default()),
            catalogue: Arc::new(Catalogue::new().0),
            timing: Timing {
                pdu: 1 << 17,
                request: Duration::from_secs(20),
                idle: Duration::from_secs(60),
                stall: Duration::from_secs(30),
            },
            spool: Arc::clone(&spool),
            metrics: Arc::clone(&metrics),
            log: Log::new(Arc::new(move |line| {
                lines.lock().unwrap().push(line.to_owned())
            })),
            associations: 100,
        };
        change(&mut door);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(Arc::new(door).serve(listener, stopped));
        Self {
            address,
            spool,
            metrics,
            log,
            stop,
            dir,
        }
    }

    /// Instances of one study, as files.
    fn files(&self, count: u64, bytes: u64) -> Vec<PathBuf> {
        let folder = self.dir.path().join("files");
        std::fs::create_dir_all(&folder).unwrap();
        let write = |number| {
            let path = folder.join(format!("{number}.dcm"));
            write_instance(&path, number, bytes).unwrap();
            path
        };
        (0..count).map(write).collect()
    }

    async fn associate(&self, class: &str) -> AsyncClientAssociation<TcpStream> {
        let options = ClientAssociationOptions::new();
        let options = options.calling_ae_title("CT1").called_ae_title("PCIM");
        let options =
            options.with_presentation_context(class.to_owned(), vec![EXPLICIT.to_owned()]);
        options.establish_async(self.address).await.unwrap()
    }
}

/// Runs one of dcmtk's programs; none, with a word, where it is not installed.
async fn dcmtk(program: &str, args: &[&str]) -> Option<Output> {
    let ran = tokio::process::Command::new(program)
        .args(args)
        .output()
        .await;
    if ran.is_err() {
        println!("skipped: {program} of dcmtk is not installed");
    }
    ran.ok()
}

fn message(context: u8, command: &Command, data: &[u8], last: bool) -> Vec<Pdu> {
    let value = |value_type, data: &[u8], is_last| Pdu::PData {
        data: vec![PDataValue {
            presentation_context_id: context,
            value_type,
            is_last,
            data: data.to_vec(),
        }],
    };
    let mut pdus = vec![value(PDataValueType::Command, &command.to_bytes(), true)];
    let pieces: Vec<&[u8]> = data.chunks(16_000).collect();
    for (number, piece) in pieces.iter().enumerate() {
        let is_last = last && number + 1 == pieces.len();
        pdus.push(value(PDataValueType::Data, piece, is_last));
    }
    pdus
}

async fn answer(association: &mut AsyncClientAssociation<TcpStream>) -> Command {
    match association.receive().await.unwrap() {
        Pdu::PData { data } => Command::read(&data[0].data).unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn store(
    association: &mut AsyncClientAssociation<TcpStream>,
    instance: &str,
    data: &[u8],
) -> u16 {
    let context = association.presentation_contexts()[0].id;
    let command = Command::request(field::C_STORE, 7, CT, Some(instance));
    for pdu in message(context, &command, data, true) {
        association.send(&pdu).await.unwrap();
    }
    answer(association).await.status().unwrap()
}

fn data_set(path: &Path) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    file[file_parts(&file).unwrap().1..].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_verifies_and_stores() {
    let open = Open::new().await;
    let port = open.address.port().to_string();
    let Some(echo) = dcmtk("echoscu", &["-aec", "PCIM", "127.0.0.1", &port]).await else {
        return;
    };
    assert!(echo.status.success(), "{echo:?}");
    let files = open.files(60, 30_000);
    let names: Vec<&str> = files.iter().map(|it| it.to_str().unwrap()).collect();
    let began = std::time::Instant::now();
    let mut args = vec!["-aec", "PCIM", "-aet", "CT1", "127.0.0.1", &port];
    args.extend(&names);
    let stored = dcmtk("storescu", &args).await.unwrap();
    assert!(stored.status.success(), "{stored:?}");
    println!("60 objects by default storescu in {:?}", began.elapsed());
    assert_eq!(open.spool.study(1).unwrap().objects.len(), 60);
    // Again: acknowledged, and not kept twice.
    assert!(dcmtk("storescu", &args).await.unwrap().status.success());
    assert_eq!(
        (open.metrics.kept.get(), open.metrics.known.get()),
        (60, 60)
    );
    let wrong = dcmtk("echoscu", &["-aec", "OTHER", "127.0.0.1", &port])
        .await
        .unwrap();
    assert!(!wrong.status.success());
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("Called AE Title Not Recognized"), "{said}");
    let lines = open.log.lock().unwrap().join("\n");
    assert!(
        lines.contains(r#""ae":"CT1""#) && lines.contains(r#""kept":"60""#),
        "{lines}"
    );
    for secret in ["Doe", "12345678", "2.25."] {
        assert!(!lines.contains(secret), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_stores_every_class_and_gets_its_commitment() {
    let Some(python) = std::env::var_os("PCIM_TEST_PYTHON") else {
        println!("skipped: PCIM_TEST_PYTHON names no Python with pynetdicom");
        return;
    };
    let open = Open::new().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dimse/peer.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(open.address.port().to_string());
    let ran = command.arg(&open.files(1, 3000)[0]).output().await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(open.spool.study(1).unwrap().objects.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_associations_store_at_once() {
    let open = Arc::new(Open::new().await);
    let files = open.files(100, 4000);
    let mut sending = tokio::task::JoinSet::new();
    for (number, path) in files.into_iter().enumerate() {
        let open = Arc::clone(&open);
        sending.spawn(async move {
            let mut association = open.associate(CT).await;
            let instance = format!("2.25.{}", 1_000_000 + number);
            let status = store(&mut association, &instance, &data_set(&path)).await;
            association.release().await.unwrap();
            status
        });
    }
    let statuses = sending.join_all().await;
    assert_eq!(statuses, [status::SUCCESS; 100]);
    assert_eq!(open.spool.study(1).unwrap().objects.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_associations_are_rejected_and_come_later() {
    let open = Open::with(|door| door.associations = 2).await;
    let held = [
        open.associate(VERIFICATION).await,
        open.associate(VERIFICATION).await,
    ];
    let options = ClientAssociationOptions::new().called_ae_title("PCIM");
    let options = options.with_presentation_context(VERIFICATION, vec![EXPLICIT]);
    let third = options.establish_async(open.address).await;
    let why = third.err().unwrap().to_string();
    assert!(why.contains("local limit exceeded"), "{why}");
    for association in held {
        association.release().await.unwrap();
    }
    for _ in 0..50 {
        if open.metrics.associations.get() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    open.associate(VERIFICATION).await.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commitment_is_given_for_what_is_on_the_disk_to_stay() {
    let open = Open::new().await;
    let files = open.files(2, 3000);
    let mut association = open.associate(CT).await;
    for (number, path) in files.iter().enumerate() {
        let instance = format!("2.25.{}", 1_000_000 + number);
        assert_eq!(
            store(&mut association, &instance, &data_set(path)).await,
            status::SUCCESS
        );
    }
    association.release().await.unwrap();
    let mut association = open.associate(COMMITMENT).await;
    let context = association.presentation_contexts()[0].id;
    for missing in [false, true] {
        let mut request = CommitmentRequest {
            transaction: "2.25.777".to_owned(),
            instances: (0..2)
                .map(|it| (CT.to_owned(), format!("2.25.{}", 1_000_000 + it)))
                .collect(),
        };
        if missing {
            request
                .instances
                .push((CT.to_owned(), "2.25.404".to_owned()));
        }
        let data = request.report(|_| None, EXPLICIT).unwrap();
        let command = Command::action_request(3, COMMITMENT, COMMITMENT_INSTANCE, 1);
        for pdu in message(context, &command, &data, true) {
            association.send(&pdu).await.unwrap();
        }
        assert_eq!(
            answer(&mut association).await.status(),
            Some(status::SUCCESS)
        );
        let event = answer(&mut association).await;
        assert_eq!(event.field(), field::N_EVENT_REPORT);
        let Pdu::PData { data } = association.receive().await.unwrap() else {
            panic!("the report has a data set")
        };
        let report = CommitmentRequest::read(&data[0].data, EXPLICIT).unwrap();
        assert_eq!(
            (report.transaction.as_str(), report.instances.len()),
            ("2.25.777", 2)
        );
        let failed = memchr::memmem::find(&data[0].data, b"2.25.404").is_some();
        assert_eq!(failed, missing);
        let thanks = event.response(status::SUCCESS, "");
        association
            .send(&message(context, &thanks, b"", true)[0])
            .await
            .unwrap();
    }
    assert!(open.spool.study(1).unwrap().record.committed);
    // Another action, another instance.
    for (instance, action, wanted) in [
        (COMMITMENT_INSTANCE, 2, status::NO_SUCH_ACTION),
        ("1.2.3", 1, status::NO_SUCH_INSTANCE),
        (COMMITMENT_INSTANCE, 1, status::INVALID_ARGUMENT),
    ] {
        let command = Command::action_request(3, COMMITMENT, instance, action);
        for pdu in message(context, &command, b"nothing!", true) {
            association.send(&pdu).await.unwrap();
        }
        assert_eq!(answer(&mut association).await.status(), Some(wanted));
    }
    association.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_goes_to_where_its_application_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!("[[peer]]\nae = 'CT*'\naddress = ['127.0.0.1']\nreport_port = {port}");
    let settings: Settings = toml::from_str(&config).unwrap();
    let open = Open::with(|door| door.current = in_force(settings)).await;
    let mut association = open.associate(COMMITMENT).await;
    let context = association.presentation_contexts()[0].id;
    let request = CommitmentRequest {
        transaction: "2.25.778".to_owned(),
        instances: (0..900)
            .map(|it| (CT.to_owned(), format!("2.25.{it}")))
            .collect(),
    };
    let data = request.report(|_| None, EXPLICIT).unwrap();
    let command = Command::action_request(3, COMMITMENT, COMMITMENT_INSTANCE, 1);
    for pdu in message(context, &command, &data, true) {
        association.send(&pdu).await.unwrap();
    }
    assert_eq!(
        answer(&mut association).await.status(),
        Some(status::SUCCESS)
    );
    association.release().await.unwrap();

    let (stream, _) = listener.accept().await.unwrap();
    let options = dicom_ul::association::server::ServerAssociationOptions::new();
    let options = options.ae_title("CT1").accept_called_ae_title();
    let options = options
        .with_abstract_syntax(COMMITMENT)
        .with_transfer_syntax(EXPLICIT);
    let mut waiting = options.establish_async(stream).await.unwrap();
    let (mut event, mut report) = (Vec::new(), Vec::new());
    let mut is_whole = false;
    while !is_whole {
        let Pdu::PData { data } = waiting.receive().await.unwrap() else {
            panic!("a report is wanted")
        };
        for value in data {
            match value.value_type {
                PDataValueType::Command => event.extend(value.data),
                PDataValueType::Data => {
                    is_whole = value.is_last;
                    report.extend(value.data);
                }
            }
        }
    }
    let event = Command::read(&event).unwrap();
    assert_eq!(
        (event.field(), event.instance()),
        (field::N_EVENT_REPORT, Some(COMMITMENT_INSTANCE))
    );
    assert_eq!(memchr::memmem::find_iter(&report, b"2.25.").count(), 901);
    let thanks = event.response(status::SUCCESS, "");
    waiting
        .send(&message(context, &thanks, b"", true)[0])
        .await
        .unwrap();
    assert!(matches!(waiting.receive().await, Ok(Pdu::ReleaseRQ)));
    waiting.send(&Pdu::ReleaseRP).await.unwrap();
    for _ in 0..100 {
        let lines = open.log.lock().unwrap().join("\n");
        if lines.contains("delivered") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the log does not say that it was delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_why_and_the_association_goes_on() {
    let open = Open::new().await;
    let path = open.files(1, 5000).remove(0);
    let data = data_set(&path);
    let mut association = open.associate(CT).await;
    assert_eq!(
        store(&mut association, "2.25.5", &data).await,
        status::DOES_NOT_MATCH
    );
    assert_eq!(
        store(&mut association, "2.25.1000000", &data[..300]).await,
        status::CANNOT_UNDERSTAND
    );
    assert_eq!(
        store(&mut association, "2.25.1000000", &data).await,
        status::SUCCESS
    );
    let mut other = data.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(
        store(&mut association, "2.25.1000000", &other).await,
        status::DUPLICATE_INSTANCE
    );
    let context = association.presentation_contexts()[0].id;
    let unknown = Command::request(0x0020, 9, CT, None);
    association
        .send(&message(context, &unknown, b"", true)[0])
        .await
        .unwrap();
    assert_eq!(
        answer(&mut association).await.status(),
        Some(status::UNRECOGNIZED)
    );
    association.release().await.unwrap();
    assert_eq!(open.metrics.refused.get(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_associations() {
    let open = Open::new().await;
    let mut association = open.associate(CT).await;
    open.stop.send(true).unwrap();
    assert!(matches!(
        association.receive().await,
        Ok(Pdu::AbortRQ { .. })
    ));
    // The door closes its port beside the associations, not before them.
    for _ in 0..100 {
        if TcpStream::connect(open.address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the port is open");
}
