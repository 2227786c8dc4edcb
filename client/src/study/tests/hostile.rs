//! Tars that nobody of ours wrote.

use super::*;

const BLOCK: usize = 512;

/// A study's tar in pieces: each file's header, and its content with its padding.
fn pieces(tar: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pieces = Vec::new();
    let mut rest = tar;
    while rest[0] != 0 {
        let size = std::str::from_utf8(&rest[124..135]).unwrap();
        let size = usize::from_str_radix(size, 8).unwrap();
        let end = BLOCK + size.next_multiple_of(BLOCK);
        pieces.push((rest[..BLOCK].to_vec(), rest[BLOCK..end].to_vec()));
        rest = &rest[end..];
    }
    pieces
}

fn joined(pieces: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (header, content) in pieces {
        tar.extend(header);
        tar.extend(content);
    }
    tar.extend(END);
    tar
}

/// Writes the header's sum anew.
fn signed(mut header: Vec<u8>) -> Vec<u8> {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn named(header: &[u8], name: &str) -> Vec<u8> {
    let mut header = header.to_vec();
    header[..100].fill(0);
    header[..name.len()].copy_from_slice(name.as_bytes());
    signed(header)
}

#[test]
fn a_tar_that_is_not_what_its_manifest_says_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tar = payload(&scanned(&[folder(dir.path())]).unwrap()[0]);
    let good = pieces(&tar);
    // The index and its signature come before the files.
    assert!(joined(&good) == tar && good.len() == 8);
    let place = dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let out = place.join("out");
    let refused = |what: &str, tar: &[u8], wanted: &str| {
        let error = unpack_to(tar, &out)
            .err()
            .unwrap_or_else(|| panic!("{what} is opened"));
        assert!(error.to_string().contains(wanted), "{what}: {error}");
        assert_eq!(tree(&place), [""; 0], "{what}");
    };
    for name in [
        "../evil.dcm",
        "/tmp/evil.dcm",
        "0001/../../evil",
        "a/b/c.dcm",
        "..",
        ".",
        "",
        "0001/",
        "Upper.dcm",
        ".hidden",
        "c:evil",
        "back\\slash",
        "caf\u{e9}",
    ] {
        let mut bad = good.clone();
        bad[0].0 = named(&bad[0].0, name);
        refused(name, &joined(&bad), "an entry's name");
    }
    // Hard and symbolic links, devices, folders, fifos, extensions of POSIX and GNU, sparse files.
    for kind in *b"1234567xgLKSDVM\0" {
        let mut bad = good.clone();
        bad[1].0[156] = kind;
        bad[1].0 = signed(bad[1].0.clone());
        refused(&format!("{kind}"), &joined(&bad), "not a regular file");
    }
    let mut bad = good.clone();
    bad[3].0 = named(&bad[3].0, "0001/00001.dcm");
    refused(
        "a name twice",
        &joined(&bad),
        "two files have the same name",
    );
    let mut bad = good.clone();
    bad[3].0 = named(&bad[3].0, "0009/00001.dcm");
    refused("another name", &joined(&bad), "a file is missing");
    let mut bad = good.clone();
    bad.remove(2);
    refused("a file less", &joined(&bad), "a file is missing");
    let mut bad = good.clone();
    bad.insert(0, (named(&good[0].0, "extra.dcm"), good[0].1.clone()));
    refused("a file more", &joined(&bad), "a file that is not listed");
    let mut bad = good.clone();
    bad[2].1[200] ^= 1;
    refused("another byte", &joined(&bad), "a file is another one");
    let mut bad = good.clone();
    bad.remove(0);
    refused("no manifest", &joined(&bad), "no manifest");
    let mut bad = good.clone();
    bad[0].0[130] ^= 1;
    refused("a wrong sum", &joined(&bad), "an entry's header");
    // The padding of the first file.
    let mut bad = good.clone();
    *bad[2].1.last_mut().unwrap() = 1;
    refused("something hidden", &joined(&bad), "lies between two files");
    refused(
        "something behind",
        &[&tar[..], b"PK"].concat(),
        "follows its end",
    );
    for cut in [1, 600, 1024, tar.len() / 2, tar.len() - 600] {
        refused("cut", &tar[..tar.len() - cut], "it is cut short");
    }
    // A size that no file has.
    let mut bad = good.clone();
    bad[2].0[124..136].copy_from_slice(b"77777777777\0");
    bad[2].0 = signed(bad[2].0.clone());
    refused("8 GiB", &joined(&bad), "it is cut short");
    let mut bad = good.clone();
    bad[0].0[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    bad[0].0 = signed(bad[0].0.clone());
    refused("binary", &joined(&bad), "an entry's size");
    for (text, wanted) in [
        (&b"{\"pcim-study\":3}"[..], "a study of version 3"),
        (b"{\"pcim-study\":1}", "the manifest cannot be read"),
        (b"{\"pcim-study\":2}", "the manifest cannot be read"),
        (b"[]", "the manifest cannot be read"),
    ] {
        let mut bad = good.clone();
        let content = [text, &vec![0; BLOCK - text.len()][..]].concat();
        bad[0] = (header(MANIFEST, text.len() as u64), content);
        refused("manifest", &joined(&bad), wanted);
    }
    let mut bad = good.clone();
    bad.swap(2, 3);
    refused("another order", &joined(&bad), "not where its index says");
    assert!(unpack_to(&tar[..], &out).is_ok());
    let again = unpack_to(&tar[..], &out).err().unwrap();
    assert!(matches!(again, Failure::FileExists { .. }), "{again}");
}
