//! Retention: entries of the record that are old enough go, and what is left still verifies.
//!
//! - The header of a change stays for ever. Of its entries, those that go leave their hashes in `loggia_prunings`, so that
//!   the hash over all of them can still be worked out. That they were taken away here, and not by somebody else, is the
//!   record of the change that prunes: its hash goes over these rows of `loggia_prunings`.
//! - The last revision of each item stays, so that its number never goes back; and so does the activity that a revision
//!   belongs to.
//! - What is old is decided by the order of changes as well as by the clock: nothing goes that comes after a change which
//!   is to be kept.
//!
//! What may go is looked for beside whoever writes, and taken away in portions, each a change of its own.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use loggia_access::Caller;
use loggia_model::field_types::calendar;
use loggia_model::filter::Test;
use loggia_model::plan::{
    Aggregate, AggregatePlan, DeletePlan, Plan, ReadPlan, Selected, Source, UpdatePlan,
};
use loggia_model::{Filter, Problem, Record, Scalar};
use loggia_store::Outcome;
use serde_json::{Value, json};

use crate::chain::{self, ACTIVITY, Content, PRUNING, REVISION, hexadecimal, leaf};
use crate::record::{Before, figure, largest, largest_of, last_revisions, last_revisions_of};
use crate::rows::{Header, NewRow, Sum, hashed, insert, number, row, sealed};
use crate::tables::{ascending, column, plain, table, text, whole};
use crate::{Changed, Error, Journal, images};

/// Rows looked at together.
const PAGE: u64 = 1_000;
/// Rows taken away together, give or take a page.
const PORTION: usize = 2_000;

const CHANGES: &str = "loggia_changes";
const ACTIVITIES: &str = "directus_activity";
const REVISIONS: &str = "directus_revisions";
const PRUNINGS: &str = "loggia_prunings";

/// For how many days entries are kept; `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Activity.
    pub activity: Option<u32>,
    /// Revisions.
    pub revisions: Option<u32>,
}

/// What was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Rows of activity.
    pub activity: u64,
    /// Revisions.
    pub revisions: u64,
    /// The keys of the changes that took them away.
    pub changes: Vec<String>,
}

impl Journal {
    /// Takes away what need not be kept any more.
    ///
    /// # Errors
    /// When the database cannot be read or written; whole portions are gone then.
    pub async fn prune(&self, keep: Keep, caller: &Caller) -> Result<Pruned, Error> {
        let mut work = Work {
            journal: self,
            caller,
            title: title(keep),
            pruned: Pruned::default(),
        };
        let activity = match keep.activity {
            Some(days) => Some(work.cut(days).await?),
            None => None,
        };
        if let Some(days) = keep.revisions {
            let cut = work.cut(days).await?;
            work.revisions(&cut, activity.as_ref()).await?;
        }
        if let Some(cut) = activity {
            work.activity(&cut).await?;
        }
        Ok(work.pruned)
    }
}

fn title(keep: Keep) -> String {
    let said = |what: &str, days: Option<u32>| days.map(|days| format!("{what} for {days} days"));
    let parts = [said("activity", keep.activity), said("revisions", keep.revisions)];
    format!(
        "Kept: {}",
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    )
}

/// Where what is old ends.
struct Cut {
    /// The last change that is old enough.
    number: i64,
    /// What belongs to no change is old enough before this moment.
    moment: String,
}

/// Keys of rows that go.
#[derive(Default)]
struct Going {
    activity: Vec<Scalar>,
    revisions: Vec<Scalar>,
}

impl Going {
    fn len(&self) -> usize {
        self.activity.len() + self.revisions.len()
    }
}

/// What goes of one change.
#[derive(Default)]
struct Gone {
    activity: Vec<Value>,
    revisions: Vec<Value>,
}

struct Work<'w> {
    journal: &'w Journal,
    caller: &'w Caller,
    title: String,
    pruned: Pruned,
}

