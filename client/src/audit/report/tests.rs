//! One story with hostile texts in every form; what others' software makes of it.
#![allow(clippy::unwrap_used)]

mod emergency;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::papers::request::Purpose;
use pcim_core::{B256, BlockDigest, Event, GrantStatus, ImageDigest, Seal};

const DAY: u64 = 86_400;
const NOW: u64 = 1_795_000_000;
const ADA: Address = Address::repeat_byte(0xad);
const EVE: Address = Address::repeat_byte(0xee);
const CLINIC: Address = Address::repeat_byte(0xc1);
const LAB: Address = Address::repeat_byte(0x1a);
const RADIOLOGIST: Address = Address::repeat_byte(0x4d);
const SCAN: ImageDigest = ImageDigest([1; 32]);
const OTHER: ImageDigest = ImageDigest([2; 32]);

/// What strangers may write into the 256 bytes of a text.
fn hostile() -> Vec<String> {
    let texts = [
        "<script>document.title='pwned';document.body.id='pwned'</script>",
        "<img src=x onerror=\"document.title='pwned'\">",
        "\"><svg onload=document.title='pwned'>",
        "</td></tr></table></style><iframe srcdoc=\"<script>top.document.title='pwned'</script>\">",
        "=cmd|'/c calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(A1:A9)",
        "one, \"two\"\r\nthree\nfour",
        "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{1b}[31mred\u{9b}31m",
        "safe\u{202e}gpj.exe\u{2066}x\u{2069}\u{200f}\u{feff}",
        "\0\u{1}\u{7f}\u{85}\u{2028}\u{2029}\u{fffe}",
        "${jndi:ldap://x}{{7*7}}%0d%0a&lt;script&gt;",
        " ",
        "",
    ];
    let long = "<b>\u{1b}\u{202e}\"".chars().cycle().take(160).collect();
    let mut texts: Vec<String> = texts.map(str::to_owned).to_vec();
    texts.push(long);
    texts
}

/// Events as they come: each in a transaction of its own unless it belongs to the one before.
struct Story {
    events: Vec<LoggedEvent>,
    at: u64,
}

impl Story {
    fn tell(&mut self, pass: u64, events: impl IntoIterator<Item = Event>) {
        self.at += pass;
        let number = self.events.len() as u64;
        let mut tx = [0x77; 32];
        tx[..8].copy_from_slice(&number.to_be_bytes());
        for (log_index, event) in (0..).zip(events) {
            self.events.push(LoggedEvent {
                block: 100 + number,
                timestamp: Some(self.at),
                tx: B256::from(tx),
                log_index,
                event,
            });
        }
    }

    fn registered(&mut self, patient: Address, image: ImageDigest, info: &str) {
        let (radiologist, seal, info) = (RADIOLOGIST, Seal([9; 32]), info.to_owned());
        self.tell(
            DAY,
            [Event::ContractCreated {
                patient,
                image,
                radiologist,
                seal,
                attestation: None,
                replaces: None,
                info,
            }],
        );
    }

    fn requested(&mut self, requestor: Address, image: ImageDigest, info: &str) {
        let (patient, public_key, info) = (ADA, BlockDigest([8; 32]), info.to_owned());
        self.tell(
            DAY,
            [Event::RequestedForApproval {
                requestor,
                patient,
                image,
                public_key,
                info,
            }],
        );
    }

    fn approved(&mut self, requestor: Address, image: ImageDigest, expires_at: u64, info: &str) {
        let accepted = Event::Requestaccepted {
            patient: ADA,
            image,
            info: "approved by patient.".to_owned(),
        };
        let (public_key, shared_image, info) =
            (BlockDigest([8; 32]), ImageDigest([7; 32]), info.to_owned());
        let approved = Event::Approved {
            requestor,
            image,
            public_key,
            shared_image,
            expires_at,
            info,
        };
        self.tell(DAY, [accepted, approved]);
    }

    fn denied(&mut self, requestor: Address, image: ImageDigest, reason: &str) {
        let denied = Event::Requestdenied {
            patient: ADA,
            image,
            info: "Failed to be approved by patient".to_owned(),
        };
        let reason = Event::Reason {
            requestor,
            image,
            info: reason.to_owned(),
        };
        self.tell(DAY, [denied, reason]);
    }

