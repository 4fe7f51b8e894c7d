//! A table as the server describes it (`SHOW CREATE TABLE`): each column, key and constraint in a line of its own, as it
//! can be said again to have it back.

/// The description of a table.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// Names, each with what stands behind it.
    pub(super) columns: Vec<(String, String)>,
    /// Names of indexes, each with its whole line. The primary key is not among them.
    pub(super) indexes: Vec<(String, String)>,
    /// Names of foreign keys and rules, each with its whole line.
    pub(super) constraints: Vec<(String, String)>,
}

impl Described {
    pub(super) fn read(text: &str) -> Self {
        let mut described = Self::default();
        for line in text.lines().skip(1) {
            let line = line.trim_start();
            let line = line.strip_suffix(',').unwrap_or(line);
            if line.starts_with('`') {
                if let Some((name, definition)) = named(line) {
                    described.columns.push((name, definition.to_owned()));
                }
                continue;
            }
            let Some((word, rest)) = line.split_once('`') else {
                continue;
            };
            let named = named(&line[line.len() - rest.len() - 1..]);
            let Some((name, _)) = named else { continue };
            match word {
                "CONSTRAINT " => described.constraints.push((name, line.to_owned())),
                word if word.ends_with("KEY ") && !word.starts_with("PRIMARY") => {
                    described.indexes.push((name, line.to_owned()));
                }
                _ => {}
            }
        }
        described
    }

    /// What stands behind the name of a column.
    pub(super) fn column(&self, name: &str) -> Option<&str> {
        let column = self.columns.iter().find(|(column, _)| column == name)?;
        Some(&column.1)
    }

    /// Where a column stands, as it is said: behind which one.
    pub(super) fn place(&self, name: &str) -> String {
        let at = self.columns.iter().position(|(column, _)| column == name);
        match at
            .and_then(|at| at.checked_sub(1))
            .and_then(|at| self.columns.get(at))
        {
            Some((before, _)) => format!(" AFTER {}", quoted(before)),
            None => " FIRST".to_owned(),
        }
    }

    /// The line of an index or constraint.
    pub(super) fn line<'d>(list: &'d [(String, String)], name: &str) -> Option<&'d str> {
        let (_, line) = list.iter().find(|(listed, _)| listed == name)?;
        Some(line)
    }
}

/// Of a definition, the type alone: without rule, default, key or whatever else follows.
pub(super) fn bare_type(definition: &str) -> &str {
    let mut depth = 0;
    let mut quote = None;
    let ends = [
        " NOT NULL",
        " NULL",
        " DEFAULT",
        " CHECK",
        " AUTO_INCREMENT",
        " COMMENT",
        " GENERATED",
        " ON UPDATE",
        " INVISIBLE",
    ];
    for (at, character) in definition.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '`') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, ' ') if depth == 0 && ends.iter().any(|end| definition[at..].starts_with(end)) => {
                return &definition[..at];
            }
            _ => {}
        }
    }
    definition
}

/// What begins with a word in a definition, to its end; nothing where the word is not there, or inside a text.
pub(super) fn part<'d>(definition: &'d str, word: &str) -> &'d str {
    let mut quote = None;
    for (at, character) in definition.char_indices() {
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '`') => quote = Some(character),
            None if definition[at..].starts_with(word) => return &definition[at..],
            None => {}
        }
    }
    ""
}

/// A quoted name at the beginning of a text, and what follows.
fn named(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != '`' {
            name.push(character);
            continue;
        }
        if characters.peek().is_some_and(|(_, next)| *next == '`') {
            characters.next();
            name.push('`');
            continue;
        }
        return Some((name, text[at + 1..].trim_start()));
    }
    None
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read_line_by_line() {
        let described = Described::read(
            "CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  \
             `a ``b` varchar(9) DEFAULT 'x, NOT NULL' CHECK (char_length(`a ``b`) < 9),\n  \
             `kind` enum('a b','c NULL') DEFAULT NULL,\n  \
             PRIMARY KEY (`id`),\n  UNIQUE KEY `t.a.unique` (`a ``b`),\n  KEY `two` (`id`,`kind`),\n  \
             CONSTRAINT `t_ibfk_1` FOREIGN KEY (`id`) REFERENCES `u` (`id`)\n) ENGINE=InnoDB",
        );
        let names: Vec<_> = described.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["id", "a `b", "kind"]);
        assert_eq!(described.place("id"), " FIRST");
        assert_eq!(described.place("kind"), " AFTER `a ``b`");
        assert_eq!(bare_type(described.column("id").unwrap()), "int(11)");
        assert_eq!(bare_type(described.column("a `b").unwrap()), "varchar(9)");
        assert_eq!(
            bare_type(described.column("kind").unwrap()),
            "enum('a b','c NULL')"
        );
        assert_eq!(
            bare_type("text CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL"),
            "text CHARACTER SET ascii COLLATE ascii_bin"
        );
        assert_eq!(
            Described::line(&described.indexes, "two"),
            Some("KEY `two` (`id`,`kind`)")
        );
        assert_eq!(
            part(described.column("a `b").unwrap(), " CHECK ("),
            " CHECK (char_length(`a ``b`) < 9)"
        );
        assert_eq!(part(described.column("kind").unwrap(), " CHECK ("), "");
        assert_eq!(described.indexes.len(), 2);
        assert_eq!(described.constraints.len(), 1);
    }
}
