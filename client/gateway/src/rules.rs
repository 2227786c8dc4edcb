//! `rules.toml`: which studies are sealed by themselves, to whom and how. The first rule that fits decides.

use std::path::{Path, PathBuf};

use pcim_client::SealOptions;
use pcim_client::papers::card::{Card, MAX_CARD_BYTES};
use pcim_dicom::arrival::Arrival;
use pcim_dicom::deid::{Blank, Profile, Purpose};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::settings::{means, read_text};

/// The rules of a department.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    patients: Vec<Patient>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    rule: Vec<Rule>,
    #[serde(default)]
    patient: Vec<PatientEntry>,
}

/// A rule: what it fits, and what is done then.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    /// AE titles and names of tokens, `*` at the end for any rest; any sender if there are none.
    #[serde(default)]
    sender: Vec<String>,
    /// Every modality of the study is one of these; any if there are none.
    #[serde(default)]
    modality: Vec<String>,
    /// Issuers of the Patient ID; any if there are none.
    #[serde(default)]
    issuer: Vec<String>,
    /// True if it waits for a person.
    #[serde(default)]
    hold: bool,
    /// How it is de-identified: `care` or `research`.
    #[serde(default)]
    purpose: Option<String>,
    /// False if it is sealed as it is.
    #[serde(default = "yes")]
    deidentify: bool,
    /// Regions that are blanked.
    #[serde(default)]
    blank: Vec<String>,
    /// True if pixels pass that may show text about the patient.
    #[serde(default)]
    accept_burned_in: bool,
    /// True if what the pseudonyms stand for is sealed beside it.
    #[serde(default)]
    identity: bool,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatientEntry {
    id: String,
    #[serde(default)]
    issuer: String,
    card: PathBuf,
}

/// A patient whose card is known.
#[derive(Debug)]
struct Patient {
    id: String,
    issuer: String,
    card: Card,
}

/// The facts about a study that the rules are asked with.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its identifiers.
    pub arrival: &'a Arrival,
    /// Its sender: an AE title, or the name of a token.
    pub sender: &'a str,
    /// The modalities of its objects.
    pub modalities: &'a [String],
}

/// The answer of the rules about a study.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The rule that fits.
    pub rule: Option<&'a str>,
    /// The patient's card.
    pub card: Option<&'a Card>,
    /// How it is sealed.
    pub options: SealOptions,
    /// Why it waits though its patient's card is known; none if it is sealed.
    pub holds: Option<String>,
    /// Why it waits while no card of its patient is known.
    pub lacks: &'static str,
}

impl Decision<'_> {
    /// Says why it waits; none if it is sealed.
    #[must_use]
    pub fn waits(&self) -> Option<String> {
        match self.card {
            None => Some(self.lacks.to_owned()),
            Some(_) => self.holds.clone(),
        }
    }
}

