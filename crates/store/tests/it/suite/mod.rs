//! What every backend passes.

mod changes;
mod conditions;
mod copying;
mod nested;
mod property;
mod rows;
mod shown;
mod transactions;
mod versions;

/// Worlds in the database that the suite runs on.
pub(crate) mod world {
    use loggia_store::Options;

    use super::super::KIND;
    pub(crate) use crate::world::*;

    /// A store without tables.
    pub(crate) async fn empty() -> Option<World> {
        opened(options).await
    }

    /// The same, opened in another way.
    pub(crate) async fn opened(options: impl Fn(&str) -> Options) -> Option<World> {
        crate::world::opened(KIND, options).await
    }

    /// The newspaper: a store with its tables, and the schema of them.
    pub(crate) async fn newspaper() -> Option<World> {
        empty().await?.with_newspaper().await
    }
}
