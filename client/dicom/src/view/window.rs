//! Windows: which values are seen, from black to white (PS3.3 §C.11.2).

use std::str::FromStr;

/// A window that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The value in the middle, after the Modality LUT.
    pub center: f64,
    /// The number of values between black and white; above 0.
    pub width: f64,
}

/// Not a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}`: wanted center,width, such as 40,400, with a width of at least 1")]
pub struct ParseWindowError {
    /// The text that was given.
    pub found: String,
}

impl FromStr for Window {
    type Err = ParseWindowError;

    fn from_str(text: &str) -> Result<Self, ParseWindowError> {
        let number = |text: &str| text.trim().parse().ok().filter(|n: &f64| n.is_finite());
        let window = text.split_once(',').and_then(|(center, width)| {
            let (center, width) = (number(center)?, number(width)?);
            (width >= 1.0).then_some(Self { center, width })
        });
        window.ok_or_else(|| ParseWindowError {
            found: text.to_owned(),
        })
    }
}

/// The mapping from values between the window's ends to grey levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

impl Window {
    /// Checks whether the function is defined for this width.
    pub(super) fn fits(self, function: Function) -> bool {
        match function {
            Function::Linear => self.width >= 1.0,
            Function::LinearExact | Function::Sigmoid => self.width > 0.0,
        }
    }

    /// The grey level of a value, from 0 to 1.
    pub(super) fn level(self, function: Function, value: f64) -> f64 {
        let (center, width) = match function {
            Function::Linear => (self.center - 0.5, self.width - 1.0),
            Function::LinearExact => (self.center, self.width),
            Function::Sigmoid => {
                return 1.0 / (1.0 + (-4.0 * (value - self.center) / self.width).exp());
            }
        };
        if value <= center - width / 2.0 {
            0.0
        } else if value > center + width / 2.0 {
            1.0
        } else {
            (value - center) / width + 0.5
        }
    }
}
