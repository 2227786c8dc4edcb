#!/usr/bin/env bash
# anvil follows Osaka without its limit of gas.
#
# Software: anvil 1.7.1, from npm.
# Steps:    `anvil --hardfork osaka`, then `eth_sendTransaction` with 20,000,000 gas.
# Expected: an error. EIP-7825, which is part of Osaka, caps a transaction's gas at 16,777,216 (2^24)
#           (https://eips.ethereum.org/EIPS/eip-7825).
# Seen:     the transaction is mined. With `--enable-tx-gas-limit` anvil refuses it; the help of `--hardfork` does not say that
#           the fork alone leaves the cap out.
# Here:     deploy/devnet/tests/anvil sends less; Arbitrum has a limit of its own (32,000,000), which the development chain keeps.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants node, npm, curl and jq, on Linux on x86-64.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "${anvil:-}" 2>/dev/null; wait || true; rm -rf "$work"' EXIT
npm install --prefix "$work" --silent --no-audit --no-fund @foundry-rs/anvil-linux-amd64@1.7.1
program=$work/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
"$program" --version | head -n 1
"$program" --hardfork osaka --port 0 >"$work/out" &
anvil=$!
for _ in $(seq 100); do grep -q 'Listening on' "$work/out" && break; sleep 0.1; done
url=http://$(sed -n 's/^Listening on //p' "$work/out")
ask() { curl -sf "$url" -H 'content-type: application/json' -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}"; }
[ "$(ask anvil_nodeInfo '[]' | jq -r .result.hardFork)" = Osaka ] || { echo "anvil does not follow Osaka"; exit 1; }
account=$(ask eth_accounts '[]' | jq -r '.result[0]')
# The most that EIP-7825 allows is 2^24; this is 20,000,000.
answer=$(ask eth_sendTransaction "[{\"from\":\"$account\",\"to\":\"$account\",\"gas\":\"0x1312d00\"}]")
echo "wanted: an error, since 20000000 gas are more than 2^24 = 16777216"
echo "found:  $answer"
hash=$(jq -r '.result // empty' <<<"$answer")
[ -n "$hash" ] || { echo "it is refused: the finding is gone"; exit 1; }
for _ in $(seq 100); do
    status=$(ask eth_getTransactionReceipt "[\"$hash\"]" | jq -r '.result.status // empty')
    [ -z "$status" ] || break
    sleep 0.1
done
echo "found:  it is mined with status $status"
[ "$status" = 0x1 ]
