//! Setting the scene: a chain, the contract, five actors with homes of their own.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::{join_all, try_join_all};
use pcim_client::home::{Config, Home, NewHome};
use pcim_client::{Actor, Limits};
use pcim_core::{B256, LockCost, Passphrase, U256};
use pcim_deploy::artifact;
use pcim_deploy::deploy::{MAX_FEE, Record, Request, deploy};
use pcim_ledger::{Account, Deployment, Ledger};
use pcim_seal::KeyKind;

use super::report::{OnChain, Timeline};
use pcim_terminal::files::write_secret;

/// What each actor is given to pay for transactions: a tenth of an ether, in wei.
const FUNDS: u64 = 100_000_000_000_000_000;

/// The actors, in the order of their homes.
const ACTORS: [&str; 5] = [
    "consortium",
    "radiologist",
    "patient",
    "requestor-a",
    "requestor-b",
];

/// The actors and their chain.
pub(super) struct Scene {
    devnet: stylus_devnet::Handle,
    pub(super) deployment: Deployment,
    pub(super) consortium: Actor,
    pub(super) radiologist: Actor,
    pub(super) patient: Actor,
    pub(super) requestor_a: Actor,
    pub(super) requestor_b: Actor,
}

impl Scene {
    /// Sets the scene under `dir`. With `keep` the chain's state and the passphrase of the homes stay there.
    pub(super) async fn set(dir: &Path, keep: bool, report: &mut Timeline) -> anyhow::Result<Self> {
        let clock = Instant::now();
        let devnet = stylus_devnet::spawn(stylus_devnet::Config {
            state_dir: keep.then(|| dir.join("chain")),
            ..stylus_devnet::Config::default()
        })
        .await?;
        report.time("starting the chain", clock.elapsed());

        let clock = Instant::now();
        // Another key that nobody will see is as good as any randomness.
        let passphrase = B256::from(*Account::generate().expose_key()).to_string();
        if keep {
            write_secret(&dir.join("passphrase"), passphrase.as_bytes())?;
        }
        let accounts: Vec<_> = ACTORS.iter().map(|_| Account::generate()).collect();
        let addresses: Vec<_> = accounts.iter().map(Account::address).collect();
        let homes = try_join_all(ACTORS.iter().zip(accounts).map(|(name, account)| {
            let dir = dir.join(name);
            let passphrase = Passphrase::new(passphrase.clone());
            make_home(dir, name, account, passphrase)
        }));
        let payer = devnet
            .accounts()
            .first()
            .context("a chain without accounts")?;
        let deploying = async {
            let clock = Instant::now();
            let record = deploy(&Request {
                rpc_url: &devnet.url(),
                chain_id: devnet.chain_id(),
                deployer_key: &payer.private_key.0,
                consortium: addresses[0],
                predecessor: None,
                wasm: artifact::PCAC_WASM,
                max_fee: MAX_FEE,
                records: None,
            })
            .await?;
            anyhow::Ok((record, clock.elapsed()))
        };
        let (homes, (record, deploy_time)) = futures::future::try_join(homes, deploying).await?;
        report.time("keys, homes and deploying, side by side", clock.elapsed());
        tell_deployment(&record, deploy_time, report)?;

        let clock = Instant::now();
        let deployment = Deployment {
            rpc_url: devnet.url(),
            chain_id: record.chain_id,
            contract: record.contract,
        };
        let ledger = Ledger::connect(deployment.clone()).await?;
        let payer = Account::from_private_key(&payer.private_key.0)?;
        let opening = try_join_all(homes.into_iter().map(|home| {
            let passphrase = Passphrase::new(passphrase.clone());
            open(home, passphrase, &deployment)
        }));
        let funding = async {
            for address in addresses {
                ledger.transfer(&payer, address, U256::from(FUNDS)).await?;
            }
            anyhow::Ok(())
        };
        let (clients, ()) = futures::future::try_join(opening, funding).await?;
        try_join_all(clients.iter().skip(1).map(|actor| actor.node())).await?;
        report.time("unlocking, funding and starting the nodes", clock.elapsed());

        let [consortium, radiologist, patient, requestor_a, requestor_b] =
            <[Actor; 5]>::try_from(clients)
                .ok()
                .context("five actors were made")?;
        Ok(Self {
            devnet,
            deployment,
            consortium,
            radiologist,
            patient,
            requestor_a,
            requestor_b,
        })
    }

    /// Stops every node and the chain.
    pub(super) async fn clear(self) {
        let actors = [
            self.consortium,
            self.radiologist,
            self.patient,
            self.requestor_a,
            self.requestor_b,
        ];
        join_all(actors.into_iter().map(Actor::shutdown)).await;
        self.devnet.shutdown().await;
    }
}

async fn make_home(
    dir: std::path::PathBuf,
    name: &'static str,
    account: Account,
    passphrase: Passphrase,
) -> anyhow::Result<Home> {
    let home = tokio::task::spawn_blocking(move || {
        let new = NewHome {
            config: Config {
                name: Some(name.to_owned()),
                ..Config::default()
            },
            passphrase: &passphrase,
            // Nobody guesses at 256 random bits.
            cost: LockCost::LIGHT,
            openpgp: KeyKind::default(),
            user_id: None,
            account: Some(account),
        };
        Home::init(&dir, new)
    })
    .await??;
    Ok(home)
}

async fn open(
    home: Home,
    passphrase: Passphrase,
    deployment: &Deployment,
) -> anyhow::Result<Actor> {
    home.set_config(Config {
        network: Some("devnet".to_owned()),
        rpc_url: Some(deployment.rpc_url.clone()),
        chain_id: Some(deployment.chain_id),
        contract: Some(deployment.contract),
        ..Config::clone(&home.config())
    })?;
    // Everyone is on this machine: what does not come soon does not come.
    let limits = Limits {
        fetch: Duration::from_secs(20),
        ..Limits::default()
    };
    Ok(Actor::open(home, passphrase).await?.with_limits(limits))
}

fn tell_deployment(record: &Record, spent: Duration, report: &mut Timeline) -> anyhow::Result<()> {
    let on_chain = OnChain {
        tx: Some(record.tx),
        gas_used: Some(record.gas_used),
        events: Vec::new(),
    };
    let detail = format!("contract {} ({} ms)", record.contract, spent.as_millis());
    report.step("consortium", "deploy the contract", on_chain, &detail)
}
