//! SQLite: prepared statements on threads, two that read and one that writes.

use crate::database::{ARTICLES, Article, Listed, Named, NewArticle, tag};
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Row, Statement, params};
use std::path::Path;
use tokio::sync::oneshot;

const READERS: usize = 2;

/// A handle to the threads.
#[derive(Clone)]
pub(crate) struct Sqlite {
    reads: Sender<(Question, Reply)>,
    writes: Sender<(NewArticle, Reply)>,
}

/// Where the answer goes, as JSON text of an array.
type Reply = oneshot::Sender<Result<String>>;

enum Question {
    Article(i64),
    /// The 25 articles after this key, with author and tags.
    After(i64),
}

impl Sqlite {
    /// Opens the file, fills it if it is new, and starts the threads.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(crate) fn open(file: &Path) -> Result<Sqlite> {
        let (reads, questions) = unbounded();
        let (writes, rows) = unbounded();
        let writer = connect(file)?;
        fill(&writer)?;
        std::thread::spawn(move || write_in_groups(&writer, &rows));
        for _ in 0..READERS {
            let (reader, questions) = (connect(file)?, questions.clone());
            std::thread::spawn(move || answer(&reader, &questions));
        }
        Ok(Sqlite { reads, writes })
    }

    pub(crate) async fn article(&self, id: i64) -> Result<String> {
        let (reply, answer) = oneshot::channel();
        self.reads.send((Question::Article(id), reply))?;
        answer.await?
    }

    pub(crate) async fn articles_after(&self, id: i64) -> Result<String> {
        let (reply, answer) = oneshot::channel();
        self.reads.send((Question::After(id), reply))?;
        answer.await?
    }

    pub(crate) async fn create(&self, row: NewArticle) -> Result<String> {
        let (reply, answer) = oneshot::channel();
        self.writes.send((row, reply))?;
        answer.await?
    }
}

fn connect(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // As in Loggia: plans do not depend on the values bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn fill(connection: &Connection) -> Result<()> {
    let there: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if there > 0 {
        return Ok(());
    }
    connection.execute_batch(
        "BEGIN;
         CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT, bio TEXT);
         CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, slug TEXT UNIQUE, body TEXT, views INTEGER DEFAULT 0,
           published_on TEXT, status TEXT DEFAULT 'draft', author INTEGER REFERENCES authors,
           category INTEGER REFERENCES categories);
         CREATE TABLE articles_tags (id INTEGER PRIMARY KEY, articles_id INTEGER REFERENCES articles,
           tags_id INTEGER REFERENCES tags);
         CREATE INDEX articles_author ON articles (author);
         CREATE INDEX articles_category ON articles (category);
         CREATE INDEX articles_tags_articles ON articles_tags (articles_id);
         CREATE INDEX articles_tags_tags ON articles_tags (tags_id);",
    )?;
    for (table, count, insert) in [
        ("authors", 100, "INSERT INTO authors SELECT i, 'Author ' || i, 'Bio of author ' || i FROM n"),
        ("categories", 20, "INSERT INTO categories SELECT i, 'Category ' || i FROM n"),
        ("tags", 200, "INSERT INTO tags SELECT i, 'tag-' || i FROM n"),
        (
            "articles",
            ARTICLES,
            "INSERT INTO articles SELECT i, 'Article number ' || i, 'article-' || i,
               '<p>' || replace(hex(zeroblob(20)), '00', 'Lorem ipsum dolor sit amet ' || i || '. ') || '</p>',
               i * 7919 % 100000, '2024-01-01T00:00:00', 'published', i % 100 + 1, i % 20 + 1 FROM n",
        ),
        (
            "articles_tags",
            ARTICLES,
            "INSERT INTO articles_tags (articles_id, tags_id) SELECT i, i % 200 + 1 FROM n
             UNION ALL SELECT i, (i * 3 + 7) % 200 + 1 FROM n",
        ),
    ] {
        let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) ");
        connection.execute(&(numbers + insert), []).with_context(|| format!("cannot fill {table}"))?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(())
}

