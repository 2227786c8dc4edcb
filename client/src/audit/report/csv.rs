//! CSV: RFC 4180 in UTF-8, every field in quotes.
//!
//! A spreadsheet takes a field that begins with `=`, `+`, `-` or `@` for a formula, quotes or not. Such a field gets an
//! apostrophe in front, which spreadsheets take for the mark of a text and other readers see; so does one that begins with
//! the full-width forms of these characters, with a tab or with a line's end, also behind blanks.

use crate::audit::report::Table;

/// Writes a table as CSV: the columns' names, then the rows. Title and remarks are left out.
pub fn csv(table: &Table) -> String {
    let mut text = String::new();
    line(&mut text, table.columns.iter().copied());
    for row in &table.rows {
        line(&mut text, row.iter().map(String::as_str));
    }
    text
}

fn line<'a>(text: &mut String, fields: impl Iterator<Item = &'a str>) {
    for (number, field) in fields.enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push('"');
        if is_formula(field) {
            text.push('\'');
        }
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    }
    text.push_str("\r\n");
}

fn is_formula(field: &str) -> bool {
    const FIRST: [char; 11] = [
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ];
    field.starts_with(FIRST) || field.trim_start().starts_with(FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_disarmed() {
        let row = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let table = Table {
            title: String::new(),
            remarks: Vec::new(),
            columns: vec!["one", "two"],
            rows: vec![
                row(&["a,b", "say \"hi\""]),
                row(&["two\r\nlines", ""]),
                row(&["=1+1", " @SUM(A1)"]),
                row(&["-", "+\u{ff1d}"]),
                row(&["\u{ff1d}1", "a=b"]),
            ],
        };
        let wanted = "\"one\",\"two\"\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\"two\r\nlines\",\"\"\r\n\
            \"'=1+1\",\"' @SUM(A1)\"\r\n\"'-\",\"'+\u{ff1d}\"\r\n\"'\u{ff1d}1\",\"a=b\"\r\n";
        assert_eq!(csv(&table), wanted);
    }
}
