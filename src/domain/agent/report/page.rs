//! A page in the making. What stands in our source may be markup; everything else is
//! text, and is escaped: the types leave no third way.

use std::fmt::Write as _;

use super::event::{seconds_of, shown_time};

/// So many characters of a name stay together at most.
const LONGEST: usize = 24;

/// The text of an HTML page.
#[derive(Debug, Default)]
pub(super) struct Page {
    html: String,
}

impl Page {
    /// The page.
    pub(super) fn finish(self) -> String {
        self.html
    }

    /// True as long as nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        self.html.is_empty()
    }

    /// A part that was made apart.
    pub(super) fn append(&mut self, part: Self) -> &mut Self {
        self.html.push_str(&part.html);
        self
    }

    /// Markup, which only our source can hold.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.html.push_str(markup);
        self
    }

    /// Any text, as text of an element or in a quoted attribute. Characters that are
    /// invisible or that reorder a line are written as `\u{…}`.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        text.chars().for_each(|c| self.character(c));
        self
    }

    fn character(&mut self, c: char) {
        match c {
            '&' => self.html.push_str("&amp;"),
            '<' => self.html.push_str("&lt;"),
            '>' => self.html.push_str("&gt;"),
            '"' => self.html.push_str("&quot;"),
            '\'' => self.html.push_str("&#39;"),
            c if deceives(c) => self.html.extend(c.escape_unicode()),
            c => self.html.push(c),
        }
    }

    /// A number.
    pub(super) fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        let _ = write!(self.html, "{}", number.into());
        self
    }

    /// A count.
    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        let _ = write!(self.html, "{count}");
        self
    }

    /// `1 secret`, `2 secrets`.
    pub(super) fn counted(&mut self, count: usize, one: &'static str, many: &'static str) -> &mut Self {
        self.count(count).markup(" ").markup(if count == 1 { one } else { many })
    }

    /// A name from the repository. Lines may break behind what separates its parts.
    pub(super) fn code(&mut self, text: &str) -> &mut Self {
        self.markup("<code>");
        let mut unbroken = 0;
        for c in text.chars() {
            if unbroken == LONGEST {
                self.markup("<wbr>");
                unbroken = 0;
            }
            self.character(c);
            unbroken += 1;
            if matches!(c, '.' | '/' | '_' | '-' | ']' | ':') {
                self.markup("<wbr>");
                unbroken = 0;
            }
        }
        self.markup("</code>")
    }

    /// An RFC 3339 time, in UTC: `2026-11-22 01:02:03`.
    pub(super) fn time(&mut self, time: &str) -> &mut Self {
        self.markup("<time datetime=\"").text(time).markup("\">");
        match (time.get(..10), time.get(11..19), seconds_of(time)) {
            (_, _, Some(seconds)) if !time.ends_with('Z') => self.text(&shown_time(seconds)),
            (Some(day), Some(clock), _) => self.text(day).markup(" ").text(clock),
            _ => self.text(time),
        };
        self.markup("</time>")
    }
}

/// True for characters that do something to a line instead of standing in it, and for
/// those that nobody sees.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn text_is_never_markup() {
        let mut page = Page::default();
        page.markup("<p title=\"")
            .text("\"' onload=x")
            .markup("\">")
            .text("</p><script>&amp;\u{202e}\n\u{0}");
        assert_eq!(
            page.finish(),
            "<p title=\"&quot;&#39; onload=x\">&lt;/p&gt;&lt;script&gt;&amp;amp;\\u{202e}\\u{a}\\u{0}"
        );
    }
}
