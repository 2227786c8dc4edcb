//! CAR files of any kind, in pieces of any size.

use super::super::car::{Decoder, MalformedCar, header, section};
use super::super::unixfs::{DAG_PB, Link, RAW, cid_of};
use super::super::{Error, Node, NodeConfig};
use super::{SOON, collected, config, pattern, start, streamed};
use pcim_core::chance::{Numbers, mutations};

fn file() -> Vec<u8> {
    let blocks: [(u64, &[u8]); 3] = [(DAG_PB, b"\x0a\x02\x08\x02"), (RAW, b"block"), (RAW, b"")];
    let mut file = header(&[cid_of(DAG_PB, blocks[0].1)]);
    for (codec, bytes) in blocks {
        file.extend(section(&cid_of(codec, bytes), bytes.len()));
        file.extend(bytes);
    }
    file
}

/// How many roots and blocks a file has.
fn read(file: &[u8], piece: usize) -> Result<(usize, usize), MalformedCar> {
    let (mut decoder, mut blocks) = (Decoder::default(), 0);
    for piece in file.chunks(piece) {
        decoder.push(piece);
        while let Some((cid, bytes)) = decoder.next_block()? {
            assert_eq!(cid_of(cid.codec(), &bytes), cid);
            blocks += 1;
        }
    }
    Ok((decoder.finish()?.len(), blocks))
}

#[test]
fn a_file_reads_in_any_pieces_and_breaks_wherever_it_is_cut() {
    let file = file();
    // The header of version 1 in DAG-CBOR, as the specification has it.
    assert_eq!(file[..8], [0x3a, 0xa2, 0x65, b'r', b'o', b'o', b't', b's']);
    for piece in 1..=file.len() {
        assert_eq!(read(&file, piece).unwrap(), (1, 3), "{piece}");
    }
    let ends: Vec<_> = (1..file.len())
        .filter(|cut| read(&file[..*cut], 7).is_ok())
        .collect();
    // Where a section ends.
    assert_eq!(ends, [59, 59 + 41, 59 + 41 + 42]);
    assert_eq!(read(&header(&[]), 1).unwrap(), (0, 0));
    assert!(matches!(read(&[], 1), Err(MalformedCar::CutOff)));
}

#[test]
fn what_is_beyond_the_profile_is_refused() {
    let refused = |section: &[u8]| read(&[header(&[]), section.to_vec()].concat(), 64).unwrap_err();
    let v0 = [&[0x12, 0x20][..], &[7; 32]].concat();
    assert!(matches!(
        refused(&[&[34][..], &v0].concat()),
        MalformedCar::Cid
    ));
    assert!(matches!(refused(&[0]), MalformedCar::Cid));
    assert!(matches!(refused(&[0x80, 0]), MalformedCar::Length));
    assert!(matches!(refused(&[0xff; 5]), MalformedCar::Length));
    assert!(matches!(
        refused(&[0xff, 0xff, 0x7f]),
        MalformedCar::TooLarge { .. }
    ));
    let mut version = header(&[]);
    *version.last_mut().unwrap() = 2;
    assert!(matches!(read(&version, 9), Err(MalformedCar::Header)));
    assert!(matches!(
        read(&[0xff, 0x7f], 9),
        Err(MalformedCar::TooLarge { .. })
    ));
}

/// A file of version 1 inside one of version 2, with bytes before it and behind it.
fn wrapped(file: &[u8], padding: usize, behind: &[u8]) -> Vec<u8> {
    let mut out = b"\x0a\xa1\x67version\x02".to_vec();
    out.extend([0; 16]);
    let at = 51 + padding as u64;
    let index = if behind.is_empty() {
        0
    } else {
        at + file.len() as u64
    };
    for number in [at, file.len() as u64, index] {
        out.extend(number.to_le_bytes());
    }
    out.extend(vec![0xee; padding]);
    out.extend(file);
    out.extend(behind);
    out
}

#[test]
fn a_file_of_version_2_reads_as_what_is_in_it() {
    let inner = file();
    for (padding, behind) in [
        (0, &b""[..]),
        (0, b"an index"),
        (77, b"an index"),
        (1 << 20, b""),
    ] {
        let file = wrapped(&inner, padding, behind);
        for piece in [1, 7, 51, 64, 1 << 16] {
            assert_eq!(read(&file, piece).unwrap(), (1, 3), "{padding} {piece}");
        }
        // Cut anywhere before the end of its data it is not whole, though a section may end there.
        let end = file.len() - behind.len();
        let cuts = (0..end).filter(|cut| padding < 100 || *cut < 60 || end - cut < 200);
        for cut in cuts {
            assert!(read(&file[..cut], 97).is_err(), "{padding} {cut}");
        }
    }
}

