#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use pcim_core::BodyRef;

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn image(role: &str) -> KnownImage {
    KnownImage {
        image: ImageDigest([9; 32]),
        body: "bafy".into(),
        body_size: 1 << 40,
        dag_size: (1 << 40) + 5,
        description: "CT CHEST".into(),
        patient: "0x01".into(),
        role: role.into(),
    }
}

#[test]
fn a_crash_between_signing_and_finishing_loses_nothing() {
    let folder = folder();
    let path = folder.path().join("journal.db");
    let id = {
        let journal = Journal::open(&path).unwrap();
        let begun = journal.begin("approve:image:reader").unwrap();
        assert_eq!((begun.signed_call, begun.done), (None, false));
        journal.record_call(begun.id, r#"{"nonce":7}"#).unwrap();
        begun.id
        // Dropped here, unfinished.
    };
    let journal = Journal::open(&path).unwrap();
    let again = journal.begin("approve:image:reader").unwrap();
    assert_eq!(again.id, id);
    assert_eq!(again.signed_call.as_deref(), Some(r#"{"nonce":7}"#));
    assert_eq!(journal.unfinished().unwrap(), [again]);

    journal.finish(id).unwrap();
    assert!(journal.unfinished().unwrap().is_empty());
    // What is finished is not found again: the same deed anew is another operation.
    let next = journal.begin("approve:image:reader").unwrap();
    assert!(next.id > id);
    assert_eq!(next.signed_call, None);
}

#[test]
fn an_operation_is_overtaken_by_what_was_signed_after_it() {
    let folder = folder();
    let journal = Journal::open(&folder.path().join("j")).unwrap();
    let revoke = journal.begin("revoke").unwrap();
    journal.record_call(revoke.id, "call").unwrap();
    let refused = journal.begin("limit").unwrap();
    journal.abandon(refused.id).unwrap();
    journal.begin("trace").unwrap();
    assert!(!journal.is_overtaken("revoke").unwrap());

    let approve = journal.begin("approve").unwrap();
    journal.record_call(approve.id, "call").unwrap();
    assert!(journal.is_overtaken("revoke").unwrap());
    journal.finish(approve.id).unwrap();
    assert!(journal.is_overtaken("revoke").unwrap());
    assert!(!journal.is_overtaken("approve").unwrap());
    journal.finish(revoke.id).unwrap();
    assert!(!journal.is_overtaken("revoke").unwrap());
}

#[test]
fn what_was_committed_survives_a_process_that_never_closed_the_file() {
    let folder = folder();
    let path = folder.path().join("journal.db");
    let journal = Journal::open(&path).unwrap();
    let id = journal.begin("register:image").unwrap().id;
    journal.record_call(id, "call").unwrap();
    // The files as another process would find them after a kill: no checkpoint, no clean close.
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(
        folder.path().join("journal.db-wal"),
        folder.path().join("copy.db-wal"),
    )
    .unwrap();
    let found = Journal::open(&copy).unwrap().unfinished().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].signed_call.as_deref(), Some("call"));
}

#[test]
fn operations_are_told_apart_and_end_once() {
    let folder = folder();
    let journal = Journal::open(&folder.path().join("j")).unwrap();
    let a = journal.begin("a").unwrap();
    let b = journal.begin("b").unwrap();
    assert_ne!(a.id, b.id);
    assert_eq!(journal.begin("a").unwrap(), a);
    journal.abandon(a.id).unwrap();
    assert_eq!(journal.unfinished().unwrap(), std::slice::from_ref(&b));
    let gone = |result: Result<()>| matches!(result, Err(Error::NoOperation { id }) if id == a.id);
    assert!(gone(journal.finish(a.id)));
    assert!(gone(journal.abandon(a.id)));
    assert!(gone(journal.record_call(a.id, "late")));
    assert_ne!(journal.begin("a").unwrap().id, a.id);
    journal.record_call(b.id, "first").unwrap();
    journal.record_call(b.id, "second").unwrap();
    assert_eq!(
        journal.begin("b").unwrap().signed_call.as_deref(),
        Some("second")
    );
}

#[test]
fn what_an_operation_noted_is_told_until_it_has_ended() {
    let folder = folder();
    let path = folder.path().join("j");
    let journal = Journal::open(&path).unwrap();
    let id = journal.begin("approve").unwrap().id;
    let other = journal.begin("other").unwrap().id;
    let body = BodyRef {
        cid: "bafy".into(),
        file_size: 7,
        dag_size: 9,
    };
    #[cfg(unix)]
    let file: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(vec![b'/', 0xff]);
    #[cfg(not(unix))]
    let file = std::ffi::OsString::from("/f");
    let pieces = [
        Piece::Body(body.clone()),
        Piece::Root(ImageDigest([9; 32])),
        Piece::Block(pcim_core::BlockDigest([8; 32])),
        Piece::File(file.into()),
    ];
    for piece in &pieces {
        journal.note(id, Verdict::Failed, piece).unwrap();
    }
    journal.note(id, Verdict::Done, &pieces[1]).unwrap();
    journal.note(other, Verdict::Failed, &pieces[2]).unwrap();
    journal.record_plan(id, "{}").unwrap();
    drop(journal);
    let journal = Journal::open(&path).unwrap();
    let found = journal.unfinished().unwrap();
    assert_eq!(found[0].plan.as_deref(), Some("{}"));
    let reversed: Vec<_> = pieces.iter().rev().cloned().collect();
    assert_eq!(journal.noted(id, Verdict::Failed).unwrap(), reversed);
    assert_eq!(
        journal.noted(id, Verdict::Done).unwrap(),
        [pieces[1].clone()]
    );
    journal.abandon(id).unwrap();
    assert!(journal.noted(id, Verdict::Failed).unwrap().is_empty());
    assert_eq!(journal.noted(other, Verdict::Failed).unwrap().len(), 1);
    // Nothing of a file's name is left.
    drop(journal);
    let bytes = fs::read(&path).unwrap();
    assert!(!bytes.windows(4).any(|at| at == b"2fff"));
}

#[test]
fn an_image_has_a_root_of_its_own_once_it_is_sealed_anew() {
    let folder = folder();
    let journal = Journal::open(&folder.path().join("j")).unwrap();
    let (digest, root) = (image("registered").image, ImageDigest([5; 32]));
    let body = BodyRef {
        cid: "bafynew".into(),
        file_size: 7,
        dag_size: 9,
    };
    journal.remember_image(&image("sealed")).unwrap();
    assert_eq!(journal.root_of(&digest).unwrap(), None);
    journal.remember_image(&image("registered")).unwrap();
    assert_eq!(journal.root_of(&digest).unwrap(), Some(digest));
    journal.set_root(&digest, &root, &body).unwrap();
    assert_eq!(journal.root_of(&digest).unwrap(), Some(root));
    let known = journal.images().unwrap();
    assert_eq!((&*known[0].body, &*known[1].body), ("bafy", "bafynew"));
    assert_eq!(known[1].description, "CT CHEST");
    journal.forget_image(&digest).unwrap();
    assert!(journal.images().unwrap().is_empty());

    let digest = pcim_core::BlockDigest([1; 32]);
    assert_eq!(journal.certificate(&digest).unwrap(), None);
    journal.keep_certificate(&digest, b"cert").unwrap();
    journal.keep_certificate(&digest, b"cert").unwrap();
    assert_eq!(
        journal.certificate(&digest).unwrap().as_deref(),
        Some(&b"cert"[..])
    );
}

#[test]
fn a_journal_of_the_first_version_is_brought_up_to_date() {
    let folder = folder();
    let path = folder.path().join("j");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(schema::STEPS[0]).unwrap();
    db.execute_batch("INSERT INTO operation (key, signed_call) VALUES ('deny', 'call')")
        .unwrap();
    db.pragma_update(None, "application_id", schema::APPLICATION_ID)
        .unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);
    let found = Journal::open(&path).unwrap().unfinished().unwrap();
    assert_eq!(found[0].signed_call.as_deref(), Some("call"));
    assert_eq!(found[0].plan, None);
}

