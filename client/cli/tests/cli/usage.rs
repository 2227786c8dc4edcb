//! Daily use: names in the place of ids, dates, a look before what is for good, errors as JSON, files that are not
//! what they should be.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Run, names, pcim, write_secret};
use crate::rpc::ask;
use crate::stage::{IMAGE, Stage};

#[test]
fn people_are_called_by_name_and_images_by_their_beginning() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let card = stage.file("doctor.card");
    let add = |name: &str| patient.run(["card", "add", &card, "--name", name]);
    add("Dora").json();
    for wrong in ["", "../x", ".hidden", "a\nb"] {
        add(wrong).refused(1, "a contact's name has");
    }
    let own = stage.file("patient.card");
    let dorian = ["card", "add", &own, "--name", "dorian"];
    patient.run(dorian).json();
    patient
        .run(["card", "add", &card, "--name", "dorian"])
        .refused(2, "another contact is called");
    let list = patient.run(["card", "list"]).json();
    assert_eq!(
        list[0],
        json!({ "name": "Dora", "address": doctor.address })
    );

    let image = &stage.known.image;
    let begin = &image["bafybei".len()..][..8];
    let approve = |image: &str, who: &str| patient.run(["patient", "approve", image, who]);
    approve(begin, "dor").refused(2, "several begin so: Dora, dorian");
    approve(begin, "anna").refused(2, "neither a file nor a contact");
    approve("zzzzzzzz", "dora").refused(2, "no image that this home knows begins so");
    approve(&doctor.address[..12], "dora").refused(2, "image");
    // The known requests have the name, and are decided on by it.
    let requests = patient.run(["patient", "requests"]).json();
    assert_eq!(requests[0]["known_as"], "Dora");
    let approved = approve(begin, "dora").json();
    assert!(approved["shared_image"].is_string(), "{approved}");
    let status = [
        "requestor",
        "status",
        begin,
        "--requestor",
        &doctor.address[..10],
    ];
    assert_eq!(patient.run(status).json()["authorized"], true);

    let mut audit = pcim();
    audit
        .arg("--home")
        .arg(&patient.home)
        .args(["--rpc-url", &patient.rpc_url]);
    let audit = Run::of(audit.args(["audit", "--who"]));
    let named = format!("{}  dora  ", doctor.address.to_lowercase());
    assert!(audit.stdout.to_lowercase().contains(&named), "{audit:?}");
    let shown = patient.run(["card", "show", "Dora"]).json();
    assert_eq!(shown["words"].as_str().unwrap().split(' ').count(), 12);
    assert_eq!(shown, patient.run(["card", "show", &card]).json());
    patient.run(["card", "remove", "Dora"]).json();
    patient
        .run(["card", "remove", "Dora"])
        .refused(2, "no contact is called");
}

#[test]
fn a_shell_completes_commands_names_and_ids() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let card = stage.file("doctor.card");
    patient.run(["card", "add", &card, "--name", "Dora"]).json();
    let script = Run::of(pcim().args(["completions", "bash"])).stdout;
    let program = PathBuf::from(pcim().get_program());
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let completed = |words: &[&str]| {
        let typed: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let line = format!(
            "{script}\nCOMP_WORDS=(pcim {}); COMP_CWORD={}; _pcim; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            typed.join(" "),
            words.len()
        );
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-c", &line]);
        bash.env("PATH", &path).env("PCIM_HOME", &patient.home);
        Run::of(&mut bash).stdout
    };
    assert_eq!(completed(&["patient", "rev"]), "revoke\n");
    assert_eq!(
        completed(&["patient", "history", "bafy"]),
        format!("{}\n", stage.known.image)
    );
    assert_eq!(completed(&["consortium", "accredit", "D"]), "Dora\n");
    for shell in ["zsh", "fish"] {
        let script = Run::of(pcim().args(["completions", shell])).stdout;
        assert!(script.contains("pcim complete -- "), "{script}");
    }

    let pages = stage.results().join("man1");
    let mut man = pcim();
    let made = Run::of(man.args(["--json", "man", "--out"]).arg(&pages)).json();
    let all = names(&pages);
    assert_eq!(made["pages"].as_array().unwrap().len(), all.len());
    for page in ["pcim.1", "pcim-patient-approve.1", "pcim-network-join.1"] {
        assert!(all.iter().any(|it| it == page), "{page}: {all:?}");
    }
    let page = fs::read_to_string(pages.join("pcim-patient-approve.1")).unwrap();
    assert!(page.contains("\\-\\-expires"), "{page}");
    assert!(
        !all.iter()
            .any(|it| it.contains("complete.1") || it.contains("agent")),
        "{all:?}"
    );
}

