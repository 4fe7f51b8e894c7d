//! The text of a table as SQLite keeps it (`CREATE TABLE …`), taken apart so far that one column or one foreign key can
//! be changed and everything else (checks, collations, comments, options of other programs) stays as it was written.

use std::fmt;

/// A table's text.
#[derive(Debug)]
pub(super) struct TableText {
    /// Up to and with the opening bracket, without the name.
    columns: Vec<ColumnText>,
    /// What follows the columns inside the brackets, each as written.
    constraints: Vec<String>,
    name: String,
    /// What follows the closing bracket: `WITHOUT ROWID`, `STRICT`.
    options: String,
}

/// The definition of a column.
#[derive(Debug)]
pub(super) struct ColumnText {
    /// As written, quotes included.
    name: String,
    /// As written; empty: none declared.
    declared: String,
    /// Each as written: `NOT NULL`, `DEFAULT 5`, `REFERENCES …`.
    clauses: Vec<String>,
}

/// A piece of text that means something: a word, a quoted name, a bracket, …; white space and comments are none.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Token<'t> {
    text: &'t str,
    start: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

/// Words that begin a clause of a column.
const CLAUSES: &[&str] = &[
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "GENERATED",
    "AS",
];
/// Words that begin a constraint of the table.
const CONSTRAINTS: &[&str] = &["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

impl TableText {
    /// Takes a text apart; `None` for one that is not understood.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let tokens = tokens(text);
        let open = tokens.iter().position(|token| token.text == "(")?;
        let close = closing(&tokens, open)?;
        let name = tokens.get(open.checked_sub(1)?)?.text.to_owned();
        let mut table = Self {
            columns: Vec::new(),
            constraints: Vec::new(),
            name,
            options: text[tokens[close].end()..].trim().to_owned(),
        };
        for item in split(&tokens[open + 1..close]) {
            let first = item.first()?;
            if first.is_one_of(CONSTRAINTS) {
                table.constraints.push(written(text, item));
            } else {
                table.columns.push(ColumnText::parse(text, item)?);
            }
        }
        Some(table)
    }

    /// The same table under another name (quoted already).
    pub(super) fn named(&self, name: &str) -> String {
        let columns = self.columns.iter().map(ToString::to_string);
        let items: Vec<String> = columns.chain(self.constraints.iter().cloned()).collect();
        let mut text = format!("CREATE TABLE {name} (\n  {}\n)", items.join(",\n  "));
        if !self.options.is_empty() {
            text.push(' ');
            text.push_str(&self.options);
        }
        text
    }

    /// The definition of a column.
    pub(super) fn column(&mut self, name: &str) -> Option<&mut ColumnText> {
        self.columns
            .iter_mut()
            .find(|column| unquoted(&column.name).eq_ignore_ascii_case(name))
    }

    /// The values that checks list (`CHECK (size IN ('small', 'large'))`), each with the column that they are for; of
    /// checks that say nothing else.
    pub(super) fn listed(&self) -> Vec<(String, Vec<String>)> {
        let of_columns = self.columns.iter().flat_map(|column| &column.clauses);
        let all = of_columns.chain(&self.constraints);
        all.filter_map(|clause| listed(clause)).collect()
    }

    /// Adds a constraint of the table.
    pub(super) fn add_constraint(&mut self, constraint: String) {
        self.constraints.push(constraint);
    }

    /// Takes away the foreign keys of one column, however they were written.
    pub(super) fn drop_foreign_key(&mut self, column: &str) {
        if let Some(column) = self.column(column) {
            column.set("REFERENCES", None);
        }
        self.constraints.retain(|constraint| {
            let tokens = tokens(constraint);
            let of_column = tokens
                .iter()
                .position(|token| token.is("FOREIGN"))
                .and_then(|at| tokens.get(at + 2..at + 5))
                .is_some_and(|inside| {
                    inside[0].text == "("
                        && unquoted(inside[1].text).eq_ignore_ascii_case(column)
                        && inside[2].text == ")"
                });
            !of_column
        });
    }
}

impl fmt::Display for TableText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named(&self.name))
    }
}

