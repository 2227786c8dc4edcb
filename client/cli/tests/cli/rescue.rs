//! Accounts whose keys are lost or stolen, and patients who cannot decide, with real homes.

use std::path::Path;
use std::time::Duration;

use pcim_core::chance::{Numbers, rounds};
use serde_json::json;

use crate::backup::killed;
use crate::program::{Actor, Run};
use crate::stage::{IMAGE, Stage};

pub(crate) const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;
/// Which moments are killed.
const SEED: u64 = 0x5eed_0016;

const NAMES: [&str; 3] = ["mother", "friend", "doctor-of-old"];

/// Runs a command of an actor, whose arguments are made up.
pub(crate) fn run(actor: &Actor, args: &[&str]) -> Run {
    Run::of(actor.command().args(args))
}

/// Three homes with cards.
pub(crate) fn helpers(stage: &Stage) -> (Vec<Actor>, Vec<String>) {
    let mut cards = Vec::new();
    let helpers = (6..).zip(NAMES).map(|(number, name)| {
        let actor = stage.newcomer(name, number, &[]);
        cards.push(card(stage, &actor, name));
        actor
    });
    (helpers.collect(), cards)
}

/// Writes an actor's card.
pub(crate) fn card(stage: &Stage, actor: &Actor, name: &str) -> String {
    let card = stage.file(&format!("{name}.card"));
    actor.run(["card", "--force", "--out", &card]).json();
    card
}

/// The words of a card, as its holder reads them aloud.
fn words(card: &str) -> String {
    let shown = Run::of(crate::program::pcim().args(["--json", "card", "show", card]));
    shown.json()["words"].as_str().unwrap().to_owned()
}

/// Three homes whom the patient named as guardians by keys that are for her alone; two of them are enough. And the file of the set.
fn guarded(stage: &Stage) -> (Vec<Actor>, Vec<String>, String) {
    let (guardians, cards) = helpers(stage);
    let patient = stage.file("patient.card");
    let mut accepted = Vec::new();
    for (guardian, name) in guardians.iter().zip(NAMES) {
        let out = stage.file(&format!("{name}.accepted"));
        let done = run(guardian, &["guardian", "accept", &patient, "--out", &out]).json();
        assert_ne!(
            done["guardian"],
            json!(guardian.address),
            "a key of its own"
        );
        let again = stage.file(&format!("{name}.again"));
        let again = run(guardian, &["guardian", "accept", &patient, "--out", &again]).json();
        assert_eq!(again["guardian"], done["guardian"]);
        accepted.push(out);
    }
    let set = stage.file("guardians.json");
    let mut name = stage.actor("patient").command();
    name.args(["patient", "guardians", "--threshold", "2", "--hours", "72"]);
    Run::of(name.args(["--out", &set]).args(&accepted)).json();
    (guardians, cards, set)
}

/// Has guardians agree to a recovery to a home; the arguments of `recover start`.
fn agreed(stage: &Stage, to: &Actor, patient: &str, more: &[&str], by: &[&Actor]) -> Vec<String> {
    let request = stage.file(&format!("recovery-{}.json", by.len()));
    let ask = [
        "recover",
        "request",
        "--patient",
        patient,
        "--out",
        &request,
    ];
    Run::of(to.command().args(ask).args(more)).json();
    let mut start = vec!["recover".to_owned(), "start".to_owned()];
    for (number, guardian) in by.iter().enumerate() {
        let agreement = stage.file(&format!("agreement-{number}-of-{}.json", by.len()));
        run(
            guardian,
            &["guardian", "agree", &request, "--out", &agreement],
        )
        .json();
        start.push(agreement);
    }
    start
}

fn start(to: &Actor, args: &[String], set: &str) -> Run {
    Run::of(to.command().args(args).args(["--set", set]))
}

/// The file of a guardian's share.
fn share(kept: &str, number: usize) -> String {
    let begin = format!("share-{number}-");
    let names = crate::program::names(Path::new(kept));
    let name = names.iter().find(|it| it.starts_with(&begin)).unwrap();
    format!("{kept}/{name}")
}