#[test]
fn what_is_for_good_is_asked_and_what_is_many_can_be_looked_at() {
    let stage = Stage::new();
    let (consortium, patient) = (stage.actor("consortium"), stage.actor("patient"));
    let (doctor, clinic) = (stage.actor("doctor"), stage.actor("clinic"));
    let before = [stage.nonce(&consortium), stage.nonce(&patient)];
    let transfer = ["consortium", "transfer", &doctor.address];
    consortium.run(transfer).refused(2, "it cannot be undone");
    let dry = consortium
        .run(["consortium", "transfer", &doctor.address, "--dry-run"])
        .json();
    assert_eq!(dry["done"], false);
    let image = &stage.known.image;
    let many = [
        "patient",
        "revoke",
        image,
        &doctor.address,
        image,
        &clinic.address,
        "--dry-run",
    ];
    let dry = patient.run(many).json();
    assert!(
        dry["would"]
            .as_str()
            .unwrap()
            .to_lowercase()
            .contains(&clinic.address.to_lowercase()),
        "{dry}"
    );
    assert_eq!([stage.nonce(&consortium), stage.nonce(&patient)], before);
}

#[test]
fn ends_are_days_and_an_approval_ends_on_a_chain_that_stands_still() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = &stage.known.image;
    let approve = |end: &str| {
        let mut command = patient.command();
        Run::of(command.args([
            "patient",
            "approve",
            image,
            &doctor.address,
            "--expires",
            end,
        ]))
    };
    approve("2027-02-30").refused(2, "2027-01-31");
    approve("2099-01-31").json();
    let status = ["requestor", "status", image];
    let standing = doctor.run(status).json();
    // The last second of that day.
    assert_eq!(standing["expires_at"], 4_073_587_199_u64);
    let mut text = pcim();
    text.arg("--home")
        .arg(&doctor.home)
        .args(["--rpc-url", stage.chain.url()]);
    let shown = Run::of(text.args(status));
    assert!(
        shown.stdout.contains("expires     2099-01-31T23:59:59Z\n"),
        "{shown:?}"
    );

    // Another end costs no header.
    let extend = |end: &str| {
        let mut command = patient.command();
        Run::of(command.args([
            "patient",
            "extend",
            image,
            &doctor.address,
            "--expires",
            end,
        ]))
    };
    extend("2098-01-31").json();
    assert_eq!(doctor.run(status).json()["expires_at"], 4_042_051_199_u64);
    extend("1970-01-02").refused(1, "not an expiry: 1970-01-02T23:59:59Z");

    patient
        .run(["patient", "revoke", image, &doctor.address])
        .json();
    extend("30d").refused(1, "has no approval in force");
    let card = stage.file("patient.card");
    let request = [
        "requestor",
        "request",
        "--patient",
        &card,
        "--image",
        image,
        "--purpose",
        "TREAT",
    ];
    doctor.run(request).json();
    let served = doctor.serve();
    patient.knows(&served.address);
    let end = approve("4s");
    end.json();
    drop(served);
    // No block comes, so that the chain's own clock stands still.
    sleep(Duration::from_secs(5));
    assert_eq!(doctor.run(status).json()["authorized"], false);
    let out = stage.file("late.dcm");
    doctor
        .run(["requestor", "fetch", image, "--out", &out])
        .refused(4, "the approval expired at 2");
}

#[test]
fn own_images_open_while_the_chain_is_away() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let away = patient.through("http://127.0.0.1:1");
    let out = stage.file("own.dcm");
    let open = ["patient", "open", &stage.known.image, "--out", &out];
    // Nothing was read of the chain yet.
    away.run(open).refused(1, "does not answer");
    patient.run(["audit"]).json();
    let opened = away.run(open);
    assert_eq!(opened.json()["patient"], *patient.address);
    assert!(
        opened.stderr.contains("the chain is not asked"),
        "{opened:?}"
    );
    assert_eq!(fs::read(&out).unwrap(), IMAGE);
    // An image of another is not opened so.
    let other = stage.actor("doctor").through("http://127.0.0.1:1");
    other.run(open).refused(1, "does not answer");
}

#[test]
fn errors_are_json_where_results_are() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let unknown = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    for (args, code) in [(["trace", unknown], 1), (["patient", "nonsense"], 2)] {
        let run = patient.run(args);
        assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{run:?}");
        let error: Value = serde_json::from_str(run.stderr.lines().last().unwrap()).unwrap();
        assert_eq!(error["code"], code);
        assert!(
            error["error"].is_string() && error["hints"].is_array(),
            "{error}"
        );
    }
    // A requestor who waits is not told to ask, and pay, again.
    let doctor = stage.actor("doctor");
    let out = stage.file("early.dcm");
    let run = doctor.run(["requestor", "fetch", &stage.known.image, "--out", &out]);
    run.refused(4, "the patient has not decided yet");
    assert!(
        run.stderr
            .contains("wait: a second request would cost again"),
        "{run:?}"
    );
    // One without ether hears that others can send for him.
    ask(
        stage.chain.url(),
        "anvil_setBalance",
        json!([doctor.address, "0x0"]),
    );
    let card = stage.file("patient.card");
    let fresh = &stage.known.image;
    let run = doctor.run([
        "requestor",
        "request",
        "--patient",
        &card,
        "--image",
        fresh,
        "--purpose",
        "TREAT",
    ]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("--sign-only FILE"), "{run:?}");
}

