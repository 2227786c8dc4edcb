//! Roots and trees that an attacker made up.

use cid::Cid;

use super::super::unixfs::{DAG_PB, Link, RAW, cid_of, digest_of, encode};
use super::super::{BodyRef, Error, MAX_HEADER, Malformed, Node, car};
use super::{PATIENCE, SOON, address, collected, inner, pair, pattern, start, streamed};
use pcim_core::ImageDigest;

type Expected = fn(&Malformed) -> bool;

async fn plant(node: &Node, codec: u64, bytes: &[u8]) -> Cid {
    let cid = cid_of(codec, bytes);
    node.store
        .put(vec![(cid, bytes.to_vec().into())], &mut Vec::new())
        .await
        .unwrap();
    cid
}

fn image(root: &[u8]) -> ImageDigest {
    ImageDigest(digest_of(&cid_of(DAG_PB, root)).unwrap())
}

/// A file node's block with its UnixFS data replaced.
fn with_data(links: &[Link], data: &[u8]) -> Vec<u8> {
    let sizes: usize = links.iter().map(|link| 1 + varint(link.file_size)).sum();
    let total = links.iter().map(|link| link.file_size).sum();
    let mut block = encode(links);
    block.truncate(block.len() - (2 + 3 + varint(total) + sizes));
    block.extend([0x0a, data.len() as u8]);
    block.extend_from_slice(data);
    block
}

