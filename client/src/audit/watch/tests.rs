//! Rules over made-up events.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::*;
use crate::audit::entry::{Entry, UnknownLog, What};
use pcim_core::{Address, B256, BlockDigest, Event, ImageDigest, Seal};

const ADA: Address = Address::repeat_byte(0xad);
const EVE: Address = Address::repeat_byte(0xee);
const CLINIC: Address = Address::repeat_byte(0xc1);
const SCAN: ImageDigest = ImageDigest([1; 32]);
const SEALED: ImageDigest = ImageDigest([2; 32]);
const FOREIGN: ImageDigest = ImageDigest([3; 32]);

fn rules(text: &str) -> Vec<Rule> {
    Rule::read_all(text.as_bytes()).unwrap()
}

/// A watcher of Ada's, who has registered one image and holds a handover of another.
struct Scene {
    watcher: Watcher,
    number: u64,
    owners: BTreeMap<ImageDigest, Address>,
}

impl Scene {
    fn new(text: &str) -> Self {
        let images = [(SEALED, ADA)].into();
        let mine = Mine {
            address: ADA,
            patient: ADA,
            images,
        };
        let mut scene = Self {
            watcher: Watcher::new(rules(text), mine),
            number: 0,
            owners: BTreeMap::new(),
        };
        assert!(scene.see(100, registered(ADA, SCAN)).is_empty());
        assert!(scene.see(100, registered(EVE, FOREIGN)).is_empty());
        scene
    }

    /// The reasons of what the rules say.
    fn see(&mut self, at: u64, event: Event) -> Vec<String> {
        let entry = self.entry(at, What::Event(event));
        let alerts = self.watcher.see(&entry);
        assert!(alerts.iter().all(|it| it.event.as_ref() == Some(&entry)));
        alerts.into_iter().map(|alert| alert.reason).collect()
    }

    /// A log as the index has it: with the image's owner, if that is known.
    fn entry(&mut self, timestamp: u64, what: What) -> Entry {
        self.number += 1;
        let mut about = match &what {
            What::Event(event) => event.about(),
            What::Unknown { .. } => Default::default(),
        };
        if let What::Event(Event::ContractCreated { patient, image, .. }) = &what {
            self.owners.entry(*image).or_insert(*patient);
        }
        let owner = about.image.and_then(|image| self.owners.get(&image));
        about.patient = about.patient.or(owner.copied());
        Entry {
            block: self.number,
            block_hash: B256::from(hash(self.number)),
            timestamp,
            tx: B256::from(hash(self.number)),
            log_index: 0,
            about,
            what,
        }
    }
}

