//! How what comes from the chain is shown: nothing of it may draw on a terminal, turn a line around or pass for something
//! else.

/// Text from the chain, fit for one line of a terminal: controls, line breaks, format and bidirectional characters,
/// private and unassigned ones that are usual in spoofs, and the backslash are written as Rust writes them (`\u{202e}`).
pub fn escaped(text: impl IntoIterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text {
        if c == '\\' || !is_plain(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character stands for itself and for nothing else.
fn is_plain(c: char) -> bool {
    let invisible = matches!(c,
        // Soft hyphen, Arabic letter mark, Mongolian separators.
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        // Zero width, bidirectional, separators, invisible operators.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        // Variation selectors, tags, private use, surrogates' neighbours.
        | '\u{fe00}'..='\u{fe0f}' | '\u{e000}'..='\u{f8ff}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}');
    !c.is_control() && !invisible
}

/// Unix seconds as ISO 8601 in UTC: `2026-11-22T23:36:01Z`.
pub fn time(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    // The calendar repeats every 400 years of 146,097 days; years begin in March here, so that a leap day ends one.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
        assert!(shown.chars().all(is_plain), "{shown}");
        assert_eq!(
            shown,
            r"a\u{7}\u{1b}[2J\r\n\t\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}\u{85}\\é漢"
        );
        // What is shown cannot be mistaken for what was escaped.
        assert_ne!(escaped(r"\u{7}".chars()), escaped("\u{7}".chars()));
        let all: String = (0..=255).map(char::from).collect();
        assert!(escaped(all.chars()).chars().all(is_plain));
    }
}
