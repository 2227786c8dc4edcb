//! The views that anyone may read, but for the right to see an image.

use alloc::vec::Vec;

use stylus_sdk::{prelude::*, ArbResult};

use crate::{
    calldata::Args,
    interface::*,
    log::fixed,
    relay::encode_bytes,
    signature::{NAME, VERSION},
    storage::Slot,
    word::{joined, put, put_bytes, Word},
    Pcac,
};

impl Pcac {
    /// `image_record`.
    pub(crate) fn image_record(&self, args: Args<'_>) -> ArbResult {
        let record = self.record(Slot::image(args.word(0)?));
        Ok(joined(&[
            record.patient,
            Word::number(record.registered_at),
            Word::number(record.limit),
            Word::number(record.window),
        ]))
    }

    /// `grant`.
    pub(crate) fn grant(&self, args: Args<'_>) -> ArbResult {
        let slot = Slot::grant(args.word(0)?, args.address(1)?);
        let standing = self.standing(slot);
        Ok(joined(&[
            Word::number(standing.status as u64),
            Word::number(standing.requested_at),
            Word::number(standing.decided_at),
            Word::number(standing.expires_at),
            standing.key,
            self.cell(slot.next()),
        ]))
    }

    /// `is_accredited`.
    pub(crate) fn is_accredited(&self, args: Args<'_>) -> Result<bool, Refusal> {
        Ok(!self.cell(Slot::accreditation(args.address(0)?)).is_zero())
    }

    /// `version`.
    pub(crate) fn version(&self) -> Vec<u8> {
        encode_bytes(&fixed!(VERSION).bytes())
    }

    /// `eip712Domain` (ERC-5267): name, version, chain and contract; neither salt nor extensions.
    pub(crate) fn domain(&self) -> Vec<u8> {
        const FIELDS: u32 = 0x0f00_0000;
        let mut answer = joined(&[
            Word::front(FIELDS),
            Word::number(7 * 32),
            Word::number(9 * 32),
            Word::number(self.vm().chain_id()),
            self.vm().contract_address().into(),
            Word::ZERO,
            Word::number(11 * 32),
        ]);
        put_bytes(&mut answer, &fixed!(NAME).bytes());
        put_bytes(&mut answer, &fixed!(VERSION).bytes());
        put(&mut answer, &[Word::ZERO]);
        answer
    }
}
