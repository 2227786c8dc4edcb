//! The versions of ArbOS, and the state that the step to each of them changes.

use std::{fmt, str::FromStr};

use alloy_primitives::{Address, U256};

use super::{params::Params, slots::ROOT};

/// A version of ArbOS that a chain can start with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ArbOs {
    /// ArbOS 40: Ethereum's Prague, Stylus 2.
    V40 = 40,
    /// ArbOS 51: Ethereum's Osaka, Stylus 2.
    V51 = 51,
    /// ArbOS 59: Stylus 3.
    V59 = 59,
    /// ArbOS 60: programs in fragments, the cache of recent programs.
    V60 = 60,
    /// ArbOS 61: the refunds of 60 corrected.
    #[default]
    V61 = 61,
}

impl ArbOs {
    /// All of them, the oldest first.
    pub const ALL: [Self; 5] = [Self::V40, Self::V51, Self::V59, Self::V60, Self::V61];

    /// Returns the version's number.
    pub fn number(self) -> u64 {
        self as u64
    }
}

impl fmt::Display for ArbOs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

/// A number that is no version a chain can start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no ArbOS version {0:?} here, want 40, 51, 59, 60 or 61")]
pub struct UnknownArbOs(String);

impl FromStr for ArbOs {
    type Err = UnknownArbOs;

    fn from_str(text: &str) -> Result<Self, UnknownArbOs> {
        let found = Self::ALL.into_iter().find(|one| one.to_string() == text);
        found.ok_or_else(|| UnknownArbOs(text.into()))
    }
}

/// The oldest version whose rules are known.
pub(crate) const OLDEST: u64 = 20;
/// The newest version known.
pub(crate) const NEWEST: u64 = 61;
/// The stack's budget is bounded.
const BOUNDED_STACK: u64 = 50;
/// Stylus 3, the page limit at run time, the stored gas of activation.
pub(crate) const STYLUS_3: u64 = 59;
/// Programs in fragments, the cache of recent programs, filtered transactions, tips, refunds by the stored base fee.
pub(crate) const FRAGMENTS: u64 = 60;
/// No refunds by the stored base fee.
pub(crate) const REFUNDS_CORRECTED: u64 = 61;

/// The version in force.
const VERSION: u64 = 0;
/// A version that is to come, and the unix time from which on it may.
const SCHEDULED: u64 = 1;
const SCHEDULED_TIME: u64 = 2;

/// The most words of stack since [`BOUNDED_STACK`].
const MAX_STACK: u32 = 22_000;

/// The slot of the version in force.
pub(crate) fn version_slot() -> U256 {
    ROOT.field(VERSION)
}

/// The slots of the version that is to come and of its time.
pub(crate) fn schedule_slots() -> [U256; 2] {
    [ROOT.field(SCHEDULED), ROOT.field(SCHEDULED_TIME)]
}

/// The parameters of a chain that starts with a version.
pub(crate) fn params_of(version: u64) -> Params {
    let mut params = Params::INITIAL;
    (0..=version).for_each(|step| change(&mut params, step));
    params
}

/// The parameters' part of the step to a version.
fn change(params: &mut Params, version: u64) {
    match version {
        BOUNDED_STACK => params.max_stack_depth = params.max_stack_depth.min(MAX_STACK),
        STYLUS_3 => params.version = 3,
        FRAGMENTS => {
            params.max_wasm_size = 262_144;
            params.max_fragments = 4;
        }
        _ => {}
    }
}

/// The last bytes of the precompiles that the step to a version adds.
pub(crate) fn added_precompiles(version: u64) -> &'static [u8] {
    match version {
        FRAGMENTS => &[0x74],
        _ => &[],
    }
}

/// The writes of an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// Of ArbOS's account.
    pub(crate) slots: Vec<(U256, U256)>,
    /// Accounts that become precompiles.
    pub(crate) precompiles: Vec<Address>,
}

/// The upgrade that is due at the unix time `now`, all its steps taken together; `read` gives ArbOS's slots.
pub(crate) fn due(read: impl Fn(U256) -> U256, now: u64) -> Option<Upgrade> {
    let number = |slot| -> u64 { read(slot).saturating_to() };
    let [scheduled, time] = schedule_slots();
    let (old, new) = (number(version_slot()), number(scheduled).min(NEWEST));
    if new <= old || number(time) > now {
        return None;
    }
    let mut params = Params::unpack(read(super::params::slot()));
    let mut upgrade = Upgrade::default();
    for version in old + 1..=new {
        change(&mut params, version);
        let added = added_precompiles(version).iter();
        upgrade
            .precompiles
            .extend(added.map(|byte| Address::with_last_byte(*byte)));
    }
    upgrade.slots = vec![
        (version_slot(), U256::from(new)),
        (super::params::slot(), params.pack()),
    ];
    Some(upgrade)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn versions_are_named_by_their_numbers() {
        for version in ArbOs::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        for bad in ["", "52", "61 ", "v61", "62"] {
            assert!(bad.parse::<ArbOs>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_parameters_are_those_of_the_public_chains() {
        // Arbitrum One at 51, block 485279792; an Arbitrum chain at 61, block 18864425.
        let word = |text: &str| text.parse::<U256>().unwrap();
        assert_eq!(
            params_of(51).pack(),
            word("0x0002002710000055f0000203e80080450b3232016d001f002000020000000000")
        );
        assert_eq!(
            params_of(61).pack(),
            word("0x0003002710000055f0000203e80080450b3232016d001f002000040000040000")
        );
        assert_eq!(params_of(40).max_stack_depth, 262_144);
        assert_eq!(params_of(58), params_of(51));
        assert_eq!(params_of(59).max_wasm_size, 131_072);
    }

    #[test]
    fn an_upgrade_takes_every_step_once_its_time_has_come() {
        let chain = |version: u64, scheduled: u64, time: u64| -> HashMap<U256, U256> {
            let [to, at] = schedule_slots();
            [
                (version_slot(), U256::from(version)),
                (to, U256::from(scheduled)),
                (at, U256::from(time)),
                (super::super::params::slot(), params_of(version).pack()),
            ]
            .into()
        };
        let due = |chain: &HashMap<U256, U256>, now| {
            due(|slot| chain.get(&slot).copied().unwrap_or_default(), now)
        };
        let upgrade = due(&chain(51, 61, 100), 100).unwrap();
        assert_eq!(upgrade.slots[0], (version_slot(), U256::from(61)));
        assert_eq!(upgrade.slots[1].1, params_of(61).pack());
        assert_eq!(upgrade.precompiles, [Address::with_last_byte(0x74)]);
        assert_eq!(due(&chain(51, 61, 100), 99), None);
        assert_eq!(due(&chain(61, 51, 0), 100), None, "backwards");
        assert_eq!(due(&chain(60, 60, 0), 100), None);
        let last = due(&chain(60, 61, 0), 0).unwrap();
        assert_eq!(last.slots[1].1, params_of(60).pack());
        assert!(last.precompiles.is_empty());
        // An owner's own values outlive what a step does not set.
        let mut edited = chain(51, 59, 0);
        let own = Params {
            page_limit: 50,
            ..params_of(51)
        };
        edited.insert(super::super::params::slot(), own.pack());
        let slots = due(&edited, 0).unwrap().slots;
        let after = Params::unpack(slots[1].1);
        assert_eq!((after.version, after.page_limit), (3, 50));
    }
}
