#!/usr/bin/env bash
# Stands in for the script that OpenZeppelin's suite calls to fund an account: script send-l2 --to address_0x… --ethamount N. The chain's faucet gives 100.
set -euo pipefail
to=
while [ $# -gt 0 ]; do
    case $1 in
    --to) to=${2#address_}; shift ;;
    esac
    shift
done
curl -sf -X POST "$RPC_URL/faucet/$to" >/dev/null
