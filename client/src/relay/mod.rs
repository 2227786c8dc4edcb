//! A relay service: it sends the signed calls of a network's members, and pays for them.
//!
//! | module | what it does |
//! |---|---|
//! | [`desk`] | how much is paid for whom, and in a day, on the disk |
//! | [`serve`] | calls by HTTP: which are sent, and what is answered |

pub mod desk;
pub mod serve;
