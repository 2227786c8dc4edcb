#!/usr/bin/env bash
# Uses cargo-stylus, unchanged, against a development chain of its own: with the released contract as a file, and with
# the example counter as a project. Prints a line a check and ends with `N passed, 0 failed`, or with exit code 1.
# Wants a built pcim with its pcim-dev beside it (`cargo build`; another one by PCIM=…), cargo-stylus 0.10.10 (by CARGO_STYLUS=…, in
# target/ci-tools/bin or in the path), npm, jq, curl, and for the counter rustup's target wasm32-unknown-unknown.
set -euo pipefail
cd "$(dirname "$0")/../.."

pcim=$(realpath "${PCIM:-target/debug/pcim}")
pcac=$PWD/contract/artifacts/v1/pcac.wasm
work=$PWD/target/interop
export LC_ALL=C.UTF-8 CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
PATH="$work/stylus/cast/node_modules/@foundry-rs/cast-linux-amd64/bin:$PWD/target/ci-tools/bin:$PATH"
[ -z "${CARGO_STYLUS:-}" ] || PATH="$(dirname "$(realpath "$CARGO_STYLUS")"):$PATH"

for tool in "$pcim" "$pcim-dev" cargo-stylus npm jq curl; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 2; }
done
cargo stylus --version | grep -q ' 0\.10\.10$' || { echo "cargo-stylus 0.10.10 is wanted, not $(cargo stylus --version)" >&2; exit 2; }
if ! command -v cast >/dev/null; then
    mkdir -p "$work/stylus/cast"
    cp tests/interop/cast/package*.json "$work/stylus/cast"
    npm ci --prefix "$work/stylus/cast" --no-audit --no-fund --loglevel=error >/dev/null
fi

# A workspace without contracts, for commands that are given a file; a copy of the counter, where cargo-stylus builds.
mkdir -p "$work/stylus/empty" "$work/stylus/counter"
printf '[workspace]\nresolver = "3"\nmembers = []\n' >"$work/stylus/empty/Cargo.toml"
printf '[workspace]\n\n[workspace.networks]\n' >"$work/stylus/empty/Stylus.toml"
cp -r deploy/devnet/examples/counter/. "$work/stylus/counter"

run=$(mktemp -d)
"$pcim-dev" devnet --port 0 --json >"$run/devnet.json" &
devnet=$!
trap 'kill $devnet ${older:-} 2>/dev/null; wait $devnet || true; rm -rf "$run"' EXIT
for _ in $(seq 100); do
    [ -z "$(jq -r .rpc_url "$run/devnet.json" 2>/dev/null)" ] || break
    sleep 0.1
done
field() { jq -er "$1" "$run/devnet.json"; }
ETH_RPC_URL=$(field .rpc_url)
export ETH_RPC_URL
key=$(field '.accounts[1].private_key')
me=$(field '.accounts[1].address')
echo "$key" >"$run/key"

# -- how checks are made ----------------------------------------------------------------------------------------------

passed=0 failed=0 said=
# check TITLE COMMAND…
check() {
    local status=0
    said=$("${@:2}" 2>&1 | sed 's/\x1b\[[0-9;]*m//g'; exit "${PIPESTATUS[0]}") || status=$?
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok      $1"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$1" "$said"
    fi
}
# says PATTERN COMMAND…, refused PATTERN COMMAND…: the command succeeds, or fails, and prints the pattern.
says() {
    local out status=0
    out=$("${@:2}" 2>&1 | sed 's/\x1b\[[0-9;]*m//g'; exit "${PIPESTATUS[0]}") || status=$?
    printf '%s\n' "$out"
    [ $status -eq 0 ] && grep -qE -- "$1" <<<"$out"
}
refused() {
    local out status=0
    out=$("${@:2}" 2>&1 | sed 's/\x1b\[[0-9;]*m//g'; exit "${PIPESTATUS[0]}") || status=$?
    printf '%s\n' "$out"
    [ $status -ne 0 ] && grep -qE -- "$1" <<<"$out"
}
is() { [ "$1" = "$2" ] || { printf 'found  %s\nwanted %s\n' "$1" "$2"; return 1; }; }
# What the last check printed after LABEL, up to a space or quote.
after() { sed -n "s/.*$1\"\\{0,1\\}\\([^ \"]*\\).*/\\1/p" <<<"$said" | tail -n 1; }

