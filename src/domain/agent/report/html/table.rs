//! Tables that become lists of cards on narrow screens. Their roles are written out,
//! because browsers drop them from what is not laid out as a table.

use super::super::page::Page;

/// A table in the making.
pub(super) struct Table<'p> {
    page: &'p mut Page,
    columns: &'static [&'static str],
    at: usize,
}

impl<'p> Table<'p> {
    /// Begins a table of that id, with its caption and the names of its columns. The
    /// first cell of a row is its heading.
    pub(super) fn open(
        page: &'p mut Page,
        id: &'static str,
        class: &'static str,
        caption: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        page.markup("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"c-").markup(id);
        page.markup("\">\n<table role=\"table\" id=\"").markup(id).markup("\" class=\"stack ").markup(class);
        page.markup("\"><caption id=\"c-").markup(id).markup("\">").markup(caption);
        Self::head(page, columns)
    }

    /// The same for one of several, told apart by its number.
    pub(super) fn nth(
        page: &'p mut Page,
        (id, number): (&'static str, usize),
        caption: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        page.markup("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"c-")
            .markup(id)
            .count(number);
        page.markup("\">\n<table role=\"table\" class=\"stack\"><caption id=\"c-").markup(id).count(number);
        page.markup("\">").markup(caption);
        Self::head(page, columns)
    }

    fn head(page: &'p mut Page, columns: &'static [&'static str]) -> Self {
        page.markup("</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">");
        for column in columns {
            page.markup("<th scope=\"col\" role=\"columnheader\">").markup(column).markup("</th>");
        }
        page.markup("</tr></thead>\n");
        Self { page, columns, at: 0 }
    }

    /// Begins a part of the table, with a heading of its own.
    pub(super) fn group(&mut self, heading: impl FnOnce(&mut Page)) -> &mut Self {
        let span = self.columns.len();
        self.page.markup("<tbody role=\"rowgroup\"><tr class=\"group\" role=\"row\"><th role=\"rowheader\" scope=\"rowgroup\" colspan=\"");
        self.page.count(span).markup("\">");
        heading(self.page);
        self.page.markup("</th></tr>\n");
        self
    }

    /// Begins the only part of the table.
    pub(super) fn body(&mut self) -> &mut Self {
        self.page.markup("<tbody role=\"rowgroup\">");
        self
    }

    /// Ends a part.
    pub(super) fn end_group(&mut self) {
        self.page.markup("</tbody>\n");
    }

    /// Begins a row. `end` is what the filter looks at.
    pub(super) fn row(&mut self, end: &'static str) -> &mut Self {
        self.at = 0;
        self.page.markup("<tr role=\"row\" data-end=\"").markup(end).markup("\">");
        self
    }

    /// The heading of a row.
    pub(super) fn heading(&mut self, content: impl FnOnce(&mut Page)) -> &mut Self {
        self.page.markup("<th scope=\"row\" role=\"rowheader\">");
        content(self.page);
        self.page.markup("</th>");
        self.at += 1;
        self
    }

    /// The next cell.
    pub(super) fn cell(&mut self, class: &'static str, content: impl FnOnce(&mut Page)) -> &mut Self {
        let label = self.columns.get(self.at).copied().unwrap_or_default();
        self.page
            .markup("<td role=\"cell\" class=\"")
            .markup(class)
            .markup("\" data-label=\"")
            .markup(label)
            .markup("\">");
        content(self.page);
        self.page.markup("</td>");
        self.at += 1;
        self
    }

    /// Ends a row.
    pub(super) fn end_row(&mut self) {
        self.page.markup("</tr>\n");
    }

    /// Ends the table.
    pub(super) fn close(self) {
        self.page.markup("</table>\n</div>\n");
    }
}