impl Work<'_> {
    async fn read(&self, plan: ReadPlan) -> Result<Vec<Record>, Error> {
        Ok(self.journal.store.run(images::read(plan)).await?.into_rows())
    }

    async fn aggregate(&self, plan: AggregatePlan) -> Result<Vec<Record>, Error> {
        let permit = images::allowed(Plan::Aggregate(plan));
        Ok(self.journal.store.run(permit).await?.into_rows())
    }

    /// The last change before the first that is younger than so many days; all of them, where none is.
    async fn cut(&self, days: u32) -> Result<Cut, Error> {
        let now = self.journal.clock.now();
        let age = SignedDuration::from_hours(24 * i64::from(days));
        let moment = calendar::timestamp(now.saturating_sub(age).unwrap_or(Timestamp::MIN));
        let young = Test::GreaterOrEqual(Scalar::from(moment.as_str()));
        let of = |function, filter| -> Result<AggregatePlan, Problem> {
            Ok(AggregatePlan {
                collection: table(CHANGES)?.clone(),
                filter,
                group_by: Vec::new(),
                figures: vec![figure(function, CHANGES, "number")?],
                sort: Vec::new(),
                limit: None,
                offset: 0,
            })
        };
        let first = of(
            Aggregate::Min,
            Filter::field(&column(CHANGES, "timestamp")?, young),
        )?;
        let rows = self.aggregate(first).await?;
        let first = rows.first().and_then(|row| row.get("min")?.get("number"));
        let number = match first.filter(|number| !number.is_null()) {
            Some(first) => whole(Some(first)) - 1,
            None => {
                let rows = self.aggregate(of(Aggregate::Max, Filter::All)?).await?;
                whole(rows.first().and_then(|row| row.get("max")?.get("number")))
            }
        };
        Ok(Cut { number, moment })
    }

    /// The next rows of a table.
    async fn page(&self, name: &str, columns: &[&str], after: i64) -> Result<Vec<Record>, Error> {
        let behind = Test::Greater(Scalar::Int(after));
        let plan = ReadPlan {
            filter: Filter::field(&column(name, "id")?, behind),
            sort: ascending(name, "id")?,
            limit: Some(PAGE),
            ..only(name, columns)?
        };
        self.read(plan).await
    }

    /// The numbers of the changes that rows belong to, by key.
    async fn numbers(&self, rows: &[Record]) -> Result<HashMap<String, i64>, Error> {
        let keys: HashSet<_> = rows.iter().map(|row| text(row, "change")).collect();
        let keys = keys.into_iter().filter(|key| !key.is_empty()).map(Scalar::from);
        let plan = ReadPlan {
            filter: Filter::field(&column(CHANGES, "id")?, Test::In(keys.collect())),
            ..only(CHANGES, &["id", "number"])?
        };
        let rows = self.read(plan).await?;
        let numbered = |row: &Record| (text(row, "id").to_owned(), whole(row.get("number")));
        Ok(rows.iter().map(numbered).collect())
    }

    /// Revisions up to `cut` that are not the last of their items; with the activity that they belong to, where that may
    /// go too.
    async fn revisions(&mut self, cut: &Cut, activity: Option<&Cut>) -> Result<(), Error> {
        let columns = ["id", "activity", "change", "collection", "item", "number"];
        let (mut after, mut going) = (0, Going::default());
        loop {
            let rows = self.page(REVISIONS, &columns, after).await?;
            let Some(last) = rows.last() else { break };
            after = whole(last.get("id"));
            let numbers = self.numbers(&rows).await?;
            let mut items: IndexMap<&str, Vec<Scalar>> = IndexMap::new();
            for row in &rows {
                let known = items.entry(text(row, "collection")).or_default();
                known.push(Scalar::from(text(row, "item")));
            }
            let last = last_revisions_of(self.aggregate(last_revisions(&items)?).await?);
            let mut ended = false;
            for row in &rows {
                let Some(change) = numbers.get(text(row, "change")) else {
                    continue;
                };
                ended = *change > cut.number;
                if ended {
                    break;
                }
                let item = (text(row, "collection").to_owned(), text(row, "item").to_owned());
                // One that is not the last is never the last again.
                if last
                    .get(&item)
                    .is_some_and(|(last, _)| whole(row.get("number")) < *last)
                {
                    going.revisions.push(Scalar::Int(whole(row.get("id"))));
                    if activity.is_some_and(|cut| *change <= cut.number) {
                        going.activity.push(Scalar::Int(whole(row.get("activity"))));
                    }
                }
            }
            if going.len() >= PORTION {
                self.take(std::mem::take(&mut going)).await?;
            }
            if ended {
                break;
            }
        }
        self.take(going).await
    }

    /// Activity up to `cut` that no revision belongs to.
    async fn activity(&mut self, cut: &Cut) -> Result<(), Error> {
        let (mut after, mut going) = (0, Going::default());
        loop {
            let rows = self
                .page(ACTIVITIES, &["id", "change", "timestamp"], after)
                .await?;
            let Some(last) = rows.last() else { break };
            after = whole(last.get("id"));
            let numbers = self.numbers(&rows).await?;
            let keys: Vec<_> = rows.iter().map(|row| Scalar::Int(whole(row.get("id")))).collect();
            let held = ReadPlan {
                filter: Filter::field(&column(REVISIONS, "activity")?, Test::In(keys)),
                ..only(REVISIONS, &["activity"])?
            };
            let held: HashSet<i64> = self
                .read(held)
                .await?
                .iter()
                .map(|row| whole(row.get("activity")))
                .collect();
            let mut ended = false;
            for row in &rows {
                let old = match numbers.get(text(row, "change")) {
                    Some(change) => {
                        ended = *change > cut.number;
                        !ended
                    }
                    None => {
                        row.get("change").is_none_or(Value::is_null)
                            && text(row, "timestamp") < cut.moment.as_str()
                    }
                };
                if ended {
                    break;
                }
                let id = whole(row.get("id"));
                if old && !held.contains(&id) {
                    going.activity.push(Scalar::Int(id));
                }
            }
            if going.len() >= PORTION {
                self.take(std::mem::take(&mut going)).await?;
            }
            if ended {
                break;
            }
        }
        self.take(going).await
    }

    /// Takes rows away, and records that.
    async fn take(&mut self, going: Going) -> Result<(), Error> {
        if going.len() == 0 {
            return Ok(());
        }
        let mut tx = self.journal.store.begin().await?;
        let mut outcomes = tx.run_all(looks(&going)?).await?.into_iter();
        let mut next = || outcomes.next().map(Outcome::into_rows).unwrap_or_default();
        let found = Found {
            revisions: next(),
            activity: next(),
            holding: next(),
            following: next(),
        };
        let last_pruning = largest_of(&next());
        let before = Before::read(&mut next);
        let Some(taken) = found.taken()? else {
            return Ok(());
        };
        let now = self.journal.clock.now();
        let change = self.journal.generator.ordered_uuid(now).to_string();
        let header = Header::of(self.caller, Some(&self.title), now);
        let counted = [
            (ACTIVITIES, taken.activity.len()),
            (REVISIONS, taken.revisions.len()),
        ];
        let counted = counted.into_iter().filter(|(_, rows)| *rows > 0);
        let (mut content, mut acted, mut counts) = (Content::new(), Vec::new(), IndexMap::new());
        for (name, rows) in counted {
            let id = before.last_activity + number(acted.len()) + 1;
            let new = row(
                table(ACTIVITIES)?,
                &ACTIVITY,
                header.activity(id, ("delete", name, ""), &change),
            );
            content.add(&leaf(ACTIVITIES, hashed(&new)));
            acted.push(new);
            let deleted = Changed {
                deleted: rows as u64,
                ..Changed::default()
            };
            counts.insert(name, deleted);
        }
        let prunings = prunings(&taken.of, last_pruning, &change)?;
        for new in &prunings {
            content.add(&leaf(PRUNINGS, hashed(new)));
        }
        let sum = Sum {
            counts,
            written: None,
            rows: taken.activity.len() + taken.revisions.len(),
            reversible: false,
        };
        let new = sealed(
            header.change(&sum, before.next(), &change),
            None,
            content,
            &before,
        )?;
        let mut plans = vec![
            insert(table(CHANGES)?, vec![new]),
            insert(table(ACTIVITIES)?, acted),
        ];
        if !prunings.is_empty() {
            plans.push(insert(table(PRUNINGS)?, prunings));
        }
        let (activity, revisions) = (taken.activity.len() as u64, taken.revisions.len() as u64);
        plans.extend(taken.deletions()?.into_iter().map(images::allowed));
        tx.run_all(plans).await?;
        tx.commit().await?;
        self.pruned.activity += activity;
        self.pruned.revisions += revisions;
        self.pruned.changes.push(change);
        Ok(())
    }
}

