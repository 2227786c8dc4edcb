//! Signed transactions: decoding, and the checks that need no execution.

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction as _, Transaction as _, TxEip1559, TxEip4844,
    transaction::SignerRecoverable as _,
};
use alloy_eips::{
    eip2718::{Decodable2718 as _, Encodable2718 as _},
    eip2930::{AccessList, AccessListItem},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};

use super::{call::Call, state::Account};
use crate::evm::TxParams;

/// The most bytes a transaction may have.
pub(crate) const MAX_TX_BYTES: usize = 128 * 1024;
/// The most bytes of init code (EIP-3860).
const MAX_INIT_CODE: usize = 2 * MAX_CODE;
/// The most bytes of code an account may have (EIP-170).
pub(crate) const MAX_CODE: usize = 24_576;

/// A transaction as signed, whatever its type.
pub(crate) type Envelope = EthereumTxEnvelope<TxEip4844>;

/// Why a transaction is not taken; worded as geth words it, which clients match on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TxError {
    #[error("oversized data: transaction size {0}, limit {MAX_TX_BYTES}")]
    TooLong(usize),
    #[error("transaction cannot be decoded: {0}")]
    Encoding(#[source] alloy_eips::eip2718::Eip2718Error),
    #[error("transaction type not supported")]
    Type,
    #[error("invalid sender: {0}")]
    Signature(#[source] alloy_consensus::crypto::RecoveryError),
    #[error("invalid chain id for signer: have {have} want {want}")]
    ChainId { have: u64, want: u64 },
    #[error("already known")]
    Known,
    #[error("nonce too low: address {address}, tx: {tx} state: {state}")]
    NonceTooLow {
        address: Address,
        tx: u64,
        state: u64,
    },
    #[error("nonce has max value: address {0}")]
    NonceMax(Address),
    #[error("exceeds block gas limit")]
    BlockGas,
    #[error("intrinsic gas too low: have {have}, want {want}")]
    Intrinsic { have: u64, want: u64 },
    #[error("max initcode size exceeded: code size {0}, limit {MAX_INIT_CODE}")]
    InitCode(usize),
    #[error(
        "max fee per gas less than block base fee: address {address}, maxFeePerGas: {fee}, baseFee: {base_fee}"
    )]
    FeeTooLow {
        address: Address,
        fee: u128,
        base_fee: u64,
    },
    #[error(
        "max priority fee per gas higher than max fee per gas: address {address}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {fee}"
    )]
    TipAboveFee {
        address: Address,
        tip: u128,
        fee: u128,
    },
    #[error(
        "insufficient funds for gas * price + value: address {address} have {have} want {want}"
    )]
    Funds {
        address: Address,
        have: U256,
        want: U256,
    },
    #[error("EIP-7702 transaction with empty auth list (sender {0})")]
    NoAuthorization(Address),
    #[error("replacement transaction underpriced")]
    Underpriced,
    #[error("account limit exceeded: {0} transactions queued")]
    AccountFull(usize),
    /// State of a fork that it needs.
    #[error("{0}")]
    Unread(String),
    #[error("txpool is full")]
    PoolFull,
    #[error(transparent)]
    Invalid(#[from] crate::evm::InvalidTx),
}

/// A decoded transaction and its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) envelope: Envelope,
    pub(crate) from: Address,
    /// As received (EIP-2718).
    pub(crate) raw: Bytes,
}
impl Transaction {
    /// Decodes a signed transaction for this chain and recovers its sender.
    pub(crate) fn decode(raw: Bytes, chain_id: u64) -> Result<Self, TxError> {
        if raw.len() > MAX_TX_BYTES {
            return Err(TxError::TooLong(raw.len()));
        }
        let envelope = Envelope::decode_2718_exact(&raw).map_err(TxError::Encoding)?;
        if envelope.is_eip4844() {
            return Err(TxError::Type);
        }
        // One without a chain id is for every chain: contracts are deployed so at the same address everywhere.
        if let Some(have) = envelope.chain_id().filter(|have| *have != chain_id) {
            return Err(TxError::ChainId {
                have,
                want: chain_id,
            });
        }
        let from = envelope.recover_signer().map_err(TxError::Signature)?;
        Ok(Self {
            envelope,
            from,
            raw,
        })
    }

