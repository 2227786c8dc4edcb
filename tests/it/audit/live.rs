//! Following the chain.

use std::time::Duration;

use pcim_client::audit::{Delivery, Error, Start};
use pcim_client::ledger::Live;

use super::{Historian, all, applied, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_has_each_event_once_and_hears_of_it_at_once() {
    let mut history = Historian::start().await;
    let ledger = history.ledger().await;
    let dir = tempfile::tempdir().unwrap();
    let index = open(&dir.path().join("audit.sqlite"), ledger.deployment());
    index.subscribe("test", Start::Beginning).unwrap();
    // The clock alone would be too late.
    let mut live = Live::new(ledger.deployment(), Duration::from_secs(600));
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let follow = async {
        let act = |delivery: &Delivery| sender.send(delivery.clone()).unwrap();
        let away = |error: &Error| panic!("{error}");
        index.follow(&ledger, &mut live, "test", act, away).await
    };
    let work = async {
        // Two events are there from the start.
        let mut delivered = vec![receiver.recv().await.unwrap()];
        let moment = history.moment().await;
        for _ in 0..20 {
            history.event();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        while delivered.len() < 22 {
            delivered.push(receiver.recv().await.unwrap());
        }
        history.back_to(moment).await;
        history.mine(30).await;
        while delivered.len() < 42 {
            delivered.push(receiver.recv().await.unwrap());
        }
        delivered
    };
    let delivered = tokio::select! {
        ended = follow => panic!("{ended:?}"),
        delivered = tokio::time::timeout(Duration::from_secs(60), work) => delivered.unwrap(),
    };
    assert_eq!(delivered.iter().filter(|it| it.retracted).count(), 20);
    assert_eq!(applied(&delivered), all(&index));
}
