//! Gas in ether and dollars, as in the paper's Table 1.
//!
//! A chain that posts its transactions to a parent chain charges for that in its own gas:
//! `L1 gas = ⌊L1 price · 16 · compressed bytes / L2 gas price⌋`, and what is paid is
//! `(L2 gas + L1 gas) · L2 gas price`. All in whole wei.

use crate::gas::{CYCLE, Costs, DEPLOYMENT, FIVE_CALLS, Row};
use serde::Serialize;

use pcim_terminal::failure::Usage;

/// Units of posted data in a compressed byte.
const UNITS_PER_BYTE: u128 = 16;
const WEI_PER_ETHER: u128 = 1_000_000_000_000_000_000;
/// Digits behind the point of an ether, a gwei, a dollar.
const ETHER_DIGITS: usize = 18;
const GWEI_DIGITS: usize = 9;
const DOLLAR_DIGITS: usize = 6;
/// The most that a price may be, in whole gwei or dollars: keeps every product in 128 bits.
const MOST: u128 = 1_000_000;

/// The paper's Table 1 in ether and dollars, at 2 gwei and 187 dollars, with its sum.
const PAPER: [(&str, &str, &str); 6] = [
    ("create_contract", "0.000134788", "0.025"),
    ("requesting_access", "0.000493816", "0.093"),
    ("approve_IRs", "0.000340824", "0.064"),
    ("trace_authorization", "0.000068532", "0.013"),
    ("remove_IRs", "0.000118716", "0.022"),
    (CYCLE, "0.001156676", "0.217"),
];

/// A number from the command line, in the smallest unit: wei of a gwei, millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount {
    units: u128,
    digits: usize,
}

/// Gwei, to the wei.
pub(crate) fn gwei(text: &str) -> Result<Amount, String> {
    amount(text, GWEI_DIGITS).ok_or_else(|| wrong(text, "gwei", GWEI_DIGITS))
}

/// Gwei, to the wei, and not nothing: other prices are counted in it.
pub(crate) fn gas_price(text: &str) -> Result<Amount, String> {
    let price = gwei(text)?;
    match price.units {
        0 => Err("gas that costs nothing cannot pay for posting".to_owned()),
        _ => Ok(price),
    }
}

/// Dollars, to the millionth.
pub(crate) fn dollars(text: &str) -> Result<Amount, String> {
    amount(text, DOLLAR_DIGITS).ok_or_else(|| wrong(text, "dollars", DOLLAR_DIGITS))
}

fn wrong(text: &str, unit: &str, digits: usize) -> String {
    format!(
        "`{text}` is not an amount of {unit} such as 12 or 0.5, at most {MOST} with {digits} digits behind the point"
    )
}

fn amount(text: &str, digits: usize) -> Option<Amount> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(rest) || whole.len() > 9 || rest.len() > digits {
        return None;
    }
    let unit = 10u128.pow(digits as u32);
    let units =
        whole.parse::<u128>().ok()? * unit + format!("{rest:0<digits$}").parse::<u128>().ok()?;
    (units <= MOST * unit).then_some(Amount { units, digits })
}

impl Amount {
    /// In decimals, without zeros at the end.
    fn shown(self) -> String {
        decimal(self.units, self.digits, 0)
    }
}

/// `units` of which 10^`digits` make one, with at least `least` digits behind the point.
fn decimal(units: u128, digits: usize, least: usize) -> String {
    let unit = 10u128.pow(digits as u32);
    let rest = format!("{:0digits$}", units % unit);
    let kept = rest.trim_end_matches('0').len().max(least);
    match kept {
        0 => (units / unit).to_string(),
        _ => format!("{}.{}", units / unit, &rest[..kept]),
    }
}

/// What is paid for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    /// of a unit of posted data
    pub(crate) l1: Amount,
    /// of a unit of L2 gas
    pub(crate) l2: Amount,
    /// of an ether, in dollars
    pub(crate) ether: Amount,
}

/// The paper's Table 1, made again. Numbers with a point are decimal text.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bill {
    pub(crate) l1_price_gwei: String,
    pub(crate) l2_gas_price_gwei: String,
    pub(crate) ether_price_usd: String,
    pub(crate) rows: Vec<Item>,
}

/// What one operation costs; the paper's columns only where it has them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Item {
    pub(crate) operation: &'static str,
    pub(crate) l2_gas: u64,
    pub(crate) l1_bytes: usize,
    pub(crate) l1_gas: u64,
    pub(crate) ether: String,
    pub(crate) usd: String,
    pub(crate) paper_ether: Option<&'static str>,
    pub(crate) paper_usd: Option<&'static str>,
}