/// The rows that are to go, what depends on them, and where the journal ends.
fn looks(going: &Going) -> Result<Vec<loggia_access::Permit<Plan>>, Problem> {
    let among = |name: &str, field: &str, keys: &[Scalar]| -> Result<Filter, Problem> {
        Ok(Filter::field(&column(name, field)?, Test::In(keys.to_vec())))
    };
    let whole = |name: &str, keys: &[Scalar]| -> Result<ReadPlan, Problem> {
        Ok(ReadPlan {
            filter: among(name, "id", keys)?,
            sort: ascending(name, "id")?,
            ..plain(name)?
        })
    };
    let depending = |field: &str, keys: &[Scalar]| -> Result<ReadPlan, Problem> {
        Ok(ReadPlan {
            filter: among(REVISIONS, field, keys)?,
            ..only(REVISIONS, &["id", field])?
        })
    };
    let mut plans = vec![
        images::read(whole(REVISIONS, &going.revisions)?),
        images::read(whole(ACTIVITIES, &going.activity)?),
        images::read(depending("activity", &going.activity)?),
        images::read(depending("parent", &going.revisions)?),
        largest(PRUNINGS)?,
    ];
    plans.extend(Before::looks(&IndexMap::new())?);
    Ok(plans)
}

/// What was found of the rows that are to go.
struct Found {
    revisions: Vec<Record>,
    activity: Vec<Record>,
    /// Revisions that belong to that activity.
    holding: Vec<Record>,
    /// Revisions that come after those revisions.
    following: Vec<Record>,
}

