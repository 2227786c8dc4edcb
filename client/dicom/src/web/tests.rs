#![allow(clippy::unwrap_used)]

use super::*;
use crate::sample::write_instance;

fn sample() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file.dcm");
    write_instance(&path, 1, 5000).unwrap();
    std::fs::read(&path).unwrap()
}

/// An element with a VR of the long form.
fn long(tag: [u8; 4], vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u32).to_le_bytes();
    [&tag[..], vr, &[0, 0], &length, value].concat()
}

#[test]
fn metadata_are_json_and_large_values_have_an_address() {
    let mut file = sample();
    let pixels = file
        .windows(4)
        .position(|it| it == b"\xe0\x7f\x10\x00")
        .unwrap();
    let item = long([9, 0, 1, 16], b"OB", &[7; 2000]);
    let item = [
        b"\xfe\xff\x00\xe0",
        &(item.len() as u32).to_le_bytes()[..],
        &item,
    ]
    .concat();
    let more = [
        b"\x29\x00\x10\x00LO\x02\x00X ".to_vec(),
        long([0x29, 0, 0x01, 0x10], b"OB", &[1, 2, 3, 4]),
        long([0x29, 0, 0x02, 0x10], b"SQ", &item),
        b"\x29\x00\x03\x10FD\x10\x00".to_vec(),
        [1.5_f64.to_le_bytes(), f64::NAN.to_le_bytes()].concat(),
        b"\x29\x00\x04\x10AT\x04\x00\x10\x00\x20\x00".to_vec(),
    ];
    file.splice(pixels..pixels, more.concat());
    let instance = Instance::read(&file).unwrap();
    let json = instance.metadata("http://h/i");
    assert_eq!(json["00100010"]["Value"][0]["Alphabetic"], "Doe^Jane");
    assert_eq!(
        json["00280010"],
        serde_json::json!({ "vr": "US", "Value": [1] })
    );
    assert!(json["00280008"]["Value"][0].as_u64().unwrap() > 1000);
    assert_eq!(
        json["7FE00010"]["BulkDataURI"],
        "http://h/i/bulkdata/7FE00010"
    );
    assert_eq!(json["00291001"]["InlineBinary"], "AQIDBA==");
    assert_eq!(json["00291003"]["Value"], serde_json::json!([1.5, "NaN"]));
    assert_eq!(json["00291004"]["Value"][0], "00100020");
    let address = "http://h/i/bulkdata/00291002/0/00091001";
    assert_eq!(
        json["00291002"]["Value"][0]["00091001"]["BulkDataURI"],
        address
    );
    assert_eq!(json["00083002"]["Value"][0], "1.2.840.10008.1.2.1");
    let Some(Bulk::Bytes(bytes)) = instance.bulk(&["00291002", "0", "00091001"]) else {
        panic!("no bulk value");
    };
    assert_eq!(bytes, [7; 2000]);
    for path in [
        &["00291002", "1", "00091001"][..],
        &["00291002"],
        &["00291002", "0"],
        &["nonsense"],
        &["+0291002"],
        &[],
    ] {
        assert!(instance.bulk(path).is_none(), "{path:?}");
    }
}

#[test]
fn frames_are_as_they_are_stored() {
    let file = sample();
    let instance = Instance::read(&file).unwrap();
    let frames = instance.frames().unwrap();
    assert_eq!(instance.frame_type(), "application/octet-stream");
    let all: Vec<u8> = (1..=frames)
        .flat_map(|it| instance.frame(it).unwrap())
        .collect();
    assert_eq!(all, file[file.len() - 2 * frames..]);
    assert!(instance.frame(0).is_err());
    assert!(instance.frame(frames + 1).is_err());
    assert!(instance.decoded_frame(frames + 1).is_err());
}

#[test]
fn bits_begin_with_a_whole_byte_in_every_frame() {
    let mut file = sample();
    // Three frames of five pixels of one bit, packed without gaps.
    let set = |file: &mut Vec<u8>, tag: &[u8; 4], value: [u8; 2]| {
        let at = file.windows(4).position(|it| it == tag).unwrap();
        file[at + 8..at + 10].copy_from_slice(&value);
    };
    let count = file
        .windows(4)
        .position(|it| it == b"\x28\x00\x08\x00")
        .unwrap();
    file[count + 8..count + 20].copy_from_slice(b"3           ");
    set(&mut file, b"\x28\x00\x11\x00", [5, 0]);
    set(&mut file, b"\x28\x00\x00\x01", [1, 0]);
    set(&mut file, b"\x28\x00\x01\x01", [1, 0]);
    set(&mut file, b"\x28\x00\x02\x01", [0, 0]);
    let pixels = file
        .windows(4)
        .position(|it| it == b"\xe0\x7f\x10\x00")
        .unwrap();
    file.truncate(pixels);
    file.extend(long(
        [0xe0, 0x7f, 0x10, 0],
        b"OW",
        &[0b1010_0101, 0b0100_1100],
    ));
    let instance = Instance::read(&file).unwrap();
    let frame = |number| instance.frame(number).unwrap();
    assert_eq!(
        [frame(1)[0] & 31, frame(2)[0], frame(3)[0]],
        [0b00101, 0b00101, 0b10011]
    );
}