impl Prices {
    /// The rows of the paper's table, and the deployment.
    pub(crate) fn bill(&self, report: &Costs) -> Result<Bill, Usage> {
        let listed = |name: &str| FIVE_CALLS.contains(&name) || name == CYCLE || name == DEPLOYMENT;
        let listed = report.rows.iter().filter(|row| listed(row.operation));
        Ok(Bill {
            l1_price_gwei: self.l1.shown(),
            l2_gas_price_gwei: self.l2.shown(),
            ether_price_usd: self.ether.shown(),
            rows: listed
                .map(|row| self.item(row, report))
                .collect::<Option<_>>()
                .ok_or_else(|| Usage("with these prices gas is beyond all numbers".to_owned()))?,
        })
    }

    /// `None` if it is more than can be counted.
    fn item(&self, row: &Row, report: &Costs) -> Option<Item> {
        // Each transaction is posted by itself.
        let l1_gas = match row.operation {
            CYCLE => {
                let five = report.rows.iter();
                let five = five.filter(|row| FIVE_CALLS.contains(&row.operation));
                five.map(|row| self.posting(row.l1_bytes))
                    .sum::<Option<u64>>()?
            }
            _ => self.posting(row.l1_bytes)?,
        };
        let wei = u128::from(row.cached)
            .checked_add(u128::from(l1_gas))?
            .checked_mul(self.l2.units)?;
        // Millionths of a dollar for an ether times wei, over wei in an ether.
        let usd = wei.checked_mul(self.ether.units)? / WEI_PER_ETHER;
        let paper = PAPER
            .iter()
            .find(|(operation, ..)| *operation == row.operation);
        Some(Item {
            operation: row.operation,
            l2_gas: row.cached,
            l1_bytes: row.l1_bytes,
            l1_gas,
            ether: decimal(wei, ETHER_DIGITS, 9),
            usd: decimal(usd, DOLLAR_DIGITS, DOLLAR_DIGITS),
            paper_ether: paper.map(|(_, ether, _)| *ether),
            paper_usd: paper.map(|(_, _, usd)| *usd),
        })
    }

    /// L2 gas for posting so many compressed bytes.
    fn posting(&self, bytes: usize) -> Option<u64> {
        let wei = self.l1.units * UNITS_PER_BYTE * bytes as u128;
        u64::try_from(wei / self.l2.units).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_decimals() {
        assert_eq!(gwei("0.1").unwrap().units, 100_000_000);
        assert_eq!(gwei("12").unwrap().units, 12_000_000_000);
        assert_eq!(dollars("187.25").unwrap().units, 187_250_000);
        assert_eq!(gwei("0.000000001").unwrap().shown(), "0.000000001");
        assert_eq!(gwei("1000000").unwrap().shown(), "1000000");
        assert_eq!(dollars("10.50").unwrap().shown(), "10.5");
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "1e3",
            "0.0000000001",
            "1000001",
            "x",
            "99999999999999999999",
        ] {
            assert!(gwei(bad).is_err(), "{bad}");
        }
        assert!(gas_price("0").is_err() && gas_price("0.0").is_err());
    }

    #[test]
    fn posting_is_charged_in_whole_gas() {
        let prices = Prices {
            l1: gwei("0.5").unwrap(),
            l2: gwei("0.3").unwrap(),
            ether: dollars("3000").unwrap(),
        };
        // 0.5 · 16 · 100 / 0.3 = 2666.6…
        assert_eq!(prices.posting(100), Some(2_666));
    }

    #[test]
    fn the_papers_columns_are_its_gas_at_its_prices() {
        let prices = Prices {
            l1: gwei("0").unwrap(),
            l2: gwei("2").unwrap(),
            ether: dollars("187").unwrap(),
        };
        for (operation, gas) in FIVE_CALLS
            .iter()
            .zip([67_394, 246_908, 170_412, 34_266, 59_358])
        {
            let row = Row {
                operation,
                cached: gas,
                uncached: gas,
                floor: 0,
                paper: None,
                published: None,
                split: crate::gas::Split::default(),
                l1_bytes: 100,
            };
            let item = prices.item(&row, &Costs { rows: Vec::new() }).unwrap();
            assert_eq!(Some(item.ether.as_str()), item.paper_ether);
            // The paper rounds its dollars up.
            let (found, told) = (item.usd.parse::<f64>().unwrap(), item.paper_usd.unwrap());
            assert!(
                (found - told.parse::<f64>().unwrap()).abs() < 0.001,
                "{operation}: {found} {told}"
            );
            assert_eq!(item.l1_gas, 0);
        }
    }
}