/// What is taken away.
struct Taken {
    activity: Vec<Scalar>,
    revisions: Vec<Scalar>,
    /// Of which changes, in their order.
    of: IndexMap<String, Gone>,
}

impl Found {
    /// `None`: nothing is left to be taken.
    fn taken(&self) -> Result<Option<Taken>, Problem> {
        let id = |row: &Record| whole(row.get("id"));
        let going: HashSet<i64> = self.revisions.iter().map(id).collect();
        let after: HashMap<i64, i64> = self
            .following
            .iter()
            .map(|row| (whole(row.get("parent")), id(row)))
            .collect();
        let held: HashSet<i64> = self
            .holding
            .iter()
            .filter(|row| !going.contains(&id(row)))
            .map(|row| whole(row.get("activity")))
            .collect();
        let mut taken = Taken {
            activity: Vec::new(),
            revisions: Vec::new(),
            of: IndexMap::new(),
        };
        for row in &self.revisions {
            let values = chain::values(table(REVISIONS)?, &REVISION, row);
            let hash = leaf(REVISIONS, values.iter().map(|(name, value)| (*name, value)));
            let after = after.get(&id(row)).copied().unwrap_or(0);
            let gone = taken.of.entry(text(row, "change").to_owned()).or_default();
            gone.revisions.push(json!([id(row), hexadecimal(&hash), after]));
            taken.revisions.push(Scalar::Int(id(row)));
        }
        for row in self.activity.iter().filter(|row| !held.contains(&id(row))) {
            taken.activity.push(Scalar::Int(id(row)));
            if text(row, "change").is_empty() {
                continue;
            }
            let values = chain::values(table(ACTIVITIES)?, &ACTIVITY, row);
            let hash = leaf(ACTIVITIES, values.iter().map(|(name, value)| (*name, value)));
            let gone = taken.of.entry(text(row, "change").to_owned()).or_default();
            gone.activity.push(json!([id(row), hexadecimal(&hash)]));
        }
        let something = !taken.activity.is_empty() || !taken.revisions.is_empty();
        Ok(something.then_some(taken))
    }
}

impl Taken {
    fn deletions(self) -> Result<Vec<Plan>, Problem> {
        let delete = |name: &str, keys: Vec<Scalar>| -> Result<Plan, Problem> {
            Ok(Plan::Delete(DeletePlan {
                collection: table(name)?.clone(),
                filter: Filter::field(&column(name, "id")?, Test::In(keys)),
            }))
        };
        let parent = column(REVISIONS, "parent")?;
        Ok(vec![
            Plan::Update(UpdatePlan {
                collection: table(REVISIONS)?.clone(),
                filter: Filter::field(&parent, Test::In(self.revisions.clone())),
                assign: vec![(parent, Scalar::Null)],
            }),
            delete(REVISIONS, self.revisions)?,
            delete(ACTIVITIES, self.activity)?,
        ])
    }
}

/// One row for each change that loses entries.
fn prunings(of: &IndexMap<String, Gone>, last: i64, pruning: &str) -> Result<Vec<NewRow>, Problem> {
    let prunings = table(PRUNINGS)?;
    let rows = of.iter().enumerate().map(|(i, (change, gone))| {
        let rows = json!({"activity": gone.activity, "revisions": gone.revisions});
        let values = [
            Scalar::Int(last + number(i) + 1),
            change.as_str().into(),
            pruning.into(),
            Scalar::Int(number(gone.activity.len())),
            Scalar::Int(number(gone.revisions.len())),
            rows.to_string().into(),
        ];
        row(prunings, &PRUNING, values)
    });
    Ok(rows.collect())
}

/// Some columns of one of the journal's tables.
fn only(name: &str, columns: &[&str]) -> Result<ReadPlan, Problem> {
    let select = columns
        .iter()
        .map(|field| Ok(Selected::new(*field, Source::Field(column(name, field)?))))
        .collect::<Result<_, Problem>>()?;
    Ok(ReadPlan {
        select,
        ..plain(name)?
    })
}
