//! Walks the chain from its beginning and works every hash out again.
//!
//! Of entries that retention took away, the hashes that they left behind stand in; these are part of the change that
//! pruned, and hold or fall with it.
//!
//! Then it looks through the rows of activity and the revisions for such as are part of no change: [`Walk::strays`].

use std::collections::{HashMap, HashSet};

use loggia_model::filter::Test;
use loggia_model::plan::{ReadPlan, Selected, Source};
use loggia_model::{Filter, Problem, Record, Scalar};
use loggia_store::Store;
use serde_json::Value;

use crate::Error;
use crate::chain::{self, ACTIVITY, Content, HEADER, Leaf, PRUNING, REVISION, leaf};
use crate::images;
use crate::record::{largest, largest_of};
use crate::recorder::ACCOUNT_EVENTS;
use crate::tables::{ascending, column, plain, table, text, whole};

/// Changes looked at at once.
const PAGE: u64 = 100;
/// Rows looked at at once.
const ROWS: u64 = 1_000;
/// What is pruned meanwhile is no fault: the walk begins anew, but not for ever.
const WALKS: usize = 20;

/// What a walk along the chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many changes were looked at.
    pub changes: u64,
    /// The number and the hash of the last change.
    pub head: Option<(i64, String)>,
    /// The first thing that is wrong.
    pub broken: Option<Broken>,
}

/// The first thing that is wrong with the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The number of the change where it shows; 0: it is a row that is part of no change.
    pub number: i64,
    /// Its key, where it is there.
    pub change: Option<String>,
    /// What is wrong, in words for people.
    pub what: String,
}

/// Works the chain out again. `expect` is the hash of a change that was noted elsewhere: the chain must still have it.
///
/// # Errors
/// When the database cannot be read.
pub async fn verify(store: &Store, expect: Option<&str>) -> Result<Verdict, Error> {
    let mut verdict = Verdict::default();
    for _ in 0..WALKS {
        let pruned = last_pruning(store).await?;
        verdict = walk(store, expect).await?;
        if verdict.broken.is_none() || last_pruning(store).await? == pruned {
            break;
        }
    }
    Ok(verdict)
}

/// The last row that says what was pruned.
async fn last_pruning(store: &Store) -> Result<i64, Error> {
    Ok(largest_of(
        &store.run(largest("loggia_prunings")?).await?.into_rows(),
    ))
}

async fn walk(store: &Store, expect: Option<&str>) -> Result<Verdict, Error> {
    let mut walk = Walk {
        store,
        last: None,
        verdict: Verdict::default(),
        activity: Known::default(),
        revisions: Known::default(),
        after_gone: HashSet::new(),
        prunings: HashMap::new(),
        expected: expect.is_none(),
        expect,
    };
    while walk.verdict.broken.is_none() && walk.page().await? {}
    if walk.verdict.broken.is_none()
        && let Some(number) = walk.prunings.values().min().copied()
    {
        let what = "entries of it are gone, and the change that is said to have pruned them is missing";
        walk.broken(number, None, what);
    }
    if walk.verdict.broken.is_none() {
        walk.strays().await?;
    }
    if walk.verdict.broken.is_none() && !walk.expected {
        let number = walk.last.as_ref().map_or(0, |(number, _)| *number);
        let what = "no change has the expected hash: changes were cut off the end, or all were written anew";
        walk.verdict.broken = Some(Broken {
            number,
            change: None,
            what: what.to_owned(),
        });
    }
    walk.verdict.head = walk.last;
    Ok(walk.verdict)
}

struct Walk<'s> {
    store: &'s Store,
    /// The change before, and its hash.
    last: Option<(i64, String)>,
    verdict: Verdict,
    activity: Known,
    revisions: Known,
    /// The revisions that come after one that is gone.
    after_gone: HashSet<i64>,
    /// The changes that are said to have pruned, and were not met yet: with the first that they pruned.
    prunings: HashMap<String, i64>,
    expect: Option<&'s str>,
    /// Whether the expected hash was met.
    expected: bool,
}

/// Which rows of a table are part of the chain.
#[derive(Default)]
struct Known {
    /// Their keys, as far as they are there.
    ids: HashSet<i64>,
    /// The first key, of rows that are gone as well; what is below it may be older than the chain.
    first: Option<i64>,
    last: i64,
}

impl Known {
    fn add(&mut self, rows: &[Record]) {
        for row in rows {
            let id = whole(row.get("id"));
            self.ids.insert(id);
            self.last = self.last.max(id);
            self.above(id);
        }
    }

