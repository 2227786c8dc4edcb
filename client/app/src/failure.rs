//! Errors as pages: what happened and what to do.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;
use pcim_core::Hint;

use crate::frame::frame;

/// An error of a page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The home, the chain or the node said no.
    #[error(transparent)]
    Client(Box<pcim_client::Error>),
    /// A picture could not be made.
    #[error(transparent)]
    View(#[from] pcim_dicom::view::Error),
    /// No such page.
    #[error("There is no such page.")]
    NoPage,
    /// An image of another patient, or none.
    #[error("This image is not one of yours.")]
    NotHers,
    /// A form that the pages do not make.
    #[error("This form is not one of this screen's.")]
    Form,
    /// Work that was given to a thread did not end.
    #[error("The work ended half-way. Try again.")]
    Thread,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<pcim_client::Error> for Failure {
    fn from(error: pcim_client::Error) -> Self {
        Self::Client(Box::new(error))
    }
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoPage | Self::NotHers => StatusCode::NOT_FOUND,
            Self::Form => StatusCode::BAD_REQUEST,
            Self::Client(error) => match **error {
                pcim_client::Error::Ledger(_) | pcim_client::Error::Node(_) => {
                    StatusCode::BAD_GATEWAY
                }
                _ => StatusCode::CONFLICT,
            },
            Self::View(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Thread => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn hints(&self) -> pcim_core::hint::Hints {
        match self {
            Self::Client(error) => error.hints(),
            Self::View(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}

/// Names an error with what caused it, as the command line does.
fn told(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut source = std::error::Error::source(failure);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let text = told(&self);
        let page = frame(
            "That did not work",
            html! {
                p role="alert" { (text) }
                @for hint in self.hints() { p { (hint) } }
                p { a href="/" { "Back to the start" } }
            },
        );
        (self.status(), page).into_response()
    }
}