fn varint(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_root_is_read_as_a_root() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (reader, keeper) = pair(here.path(), there.path()).await;
    let (header, body) = (Link::leaf(&[3; 100]), Link::leaf(&pattern(90)));
    plant(&keeper, RAW, &[3; 100]).await;
    let good = [header.clone(), body.clone()];
    let lying = |file_size, dag_size| Link {
        file_size,
        dag_size,
        ..header.clone()
    };
    let large = Link::leaf(&[4; MAX_HEADER + 1]);
    let mut named = encode(&good);
    let name = named.windows(2).position(|pair| pair == [0x12, 0]).unwrap();
    named.splice(name..name + 2, [0x12, 1, b'x']);
    named[1] += 1;
    let version_0 = Link {
        cid: Cid::new_v0(*header.cid.hash()).unwrap(),
        file_size: 5,
        dag_size: 50,
    };

    assert_eq!(
        with_data(&good, &[8, 2, 24, 190, 1, 32, 100, 32, 90]),
        encode(&good)
    );
    plant(&keeper, DAG_PB, &encode(&good)).await;
    let root = reader
        .get_root(&image(&encode(&good)), PATIENCE)
        .await
        .unwrap();
    assert_eq!(root.header, [3; 100]);

    let cases: &[(&str, Vec<u8>, Expected)] = &[
        ("no link", encode(&[]), |e| {
            matches!(e, Malformed::Links { found: 0, .. })
        }),
        ("one link", encode(&good[..1]), |e| {
            matches!(e, Malformed::Links { found: 1, .. })
        }),
        (
            "three links",
            encode(&[header.clone(), body.clone(), body.clone()]),
            |e| matches!(e, Malformed::Links { found: 3, .. }),
        ),
        (
            "inline data",
            with_data(&good, &[8, 2, 18, 3, 1, 2, 3, 24, 190, 1, 32, 100, 32, 90]),
            |e| matches!(e, Malformed::InlineData { bytes: 3 }),
        ),
        (
            "a directory",
            with_data(&good, &[8, 1, 24, 190, 1, 32, 100, 32, 90]),
            |e| matches!(e, Malformed::NotAFile { found: 1 }),
        ),
        (
            "a mode",
            with_data(&good, &[8, 2, 24, 190, 1, 32, 100, 32, 90, 56, 1]),
            |e| matches!(e, Malformed::Field { tag: 56 }),
        ),
        (
            "a file size that is not the sum",
            with_data(&good, &[8, 2, 24, 191, 1, 32, 100, 32, 90]),
            |e| {
                matches!(
                    e,
                    Malformed::Size {
                        wanted: 190,
                        found: 191,
                        ..
                    }
                )
            },
        ),
        (
            "a size too few",
            with_data(&good, &[8, 2, 24, 100, 32, 100]),
            |e| {
                matches!(
                    e,
                    Malformed::Size {
                        wanted: 2,
                        found: 1,
                        ..
                    }
                )
            },
        ),
        (
            "an overlong number",
            with_data(&good, &[8, 2, 24, 190, 1, 32, 228, 0, 32, 90]),
            |e| matches!(e, Malformed::NotCanonical),
        ),
        (
            "bytes after the end",
            [encode(&good), vec![0x0a, 0]].concat(),
            |e| matches!(e, Malformed::Field { tag: 0x0a }),
        ),
        ("a name", named, |e| {
            matches!(e, Malformed::Field { tag: 0x12 })
        }),
        ("no protobuf", vec![0xff; 60], |e| {
            matches!(e, Malformed::Field { .. } | Malformed::NotCanonical)
        }),
        (
            "a header that is larger than a header",
            encode(&[large, body.clone()]),
            |e| {
                matches!(
                    e,
                    Malformed::TooLarge {
                        found: 4097,
                        max: 4096,
                        ..
                    }
                )
            },
        ),
        (
            "a header that is longer than it says",
            encode(&[lying(99, 99), body.clone()]),
            |e| {
                matches!(
                    e,
                    Malformed::Size {
                        wanted: 99,
                        found: 100,
                        ..
                    }
                )
            },
        ),
        (
            "a header of another size than its tree",
            encode(&[lying(100, 99), body.clone()]),
            |e| {
                matches!(
                    e,
                    Malformed::Size {
                        wanted: 100,
                        found: 99,
                        ..
                    }
                )
            },
        ),
        (
            "an empty header",
            encode(&[lying(0, 0), body.clone()]),
            |e| matches!(e, Malformed::Size { found: 0, .. }),
        ),
        (
            "a tree as header",
            encode(&[Link::node(&good).0, body.clone()]),
            |e| matches!(e, Malformed::Target { .. }),
        ),
        ("a CIDv0", encode(&[header.clone(), version_0]), |e| {
            matches!(e, Malformed::Target { .. })
        }),
    ];
    for (label, block, expected) in cases {
        plant(&keeper, DAG_PB, block).await;
        match reader.get_root(&image(block), PATIENCE).await.map(|_| ()) {
            Err(Error::NotARoot { source, .. }) => assert!(expected(&source), "{label}: {source}"),
            other => panic!("{label}: {other:?}"),
        }
    }

    let large = encode(&vec![body.clone(); 100]);
    plant(&keeper, DAG_PB, &large).await;
    let refused = reader.get_root(&image(&large), PATIENCE).await.map(|_| ());
    assert!(
        matches!(refused, Err(Error::TooLarge { max: 4096, .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_root_is_written_that_would_not_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let leaf = Link::leaf(&pattern(90));
    let body = |cid: &str, file_size, dag_size| BodyRef {
        cid: cid.to_owned(),
        file_size,
        dag_size,
    };
    let cid = leaf.cid.to_string();
    for (header, body) in [
        (MAX_HEADER + 1, body(&cid, 90, 90)),
        (0, body(&cid, 90, 90)),
        (100, body(&cid, 0, 0)),
        (100, body(&cid, 90, 91)),
        (100, body(&cid, u64::MAX, u64::MAX)),
    ] {
        let refused = node.put_root(vec![1; header], &body).await.map(|_| ());
        assert!(
            matches!(refused, Err(Error::NotARoot { .. })),
            "{refused:?}"
        );
    }
    let refused = node
        .put_root(vec![1; 100], &body("bafynonsense", 90, 90))
        .await;
    assert!(matches!(refused.map(|_| ()), Err(Error::NotABody { .. })));
    assert_eq!(node.stat().await.unwrap().blocks, 0);
    let kept = node
        .put_root(vec![1; MAX_HEADER], &body(&cid, 90, 90))
        .await;
    assert!(kept.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_is_not_what_it_says_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let leaf = Link::leaf(&pattern(90));
    plant(&node, RAW, &pattern(90)).await;
    let read = async |link: &Link| {
        let body = BodyRef {
            cid: link.cid.to_string(),
            file_size: link.file_size,
            dag_size: link.dag_size,
        };
        match node.read_body(&body, SOON).await {
            Ok(stream) => collected(stream)
                .await
                .map_err(|error| match inner(&error) {
                    Error::NotABody { source, .. } => source.to_string(),
                    other => panic!("{other:?}"),
                }),
            Err(Error::NotABody { source, .. }) => Err(source.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    };
    let over = async |links: &[Link]| {
        let (link, block) = Link::node(links);
        plant(&node, DAG_PB, &block).await;
        link
    };

    let good = over(&[leaf.clone(), leaf.clone()]).await;
    assert_eq!(
        read(&good).await.unwrap(),
        [pattern(90), pattern(90)].concat()
    );

    let larger = Link {
        file_size: good.file_size + 1,
        ..good.clone()
    };
    assert_eq!(
        read(&larger).await.unwrap_err(),
        "the file is 180 bytes, wanted 181"
    );
    let heavier = Link {
        dag_size: good.dag_size + 1,
        ..good.clone()
    };
    assert!(
        read(&heavier)
            .await
            .unwrap_err()
            .starts_with("the tree is ")
    );
    let inside = over(&[larger, leaf.clone()]).await;
    assert_eq!(
        read(&inside).await.unwrap_err(),
        "the file is 180 bytes, wanted 181"
    );
    let shorter = Link {
        file_size: 89,
        dag_size: 89,
        ..leaf.clone()
    };
    let short = over(&[leaf.clone(), shorter]).await;
    assert_eq!(
        read(&short).await.unwrap_err(),
        "a leaf is 90 bytes, wanted 89"
    );
    let wide = over(&vec![leaf.clone(); 1025]).await;
    assert_eq!(
        read(&wide).await.unwrap_err(),
        "1025 links, wanted at most 1024"
    );
    let huge = Link {
        file_size: 2 << 20,
        dag_size: 2 << 20,
        ..leaf.clone()
    };
    let huge = over(&[huge, leaf.clone()]).await;
    assert!(
        read(&huge)
            .await
            .unwrap_err()
            .starts_with("leaf of 2097152 bytes")
    );

    let mut deep = leaf.clone();
    for depth in 1..=9 {
        deep = over(&[deep]).await;
        let outcome = read(&deep).await;
        if depth <= 8 {
            assert_eq!(outcome.unwrap(), pattern(90), "depth {depth}");
        } else {
            assert_eq!(outcome.unwrap_err(), "a tree deeper than 8 nodes");
        }
    }
}

/// Six nodes, each a thousand times over the one below: a file of 2⁶⁰ bytes in little space.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_repeat_take_no_more_time_than_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let mut blocks = vec![(RAW, b"x".to_vec())];
    let mut link = Link::leaf(b"x");
    for _ in 0..6 {
        let (above, block) = Link::node(&vec![link; 1024]);
        blocks.push((DAG_PB, block));
        link = above;
    }
    for (codec, bytes) in &blocks {
        plant(&node, *codec, bytes).await;
    }
    let body = BodyRef {
        cid: link.cid.to_string(),
        file_size: link.file_size,
        dag_size: link.dag_size,
    };
    assert_eq!(body.file_size, 1 << 60);
    let image = node.put_root(vec![9; 100], &body).await.unwrap().image;
    let work = async {
        assert!(node.holds(&image).await.unwrap());
        node.pin_body(&body).await.unwrap();
        let file = collected(node.export_car(&image, SOON).await.unwrap());
        let file = file.await.unwrap();
        let target = dir.path().join("other");
        let other = start(&target).await;
        other.connect(&address(&node).await).await.unwrap();
        other.fetch_body(&body, PATIENCE).await.unwrap();
        assert_eq!(other.stat().await.unwrap().blocks, 7);
        other.drop_body(&body).await.unwrap();
        let refused = other.import_car(streamed(file), 1 << 30).await;
        assert!(
            matches!(refused, Err(Error::Car(car::MalformedCar::TooMuch { .. }))),
            "{refused:?}"
        );
        assert_eq!(other.stat().await.unwrap().blocks, 0);
        other.shutdown().await;
        node.drop_body(&body).await.unwrap();
        node.drop_header(&image).await.unwrap();
        assert_eq!(node.stat().await.unwrap().blocks, 0);
    };
    tokio::time::timeout(PATIENCE, work).await.unwrap();
    node.shutdown().await;
}