    /// Restores a transaction that [`Transaction::decode`] accepted before.
    pub(crate) fn restore(raw: Bytes, from: Address) -> Result<Self, TxError> {
        let envelope = Envelope::decode_2718_exact(&raw).map_err(TxError::Encoding)?;
        Ok(Self {
            envelope,
            from,
            raw,
        })
    }

    /// A transaction that nobody signed. The bytes in the place of the signature name the sender, so that no two senders'
    /// transactions have the same hash.
    pub(crate) fn unsigned(chain_id: u64, call: &Call, nonce: u64, gas: u64) -> Self {
        Self::with_signature(chain_id, call, nonce, gas, unsigned(call.from))
    }

    /// About as many bytes, and as hard to pack, as the transaction that such a call will be sent with.
    pub(crate) fn likely(chain_id: u64, call: &Call) -> Self {
        let random = alloy_primitives::keccak256(call.from);
        let word = U256::from_be_bytes(random.0);
        let number = |shift: usize| (word >> shift).wrapping_to::<u64>();
        let signature = Signature::new(word, !word, true);
        let call = Call {
            gas_price: u128::from(number(0)),
            ..call.clone()
        };
        Self::with_signature(
            chain_id,
            &call,
            number(64) >> 32,
            number(128) >> 32,
            signature,
        )
    }

    pub(super) fn with_signature(
        chain_id: u64,
        call: &Call,
        nonce: u64,
        gas: u64,
        signature: Signature,
    ) -> Self {
        let tx = eip1559(chain_id, call, nonce, gas);
        let envelope = Envelope::from(tx.into_signed(signature));
        Self {
            raw: envelope.encoded_2718().into(),
            envelope,
            from: call.from,
        }
    }

    /// Says whether [`Transaction::unsigned`] made it.
    pub(crate) fn is_unsigned(&self) -> bool {
        *self.envelope.signature() == unsigned(self.from)
    }

    pub(crate) fn hash(&self) -> B256 {
        *self.envelope.tx_hash()
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.envelope.nonce()
    }

    /// The contract this transaction creates, if it is a creation.
    pub(crate) fn creates(&self) -> Option<Address> {
        self.envelope
            .is_create()
            .then(|| self.from.create(self.nonce()))
    }

    /// The price of its gas where tips are paid, wei.
    pub(crate) fn effective_gas_price(&self, base_fee: u64) -> u64 {
        let price = self.envelope.effective_gas_price(Some(base_fee));
        u64::try_from(price).unwrap_or(u64::MAX)
    }

    /// All checks against the sender's account and the block but the nonce's upper side.
    pub(crate) fn check(
        &self,
        account: &Account,
        base_fee: u64,
        gas_limit: u64,
    ) -> Result<(), TxError> {
        let (address, tx) = (self.from, &self.envelope);
        if tx.nonce() < account.nonce {
            return Err(TxError::NonceTooLow {
                address,
                tx: tx.nonce(),
                state: account.nonce,
            });
        }
        if tx.nonce() == u64::MAX {
            return Err(TxError::NonceMax(address));
        }
        if tx.gas_limit() > gas_limit {
            return Err(TxError::BlockGas);
        }
        if tx.is_create() && tx.input().len() > MAX_INIT_CODE {
            return Err(TxError::InitCode(tx.input().len()));
        }
        if tx.authorization_list().is_some_and(<[_]>::is_empty) {
            return Err(TxError::NoAuthorization(address));
        }
        let fee = tx.max_fee_per_gas();
        if let Some(tip) = tx.max_priority_fee_per_gas().filter(|tip| *tip > fee) {
            return Err(TxError::TipAboveFee { address, tip, fee });
        }
        if fee < u128::from(base_fee) {
            return Err(TxError::FeeTooLow {
                address,
                fee,
                base_fee,
            });
        }
        let want = U256::from(fee)
            .saturating_mul(U256::from(tx.gas_limit()))
            .saturating_add(tx.value());
        if want > account.balance {
            return Err(TxError::Funds {
                address,
                have: account.balance,
                want,
            });
        }
        let params = self.params();
        let intrinsic = intrinsic_gas(&params);
        if params.gas_limit < intrinsic {
            return Err(TxError::Intrinsic {
                have: params.gas_limit,
                want: intrinsic,
            });
        }
        Ok(())
    }

