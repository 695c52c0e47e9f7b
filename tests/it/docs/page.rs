//! A page of the documentation as its tables: what a test can compare.

use std::collections::{BTreeMap, BTreeSet};

/// A set of names.
pub(super) type Names = BTreeSet<String>;

/// A row by its columns.
pub(super) type Row = BTreeMap<String, String>;

/// One table, and the heading that it stands under.
pub(super) struct Table {
    heading: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The tables of a page.
pub(super) struct Page(Vec<Table>);

impl Page {
    /// Reads the page, a file of the project, or the part of it from the heading `from` on to `to`.
    pub(super) fn read(path: &str, from: Option<&str>, to: Option<&str>) -> Self {
        let whole = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let text = std::fs::read_to_string(whole).expect("the page is there");
        let text = from.map_or(text.as_str(), |from| {
            text.split_once(from).expect("the heading").1
        });
        let text = to.map_or(text, |to| text.split_once(to).expect("the heading").0);
        Self::parse(text)
    }

    fn parse(text: &str) -> Self {
        let mut tables: Vec<Table> = Vec::new();
        let mut heading = String::new();
        let mut inside = false;
        let mut fenced = false;
        for line in text.lines() {
            fenced ^= line.starts_with("```");
            if fenced || !line.starts_with('|') {
                inside = false;
            }
            if !fenced && line.starts_with('#') {
                heading = line.trim_start_matches('#').trim().to_owned();
            }
            if fenced || !line.starts_with('|') {
                continue;
            }
            let cells = cells(line);
            match tables.last_mut().filter(|_| inside) {
                None => tables.push(Table {
                    heading: heading.clone(),
                    columns: cells,
                    rows: Vec::new(),
                }),
                Some(_)
                    if cells.iter().all(|cell| cell.trim_matches('-').is_empty())
                        && line.contains('-') => {}
                Some(table) => table.rows.push(cells),
            }
            inside = true;
        }
        Self(tables)
    }

    /// The tables whose first column is called so.
    pub(super) fn tables(&self, first: &str) -> Vec<&Table> {
        let all = self.0.iter();
        all.filter(|table| table.columns[0] == first).collect()
    }

    /// The one of them under this heading.
    pub(super) fn table(&self, first: &str, heading: &str) -> &Table {
        let mut found = self.tables(first).into_iter();
        let table = found.find(|table| table.heading == heading);
        table.unwrap_or_else(|| panic!("no table of {first} under {heading:?}"))
    }

    /// The rows of every table of keys, under each table of the language that its heading names.
    pub(super) fn keys(&self) -> BTreeMap<String, BTreeMap<String, Row>> {
        let mut keys: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for table in self.tables("key") {
            let named = quoted(&table.heading);
            assert!(!named.is_empty(), "{:?} names no table", table.heading);
            for name in named {
                let rows = keys.entry(name).or_default();
                for row in table.rows() {
                    let key = only(&row["key"]);
                    assert!(rows.insert(key.clone(), row).is_none(), "two rows of {key}");
                }
            }
        }
        keys
    }
}

impl Table {
    /// Its columns after the first, as they are written.
    pub(super) fn columns(&self) -> &[String] {
        &self.columns[1..]
    }

    /// Each row by its columns.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().map(|row| {
            assert_eq!(row.len(), self.columns.len(), "{}: {row:?}", self.heading);
            self.columns
                .iter()
                .cloned()
                .zip(row.iter().cloned())
                .collect()
        })
    }

    /// What stands in the first column, without its quotes.
    pub(super) fn names(&self) -> Names {
        self.rows.iter().map(|row| only(&row[0])).collect()
    }

    /// The names of the first column that have something in this one.
    pub(super) fn marked(&self, column: &str, mark: impl Fn(&str) -> bool) -> Names {
        let marked = |row: &Row| mark(&row[column]);
        let rows = self.rows().filter(marked);
        rows.map(|row| only(&row[&self.columns[0]])).collect()
    }
}

/// The cells of a row; `\|` is no border.
fn cells(line: &str) -> Vec<String> {
    const BORDER: &str = "\u{0}";
    let inner = line.trim().trim_start_matches('|').replace(r"\|", BORDER);
    let inner = inner.strip_suffix('|').unwrap_or(&inner);
    let cells = inner.split('|');
    cells.map(|cell| cell.trim().replace(BORDER, "|")).collect()
}

/// Everything that stands in backticks.
pub(super) fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The one thing that stands in backticks.
pub(super) fn only(text: &str) -> String {
    let [one] = quoted(text)
        .try_into()
        .unwrap_or_else(|_| panic!("one word in backticks: {text}"));
    one
}
