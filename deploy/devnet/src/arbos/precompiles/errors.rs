//! Errors of the precompiles in words, as nodes of these chains say them: `error ProgramUpToDate()`, `error InvalidBlockNumber(9, 1)`.

use alloy_primitives::U256;
use alloy_sol_types::SolError;

use super::sys::InvalidBlockNumber;
use super::wasm::{
    ProgramExpired, ProgramInsufficientValue, ProgramKeepaliveTooSoon, ProgramNeedsUpgrade,
    ProgramNotActivated, ProgramNotWasm, ProgramUpToDate,
};

/// Selector and signature of each. Every argument is a number.
const ERRORS: [([u8; 4], &str); 8] = [
    of::<ProgramNotWasm>(),
    of::<ProgramNotActivated>(),
    of::<ProgramUpToDate>(),
    of::<ProgramNeedsUpgrade>(),
    of::<ProgramExpired>(),
    of::<ProgramInsufficientValue>(),
    of::<ProgramKeepaliveTooSoon>(),
    of::<InvalidBlockNumber>(),
];

const fn of<E: SolError>() -> ([u8; 4], &'static str) {
    (E::SELECTOR, E::SIGNATURE)
}

/// Says what error revert data are, whichever contract passed them on; none for another's.
pub(crate) fn described(data: &[u8]) -> Option<String> {
    let (selector, arguments) = data.split_first_chunk()?;
    let (_, signature) = ERRORS.iter().find(|(known, _)| known == selector)?;
    let (name, types) = signature.split_once('(')?;
    let count = types.trim_end_matches(')').split_terminator(',').count();
    let words = arguments.chunks_exact(32);
    if !words.remainder().is_empty() || words.len() != count {
        return None;
    }
    let numbers: Vec<_> = words
        .map(|word| U256::from_be_slice(word).to_string())
        .collect();
    Some(format!("error {name}({})", numbers.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_name_and_arguments() {
        let none = ProgramUpToDate {}.abi_encode();
        assert_eq!(described(&none).as_deref(), Some("error ProgramUpToDate()"));
        let two = InvalidBlockNumber {
            requested: U256::from(1_000_000_000),
            current: U256::ONE,
        };
        let two = two.abi_encode();
        let words = Some("error InvalidBlockNumber(1000000000, 1)");
        assert_eq!(described(&two).as_deref(), words);
        for other in [&two[..36], &two[..5], &none[..3], &[1, 2, 3, 4], &[]] {
            assert_eq!(described(other), None);
        }
        assert_eq!(described(&[&none[..], &[0; 32]].concat()), None);
    }
}