    fn removed(&mut self, requestor: Address, image: ImageDigest) {
        let (patient, info) = (ADA, "removed".to_owned());
        let removed = Event::UserRemoved {
            requestor,
            patient,
            image,
            info,
        };
        let reason = Event::Reason {
            requestor,
            image,
            info: "Contract expired".to_owned(),
        };
        self.tell(DAY, [removed, reason]);
    }

    fn traced(&mut self, requestor: Address, image: ImageDigest, good: bool) {
        let (patient, info) = (ADA, "traced".to_owned());
        self.tell(
            DAY,
            [match good {
                true => Event::AuthorizationSuccess {
                    requestor,
                    image,
                    info,
                    patient,
                },
                false => Event::AuthorizationFailed {
                    requestor,
                    image,
                    info,
                    patient,
                },
            }],
        );
    }
}

/// Every event of the contract, and every hostile text wherever a stranger can put one.
fn story() -> Vec<LoggedEvent> {
    let mut story = Story {
        events: Vec::new(),
        at: NOW - 9 * 365 * DAY,
    };
    let (from, to) = (RADIOLOGIST, LAB);
    story.tell(
        0,
        [Event::RadiologistAccredited {
            radiologist: RADIOLOGIST,
            accredited: true,
            status: None,
            since: None,
        }],
    );
    story.tell(0, [Event::ConsortiumTransferred { from, to }]);
    story.registered(ADA, SCAN, "CT CHEST");
    // Nine years ago, and so in no accounting of six.
    story.requested(EVE, SCAN, "HPAYMT");
    story.approved(EVE, SCAN, 0, "old");
    story.removed(EVE, SCAN);
    story.at = NOW - 300 * DAY;
    story.requested(
        CLINIC,
        SCAN,
        "TREAT bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    );
    story.approved(CLINIC, SCAN, NOW + 30 * DAY, "Authorized to access image");
    story.traced(CLINIC, SCAN, true);
    story.requested(LAB, SCAN, "HRESCH");
    story.approved(LAB, SCAN, NOW - 40 * DAY, "for a year");
    story.tell(
        DAY,
        [Event::Reshared {
            requestor: LAB,
            image: SCAN,
            shared_image: OTHER,
            expires_at: NOW - 20 * DAY,
        }],
    );
    story.traced(LAB, SCAN, false);
    story.tell(
        DAY,
        [Event::ImageResealed {
            image: SCAN,
            root: OTHER,
            emergency: None,
            round: None,
        }],
    );
    story.tell(
        DAY,
        [Event::ApprovalLimitSet {
            image: SCAN,
            approvals: 3,
            window_seconds: 60,
            round: None,
        }],
    );
    story.traced(ADA, SCAN, true);
    for (number, text) in hostile().iter().enumerate() {
        let number = number as u8 + 100;
        let (image, requestor) = (ImageDigest([number; 32]), Address::repeat_byte(number));
        story.registered(ADA, image, text);
        story.requested(requestor, image, text);
        match number % 3 {
            0 => story.approved(requestor, image, 0, text),
            1 => story.denied(requestor, image, text),
            _ => {}
        }
    }
    // A node that tells no times, and one that tells times beyond every calendar.
    story.registered(ADA, OTHER, "MR HEAD");
    for timestamp in [None, Some(u64::MAX)] {
        story.requested(CLINIC, OTHER, "ETREAT");
        story.approved(CLINIC, OTHER, u64::MAX >> 24, "");
        story
            .events
            .iter_mut()
            .rev()
            .take(3)
            .for_each(|event| event.timestamp = timestamp);
    }
    story.events
}

fn contacts() -> Contacts {
    let mut contacts = Contacts::new();
    contacts.insert(CLINIC, "Clinic <b>\u{202e}North</b>");
    contacts
}

fn facts<'a>(events: &'a [LoggedEvent], contacts: &'a Contacts) -> Facts<'a> {
    Facts {
        chain_id: 412_346,
        contract: Address::repeat_byte(0xcc),
        events,
        unknown: 3,
        block: 999,
        now: NOW,
        contacts,
    }
}

fn tables(facts: &Facts<'_>) -> [(&'static str, Table); 4] {
    [
        ("timeline", timeline(facts, |_| true)),
        ("rights", rights_table(facts, |_| true)),
        ("disclosures", disclosures(facts, |_| true)),
        ("ehds", accesses(facts, false, |_| true)),
    ]
}

