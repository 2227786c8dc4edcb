//! A chain for scripts: serves JSON-RPC until it is interrupted.
//!
//! `cargo run --example serve -- 8547`; without a port it takes a free one and prints where it listens.

use std::error::Error;

use stylus_devnet::{Config, spawn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 0,
    };
    let devnet = spawn(Config {
        port,
        ..Config::default()
    })
    .await?;
    println!("{}", devnet.url());
    for account in devnet.accounts() {
        println!("{} {}", account.address, account.private_key);
    }
    tokio::signal::ctrl_c().await?;
    devnet.shutdown().await;
    Ok(())
}