# stylus COMMAND…, signed COMMAND…: cargo-stylus on this chain, in the folder $project. The chain is named before the
# other options, for what follows --constructor-args is taken for one of them.
project=$work/stylus/empty
stylus() {
    local command=("$1")
    shift
    [ "${command[0]}" != cache ] || { command+=("$1"); shift; }
    (cd "$project" && cargo stylus "${command[@]}" --endpoint "$ETH_RPC_URL" "$@")
}
signed() {
    local command=("$1")
    shift
    [ "${command[0]}" != cache ] || { command+=("$1"); shift; }
    stylus "${command[@]}" --private-key-path "$run/key" "$@"
}
in_project() { (cd "$project" && cargo stylus "$@"); }

rpc() { curl -sS -H 'content-type: application/json' -d "$(jq -nc --arg m "$1" --argjson p "$2" '{jsonrpc:"2.0",id:1,method:$m,params:$p}')" "$ETH_RPC_URL" | jq -e 'has("result")' >/dev/null; }
days() { rpc evm_increaseTime "[$(($1 * 86400))]" && rpc evm_mine '[]'; }
# send TO SIGNATURE ARG…: the receipt, also of a revert: with a limit of gas, nothing is estimated before.
send() { cast send --json --gas-limit 3000000 --private-key "$key" "$@" 2>/dev/null || true; }
view() { cast call "$@" | sed 's/ \[.*//'; }
hash_of() { cast keccak "$(cast code "$1")"; }
wasm=0x0000000000000000000000000000000000000071
cache=0x0000000000000000000000000000000000000072

# -- the contract, as a file ------------------------------------------------------------------------------------------

check "check: a file that is not on the chain" says 'wasm data fee: 0\.000' stylus check --wasm-file "$pcac"
check "deploy: an estimate" says 'deployment tx gas: [0-9]+' signed deploy --no-verify --estimate-gas --wasm-file "$pcac"
check "deploy: deploys and activates" says 'successfully activated' signed deploy --no-verify --wasm-file "$pcac"
contract=$(after 'deployed code at address: ')
activation=0x$(after 'with tx ')
check "the code is a Stylus program" is "$(cast code "$contract" | head -c 10)" 0xeff00000
check "and active" is "$(view $wasm 'programVersion(address)(uint16)' "$contract")" 3
check "and answers" is "$(view "$contract" 'consortium()(address)')" 0x0000000000000000000000000000000000000000
# The constructor's selector is that of a function without arguments.
send "$contract" "$(cast concat-hex "$(cast sig 'stylus_constructor()')" "$(cast abi-encode 'f(address)' "$me")")" >/dev/null
check "and is constructed" is "$(view "$contract" 'consortium()(address)')" "$(cast to-check-sum-address "$me")"
check "deploy: code that is active already" says 'wasm already activated' signed deploy --no-verify --wasm-file "$pcac"
check "check: code that is active already" says 'contract size: [0-9.]* KB' stylus check --wasm-file "$pcac"
check "and asks no fee for it" refused '' grep 'data fee' <<<"$said"
check "activate: a program that is up to date" refused 'code 3: execution reverted: error ProgramUpToDate.*, data: "0xcc944bf2"' signed activate --address "$contract"
check "activate: an account without code" refused 'code 3: execution reverted' signed activate --address 0x00000000000000000000000000000000000000aa

check "cache status: not cached" says 'is not yet cached' stylus cache status --address "$contract"
check "cache suggest-bid" says ': 0 wei' stylus cache suggest-bid "$contract"
check "cache bid" says 'Successfully cached' signed cache bid "$contract" 0
check "and the chain has it cached" is "$(view $cache 'codehashIsCached(bytes32)(bool)' "$(hash_of "$contract")")" true
check "cache bid: again" refused 'is already cached' signed cache bid "$contract" 0
check "cache status: cached" says 'is cached' stylus cache status --address "$contract"