#[test]
fn rights_are_what_the_events_say() {
    let events = story();
    let of = |requestor, image| {
        let rights = rights(&events);
        rights
            .into_iter()
            .find(|it| it.requestor == requestor && it.image == image)
            .unwrap()
    };
    let clinic = of(CLINIC, SCAN);
    assert!(clinic.is_open(NOW) && !clinic.is_open(NOW + 30 * DAY));
    assert_eq!(
        (clinic.purpose, clinic.about),
        (Some(Purpose::Treat), Some("CT CHEST"))
    );
    let lab = of(LAB, SCAN);
    assert_eq!(
        (lab.status, lab.ends()),
        (GrantStatus::Approved, Some(NOW - 20 * DAY))
    );
    assert!(!lab.is_open(NOW));
    let eve = of(EVE, SCAN);
    assert_eq!(
        (eve.status, eve.ends()),
        (GrantStatus::Removed, eve.ended_at)
    );
    assert!(eve.approved_at < eve.ended_at);
    for told in tell(&events) {
        if matches!(
            told.logged.event,
            Event::Requestaccepted { .. } | Event::Requestdenied { .. }
        ) {
            assert!(told.requestor.is_some(), "{told:?}");
        }
    }
}

#[test]
fn accountings_have_their_periods_names_and_purposes() {
    let (events, contacts) = (story(), contacts());
    let facts = facts(&events, &contacts);
    for (name, table) in tables(&facts) {
        let missing = "Not complete: 3 logs of the contract are not understood";
        let told = table.remarks.iter().any(|remark| remark.contains(missing));
        assert!(told, "{name}");
    }
    let eve = EVE.to_string();
    let disclosed = disclosures(&facts, |_| true);
    assert!(
        disclosed.rows.iter().all(|row| !row[1].contains(&eve)),
        "older than six years"
    );
    let clinic: Vec<_> = disclosed
        .rows
        .iter()
        .filter(|row| row[2].contains("CT CHEST") && row[1].contains("Clinic"))
        .collect();
    assert_eq!(clinic.len(), 2, "approved, and recorded");
    assert_eq!(
        clinic[0][1],
        format!("Clinic <b>\\u{{202e}}North</b> ({CLINIC})")
    );
    assert_eq!(clinic[0][3], "treatment (TREAT)");
    assert!(disclosed.title.contains("courtesy"));
    assert!(disclosed.remarks[0].contains("not a legal statement"));
    let accessed = accesses(&facts, false, |_| true);
    let kinds = |who: &str| -> Vec<String> {
        let rows = accessed
            .rows
            .iter()
            .filter(|row| row[0].contains(who) && row[2].contains("CT CHEST"));
        rows.map(|row| row[3].clone()).collect()
    };
    assert_eq!(
        kinds("Clinic"),
        [
            "could access from then on (approved)",
            "access recorded (authorized)"
        ]
    );
    assert_eq!(
        kinds(&LAB.to_string()),
        [
            "could access from then on (approved)",
            "could access from then on (shared again)",
            "refused (not authorized)"
        ]
    );
    assert!(kinds(&eve).is_empty(), "older than three years");
    let all = accesses(&facts, true, |_| true);
    assert!(all.rows.iter().any(|row| row[0] == eve));
}

#[test]
fn no_form_passes_on_what_steers_a_reader() {
    let (events, contacts) = (story(), contacts());
    let facts = facts(&events, &contacts);
    let mut forms = vec![
        visible_json(&audit_events(&facts, |_| true).to_string()),
        visible_json(&consents(&facts, |_| true).to_string()),
    ];
    for (name, table) in tables(&facts) {
        assert!(!table.rows.is_empty(), "{name}");
        assert!(
            table
                .rows
                .iter()
                .all(|row| row.len() == table.columns.len()),
            "{name}"
        );
        forms.extend([csv(&table), html(&table)]);
        let page = html(&table);
        for refused in ["<script", "<img", "<svg", "<iframe", "<b>"] {
            assert!(!page.contains(refused), "{name}: {refused}");
        }
    }
    for form in forms {
        let steers = |c: char| {
            c.is_control() && !matches!(c, '\n' | '\r')
                || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200f}' | '\u{feff}' | '\u{fffe}')
        };
        assert_eq!(form.find(steers), None);
    }
}