impl Rules {
    /// Reads rules, and every card that they name. Paths are taken from their folder.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Settings`] with the fault and its place.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let bad = |reason: String| Error::Settings {
            path: path.to_owned(),
            reason,
        };
        let document: Document = toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let mut names: Vec<&str> = Vec::new();
        for rule in &document.rule {
            if rule.name.is_empty() || names.contains(&rule.name.as_str()) {
                let name = &rule.name;
                return Err(bad(format!(
                    "rule {name:?}: each rule has a name of its own"
                )));
            }
            names.push(&rule.name);
            rule.options()
                .map_err(|why| bad(format!("rule {:?}: {why}", rule.name)))?;
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut patients = Vec::new();
        for (number, entry) in document.patient.into_iter().enumerate() {
            let place = number + 1;
            if entry.id.trim().is_empty() {
                return Err(bad(format!("patient {place} has no id")));
            }
            let path = folder.join(&entry.card);
            let bytes = pcim_core::private::read_limited(&path, MAX_CARD_BYTES);
            let bytes = bytes.map_err(Error::file(&path))?;
            let card = Card::read(&bytes).map_err(|error| Error::Settings {
                path,
                reason: error.to_string(),
            })?;
            patients.push(Patient {
                id: entry.id.trim().to_owned(),
                issuer: entry.issuer,
                card,
            });
            let known = |it: &Patient| (it.id.clone(), it.issuer.clone());
            let (last, before) = patients
                .split_last()
                .map_or((None, &[][..]), |(last, before)| (Some(last), before));
            if before.iter().any(|it| Some(known(it)) == last.map(known)) {
                return Err(bad(format!("patient {place} is there twice")));
            }
        }
        Ok(Self {
            rules: document.rule,
            patients,
        })
    }

    /// Counts the rules and the patients.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.rules.len(), self.patients.len())
    }

    /// Decides about a study.
    #[must_use]
    pub fn decide(&self, facts: Facts<'_>) -> Decision<'_> {
        let rule = self.rules.iter().find(|rule| rule.fits(facts));
        let holds = match rule {
            None => Some("no rule fits".to_owned()),
            Some(rule) => rule.hold.then(|| format!("rule {:?} holds it", rule.name)),
        };
        // They were good when the rules were read.
        let options = rule
            .and_then(|rule| rule.options().ok())
            .unwrap_or_default();
        Decision {
            rule: rule.map(|rule| rule.name.as_str()),
            card: self.card(facts.arrival),
            options,
            holds,
            lacks: match facts.arrival.patient_id.is_empty() {
                true => "it has no Patient ID",
                false => "no card of this patient is known",
            },
        }
    }

    fn card(&self, arrival: &Arrival) -> Option<&Card> {
        let is_it = |it: &&Patient| {
            it.id == arrival.patient_id && (it.issuer.is_empty() || it.issuer == arrival.issuer)
        };
        // An entry with the issuer comes before one for any.
        let mut found: Vec<&Patient> = self.patients.iter().filter(is_it).collect();
        found.sort_by_key(|it| it.issuer.is_empty());
        found.first().map(|it| &it.card)
    }
}

impl Rule {
    fn fits(&self, facts: Facts<'_>) -> bool {
        let sender = self.sender.is_empty()
            || self
                .sender
                .iter()
                .any(|pattern| means(pattern, facts.sender));
        let modality = self.modality.is_empty()
            || !facts.modalities.is_empty()
                && facts.modalities.iter().all(|it| self.modality.contains(it));
        let issuer = self.issuer.is_empty() || self.issuer.contains(&facts.arrival.issuer);
        sender && modality && issuer
    }

