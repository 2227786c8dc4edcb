//! Messages (PS3.7 §6.3) as the fragments that carry them (PS3.8 §9.3.1).

use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};

use super::command::Command;

/// Bytes of a PDU that are no fragment of a message: header of the value.
const VALUE_HEAD: u32 = 6;
/// Most bytes of a PDU that is sent, however much the peer takes.
const SENT_MAX: u32 = 1 << 17;

/// The PDUs of a command set, and of a data set if there is one, to a peer that takes PDUs of so many bytes.
pub(super) fn fragments(
    context: u8,
    command: &Command,
    data: Option<&[u8]>,
    peer_pdu: u32,
) -> impl Iterator<Item = Pdu> {
    let most = peer_pdu.min(SENT_MAX).saturating_sub(VALUE_HEAD).max(64) as usize;
    let command = command.to_bytes();
    let count = command.len().div_ceil(most);
    let of_command = (0..count).map(move |number| {
        let part = command.chunks(most).nth(number).unwrap_or_default();
        (PDataValueType::Command, part.to_vec(), number + 1 == count)
    });
    // A data set without elements is a fragment without bytes.
    let count = data.map_or(0, |data| data.len().div_ceil(most).max(1));
    let of_data = (0..count).map(move |number| {
        let data = data.unwrap_or_default();
        let part = &data[number * most..data.len().min((number + 1) * most)];
        (PDataValueType::Data, part.to_vec(), number + 1 == count)
    });
    of_command
        .chain(of_data)
        .map(move |(value_type, data, is_last)| Pdu::PData {
            data: vec![PDataValue {
                presentation_context_id: context,
                value_type,
                is_last,
                data,
            }],
        })
}
