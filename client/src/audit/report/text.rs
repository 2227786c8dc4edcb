//! Texts and times, for readers.

use crate::audit::text::{civil, escaped, steers};

/// Shows every character of a stranger's text that could steer its reader (`\u{1b}`): controls, those that turn the
/// direction of writing (Unicode UAX #9), and invisible ones. A backslash is doubled, so that none of it can be imitated.
pub fn visible(text: &str) -> String {
    escaped(text.chars())
}

/// Writes every character of a JSON text that could steer a reader as its number. Outside of strings JSON has none.
pub fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // Line ends and tabs here are the writer's own: within strings they are escaped already.
        match steers(c) && !matches!(c, '\n' | '\r' | '\t') {
            true => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    shown.push_str(&format!("\\u{unit:04x}"));
                }
            }
            false => shown.push(c),
        }
    }
    shown
}

/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;
const DAY: u64 = 86_400;

/// The days since 1970-01-01 of a date that is not before it.
fn days_of(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let shifted = (month + 9) % 12;
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).saturating_sub(719_468)
}

/// Writes a moment as FHIR's `instant` (RFC 3339, UTC); `None` beyond the year 9999.
pub fn instant(seconds: u64) -> Option<String> {
    if seconds > LAST {
        return None;
    }
    let (year, month, day) = civil(seconds / DAY);
    let rest = seconds % DAY;
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

/// Writes a moment for the eye: `2026-11-22 23:45:26 UTC`.
pub fn utc(seconds: u64) -> String {
    match instant(seconds) {
        Some(instant) => instant.replace('T', " ").replace('Z', " UTC"),
        None => format!("Unix second {seconds}"),
    }
}

/// A moment for the eye, if it is known.
pub(super) fn utc_or_unknown(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "time not known".to_owned(), utc)
}

/// The same time of day some years earlier; from the 29th of February the 28th.
pub(super) fn years_before(seconds: u64, years: u64) -> u64 {
    let (year, month, day) = civil(seconds.min(LAST) / DAY);
    let Some(year) = year.checked_sub(years).filter(|year| *year >= 1970) else {
        return 0;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let day = if month == 2 && !leap {
        day.min(28)
    } else {
        day
    };
    days_of(year, month, day) * DAY + seconds % DAY
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_reader_is_shown() {
        for (text, shown) in [
            ("CT CHEST", "CT CHEST"),
            ("é 日本 العربية 🩻", "é 日本 العربية 🩻"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            (
                "a\u{202e}b\u{2066}c\u{200f}",
                "a\\u{202e}b\\u{2066}c\\u{200f}",
            ),
            (
                "one\r\ntwo\t\0\u{7f}\u{85}",
                "one\\r\\ntwo\\t\\u{0}\\u{7f}\\u{85}",
            ),
            ("\\u{1b}", "\\\\u{1b}"),
            (
                "\u{feff}\u{e0041}\u{ffff}\u{ad}",
                "\\u{feff}\\u{e0041}\\u{ffff}\\u{ad}",
            ),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn json_stays_what_it_says() {
        let text = "a\u{7f}\u{202e}\u{e0041}\u{1b}\n\u{85}é\\";
        let json = visible_json(&serde_json::to_string_pretty(&[text]).unwrap());
        assert!(
            json.contains("\\u007f\\u202e\\udb40\\udc41\\u001b\\n\\u0085é"),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap()[0], text);
    }

    #[test]
    fn moments_are_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(instant(seconds).unwrap(), text);
        }
        assert_eq!(instant(u64::MAX), None);
        assert_eq!(utc(u64::MAX), format!("Unix second {}", u64::MAX));
        for days in (0..120_000).step_by(13) {
            let (year, month, day) = civil(days);
            assert_eq!(days_of(year, month, day), days);
        }
    }

    #[test]
    fn six_years_are_six_years() {
        let at = |text: &str| {
            (0..)
                .map(|day| day * DAY + 3)
                .find(|it| instant(*it).unwrap().starts_with(text))
                .unwrap()
        };
        assert_eq!(years_before(at("2026-11-22"), 6), at("2020-11-22"));
        assert_eq!(years_before(at("2024-02-29"), 6), at("2018-02-28"));
        assert_eq!(years_before(at("1975-01-01"), 6), 0);
        years_before(u64::MAX, 6);
    }
}
