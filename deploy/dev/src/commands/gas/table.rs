//! The report in words and columns, at most 100 wide.

use std::path::PathBuf;

use crate::gas::{Costs, DEPLOYMENT, Figures, Size};

use super::price::Bill;

/// Lines of cells in columns as wide as they need to be; all but the first column to the right.
fn columns(lines: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = lines.iter().filter_map(|line| line.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for line in lines {
        let mut shown = String::new();
        for (at, cell) in line.iter().enumerate() {
            let width = width(at);
            match at {
                0 => shown.push_str(&format!("{cell:<width$}")),
                _ => shown.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A number with its thousands apart.
pub(super) fn number(number: impl TryInto<i128>) -> String {
    let Ok(number) = number.try_into() else {
        return String::new();
    };
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match number < 0 {
        true => format!("-{text}"),
        false => text,
    }
}

/// Names where it was measured. Without commas: it is a cell of the data, too.
pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = match cfg!(debug_assertions) {
        true => "development build",
        false => "release build",
    };
    format!("a devnet in the same process that mines at once; {cores} cores; {build}")
}

/// The table, each row taken apart, and the program's size.
pub(super) fn report(report: &Costs, size: &Size) -> String {
    let known = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), number);
    let mut lines = vec![head(&[
        "L2 gas",
        "cached",
        "uncached",
        "floor",
        "paper",
        "published",
    ])];
    let mut parts = vec![head(&[
        "cached", "intr.", "calldata", "init", "wasm", "host", "storage", "logs", "precomp.",
        "refund",
    ])];
    // A deployment has parts of its own.
    let mut more = String::new();
    for row in &report.rows {
        lines.push(vec![
            row.operation.to_owned(),
            number(row.cached),
            number(row.uncached),
            number(row.floor),
            known(row.paper),
            known(row.published),
        ]);
        let split = row.split;
        if row.operation == DEPLOYMENT {
            more = columns(&[
                head(&[
                    "deployment",
                    "intr.",
                    "calldata",
                    "account",
                    "activation",
                    "factory",
                    "constructor",
                ]),
                vec![
                    String::new(),
                    number(split.intrinsic),
                    number(split.calldata),
                    number(split.creation),
                    number(split.precompiles),
                    number(split.evm),
                    number(
                        split.program_init
                            + split.wasm
                            + split.host_calls
                            + split.storage
                            + split.logs,
                    ),
                ],
            ]);
            continue;
        }
        let cells = [
            split.intrinsic,
            split.calldata,
            split.program_init,
            split.wasm,
            split.host_calls,
            split.storage,
            split.logs,
            split.precompiles,
        ];
        let mut line = vec![row.operation.to_owned()];
        line.extend(cells.map(number));
        line.push(number(split.refund));
        parts.push(line);
    }
    format!(
        "{}\npaper: Table 1; published: its contract measured again, deployed once for each image\n\n{}\n{more}\n{}",
        columns(&lines),
        columns(&parts),
        self::size(size)
    )
}

/// The program's size.
pub(super) fn size(size: &Size) -> String {
    format!(
        "program     {} bytes, {} compressed, {} in data segments\n\
         \x20           {} functions, {} of memory at the start\n\
         call        {} gas to enter it when cached, {} when not\n\
         activation  {} gas beyond what every program pays\n",
        number(size.wasm_bytes as u64),
        number(size.compressed_bytes as u64),
        number(size.data_segment_bytes as u64),
        number(size.functions),
        match size.pages {
            1 => "1 page".to_owned(),
            pages => format!("{pages} pages"),
        },
        number(size.cached_gas),
        number(size.init_gas),
        number(size.variable_activation_gas),
    )
}

/// The paper's Table 1, made again.
pub(super) fn bill(bill: &Bill) -> String {
    let mut lines = vec![head(&[
        "operation",
        "L2 gas",
        "L1 bytes",
        "L1 gas",
        "ether",
        "USD",
        "paper: ether",
        "USD",
    ])];
    for row in &bill.rows {
        let known = |figure: Option<&str>| figure.unwrap_or("-").to_owned();
        lines.push(vec![
            row.operation.to_owned(),
            number(row.l2_gas),
            number(row.l1_bytes as u64),
            number(row.l1_gas),
            short(&row.ether),
            row.usd.clone(),
            known(row.paper_ether),
            known(row.paper_usd),
        ]);
    }
    format!(
        "{}\nat {} gwei for L2 gas, {} gwei for a unit of posted data, {} dollars for an ether;\n\
         the paper's at 2 gwei and 187 dollars, and no posting\n",
        columns(&lines),
        bill.l2_gas_price_gwei,
        bill.l1_price_gwei,
        bill.ether_price_usd
    )
}

/// At most nine digits behind the point, as the paper has.
fn short(ether: &str) -> String {
    let end = ether.find('.').map_or(ether.len(), |point| point + 10);
    ether.get(..end).unwrap_or(ether).to_owned()
}

/// What was timed, and where it lies.
pub(super) fn figures(figures: &Figures, written: &[PathBuf]) -> String {
    let mut lines = vec![head(&[
        "time to record, ms",
        "patient",
        "median",
        "least",
        "most",
    ])];
    for timed in &figures.times {
        lines.push(vec![
            timed.operation.to_owned(),
            timed.patient.map_or_else(|| "all".to_owned(), number_of),
            format!("{:.1}", timed.median_ms),
            format!("{:.1}", timed.least_ms),
            format!("{:.1}", timed.most_ms),
        ]);
    }
    let mut text = format!("{}\n{}\n\n", columns(&lines), machine());
    for path in written {
        text.push_str(&format!("{}\n", path.display()));
    }
    text
}

fn number_of(patient: usize) -> String {
    patient.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let shown = [0i64, 7, 999, 1_000, 68_123, -4_800, 6_904_947].map(number);
        let wanted = ["0", "7", "999", "1,000", "68,123", "-4,800", "6,904,947"];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn columns_are_aligned() {
        let lines = [head(&["a", "bb"]), head(&["ccc", "d"])];
        assert_eq!(columns(&lines), "a    bb\nccc   d\n");
    }
}
