//! A good artefact, changed as the fuzzer's input says: it gets past the first check more often than noise.

/// Most edits of one artefact.
const MOST: usize = 16;

/// Changes an artefact: each four bytes are an edit, by its kind, its place (little-endian) and its value.
pub fn edited(good: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = good.to_vec();
    for edit in edits.chunks_exact(4).take(MOST) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]])) % (out.len() + 1);
        let end = (at + usize::from(edit[3])).min(out.len());
        match edit[0] % 6 {
            0 if at < out.len() => out[at] = edit[3],
            1 if at < out.len() => out[at] ^= 1 << (edit[3] % 8),
            2 => out.insert(at, edit[3]),
            3 => drop(out.drain(at..end)),
            4 => {
                let part = out[at..end].to_vec();
                out.splice(at..at, part);
            }
            _ => out.truncate(out.len() - usize::from(edit[3]).min(out.len())),
        }
    }
    out
}
