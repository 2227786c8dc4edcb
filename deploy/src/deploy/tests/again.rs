//! Limits of the fee, busy nodes, and deployments that are gone on with.

use super::*;

#[tokio::test]
async fn a_fee_above_the_limit_is_not_signed() {
    // Twice the base fee for 1.2 million gas: one wei of gas price more than 0.005 ether allows.
    let most = 5_000_000_000_000_000 / 1_200_000 / 2;
    let fake = |base_fee| Fake {
        balance: u64::MAX,
        base_fee,
        ..Fake::default()
    };
    let error = refused(fake(most + 1)).await;
    let Error::Chain(L::Fee { found, max, .. }) = error else {
        panic!("{error:?}")
    };
    assert!(found > max);
    assert_eq!(max, MAX_FEE);
    assert!(fake(most).deploy().await.0.is_ok());
    // Another limit.
    let (url, seen) = fake(most + 1).start();
    let more = Request {
        max_fee: MAX_FEE * U256::from(2),
        ..request(&url, None)
    };
    assert!(deploy(&more).await.is_ok());
    assert_eq!(seen.lock().unwrap().raw.len(), 1);
}

#[tokio::test]
async fn a_busy_node_is_asked_again() {
    let (record, seen) = Fake {
        busy: vec![429, 503],
        ..Fake::default()
    }
    .deploy()
    .await;
    assert_eq!(record.unwrap().contract, CONTRACT);
    assert_eq!(seen.lock().unwrap().raw.len(), 1);
}

#[tokio::test]
async fn a_deployment_that_was_killed_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let (url, seen) = Fake {
        keeps_waiting: true,
        ..Fake::default()
    }
    .start();
    // Killed between send and receipt: the future is dropped as soon as the chain has the transaction.
    let killed = request(&url, Some(folder.path()));
    let sent = async {
        while seen.lock().unwrap().raw.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = deploy(&killed) => panic!("{done:?}"),
        () = sent => {}
    }
    let raw = seen.lock().unwrap().raw[0].clone();
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|it| it.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["412346.pending.json"]);

    // Another request does not take its place.
    let (url, seen) = Fake::default().start();
    let other = Request {
        consortium: CONTRACT,
        ..request(&url, Some(folder.path()))
    };
    let error = deploy(&other).await.unwrap_err();
    assert!(
        matches!(&error, Error::Unfinished { tx, .. } if *tx == keccak256(&raw)),
        "{error}"
    );
    assert!(seen.lock().unwrap().raw.is_empty());

    // The same one sends the same bytes.
    let same = request(&url, Some(folder.path()));
    let record = deploy(&same).await.unwrap();
    assert_eq!(record.tx, keccak256(&raw));
    assert_eq!(seen.lock().unwrap().raw, [raw]);
    assert_eq!(names(), ["412346.json"]);

    // And no second contract takes the record's place.
    let error = deploy(&same).await.unwrap_err();
    assert!(matches!(&error, Error::Recorded { .. }), "{error}");
    assert_eq!(seen.lock().unwrap().raw.len(), 1);
}

#[tokio::test]
async fn a_deployment_that_failed_for_good_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let (url, _) = Fake {
        status: 0,
        ..Fake::default()
    }
    .start();
    let error = deploy(&request(&url, Some(folder.path())))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Chain(L::Reverted { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
