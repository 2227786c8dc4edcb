//! Look-up tables (PS3.3 §C.11.1.1).

use dicom_core::{Tag, VR};
use dicom_encoding::Endianness;

use super::error::{Error, Result};
use super::tree::DataSet;

/// The numbers of a look-up table (PS3.3 §C.11.1.1): entries, the first value mapped, bits of an entry, the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookUp {
    pub(crate) first: i64,
    pub(crate) bits: u32,
    pub(crate) entries: Vec<u16>,
}

impl LookUp {
    /// The table of this descriptor and these data; none if there is no such table.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the data are fewer than the descriptor says.
    pub(crate) fn of(
        data_set: &DataSet,
        descriptor: Tag,
        data: Tag,
        signed: bool,
        order: Endianness,
    ) -> Result<Option<Self>> {
        let numbers = |tag| {
            let bytes = data_set.get(&tag).and_then(|e| e.as_bytes())?;
            let numbers = bytes.chunks_exact(2).map(|c| match order {
                Endianness::Little => u16::from_le_bytes([c[0], c[1]]),
                Endianness::Big => u16::from_be_bytes([c[0], c[1]]),
            });
            Some(numbers.collect::<Vec<_>>())
        };
        let (Some(described), Some(words)) = (numbers(descriptor), numbers(data)) else {
            return Ok(None);
        };
        let [length, first, bits] = described[..] else {
            return Err(Error::Malformed);
        };
        let length = match length {
            0 => 1 << 16,
            length => usize::from(length),
        };
        let vr = data_set.get(&data).map(|e| e.vr);
        let entries: Vec<u16> = if words.len() >= length {
            words[..length].to_vec()
        } else if words.len() * 2 >= length {
            // Entries of a byte each, in the order that bytes have in words.
            let swap = order == Endianness::Big && vr == Some(VR::OW);
            let bytes = words.iter().flat_map(|word| match (order, swap) {
                (Endianness::Big, false) => word.to_be_bytes(),
                _ => word.to_le_bytes(),
            });
            bytes.take(length).map(u16::from).collect()
        } else {
            return Err(Error::Malformed);
        };
        if !(1..=16).contains(&bits) {
            return Err(Error::Unsupported {
                attribute: "LUT Descriptor",
                found: bits.into(),
            });
        }
        let most = entries.iter().max().copied().unwrap_or(0);
        let bits = match words.len() < length {
            // Bytes have eight bits at most, whatever the descriptor says; words may have more than it says.
            true => bits.min(8),
            false => bits.max(16 - most.leading_zeros() as u16),
        };
        Ok(Some(Self {
            first: match signed {
                true => i64::from(first as i16),
                false => i64::from(first),
            },
            bits: u32::from(bits),
            entries,
        }))
    }

    /// The entry for a value; those before the first and after the last get theirs.
    pub(crate) fn at(&self, value: i64) -> u16 {
        let last = self.entries.len() as i64 - 1;
        let index = (value - self.first).clamp(0, last);
        self.entries.get(index as usize).copied().unwrap_or(0)
    }
}
