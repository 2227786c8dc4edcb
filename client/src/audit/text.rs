//! How what comes from the chain is shown: nothing of it may draw on a terminal, turn a line around or pass for something
//! else.

/// Makes text from the chain fit for one line of a terminal: controls, line breaks, format and bidirectional characters,
/// private and unassigned ones that are usual in spoofs, and the backslash are written as Rust writes them (`\u{202e}`).
pub fn escaped(text: impl IntoIterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        if c == '\\' || steers(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Controls (general category Cc), formats (Cf), line and paragraph separators, fillers, private use, and what is no
/// character.
pub(super) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Writes unix seconds as ISO 8601 in UTC: `2026-11-22T23:36:01Z`.
pub fn time(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
pub(super) fn civil(days: u64) -> (u64, u64, u64) {
    // The calendar repeats every 400 years of 146,097 days; years begin in March here, so that a leap day ends one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_763_854_561, "2025-11-22T23:36:01Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(time(unix), text);
        }
        assert!(time(u64::MAX).ends_with('Z'), "no time overflows");
    }

    #[test]
    fn nothing_from_the_chain_steers_a_terminal() {
        let hostile = "a\u{7}\u{1b}[2J\r\n\t\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{85}\\é漢";
        let shown = escaped(hostile.chars());
        assert!(shown.chars().all(|c| !steers(c)), "{shown}");
        assert_eq!(
            shown,
            r"a\u{7}\u{1b}[2J\r\n\t\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{85}\\é漢"
        );
        // What is shown cannot be mistaken for what was escaped.
        assert_ne!(escaped(r"\u{7}".chars()), escaped("\u{7}".chars()));
        let all: String = (0..=255).map(char::from).collect();
        assert!(escaped(all.chars()).chars().all(|c| !steers(c)));
    }
}