struct Statements<'c> {
    article: Statement<'c>,
    tag_keys: Statement<'c>,
    after: Statement<'c>,
    tags: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> Result<Statements<'c>> {
        Ok(Statements {
            article: connection.prepare("SELECT * FROM articles WHERE id = ?1")?,
            tag_keys: connection
                .prepare("SELECT id FROM articles_tags WHERE articles_id = ?1 ORDER BY id")?,
            after: connection.prepare(
                "SELECT a.id, a.title, a.slug, a.status, a.views, a.published_on, u.name FROM articles a
                 LEFT JOIN authors u ON u.id = a.author WHERE a.id > ?1 ORDER BY a.id LIMIT 25",
            )?,
            tags: connection.prepare(
                "SELECT j.articles_id, t.name FROM articles_tags j JOIN tags t ON t.id = j.tags_id
                 WHERE j.articles_id BETWEEN ?1 AND ?2 ORDER BY j.articles_id, j.id",
            )?,
        })
    }

    fn article(&mut self, id: i64) -> Result<String> {
        let mut article = self.article.query_row([id], article_of)?;
        let tags = self.tag_keys.query_map([id], |row| row.get(0))?;
        article.tags = tags.collect::<rusqlite::Result<_>>()?;
        Ok(serde_json::to_string(&[article])?)
    }

    fn after(&mut self, id: i64) -> Result<String> {
        let listed = self.after.query_map([id], |row| {
            Ok(Listed {
                id: row.get(0)?,
                title: row.get(1)?,
                slug: row.get(2)?,
                status: row.get(3)?,
                views: row.get(4)?,
                published_on: row.get(5)?,
                author: Named { name: row.get(6)? },
                tags: Vec::new(),
            })
        })?;
        let mut listed: Vec<Listed> = listed.collect::<rusqlite::Result<_>>()?;
        let last = listed.last().map_or(id, |row| row.id);
        let tags = self
            .tags
            .query_map([id + 1, last], |row| Ok((row.get(0)?, row.get(1)?)))?;
        tag(&mut listed, tags.collect::<rusqlite::Result<Vec<_>>>()?);
        Ok(serde_json::to_string(&listed)?)
    }
}

fn article_of(row: &Row<'_>) -> rusqlite::Result<Article> {
    Ok(Article {
        id: row.get(0)?,
        title: row.get(1)?,
        slug: row.get(2)?,
        body: row.get(3)?,
        views: row.get(4)?,
        published_on: row.get(5)?,
        status: row.get(6)?,
        author: row.get(7)?,
        category: row.get(8)?,
        tags: Vec::new(),
    })
}

fn answer(connection: &Connection, questions: &Receiver<(Question, Reply)>) -> Result<()> {
    let mut statements = Statements::prepare(connection)?;
    for (question, reply) in questions {
        let answer = match question {
            Question::Article(id) => statements.article(id),
            Question::After(id) => statements.after(id),
        };
        // Whoever asked may have gone.
        let _ = reply.send(answer);
    }
    Ok(())
}

/// Commits everything that waits in one transaction: one sync for all of them.
fn write_in_groups(connection: &Connection, rows: &Receiver<(NewArticle, Reply)>) -> Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO articles (title, slug, body, author, category) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING *",
    )?;
    while let Ok(first) = rows.recv() {
        let mut answers = Vec::new();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (row, reply) in std::iter::once(first).chain(rows.try_iter()) {
            let values = params![row.title, row.slug, row.body, row.author, row.category];
            let article = insert.query_row(values, article_of)?;
            answers.push((serde_json::to_string(&[article])?, reply));
        }
        connection.execute_batch("COMMIT")?;
        for (answer, reply) in answers {
            let _ = reply.send(Ok(answer));
        }
    }
    Ok(())
}
