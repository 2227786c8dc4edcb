//! Ranges of a body between two nodes.

use super::super::Error;
use super::{PATIENCE, SOON, collected, inner, pair, pattern, start, streamed};

const LEAF: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_range_needs_its_own_leaves_and_a_whole_fetch_the_others() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = pair(here.path(), there.path()).await;
    let bytes = pattern(12 * LEAF as usize + 345);
    let body = keeper.add_body(streamed(bytes.clone())).await.unwrap();
    let at = reader.body_at(&body, PATIENCE).await.unwrap();
    assert_eq!(at.length(), bytes.len() as u64);

    // The tree's root and a leaf; then one that is next to it; then nothing that is not here.
    let (from, to) = (9 * LEAF + 10, 10 * LEAF);
    for (range, blocks) in [
        (from..to, 2),
        (from..to + 1, 3),
        (to - 1..to + LEAF, 3),
        (12 * LEAF + 300..22 * LEAF, 4),
        (22 * LEAF..23 * LEAF, 4),
        (from..from, 4),
    ] {
        let read = collected(at.read(range.clone()).unwrap()).await.unwrap();
        let wanted = range.start.min(at.length()) as usize..range.end.min(at.length()) as usize;
        assert!(read == bytes[wanted], "{range:?}");
        assert_eq!(reader.stat().await.unwrap().blocks, blocks, "{range:?}");
    }

    // A range that comes next is fetched meanwhile.
    at.fetch_ahead(3 * LEAF..5 * LEAF);
    let ahead = async {
        while reader.stat().await.unwrap().blocks < 6 {
            tokio::time::sleep(SOON / 20).await;
        }
    };
    tokio::time::timeout(PATIENCE, ahead).await.unwrap();

    // The whole needs the others alone: those that were read are not asked for.
    let missing: Vec<_> = (0..12)
        .filter(|leaf| ![3, 4, 9, 10].contains(leaf))
        .collect();
    keeper.drop_body(&body).await.unwrap();
    for leaf in &missing {
        let start = leaf * LEAF as usize;
        keeper
            .put_raw(bytes[start..][..LEAF as usize].to_vec())
            .await
            .unwrap();
    }
    let whole = collected(reader.read_body(&body, PATIENCE).await.unwrap()).await;
    assert!(whole.unwrap() == bytes);
    reader.pin_body(&body).await.unwrap();
    assert_eq!(reader.stat().await.unwrap().blocks, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_a_tree_of_trees_and_of_a_single_leaf_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = super::config(dir.path());
    config.chunk_size = 1024;
    let node = super::Node::start(config).await.unwrap();
    for length in [1025 * 1024 + 7, 1000] {
        let bytes = pattern(length);
        let body = node.add_body(streamed(bytes.clone())).await.unwrap();
        let at = node.body_at(&body, SOON).await.unwrap();
        for from in [
            0,
            1,
            999,
            1023,
            1024,
            524_288,
            1_048_575,
            1_048_576,
            length as u64 - 1,
        ] {
            let to = (from + 3000).min(length as u64);
            let read = collected(at.read(from..to).unwrap()).await.unwrap();
            assert!(
                read == bytes[(from.min(to)) as usize..to as usize],
                "{length}: {from}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_has_the_first_leaves_only_gives_them_and_no_more() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = pair(here.path(), there.path()).await;
    let bytes = pattern(5 * LEAF as usize);
    let elsewhere = tempfile::tempdir().unwrap();
    let owner = start(elsewhere.path()).await;
    let body = owner.add_body(streamed(bytes.clone())).await.unwrap();
    keeper.connect(&super::address(&owner).await).await.unwrap();
    let few = keeper.body_at(&body, PATIENCE).await.unwrap();
    collected(few.read(0..2 * LEAF).unwrap()).await.unwrap();
    owner.shutdown().await;

    let at = reader.body_at(&body, SOON).await.unwrap();
    let first = collected(at.read(0..2 * LEAF).unwrap()).await.unwrap();
    assert!(first == bytes[..2 * LEAF as usize]);
    let refused = collected(at.read(2 * LEAF..3 * LEAF).unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(inner(&refused), Error::Timeout { .. }),
        "{refused:?}"
    );
    assert_eq!(reader.stat().await.unwrap().blocks, 3);
}
