//! The newspaper in either database, and what is answered of it.

use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// Articles that are there from the start, as in a full run of the benchmark.
pub(crate) const ARTICLES: i64 = 10_000;

/// A handle to an open database.
#[derive(Clone)]
pub(crate) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

#[derive(Deserialize)]
pub(crate) struct NewArticle {
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) body: String,
    pub(crate) author: i64,
    pub(crate) category: i64,
}

#[derive(Serialize)]
pub(crate) struct Article {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) body: String,
    pub(crate) views: i64,
    pub(crate) published_on: Option<String>,
    pub(crate) status: String,
    pub(crate) author: i64,
    pub(crate) category: i64,
    pub(crate) tags: Vec<i64>,
}

#[derive(Serialize)]
pub(crate) struct Listed {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) slug: String,
    pub(crate) status: String,
    pub(crate) views: i64,
    pub(crate) published_on: Option<String>,
    pub(crate) author: Named,
    pub(crate) tags: Vec<Tagged>,
}

#[derive(Serialize)]
pub(crate) struct Tagged {
    pub(crate) tags_id: Named,
}

#[derive(Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

impl Database {
    /// One article, as JSON text of an array.
    pub(crate) async fn article(&self, id: i64) -> Result<String> {
        match self {
            Database::Sqlite(database) => database.article(id).await,
            Database::Postgres(database) => database.article(id).await,
        }
    }

    /// The 25 articles after this key, with author and tags, as JSON text.
    pub(crate) async fn articles_after(&self, id: i64) -> Result<String> {
        match self {
            Database::Sqlite(database) => database.articles_after(id).await,
            Database::Postgres(database) => database.articles_after(id).await,
        }
    }

    /// Acknowledged when it is durable.
    pub(crate) async fn create(&self, row: NewArticle) -> Result<String> {
        match self {
            Database::Sqlite(database) => database.create(row).await,
            Database::Postgres(database) => database.create(row).await,
        }
    }
}

/// Hands out tags, in the order of the articles' keys as these are.
pub(crate) fn tag(listed: &mut [Listed], tags: Vec<(i64, String)>) {
    let mut rows = listed.iter_mut();
    let mut current = rows.next();
    for (of, name) in tags {
        while current.as_ref().is_some_and(|row| row.id < of) {
            current = rows.next();
        }
        if let Some(row) = current.as_mut() {
            row.tags.push(Tagged {
                tags_id: Named { name },
            });
        }
    }
}
