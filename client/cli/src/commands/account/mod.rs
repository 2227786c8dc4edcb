//! `pcim account`, `pcim recover`, `pcim guardian`, `pcim custodian`, `pcim signed`: who decides for a patient.

pub(crate) mod custodian;
mod drill;
pub(crate) mod emergency;
pub(crate) mod guardian;
pub(crate) mod moves;
pub(crate) mod recover;
pub(crate) mod rescue;
mod rotate;
pub(crate) mod signed;

use std::path::Path;

use pcim_client::AccountStanding;
use pcim_core::Address;
use pcim_core::date::time;
use pcim_ledger::{ChangeKind, GuardianSet};

use crate::context::read_small;
use crate::failure::Usage;

/// An account, for people.
pub(crate) fn text(standing: &AccountStanding) -> String {
    let record = &standing.record;
    let mut text = format!(
        "patient      {}\nacts         {}\n",
        standing.patient, record.acting
    );
    text.push_str(&match record.commitment == [0; 24] {
        true => "guardians    none\n".to_owned(),
        false => format!("guardians    yes, changes wait {} h\n", record.hours),
    });
    if let Some(desk) = standing.desk {
        text.push_str(&format!(
            "desk         {}, {} h\n",
            desk.address, desk.hours
        ));
    }
    if record.locked_until != 0 {
        let until = record.locked_until;
        text.push_str(&format!("locked       until {}\n", time(until)));
    }
    if let Some(pending) = &record.pending {
        let named = pending.account();
        let what = match pending.kind {
            ChangeKind::Guardians => "other guardians".to_owned(),
            ChangeKind::Move => format!("handed to {named}"),
            ChangeKind::Desk if named == Address::ZERO => "no desk".to_owned(),
            ChangeKind::Desk => format!("desk {named}"),
            ChangeKind::Recovery => format!("recovery to {named}"),
            ChangeKind::SingleRecovery => format!("recovery to {named} by one guardian"),
        };
        let ripe = pending.ripe;
        text.push_str(&format!("pending      {what}, from {}\n", time(ripe)));
    }
    text
}

/// Reads the file of a set of guardians.
fn read_set(path: &Path) -> anyhow::Result<GuardianSet> {
    let read = serde_json::from_slice(&read_small(path)?);
    Ok(read.map_err(|error| Usage(format!("not a set of guardians: {error}")))?)
}