    fn options(&self) -> std::result::Result<SealOptions, String> {
        let purpose: Purpose = match &self.purpose {
            Some(name) => name
                .parse()
                .map_err(|_| format!("purpose = {name:?}: wanted \"care\" or \"research\""))?,
            None => Purpose::default(),
        };
        let region = |text: &String| {
            text.parse::<Blank>()
                .map_err(|_| format!("blank = {text:?}: wanted \"x,y,w,h\" or \"ultrasound\""))
        };
        let blank = self
            .blank
            .iter()
            .map(region)
            .collect::<std::result::Result<_, _>>()?;
        if !self.deidentify && (self.identity || !self.blank.is_empty()) {
            return Err(
                "deidentify = false leaves nothing to blank, and no identity to seal".to_owned(),
            );
        }
        Ok(SealOptions {
            deidentify: self.deidentify,
            profile: Profile {
                blank,
                accept_burned_in: self.accept_burned_in,
                ..Profile::from(purpose)
            },
            with_identity: self.identity,
            ..SealOptions::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pcim_ledger::Account;
    use pcim_seal::{KeyKind, UnlockedKey};

    use super::*;

    fn card(path: &Path) -> Card {
        let key = UnlockedKey::generate(KeyKind::default(), None).unwrap();
        let account = Account::generate();
        let document = Card::issue(&account, &key, Vec::new()).unwrap();
        std::fs::write(path, serde_json::to_vec(&document).unwrap()).unwrap();
        Card::verify(&document).unwrap()
    }

    fn arrival(id: &str, issuer: &str) -> Arrival {
        Arrival {
            patient_id: id.to_owned(),
            issuer: issuer.to_owned(),
            ..Arrival::default()
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let dir = tempfile::tempdir().unwrap();
        let cards = ["any.card", "own.card"].map(|name| card(&dir.path().join(name)).address);
        let path = dir.path().join("rules.toml");
        std::fs::write(
            &path,
            "[[rule]]\nname = 'screening'\nsender = ['US*']\nhold = true\n\
             [[rule]]\nname = 'ct'\nsender = ['CT1', 'web']\nmodality = ['CT', 'SR']\npurpose = 'research'\nblank = ['1,2,3,4']\n\
             [[patient]]\nid = '77'\ncard = 'any.card'\n[[patient]]\nid = '77'\nissuer = 'H'\ncard = 'own.card'\n",
        )
        .unwrap();
        let rules = Rules::read(&path).unwrap();
        assert_eq!(rules.counts(), (2, 2));
        let decide = |sender, modalities: &[&str], id, issuer| {
            let (arrival, modalities) = (
                arrival(id, issuer),
                modalities
                    .iter()
                    .map(|it| (*it).to_owned())
                    .collect::<Vec<_>>(),
            );
            let facts = Facts {
                arrival: &arrival,
                sender,
                modalities: &modalities,
            };
            let decision = rules.decide(facts);
            let card = decision
                .card
                .map(|card| cards.iter().position(|it| *it == card.address).unwrap());
            (
                decision.rule.map(str::to_owned),
                card,
                decision.waits(),
                decision.options.profile.blank.len(),
            )
        };
        let ct = Some("ct".to_owned());
        assert_eq!(
            decide("CT1", &["CT"], "77", "H"),
            (ct.clone(), Some(1), None, 1)
        );
        assert_eq!(
            decide("web", &["CT", "SR"], "77", ""),
            (ct.clone(), Some(0), None, 1)
        );
        let waits = |text: &str| Some(text.to_owned());
        assert_eq!(
            decide("CT1", &["CT"], "78", "H").2,
            waits("no card of this patient is known")
        );
        assert_eq!(
            decide("CT1", &["CT"], "", "").2,
            waits("it has no Patient ID")
        );
        assert_eq!(
            decide("CT1", &["CT", "MR"], "77", "H").2,
            waits("no rule fits")
        );
        assert_eq!(decide("CT1", &[], "77", "H").2, waits("no rule fits"));
        assert_eq!(decide("CT12", &["CT"], "77", "H").2, waits("no rule fits"));
        assert_eq!(
            decide("US2", &["CT"], "77", "H").2,
            waits("rule \"screening\" holds it")
        );
    }

    #[test]
    fn faults_are_named() {
        let dir = tempfile::tempdir().unwrap();
        card(&dir.path().join("a.card"));
        std::fs::write(dir.path().join("b.card"), "{}").unwrap();
        let path = dir.path().join("rules.toml");
        for (text, why) in [
            (
                "[[rule]]\nname = 'a'\nsealed = true",
                "unknown field `sealed`",
            ),
            (
                "[[rule]]\nname = 'a'\n[[rule]]\nname = 'a'",
                "a name of its own",
            ),
            (
                "[[rule]]\nname = 'a'\npurpose = 'fun'",
                "\"care\" or \"research\"",
            ),
            ("[[rule]]\nname = 'a'\nblank = ['all']", "\"x,y,w,h\""),
            (
                "[[rule]]\nname = 'a'\ndeidentify = false\nidentity = true",
                "no identity to seal",
            ),
            ("[[patient]]\nid = '1'\ncard = 'c.card'", "c.card"),
            ("[[patient]]\nid = '1'\ncard = 'b.card'", "b.card"),
            (
                "[[patient]]\nid = ' '\ncard = 'a.card'",
                "patient 1 has no id",
            ),
            (
                "[[patient]]\nid = '1'\ncard = 'a.card'\n[[patient]]\nid = '1'\ncard = 'a.card'",
                "patient 2 is there twice",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Rules::read(&path).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
