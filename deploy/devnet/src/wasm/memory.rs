//! The price of WebAssembly memory: linear per page beyond the free ones, exponential in the most that was ever open.

/// Prices the opening of pages of 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryModel {
    /// Pages that cost nothing.
    pub(crate) free_pages: u16,
    /// Gas per page beyond them.
    pub(crate) page_gas: u16,
}

impl MemoryModel {
    /// The gas for opening `new` pages when `open` are open now and `ever` were open at the same time at most.
    ///
    /// Beyond 128 pages the exponential part is as good as infinite, but once `ever` is beyond too, only the linear
    /// part remains.
    pub(crate) fn gas_cost(self, new: u16, open: u16, ever: u16) -> u64 {
        let new_open = open.saturating_add(new);
        let new_ever = ever.max(new_open);
        if new_ever <= self.free_pages {
            return 0;
        }
        let charged = |pages: u16| u64::from(pages.saturating_sub(self.free_pages));
        let linear = charged(new_open).saturating_sub(charged(open)) * u64::from(self.page_gas);
        let expansion = exponential(new_ever).saturating_sub(exponential(ever));
        linear.saturating_add(expansion)
    }
}

/// The gas at which growth from nothing to `pages` stands, without the linear part.
fn exponential(pages: u16) -> u64 {
    EXPONENTIAL
        .get(usize::from(pages))
        .map_or(u64::MAX, |gas| u64::from(*gas))
}

/// The floor of 31873999.9^(p/128) for p pages; integers, since floating point may differ between machines.
#[rustfmt::skip]
const EXPONENTIAL: [u32; 129] = [
    1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4,
    5, 5, 6, 7, 8, 9, 11, 12, 14, 17, 19, 22,
    25, 29, 33, 38, 43, 50, 57, 65, 75, 85, 98, 112,
    128, 147, 168, 193, 221, 253, 289, 331, 379, 434, 497, 569,
    651, 745, 853, 976, 1117, 1279, 1463, 1675, 1917, 2194, 2511, 2874,
    3290, 3765, 4309, 4932, 5645, 6461, 7395, 8464, 9687, 11087, 12689, 14523,
    16621, 19024, 21773, 24919, 28521, 32642, 37359, 42758, 48938, 56010, 64104, 73368,
    83971, 96106, 109994, 125890, 144082, 164904, 188735, 216010, 247226, 282953, 323844, 370643,
    424206, 485509, 555672, 635973, 727880, 833067, 953456, 1091243, 1248941, 1429429, 1636000, 1872423,
    2143012, 2452704, 2807151, 3212820, 3677113, 4208502, 4816684, 5512756, 6309419, 7221210, 8264766, 9459129,
    10826093, 12390601, 14181199, 16230562, 18576084, 21260563, 24332984, 27849408, 31873999,
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MODEL: MemoryModel = MemoryModel {
        free_pages: 2,
        page_gas: 1000,
    };

    #[test]
    fn matches_every_recorded_row() {
        let rows = crate::vectors::memory_rows();
        assert!(rows.len() > 500 || !crate::vectors::own());
        for (new, open, ever, gas) in rows {
            assert_eq!(MODEL.gas_cost(new, open, ever), gas, "{new} {open} {ever}");
        }
    }

    #[test]
    fn growth_page_by_page_costs_as_much_as_at_once() {
        let steps: u64 = (0..128).map(|p| MODEL.gas_cost(1, p, p)).sum();
        assert_eq!(steps, 31_999_998);
        assert_eq!(MODEL.gas_cost(128, 0, 0), 31_999_998);
        assert_eq!(MODEL.gas_cost(17, 0, 0), 15_008);
    }
}
