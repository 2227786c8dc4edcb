//! Documents that actors hand to each other: contact cards, handovers, access requests, links for guests, shares of backups; and paper.

pub mod backup;
pub mod card;
pub mod emergency;
pub mod guardian;
pub mod guest;
pub mod handover;
pub mod invitation;
pub mod letter;
pub mod mail;
pub mod network;
pub mod recovery;
pub mod request;
pub mod share;
pub mod sheet;
mod spoken;
pub mod words;
