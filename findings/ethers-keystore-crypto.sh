#!/usr/bin/env bash
# ethers writes `Crypto`, cast reads `crypto`.
#
# Software: ethers 6.17.0 and cast 1.7.1, both from npm.
# Steps:    `Wallet.encrypt` writes a keystore; `cast wallet address --keystore` reads it.
# Expected: the keystore opens. The Web3 Secret Storage Definition, version 3, names the member `crypto`
#           (https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage).
# Seen:     cast refuses it: "missing field `crypto`". With that one member renamed it opens.
# Here:     client/ledger/src/keystore.rs reads the members' names in either case.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants node and npm, on Linux on x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund ethers@6.17.0 @foundry-rs/cast-linux-amd64@1.7.1
cast=node_modules/@foundry-rs/cast-linux-amd64/bin/cast
cat >keystores.mjs <<'JS'
import { Wallet } from "ethers";
import { writeFileSync } from "node:fs";

const wallet = new Wallet("0x" + "11".repeat(32));
const text = await wallet.encrypt("seven", () => {});
writeFileSync("upper.json", text);
writeFileSync("lower.json", text.replace('"Crypto"', '"crypto"'));
console.log(wallet.address);
JS
address=$(node keystores.mjs)
"$cast" --version | head -1
echo "ethers wrote the members $(node -p 'Object.keys(JSON.parse(require("fs").readFileSync("upper.json"))).join(", ")')"
[ "$("$cast" wallet address --keystore lower.json --password seven)" = "$address" ] ||
    { echo "the finding changed: cast does not open the keystore with crypto either"; exit 1; }
echo "cast opens it with crypto"
if "$cast" wallet address --keystore upper.json --password seven 2>error; then
    echo "the finding is gone: cast opens it with Crypto, too"
    exit 1
fi
grep 'missing field `crypto`' error || { echo "the finding changed: cast said"; cat error; exit 1; }