check "trace: an activation" refused 'contract activation transaction' stylus trace --tx "$activation"
check "codehash-keepalive: too soon" refused 'code: 3.*0x16bd0cf8' signed codehash-keepalive --codehash "$(hash_of "$contract")"
days 32
# The command sends no value, and the fee is never nothing: 0.10.10 cannot get through, here or elsewhere.
check "codehash-keepalive: the fee is missing" refused 'code: 3.*0x09781ab70{64}' signed codehash-keepalive --codehash "$(hash_of "$contract")"
send --value 0.01ether $wasm 'codehashKeepalive(bytes32)' "$(hash_of "$contract")" >/dev/null
check "and with it the program lives longer" is "$(($(view $wasm 'programTimeLeft(address)(uint64)' "$contract") / 86400))" 364
days 366
check "check: an expired program wants its fee again" says 'wasm data fee' stylus check --wasm-file "$pcac"
check "activate: an expired program" says 'successfully activated' signed activate --address "$contract"
check "and it answers again" is "$(view "$contract" 'consortium()(address)')" "$(cast to-check-sum-address "$me")"

# -- modules that a chain refuses -------------------------------------------------------------------------------------

# module NAME MEMORY ENTRY: a program that does nothing, with one page of memory, and with what comes by stdin behind.
module() {
    printf '\0asm\1\0\0\0\1\6\1\x60\1\x7f\1\x7f\3\2\1\0'"$2"'\7\x1c\2\x0f'"$3"'\0\0\6memory\2\0\x0a\6\1\4\0\x41\0\x0b'
    cat
} >"$run/$1.wasm"
fixed='\5\4\1\1\1\1' growing='\5\3\1\0\1'
module growing "$growing" user_entrypoint </dev/null
check "check: memory grows and is not paid for" refused 'missing an entrypoint' stylus check --wasm-file "$run/growing.wasm"
module elsewhere "$fixed" user_entrypoynt </dev/null
check "check: no entrypoint" refused 'code -32000: program activation failed: .*user_entrypoint' \
    stylus check --wasm-file "$run/elsewhere.wasm"
# A data segment of 30,000 bytes that nothing can compress.
{ printf '\x0b\xb8\xea\1\1\0\x41\0\x0b\xb0\xea\1'; head -c 30000 /dev/urandom; } | module large "$fixed" user_entrypoint
check "check: too large for one account" says '2 fragments' stylus check --wasm-file "$run/large.wasm"
check "deploy: in two fragments and a root" says 'successfully activated' signed deploy --no-verify --wasm-file "$run/large.wasm"
large=$(after 'deployed code at address: ')
check "the code is a root of two fragments" is "$(cast code "$large" | cut -c1-10,99-)" 0xeff00200
check "and active" is "$(view $wasm 'programVersion(address)(uint16)' "$large")" 3
check "and runs" is "$(cast call "$large")" 0x
# A chain of before ArbOS 60 has no fragments: it refuses such code without data.
"$pcim-dev" devnet --port 0 --json --arbos 51 >"$run/older.json" &
older=$!
for _ in $(seq 100); do
    [ -z "$(jq -r .rpc_url "$run/older.json" 2>/dev/null)" ] || break
    sleep 0.1
done
at_51() { local ETH_RPC_URL; ETH_RPC_URL=$(jq -r .rpc_url "$run/older.json"); "$@"; }
check "check: too large for one account before ArbOS 60" at_51 refused '2 fragments' stylus check --wasm-file "$run/large.wasm"
check "and its parts are no program there" is "$(after 'data: ')" 0x
kill $older

# -- the counter, as a project ----------------------------------------------------------------------------------------