impl ColumnText {
    fn parse(text: &str, item: &[Token<'_>]) -> Option<Self> {
        let (name, rest) = item.split_first()?;
        let starts = clause_starts(rest);
        let end_of_type = starts.first().copied().unwrap_or(rest.len());
        let ends = starts.iter().copied().skip(1).chain([rest.len()]);
        Some(Self {
            name: name.text.to_owned(),
            declared: written(text, &rest[..end_of_type]),
            clauses: starts
                .iter()
                .zip(ends)
                .map(|(start, end)| written(text, &rest[*start..end]))
                .collect(),
        })
    }

    /// Declares another type.
    pub(super) fn declare(&mut self, declared: &str) {
        declared.clone_into(&mut self.declared);
    }

    /// Replaces the clause that begins with `word` (after its name, if it has one); `None` takes it away.
    pub(super) fn set(&mut self, word: &str, clause: Option<String>) {
        self.clauses.retain(|clause| !begins_with(clause, word));
        self.clauses.extend(clause);
    }
}

impl fmt::Display for ColumnText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for part in std::iter::once(&self.declared).chain(&self.clauses) {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        Ok(())
    }
}

fn begins_with(clause: &str, word: &str) -> bool {
    let tokens = tokens(clause);
    match tokens.as_slice() {
        [constraint, _, first, ..] if constraint.is("CONSTRAINT") => first.is(word),
        [first, ..] => first.is(word),
        [] => false,
    }
}

/// Where the clauses of a column begin. Words inside a clause (`SET NULL`, `NOT DEFERRABLE`, `DEFAULT NULL`) begin none.
fn clause_starts(tokens: &[Token<'_>]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let before = |back: usize| i.checked_sub(back).and_then(|at| tokens.get(at));
        let inside = before(1).is_some_and(|before| {
            before.is_one_of(&["SET", "DEFAULT", "ALWAYS", "CONSTRAINT", "COLLATE"])
                || (token.is("NULL") && before.is("NOT"))
        }) || before(2).is_some_and(|before| before.is("CONSTRAINT"))
            || (token.is("NOT") && tokens.get(i + 1).is_some_and(|next| next.is("DEFERRABLE")));
        if depth == 0 && !inside && token.is_one_of(CLAUSES) {
            starts.push(i);
        }
    }
    starts
}

/// Splits at the commas that are in no brackets.
fn split<'s, 't>(tokens: &'s [Token<'t>]) -> Vec<&'s [Token<'t>]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.text == ","
        })
        .collect()
}

fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" => depth += 1,
            ")" => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text from the first to the last of some tokens. A line comment inside stays, on a line of its own.
fn written(text: &str, tokens: &[Token<'_>]) -> String {
    match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => text[first.start..last.end()].to_owned(),
        _ => String::new(),
    }
}

/// A check that lists the values of a column, and says nothing else.
fn listed(clause: &str) -> Option<(String, Vec<String>)> {
    let tokens = tokens(clause);
    let check = tokens.iter().position(|token| token.is("CHECK"))?;
    let [open, column, word, inner, values @ .., inner_end, end] = tokens.get(check + 1..)? else {
        return None;
    };
    let brackets = open.text == "(" && inner.text == "(" && inner_end.text == ")" && end.text == ")";
    if !brackets || !word.is("IN") {
        return None;
    }
    let texts = split(values).into_iter().map(|value| match value {
        [text] if text.text.starts_with('\'') => Some(unquoted(text.text)),
        _ => None,
    });
    Some((unquoted(column.text), texts.collect::<Option<_>>()?))
}

fn unquoted(name: &str) -> String {
    let inside = |open: char, close: char| name.strip_prefix(open)?.strip_suffix(close);
    for quote in ['"', '`', '\''] {
        if let Some(inside) = inside(quote, quote) {
            return inside.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    inside('[', ']').unwrap_or(name).to_owned()
}

/// SQLite's tokens, as far as brackets, commas and words need them.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let (length, counts) = match first {
            '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (rest[2..].find("*/").map_or(rest.len(), |end| end + 4), false),
            '\'' | '"' | '`' => (quoted_length(rest, first), true),
            '[' => (rest.find(']').map_or(rest.len(), |end| end + 1), true),
            _ if first.is_whitespace() => (first.len_utf8(), false),
            _ if is_word(first) => (rest.find(|c| !is_word(c)).unwrap_or(rest.len()), true),
            _ => (first.len_utf8(), true),
        };
        if counts {
            tokens.push(Token {
                text: &rest[..length],
                start,
            });
        }
        start += length;
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '$' || !character.is_ascii()
}

