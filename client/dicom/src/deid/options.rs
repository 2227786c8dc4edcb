//! The request: the options of the profile by name, and the purposes that choose among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::deface::{self, Cut, Slice};

/// The Basic Application Level Confidentiality Profile's own code (PS3.16 CID 7050).
pub(super) const BASIC_CODE: u32 = 113_100;
/// Its meaning.
pub(super) const BASIC_MEANING: &str = "Basic Application Confidentiality Profile";

macro_rules! options {
    ($($(#[$doc:meta])* $variant:ident = $code:literal $name:literal $meaning:literal;)*) => {
        /// An option of the profile (PS3.15 §E.3), with its code in PS3.16 CID 7050.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProfileOption {
            $($(#[$doc])* $variant = $code,)*
        }

        impl ProfileOption {
            /// Every option.
            pub const ALL: [Self; 12] = [$(Self::$variant,)*];

            /// Names the option as the command line does.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the code's meaning, as the standard has it.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($meaning, " Option"),)* }
            }
        }
    };
}

options! {
    /// Regions of the pixels are blanked. Claimed if a pixel pass ran.
    CleanPixelData = 113_101 "clean-pixel-data" "Clean Pixel Data";
    /// Regions by which a person could be recognised are blanked. Claimed if it was asked for and a pixel pass ran.
    CleanVisualFeatures = 113_102 "clean-visual-features" "Clean Recognizable Visual Features";
    /// Graphic annotations stay without their texts and free drawings; overlays and curves still go.
    CleanGraphics = 113_103 "clean-graphics" "Clean Graphics";
    /// Structured content stays without its texts, names and identifying items.
    CleanStructuredContent = 113_104 "clean-structured-content" "Clean Structured Content";
    /// Descriptions keep the words of the standard's own vocabulary.
    CleanDescriptors = 113_105 "clean-descriptors" "Clean Descriptors";
    /// Dates and times stay.
    RetainFullDates = 113_106 "retain-full-dates" "Retain Longitudinal Temporal Information Full Dates";
    /// Dates are shifted by the same number of days for all of a patient's files.
    RetainModifiedDates = 113_107 "retain-modified-dates" "Retain Longitudinal Temporal Information Modified Dates";
    /// Age, sex, weight and the like stay.
    RetainPatientCharacteristics = 113_108 "retain-patient-characteristics" "Retain Patient Characteristics";
    /// The attributes that identify the device stay.
    RetainDeviceIdentity = 113_109 "retain-device-identity" "Retain Device Identity";
    /// UIDs stay.
    RetainUids = 113_110 "retain-uids" "Retain UIDs";
    /// Private attributes that the standard lists as safe stay.
    RetainSafePrivate = 113_111 "retain-safe-private" "Retain Safe Private";
    /// The attributes that identify the institution stay.
    RetainInstitutionIdentity = 113_112 "retain-institution-identity" "Retain Institution Identity";
}

impl ProfileOption {
    /// Returns the code in PS3.16 CID 7050.
    #[must_use]
    pub fn code(self) -> u32 {
        self as u32
    }

    /// Finds the option of a code.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|option| option.code() == code)
    }
}

impl fmt::Display for ProfileOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}

/// Not the name of what was wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}`: wanted {wanted}")]
pub struct ParseOptionError {
    /// The text that was given.
    pub found: String,
    /// The texts that are understood.
    pub wanted: &'static str,
}

impl FromStr for ProfileOption {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, ParseOptionError> {
        let by_code = text.parse().ok().and_then(Self::from_code);
        let by_name = || Self::ALL.into_iter().find(|option| option.name() == text);
        by_code.or_else(by_name).ok_or_else(|| ParseOptionError {
            found: text.to_owned(),
            wanted: "a code from 113101 to 113112 or a name such as clean-descriptors",
        })
    }
}

/// The use of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// For a treating doctor: shifted dates, patient characteristics and the device stay (113107, 113108, 113109).
    #[default]
    Care,
    /// The Basic Profile alone.
    Research,
}

impl Purpose {
    /// Lists the options that the purpose chooses.
    #[must_use]
    pub fn options(self) -> BTreeSet<ProfileOption> {
        match self {
            Self::Care => BTreeSet::from([
                ProfileOption::RetainModifiedDates,
                ProfileOption::RetainPatientCharacteristics,
                ProfileOption::RetainDeviceIdentity,
            ]),
            Self::Research => BTreeSet::new(),
        }
    }
}

impl FromStr for Purpose {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, ParseOptionError> {
        match text {
            "care" => Ok(Self::Care),
            "research" => Ok(Self::Research),
            _ => Err(ParseOptionError {
                found: text.to_owned(),
                wanted: "care or research",
            }),
        }
    }
}

