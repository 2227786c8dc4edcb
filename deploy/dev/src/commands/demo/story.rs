//! The story: the paper's Figures 4 to 9, with everyone passing files, blocks and transactions only.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pcim_client::papers::card::Card;
use pcim_client::papers::request::Purpose;
use pcim_client::{AccessRequest, Actor, Error, SealOptions, Target};
use pcim_core::ImageDigest;
use pcim_dicom::deid::Profile;

use super::report::{Ending, OnChain, Timeline};
use super::scene::Scene;
use pcim_terminal::files::write_result;

/// Tells the story; a part that does not come out as the protocol says is an error.
pub(super) async fn tell(
    scene: &mut Scene,
    files: Vec<PathBuf>,
    deidentify: bool,
    dir: &Path,
    report: &mut Timeline,
) -> anyhow::Result<Ending> {
    let Scene {
        consortium,
        radiologist,
        patient,
        requestor_a,
        requestor_b,
        deployment,
        ..
    } = scene;

    let accredited = consortium
        .consortium()
        .accredit(radiologist.address(), true, None)
        .await?
        .mined()
        .context("signed, and not sent")?;
    report.step(
        "consortium",
        "accredit the radiologist",
        (&accredited).into(),
        "",
    )?;

    // Figure 4: the image is made the patient's.
    let card = hand_over_card(patient, dir).await?;
    report.step(
        "patient",
        "give the radiologist a card",
        OnChain::default(),
        "patient.card",
    )?;
    // What is sealed stays on this machine: nobody is asked to look for text in the pixels first.
    let profile = Profile {
        accept_burned_in: true,
        ..Profile::default()
    };
    let options = SealOptions {
        deidentify,
        profile,
        ..SealOptions::default()
    };
    let sealed = radiologist
        .radiologist()
        .seal(files, &card, &options)
        .await?;
    let handover = dir.join("handover.pgp");
    write_result(&handover, &sealed.handover, false)?;
    let image = sealed.image;
    let detail = format!("{} bytes sealed, handover.pgp", sealed.payload_bytes);
    let action = match deidentify {
        true => "de-identify, sign and seal",
        false => "sign and seal as it is",
    };
    report.step("radiologist", action, OnChain::default(), &detail)?;

    let handover = std::fs::read(&handover).context("handover.pgp")?;
    let registered = patient
        .patient()
        .register(&handover, None)
        .await?
        .mined()
        .context("signed, and not sent")?;
    ensure!(registered.image == image, "another image was registered");
    report.step(
        "patient",
        "verify and register the image",
        (&registered.written).into(),
        "",
    )?;

    // Figures 5 and 6: two requests.
    ask(
        requestor_a,
        "requestor-a",
        &card,
        image,
        Purpose::Treat,
        report,
    )
    .await?;
    ask(
        requestor_b,
        "requestor-b",
        &card,
        image,
        Purpose::Hresch,
        report,
    )
    .await?;
    let (a, b) = (requestor_a.address(), requestor_b.address());
    let waiting = patient.patient().requests().await?;
    ensure!(
        waiting.len() == 2,
        "{} requests are open, not 2",
        waiting.len()
    );
    for request in &waiting {
        if let Some(error) = &request.document_error {
            bail!("a request document was not read: {error}");
        }
    }
    report.step("patient", "read the requests", OnChain::default(), "2 open")?;

    // Figure 7: one approval, one denial.
    let decision = patient
        .patient()
        .approve(&image, a, 0)
        .await?
        .mined()
        .context("signed, and not sent")?;
    let detail = format!("{} bytes of new blocks", decision.new_bytes);
    report.step(
        "patient",
        "approve requestor-a",
        (&decision.written).into(),
        &detail,
    )?;
    let denied = patient
        .patient()
        .deny(&image, b, "")
        .await?
        .mined()
        .context("signed, and not sent")?;
    report.step("patient", "deny requestor-b", (&denied).into(), "")?;

    // Figure 8: what the chain says of both, and what follows from it.
    trace(requestor_a, "requestor-a", &image, true, report).await?;
    trace(requestor_b, "requestor-b", &image, false, report).await?;
    let target = Target {
        path: dir.join("opened-by-a"),
        overwrite: false,
    };
    let opened = requestor_a.requestor().fetch(&image, &target).await?;
    ensure!(
        opened.sha256 == sealed.payload_sha256,
        "requestor-a opened something else than was sealed"
    );
    let detail = format!("{} bytes, signature verified", opened.bytes);
    report.step("requestor-a", "fetch and open", OnChain::default(), &detail)?;
    refused(requestor_b, "requestor-b", &image, dir, report).await?;

    // Figure 9: the approval is taken back.
    let removed = patient
        .patient()
        .revoke(&image, a)
        .await?
        .mined()
        .context("signed, and not sent")?;
    report.step("patient", "remove requestor-a", (&removed).into(), "")?;
    trace(requestor_a, "requestor-a", &image, false, report).await?;
    refused(requestor_a, "requestor-a", &image, dir, report).await?;

    Ok(Ending {
        chain_id: deployment.chain_id,
        contract: deployment.contract,
        image_digest: format!("{:#x}", pcim_core::B256::from(image.0)),
        original_sha256: sealed.original_sha256,
        opened_sha256: opened.sha256,
    })
}

/// The patient's card, through a file.
async fn hand_over_card(patient: &Actor, dir: &Path) -> anyhow::Result<Card> {
    let path = dir.join("patient.card");
    let json = serde_json::to_vec_pretty(&patient.unlocked().card().await?)?;
    write_result(&path, &json, false)?;
    Ok(Card::read(&std::fs::read(&path)?)?)
}

async fn ask(
    requestor: &mut Actor,
    name: &'static str,
    card: &Card,
    image: ImageDigest,
    purpose: Purpose,
    report: &mut Timeline,
) -> anyhow::Result<()> {
    let request = AccessRequest {
        image,
        purpose,
        name: Some(format!("The demo's {name}")),
        note: None,
        delegates: Vec::new(),
    };
    let requested = requestor
        .requestor()
        .request(card, request)
        .await?
        .mined()
        .context("signed, and not sent")?;
    let action = format!("request access ({purpose})");
    report.step(name, action, (&requested.written).into(), "")
}

async fn trace(
    requestor: &Actor,
    name: &'static str,
    image: &ImageDigest,
    wanted: bool,
    report: &mut Timeline,
) -> anyhow::Result<()> {
    let traced = requestor
        .unlocked()
        .trace(image, requestor.address())
        .await?
        .mined()
        .context("signed, and not sent")?;
    ensure!(
        traced.authorized == wanted,
        "{name}'s trace says {}",
        traced.authorized
    );
    report.step(
        name,
        "trace the authorization",
        (&traced.written).into(),
        "",
    )
}

/// The client itself must refuse, and leave no file.
async fn refused(
    requestor: &Actor,
    name: &'static str,
    image: &ImageDigest,
    dir: &Path,
    report: &mut Timeline,
) -> anyhow::Result<()> {
    let path = dir.join(format!("refused-{name}"));
    let target = Target {
        path: path.clone(),
        overwrite: false,
    };
    match requestor.requestor().fetch(image, &target).await {
        Err(error @ Error::NotAuthorized { .. }) => {
            ensure!(!path.exists(), "a refused fetch left a file");
            let detail = format!("exit code 4: {error}").replace(&format!(" image {image}"), "");
            report.step(name, "fetch is refused", OnChain::default(), &detail)
        }
        Err(error) => Err(error).context(format!("{name}'s fetch failed, but was not refused")),
        Ok(_) => bail!("{name} could fetch the image without authorization"),
    }
}
