//! A page to read and print: one file without script, image, link or anything from elsewhere. Its own policy (CSP) lets a
//! browser load nothing and run nothing, and apply the one style sheet whose hash it names.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::audit::report::Table;
use pcim_dicom::view::base64;

const STYLE: &str = "
body { font: 11pt/1.4 system-ui, 'DejaVu Sans', sans-serif; color: #111; background: #fff; margin: 2em auto; max-width: 84em; padding: 0 1em }
h1 { font-size: 1.4em }
table { border-collapse: collapse; table-layout: fixed; width: 100%; font-size: .85em }
th, td { border: 1px solid #999; padding: .35em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eee }
tr { break-inside: avoid }
thead { display: table-header-group }
@page { size: A4 landscape; margin: 15mm }
@media print { body { margin: 0; max-width: none; padding: 0 } }
";

/// Writes a table as a page.
pub fn html(table: &Table) -> String {
    let hash = base64(&Sha256::digest(STYLE));
    let title = escaped(&table.title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{hash}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for remark in &table.remarks {
        push(&mut page, format_args!("<p>{}</p>\n", escaped(remark)));
    }
    page.push_str("<table>\n<thead><tr>");
    for column in &table.columns {
        push(
            &mut page,
            format_args!("<th scope=\"col\">{}</th>", escaped(column)),
        );
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.push_str("<tr>");
        for text in row {
            // Writing from right to left in one text does not reorder its neighbours.
            push(
                &mut page,
                format_args!("<td><bdi>{}</bdi></td>", escaped(text)),
            );
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n");
    if table.rows.is_empty() {
        page.push_str("<p>Nothing to list.</p>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text)
        .expect("writing to a String cannot fail");
}

/// Text for an element or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_texts() {
        let hostile = "<script>alert(1)</script>\"' onerror=x &amp;";
        let table = Table {
            title: hostile.to_owned(),
            remarks: vec![hostile.to_owned()],
            columns: vec!["a"],
            rows: vec![vec![hostile.to_owned()]],
        };
        let page = html(&table);
        assert!(!page.contains("<script"));
        let shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onerror=x &amp;amp;";
        assert_eq!(page.matches(shown).count(), 4);
        for refused in ["http:", "https:", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(refused), "{refused}");
        }
    }
}
