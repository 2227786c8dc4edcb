//! A home's repository, looked at from outside.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::stage::block_files;

/// The SHA-256 in the text of a CIDv1 (multibase `b`, sha2-256).
pub(crate) fn digest_of(cid: &str) -> [u8; 32] {
    const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz234567";
    let text = cid.strip_prefix('b').unwrap();
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.chars() {
        held = held << 5 | ALPHABET.find(letter).unwrap() as u32;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    assert_eq!((bytes[0], &bytes[2..4]), (1, &[0x12, 0x20][..]), "{cid}");
    bytes[4..].try_into().unwrap()
}

/// The blocks, each verified.
pub(crate) fn blocks(home: &Path) -> BTreeSet<String> {
    if !home.join("ipfs/blockstore").exists() {
        return BTreeSet::new();
    }
    let named = block_files(home).into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        // What a killed process had not finished goes at the next start of the node.
        let cid = name.strip_suffix(".data")?.to_owned();
        let found: [u8; 32] = Sha256::digest(fs::read(&path).unwrap()).into();
        assert_eq!(found, digest_of(&cid), "{}", path.display());
        Some(cid)
    });
    named.collect()
}

/// What is pinned, each a block that is there.
pub(crate) fn pins(home: &Path) -> BTreeSet<String> {
    let blocks = blocks(home);
    let mut pins = BTreeSet::new();
    let Ok(shards) = fs::read_dir(home.join("ipfs/datastore/pins")) else {
        return pins;
    };
    for shard in shards {
        for file in fs::read_dir(shard.unwrap().path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let (cid, kind) = name.split_once('.').unwrap();
            if ["direct", "recursive"].contains(&kind) {
                // Their names are without the multibase letter.
                let cid = format!("b{cid}");
                assert!(blocks.contains(&cid), "{name} is pinned, and not here");
                pins.insert(cid);
            }
        }
    }
    pins
}

/// Temporary files in a directory and all that is in it, a repository's aside.
pub(crate) fn temporary(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".pcim-") {
            found.push(entry.path());
        } else if entry.file_type().unwrap().is_dir() && name != "ipfs" {
            found.extend(temporary(&entry.path()));
        }
    }
    found
}