/// The length of what stands in quotes; a doubled quote does not end it.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            match characters.peek() {
                Some((_, next)) if *next == quote => {
                    characters.next();
                }
                _ => return at + 1,
            }
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREIGN: &str = "CREATE TABLE \"a,b\" (id INTEGER PRIMARY KEY, -- the key, of course\n \
        [first name] VARCHAR(20) NOT NULL DEFAULT 'it''s, (ok)' COLLATE NOCASE, \
        kind TEXT CONSTRAINT one CHECK (kind IN ('a', 'b')) DEFAULT NULL, \
        parent INT REFERENCES other(id) ON DELETE SET NULL NOT DEFERRABLE, /* , */ \
        full TEXT GENERATED ALWAYS AS (kind || ',' || parent) VIRTUAL, \
        bare, \
        CHECK (kind <> ','), FOREIGN KEY ([bare]) REFERENCES x (y) ON UPDATE CASCADE) STRICT, WITHOUT ROWID";

    #[test]
    fn checks_that_list_values_are_understood_and_others_are_not() {
        let listed = |text: &str| TableText::parse(text).unwrap().listed();
        assert_eq!(
            listed(FOREIGN),
            [("kind".to_owned(), vec!["a".to_owned(), "b".to_owned()])]
        );
        let text = "CREATE TABLE t (a TEXT, [b c] TEXT, CONSTRAINT x CHECK([b c] in ('it''s')))";
        assert_eq!(listed(text), [("b c".to_owned(), vec!["it's".to_owned()])]);
        for rule in [
            "a IN ('x') OR b = 1",
            "a NOT IN ('x')",
            "a IN (1, 2)",
            "a IN (SELECT 'x')",
            "lower(a) IN ('x')",
            "a IN ('x', b)",
            "a IN ('x') AND b IN ('y')",
        ] {
            assert_eq!(
                listed(&format!("CREATE TABLE t (a TEXT, b TEXT, CHECK ({rule}))")),
                [],
                "{rule}"
            );
        }
    }

    #[test]
    fn a_text_is_taken_apart() {
        let mut table = TableText::parse(FOREIGN).unwrap();
        let names: Vec<_> = table
            .columns
            .iter()
            .map(|column| unquoted(&column.name))
            .collect();
        assert_eq!(names, ["id", "first name", "kind", "parent", "full", "bare"]);
        let mut check = |name: &str, declared: &str, clauses: &[&str]| {
            let column = table.column(name).unwrap();
            assert_eq!(
                (column.declared.as_str(), &column.clauses[..]),
                (
                    declared,
                    &clauses.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
                )
            );
        };
        check("ID", "INTEGER", &["PRIMARY KEY"]);
        check(
            "first name",
            "VARCHAR(20)",
            &["NOT NULL", "DEFAULT 'it''s, (ok)'", "COLLATE NOCASE"],
        );
        check(
            "kind",
            "TEXT",
            &["CONSTRAINT one CHECK (kind IN ('a', 'b'))", "DEFAULT NULL"],
        );
        check(
            "parent",
            "INT",
            &["REFERENCES other(id) ON DELETE SET NULL NOT DEFERRABLE"],
        );
        check(
            "full",
            "TEXT",
            &["GENERATED ALWAYS AS (kind || ',' || parent) VIRTUAL"],
        );
        check("bare", "", &[]);
        assert_eq!(table.constraints.len(), 2);
        assert_eq!(table.options, "STRICT, WITHOUT ROWID");
    }

    #[test]
    fn one_thing_changes_and_the_rest_stays() {
        let mut table = TableText::parse(FOREIGN).unwrap();
        let kind = table.column("kind").unwrap();
        kind.declare("VARCHAR(9)");
        kind.set("DEFAULT", Some("DEFAULT 'a'".to_owned()));
        kind.set("NOT", Some("NOT NULL".to_owned()));
        table.drop_foreign_key("parent");
        table.drop_foreign_key("bare");
        let text = table.to_string();
        assert!(
            text.contains("kind VARCHAR(9) CONSTRAINT one CHECK (kind IN ('a', 'b')) DEFAULT 'a' NOT NULL,"),
            "{text}"
        );
        assert!(
            text.contains("parent INT,") && !text.contains("REFERENCES"),
            "{text}"
        );
        assert!(
            text.contains("CHECK (kind <> ',')\n) STRICT, WITHOUT ROWID"),
            "{text}"
        );
        let again = TableText::parse(&text).unwrap();
        assert_eq!(again.to_string(), text);
    }
}
