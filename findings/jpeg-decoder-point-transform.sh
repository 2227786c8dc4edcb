#!/usr/bin/env bash
# jpeg-decoder does not undo the point transform of lossless JPEG.
#
# Software: jpeg-decoder 0.3.2, from crates.io.
# Steps:    two lossless JPEG streams of the same sixteen samples, all of them multiples of 4, are decoded; the second is coded
#           with the point transform Pt = 2.
# Expected: the samples, twice. The point transform divides by 2^Pt before coding, and its inverse, a shift to the left by Pt,
#           ends decoding (ITU-T T.81, A.4 and H.1.2.1). dcmtk's dcmdjpeg does so.
# Seen:     the second decodes, without an error, to other samples: 0, 8, 40, 168, 32 and so on.
# Here:     client/dicom/src/codec/jpeg/lossless.rs is a decoder of our own.
#
# Exits 0 while the behaviour is there, and 1 when it is gone. Wants cargo and python3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/Cargo.toml" <<'EOF'
[package]
name = "point-transform"
version = "0.0.0"
edition = "2021"

[[bin]]
name = "point-transform"
path = "main.rs"

[dependencies]
jpeg-decoder = { version = "=0.3.2", default-features = false }
EOF
cat >"$work/main.rs" <<'EOF'
//! Decodes a lossless JPEG from the standard input and prints its samples.

use std::io::{stdin, Read};

fn main() {
    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes).expect("the standard input");
    match jpeg_decoder::Decoder::new(bytes.as_slice()).decode() {
        Ok(samples) => println!("{samples:?}"),
        Err(error) => println!("refused: {error}"),
    }
}
EOF
# Sixteen samples of 8 bits: 0, 8, 16 … 120; predictor 1. The second stream has them divided by 4: Pt is 2.
table=ffd8ffc400240000000000110000000000000000000000000102030405060708090a0b0c0d0e0f10ffc3000b080004000401011100
plain=${table}ffda000801010001000043f92090483404824120d012090483404824123fffd9
shifted=${table}ffda000801010001000233e2850a240a1428902850a240a142bfffd9
decode() { python3 -c "import sys; sys.stdout.buffer.write(bytes.fromhex('$1'))" | cargo run --quiet --manifest-path "$work/Cargo.toml"; }
wanted='[0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120]'
first=$(decode "$plain")
second=$(decode "$shifted")
echo "Pt = 0: $first"
echo "Pt = 2: $second"
[ "$first" = "$wanted" ] || { echo "the stream without a point transform is read otherwise"; exit 1; }
[ "$second" != "$wanted" ] || { echo "the point transform is undone: the finding is gone"; exit 1; }