#[test]
fn a_file_of_version_2_with_places_that_cannot_be_is_refused() {
    let good = wrapped(&file(), 3, b"an index");
    let with = |at: usize, value: u64| {
        let mut bad = good.clone();
        bad[at..at + 8].copy_from_slice(&value.to_le_bytes());
        read(&bad, 64).unwrap_err()
    };
    // Where the data begin, their length, where the index begins.
    for (at, value) in [
        (27, 0),
        (27, 50),
        (27, 52 + (1 << 20)),
        (27, u64::MAX),
        (35, 0),
        (35, 200),
        (35, u64::MAX),
        (43, 1),
        (43, 60),
    ] {
        let refused = with(at, value);
        assert!(
            matches!(refused, MalformedCar::Places { .. }),
            "{at} {value}"
        );
    }
    let twice = wrapped(&good, 0, b"");
    assert!(matches!(read(&twice, 64), Err(MalformedCar::Header)));
    let short = with(35, 150);
    assert!(
        matches!(short, MalformedCar::CutOff | MalformedCar::Header),
        "{short}"
    );
}

#[test]
fn mutated_files_never_pass_a_wrong_block() {
    let goods = [file(), wrapped(&file(), 5, b"an index")];
    let mut numbers = Numbers(0x5eed_2030);
    let (mut passed, mut refused) = (0, 0);
    for round in 0..20_000 {
        let file = numbers.mutated(&goods[round % 2]);
        match read(&file, 1 + numbers.below(80)) {
            Ok(_) => passed += 1,
            Err(_) => refused += 1,
        }
    }
    // A file that is cut off where a section ends, or was changed in what is passed over.
    assert!(passed < 8000, "{passed} passed, {refused} did not");
}

/// A file's blocks under the CIDs that they have, the first one as its root.
fn rewritten(blocks: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = header(&[cid_of(blocks[0].0, &blocks[0].1)]);
    for (codec, bytes) in blocks {
        file.extend(section(&cid_of(*codec, bytes), bytes.len()));
        file.extend(bytes);
    }
    file
}

/// All its blocks are what their names say, and yet it cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_of_another_length_than_the_tree_says_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = start(dir.path()).await;
    let (header, leaf) = (vec![9; 100], pattern(1000));
    for wrong in [999, 1001] {
        let mut body = Link::leaf(&leaf);
        (body.file_size, body.dag_size) = (wrong, wrong);
        let (_, root) = Link::node(&[Link::leaf(&header), body.clone()]);
        let (tree, inner) = Link::node(&[body, Link::leaf(b"more")]);
        let (_, above) = Link::node(&[Link::leaf(&header), tree]);
        let [header, leaf, more] = [&header[..], &leaf, b"more"].map(|bytes| (RAW, bytes.to_vec()));
        let flat = rewritten(&[(DAG_PB, root), header.clone(), leaf.clone()]);
        let deep = rewritten(&[(DAG_PB, above), header, (DAG_PB, inner), leaf, more]);
        for file in [flat, deep] {
            let refused = node.import_car(streamed(file), 1 << 20).await;
            assert!(
                matches!(refused, Err(Error::NotABody { .. })),
                "{refused:?}"
            );
            assert_eq!(node.stat().await.unwrap().blocks, 0);
        }
    }
    node.shutdown().await;
}

/// Files that were changed, and files whose root was changed and named again: a node takes in the image, or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn mutated_images_are_taken_in_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let chunk_size = 1000;
    let config = |name| NodeConfig {
        chunk_size,
        ..config(&dir.path().join(name))
    };
    let source = Node::start(config("source")).await.unwrap();
    let body = source.add_body(streamed(pattern(2500))).await.unwrap();
    let image = source.put_root(vec![9; 100], &body).await.unwrap().image;
    let good = collected(source.export_car(&image, SOON).await.unwrap());
    let good = good.await.unwrap();
    source.shutdown().await;

    let mut blocks = Vec::new();
    let mut decoder = Decoder::default();
    decoder.push(&good);
    while let Some((cid, bytes)) = decoder.next_block().unwrap() {
        blocks.push((cid.codec(), bytes.to_vec()));
    }
    assert_eq!(rewritten(&blocks), good);

    let node = Node::start(config("target")).await.unwrap();
    let import = async |file: Vec<u8>| node.import_car(streamed(file), 1 << 20).await;
    let mut numbers = Numbers(0x5eed_2031);
    let (mut taken, mut refused) = (0, 0);
    for round in 0..mutations() {
        let mut changed = blocks.clone();
        let file = match round % 3 {
            0 => numbers.mutated(&good),
            part => {
                // The root, the header, or a block of the body.
                let which = if part == 1 {
                    0
                } else {
                    numbers.below(blocks.len())
                };
                changed[which].1 = numbers.mutated(&blocks[which].1);
                rewritten(&changed)
            }
        };
        match import(file).await {
            Ok(imported) => {
                assert_eq!((imported.image, &imported.body), (image, &body), "{round}");
                node.drop_header(&image).await.unwrap();
                node.drop_body(&body).await.unwrap();
                taken += 1;
            }
            Err(_) => refused += 1,
        }
        assert_eq!(node.stat().await.unwrap().blocks, 0, "{round}");
    }
    println!("{taken} of {} mutated files were taken in", mutations());
    assert!(refused > taken);
    assert_eq!(import(good).await.unwrap().image, image);
    node.shutdown().await;
}
