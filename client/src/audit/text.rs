//! How what comes from the chain is shown: nothing of it may draw on a terminal, turn a line around or pass for something
//! else.

use std::fmt::Write;

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

/// Unix seconds as ISO 8601 in UTC: `2026-11-22T23:36:01Z`. `offset` (seconds east of Greenwich) makes it a local time.
pub fn time(unix: u64, offset: i32) -> String {
    let local = i128::from(unix) + i128::from(offset);
    let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    // Days from civil, H. Hinnant: years begin in March.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    match offset {
        0 => text.push('Z'),
        _ => {
            let (sign, minutes) = (
                if offset < 0 { '-' } else { '+' },
                offset.unsigned_abs() / 60,
            );
            // Writing to a String does not fail.
            let _ = write!(text, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
    }
    text
}