    /// As the virtual machine wants it.
    pub(crate) fn params(&self) -> TxParams {
        let tx = &self.envelope;
        TxParams {
            from: self.from,
            to: tx.kind(),
            value: tx.value(),
            input: tx.input().clone(),
            gas_limit: tx.gas_limit(),
            gas_price: tx.max_fee_per_gas(),
            tip: tx
                .max_priority_fee_per_gas()
                .unwrap_or(tx.max_fee_per_gas()),
            hash: self.hash(),
            nonce: tx.nonce(),
            access_list: tx.access_list().map_or_else(Vec::new, |list| {
                list.iter()
                    .map(|item| (item.address, item.storage_keys.clone()))
                    .collect()
            }),
            authorizations: tx.authorization_list().map_or_else(Vec::new, <[_]>::to_vec),
            poster_gas: 0,
            impersonated: self.is_unsigned(),
        }
    }
}

/// The transaction (EIP-1559) that a call makes.
pub(crate) fn eip1559(chain_id: u64, call: &Call, nonce: u64, gas: u64) -> TxEip1559 {
    let items = call
        .access_list
        .iter()
        .map(|(address, keys)| AccessListItem {
            address: *address,
            storage_keys: keys.clone(),
        });
    TxEip1559 {
        chain_id,
        nonce,
        gas_limit: gas,
        max_fee_per_gas: call.gas_price,
        max_priority_fee_per_gas: 0,
        to: call.to.map_or(TxKind::Create, TxKind::Call),
        value: call.value,
        access_list: AccessList(items.collect()),
        input: call.input.clone(),
    }
}

/// Makes the bytes in the place of a signature by `sender`. They are none: nobody finds a message and key that make it.
fn unsigned(sender: Address) -> Signature {
    Signature::new(U256::from_be_slice(sender.as_slice()), U256::ONE, false)
}

