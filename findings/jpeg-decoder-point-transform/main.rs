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
