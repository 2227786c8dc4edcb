//! Guests: people without a home, to whom a patient shows one image for a time.
//!
//! | module | what it does |
//! |---|---|
//! | [`store`] | the host's part of each link, on its disk |
//! | [`host`] | sharing, and what the host's node answers |
//! | [`visit`] | the guest's side: from a link to the opened image |

pub mod host;
pub mod store;
pub mod visit;