/// Backs up for three guardians and two followers, in a folder.
fn backed_up(stage: &Stage, cards: &[String]) -> (String, String) {
    let kept = stage.file("kept");
    let mut backup = stage.actor("patient").command();
    backup.args(["backup", "--threshold", "2", "--out", &kept]);
    for card in cards {
        backup.args(["--guardian", card]);
    }
    let clinic = card(stage, &stage.actor("clinic"), "clinic");
    for follower in [&stage.file("doctor.card"), &clinic] {
        backup.args(["--follower", follower]);
    }
    let made = Run::of(&mut backup).json();
    (kept, made["backup"].as_str().unwrap().to_owned())
}

/// A drill that these guardians answer, the first of them without a share; and what the patient hears.
fn drilled(stage: &Stage, set: &str, kept: &str, by: &[&Actor]) -> Run {
    let patient = stage.actor("patient");
    let drill = stage.file(&format!("drill-{}.json", by.len()));
    run(&patient, &["recover", "drill", "--out", &drill]).json();
    let mut judge = patient.command();
    judge.args(["recover", "drill", "--drill", &drill, "--set", set]);
    for (number, guardian) in by.iter().enumerate() {
        let answer = stage.file(&format!("answer-{number}-of-{}.json", by.len()));
        let share = share(kept, number + 1);
        let args = [
            "guardian", "drill", &drill, "--share", &share, "--out", &answer,
        ];
        run(guardian, &args).json();
        judge.arg(answer);
    }
    Run::of(&mut judge)
}

#[test]
fn a_lost_laptop_is_replaced_and_its_images_open_on_the_new_one() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (patient, radiologist) = (stage.actor("patient"), stage.actor("radiologist"));
    let (guardians, cards, set) = guarded(&stage);
    let [mother, friend, old] = &guardians[..] else {
        panic!("three guardians");
    };
    let (kept, newest) = backed_up(&stage, &cards);
    let good = drilled(&stage, &set, &kept, &[mother, friend, old]).json();
    assert_eq!(good["standing"], "good", "{good}");
    assert_eq!(good["shares"], json!([1, 2, 3]));
    let alone = drilled(&stage, &set, &kept, &[mother]);
    assert_eq!(alone.code, Some(1), "{alone:?}");
    assert_eq!(alone.document()["standing"], "would_fail");
    assert!(alone.stderr.contains("would not work"), "{alone:?}");

    // All that was on the laptop is gone.
    std::fs::remove_dir_all(&patient.home).unwrap();
    let laptop = stage.newcomer("laptop", 9, &[]);
    let to = card(&stage, &laptop, "laptop");
    let few = agreed(&stage, &laptop, &patient.address, &[], &[mother]);
    start(&laptop, &few, &set).refused(1, "1 guardians agreed; 2 must");
    let enough = agreed(&stage, &laptop, &patient.address, &[], &[mother, friend]);
    start(&laptop, &enough, &set).json();
    let finish = ["recover", "finish", "--patient", &patient.address];
    run(&laptop, &finish).refused(1, "can be finished from");
    let letter = |name: &str| stage.file(&format!("{name}.letter"));
    let (one, two, key) = (letter("mother"), letter("friend"), letter("doctor"));
    let (first, second) = (share(&kept, 1), share(&kept, 2));
    let release = |share: &str, out: &str| {
        ["guardian", "release", share, "--to", &to, "--out", out].map(str::to_owned)
    };
    let early = Run::of(mother.command().args(release(&first, &one)));
    early.refused(1, "does not act for");
    assert!(!Path::new(&one).exists());
    stage.pass(72 * HOUR);
    run(&laptop, &finish).json();
    let standing = run(&laptop, &["account", "show"]).json();
    assert_eq!(standing["acting"], json!(laptop.address));

    // The OpenPGP key comes back from the guardians' shares and, two weeks later, a follower's key.
    Run::of(mother.command().args(release(&first, &one))).json();
    Run::of(friend.command().args(release(&second, &two))).json();
    let doctor = stage.actor("doctor");
    let follower = ["follower", "release", &newest, "--to", &to, "--out", &key];
    run(&doctor, &follower).refused(1, "moved lately");
    stage.pass(14 * DAY);
    run(&doctor, &follower).json();
    let restore = [
        "restore", &newest, "--share", &one, "--share", &two, "--key", &key,
    ];
    run(&laptop, &restore).json();
    let served = radiologist.serve();
    laptop.knows(&served.address);
    let out = stage.results().join("own.dcm");
    run(
        &laptop,
        &["patient", "open", image, "--out", out.to_str().unwrap()],
    )
    .json();
    assert_eq!(std::fs::read(out).unwrap(), IMAGE);
    // And she decides again.
    let denied = run(&laptop, &["patient", "deny", image, &doctor.address]).json();
    assert_eq!(denied["events"][0]["event"], "Requestdenied");
}

