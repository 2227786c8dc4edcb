//! Providers that cap, limit, leave out, and send what is no log of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pcim_client::audit::{Error, EventKind, Index, Query, What};
use pcim_core::Event;
use pcim_ledger::{Deployment, Ledger};
use serde_json::{Value, json};

use super::proxy::{self, Answer};
use super::{Historian, all, open, rebuilt};

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

async fn through(url: &str, history: &Historian) -> Ledger {
    let deployment = Deployment {
        rpc_url: url.to_owned(),
        ..history.deployment()
    };
    Ledger::connect(deployment).await.unwrap()
}

fn fresh(history: &Historian) -> (tempfile::TempDir, Index) {
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir.path().join("audit.sqlite"), &history.deployment());
    (dir, index)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_small_ranges_that_limits_its_callers_is_read_whole() {
    let mut history = Historian::start().await;
    for _ in 0..8 {
        history.image_history();
    }
    history.mine(200).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let proxy = proxy::start(
        history.deployment().rpc_url,
        move |method, params, result| {
            if method != "eth_getLogs" {
                return Answer::Result(result);
            }
            let (first, last) = (
                number(&params[0]["fromBlock"]),
                number(&params[0]["toBlock"]),
            );
            match counted.fetch_add(1, Ordering::SeqCst) {
                n if n % 9 == 4 => Answer::Busy,
                n if n % 9 == 7 => Answer::Error(-32005, "request rate limited"),
                _ if last - first >= 10 => Answer::Error(-32600, "up to a 10 block range"),
                _ => {
                    let mut logs = result;
                    for log in logs.as_array_mut().unwrap() {
                        // As older nodes do.
                        log.as_object_mut().unwrap().remove("blockTimestamp");
                    }
                    Answer::Result(logs)
                }
            }
        },
    )
    .await;
    let ledger = through(&proxy.url, &history).await;
    let (_dir, index) = fresh(&history);
    index.sync(&ledger).await.unwrap();
    assert_eq!(all(&index), rebuilt(&history.ledger().await).await);
    // Not many more requests than there are ranges.
    assert!(asked.load(Ordering::SeqCst) < 90, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_leaves_out_is_found_by_a_second_one_and_by_the_contract() {
    let mut history = Historian::start().await;
    // Ends removed.
    while history.image_history() != 7 {}
    let honest = history.ledger().await;
    let (_dir, index) = fresh(&history);
    index.sync(&honest).await.unwrap();
    let removal = all(&index)
        .into_iter()
        .find(|entry| entry.kind() == EventKind::UserRemoved)
        .unwrap();
    let left_out = json!(format!("{:#x}", removal.block));
    let proxy = proxy::start(
        history.deployment().rpc_url,
        move |method, _, mut result| {
            if method == "eth_getLogs" {
                let logs = result.as_array_mut().unwrap();
                logs.retain(|log| log["blockNumber"] != left_out);
            }
            Answer::Result(result)
        },
    )
    .await;
    let liar = through(&proxy.url, &history).await;
    let error = index.compare(&liar).await.unwrap_err();
    let Error::ProvidersDiffer {
        range,
        found,
        other,
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert!(
        range.contains(&removal.block) && *found == other + 2,
        "{error}"
    );

    let (_dir, deceived) = fresh(&history);
    deceived.sync(&liar).await.unwrap();
    let image = removal.about.image.unwrap();
    let differences = deceived.check(&liar, &[image]).await.unwrap();
    let status = differences
        .iter()
        .find(|it| it.what == "the status")
        .unwrap();
    assert_eq!((&*status.index, &*status.contract), ("approved", "removed"));
    assert!(differences.iter().any(|it| it.what == "authorized"));
    assert_eq!(index.check(&honest, &[image]).await.unwrap(), []);
    // The other way round.
    let error = deceived.compare(&honest).await.unwrap_err();
    assert!(matches!(error, Error::ProvidersDiffer { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_are_not_understood_are_kept_and_those_of_others_are_not() {
    let mut history = Historian::start().await;
    history.image_history();
    let honest = rebuilt(&history.ledger().await).await;
    let proxy = proxy::start(history.deployment().rpc_url, |method, _, mut result| {
        if method == "eth_getLogs" {
            let logs = result.as_array_mut().unwrap();
            // The accreditation, as an event of a later contract; the registration cut short; a log of another contract.
            logs[1]["topics"][0] = json!(format!("0x{}", "ab".repeat(32)));
            logs[2]["data"] = json!("0x1234");
            let mut foreign = logs[3].clone();
            foreign["address"] = json!(format!("0x{}", "99".repeat(20)));
            logs.push(foreign);
        }
        Answer::Result(result)
    })
    .await;
    let ledger = through(&proxy.url, &history).await;
    let (_dir, index) = fresh(&history);
    index.sync(&ledger).await.unwrap();
    let entries = all(&index);
    assert_eq!(entries.len(), honest.len());
    let kinds = [EventKind::Unknown].to_vec();
    let unknown = index
        .entries(&Query {
            kinds,
            ..Query::default()
        })
        .unwrap();
    let [later, cut] = &unknown[..] else {
        panic!("{unknown:?}")
    };
    let What::Unknown { unknown } = &later.what else {
        panic!()
    };
    assert_eq!((unknown.reason.as_deref(), unknown.topics.len()), (None, 2));
    let What::Unknown { unknown } = &cut.what else {
        panic!()
    };
    assert!(
        unknown.reason.is_some() && unknown.data.len() == 2,
        "{unknown:?}"
    );
    // The image is not registered for all that is understood: the contract says otherwise, and that is told.
    let image = Historian::image(1);
    let differences = index.check(&ledger, &[image]).await.unwrap();
    assert_eq!(differences[0].what, "the image");
    assert!(matches!(
        honest[2].event(),
        Some(Event::ContractCreated { .. })
    ));
}