    fn gone(&mut self, member: &str, gone: &[Record]) {
        let rows = gone
            .iter()
            .filter_map(|row| row.get("rows")?.get(member)?.as_array());
        for one in rows.flatten() {
            self.above(whole(one.get(0)));
        }
    }

    fn above(&mut self, id: i64) {
        self.first = Some(self.first.map_or(id, |first| first.min(id)));
    }

    /// Whether a key was given before the chain began.
    fn is_older(&self, id: i64) -> bool {
        id > 0 && self.first.is_none_or(|first| id < first)
    }
}

impl Walk<'_> {
    /// Rows of activity and revisions that are part of no change, though they should be. Without a change are what
    /// happened to accounts ([`ACCOUNT_EVENTS`]), and what was written before there were changes.
    async fn strays(&mut self) -> Result<(), Error> {
        for name in ["directus_activity", "directus_revisions"] {
            let mut after = None;
            loop {
                let rows = self.store.run(images::read(rows_after(name, after)?)).await?;
                let rows = rows.into_rows();
                let Some(last) = rows.last() else { break };
                after = Some(whole(last.get("id")));
                if let Some(stray) = rows.iter().find(|row| !self.belongs(name, row)) {
                    let action = match text(stray, "action") {
                        "" => "a revision".to_owned(),
                        action => format!("`{action}`"),
                    };
                    let what = format!(
                        "row {} of {name} ({action} of {} {}) is part of no change: it was added, or its change was taken \
                         from it, with other tools",
                        whole(stray.get("id")),
                        text(stray, "collection"),
                        text(stray, "item"),
                    );
                    self.broken(0, None, what);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether a row is where it should be: in a change, or rightly in none.
    fn belongs(&self, name: &str, row: &Record) -> bool {
        let id = whole(row.get("id"));
        let activity = name == "directus_activity";
        let known = if activity { &self.activity } else { &self.revisions };
        if row.get("change").is_some_and(|change| !change.is_null()) {
            // What came after the walk is the next walk's.
            return id > known.last || known.ids.contains(&id);
        }
        if activity && ACCOUNT_EVENTS.contains(&text(row, "action")) {
            return text(row, "collection") == "directus_users";
        }
        known.is_older(id) && (activity || self.activity.is_older(whole(row.get("activity"))))
    }

    /// Looks at the next changes; whether there were any.
    async fn page(&mut self) -> Result<bool, Error> {
        let name = "loggia_changes";
        let number = column(name, "number")?;
        let after = |(last, _): &(i64, String)| Filter::field(&number, Test::Greater(Scalar::Int(*last)));
        let plan = ReadPlan {
            filter: self.last.as_ref().map_or(Filter::All, after),
            sort: ascending(name, "number")?,
            limit: Some(PAGE),
            ..plain(name)?
        };
        // Read together: what is behind the last change must be nothing.
        let plans = vec![
            images::read(plan),
            images::read(behind("directus_activity", self.activity.last)?),
            images::read(behind("directus_revisions", self.revisions.last)?),
        ];
        let mut outcomes = self.store.run_all(plans).await?.into_iter();
        let mut next = || {
            outcomes
                .next()
                .map(loggia_store::Outcome::into_rows)
                .unwrap_or_default()
        };
        let (changes, activity, revisions) = (next(), next(), next());
        if changes.is_empty() {
            if !activity.is_empty() || !revisions.is_empty() {
                let number = self.last.as_ref().map_or(0, |(number, _)| *number) + 1;
                self.broken(
                    number,
                    None,
                    "the change is missing, though entries of it are there",
                );
            }
            return Ok(false);
        }
        let keys: Vec<_> = changes
            .iter()
            .filter_map(|row| row.get("id")?.as_str().map(Scalar::from))
            .collect();
        let [activity, revisions, gone, pruned] = self.of_changes(&keys).await?;
        let parents = self.parents(&revisions).await?;
        let (mut activity, mut revisions) = (by(activity, "change"), by(revisions, "change"));
        let (mut gone, mut pruned) = (by(gone, "change"), by(pruned, "pruning"));
        for change in changes {
            let id = text(&change, "id").to_owned();
            let entries = Entries {
                activity: activity.remove(&id).unwrap_or_default(),
                revisions: revisions.remove(&id).unwrap_or_default(),
                gone: gone.remove(&id).unwrap_or_default(),
                pruned: pruned.remove(&id).unwrap_or_default(),
            };
            self.change(&change, &id, &entries, &parents)?;
            if self.verdict.broken.is_some() {
                break;
            }
        }
        Ok(true)
    }

    /// What is kept of changes besides their headers: activity, revisions, what is left of entries that are gone, and what
    /// they pruned themselves.
    async fn of_changes(&self, keys: &[Scalar]) -> Result<[Vec<Record>; 4], Error> {
        let of = |name: &'static str, by: &str| -> Result<ReadPlan, Problem> {
            Ok(ReadPlan {
                filter: Filter::field(&column(name, by)?, Test::In(keys.to_vec())),
                sort: ascending(name, "id")?,
                ..plain(name)?
            })
        };
        let plans = vec![
            images::read(of("directus_activity", "change")?),
            images::read(of("directus_revisions", "change")?),
            images::read(of("loggia_prunings", "change")?),
            images::read(of("loggia_prunings", "pruning")?),
        ];
        let mut outcomes = self.store.run_all(plans).await?.into_iter();
        Ok(std::array::from_fn(|_| {
            outcomes
                .next()
                .map(loggia_store::Outcome::into_rows)
                .unwrap_or_default()
        }))
    }

    /// The revisions that others come after.
    async fn parents(&self, revisions: &[Record]) -> Result<HashMap<i64, Record>, Error> {
        let name = "directus_revisions";
        let parents = revisions.iter().map(|row| whole(row.get("parent")));
        let keys: Vec<_> = parents.filter(|id| *id > 0).map(Scalar::Int).collect();
        let select = ["id", "collection", "item", "number"].map(|field| column(name, field));
        let select: Vec<_> = select.into_iter().collect::<Result<_, _>>()?;
        let plan = ReadPlan {
            filter: Filter::field(&column(name, "id")?, Test::In(keys)),
            select: select
                .iter()
                .map(|field| Selected::new(field.name.as_str(), Source::Field(field.clone())))
                .collect(),
            ..plain(name)?
        };
        let rows = self.store.run(images::read(plan)).await?.into_rows();
        Ok(rows.into_iter().map(|row| (whole(row.get("id")), row)).collect())
    }

    fn broken(&mut self, number: i64, change: Option<&str>, what: impl Into<String>) {
        self.verdict.broken = Some(Broken {
            number,
            change: change.map(str::to_owned),
            what: what.into(),
        });
    }

    fn change(
        &mut self,
        change: &Record,
        id: &str,
        entries: &Entries,
        parents: &HashMap<i64, Record>,
    ) -> Result<(), Problem> {
        let number = whole(change.get("number"));
        let (expected, previous) = match &self.last {
            Some((last, hash)) => (last + 1, hash.clone()),
            None => (1, chain::BEGINNING.to_owned()),
        };
        if number != expected {
            let what = match number - expected {
                1 => format!("change {expected} is missing"),
                more if more > 1 => format!("changes {expected} to {} are missing", number - 1),
                _ => format!("there is a change {number} before the first that is kept, {expected}"),
            };
            self.broken(expected, None, what);
            return Ok(());
        }
        let changes = table("loggia_changes")?;
        let header = chain::values(changes, &HEADER, change);
        let reverts = chain::canonical(changes, "reverts", change.get("reverts").unwrap_or(&Value::Null));
        let (content, hash) = (text(change, "content_hash"), text(change, "hash"));
        if text(change, "previous_hash") != previous {
            let what = "it does not follow the change before it: one of them was edited or put elsewhere";
            self.broken(number, Some(id), what);
            return Ok(());
        }
        let header = header.iter().map(|(name, value)| (*name, value));
        if chain::hash(&previous, header, &reverts, content) != hash {
            self.broken(
                number,
                Some(id),
                "what is recorded of the change itself was edited",
            );
            return Ok(());
        }
        self.prunings.remove(id);
        for row in &entries.gone {
            self.prunings
                .entry(text(row, "pruning").to_owned())
                .or_insert(number);
        }
        if let Some(what) = self.entries(content, entries, parents)? {
            self.broken(number, Some(id), what);
            return Ok(());
        }
        self.verdict.changes += 1;
        self.expected |= self
            .expect
            .is_some_and(|expect| expect.eq_ignore_ascii_case(hash));
        self.last = Some((number, hash.to_owned()));
        Ok(())
    }

    /// What is wrong with the entries of a change.
    fn entries(
        &mut self,
        content: &str,
        entries: &Entries,
        parents: &HashMap<i64, Record>,
    ) -> Result<Option<String>, Problem> {
        let edited = "what is recorded of its items was edited, or something is missing or added";
        let Some(leaves) = entries.leaves(&mut self.after_gone)? else {
            return Ok(Some(edited.to_owned()));
        };
        let mut hash = Content::new();
        for leaf in &leaves {
            hash.add(leaf);
        }
        self.activity.add(&entries.activity);
        self.activity.gone("activity", &entries.gone);
        self.revisions.add(&entries.revisions);
        self.revisions.gone("revisions", &entries.gone);
        if hash.finish() != content {
            return Ok(Some(edited.to_owned()));
        }
        let follows = |row: &Record| {
            let number = whole(row.get("number"));
            match parents.get(&whole(row.get("parent"))) {
                Some(parent) => {
                    whole(parent.get("number")) == number - 1
                        && parent.get("collection") == row.get("collection")
                        && parent.get("item") == row.get("item")
                }
                None if row.get("parent").is_none_or(Value::is_null) => {
                    number == 1 || self.after_gone.contains(&whole(row.get("id")))
                }
                None => false,
            }
        };
        Ok(entries.revisions.iter().find(|row| !follows(row)).map(|row| {
            let (collection, item) = (text(row, "collection"), text(row, "item"));
            format!("the revision of {collection} {item} does not name the one before it")
        }))
    }
}

/// What is kept of a change besides its header, each in the order of its keys.
struct Entries {
    activity: Vec<Record>,
    revisions: Vec<Record>,
    /// What is left of entries that are gone.
    gone: Vec<Record>,
    /// What is left of entries of other changes, which this one took away.
    pruned: Vec<Record>,
}

impl Entries {
    /// The hashes of everything that was recorded, by table and key; `None`: what is left of entries that are gone says
    /// nothing that could be theirs.
    fn leaves(&self, after_gone: &mut HashSet<i64>) -> Result<Option<Vec<Leaf>>, Problem> {
        let mut all = Vec::new();
        for (name, columns, rows, member) in [
            (
                "directus_activity",
                ACTIVITY.as_slice(),
                &self.activity,
                "activity",
            ),
            (
                "directus_revisions",
                REVISION.as_slice(),
                &self.revisions,
                "revisions",
            ),
        ] {
            let mut leaves = hashes(name, columns, rows)?;
            for row in &self.gone {
                let gone = row.get("rows").and_then(|rows| rows.get(member)?.as_array());
                for one in gone.into_iter().flatten() {
                    let (id, after) = (whole(one.get(0)), whole(one.get(2)));
                    let Some(leaf) = one.get(1).and_then(Value::as_str).and_then(chain::parsed) else {
                        return Ok(None);
                    };
                    if after > 0 {
                        after_gone.insert(after);
                    }
                    leaves.push((id, leaf));
                }
            }
            // Stable: one key twice is two hashes, which fit nothing.
            leaves.sort_by_key(|(id, _)| *id);
            all.extend(leaves.into_iter().map(|(_, leaf)| leaf));
        }
        let pruned = hashes("loggia_prunings", &PRUNING, &self.pruned)?;
        all.extend(pruned.into_iter().map(|(_, leaf)| leaf));
        Ok(Some(all))
    }
}

/// The hashes of rows, with their keys.
fn hashes(name: &str, columns: &[&str], rows: &[Record]) -> Result<Vec<(i64, Leaf)>, Problem> {
    let collection = table(name)?;
    let hashed = rows.iter().map(|row| {
        let values = chain::values(collection, columns, row);
        let leaf = leaf(name, values.iter().map(|(name, value)| (*name, value)));
        (whole(row.get("id")), leaf)
    });
    Ok(hashed.collect())
}

/// The next rows of activity or revisions, with what says whether they belong where they are.
fn rows_after(name: &str, after: Option<i64>) -> Result<ReadPlan, Problem> {
    let mut columns = vec!["id", "action", "collection", "item", "change"];
    if name == "directus_revisions" {
        columns.push("activity");
    }
    let select = columns
        .into_iter()
        .map(|field| Ok(Selected::new(field, Source::Field(column(name, field)?))))
        .collect::<Result<_, Problem>>()?;
    let id = column(name, "id")?;
    Ok(ReadPlan {
        select,
        filter: after.map_or(Filter::All, |after| {
            Filter::field(&id, Test::Greater(Scalar::Int(after)))
        }),
        sort: ascending(name, "id")?,
        limit: Some(ROWS),
        ..plain(name)?
    })
}

/// One entry of a change behind the last that was seen.
fn behind(name: &str, last: i64) -> Result<ReadPlan, Problem> {
    Ok(ReadPlan {
        filter: Filter::field(&column(name, "id")?, Test::Greater(Scalar::Int(last)))
            .and(Filter::field(&column(name, "change")?, Test::NotNull)),
        limit: Some(1),
        ..plain(name)?
    })
}

fn by(rows: Vec<Record>, name: &str) -> HashMap<String, Vec<Record>> {
    let mut found: HashMap<String, Vec<Record>> = HashMap::new();
    for row in rows {
        found.entry(text(&row, name).to_owned()).or_default().push(row);
    }
    found
}
