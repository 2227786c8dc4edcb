//! Memory that holds objects in clear: kept out of swap where the system lets it.

use std::fmt;
use std::path::Path;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, getrlimit};

/// The protection of this program's memory from being swapped out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swapping {
    /// All of it is locked, also what is asked for later.
    Locked,
    /// The system has no swap.
    None,
    /// It may be swapped out.
    Possible,
}

impl fmt::Display for Swapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "impossible: all memory is locked",
            Self::None => "impossible: the system has no swap",
            Self::Possible => "possible: set LimitMEMLOCK=infinity or MemorySwapMax=0 for the service, or encrypt the swap",
        })
    }
}

/// Locks the memory of this program, if it may lock all that it will ever have: a limit would make later requests for memory
/// fail.
pub(crate) fn lock() -> Swapping {
    let may_lock_all = getrlimit(Resource::Memlock).current.is_none();
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    match may_lock_all && mlockall(flags).is_ok() {
        true => Swapping::Locked,
        false if has_no_swap(Path::new("/proc/swaps")) => Swapping::None,
        false => Swapping::Possible,
    }
}

/// Says whether the system's list of swap areas has none; a list that is not there says nothing.
fn has_no_swap(list: &Path) -> bool {
    // The first line is its head.
    std::fs::read_to_string(list).is_ok_and(|text| text.lines().count() <= 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_list_of_swap_areas_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("swaps");
        assert!(!has_no_swap(&list));
        let head = "Filename\tType\tSize\tUsed\tPriority\n";
        std::fs::write(&list, head).unwrap();
        assert!(has_no_swap(&list));
        std::fs::write(&list, format!("{head}/swapfile file 1048572 0 -2\n")).unwrap();
        assert!(!has_no_swap(&list));
    }
}