#[test]
fn a_stolen_key_is_locked_and_nothing_that_the_thief_did_holds() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (thief, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let patient = thief.address.clone();
    let (guardians, _, set) = guarded(&stage);
    // The thief is quicker: a delegate, and guardians of his own, who wait.
    let accomplice = stage.actor("consortium");
    let delegate = ["patient", "delegate", &accomplice.address, "--until", "30d"];
    thief.run(delegate).json();
    let own = stage.file("thieves.json");
    let swap = [
        "patient",
        "guardians",
        "--threshold",
        "1",
        "--out",
        &own,
        &accomplice.address,
    ];
    thief.run(swap).json();

    // And an approval, which holds until it is undone.
    let card = stage.file("patient.card");
    let ask = [
        "requestor",
        "request",
        "--patient",
        &card,
        "--image",
        image,
        "--purpose",
        "TREAT",
    ];
    accomplice.run(ask).json();
    let served = accomplice.serve();
    thief.knows(&served.address);
    thief
        .run(["patient", "approve", image, &accomplice.address])
        .json();
    drop(served);

    let laptop = stage.newcomer("laptop", 9, &[]);
    let by = [&guardians[0], &guardians[2]];
    let recovery = agreed(&stage, &laptop, &patient, &["--lock"], &by);
    start(&laptop, &recovery, &set).json();
    let standing = laptop
        .run(["account", "show", "--patient", &patient])
        .json();
    assert!(standing["locked_until"].as_u64().unwrap() > 0, "{standing}");
    assert_eq!(
        standing["pending"]["kind"], "recovery",
        "the thief's guardians are void"
    );
    for stopped in [
        vec!["patient", "approve", image, &doctor.address],
        vec!["patient", "withdraw", image],
        vec!["account", "cancel"],
        vec!["account", "move", &accomplice.address],
    ] {
        Run::of(thief.command().args(stopped)).refused(1, "locked");
    }
    stage.pass(72 * HOUR);
    laptop
        .run(["recover", "finish", "--patient", &patient])
        .json();
    // Delegate and key are nobody.
    for nobody in [&thief, &accomplice] {
        let mut deny = nobody.command();
        deny.args(["patient", "deny", image, &doctor.address]);
        let run = Run::of(&mut deny);
        assert_eq!(run.code, Some(1), "{run:?}");
    }
    let standing = laptop.run(["account", "show"]).json();
    assert_eq!(standing["acting"], json!(laptop.address));
    assert!(standing["pending"].is_null());

    // The thief's approvals are listed, and undone.
    let listed = laptop.run(["audit", "--who"]).json();
    let standing = listed["who"].as_array().unwrap().iter();
    let who: Vec<_> = standing
        .map(|it| it["requestor"].as_str().unwrap().to_lowercase())
        .collect();
    let undone = accomplice.address.to_lowercase();
    assert!(who.contains(&undone), "{listed}");
    laptop
        .run(["patient", "revoke", image, &accomplice.address])
        .json();
    let listed = laptop.run(["audit", "--who"]).json();
    assert!(
        !listed["who"].to_string().to_lowercase().contains(&undone),
        "{listed}"
    );
}

