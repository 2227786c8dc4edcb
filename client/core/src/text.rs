//! How text of others is shown: nothing of it may draw on a terminal, turn a line around, hide or pass for something else.

use std::path::Path;

use serde::Serializer;

/// Makes text of others fit for one line of a terminal: controls, line breaks, format and bidirectional characters,
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

/// Serializes a path as text; bytes of a name that are no UTF-8 are replaced, so that the document is written all the same.
///
/// # Errors
/// The serializer's own.
pub fn path<S: Serializer>(path: &impl AsRef<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.as_ref().display())
}

/// Serializes a path, if there is one, as [`path`] does.
///
/// # Errors
/// The serializer's own.
pub fn path_if_any<S: Serializer>(
    path: &Option<impl AsRef<Path>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.collect_str(&path.as_ref().display()),
        None => serializer.serialize_none(),
    }
}

/// Says whether a character could steer a terminal or hide: controls (general category Cc), formats (Cf), line and paragraph
/// separators, fillers, private use, and what is no character.
pub fn steers(c: char) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_steers_a_terminal() {
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