fn hash(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn registered(patient: Address, image: ImageDigest) -> Event {
    let (radiologist, seal, info) = (CLINIC, Seal([0; 32]), "CT".to_owned());
    Event::ContractCreated {
        patient,
        image,
        radiologist,
        seal,
        attestation: None,
        replaces: None,
        info,
    }
}

fn requested(requestor: Address, patient: Address, image: ImageDigest) -> Event {
    let (public_key, info) = (BlockDigest([8; 32]), "TREAT".to_owned());
    Event::RequestedForApproval {
        requestor,
        patient,
        image,
        public_key,
        info,
    }
}

fn approved(requestor: Address, image: ImageDigest, expires_at: u64) -> Event {
    let (public_key, shared_image, info) = (BlockDigest([8; 32]), SEALED, String::new());
    Event::Approved {
        requestor,
        image,
        public_key,
        shared_image,
        expires_at,
        info,
    }
}

fn traced(requestor: Address, good: bool) -> Event {
    let (image, patient, info) = (SCAN, ADA, String::new());
    match good {
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
    }
}

fn removed(requestor: Address) -> Event {
    let (image, patient, info) = (SCAN, ADA, "removed".to_owned());
    Event::UserRemoved {
        requestor,
        patient,
        image,
        info,
    }
}

fn reason(requestor: Address, info: &str) -> Event {
    let info = info.to_owned();
    Event::Reason {
        requestor,
        image: SCAN,
        info,
    }
}

fn limit(approvals: u32, window_seconds: u32) -> Event {
    Event::ApprovalLimitSet {
        image: SCAN,
        approvals,
        window_seconds,
        round: None,
    }
}

const MANY: &str = "[[rule]]\nname = 'many'\nwhen = 'many-requests'\ncount = 3\nwithin = '60s'";

#[test]
fn many_requests_within_a_window_speak_once() {
    let mut scene = Scene::new(MANY);
    for at in [100, 130, 160] {
        assert!(
            scene.see(at, requested(EVE, ADA, SCAN)).is_empty(),
            "the first is out of the window by then"
        );
    }
    // Another address and another's images do not count.
    assert!(scene.see(161, requested(CLINIC, ADA, SCAN)).is_empty());
    assert!(scene.see(161, requested(EVE, CLINIC, FOREIGN)).is_empty());
    let said = scene.see(189, requested(EVE, ADA, SCAN));
    assert_eq!(said, [format!("{EVE} asked 3 times within 60 seconds")]);
    assert!(
        scene.see(189, requested(EVE, ADA, SCAN)).is_empty(),
        "counting begins again"
    );
    let of_all = format!("{MANY}\nof = 'all'");
    let mut scene = Scene::new(&of_all);
    for _ in 0..2 {
        assert!(scene.see(161, requested(EVE, CLINIC, FOREIGN)).is_empty());
    }
    assert_eq!(scene.see(161, requested(EVE, CLINIC, FOREIGN)).len(), 1);
}

#[test]
fn a_clock_that_runs_backwards_or_beyond_silences_nothing() {
    let mut scene = Scene::new(MANY);
    for at in [1000, 400] {
        assert!(scene.see(at, requested(EVE, ADA, SCAN)).is_empty());
    }
    assert_eq!(scene.see(0, requested(EVE, ADA, SCAN)).len(), 1);
    // A second that is no date does not move the clock.
    assert!(scene.see(u64::MAX, requested(EVE, ADA, SCAN)).is_empty());
    assert!(scene.see(1030, requested(EVE, ADA, SCAN)).is_empty());
    assert!(
        scene.see(1100, requested(EVE, ADA, SCAN)).is_empty(),
        "the window is over"
    );
}

#[test]
fn use_after_the_end_says_which_end() {
    let mut scene = Scene::new("[[rule]]\nname = 'misuse'\nwhen = 'use-after-end'\nrevoke = true");
    assert!(scene.see(200, traced(EVE, false))[0].contains("nothing was ever approved"));
    let quiet = |scene: &mut Scene, event| assert!(scene.see(200, event).is_empty());
    quiet(&mut scene, requested(EVE, ADA, SCAN));
    assert!(scene.see(200, traced(EVE, false))[0].contains("not decided"));
    quiet(&mut scene, reason(EVE, "no"));
    assert!(scene.see(200, traced(EVE, false))[0].contains("denied"));
    quiet(&mut scene, requested(EVE, ADA, SCAN));
    quiet(&mut scene, approved(EVE, SCAN, 300));
    quiet(&mut scene, traced(EVE, true));
    assert!(scene.see(301, traced(EVE, false))[0].contains("expired"));
    quiet(&mut scene, removed(EVE));
    quiet(&mut scene, reason(EVE, "Contract expired"));
    assert!(scene.see(302, traced(EVE, false))[0].contains("was removed"));
    assert!(scene.see(303, traced(EVE, true))[0].contains("though the access had ended"));
    // The owner's own proof is no misuse.
    quiet(&mut scene, traced(ADA, true));
}

#[test]
fn the_limit_counts_as_the_contract_does() {
    let mut scene = Scene::new("[[rule]]\nname = 'limit'\nwhen = 'limit-reached'");
    assert!(
        scene.see(100, approved(EVE, SCAN, 0)).is_empty(),
        "there is no limit yet"
    );
    assert!(scene.see(100, limit(2, 60)).is_empty());
    assert!(scene.see(100, approved(EVE, SCAN, 0)).is_empty());
    assert_eq!(
        scene.see(159, approved(CLINIC, SCAN, 0)),
        ["2 approvals within 60 seconds: the limit is reached"]
    );
    // The window began with its first approval.
    assert!(scene.see(160, approved(EVE, SCAN, 0)).is_empty());
    assert!(scene.see(161, limit(1, 60)).is_empty());
    assert_eq!(
        scene.see(161, approved(EVE, SCAN, 0)).len(),
        1,
        "setting it begins again"
    );
    assert!(scene.see(162, limit(0, 0)).is_empty());
    assert!(scene.see(162, approved(EVE, SCAN, 0)).is_empty());
}

#[test]
fn foreign_registrations_and_a_new_consortium() {
    let text = "[[rule]]\nname = 'taken'\nwhen = 'registered-by-another'\n[[rule]]\nname = 'consortium'\nwhen = 'consortium-changed'";
    let mut scene = Scene::new(text);
    assert_eq!(
        scene.see(1, registered(EVE, SEALED)),
        [format!("{EVE} registered an image of {ADA}")]
    );
    assert!(scene.see(1, registered(ADA, SEALED)).is_empty());
    let (from, to) = (CLINIC, EVE);
    assert_eq!(
        scene
            .see(1, Event::ConsortiumTransferred { from, to })
            .len(),
        1
    );
}

#[test]
fn the_programs_end_is_told_when_it_is_near() {
    let rule = |days| {
        format!("[[rule]]\nname = 'in {days}'\nwhen = 'program-near-expiry'\nwithin = '{days}d'\n")
    };
    let scene = Scene::new(&(rule(30) + &rule(7)));
    let say = |days: u64| {
        let said = scene.watcher.program_left(days * 86_400).into_iter();
        said.map(|it| (it.rule, it.reason)).collect::<Vec<_>>()
    };
    let in_29 = "the contract's program expires in 29 days".to_owned();
    assert_eq!(say(31), []);
    assert_eq!(say(29), [("in 30".to_owned(), in_29)]);
    let end = "the contract's program has expired";
    let all = ["in 30", "in 7"].map(|rule| (rule.to_owned(), end.to_owned()));
    assert_eq!(say(0), all);
}

#[test]
fn a_log_of_a_later_contract_is_shown_as_it_is() {
    let topic = B256::repeat_byte(0x77);
    let unknown = || What::Unknown {
        unknown: UnknownLog {
            topics: vec![topic],
            data: Default::default(),
            reason: None,
        },
    };
    for (more, speaks) in [
        ("of = 'all'", true),
        ("events = ['Unknown']", true),
        ("", false),
        ("of = 'all'\nevents = ['Reason']", false),
    ] {
        let text = format!("[[rule]]\nname = 'any'\nwhen = 'event'\n{more}");
        let mut watcher = Watcher::new(rules(&text), Mine::default());
        let mut scene = Scene::new(MANY);
        let entry = scene.entry(5, unknown());
        let said = watcher.see(&entry);
        assert_eq!(said.len(), usize::from(speaks), "{more}");
        if let [alert] = &said[..] {
            assert!(alert.reason.contains(&topic.to_string()), "{alert:?}");
            assert_eq!(alert.event, Some(entry));
        }
    }
}

#[test]
fn texts_steer_nobody_and_names_choose() {
    let mut scene = Scene::new("[[rule]]\nname = 'reasons'\nwhen = 'event'\nevents = ['Reason']");
    let said = scene.see(1, reason(EVE, "\u{1b}[2J\u{202e}<script>\n"));
    assert_eq!(said, ["Reason: \\u{1b}[2J\\u{202e}<script>\\n"]);
    assert!(scene.see(1, traced(EVE, false)).is_empty());
    let mut scene =
        Scene::new("[[rule]]\nname = 'all'\nwhen = 'event'\nof = 'all'\nevents = ['Approved']\n");
    assert_eq!(scene.see(1, approved(EVE, FOREIGN, 0)), ["Approved"]);
}

#[test]
fn mistakes_are_told_with_their_rule() {
    let rule = |rest: &str| format!("[[rule]]\nname = 'it'\n{rest}");
    for (text, wanted) in [
        (String::new(), "0 rules"),
        ("[[rule]".to_owned(), "not a rules file"),
        (rule("when = 'never'"), "`when` is `never`"),
        (rule("when = 'event'\nevnts = []"), "unknown field `evnts`"),
        (
            rule("when = 'event'\nevents = ['Approvd']"),
            "no event `Approvd`",
        ),
        (rule("when = 'event'\ncount = 3"), "takes no `count`"),
        (
            rule("when = 'many-requests'\nwithin = '1h'"),
            "needs `count`",
        ),
        (rule("when = 'many-requests'\ncount = 3"), "needs `within`"),
        (
            rule("when = 'many-requests'\ncount = 0\nwithin = '1h'"),
            "`count` is 0",
        ),
        (
            rule("when = 'many-requests'\ncount = 2\nwithin = '1w'"),
            "length of time",
        ),
        (
            rule("when = 'many-requests'\ncount = 2\nwithin = 'é'"),
            "length of time",
        ),
        (rule("when = 'limit-reached'\nrevoke = true"), "can revoke"),
        (
            rule("when = 'event'\nof = 'all'\nrevoke = true"),
            "can revoke",
        ),
        (rule("when = 'event'\nrun = ['']"), "`run` is a program"),
        (rule("when = 'event'\ntime_limit = '5s'"), "is for `run`"),
        (
            rule("when = 'event'\nrun = ['true']\ntime_limit = '2h'"),
            "more than an hour",
        ),
        (
            format!("{}\n{}", rule("when = 'event'"), rule("when = 'event'")),
            "another rule",
        ),
        (
            rule("when = 'event'")
                .replace("'it'", "'a\\u001b'")
                .replace('\'', "\""),
            "a name has",
        ),
    ] {
        let error = Rule::read_all(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    let large = vec![b'#'; MAX_RULES_BYTES + 1];
    assert!(matches!(
        Rule::read_all(&large),
        Err(Error::TooLarge { .. })
    ));
    let example = include_str!("../../../cli/rules.toml");
    assert_eq!(rules(example).len(), 8, "the example reads");
}
