//! Images that the door gives out: searched and retrieved by other programs.

use super::*;
use crate::catalogue::Refusal;
use crate::catalogue::standing::stand;

const STUDY: &str = "StudyInstanceUID=2.25.2";

/// A door that gives out these files, one an image, to an application that may read, and moves them to a port.
async fn giving(files: &[Vec<u8>], port: u16, outcome: fn(u8) -> Option<Refusal>) -> Open {
    let (catalogue, asks) = Catalogue::new();
    stand(&catalogue, asks, files, outcome);
    let config = format!(
        "[[peer]]\nae = 'READER'\naddress = ['127.0.0.1']\nmay = ['read']\nmove_to = '127.0.0.1:{port}'\n\
         [[peer]]\nae = 'CT*'\naddress = ['127.0.0.1']"
    );
    let settings: Settings = toml::from_str(&config).unwrap();
    Open::with(|door| {
        door.current = in_force(settings);
        door.catalogue = Arc::new(catalogue);
    })
    .await
}

/// Files of one study.
fn study(dir: &Path, count: u64) -> Vec<PathBuf> {
    let write = |number| {
        let path = dir.join(format!("{number}.dcm"));
        write_instance(&path, number, 9000).unwrap();
        path
    };
    (0..count).map(write).collect()
}

fn contents(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    let read = |path: &PathBuf| std::fs::read(path).unwrap();
    paths.iter().map(read).collect()
}

/// The data sets of the files in a folder, in order.
fn data_sets(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    let mut all: Vec<_> = paths.iter().map(|path| data_set(path)).collect();
    all.sort();
    all
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|it| it.unwrap().path()).collect()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn listening(port: u16) {
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing listens on {port}");
}

