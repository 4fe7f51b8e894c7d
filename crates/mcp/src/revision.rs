//! The revisions of the protocol that are spoken here.

/// A revision of the Model Context Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// The first with Streamable HTTP; the only one with batches. Assumed when a request names no revision.
    V2025_03_26,
    /// Structured results; the revision travels in a header.
    V2025_06_18,
    /// The last with a handshake.
    V2025_11_25,
    /// Stateless: every request carries its revision and the client's capabilities.
    V2026_07_28,
}

impl Revision {
    /// All of them, newest first.
    pub const ALL: &'static [Self] = &[
        Self::V2026_07_28,
        Self::V2025_11_25,
        Self::V2025_06_18,
        Self::V2025_03_26,
    ];

    /// The newest that begins with a handshake.
    pub const LATEST_HANDSHAKE: Self = Self::V2025_11_25;

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|revision| revision.name() == name)
    }

    /// The names of all, newest first.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|revision| revision.name()).collect()
    }

    /// Whether every request carries its own metadata, instead of a handshake.
    #[must_use]
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Whether several messages may travel in one array.
    #[must_use]
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }
}