#[test]
fn a_single_hostile_guardian_is_beaten_and_a_child_takes_its_images_over() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (parent, hostile) = (stage.actor("patient"), stage.actor("consortium"));
    let one = stage.file("one.json");
    let name = |out: &str, who: &[&str]| {
        let mut name = parent.command();
        name.args([
            "patient",
            "guardians",
            "--threshold",
            "1",
            "--hours",
            "72",
            "--out",
            out,
        ]);
        Run::of(name.args(who)).json()
    };
    name(&one, &[&hostile.address]);
    let thief = stage.newcomer("thief", 8, &[]);
    let recovery = agreed(&stage, &thief, &parent.address, &[], &[&hostile]);
    start(&thief, &recovery, &one).json();
    let pending = || {
        let shown = run(&thief, &["account", "show", "--patient", &parent.address]);
        shown.json()["pending"]["kind"].clone()
    };
    assert_eq!(pending(), "single_recovery");
    // She names another one, and the recovery is void.
    let radiologist = stage.actor("radiologist");
    name(&stage.file("other.json"), &[&radiologist.address]);
    assert_eq!(pending(), "guardians");
    stage.pass(72 * HOUR);
    let finish = ["recover", "finish", "--patient", &parent.address];
    run(&thief, &finish).json();
    let standing = run(&parent, &["account", "show"]).json();
    assert_eq!(
        standing["acting"],
        json!(parent.address),
        "anyone may finish guardians"
    );
    start(&thief, &recovery, &one).refused(1, "");

    // The child is grown up: its own key acts, and the clinic gives it the image's key.
    let child = stage.newcomer("child", 9, &[]);
    let to = card(&stage, &child, "child");
    run(&parent, &["account", "move", &to]).json();
    let take = ["account", "finish", "--patient", &parent.address];
    run(&child, &take).refused(1, "can be finished from");
    stage.pass(72 * HOUR);
    run(&child, &take).json();
    let (clinic, doctor) = (stage.actor("clinic"), stage.actor("doctor"));
    let nobody = run(&parent, &["patient", "deny", image, &doctor.address]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    let served = radiologist.serve();
    let at_home = parent.serve();
    clinic.knows_all(&[&served.address, &at_home.address]);
    child.knows(&served.address);
    let out = stage.results().join("own.dcm");
    let open = ["patient", "open", image, "--out", out.to_str().unwrap()];
    let closed = run(&child, &open);
    assert_eq!(closed.code, Some(1), "{closed:?}");
    let (letter, said) = (stage.file("clinic.letter"), words(&to));
    let give = |words: &str| {
        let give = [
            "recover", "image", image, "--to", &to, "--words", words, "--out", &letter,
        ];
        run(&clinic, &give)
    };
    give(&said).refused(1, "moved lately");
    stage.pass(7 * DAY);
    give("abandon abandon abandon").refused(1, "the words are not those");
    give(&said).json();
    run(&hostile, &["recover", "image", image, "--from", &letter]).refused(1, "");
    let nonce = stage.nonce(&child);
    let take = ["recover", "image", image, "--from", &letter];
    let mut numbers = Numbers(SEED);
    for _ in 0..rounds("PCIM_TEST_KILLS", 8) {
        let after = Duration::from_millis(numbers.below(1_500) as u64);
        killed(child.command().args(take), after);
    }
    run(&child, &take).json();
    assert_eq!(stage.nonce(&child), nonce + 1, "whatever was killed");
    let again = run(&child, &["recover", "image", image, "--from", &letter]).json();
    assert_eq!(again, json!({ "image": image }), "nothing is sent twice");
    run(&child, &open).json();
    assert_eq!(std::fs::read(out).unwrap(), IMAGE);
    run(&child, &["patient", "deny", image, &doctor.address]).json();
}
