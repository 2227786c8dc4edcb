//! Hints for a file that is refused or cannot be shown.

use crate::{Error, deid, view};
use pcim_core::hint::{Hint, Hints};

impl Hint for deid::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::File(Error::NotDicom) => {
                "give a DICOM file with its preamble and `DICM` (PS3.10)"
            }
            Self::File(_) => "export the file again from its source",
            Self::Pixels(_) => "decompress the file with another program first",
            Self::BurnedIn | Self::BurnedInUnknown => {
                "look at the pixels: blank the text with --blank x,y,w,h (or --blank ultrasound), or let them pass with --accept-burned-in"
            }
            Self::Face { .. } => {
                "give the whole series of slices in one call, or cut the face by other means, without --deface"
            }
            Self::CannotBlank { .. } => {
                "decompress the file first, or give --blank as x,y,w,h in pixels"
            }
            _ => {
                "clean the file with a tool for its kind; --no-deid seals it with everything it tells"
            }
        };
        vec![hint.into()]
    }
}

impl Hint for view::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::NoImage => "give a DICOM file, a tar of such, or a directory with --sheet",
            Self::Window => "give --window as center,width with a width of at least 1",
            Self::Dicom(Error::NoSuchFrame { .. }) => "give another --frame",
            Self::Dicom(Error::Compression { .. } | Error::Codec { .. }) => {
                "decompress the file with another program first"
            }
            Self::Dicom(Error::Malformed) => "export the file again from its source",
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}
