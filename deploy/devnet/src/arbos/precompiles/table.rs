//! ArbAddressTable (0x66): short names, in the order of registration, for addresses.

use alloy_primitives::{Address, Bytes, U256};
use alloy_rlp::{Decodable, Encodable};
use alloy_sol_types::{SolCall, SolValue, sol};

use super::{Failure, Invocation, Purity, READ, WRITE};
use crate::arbos::{address_table, storage};

sol! {
    function addressExists(address addr) external view returns (bool);
    function compress(address addr) external view returns (bytes);
    function decompress(bytes buf, uint256 offset) external view returns (address, uint256);
    function lookup(address addr) external view returns (uint256);
    function lookupIndex(uint256 index) external view returns (address);
    function register(address addr) external returns (uint256);
    function size() external view returns (uint256);
}

/// The field of the table's size; entry N is in field N + 1.
const SIZE: u64 = 0;

/// Bytes of an address.
const ADDRESS: usize = 20;

type Done<T = Vec<u8>> = Result<T, Failure>;

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Done {
    match selector {
        addressExistsCall::SELECTOR => {
            let (address,): (Address,) = call.open(Purity::View)?;
            Ok(find(call, address)?.is_some().abi_encode())
        }
        compressCall::SELECTOR => {
            let (address,): (Address,) = call.open(Purity::View)?;
            let mut short = Vec::new();
            match find(call, address)? {
                Some(index) => index.encode(&mut short),
                None => address.encode(&mut short),
            }
            Ok(Bytes::from(short).abi_encode())
        }
        decompressCall::SELECTOR => {
            let (bytes, offset): (Bytes, U256) = call.open(Purity::View)?;
            let offset = usize::try_from(offset).map_err(|_| Failure::Refused)?;
            let rest = bytes.get(offset..).ok_or(Failure::Refused)?;
            let (address, read) = decompress(call, rest)?;
            Ok((address, U256::from(read)).abi_encode_params())
        }
        lookupCall::SELECTOR => {
            let (address,): (Address,) = call.open(Purity::View)?;
            let index = find(call, address)?.ok_or(Failure::Refused)?;
            Ok(U256::from(index).abi_encode())
        }
        lookupIndexCall::SELECTOR => {
            let (index,): (U256,) = call.open(Purity::View)?;
            let index = u64::try_from(index).map_err(|_| Failure::Refused)?;
            Ok(entry(call, index)?.abi_encode())
        }
        registerCall::SELECTOR => {
            let (address,): (Address,) = call.open(Purity::Write)?;
            Ok(U256::from(register(call, address)?).abi_encode())
        }
        sizeCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(size(call)?).abi_encode())
        }
        _ => Err(Failure::Burn),
    }
}

/// The slot of one more than an address's index.
fn place(address: Address) -> U256 {
    address_table().unnamed().slot(address.into_word())
}

fn read(call: &mut Invocation<'_, '_>, slot: U256) -> Done<U256> {
    call.burn(READ)?;
    Ok(storage::read(call.state(), slot)?)
}

fn write(call: &mut Invocation<'_, '_>, slot: U256, value: U256) -> Done<()> {
    call.burn(WRITE)?;
    Ok(storage::write(call.state(), slot, value)?)
}

fn size(call: &mut Invocation<'_, '_>) -> Done<u64> {
    Ok(read(call, address_table().field(SIZE))?.saturating_to())
}

fn find(call: &mut Invocation<'_, '_>, address: Address) -> Done<Option<u64>> {
    let place: u64 = read(call, place(address))?.saturating_to();
    Ok(place.checked_sub(1))
}

fn entry(call: &mut Invocation<'_, '_>, index: u64) -> Done<Address> {
    if index >= size(call)? {
        return Err(Failure::Refused);
    }
    let word = read(call, address_table().field(index + 1))?;
    Ok(Address::from_word(word.into()))
}

fn register(call: &mut Invocation<'_, '_>, address: Address) -> Done<u64> {
    if let Some(index) = find(call, address)? {
        return Ok(index);
    }
    let index = size(call)?;
    let next = U256::from(index + 1);
    write(call, address_table().field(SIZE), next)?;
    write(
        call,
        address_table().field(index + 1),
        address.into_word().into(),
    )?;
    write(call, place(address), next)?;
    Ok(index)
}

/// An address, or the index of one, in RLP; and how many bytes that took.
fn decompress(call: &mut Invocation<'_, '_>, bytes: &[u8]) -> Done<(Address, usize)> {
    let mut rest = bytes;
    let item = Bytes::decode(&mut rest).map_err(|_| Failure::Refused)?;
    let read = bytes.len() - rest.len();
    if item.len() == ADDRESS {
        return Ok((Address::from_slice(&item), read));
    }
    let index = u64::decode(&mut &bytes[..read]).map_err(|_| Failure::Refused)?;
    Ok((entry(call, index)?, read))
}