counter_as_a_project() {
    local counter other hash trace native tx initcode
    project=$work/stylus/counter
    check "check: builds and checks" says 'wasm data fee' stylus check
    check "constructor" says '^constructor\(uint256 number\) payable' in_project constructor
    check "export-abi" says 'function stepBoth\(address other, uint256 by\) external returns \(uint256\)' in_project export-abi
    check "deploy: arguments are missing" refused 'mismatch number of constructor arguments' signed deploy --no-verify
    check "deploy: with a constructor" says 'deployed code at address' \
        signed deploy --no-verify --constructor-value 0.5 --constructor-args 41
    counter=$(after 'deployed code at address: ')
    hash=$(after 'deployment tx hash: ')
    check "and it is active" is "$(view $wasm 'programVersion(address)(uint16)' "$counter")" 3
    check "and constructed" is "$(view "$counter" 'number()(uint256)')" 41
    check "for who deployed it" is "$(view "$counter" 'owner()(address)')" "$(cast to-check-sum-address "$me")"
    check "with the value" is "$(cast balance "$counter")" 500000000000000000
    check "deploy: once more, with another salt" says 'deployed code at address' \
        signed deploy --no-verify --deployer-salt 0x"$(printf '%064x' 1)" --constructor-args 7
    other=$(after 'deployed code at address: ')
    check "verify" says 'Verification successful' stylus verify --no-verify --skip-clean --deployment-tx "$hash"
    initcode=$(in_project get-initcode 2>/dev/null | tail -n 1)
    check "get-initcode: what was deployed" says "${initcode:?}" cast tx "$hash" input
    check "cache bid: by another tool's address" says 'Successfully cached' signed cache bid "$counter" 0

    # A call into another program, traced by the tool's own script and by the node's tracer.
    tx=$(send "$counter" 'stepBoth(address,uint256)' "$other" 2)
    check "a step of both counters logs twice" is "$(jq -c '[.status, (.logs | length)]' <<<"$tx")" '["0x1",2]'
    hash=$(jq -r .transactionHash <<<"$tx")
    check "and moves both" is "$(view "$counter" 'number()(uint256)') $(view "$other" 'number()(uint256)')" '43 9'
    check "trace" stylus trace --tx "$hash"
    trace=$said
    check "trace: the host calls" is "$(jq -r '[.[].name] | [first, last, (index("call_contract") != null)] | join(" ")' <<<"$trace")" \
        'user_entrypoint user_returned true'
    check "trace: those of the call inside" is \
        "$(jq -r '.[] | select(.name == "call_contract") | .address + " " + ([.steps[].name] | [first, last, (index("emit_log") != null)] | join(" "))' <<<"$trace")" \
        "$other user_entrypoint user_returned true"
    check "trace: ink goes down" is "$(jq '[.[] | .startInk >= .endInk] | all' <<<"$trace")" true
    native=$(stylus trace --use-native-tracer --tx "$hash")
    check "trace: the same with the native tracer" is "$(jq -S . <<<"$native")" "$(jq -S . <<<"$trace")"
    check "simulate" says '"name":"storage_load_bytes32"' \
        stylus simulate --from "$me" --to "$counter" --data "$(cast calldata 'number()')"

    # A replay runs the program natively and fails with the first host call, argument or order that differs.
    hash=$(send "$counter" 'step(uint256)' 5 | jq -r .transactionHash)
    check "replay: a transaction" says 'call completed successfully' stylus replay --child --tx "$hash"
    hash=$(send "$counter" 'set(uint256)' 3 | jq -r .transactionHash)
    check "replay: with storage and a log" says 'call completed successfully' stylus replay --child --tx "$hash"
    tx=$(send "$counter" 'step(uint256)' "$(cast max-uint)")
    check "a step too far reverts" is "$(jq -r .status <<<"$tx")" 0x0
    check "replay: a reverted transaction" says 'call reverted' stylus replay --child --tx "$(jq -r .transactionHash <<<"$tx")"
    check "and says why" refused "$(cast sig 'TooFar(uint256,uint256)')" cast call "$counter" 'step(uint256)' "$(cast max-uint)"

    # The same program as a file: no constructor is called, and activation comes later.
    project=$work/stylus/empty
    local file=$work/stylus/counter/target/wasm32-unknown-unknown/release/deps/counter.wasm
    check "deploy: the counter as a file" says 'You must activate' signed deploy --no-verify --no-activate --wasm-file "$file"
    counter=$(after 'deployed code at address: ')
    check "cache suggest-bid: not activated" refused 'is not yet activated' stylus cache suggest-bid "$counter"
    check "cache bid: not activated" refused 'is not yet activated' signed cache bid "$counter" 0
    check "and it does not run" refused '' cast call "$counter" 'number()(uint256)'
    check "activate: an estimate" says 'activation tx gas: [0-9]+' signed activate --estimate-gas --address "$counter"
    check "activate" says 'successfully activated' signed activate --address "$counter"
    send "$counter" 'step(uint256)' 3 >/dev/null
    check "and now it runs" is "$(view "$counter" 'number()(uint256)')" 3
    check "and refuses by its own error" refused "$(cast sig 'NotOwner(address,address)')" \
        cast call --from "$me" "$counter" 'set(uint256)' 1
}
has_target() { compgen -G "$(rustc --print target-libdir --target wasm32-unknown-unknown)/libstd-*" >/dev/null; }
has_target || timeout 90 rustup target add wasm32-unknown-unknown >/dev/null 2>&1 || true
if has_target; then
    counter_as_a_project
else
    echo "skipped the counter: rustc has no standard library for wasm32-unknown-unknown, and rustup could not add it"
fi

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