/// Gas a transaction costs before anything runs (EIP-2028, 2930, 3860, 7702).
pub(crate) fn intrinsic_gas(tx: &TxParams) -> u64 {
    let zeros = tx.input.iter().filter(|byte| **byte == 0).count() as u64;
    let input = tx.input.len() as u64;
    let mut gas = 21_000 + 4 * zeros + 16 * (input - zeros);
    if tx.to == TxKind::Create {
        gas += 32_000 + 2 * input.div_ceil(32);
    }
    for (_, keys) in &tx.access_list {
        gas += 2_400 + 1_900 * keys.len() as u64;
    }
    gas + 25_000 * tx.authorizations.len() as u64
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloy_consensus::TxLegacy;

    /// A plain transfer signed by the well-known dev account.
    pub(crate) fn transfer(chain_id: u64, nonce: u64, gas_price: u128) -> Bytes {
        let tx = TxLegacy {
            chain_id: Some(chain_id),
            nonce,
            gas_price,
            gas_limit: 21_000,
            to: TxKind::Call(Address::repeat_byte(9)),
            value: U256::from(1),
            input: Bytes::new(),
        };
        let key = k256::ecdsa::SigningKey::from_slice(
            crate::genesis::dev_accounts().unwrap()[0]
                .private_key
                .as_slice(),
        )
        .unwrap();
        let (signature, recovery) = key
            .sign_prehash_recoverable(tx.signature_hash().as_slice())
            .unwrap();
        let signature = Signature::from((signature, recovery));
        Envelope::from(tx.into_signed(signature))
            .encoded_2718()
            .into()
    }

    #[test]
    fn a_transaction_tells_its_sender() {
        let tx = Transaction::decode(transfer(7, 3, 100_000_000), 7).unwrap();
        assert_eq!(tx.from, crate::genesis::dev_accounts().unwrap()[0].address);
        assert_eq!(tx.nonce(), 3);
        assert_eq!(Transaction::restore(tx.raw.clone(), tx.from).unwrap(), tx);
    }

    #[test]
    fn an_unsigned_transaction_is_known_by_its_sender() {
        let call = |from| Call {
            from,
            to: Some(Address::repeat_byte(3)),
            gas_price: 5,
            ..Call::default()
        };
        let (one, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let tx = Transaction::unsigned(7, &call(one), 3, 21_000);
        assert!(tx.is_unsigned() && tx.params().impersonated);
        assert_ne!(
            tx.hash(),
            Transaction::unsigned(7, &call(other), 3, 21_000).hash()
        );
        assert_eq!(Transaction::restore(tx.raw.clone(), one).unwrap(), tx);
        // As if it came from outside, it is not taken for the sender's.
        assert!(Transaction::decode(tx.raw, 7).map_or(true, |tx| tx.from != one));
        let signed = Transaction::decode(transfer(7, 3, 1), 7).unwrap();
        assert!(!signed.is_unsigned());
        assert!(Transaction::likely(7, &call(one)).raw.len() > 100);
    }

    #[test]
    fn refusals_are_worded_as_clients_expect() {
        let raw = transfer(7, 3, 100_000_000);
        let text = |result: Result<Transaction, TxError>| result.unwrap_err().to_string();
        assert_eq!(
            text(Transaction::decode(raw.clone(), 8)),
            "invalid chain id for signer: have 7 want 8"
        );
        assert!(text(Transaction::decode(Bytes::new(), 7)).contains("decoded"));
        assert!(text(Transaction::decode(raw.slice(..40), 7)).contains("decoded"));
        assert!(text(Transaction::decode(vec![0; MAX_TX_BYTES + 1].into(), 7)).contains("131073"));

        let tx = Transaction::decode(raw, 7).unwrap();
        let rich = Account {
            balance: U256::MAX,
            ..Account::default()
        };
        let check = |account: &Account, base_fee| {
            tx.check(account, base_fee, 1 << 50)
                .unwrap_err()
                .to_string()
        };
        assert!(tx.check(&rich, 100_000_000, 1 << 50).is_ok());
        assert!(check(&Account { nonce: 4, ..rich }, 1).starts_with("nonce too low"));
        assert!(check(&rich, 100_000_001).starts_with("max fee per gas less than block base fee"));
        assert!(check(&Account::default(), 1).starts_with("insufficient funds for gas * price"));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let good = transfer(7, 3, 100_000_000).to_vec();
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize
        };
        let mut accepted = 0;
        for _ in 0..3_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random() % 3 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(bytes.len() - random() % 3);
            for prefix in [vec![], vec![1], vec![2], vec![4]] {
                let raw = [prefix, bytes.clone()].concat();
                accepted += usize::from(Transaction::decode(raw.into(), 7).is_ok());
            }
        }
        assert!(accepted < 3_000, "{accepted}");
    }

    #[test]
    fn intrinsic_gas_counts_every_part() {
        let mut params = Transaction::decode(transfer(7, 0, 1), 7).unwrap().params();
        assert_eq!(intrinsic_gas(&params), 21_000);
        params.input = Bytes::from_static(&[0, 1]);
        params.to = TxKind::Create;
        params.access_list = vec![(Address::ZERO, vec![B256::ZERO])];
        assert_eq!(
            intrinsic_gas(&params),
            21_000 + 4 + 16 + 32_000 + 2 + 2_400 + 1_900
        );
    }
}
