//! Data sets in another transfer syntax: what one receiver takes of what another wrote.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use crate::codec::{self, Codec};
use crate::error::{Error, Result};
use crate::file::{self, File};
use crate::format::{Colour, Format};
use crate::fragments::split;
use crate::tree::{DataSet, Element, Value, little_endian};

/// Most bytes of pixels that are decoded for one object.
const DECODED_MAX: u64 = 1 << 30;

/// Encodes the data set of a DICOM file in Implicit or Explicit VR Little Endian, its frames decoded.
///
/// Frames whose colours a decoder turns into RGB are RGB afterwards, and their data set says so.
///
/// # Errors
/// Those of reading the file and of decoding; [`Error::TooLarge`] for more than 1 GiB of pixels; [`Error::Unsupported`] for
/// pixels of one bit that are compressed; [`Error::TransferSyntax`].
pub fn little_endian_data_set(bytes: &[u8], syntax: &str) -> Result<Vec<u8>> {
    let to = file::registered(syntax)?;
    let mut file = file::read(bytes)?;
    let encapsulated = file.data_set.get(&tags::PIXEL_DATA);
    if let Some(Value::Fragments(_)) = encapsulated.map(|it| &it.value) {
        decode(&mut file)?;
    } else if file.order() == Endianness::Big {
        swap(&mut file.data_set);
    }
    let mut out = Vec::new();
    file::encode(&file.data_set, to, &mut out)?;
    Ok(out)
}

/// Replaces compressed frames by their samples.
fn decode(file: &mut File) -> Result<()> {
    let format = Format::of(&file.data_set, file.order())?;
    if format.allocated == 1 {
        return Err(Error::Unsupported {
            attribute: "Bits Allocated of compressed pixels",
            found: 1,
        });
    }
    let bytes = format.frame_bytes() as u64 * format.frames as u64;
    if bytes > DECODED_MAX {
        return Err(Error::TooLarge {
            found: bytes,
            max: DECODED_MAX,
        });
    }
    let (mut pixels, mut colour) = (Vec::new(), format.colour);
    let syntax = file.syntax.uid();
    Codec::of(syntax)?;
    for pieces in split(file, &format)? {
        let decoded = codec::decode(syntax, &pieces.concat(), &format)?;
        colour = decoded.colour;
        pixels.extend(decoded.bytes);
    }
    let mut put = |tag, element| file.data_set.insert(tag, element);
    if format.samples > 1 {
        let name = match colour {
            Colour::YbrFull | Colour::YbrPartial => "YBR_FULL",
            _ => "RGB",
        };
        put(
            tags::PHOTOMETRIC_INTERPRETATION,
            Element::bytes(VR::CS, name),
        );
        let interleaved = Element::bytes(VR::US, 0u16.to_le_bytes());
        put(tags::PLANAR_CONFIGURATION, interleaved);
    }
    let vr = if format.allocated > 8 { VR::OW } else { VR::OB };
    put(tags::PIXEL_DATA, Element::bytes(vr, pixels));
    Ok(())
}

/// Turns the values of a big endian data set around.
fn swap(data_set: &mut DataSet) {
    for element in data_set.values_mut() {
        match &mut element.value {
            Value::Bytes(bytes) => *bytes = little_endian(element.vr, bytes, Endianness::Big),
            Value::Items(items) => items.iter_mut().for_each(swap),
            Value::Fragments(_) => {}
        }
    }
}
