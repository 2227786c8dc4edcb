//! Documents that actors hand to each other: contact cards, handovers, access requests.

pub mod card;
pub mod handover;
pub mod recovery;
pub mod request;
