//! Line numbers of many places of one text.

use super::search;

/// Counts line feeds from the place that was asked for last, forwards or back, so
/// that places which mostly ascend cost one pass over the text together.
#[derive(Debug)]
pub struct Lines<'s> {
    source: &'s [u8],
    at: usize,
    line: usize,
}

impl<'s> Lines<'s> {
    /// The lines of `source`.
    pub fn new(source: &'s [u8]) -> Self {
        Self { source, at: 0, line: 1 }
    }

    /// The one-based line of byte `offset`, which may be past the end.
    pub fn of(&mut self, offset: usize) -> usize {
        let offset = offset.min(self.source.len());
        let count = |from: usize, to: usize| search::memchr_iter(b'\n', &self.source[from..to]).count();
        if offset < self.at {
            self.line -= count(offset, self.at);
        } else {
            self.line += count(self.at, offset);
        }
        self.at = offset;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn places_in_any_order_have_the_line_that_counting_from_the_start_gives() {
        let source = b"a\n\nbc\r\n\rd\n\n";
        let counted = |offset: usize| 1 + source[..offset].iter().filter(|byte| **byte == b'\n').count();
        let mut lines = Lines::new(source);
        for first in 0..=source.len() {
            for second in 0..=source.len() {
                assert_eq!(lines.of(first), counted(first));
                assert_eq!(lines.of(second), counted(second));
            }
        }
        assert_eq!(lines.of(100), counted(source.len()));
    }
}