/// Its output; the run must end well.
async fn good(program: &str, args: &[&str]) -> Option<String> {
    let ran = dcmtk(program, args).await?;
    let text = [ran.stdout, ran.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(ran.status.success(), "{program}: {text}");
    Some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn dcmtk_finds_gets_and_moves() {
    let dir = tempfile::tempdir().unwrap();
    let mut paths = study(dir.path(), 3);
    // One is compressed: it is sent as it is to who takes that, and decoded to who does not.
    let (plain, packed) = (paths[0].clone(), dir.path().join("packed.dcm"));
    let packing = [plain.to_str().unwrap(), packed.to_str().unwrap()];
    if good("dcmcrle", &packing).await.is_none() {
        return;
    }
    paths[0] = packed.clone();
    let to = free_port();
    let open = giving(&contents(&paths), to, |_| None).await;
    let (port, to) = (open.address.port().to_string(), to.to_string());
    let titles = ["-aec", "PCIM", "-aet", "READER", "127.0.0.1", &port];
    let run = async |program: &str, args: &[&str]| {
        let all = [args, &titles].concat();
        good(program, &all).await.unwrap()
    };
    // Each level, in both models.
    for (model, level, keys, count) in [
        ("-P", "PATIENT", &["PatientID", "PatientName=doe*"][..], 1),
        (
            "-P",
            "STUDY",
            &[
                "PatientID=12345678",
                "StudyInstanceUID",
                "NumberOfStudyRelatedInstances",
            ],
            1,
        ),
        ("-S", "STUDY", &["StudyDate", "ModalitiesInStudy=CT"], 1),
        ("-S", "STUDY", &["PatientName=Roe*"], 0),
        ("-S", "SERIES", &[STUDY, "SeriesInstanceUID", "Modality"], 1),
        (
            "-S",
            "IMAGE",
            &[STUDY, "SeriesInstanceUID=2.25.3", "SOPInstanceUID"],
            3,
        ),
    ] {
        let level = format!("QueryRetrieveLevel={level}");
        let mut args = vec!["-v", model, "-k", &level];
        keys.iter().for_each(|key| args.extend(["-k", key]));
        let text = run("findscu", &args).await;
        // The identifier stands in front of the answers.
        let found = text.matches("# Dicom-Data-Set").count() - 1;
        assert_eq!(found, count, "{level} {keys:?}: {text}");
    }
    let level = "QueryRetrieveLevel=STUDY";
    // Without compression, from the sender's own association.
    let got = dir.path().join("got");
    std::fs::create_dir(&got).unwrap();
    let folder = got.to_str().unwrap();
    run(
        "getscu",
        &["-S", "+B", "-od", folder, "-k", level, "-k", STUDY],
    )
    .await;
    let got = data_sets(&files_in(&got));
    for (number, path) in [&plain, &paths[1], &paths[2]].into_iter().enumerate() {
        let wanted = data_set(path);
        // The program that compressed it wrote some of its texts in other ways.
        let pixels = &wanted[wanted.len() - 8400..];
        let fits = |it: &Vec<u8>| *it == wanted || number == 0 && it.ends_with(pixels);
        assert!(got.iter().any(fits), "{number}");
    }
    assert_eq!(got.len(), 3);
    // To another application, as they were sealed.
    let moved = dir.path().join("moved");
    std::fs::create_dir(&moved).unwrap();
    let folder = moved.to_str().unwrap();
    let mut receiving = tokio::process::Command::new("storescp");
    receiving.args(["-aet", "READER", "+B", "+xa", "-od", folder, &to]);
    let _receiver = receiving.kill_on_drop(true).spawn().unwrap();
    listening(to.parse().unwrap()).await;
    let aim = ["-v", "-aem", "READER", "-S", "-k", level, "-k", STUDY];
    let said = run("movescu", &aim).await;
    let log = open.log.lock().unwrap().join("\n");
    assert!(
        data_sets(&files_in(&moved)) == data_sets(&paths),
        "{said}\n{log}"
    );
    // One instance, and one that is not there.
    let one = dir.path().join("one");
    std::fs::create_dir(&one).unwrap();
    let keys = [
        "-k",
        "QueryRetrieveLevel=IMAGE",
        "-k",
        STUDY,
        "-k",
        "SeriesInstanceUID=2.25.3",
    ];
    for instance in ["2.25.1000001", "2.25.404"] {
        let instance = format!("SOPInstanceUID={instance}");
        let args = [
            &["-S", "+B", "-od", one.to_str().unwrap()],
            &keys[..],
            &["-k", &instance],
        ];
        run("getscu", &args.concat()).await;
    }
    assert_eq!(data_sets(&files_in(&one)), data_sets(&paths[1..2]));
    assert_eq!(open.metrics.retrieved.get(), 7);
    let log = open.log.lock().unwrap().join("\n");
    assert!(
        log.contains(r#""event":"retrieved""#) && !log.contains("2.25."),
        "{log}"
    );
}

/// Asks with an identifier of `keys`, and returns the statuses of the answers.
async fn ask(
    open: &Open,
    titles: (&str, &str),
    class: &str,
    field: u16,
    keys: &[(u16, u16, &[u8; 2], &str)],
) -> Vec<(u16, String)> {
    let options = ClientAssociationOptions::new()
        .calling_ae_title(titles.0)
        .called_ae_title(titles.1);
    let options = options.with_presentation_context(class.to_owned(), vec![EXPLICIT.to_owned()]);
    let mut association = options.establish_async(open.address).await.unwrap();
    let context = association.presentation_contexts()[0].id;
    let mut data = Vec::new();
    for (group, element, vr, value) in keys {
        data.extend(group.to_le_bytes());
        data.extend(element.to_le_bytes());
        data.extend(*vr);
        let pad = value.len() % 2;
        data.extend(((value.len() + pad) as u16).to_le_bytes());
        data.extend(value.bytes());
        data.extend(&b" "[..pad]);
    }
    let command = Command::request(field, 7, class, None).with_data_set();
    for pdu in message(context, &command, &data, true) {
        association.send(&pdu).await.unwrap();
    }
    let mut statuses = Vec::new();
    loop {
        let answer = answer(&mut association).await;
        let status = answer.status().unwrap();
        if answer.has_data_set() {
            association.receive().await.unwrap();
        }
        statuses.push((status, answer.comment().unwrap_or_default()));
        if ![status::PENDING, status::PENDING_PARTLY].contains(&status) {
            association.release().await.unwrap();
            return statuses;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_status_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let files = contents(&study(dir.path(), 1));
    let open = giving(&files, 1, |_| {
        Some(Refusal::Ended("the access has ended".to_owned()))
    })
    .await;
    let (find, get, moved) = (
        "1.2.840.10008.5.1.4.1.2.2.1",
        "1.2.840.10008.5.1.4.1.2.2.3",
        "1.2.840.10008.5.1.4.1.2.2.2",
    );
    let study = [
        (0x0008, 0x0052, b"CS", "STUDY"),
        (0x0020, 0x000d, b"UI", "2.25.2"),
    ];
    let reader = ("READER", "PCIM");
    let last = async |titles, class, field, keys| {
        ask(&open, titles, class, field, keys).await.pop().unwrap()
    };

    let (status, why) = last(reader, get, field::C_GET, &study).await;
    assert_eq!(
        (status, why.as_str()),
        (status::NOT_AUTHORIZED, "the access has ended")
    );
    let (status, why) = last(("CT1", "PCIM"), find, field::C_FIND, &study).await;
    assert_eq!(status, status::NOT_AUTHORIZED);
    assert!(why.contains("may not read"), "{why}");
    let (status, _) = last(reader, moved, field::C_MOVE, &study).await;
    assert_eq!(status, status::DESTINATION_UNKNOWN);
    for (class, field) in [(get, field::C_FIND), (find, field::C_GET)] {
        let (status, _) = last(reader, class, field, &study).await;
        assert_eq!(status, status::CLASS_NOT_SUPPORTED);
    }
    // A level that this model does not have, none, a date that is none, no study.
    for keys in [
        &[(0x0008, 0x0052, b"CS", "PATIENT")][..],
        &[(0x0010, 0x0020, b"LO", "1")],
        &[
            (0x0008, 0x0020, b"DA", "yesterday"),
            (0x0008, 0x0052, b"CS", "STUDY"),
        ],
    ] {
        let (status, why) = last(reader, find, field::C_FIND, keys).await;
        assert_eq!(status, status::DOES_NOT_MATCH, "{keys:?}");
        assert!(!why.is_empty() && !why.contains("yesterday"), "{why}");
    }
    let (status, _) = last(reader, get, field::C_GET, &study[..1]).await;
    assert_eq!(status, status::DOES_NOT_MATCH);
    // A key that is none of the search's is not matched, and the answers say so.
    let other = [
        (0x0008, 0x0052, b"CS", "STUDY"),
        (0x0008, 0x0080, b"LO", "Clinic"),
    ];
    let (status, _) = ask(&open, reader, find, field::C_FIND, &other)
        .await
        .remove(0);
    assert_eq!(status, status::PENDING_PARTLY);
    // A sender that may read does not store.
    let options = ClientAssociationOptions::new()
        .calling_ae_title("READER")
        .called_ae_title("PCIM");
    let options = options.with_presentation_context(CT.to_owned(), vec![EXPLICIT.to_owned()]);
    let mut association = options.establish_async(open.address).await.unwrap();
    let data = data_set(&dir.path().join("0.dcm"));
    assert_eq!(
        store(&mut association, "2.25.1000000", &data).await,
        status::NOT_AUTHORIZED
    );
    association.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pynetdicom_finds_gets_and_cancels() {
    let Some(python) = std::env::var_os("PCIM_TEST_PYTHON") else {
        println!("skipped: PCIM_TEST_PYTHON names no Python with pynetdicom");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let open = giving(&contents(&study(dir.path(), 120)), 1, |_| None).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dimse/reader.py");
    let mut command = tokio::process::Command::new(python);
    command.arg(script).arg(open.address.port().to_string());
    let ran = command.output().await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    println!("{}", String::from_utf8_lossy(&ran.stdout));
}
