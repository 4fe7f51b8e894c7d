//! What whoever remembers something of a database compares, to know whether it still holds.

/// Numbers that stand in the one row which every writer locks. Each grows in the transaction of what it counts, so
/// whoever reads them later than a commit was acknowledged sees that it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Grows with every transaction that changed tables, or what is said of them.
    pub schema: u64,
    /// Grows with every transaction that changed what callers may do, or the settings.
    pub rules: u64,
    /// Grows with every transaction that changed who somebody is.
    pub people: u64,
}

/// Which [`Versions`] a transaction raises besides that of the schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raises {
    /// It changed what callers may do, or the settings.
    pub rules: bool,
    /// It changed who somebody is.
    pub people: bool,
}

impl Raises {
    /// Whether it raises anything.
    #[must_use]
    pub fn any(self) -> bool {
        self.rules || self.people
    }

    /// The statement that raises them; the same on every database.
    pub(crate) fn statement(self) -> String {
        format!(
            "UPDATE loggia_schema_version SET rules = rules + {}, people = people + {} WHERE id = 1",
            u8::from(self.rules),
            u8::from(self.people)
        )
    }
}
