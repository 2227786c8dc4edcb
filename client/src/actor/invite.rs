//! Invitations: codes that this home gave, the answers to them, and joining by one.

use std::path::Path;

use qrcode::render::unicode;
use qrcode::{EcLevel, QrCode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result, file_error};
use crate::mail::Error as MailError;
use crate::papers::card::{Card, CardDocument};
use crate::papers::invitation::{self, Answer, Code, Offer, Part};
use crate::papers::letter::secret_json;
use crate::papers::network::NetworkFile;
use crate::unlocked::Unlocked;
use pcim_core::date::now;
use pcim_core::{Address, SecretBytes, private};

/// Most invitations that are open at a time.
const MAX_OPEN: usize = 64;
/// Most answers of one invitation that are looked at.
const MAX_ANSWERS: usize = 16;
/// Most bytes of the file of invitations.
const MAX_FILE: usize = 256 * 1024;

/// A code that this home gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    code: SecretBytes,
    name: String,
    issued_at: u64,
    expires_at: u64,
    answered: Option<Address>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "pcim-invitations")]
    version: u32,
    given: Vec<Given>,
}

/// A new invitation. Its words are for one person alone.
#[derive(Debug)]
pub struct Invitation {
    /// The eight words.
    pub words: Zeroizing<String>,
    /// The words, and where the followers are: for a QR code, or to be sent.
    pub text: Zeroizing<String>,
    /// Until when it is answered, unix seconds.
    pub expires_at: u64,
}

impl Invitation {
    /// Draws the text as a QR code in characters, dark on light.
    ///
    /// # Panics
    /// Never: the text is shorter than what a code holds.
    pub fn qr(&self) -> String {
        let code = QrCode::with_error_correction_level(self.text.as_bytes(), EcLevel::L);
        let code = code.expect("the text is short");
        code.render::<unicode::Dense1x2>().build()
    }
}

/// The fate of an invitation.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The inviter's name for the other.
    pub name: String,
    /// Until when it is answered, unix seconds.
    pub expires_at: u64,
    /// The first who answered.
    pub answered: Option<Address>,
    /// The card of who answered, the first time that it is seen.
    pub card: Option<Card>,
    /// Others who answered.
    pub others: Vec<Address>,
}

/// The offer that a code led to.
#[derive(Clone, Debug)]
pub struct JoinedBy {
    /// The inviter.
    pub inviter: Card,
    /// The inviter's card, as it came.
    pub document: CardDocument,
    /// The inviter's network, not verified yet.
    pub network: Option<NetworkFile>,
    /// Until when the invitation is answered, unix seconds.
    pub expires_at: u64,
    code: Code,
    followers: Vec<String>,
}

