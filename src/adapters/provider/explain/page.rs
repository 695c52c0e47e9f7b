//! A page of text: headings, paragraphs, lists, and what has to stay as it is.

/// Characters of a line, at most, where a word is not longer.
const WIDTH: usize = 100;

/// A page that grows downwards.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn finished(self) -> String {
        self.0
    }

    /// A heading, with an empty line before it.
    pub(super) fn heading(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(&text.to_uppercase());
        self.0.push('\n');
    }

    /// A paragraph.
    pub(super) fn say(&mut self, text: impl AsRef<str>) {
        self.wrapped("  ", "  ", text.as_ref());
    }

    /// An item of a list, numbered from 1.
    pub(super) fn item(&mut self, number: usize, text: impl AsRef<str>) {
        self.wrapped(&format!("  {number:>3}. "), "       ", text.as_ref());
    }

    /// Lines that are not wrapped.
    pub(super) fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            self.0.push_str(format!("      {line}").trim_end());
            self.0.push('\n');
        }
    }

    fn wrapped(&mut self, first: &str, others: &str, text: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in text.split_whitespace() {
            let length = line.chars().count() + 1 + word.chars().count();
            if !empty && length > WIDTH {
                self.line(&line);
                others.clone_into(&mut line);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_and_hang_under_their_number() {
        let mut page = Page::default();
        page.heading("one");
        page.item(7, "word ".repeat(40));
        page.verbatim(&"x".repeat(120));
        page.heading("two");
        let text = page.finished();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ONE");
        assert!(lines[1].starts_with("    7. word") && lines[1].len() <= WIDTH);
        assert!(lines[2].starts_with("       word"));
        assert_eq!(lines.iter().rev().nth(2).map(|line| line.len()), Some(126));
        assert!(text.ends_with("\n\nTWO\n"));
    }
}
