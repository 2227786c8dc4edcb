//! Options and regions that were asked of the de-identification.

use crate::deid::Profile;

/// The wishes that results are held against.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Options and regions.
    pub profile: Profile,
    /// True if regions were blanked that were found by looking, so that it is not known where they lie.
    pub found: bool,
}