/// An edition of the standard, whose tables say what is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// January 2025.
    E2025,
    /// 2026d.
    #[default]
    E2026,
}

impl Edition {
    /// Names the edition as reports do.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::E2025 => "2025-01",
            Self::E2026 => "2026d",
        }
    }
}

impl FromStr for Edition {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, ParseOptionError> {
        match text {
            "2025" => Ok(Self::E2025),
            "2026" => Ok(Self::E2026),
            _ => Err(ParseOptionError {
                found: text.to_owned(),
                wanted: "2025 or 2026",
            }),
        }
    }
}

/// A region that is blanked in every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blank {
    /// A rectangle, in pixels from the upper left corner; what lies outside the frame is ignored.
    Rectangle {
        /// Left column.
        x: u32,
        /// Upper row.
        y: u32,
        /// Width.
        w: u32,
        /// Height.
        h: u32,
    },
    /// All but the regions that the file calibrates: Sequence of Ultrasound Regions (0018,6011).
    OutsideUltrasoundRegions,
}

impl FromStr for Blank {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, ParseOptionError> {
        let wanted = || ParseOptionError {
            found: text.to_owned(),
            wanted: "x,y,w,h in pixels, or ultrasound",
        };
        if text == "ultrasound" {
            return Ok(Self::OutsideUltrasoundRegions);
        }
        let numbers: Vec<u32> = text
            .split(',')
            .map(|number| number.trim().parse().map_err(|_| wanted()))
            .collect::<Result<_, _>>()?;
        match numbers[..] {
            [x, y, w, h] if w > 0 && h > 0 => Ok(Self::Rectangle { x, y, w, h }),
            _ => Err(wanted()),
        }
    }
}

/// The profile with its options, and what to do about the pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The options. Structured reports and presentation states take 113103 and 113104 besides.
    pub options: BTreeSet<ProfileOption>,
    /// The regions that are blanked; any makes a pixel pass.
    pub blank: Vec<Blank>,
    /// The user has looked at the pixels and lets them pass, regardless of Burned In Annotation.
    pub accept_burned_in: bool,
    /// The planes before which faces are cut, if they are.
    pub faces: Option<Faces>,
    /// The edition of the standard.
    pub edition: Edition,
}

/// For each series of slices of CT and MR, by its UID, the plane before which a face is cut, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faces {
    /// The findings. Shared by all files.
    pub series: Arc<BTreeMap<String, Result<Cut, &'static str>>>,
}

impl Faces {
    /// Looks for the face in each series of these slices.
    #[must_use]
    pub fn of(slices: Vec<Slice>) -> Self {
        let mut series: BTreeMap<String, Vec<Slice>> = BTreeMap::new();
        for slice in slices {
            series.entry(slice.series.clone()).or_default().push(slice);
        }
        let found = series
            .into_iter()
            .map(|(uid, slices)| (uid, deface::cut(&slices)));
        Self {
            series: Arc::new(found.collect()),
        }
    }
}

impl From<Purpose> for Profile {
    fn from(purpose: Purpose) -> Self {
        Self {
            options: purpose.options(),
            blank: Vec::new(),
            accept_burned_in: false,
            faces: None,
            edition: Edition::default(),
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Purpose::default().into()
    }
}

/// The key and the profile of a de-identification.
#[derive(Clone)]
pub struct Options {
    /// Secret that keys UIDs, identifiers and date shifts: same patient, input and key, same output.
    pub key: [u8; 32],
    /// The options, and the treatment of the pixels.
    pub profile: Profile,
}

impl Drop for Options {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_by_code_and_by_name() {
        for option in ProfileOption::ALL {
            assert_eq!(option.code().to_string().parse(), Ok(option));
            assert_eq!(option.name().parse(), Ok(option));
            assert!(option.meaning().len() <= 80);
        }
        assert!("113113".parse::<ProfileOption>().is_err());
        assert!("113100".parse::<ProfileOption>().is_err());
    }

    #[test]
    fn rectangles_have_four_numbers_and_an_area() {
        let rectangle = Blank::Rectangle {
            x: 1,
            y: 2,
            w: 3,
            h: 4,
        };
        assert_eq!("1,2,3,4".parse(), Ok(rectangle));
        assert_eq!("ultrasound".parse(), Ok(Blank::OutsideUltrasoundRegions));
        for bad in ["", "1,2,3", "1,2,0,4", "1,2,3,-4", "1,2,3,4,5", "a,b,c,d"] {
            assert!(bad.parse::<Blank>().is_err(), "{bad}");
        }
    }
}
