#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::time::{Duration, Instant};

use pcim_dicom::arrival::{Arrival, file_parts};
use pcim_dicom::sample::write_instance;
use pcim_seal::{KeyKind, UnlockedKey};
use tempfile::TempDir;

use super::arrive::{Origin, Taken};
use super::*;

const LIMITS: Limits = Limits {
    spool_bytes: 1 << 30,
    free_bytes: 0,
    object_bytes: 64 << 20,
    remember: Duration::from_secs(3600),
};

/// A key, and a folder for the spool.
struct Place {
    dir: TempDir,
    key: Arc<UnlockedKey>,
}

impl Place {
    fn new() -> Self {
        let key = UnlockedKey::generate(KeyKind::default(), None).unwrap();
        Self {
            dir: tempfile::tempdir().unwrap(),
            key: Arc::new(key),
        }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    fn open(&self) -> Arc<Spool> {
        self.open_in(&self.folder(), LIMITS).unwrap()
    }

    fn open_in(&self, folder: &Path, limits: Limits) -> Result<Arc<Spool>> {
        let department = Department::new(Arc::clone(&self.key));
        Spool::open(folder, department, limits).map(Arc::new)
    }

    /// A file as a sender has it.
    fn file(&self, number: u64, bytes: u64) -> Vec<u8> {
        let path = self.dir.path().join("sample.dcm");
        write_instance(&path, number, bytes).unwrap();
        fs::read(path).unwrap()
    }
}

fn origin(syntax: &str) -> Origin {
    Origin {
        sender: "CT1".to_owned(),
        class: None,
        instance: None,
        study: None,
        syntax: syntax.to_owned(),
    }
}

/// Sends a file's data set in pieces of this size.
async fn send(
    spool: &Arc<Spool>,
    file: &[u8],
    piece: usize,
) -> std::result::Result<Taken, Refused> {
    let (syntax, start) = file_parts(file).unwrap();
    let mut arriving = spool.begin(origin(&syntax))?;
    for piece in file[start..].chunks(piece) {
        arriving.push(piece).await?;
    }
    Ok(arriving.end().await?.0)
}

/// The data sets of a study, as they are opened.
fn opened(spool: &Spool, number: u64) -> Vec<Vec<u8>> {
    let read = |object: &Object| {
        let mut file = Vec::new();
        spool
            .open_object(object)
            .unwrap()
            .read_to_end(&mut file)
            .unwrap();
        let (_, start) = file_parts(&file).unwrap();
        file.split_off(start)
    };
    spool
        .study(number)
        .unwrap()
        .objects
        .iter()
        .map(read)
        .collect()
}

fn data_set(file: &[u8]) -> Vec<u8> {
    file[file_parts(file).unwrap().1..].to_vec()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("studies")).unwrap();
    for folder in ["", "studies"] {
        for entry in fs::read_dir(from.join(folder)).unwrap().flatten() {
            if entry.path().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn objects_are_kept_as_they_came_and_nothing_of_them_is_in_clear() {
    let place = Place::new();
    let files = [
        place.file(1, 20_000),
        place.file(2, 3 << 20),
        place.file(3, 1500),
    ];
    let spool = place.open();
    for (file, piece) in files.iter().zip([7000, 100_000, 13]) {
        assert_eq!(send(&spool, file, piece).await, Ok(Taken::New));
    }
    assert_eq!(spool.numbers_of(|_| true), [1]);
    let study = spool.study(1).unwrap();
    assert_eq!(
        (study.objects.len(), study.arrival.patient_id.as_str()),
        (3, "12345678")
    );
    let sent: Vec<_> = files.iter().map(|file| data_set(file)).collect();
    assert_eq!(opened(&spool, 1), sent);

    for entry in fs::read_dir(place.folder()).unwrap().flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        for secret in [&b"Doe^Jane"[..], b"12345678", b"2.25.1000001", b"DICM"] {
            let found = memchr::memmem::find(&bytes, secret);
            assert!(found.is_none(), "{:?}", entry.file_name());
        }
    }
    drop(spool);
    let spool = place.open();
    let mut again = opened(&spool, 1);
    let mut sent = sent;
    again.sort();
    sent.sort();
    assert!(again == sent, "a restart changes nothing");
    assert!(matches!(
        place.open_in(&place.folder(), LIMITS),
        Err(Error::Busy { .. })
    ));
    // Another department's key opens nothing.
    drop(spool);
    let other = Place::new();
    assert!(matches!(
        other.open_in(&place.folder(), LIMITS),
        Err(Error::Seal(_))
    ));
}

#[tokio::test]
async fn what_comes_again_is_known_and_what_differs_is_refused() {
    let place = Place::new();
    let spool = place.open();
    let file = place.file(1, 9000);
    assert_eq!(send(&spool, &file, 500).await, Ok(Taken::New));
    assert_eq!(send(&spool, &file, 700).await, Ok(Taken::Known));
    let mut other = file.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(send(&spool, &other, 500).await, Err(Refused::Duplicate));
    let study = spool.study(1).unwrap();
    assert_eq!(study.record.conflicts, ["2.25.1000001"]);
    assert_eq!(study.objects.len(), 1);
    drop(spool);
    let spool = place.open();
    assert_eq!(send(&spool, &file, 500).await, Ok(Taken::Known));
    assert_eq!(send(&spool, &other, 500).await, Err(Refused::Duplicate));
    assert_eq!(spool.study(1).unwrap().record.conflicts.len(), 1);
    assert_eq!(opened(&spool, 1), [data_set(&file)]);
}

#[tokio::test]
async fn the_same_object_on_several_associations_is_kept_once() {
    let place = Place::new();
    let spool = place.open();
    let files: Vec<_> = (0..4).map(|number| place.file(number, 5000)).collect();
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..32 {
        let (spool, file) = (Arc::clone(&spool), files[number % 4].clone());
        sending.spawn(async move { send(&spool, &file, 900).await.unwrap() });
    }
    let taken = sending.join_all().await;
    assert_eq!(taken.iter().filter(|it| **it == Taken::New).count(), 4);
    assert_eq!(spool.study(1).unwrap().objects.len(), 4);
}

#[tokio::test]
async fn a_kill_at_any_byte_loses_nothing_that_was_acknowledged() {
    let place = Place::new();
    let spool = place.open();
    let files: Vec<_> = (0..3).map(|number| place.file(number, 2000)).collect();
    let mut ends = vec![0];
    let path = segment::path(&place.folder(), 1, "open");
    for file in &files {
        assert_eq!(send(&spool, file, 5000).await, Ok(Taken::New));
        ends.push(fs::metadata(&path).unwrap().len());
    }
    let whole = fs::read(&path).unwrap();
    let copied = place.dir.path().join("copy");
    for (number, end) in (0..whole.len())
        .step_by(1009)
        .chain(ends.iter().map(|it| *it as usize))
        .enumerate()
    {
        let folder = copied.join(number.to_string());
        copy(&place.folder(), &folder);
        let mut bytes = whole[..end].to_vec();
        if number % 3 == 1 {
            // The length reached the disk, the content did not.
            bytes.resize(whole.len(), 0);
        }
        fs::write(segment::path(&folder, 1, "open"), bytes).unwrap();
        fs::write(segment::path(&folder, 0, "part"), b"half").unwrap();
        let found = place.open_in(&folder, LIMITS).unwrap();
        let acknowledged = ends
            .iter()
            .filter(|it| **it > 0 && **it as usize <= end)
            .count();
        let kept = found.study(1).map_or(0, |study| study.objects.len());
        assert_eq!(kept, acknowledged, "cut at {end}");
        assert!(!segment::path(&folder, 0, "part").exists());
        // The sender sends all of it again.
        for (file, number) in files.iter().zip(0..) {
            let wanted = if number < acknowledged {
                Taken::Known
            } else {
                Taken::New
            };
            assert_eq!(send(&found, file, 5000).await, Ok(wanted), "cut at {end}");
        }
        assert_eq!(opened(&found, 1).len(), 3);
    }
}

#[tokio::test]
async fn a_changed_record_is_told() {
    let place = Place::new();
    let spool = place.open();
    for number in 0..2 {
        send(&spool, &place.file(number, 2000), 5000).await.unwrap();
    }
    drop(spool);
    let path = segment::path(&place.folder(), 1, "seg");
    let whole = fs::read(&path).unwrap();
    let mut told = 0;
    for at in (0..whole.len()).step_by(509) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        // In a head it ends the segment, in a description it is refused, in an object it is found when that is opened.
        match place.open_in(&place.folder(), LIMITS) {
            Err(Error::Seal(_) | Error::Document(_)) => told += 1,
            Err(other) => panic!("{other}"),
            Ok(spool) => {
                let objects = spool
                    .study(1)
                    .map(|study| study.objects)
                    .unwrap_or_default();
                let open = |object: &Object| spool.open_object(object).is_err();
                told += usize::from(objects.len() < 2 || objects.iter().any(open));
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(told, whole.len().div_ceil(509));
}

#[tokio::test]
async fn a_settled_study_gives_its_room_back_and_is_remembered() {
    let place = Place::new();
    let spool = place.open();
    let files: Vec<_> = (0..3).map(|number| place.file(number, 40_000)).collect();
    for file in &files {
        send(&spool, file, 5000).await.unwrap();
    }
    let large = place.file(9, 2 << 20);
    send(&spool, &large, 50_000).await.unwrap();
    let study = spool.close(1).unwrap();
    let sealing = State::Sealing {
        handover: "handover-1.pgp".to_owned(),
    };
    spool
        .change(1, |record| record.state = sealing)
        .await
        .unwrap();
    assert!(matches!(spool.close(1), Err(Error::NotNow { .. })));
    // What comes from now on is another study.
    let late = place.file(7, 3000);
    assert_eq!(send(&spool, &late, 5000).await, Ok(Taken::New));
    assert_eq!(spool.study(2).unwrap().objects.len(), 1);
    let hashes = |object: &Object| (object.instance.clone(), object.sha256.clone());
    let state = State::Sealed {
        image: None,
        handover: "handover-1.pgp".to_owned(),
        at: now(),
        instances: study.objects.iter().map(hashes).collect(),
        bytes: 0,
    };
    spool
        .change(1, |record| record.state = state)
        .await
        .unwrap();
    assert!(spool.used() < 20_000, "{}", spool.used());
    let again = async |spool: &Arc<Spool>| {
        for file in files.iter().chain([&large]) {
            assert_eq!(send(spool, file, 9000).await, Ok(Taken::Known));
        }
        let mut other = files[0].clone();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(send(spool, &other, 9000).await, Err(Refused::Duplicate));
        assert_eq!(spool.study(2).unwrap().objects.len(), 1);
    };
    again(&spool).await;
    drop(spool);
    let spool = place.open();
    again(&spool).await;
    assert_eq!(opened(&spool, 2), [data_set(&late)]);
    drop(spool);
    // Only the late object's segment is left, most of it a hole; what was begun of the large one goes as its thread ends.
    let remaining = || -> Vec<_> {
        let entries = fs::read_dir(place.folder()).unwrap().flatten();
        let paths = entries.map(|it| it.path());
        paths.filter(|it| it.extension().is_some()).collect()
    };
    let begun = Instant::now();
    while remaining().len() > 1 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let left = remaining();
    assert_eq!(left.len(), 1, "{left:?}");
    // After its time the study is forgotten.
    let limits = Limits {
        remember: Duration::ZERO,
        ..LIMITS
    };
    std::thread::sleep(Duration::from_secs(2));
    let spool = place.open_in(&place.folder(), limits).unwrap();
    assert_eq!(send(&spool, &files[0], 9000).await, Ok(Taken::New));
}

#[tokio::test]
async fn limits_and_lies_are_refused_and_leave_nothing() {
    let place = Place::new();
    let limits = Limits {
        spool_bytes: 30_000,
        object_bytes: 1 << 20,
        ..LIMITS
    };
    let spool = place.open_in(&place.folder(), limits).unwrap();
    let large = place.file(1, (1 << 20) + 5000);
    assert_eq!(
        send(&spool, &large, 10_000).await,
        Err(Refused::TooLarge { max: 1 << 20 })
    );
    let file = place.file(2, 20_000);
    let (syntax, start) = file_parts(&file).unwrap();
    for wrong in 0..3 {
        let mut origin = origin(&syntax);
        let other = Some("1.2.3".to_owned());
        match wrong {
            0 => origin.class = other,
            1 => origin.instance = other,
            _ => origin.study = other,
        }
        let mut arriving = spool.begin(origin).unwrap();
        let pushed = arriving.push(&file[start..]).await;
        let ended = match pushed {
            Ok(()) => arriving.end().await.map(drop),
            Err(refused) => Err(refused),
        };
        assert_eq!(ended, Err(Refused::Mismatch));
    }
    let mut arriving = spool.begin(origin(&syntax)).unwrap();
    arriving.push(&file[start..start + 100]).await.unwrap();
    assert!(matches!(
        arriving.end().await,
        Err(Refused::NotUnderstood(_))
    ));
    let mut arriving = spool.begin(origin("1.2.3")).unwrap();
    arriving.push(&file[start..start + 100]).await.unwrap();
    assert_eq!(arriving.end().await.map(drop), Err(Refused::Syntax));
    assert!(spool.numbers_of(|_| true).is_empty());

    assert_eq!(send(&spool, &file, 5000).await, Ok(Taken::New));
    assert_eq!(
        send(&spool, &place.file(3, 20_000), 5000).await,
        Ok(Taken::New)
    );
    assert_eq!(
        send(&spool, &place.file(4, 20_000), 5000).await,
        Err(Refused::Full)
    );
    // A sender that goes away in the middle leaves nothing.
    drop(spool);
    let spool = place.open();
    let large = place.file(5, 4 << 20);
    let mut arriving = spool.begin(origin(&syntax)).unwrap();
    arriving.push(&data_set(&large)[..3 << 20]).await.unwrap();
    drop(arriving);
    let parts = || {
        fs::read_dir(place.folder())
            .unwrap()
            .flatten()
            .filter(|it| it.path().extension().is_some_and(|it| it == "part"))
            .count()
    };
    for _ in 0..100 {
        if parts() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(parts(), 0);
    assert_eq!(spool.study(1).unwrap().objects.len(), 2);
}

#[tokio::test]
async fn several_patients_in_a_study_are_noticed() {
    let place = Place::new();
    let spool = place.open();
    let file = place.file(1, 3000);
    send(&spool, &file, 5000).await.unwrap();
    assert!(!spool.study(1).unwrap().mixed);
    let mut other = place.file(2, 3000);
    let at = memchr::memmem::find(&other, b"12345678").unwrap();
    other[at] = b'9';
    send(&spool, &other, 5000).await.unwrap();
    assert!(spool.study(1).unwrap().mixed);
    let patient = |id: &str, name: &str| Arrival {
        patient_id: id.to_owned(),
        patient_name: name.to_owned(),
        ..Arrival::default()
    };
    assert!(patient("1", "A").is_same_patient(&patient("1", "B")));
    assert!(!patient("", "A").is_same_patient(&patient("", "B")));
}