#[test]
fn images_are_remembered_once_for_each_role() {
    let folder = folder();
    let path = folder.path().join("j");
    let journal = Journal::open(&path).unwrap();
    journal.remember_image(&image("sealed")).unwrap();
    journal.remember_image(&image("fetched")).unwrap();
    let changed = KnownImage {
        body: "bafy2".into(),
        ..image("fetched")
    };
    journal.remember_image(&changed).unwrap();
    drop(journal);
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.images().unwrap(), [image("sealed"), changed]);
    let absurd = KnownImage {
        body_size: u64::MAX,
        ..image("sealed")
    };
    assert!(matches!(
        journal.remember_image(&absurd),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn the_files_are_the_owners_alone() {
    let folder = folder();
    let path = folder.path().join("j");
    fs::write(&path, b"").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let journal = Journal::open(&path).unwrap();
    journal.begin("a").unwrap();
    for name in ["j", "j-wal", "j-shm"] {
        let mode = fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_is_no_journal_is_left_alone() {
    let folder = folder();
    let text = folder.path().join("text");
    fs::write(
        &text,
        "not a database, but long enough to be looked at ".repeat(40),
    )
    .unwrap();
    assert!(matches!(Journal::open(&text), Err(Error::NotAJournal { path }) if path == text));

    let other = folder.path().join("other");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (a)")
        .unwrap();
    let before = fs::read(&other).unwrap();
    assert!(matches!(
        Journal::open(&other),
        Err(Error::NotAJournal { .. })
    ));
    assert_eq!(fs::read(&other).unwrap(), before);

    let newer = folder.path().join("newer");
    drop(Journal::open(&newer).unwrap());
    Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert!(matches!(
        Journal::open(&newer),
        Err(Error::Newer {
            found: 99,
            known: 6
        })
    ));

    let nowhere = folder.path().join("no/such/folder/j");
    assert!(matches!(Journal::open(&nowhere), Err(Error::Io { .. })));
}

#[test]
fn two_connections_agree_on_one_operation() {
    let folder = folder();
    let path = folder.path().join("j");
    let (one, two) = (Journal::open(&path).unwrap(), Journal::open(&path).unwrap());
    let ids: Vec<OperationId> = std::thread::scope(|scope| {
        [&one, &two]
            .map(|journal| scope.spawn(|| journal.begin("a").unwrap().id))
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(ids[0], ids[1]);
    assert_eq!(one.unfinished().unwrap().len(), 1);
}
