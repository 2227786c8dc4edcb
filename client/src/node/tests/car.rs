//! CAR files of any kind, in pieces of any size.

use super::super::car::{Decoder, Malformed, header, section};
use super::super::unixfs::{DAG_PB, RAW, cid_of};

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
fn read(file: &[u8], piece: usize) -> Result<(usize, usize), Malformed> {
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
    assert!(matches!(read(&[], 1), Err(Malformed::CutOff)));
}

#[test]
fn what_is_beyond_the_profile_is_refused() {
    let refused = |section: &[u8]| read(&[header(&[]), section.to_vec()].concat(), 64).unwrap_err();
    let v0 = [&[0x12, 0x20][..], &[7; 32]].concat();
    assert!(matches!(
        refused(&[&[34][..], &v0].concat()),
        Malformed::Cid
    ));
    assert!(matches!(refused(&[0]), Malformed::Cid));
    assert!(matches!(refused(&[0x80, 0]), Malformed::Length));
    assert!(matches!(refused(&[0xff; 5]), Malformed::Length));
    assert!(matches!(
        refused(&[0xff, 0xff, 0x7f]),
        Malformed::TooLarge { .. }
    ));
    let mut version = header(&[]);
    *version.last_mut().unwrap() = 2;
    assert!(matches!(read(&version, 9), Err(Malformed::Header)));
    assert!(matches!(
        read(&[0xff, 0x7f], 9),
        Err(Malformed::TooLarge { .. })
    ));
}

#[test]
fn no_mutation_makes_it_panic_or_pass_a_wrong_block() {
    let good = file();
    // A fixed sequence (xorshift).
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let mut file = good.clone();
        for _ in 0..=next(3) {
            let at = next(file.len());
            match next(3) {
                0 => file[at] = next(256) as u8,
                1 => drop(file.remove(at)),
                _ => file.insert(at, next(256) as u8),
            }
        }
        match read(&file, 1 + next(80)) {
            Ok(_) => passed += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 19_000, "{passed} passed");
}
