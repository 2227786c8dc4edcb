//! Files made here, faults put in by hand, and what the check says of them.

#![allow(clippy::unwrap_used)]

pub(crate) mod build;
mod engine;
mod hostile;
mod mutation;
mod planted;

use super::*;
use crate::deid::{Blank, Purpose};
pub(crate) use build::{Syntax, file, image, item, sequence, text, uid};

/// What the check says of one pair, by the purpose's options.
pub(super) fn check(purpose: Purpose, before: &[u8], after: &[u8]) -> Findings {
    check_by(Profile::from(purpose), before, after)
}

pub(crate) fn check_by(profile: Profile, before: &[u8], after: &[u8]) -> Findings {
    let rules = Rules {
        profile,
        found: false,
    };
    let mut checker = Checker::new(rules);
    checker.learn(before).unwrap();
    checker.compare(Some(before), after, "after");
    checker.finish()
}

/// The faults, each with its place.
pub(super) fn faults(findings: &Findings) -> Vec<(Fault, &str)> {
    let all = findings.findings.iter();
    all.map(|finding| (finding.fault, finding.place.as_str()))
        .collect()
}

fn has(findings: &Findings, fault: Fault, place: &str) -> bool {
    let found = faults(findings);
    found
        .iter()
        .any(|(found, at)| *found == fault && at.contains(place))
}
