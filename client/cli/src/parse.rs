//! Values on the command line.

use pcim_core::Address;

use crate::names;

/// A person's address, written out or by a contact.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    names::person(text)
}

/// Bytes: `262144`, `256KiB`, `1MiB`.
pub(crate) fn bytes(text: &str) -> Result<u32, String> {
    let (number, factor) = if let Some(number) = text.strip_suffix("KiB") {
        (number, 1024)
    } else if let Some(number) = text.strip_suffix("MiB") {
        (number, 1024 * 1024)
    } else {
        (text, 1)
    };
    let bytes = number.parse::<u32>().ok();
    bytes
        .and_then(|bytes| bytes.checked_mul(factor))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("`{text}` is not a size such as 256KiB or 1MiB"))
}

/// Bytes of a leaf of an image, as [`bytes`]: at most 1 MiB, which is what nodes exchange in one block.
pub(crate) fn leaf(text: &str) -> Result<u32, String> {
    let bytes = bytes(text)?;
    match bytes as usize <= pcim_node::MAX_BLOCK {
        true => Ok(bytes),
        false => Err(format!(
            "`{text}` is more than 1MiB, the most that nodes exchange in one block"
        )),
    }
}

/// A length of time in seconds: `90s`, `45m`, `12h`, `30d`.
pub(crate) fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a length of time such as 90s, 45m, 12h or 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number = text[..text.len() - 1].parse::<u32>().map_err(|_| wrong())?;
    number
        .checked_mul(factor)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(wrong)
}

/// The last second of a day.
const LAST_SECOND: u64 = 86_399;

/// When an approval ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Seconds from the chain's now.
    After(u32),
    /// Unix seconds.
    At(u64),
}

/// When an approval ends: as [`expiry`], or `never`, which is 0 on the chain.
pub(crate) fn approval_end(text: &str) -> Result<Expiry, String> {
    match text {
        "never" => Ok(Expiry::At(0)),
        _ => expiry(text),
    }
}

/// `30d` from now, the end of a day (`2027-01-31`, UTC), or a moment.
pub(crate) fn expiry(text: &str) -> Result<Expiry, String> {
    if let Ok(length) = seconds(text) {
        return Ok(Expiry::After(length));
    }
    let wrong = || {
        format!("`{text}` is neither a length of time (12h, 30d) nor a day (2027-01-31) or moment")
    };
    let moment = moment(text).map_err(|_| wrong())?;
    let is_day = text.contains('-') && !text.contains('T');
    Ok(Expiry::At(moment + if is_day { LAST_SECOND } else { 0 }))
}

/// A moment in unix seconds, as such, as a day (`2026-11-22`, its beginning) or a time of day (`2026-11-22T23:36:01Z`), in
/// UTC.
pub(crate) fn moment(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!("`{text}` is no moment: wanted 2026-11-22, 2026-11-22T23:36:01Z or unix seconds")
    };
    if let Ok(unix) = text.parse::<u64>() {
        return Ok(unix);
    }
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, time.strip_suffix('Z').ok_or_else(wrong)?),
        None => (text, "00:00:00"),
    };
    let numbers = |text: &str, between: char| -> Option<[u64; 3]> {
        let parts: Vec<u64> = text
            .split(between)
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let [year, month, day] = numbers(day, '-').ok_or_else(wrong)?;
    let [hour, minute, second] = numbers(time, ':').ok_or_else(wrong)?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || hour > 23 || minute > 59 {
        return Err(wrong());
    }
    let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let lengths = [
        31,
        28 + u64::from(leap),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let past: u64 = lengths[..month as usize - 1].iter().sum();
    if day < 1 || day > lengths[month as usize - 1] || second > 59 {
        return Err(wrong());
    }
    let before = year - 1;
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    let days = (year - 1970) * 365 + leaps(before) - leaps(1969) + past + day - 1;
    Ok(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_times_or_seconds() {
        assert_eq!(moment("1970-01-01"), Ok(0));
        assert_eq!(moment("2000-02-29"), Ok(951_782_400));
        assert_eq!(moment("2025-11-22T23:36:01Z"), Ok(1_763_854_561));
        assert_eq!(moment("1763854561"), Ok(1_763_854_561));
        for wrong in [
            "",
            "2025-02-29",
            "2025-13-01",
            "2025-00-01",
            "2025-01-01T25:00:00Z",
            "1969-12-31",
            "2025-01-01T10:00",
            "2025-1",
            "yesterday",
            "99999999999999999999",
        ] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_and_times() {
        assert_eq!(bytes("256KiB"), Ok(262_144));
        assert_eq!(bytes("1MiB"), Ok(1_048_576));
        assert_eq!(bytes("512"), Ok(512));
        assert_eq!(leaf("1MiB"), Ok(1_048_576));
        assert!(leaf("1048577").is_err() && leaf("4MiB").is_err());
        assert!(bytes("0").is_err() && bytes("5000MiB").is_err() && bytes("1GB").is_err());
        assert_eq!(seconds("30d"), Ok(2_592_000));
        assert!(seconds("").is_err() && seconds("é").is_err() && seconds("0h").is_err());
        assert_eq!(expiry("12h"), Ok(Expiry::After(43_200)));
        assert_eq!(expiry("1900000000"), Ok(Expiry::At(1_900_000_000)));
        assert_eq!(expiry("1970-01-01"), Ok(Expiry::At(86_399)));
        assert_eq!(expiry("2027-01-31"), Ok(Expiry::At(1_801_439_999)));
        assert_eq!(
            expiry("2027-01-31T12:00:00Z"),
            Ok(Expiry::At(1_801_396_800))
        );
        assert!(expiry("tomorrow").is_err() && expiry("2027-02-30").is_err());
    }
}