impl Unlocked<'_> {
    /// Makes an invitation that is answered within `life` seconds, and leaves its offer with the followers. The one who answers becomes
    /// the contact `name`.
    ///
    /// # Errors
    /// [`MailError::NoMailbox`], [`MailError::NotLeft`], [`MailError::Invitation`], [`Error::Home`]
    pub async fn invite(&self, name: &str, life: u64) -> Result<Invitation> {
        let followers = self.mailboxes()?;
        if followers.is_empty() {
            return Err(MailError::NoMailbox.into());
        }
        if !self.home.can_name(name) {
            return Err(crate::home::Error::ContactName.into());
        }
        let (code, issued_at) = (Code::random(), now());
        let expires_at = issued_at.saturating_add(life);
        let offer = Offer::new((issued_at, expires_at), self.card().await?, self.network()?);
        let sealed = code.seal(&offer).map_err(MailError::Invitation)?;
        let mut file = self.invitations()?;
        file.given.retain(|given| given.expires_at > issued_at);
        if file.given.len() >= MAX_OPEN {
            return Err(MailError::TooManyInvitations { max: MAX_OPEN }.into());
        }
        file.given.push(Given {
            code: SecretBytes(Zeroizing::new(code.expose().to_vec())),
            name: name.to_owned(),
            issued_at,
            expires_at,
            answered: None,
        });
        self.write_invitations(&file)?;
        let to = invitation::mailbox(&code, Part::Offer)?;
        self.leave_at(&followers, to, Default::default(), sealed)
            .await?;
        Ok(Invitation {
            words: code.words(),
            text: code.text(&followers),
            expires_at,
        })
    }

    /// Looks for answers to this home's invitations. The first valid one makes its sender a contact; that others answered, too,
    /// is reported as long as the invitation lives.
    ///
    /// # Errors
    /// [`MailError::NoMailbox`], [`Error::Home`]
    pub async fn look_for_answers(&self) -> Result<Vec<Invited>> {
        let followers = self.mailboxes()?;
        if followers.is_empty() {
            return Err(MailError::NoMailbox.into());
        }
        let mut file = self.invitations()?;
        let (mut all, time) = (Vec::new(), now());
        for given in &mut file.given {
            let code = code_of(given)?;
            let answers = self.answers(&code, &followers).await?;
            let mut invited = Invited {
                name: given.name.clone(),
                expires_at: given.expires_at,
                answered: given.answered,
                card: None,
                others: Vec::new(),
            };
            for (document, card) in answers {
                match invited.answered {
                    None if given.expires_at > time => {
                        self.keep_answer(&given.name, &document)?;
                        invited.answered = Some(card.address);
                        invited.card = Some(card);
                    }
                    Some(first) if first != card.address => invited.others.push(card.address),
                    _ => {}
                }
            }
            let is_over = given.expires_at <= time;
            if invited.card.is_some() || is_over {
                given.answered = invited.answered;
                self.close_offer(&code, given, &followers).await;
            }
            all.push(invited);
        }
        file.given.retain(|given| given.expires_at > time);
        self.write_invitations(&file)?;
        Ok(all)
    }

    /// Finds the offer that a code leads to.
    ///
    /// # Errors
    /// [`MailError::NoOffer`], [`MailError::OfferUsed`], [`MailError::OfferOver`], [`MailError::Invitation`]
    pub async fn find_offer(&self, text: &str) -> Result<JoinedBy> {
        let (code, mut followers) = Code::read(text).map_err(MailError::Invitation)?;
        if followers.is_empty() {
            followers = self.mailboxes()?;
        }
        if followers.is_empty() {
            return Err(MailError::NoMailbox.into());
        }
        let (mut found, mut silent, mut reached) = (None, Vec::new(), false);
        for at in &followers {
            let parts: Result<Vec<Offer>> = self.parts(&code, at).await;
            match parts {
                Ok(parts) => {
                    reached = true;
                    // Once answered, that it was stands beside what is left of the offer.
                    if parts.iter().any(|offer| offer.card.is_none()) {
                        return Err(MailError::OfferUsed.into());
                    }
                    found = found.or(parts.into_iter().next());
                }
                Err(error) => silent.push(error.to_string()),
            }
        }
        let offer = match (found, reached) {
            (Some(offer), _) => offer,
            (None, true) => return Err(MailError::NoOffer.into()),
            (None, false) => return Err(MailError::NotLeft { reasons: silent }.into()),
        };
        if offer.expires_at <= now() {
            let at = offer.expires_at;
            return Err(MailError::OfferOver { at }.into());
        }
        let document = offer.card.ok_or(MailError::OfferUsed)?;
        let inviter = invitation::card_of(&document).map_err(MailError::Invitation)?;
        for answer in self.answers(&code, &followers).await? {
            if answer.1.address != self.address() {
                return Err(MailError::OfferUsed.into());
            }
        }
        Ok(JoinedBy {
            inviter,
            document,
            network: offer.network,
            expires_at: offer.expires_at,
            code,
            followers,
        })
    }

    /// Answers an offer with this home's card.
    ///
    /// # Errors
    /// [`MailError::NotLeft`], [`MailError::Invitation`]
    pub async fn answer_offer(&self, joined: &JoinedBy) -> Result<()> {
        let answer = Answer::new(self.card().await?);
        let sealed = joined.code.seal(&answer).map_err(MailError::Invitation)?;
        let to = invitation::mailbox(&joined.code, Part::Answer)?;
        self.leave_at(&joined.followers, to, Default::default(), sealed)
            .await?;
        Ok(())
    }

    /// The valid answers to a code, each sender once, the oldest first.
    async fn answers(
        &self,
        code: &Code,
        followers: &[String],
    ) -> Result<Vec<(CardDocument, Card)>> {
        let mut found: Vec<(CardDocument, Card)> = Vec::new();
        for at in followers {
            let parts: Result<Vec<Answer>> = self.parts(code, at).await;
            for answer in parts.unwrap_or_default() {
                let Ok(card) = invitation::card_of(&answer.card) else {
                    continue;
                };
                if found.iter().all(|(_, known)| known.address != card.address) {
                    found.push((answer.card, card));
                }
            }
        }
        Ok(found)
    }

    /// The parts of a code that wait at one follower; what was sealed with other words is passed over.
    async fn parts<S: invitation::Sealed>(&self, code: &Code, at: &str) -> Result<Vec<S>> {
        let account = code.account(S::PART)?;
        let open = self.open_box(at, &account, Default::default()).await?;
        let mut parts = Vec::new();
        for waits in open.waits.iter().take(MAX_ANSWERS) {
            let sealed = self.take(&open, waits.id).await?;
            parts.extend(code.open(&sealed).ok());
        }
        Ok(parts)
    }

    /// Takes an offer away, and leaves in its place that it was answered. Where a follower is away, it stays until it is over.
    async fn close_offer(&self, code: &Code, given: &Given, followers: &[String]) {
        for at in followers {
            let closed = async {
                let account = code.account(Part::Offer)?;
                let open = self.open_box(at, &account, Default::default()).await?;
                let ids = open.waits.iter().map(|waits| waits.id).collect();
                let used = Offer::answered(given.issued_at, given.expires_at);
                let used = code.seal(&used).map_err(MailError::Invitation)?;
                let at = std::slice::from_ref(at);
                self.leave_at(at, account.address(), Default::default(), used)
                    .await?;
                self.taken(&open, ids).await
            };
            if let Err(error) = closed.await {
                tracing::debug!(%at, %error, "an offer was not taken away");
            }
        }
    }

    fn keep_answer(&self, name: &str, document: &CardDocument) -> Result<()> {
        let json = serde_json::to_vec_pretty(document)?;
        if !self.home.put_contact(name, &json, false)? {
            let name = name.to_owned();
            return Err(MailError::NameTaken { name }.into());
        }
        Ok(())
    }

    fn invitations(&self) -> Result<File> {
        let path = self.home.invitations_path();
        let sealed = match private::read_limited(&path, MAX_FILE) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(File {
                    version: 1,
                    given: Vec::new(),
                });
            }
            Err(source) => return Err(file_error(&path, source)),
        };
        let key = &self.keys.openpgp;
        let own = key.certificate();
        let plain = Zeroizing::new(pcim_seal::decrypt_document(&sealed, key, |_| Ok(own))?);
        Ok(serde_json::from_slice(&plain)?)
    }

    fn write_invitations(&self, file: &File) -> Result<()> {
        let path = self.home.invitations_path();
        let key = &self.keys.openpgp;
        let sealed = pcim_seal::encrypt_document(&secret_json(file)?, key, &[&key.certificate()])?;
        let write = |path: &Path| private::replace(path, &sealed);
        write(&path).map_err(|source| file_error(&path, source))
    }
}

fn code_of(given: &Given) -> Result<Code> {
    let bytes = given.code.0.as_slice().try_into();
    let bytes = bytes.map_err(|_| MailError::Invitation(invitation::Error::Words));
    bytes.map(Code::new).map_err(Error::from)
}
