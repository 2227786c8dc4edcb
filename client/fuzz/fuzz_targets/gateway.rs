//! A gateway's readers: DIMSE command sets, PDUs, the start of objects, requests for commitment, bodies of several parts. No panic,
//! no hang.
//!
//! `cargo fuzz run gateway -s none --fuzz-dir client/fuzz`

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcim_dicom::arrival::{Arrival, file_parts, file_start};
use pcim_dicom::commitment::CommitmentRequest;
use pcim_fuzz::{edited, write};
use pcim_gateway::fuzzing::{command, parts};

const SYNTAXES: [&str; 4] = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
];
const ECHO: &[u8] = b"\0\0\0\0\x04\0\0\0\x38\0\0\0\
    \0\0\x02\0\x12\0\0\x001.2.840.10008.1.1\0\
    \0\0\0\x01\x02\0\0\0\x30\0\0\0\x10\x01\x02\0\0\0\x01\0\0\0\0\x08\x02\0\0\0\x01\x01";
const BODY: &[u8] = b"--x\r\nContent-Type: application/dicom\r\n\r\none\r\n--x--\r\n";
const OBJECT: &[u8] = b"\x08\0\x16\0UI\x02\x001\0\x08\0\x18\0UI\x02\x002\0\
    \x20\0\x0d\0UI\x02\x003\0\x20\0\x0e\0UI\x02\x004\0\x28\0\x10\0US\x02\0\x01\0";

fuzz_target!(
    init: {
        command(ECHO);
        let found = Arrival::of(OBJECT, SYNTAXES[1], false).expect("it reads");
        assert_eq!(found.expect("it is whole").series, "4");
        write(8, &[(0, ECHO), (1, BODY), (2, OBJECT)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let changed = |good: &[u8]| match choice & 8 {
            0 => input.to_vec(),
            _ => edited(good, input),
        };
        let syntax = SYNTAXES[usize::from(choice >> 4) % 4];
        match choice & 3 {
            0 => command(&changed(ECHO)),
            1 => parts(&changed(BODY), usize::from(choice >> 4)),
            2 => {
                let object = changed(OBJECT);
                let _ = Arrival::of(&object, syntax, choice & 4 == 0);
                let _ = CommitmentRequest::read(&object, syntax);
            }
            _ => {
                let file = [file_start("1", "2", syntax, "CT1"), OBJECT.to_vec()].concat();
                let _ = file_parts(&changed(&file));
            }
        }
    }
);
