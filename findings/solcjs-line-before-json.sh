#!/usr/bin/env bash
# solcjs writes a line before its JSON.
#
# Software: solc 0.8.37 (solcjs), from npm.
# Steps:    `solcjs --standard-json`, of a contract that is valid.
# Expected: one JSON document. `solcjs --help`: "--standard-json: Turn on Standard JSON Input / Output mode"; the compiler's
#           documentation: "generates JSON output on standard output".
# Seen:     standard output begins with ">>> Cannot retry compilation with SMT because there are no SMT solvers available."; forge,
#           given it as its compiler, says "expected value at line 1 column 1".
# Here:     tests/interop/forge/solc takes the line away.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --prefix "$work" --silent --no-audit --no-fund solc@0.8.37
echo "solcjs $(node node_modules/solc/solc.js --version)"
input='{"language":"Solidity","sources":{"a.sol":{"content":"// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0; contract A {}"}},"settings":{"outputSelection":{"*":{"*":["abi"]}}}}'
node node_modules/solc/solc.js --standard-json <<<"$input" >output 2>/dev/null
echo "wanted: standard output is one JSON document"
echo "found:  $(head -n 1 output | cut -c1-100)"
if node -e 'JSON.parse(require("fs").readFileSync("output"))' 2>/dev/null; then
    echo "it is one: the finding is gone"
    exit 1
fi
# Without that line it is.
tail -n +2 output | node -e 'JSON.parse(require("fs").readFileSync(0))'
