//! The views that anyone may read, but for the right to see an image.

use alloc::vec::Vec;

use stylus_sdk::{prelude::*, ArbResult};

use crate::{
    calldata::Args,
    interface::*,
    log::fixed,
    record::flag,
    relay::encode_bytes,
    signature::{NAME, VERSION},
    storage::Slot,
    word::{answer, joined, put, put_bytes, Word},
    Pcac,
};

impl Pcac {
    /// `image_record`.
    pub(crate) fn image_record(&self, args: Args<'_>) -> ArbResult {
        let image = args.word(0)?;
        let record = self.record(Slot::image(image));
        let (limit, window) = self.limit(image);
        Ok(answer![
            record.patient,
            record.registered_at,
            limit,
            window,
            record.flags & flag::PUBLIC,
            record.tag,
            self.round(image)
        ])
    }

    /// `grant`.
    pub(crate) fn grant(&self, args: Args<'_>) -> ArbResult {
        let slot = Slot::grant(args.word(0)?, args.address(1)?);
        let standing = self.standing(slot);
        Ok(answer![
            standing.status as u64,
            standing.requested_at,
            standing.decided_at,
            standing.expires_at,
            standing.key,
            self.cell(slot.next()),
            standing.notes_digest
        ])
    }

    /// `account`.
    pub(crate) fn account_of(&self, args: Args<'_>) -> ArbResult {
        let patient = args.address(0)?;
        let account = self.account(patient);
        if let Some(there) = self.account_elsewhere(&account)? {
            return Ok(joined(&there));
        }
        let (pending, guardians) = (self.pending(patient), self.guardians(patient));
        let locked = self.now() < account.locked_until;
        Ok(answer![
            account.acting,
            account.round,
            account.epoch,
            account.recovery,
            if locked { account.locked_until } else { 0 },
            guardians.commitment.to_front_24(),
            guardians.hours,
            pending.kind,
            pending.ripe,
            pending.hours,
            pending.payload.to_front_24()
        ])
    }

    /// `delegate`.
    pub(crate) fn delegate(&self, args: Args<'_>) -> ArbResult {
        let (patient, delegate) = (args.address(0)?, args.address(1)?);
        let until = self.delegate_until(&self.account(patient), delegate);
        Ok(answer![until])
    }

    /// `emergency`.
    pub(crate) fn emergency(&self, args: Args<'_>) -> ArbResult {
        let desk = self.desk(&self.account(args.address(0)?));
        Ok(answer![desk.address, desk.hours])
    }

    /// `is_accredited`.
    pub(crate) fn is_accredited(&self, args: Args<'_>) -> Result<bool, Refusal> {
        Ok(self.accreditation(args.address(0)?).0.attests(self.now()))
    }

    /// `accreditation`.
    pub(crate) fn accreditation_of(&self, args: Args<'_>) -> ArbResult {
        let found = self.accreditation(args.address(0)?).0;
        Ok(answer![found.status, found.accredited_at, found.since])
    }

    /// `version`.
    pub(crate) fn version(&self) -> Vec<u8> {
        encode_bytes(&fixed!(VERSION).bytes())
    }

    /// `eip712Domain` (ERC-5267): name, version, chain and contract; neither salt nor extensions.
    pub(crate) fn domain(&self) -> Vec<u8> {
        const FIELDS: u32 = 0x0f00_0000;
        let mut answer = answer![
            Word::front(FIELDS),
            7 * 32_u64,
            9 * 32_u64,
            self.vm().chain_id(),
            Word::from(self.vm().contract_address()),
            Word::ZERO,
            11 * 32_u64
        ];
        put_bytes(&mut answer, &fixed!(NAME).bytes());
        put_bytes(&mut answer, &fixed!(VERSION).bytes());
        put(&mut answer, &[Word::ZERO]);
        answer
    }
}
