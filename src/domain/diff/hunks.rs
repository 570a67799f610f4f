//! The lines that two texts do not share, in hunks, as `diff -u` and git print them.
//! No byte of the texts is copied.

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};

/// A line of a unified diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'t> {
    /// `@@ -1,2 +1,3 @@`
    Hunk(String),
    /// A line of both texts, with its end.
    Context(&'t [u8]),
    /// A line of the old text.
    Removed(&'t [u8]),
    /// A line of the new text.
    Added(&'t [u8]),
}

/// The hunks of two texts, with `context` lines around every change; empty for equal
/// ones.
pub fn unified<'t>(old: &'t [u8], new: &'t [u8], context: usize) -> Vec<Line<'t>> {
    if old == new {
        return Vec::new();
    }
    let (old, new) = (lines(old), lines(new));
    let operations = capture_diff_slices(Algorithm::Myers, &old, &new);
    let mut out = Vec::new();
    for hunk in group_diff_ops(operations, context) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let before = range(first.old_range().start, last.old_range().end);
        let after = range(first.new_range().start, last.new_range().end);
        out.push(Line::Hunk(format!("@@ -{before} +{after} @@")));
        for operation in hunk {
            if let DiffOp::Equal { old_index, len, .. } = operation {
                out.extend(old[old_index..old_index + len].iter().map(|line| Line::Context(line)));
            } else {
                out.extend(old[operation.old_range()].iter().map(|line| Line::Removed(line)));
                out.extend(new[operation.new_range()].iter().map(|line| Line::Added(line)));
            }
        }
    }
    out
}

/// Lines with their ends.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// `START,COUNT` as git writes it: the count of a single line is left out, and no
/// lines stand behind the line before them.
fn range(start: usize, end: usize) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, unified};

    fn text(old: &str, new: &str, context: usize) -> String {
        let show = |(mark, line): (char, &[u8])| format!("{mark}{}", String::from_utf8_lossy(line));
        unified(old.as_bytes(), new.as_bytes(), context)
            .into_iter()
            .map(|line| match line {
                Line::Hunk(head) => format!("{head}\n"),
                Line::Context(line) => show((' ', line)),
                Line::Removed(line) => show(('-', line)),
                Line::Added(line) => show(('+', line)),
            })
            .collect()
    }

    #[test]
    fn hunks_are_those_of_git() {
        assert_eq!(text("a\nb\n", "a\nb\n", 3), "");
        assert_eq!(text("", "a\n", 3), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(text("a\nb", "", 3), "@@ -1,2 +0,0 @@\n-a\n-b");
        assert_eq!(text("a\nb\nc\nd\n", "a\nb\nx\nd\n", 1), "@@ -2,3 +2,3 @@\n b\n-c\n+x\n d\n");
        assert_eq!(text("a\nb\nc\n", "a\nc\n", 0), "@@ -2 +1,0 @@\n-b\n");
        let long: String = (0..20).map(|it| format!("{it}\n")).collect();
        let changed = long.replace("3\n", "three\n");
        assert_eq!(text(&long, &changed, 0).matches("@@ -").count(), 2);
    }
}