/// Writes every form into a folder.
fn written(dir: &Path) {
    let (events, contacts) = (story(), contacts());
    let facts = facts(&events, &contacts);
    let write = |name: &str, text: String| fs::write(dir.join(name), text).unwrap();
    write("fhir.json", audit_events(&facts, |_| true).to_string());
    write("consent.json", consents(&facts, |_| true).to_string());
    write("logs", events.len().to_string());
    write("rights", rights(&events).len().to_string());
    for (name, table) in tables(&facts) {
        write(&format!("{name}.csv"), csv(&table));
        write(&format!("{name}.html"), html(&table));
        write(
            &format!("{name}.json"),
            serde_json::to_string(&table).unwrap(),
        );
    }
    // As a stranger would like them: nothing escaped before the form itself escapes.
    let raw = Table {
        title: "raw".to_owned(),
        remarks: hostile(),
        columns: vec!["number", "text"],
        rows: (0..)
            .zip(hostile())
            .map(|(number, text)| vec![number.to_string(), text])
            .collect(),
    };
    write("raw.csv", csv(&raw));
    write("raw.html", html(&raw));
    write("raw.json", serde_json::to_string(&raw).unwrap());
}

#[test]
fn others_read_fhir_and_csv() {
    let Some(python) = std::env::var_os("PCIM_TEST_PYTHON") else {
        println!("skipped: PCIM_TEST_PYTHON names no Python with fhir.resources");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/interop/reports.py");
    let run = Command::new(python)
        .arg(script)
        .arg(dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    println!("{told}");
}

/// Debian's Chromium, or the one that is named.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("PCIM_TEST_CHROMIUM").map(PathBuf::from);
    named
        .or_else(|| Some(PathBuf::from("/usr/bin/chromium")))
        .filter(|path| path.is_file())
}

#[test]
fn a_browser_shows_the_pages_and_runs_nothing() {
    let Some(chromium) = chromium() else {
        println!("skipped: no /usr/bin/chromium, and PCIM_TEST_CHROMIUM names none");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    // That the check can fail: the same texts in a page without escapes and policy do run.
    let bare: String = hostile().concat();
    fs::write(
        dir.path().join("bare.html"),
        format!("<title>bare</title><body>{bare}"),
    )
    .unwrap();
    let dump = |name: &str, more: &[&str]| {
        let profile = tempfile::tempdir().unwrap();
        let run = Command::new(&chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ])
            .args(["--disable-dev-shm-usage", "--virtual-time-budget=1000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(more)
            .arg(format!("file://{}", dir.path().join(name).display()))
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert!(run.status.success(), "{name}: {run:?}");
        String::from_utf8(run.stdout).unwrap()
    };
    assert!(
        dump("bare.html", &["--dump-dom"]).contains("pwned</title>"),
        "the sentinel does not work"
    );
    for (name, title) in [
        ("timeline.html", "What happened to the images"),
        ("raw.html", "raw"),
    ] {
        let dom = dump(name, &["--dump-dom"]);
        assert!(
            dom.contains(&format!("<title>{title}</title>")),
            "{name}: {dom}"
        );
        assert!(
            !dom.contains("id=\"pwned\"") && !dom.contains("<script") && !dom.contains("<iframe"),
            "{name}"
        );
        assert!(dom.contains("&lt;script&gt;"), "{name}");
    }
    let picture = dir.path().join("page.png");
    dump(
        "timeline.html",
        &[
            "--window-size=1400,1000",
            &format!("--screenshot={}", picture.display()),
        ],
    );
    let png = fs::read(&picture).unwrap();
    assert!(
        png.starts_with(b"\x89PNG") && png.len() > 20_000,
        "{} bytes",
        png.len()
    );
    if let Some(keep) = std::env::var_os("PCIM_TEST_KEEP_REPORTS") {
        for entry in fs::read_dir(dir.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), Path::new(&keep).join(entry.file_name())).unwrap();
        }
    }
}
