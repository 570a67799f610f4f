//! Makes a failing document small: drops runs of lines, then of bytes in long
//! lines, for as long as it fails in the same way.

use super::generate::Document;

/// The smallest document found that still `fails`, within `tries` attempts.
pub(crate) fn shrink(document: &Document, tries: usize, fails: impl Fn(&Document) -> bool) -> Document {
    let mut best = document.clone();
    let mut left = tries;
    loop {
        let before = best.bytes.len();
        drop_runs(&mut best, &mut left, &fails);
        if best.bytes.len() == before || left == 0 {
            return best;
        }
    }
}

fn drop_runs(best: &mut Document, left: &mut usize, fails: &impl Fn(&Document) -> bool) {
    let mut run = pieces(&best.bytes).len().div_ceil(2);
    while run > 0 {
        let mut at = 0;
        while at < pieces(&best.bytes).len() {
            if *left == 0 {
                return;
            }
            *left -= 1;
            let lines = pieces(&best.bytes);
            let kept: Vec<u8> = lines
                .iter()
                .enumerate()
                .filter(|(index, _)| *index < at || *index >= at + run)
                .flat_map(|(_, line)| line.iter().copied())
                .collect();
            let smaller = Document { bytes: kept, ..best.clone() };
            if fails(&smaller) {
                *best = smaller;
            } else {
                at += run;
            }
        }
        run /= 2;
    }
}

/// Lines with their ends.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').collect()
}
