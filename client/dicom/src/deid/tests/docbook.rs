//! The script that takes the standard's tables out of its DocBook, tried on an excerpt.

use std::process::Command;

use serde_json::{Value, json};

const HEADINGS: [&str; 15] = [
    "Attribute Name",
    "Tag",
    "Retd. (from PS3.6)",
    "In Std. Comp. IOD (from PS3.3)",
    "Basic Prof.",
    "Rtn. Safe Priv. Opt.",
    "Rtn. UIDs Opt.",
    "Rtn. Dev. Id. Opt.",
    "Rtn. Inst. Id. Opt.",
    "Rtn. Pat. Chars. Opt.",
    "Rtn. Long. Full Dates Opt.",
    "Rtn. Long. Modif. Dates Opt.",
    "Clean Desc. Opt.",
    "Clean Struct. Cont. Opt.",
    "Clean Graph. Opt.",
];

fn table(id: &str, headings: &[&str], rows: &[Vec<&str>]) -> String {
    let line = |kind: &str, cells: &[&str]| {
        let cells = cells
            .iter()
            .map(|it| format!("<{kind}><para>{it}</para></{kind}>"));
        format!("<tr valign=\"top\">{}</tr>", cells.collect::<String>())
    };
    let body: String = rows.iter().map(|row| line("td", row)).collect();
    format!(
        "<table xml:id=\"{id}\"><caption>C</caption><thead>{}</thead><tbody>{body}</tbody></table>",
        line("th", headings)
    )
}

#[test]
fn tables_are_taken_out_of_the_standards_source() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3");
        return;
    }
    let profile = table(
        "table_E.1-1",
        &HEADINGS,
        &[
            vec![
                "Accession\u{200b} Number",
                "(0008,0050)",
                "N",
                "Y",
                "Z",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
            ],
            vec![
                "Study Date",
                "(0008,0020)",
                "N",
                "Y",
                "Z",
                "",
                "",
                "",
                "",
                "",
                "K",
                "C",
                "",
                "",
                "",
            ],
            vec![
                "Overlay Data",
                "(60xx,3000)",
                "N",
                "Y",
                "X",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "C",
            ],
            vec![
                "Private Attributes",
                "(gggg,eeee) where gggg is odd",
                "N",
                "N",
                "X",
                "C",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
                "",
            ],
        ],
    );
    let mut headings = vec![
        "Code Meaning",
        "Code Value",
        "Coding Scheme Designator",
        "Value Type",
    ];
    headings.extend(&HEADINGS[4..]);
    let mut row = vec!["Subject Age", "121033", "DCM", "NUM", "X"];
    row.extend(["", "", "", "", "K", "", "", "", "", ""]);
    let content = table("table_E.3.4-1", &headings, &[row]);
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("part15.xml");
    let book = format!("<book xmlns=\"http://docbook.org/ns/docbook\">{profile}{content}</book>");
    std::fs::write(&source, book).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deid/data/docbook.py");
    let ran = Command::new("python3")
        .args([
            script.as_ref(),
            source.as_os_str(),
            folder.path().as_os_str(),
        ])
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.path().join(name)).unwrap()).unwrap()
    };
    let plain = |name: &str, tag: &str, id: &str, basic: &str, compound: &str| json!({ "name": name, "tag": tag, "id": id, "basicProfile": basic, "stdCompIOD": compound });
    let mut date = plain("Study Date", "(0008,0020)", "00080020", "Z", "Y");
    date["rtnLongFullDatesOpt"] = "K".into();
    date["rtnLongModifDatesOpt"] = "C".into();
    let mut overlay = plain("Overlay Data", "(60xx,3000)", "60xx3000", "X", "Y");
    overlay["cleanGraphOpt"] = "C".into();
    let odd = "(gggg,eeee) where gggg is odd";
    let mut private = plain(
        "Private Attributes",
        odd,
        "gggg-eeee-where-gggg-is-odd",
        "X",
        "N",
    );
    private["rtnSafePrivOpt"] = "C".into();
    let accession = plain("Accession Number", "(0008,0050)", "00080050", "Z", "Y");
    assert_eq!(
        read("table-e.1-1.json"),
        json!([accession, date, overlay, private])
    );
    let age = json!({
        "code": "121033", "scheme": "DCM", "meaning": "Subject Age", "value_type": "NUM",
        "basic": "X", "options": { "retain_patient_characteristics": "K" },
    });
    assert_eq!(
        read("table-e.3.4-1.json"),
        json!({ "content_items": [age] })
    );
}
