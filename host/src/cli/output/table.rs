//! Aligned columns. Where the terminal is too narrow, the least important columns are left out first.

use super::text::Line;

/// A column.
pub(in crate::cli) struct Column {
    title: &'static str,
    right: bool,
    /// The highest is left out first where room is short; 0 always stays.
    spare: u8,
}

/// A column of words.
pub(in crate::cli) const fn words(title: &'static str) -> Column {
    Column { title, right: false, spare: 0 }
}

/// A column of numbers, aligned at their ends.
pub(in crate::cli) const fn numbers(title: &'static str) -> Column {
    Column { title, right: true, spare: 0 }
}

impl Column {
    /// The same, to be left out where room is short; those with the highest number first.
    pub(in crate::cli) const fn spare(mut self, order: u8) -> Self {
        self.spare = order;
        self
    }
}

/// A table: a header and rows, two spaces before each line and between columns.
pub(in crate::cli) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Line>>,
}

impl Table {
    /// An empty table.
    pub(in crate::cli) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// Adds a row; a cell for each column.
    pub(in crate::cli) fn row(&mut self, cells: impl Into<Vec<Line>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// The lines of the table, within `width` columns of a terminal where it has one.
    pub(in crate::cli) fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width_of(at)).collect();
        let shown = self.shown(&widths, width.unwrap_or(usize::MAX));
        let header: Vec<Line> = self.columns.iter().map(|column| Line::looking(super::Look::Faint, column.title)).collect();
        std::iter::once(&header).chain(&self.rows).map(|row| self.line(row, &shown, &widths)).collect()
    }

    fn width_of(&self, column: usize) -> usize {
        let title = self.columns[column].title.chars().count();
        self.rows.iter().map(|row| row[column].width()).max().unwrap_or_default().max(title)
    }

    /// The columns that fit.
    fn shown(&self, widths: &[usize], width: usize) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        while shown.iter().map(|at| widths[*at] + 2).sum::<usize>() > width {
            let Some(worst) = shown.iter().copied().max_by_key(|at| self.columns[*at].spare).filter(|at| self.columns[*at].spare > 0)
            else {
                break;
            };
            shown.retain(|at| *at != worst);
        }
        shown
    }

    fn line(&self, row: &[Line], shown: &[usize], widths: &[usize]) -> Line {
        shown.iter().fold(Line::new(), |line, at| {
            let cell = row[*at].clone();
            let fill = " ".repeat(widths[*at] - cell.width());
            let line = line.then("  ");
            if self.columns[*at].right { line.then(fill).join(cell) } else { line.join(cell).then(fill) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &Table, width: Option<usize>) -> String {
        table.lines(width).iter().map(|line| line.render(false, &str::to_owned) + "\n").collect()
    }

    fn table() -> Table {
        let mut table = Table::new([words("set"), words("driver").spare(2), numbers("entries"), numbers("time").spare(1)]);
        table.row(["database", "sqlite", "1", "0.8 s"].map(Line::plain));
        table.row(["写真", "media", "12,031", "10.2 s"].map(Line::plain));
        table
    }

    #[test]
    fn columns_are_aligned_also_for_wide_characters() {
        let expected = "  set       driver  entries    time\n  database  sqlite        1   0.8 s\n  写真      media    12,031  10.2 s\n";
        assert_eq!(shown(&table(), None), expected);
    }

    #[test]
    fn a_narrow_terminal_loses_the_least_important_column_first() {
        assert_eq!(shown(&table(), Some(30)).lines().next(), Some("  set       entries    time"));
        assert_eq!(shown(&table(), Some(5)).lines().next(), Some("  set       entries"));
    }
}
