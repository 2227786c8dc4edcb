//! `--network-file`: the contract deployed on the development chain, and the file by which homes join it.

use std::path::Path;

use anyhow::Context as _;
use pcim_client::Error;
use pcim_client::papers::network::{MAX_NETWORK_BYTES, NetworkFile, NetworkRpc};
use pcim_core::date::now;
use pcim_core::private;
use pcim_deploy::artifact;
use pcim_deploy::deploy::{MAX_FEE, Request, deploy};
use pcim_ledger::{Account, Chain, is_insecure};
use pcim_terminal::failure::Usage;
use pcim_terminal::files::write_result;
use stylus_devnet::Handle;

/// The name of the network.
const NAME: &str = "devnet";
/// Seconds for which homes may join by the file.
const LASTS: u64 = 365 * 86_400;

/// Deploys the contract, for the chain's second account as consortium, unless the contract of the file is there already; then
/// signs the file by that account and writes it.
pub(super) async fn write(devnet: &Handle, path: &Path) -> anyhow::Result<NetworkFile> {
    let [payer, consortium, ..] = devnet.accounts() else {
        anyhow::bail!("a chain without accounts");
    };
    let consortium = Account::from_private_key(&consortium.private_key.0)?;
    let rpc_url = devnet.url();
    let mut file = match known(devnet, path, &consortium).await? {
        Some(file) => file,
        None => {
            let record = deploy(&Request {
                rpc_url: &rpc_url,
                chain_id: devnet.chain_id(),
                deployer_key: &payer.private_key.0,
                consortium: consortium.address(),
                predecessor: None,
                wasm: artifact::PCAC_WASM,
                max_fee: MAX_FEE,
                records: None,
            })
            .await?;
            let contract = (record.contract, record.code_hash);
            NetworkFile::new(
                NAME.to_owned(),
                record.chain_id,
                contract,
                record.consortium,
            )
        }
    };
    let rpc = |url: String| NetworkRpc {
        insecure: is_insecure(&url),
        url,
    };
    file.rpcs = vec![rpc(rpc_url), rpc(devnet.ws_url())];
    file.sign(&consortium, now(), LASTS).map_err(Error::from)?;
    let json = file.to_json().map_err(Error::from)?;
    write_result(path, &json, true)?;
    Ok(file)
}

/// The file that is there, if its contract is on this chain; an error if it is any other file.
async fn known(
    devnet: &Handle,
    path: &Path,
    consortium: &Account,
) -> anyhow::Result<Option<NetworkFile>> {
    if !path
        .try_exists()
        .with_context(|| path.display().to_string())?
    {
        return Ok(None);
    }
    let json = private::read_limited(path, MAX_NETWORK_BYTES);
    let json = json.with_context(|| path.display().to_string())?;
    let other = || {
        let path = path.display();
        Usage(format!(
            "{path} is not the network file of a development chain: it is not replaced"
        ))
    };
    let file = NetworkFile::read(&json).map_err(|_| other())?;
    if file.consortium != consortium.address() {
        return Err(other().into());
    }
    let chain = Chain::connect(&devnet.url(), devnet.chain_id()).await?;
    let here = file.chain_id == devnet.chain_id() && !chain.code(file.contract).await?.is_empty();
    Ok(here.then_some(file))
}
