//! An account whose key is stolen, with real homes.

use serde_json::json;

use crate::program::{Actor, Run};
use crate::stage::Stage;

const HOUR: u64 = 3_600;

/// Three homes with cards, whom the patient named as guardians; two of them are enough. And the file of the set.
fn guarded(stage: &Stage) -> (Vec<Actor>, String) {
    let names = ["mother", "friend", "doctor-of-old"];
    let guardians: Vec<_> = (6..)
        .zip(names)
        .map(|(n, name)| stage.newcomer(name, n, &[]))
        .collect();
    let cards: Vec<_> = names
        .map(|name| stage.file(&format!("{name}.card")))
        .to_vec();
    for (guardian, card) in guardians.iter().zip(&cards) {
        guardian.run(["card", "--out", card]).json();
    }
    let set = stage.file("guardians.json");
    let mut name = stage.actor("patient").command();
    name.args(["patient", "guardians", "--threshold", "2", "--hours", "72"]);
    Run::of(name.args(["--out", &set]).args(&cards)).json();
    (guardians, set)
}

/// Has guardians agree to a recovery to a home; the arguments of `recover start`.
fn agreed(stage: &Stage, to: &Actor, patient: &str, more: &[&str], by: &[&Actor]) -> Vec<String> {
    let request = stage.file("recovery.json");
    let mut ask = to.command();
    ask.args([
        "recover",
        "request",
        "--patient",
        patient,
        "--out",
        &request,
    ]);
    Run::of(ask.args(more)).json();
    let mut start = vec!["recover".to_owned(), "start".to_owned()];
    for (number, guardian) in by.iter().enumerate() {
        let agreement = stage.file(&format!("agreement-{number}.json"));
        guardian
            .run(["guardian", "agree", &request, "--out", &agreement])
            .json();
        start.push(agreement);
    }
    start
}

fn start(to: &Actor, args: &[String], set: &str) -> Run {
    Run::of(to.command().args(args).args(["--set", set]))
}

#[test]
fn a_stolen_key_is_locked_and_nothing_that_the_thief_did_holds() {
    let stage = Stage::new();
    let image = &*stage.known.image;
    let (thief, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let patient = thief.address.clone();
    let (guardians, set) = guarded(&stage);
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
}