#[test]
fn lists_that_are_empty_say_so() {
    let stage = Stage::new();
    let newcomer = stage.newcomer("newcomer", 6, &[]);
    let text = |args: &[&str]| {
        let mut command = pcim();
        command.env("PCIM_PASSPHRASE_FILE", &newcomer.passphrase);
        command.arg("--home").arg(&newcomer.home);
        Run::of(command.args(["--rpc-url", &newcomer.rpc_url]).args(args))
    };
    for (args, said) in [
        (["patient", "images"], "no image is registered yet"),
        (["patient", "requests"], "no request waits"),
        (["card", "list"], "no contact yet"),
        (["network", "list"], "knows no network"),
    ] {
        let run = text(&args);
        assert_eq!((run.code, &*run.stdout), (Some(0), ""), "{run:?}");
        assert!(run.stderr.contains(said), "{run:?}");
        assert_eq!(newcomer.run(args).json(), json!([]));
    }
    // The card that names this machine alone says so.
    let card = newcomer.run(["card", "--out", &stage.file("newcomer.card")]);
    assert!(
        card.stderr.contains("no address at which others can reach"),
        "{card:?}"
    );
}

#[test]
fn a_radiologist_hears_whom_patients_will_not_believe() {
    let stage = Stage::new();
    let (doctor, radiologist) = (stage.actor("doctor"), stage.actor("radiologist"));
    let seal = |actor: &crate::program::Actor, out: &str| {
        let mut command = actor.command();
        command.args(["radiologist", "seal", &stage.file("image.dcm"), "--no-deid"]);
        Run::of(command.args([
            "--to",
            &stage.file("patient.card"),
            "--out",
            &stage.file(out),
        ]))
    };
    let sealed = seal(&doctor, "a.handover");
    assert!(sealed.stderr.contains("is not accredited"), "{sealed:?}");
    let value = sealed.json();
    assert_eq!(value["handover"], stage.file("a.handover"));
    let sealed = seal(&radiologist, "b.handover");
    assert!(!sealed.stderr.contains("is not accredited"), "{sealed:?}");
    // `deploy status` is about the home's own contract.
    stage.settle();
    let mut status = pcim();
    status
        .arg("--home")
        .arg(&radiologist.home)
        .args(["--json", "deploy", "status"]);
    let status = Run::of(&mut status).json();
    let contract = status["contract"].as_str().unwrap();
    assert_eq!(contract.to_lowercase(), stage.known.contract.to_lowercase());
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    // A pipe is not replaced by a file.
    let pipe = stage.results().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut card = patient.command();
    card.args(["card", "--force", "--out"]).arg(&pipe);
    Run::of(&mut card).refused(1, "something that is no file");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    // A passphrase is one line.
    let two = stage.file("two");
    write_secret(&two, "seven quiet\nherons\n");
    let mut command = pcim();
    command
        .env("PCIM_PASSPHRASE_FILE", &two)
        .arg("--home")
        .arg(&patient.home);
    Run::of(command.args(["--json", "card"])).refused(2, "has more than one line");
    // Leaves that no node exchanges make no home.
    let mut init = pcim();
    init.args([
        "--json",
        "--home",
        &stage.file("x"),
        "init",
        "--chunk",
        "4MiB",
    ]);
    let run = Run::of(&mut init);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(!Path::new(&stage.file("x")).exists());
    // A file whose name is no UTF-8 has its report.
    let odd = stage.results().join(OsStr::from_bytes(b"scan-\xff.dcm"));
    fs::write(&odd, IMAGE).unwrap();
    let mut deid = pcim();
    deid.args(["--json", "--home", "/nonexistent", "deid"])
        .arg(&odd);
    let report = Run::of(deid.arg("--out").arg(stage.results().join("clean"))).json();
    assert!(report.to_string().contains("scan-\u{fffd}.dcm"), "{report}");
    // A study that lies in folders is shown as a sheet.
    let study = stage.results().join("study/0001");
    fs::create_dir_all(&study).unwrap();
    fs::write(study.join("00001.dcm"), IMAGE).unwrap();
    let mut view = pcim();
    view.args(["--json", "view", "--sheet"])
        .arg(stage.results().join("study"));
    let sheet = Run::of(view.arg("--out").arg(stage.results().join("sheet.png"))).json();
    assert_eq!(sheet["frames"], 1, "{sheet}");
}
