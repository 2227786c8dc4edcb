//! Values of unknown VR (UN) and undefined length in a file of Explicit VR Little Endian: they are sequences in Implicit VR
//! Little Endian, whatever the file is in (PS3.5 §6.2.2, note 2).

use std::cell::Cell;
use std::io::Read;

use dicom_core::header::{DataElementHeader, HasLength, SequenceItemHeader};
use dicom_core::{Tag, VR};
use dicom_encoding::decode::explicit_le::ExplicitVRLittleEndianDecoder;
use dicom_encoding::decode::implicit_le::StandardImplicitVRLittleEndianDecoder;
use dicom_encoding::decode::{Decode, DecodeFrom, Result};

/// Decodes Explicit VR Little Endian, and such sequences within.
#[derive(Default)]
pub(super) struct ExplicitLittleEndian {
    explicit: ExplicitVRLittleEndianDecoder,
    implicit: StandardImplicitVRLittleEndianDecoder,
    /// The number of open sequences of undefined length, the unknown one among them; 0 outside of it.
    open: Cell<usize>,
}

impl<S: ?Sized + Read> DecodeFrom<S> for ExplicitLittleEndian {
    fn decode_header(&self, source: &mut S) -> Result<(DataElementHeader, usize)> {
        let within = self.open.get() > 0;
        let decoded = match within {
            true => Decode::decode_header(&self.implicit, source),
            false => Decode::decode_header(&self.explicit, source),
        }?;
        let header = &decoded.0;
        if header.length().is_undefined() && (within || header.vr == VR::UN) {
            self.open.set(self.open.get() + 1);
        }
        Ok(decoded)
    }

    fn decode_item_header(&self, source: &mut S) -> Result<SequenceItemHeader> {
        let header = Decode::decode_item_header(&self.explicit, source)?;
        if matches!(header, SequenceItemHeader::SequenceDelimiter) {
            self.open.set(self.open.get().saturating_sub(1));
        }
        Ok(header)
    }

    fn decode_tag(&self, source: &mut S) -> Result<Tag> {
        Decode::decode_tag(&self.explicit, source)
    }
}
