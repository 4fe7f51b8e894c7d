//! Creating, updating and deleting: one request, one transaction.

use std::sync::Arc;

use indexmap::IndexMap;
use loggia_access::{Action, Caller, Permit, decide};
use loggia_journal::writes_directly;
use loggia_model::plan::{Plan, ReadPlan, Selected, Source};
use loggia_model::{Collection, Filter, Problem, Problems, Query, Record, Scalar};
use serde_json::Value;

use super::allowing::{among_them, deletable, unmet};
use super::draft::{Draft, Intent};
use super::judging::updatable;
use super::payload::{Reader, invalid};
use super::settling::{Existing, Settler};
use super::writer::{Writer, deletes_disabled};
use super::{Deletes, Receipt, Selection, Target, WriteOptions, Written, keys, secrets};
use crate::again::{Attempts, Turn};
use crate::changes::veil::Veil;
use crate::changes::{Recorder, expecting};
use crate::query::{Resolver, plain_read};
use crate::{Engine, Error, system};

/// An answer with more problems than this helps nobody.
const MOST_PROBLEMS: usize = 1_000;

/// Under this name the key of a row travels beside what was asked for.
const KEY: &str = "$key";

/// What is to be done.
enum Request<'a> {
    Create(&'a [Record]),
    Update(&'a Target),
    Singleton(&'a Record),
    Delete(&'a Selection),
}

impl Request<'_> {
    /// What is to be done with items of the collection.
    fn action(&self, on: &Resolver<'_>, collection: &str) -> Action {
        match self {
            Self::Create(_) => Action::Create,
            Self::Update(_) => Action::Update,
            Self::Singleton(_) => match on.collection(collection, Action::Update) {
                Ok(_) => Action::Update,
                Err(_) => Action::Create,
            },
            Self::Delete(_) => Action::Delete,
        }
    }
}

/// How the written items are read again: what of them, what is drawn over them, and how many.
struct Answer {
    plan: ReadPlan,
    veil: Veil,
    most: Option<usize>,
}

/// What was made of a request before its transaction.
struct Prepared {
    drafts: Vec<Draft>,
    problems: Problems,
    receipt: Receipt,
}

impl Engine {
    /// New items, with everything nested in them.
    ///
    /// # Errors
    /// Everything that is wrong with the data; then nothing was written.
    pub async fn create_items(
        &self,
        caller: &Caller,
        collection: &str,
        rows: Vec<Record>,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        self.write(caller, collection, Request::Create(&rows), options)
            .await
    }

    /// Changes items that exist.
    ///
    /// # Errors
    /// Everything that is wrong with the data, and keys that no item has; then nothing was written.
    pub async fn update_items(
        &self,
        caller: &Caller,
        collection: &str,
        mut target: Target,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        let expected = match self.schema().collection(collection) {
            Some(collection) => expecting::taken_from(collection, &mut target)?,
            None => expecting::Expected::new(),
        };
        if expected.is_empty() {
            return self
                .write(caller, collection, Request::Update(&target), options)
                .await;
        }
        let mut options = options.clone();
        for (key, tag) in expected {
            expecting::demand(&mut options.expect, key, tag)?;
        }
        self.write(caller, collection, Request::Update(&target), &options)
            .await
    }

    /// Changes the one item of a singleton, making it on first use.
    ///
    /// # Errors
    /// As [`Engine::update_items`].
    pub async fn upsert_singleton(
        &self,
        caller: &Caller,
        collection: &str,
        mut data: Record,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        let expected = match self.schema().collection(collection) {
            Some(collection) => expecting::taken_from_one(collection, &mut data, options.expect_one.clone())?,
            None => options.expect_one.clone(),
        };
        let options = WriteOptions {
            expect_one: expected,
            ..options.clone()
        };
        self.write(caller, collection, Request::Singleton(&data), &options)
            .await
    }

    /// Deletes items that exist; all of them or none.
    ///
    /// # Errors
    /// Keys that no item has; items that others still point to; [`Deletes::Refused`].
    pub async fn delete_items(
        &self,
        caller: &Caller,
        collection: &str,
        selection: Selection,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        self.write(caller, collection, Request::Delete(&selection), options)
            .await
    }

    async fn write(
        &self,
        caller: &Caller,
        collection: &str,
        request: Request<'_>,
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        writes_directly(caller)?;
        let (mut attempts, mut turn) = (Attempts::default(), Turn::of(caller));
        loop {
            let outcome = self.attempt(collection, &request, options, &mut turn).await;
            if let Some(written) = self.unless_again(&mut attempts, outcome).await? {
                return Ok(written);
            }
        }
    }

    /// `None`: the schema or the permissions changed before the transaction began. It is kept as `turn` for the next attempt:
    /// while it is open, nobody changes them.
    async fn attempt(
        &self,
        collection: &str,
        request: &Request<'_>,
        options: &WriteOptions,
        turn: &mut Turn,
    ) -> Result<Option<Written>, Error> {
        // In this order: rules that are read later are not older.
        let known = self.known();
        let schema = &self.schema();
        let grants = self.grants_under(schema, &turn.caller).await?;
        let on = self.resolver(schema, &grants);
        let collection = on
            .collection(collection, request.action(&on, collection))?
            .clone();
        system::writable(&grants, &collection)?;
        let returning = match &options.returning {
            // Whoever may write and not read gets no items back.
            Some(query) if on.may(Action::Read, &collection) => Some(answer_plan(&on, &collection, query)?),
            _ => None,
        };
        let mut prepared = prepare(&on, &collection, request)?;
        if prepared.problems.0.is_empty() {
            let hasher = self.parts().hasher.as_ref();
            prepared
                .problems
                .take(secrets::conceal(hasher, &mut prepared.drafts).await);
        }
        // While this waited for its turn, rights may have been taken away.
        let Some(mut tx) = self.turn(turn, schema, known).await? else {
            return Ok(None);
        };
        if let Request::Delete(selection) = request {
            let wanted = selected(&mut tx, &on, &collection, selection).await?;
            expecting::hold(self, &mut tx, &on, &collection, &options.expect).await?;
            if options.deletes == Deletes::Refused {
                return Err(deletes_disabled(wanted.len() as u64, &collection).into());
            }
            system::deletable(&collection, &wanted)?;
            let mut writer = self.writer(&on, tx, options, prepared.receipt);
            writer.delete(&collection, wanted.clone()).await?;
            return self
                .finish(&on, writer, &collection, wanted, None)
                .await
                .map(Some);
        }
        let wanted = targets(&mut tx, &on, &collection, request, &mut prepared).await?;
        expecting::hold(self, &mut tx, &on, &collection, &options.expect).await?;
        if let (Request::Singleton(_), Some(tag)) = (request, &options.expect_one) {
            let key = prepared.drafts.first().and_then(|draft| draft.key.clone());
            let one = expecting::of_one(&collection, key, tag)?;
            expecting::hold(self, &mut tx, &on, &collection, &one).await?;
        }
        let drafts = self.settle(&mut tx, &on, options, prepared, wanted).await?;
        let mut writer = self.writer(&on, tx, options, drafts.receipt);
        let keys = writer.save_shared(drafts.shared, drafts.drafts).await?;
        self.finish(&on, writer, &collection, keys, returning)
            .await
            .map(Some)
    }

    pub(crate) fn writer<'a>(
        &self,
        on: &Resolver<'a>,
        tx: Recorder,
        options: &WriteOptions,
        receipt: Receipt,
    ) -> Writer<'a> {
        Writer {
            tx,
            grants: on.grants,
            schema: on.schema,
            deletes: options.deletes,
            receipt,
            made: IndexMap::new(),
        }
    }

    /// Spreads one change over its targets, and settles everything; all problems at once.
    async fn settle(
        &self,
        tx: &mut Recorder,
        on: &Resolver<'_>,
        options: &WriteOptions,
        prepared: Prepared,
        wanted: Option<Vec<Scalar>>,
    ) -> Result<Settled, Error> {
        let Prepared {
            mut drafts,
            mut problems,
            receipt,
        } = prepared;
        let mut shared = Vec::new();
        if let Some(wanted) = wanted {
            let Some(mut template) = drafts.pop() else {
                return Err(Problem::forbidden().into());
            };
            // What they all shall point to is written once.
            if wanted.len() != 1 {
                shared = std::mem::take(&mut template.ones);
            }
            drafts = wanted
                .into_iter()
                .map(|key| Draft {
                    key: Some(key),
                    ..template.clone()
                })
                .collect();
        }
        let named: Vec<_> = drafts.iter().chain(shared.iter().map(|one| &one.draft)).collect();
        let existing = Existing::read(tx, on.grants, &named).await?;
        let mut settler = Settler::new(*on, &existing, &self.parts().generator, options.reserve_keys);
        settler.receipt = receipt;
        for one in &mut shared {
            settler.settle(&mut one.draft);
        }
        for draft in &mut drafts {
            draft.ones_elsewhere(shared.iter().map(|one| one.field.name.as_str()));
            settler.settle(draft);
        }
        for demand in std::mem::take(&mut settler.demands) {
            let collection = demand.collection.clone();
            settler.refuse(&collection, unmet(tx, demand).await?);
        }
        let (found, receipt) = settler.finish();
        problems.extend(found);
        told(problems)
            .or(Settled {
                drafts,
                shared,
                receipt,
            })
            .map_err(Error::from)
    }

    /// The system's own rules, the answer, the commit, and the news.
    async fn finish(
        &self,
        on: &Resolver<'_>,
        mut writer: Writer<'_>,
        collection: &Arc<Collection>,
        written: Vec<Scalar>,
        returning: Option<Answer>,
    ) -> Result<Written, Error> {
        writer.made_rightly().await?;
        let primary = keys::primary(collection)?;
        let rows = match returning {
            Some(Answer { plan, veil, most }) => {
                let some = written.iter().take(most.unwrap_or(usize::MAX)).cloned().collect();
                let mut rows = read_again(&mut writer, plan, collection, some).await?;
                veil.draw(on.schema, &mut rows);
                rows
            }
            None => Vec::new(),
        };
        let Writer { tx, mut receipt, .. } = writer;
        let recorded = self.conclude(tx).await?;
        receipt.applied.dedup();
        let told = |name: &str, tells: &dyn Fn(&Collection) -> bool| {
            let collection = on.schema.collection(name);
            collection.is_some_and(|collection| tells(collection))
        };
        // What the database did on its own is counted where nothing is hidden: it may have met any item.
        let mut cascaded = recorded.cascaded;
        cascaded.retain(|name, _| told(name, &|collection| on.grants.reads_whole(collection)));
        receipt.add(cascaded);
        receipt
            .changed
            .retain(|name, _| told(name, &|collection| on.grants.sees(collection)));
        Ok(Written {
            change: recorded.change,
            keys: written.iter().map(|key| keys::value(primary, key)).collect(),
            rows,
            receipt,
        })
    }
}

/// Drafts that may be written.
struct Settled {
    drafts: Vec<Draft>,
    shared: Vec<super::draft::One>,
    receipt: Receipt,
}

/// Reads what was sent.
fn prepare(
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    request: &Request<'_>,
) -> Result<Prepared, Problems> {
    let mut reader = Reader::new(*on);
    let drafts = match request {
        Request::Create(rows) => {
            let paths = |i: usize| {
                if rows.len() == 1 {
                    String::new()
                } else {
                    format!("[{i}]")
                }
            };
            let rows = rows.iter().enumerate();
            rows.map(|(i, row)| reader.item(collection, row, &paths(i), Intent::Create))
                .collect()
        }
        Request::Update(Target::Each(rows)) => each(&mut reader, collection, rows)?,
        Request::Update(Target::Keys { data, .. } | Target::Query { data, .. }) => {
            vec![reader.item(collection, data, "", Intent::Update)]
        }
        Request::Singleton(data) => vec![reader.item(collection, data, "", Intent::Either)],
        Request::Delete(_) => Vec::new(),
    };
    Ok(Prepared {
        drafts,
        problems: reader.problems,
        receipt: reader.receipt,
    })
}

fn each(
    reader: &mut Reader<'_>,
    collection: &Arc<Collection>,
    rows: &[Record],
) -> Result<Vec<Draft>, Problems> {
    let primary = keys::primary(collection)?;
    let mut drafts = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        let path = format!("[{i}]");
        let draft = reader.item(collection, row, &path, Intent::Update);
        if draft.key.is_none() && row.get(&primary.name).is_none_or(Value::is_null) {
            let problem =
                invalid("Item in update misses primary key.").at(format!("{path}.{}", primary.name));
            reader
                .problems
                .push(problem.hint(format!("Give every item its `{}`.", primary.name)));
        }
        drafts.push(draft);
    }
    Ok(drafts)
}

/// The items that one change is meant for; `None`: each draft names its own.
async fn targets(
    tx: &mut Recorder,
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    request: &Request<'_>,
    prepared: &mut Prepared,
) -> Result<Option<Vec<Scalar>>, Error> {
    let primary = keys::primary(collection)?;
    let wanted = match request {
        Request::Update(Target::Keys { keys, .. }) => parsed(on, collection, keys)?,
        Request::Update(Target::Query { query, .. }) => {
            let wanted = matching(tx, on, collection, query).await?;
            match prepared.drafts.first().map(|draft| updatable(on, draft)) {
                Some(Ok(filter)) => narrowed(tx, collection, wanted, filter).await?,
                // The caller will be told of what is wrong with the data.
                _ => wanted,
            }
        }
        Request::Singleton(_) => {
            let plan = ReadPlan {
                limit: Some(1),
                ..plain_read(collection, std::slice::from_ref(primary), Filter::All)
            };
            let reason = "whether there is the one item does not depend on who asks";
            let rows = tx
                .run(Permit::system(reason, Plan::Read(plan)))
                .await?
                .into_rows();
            let row = rows
                .first()
                .and_then(|row| keys::scalar(primary, row.get(&primary.name)?));
            if let Some(draft) = prepared.drafts.first_mut() {
                draft.intent = if row.is_some() {
                    Intent::Update
                } else {
                    Intent::Create
                };
                if row.is_some() {
                    draft.key = row;
                }
            }
            return Ok(None);
        }
        Request::Create(_) | Request::Update(Target::Each(_)) | Request::Delete(_) => return Ok(None),
    };
    let renamed = prepared.drafts.first_mut().and_then(|draft| draft.key.take());
    if let Some(key) = renamed
        && wanted != [key]
    {
        let message = "The primary key of an item cannot be changed.";
        let problem = invalid(message).at(primary.name.as_str());
        prepared
            .problems
            .push(problem.hint(format!("Leave `{}` out.", primary.name)));
    }
    Ok(Some(wanted))
}

/// The items to delete.
async fn selected(
    tx: &mut Recorder,
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    selection: &Selection,
) -> Result<Vec<Scalar>, Error> {
    let wanted = match selection {
        Selection::Query(query) => {
            let wanted = matching(tx, on, collection, query).await?;
            return narrowed(tx, collection, wanted, deletable(on.grants, collection)?).await;
        }
        Selection::Keys(keys) => parsed(on, collection, keys)?,
    };
    let primary = keys::primary(collection)?;
    let allowed = deletable(on.grants, collection)?;
    let found = among_them(tx, collection, wanted.clone(), allowed).await?;
    let missing: Vec<_> = wanted
        .iter()
        .map(|key| keys::text(primary, key))
        .filter(|key| !found.contains(key))
        .collect();
    if missing.is_empty() {
        Ok(wanted)
    } else {
        Err(keys::missing(on.grants, collection, &missing).into())
    }
}

/// Of these items, those on which a condition holds, in their order.
async fn narrowed(
    tx: &mut Recorder,
    collection: &Arc<Collection>,
    mut wanted: Vec<Scalar>,
    filter: Filter,
) -> Result<Vec<Scalar>, Error> {
    if !matches!(filter, Filter::All) && !wanted.is_empty() {
        let primary = keys::primary(collection)?;
        let found = among_them(tx, collection, wanted.clone(), filter).await?;
        wanted.retain(|key| found.contains(&keys::text(primary, key)));
    }
    Ok(wanted)
}

/// Keys as the database holds them, each once; keys that no item can have are missing ones.
fn parsed(on: &Resolver<'_>, collection: &Collection, given: &[Value]) -> Result<Vec<Scalar>, Problem> {
    let primary = keys::primary(collection)?;
    if given.is_empty() {
        let problem = invalid("It is not said which items are meant: the list of keys is empty.").at("keys");
        return Err(problem.hint("Name at least one key."));
    }
    let mut wanted = Vec::with_capacity(given.len());
    let mut impossible = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for key in given {
        match keys::scalar(primary, key) {
            Some(scalar) => {
                if seen.insert(keys::text(primary, &scalar)) {
                    wanted.push(scalar);
                }
            }
            None => impossible.push(key.to_string()),
        }
    }
    if impossible.is_empty() {
        Ok(wanted)
    } else {
        Err(keys::missing(on.grants, collection, &impossible))
    }
}

/// The keys of every item that a query matches, not of a page of them.
async fn matching(
    tx: &mut Recorder,
    on: &Resolver<'_>,
    collection: &Arc<Collection>,
    query: &Query,
) -> Result<Vec<Scalar>, Error> {
    if !query.selects() {
        let problem =
            invalid("It is not said which items are meant: the query has neither filter nor search.");
        let primary = keys::primary(collection)?;
        let hint = format!(
            "Name keys, or filter; all items are {{\"filter\": {{\"{}\": {{\"_nnull\": true}}}}}}.",
            primary.name
        );
        return Err(problem.at("query.filter").hint(hint).into());
    }
    let primary = keys::primary(collection)?;
    let all = Query {
        fields: Some(vec![primary.name.clone()]),
        limit: Some(query.limit.unwrap_or(-1)),
        ..query.clone()
    };
    let (plan, _) = on
        .read(collection, &all)
        .map_err(|problems| problems.within("query"))?;
    let plan = ReadPlan {
        limit: query.limit.and_then(|limit| u64::try_from(limit).ok()),
        select: plain_read(collection, std::slice::from_ref(primary), plan.filter.clone()).select,
        ..plan
    };
    let rows = tx.run(decide(on.grants, Plan::Read(plan))?).await?.into_rows();
    let keys = rows
        .iter()
        .filter_map(|row| keys::scalar(primary, row.get(&primary.name)?));
    Ok(keys.collect())
}

/// What is read again of the written items.
fn answer_plan(on: &Resolver<'_>, collection: &Arc<Collection>, query: &Query) -> Result<Answer, Problems> {
    let shape = Query {
        fields: query.fields.clone(),
        alias: query.alias.clone(),
        deep: query.deep.clone(),
        backlink: query.backlink,
        ..Query::default()
    };
    let most = query.limit.and_then(|limit| usize::try_from(limit).ok());
    let (plan, veil) = on.read(collection, &shape)?;
    Ok(Answer { plan, veil, most })
}

/// The items as they are now, in the order of `wanted`.
async fn read_again(
    writer: &mut Writer<'_>,
    plan: ReadPlan,
    collection: &Arc<Collection>,
    wanted: Vec<Scalar>,
) -> Result<Vec<Record>, Error> {
    let primary = keys::primary(collection)?;
    let order: Vec<_> = wanted.iter().map(|key| keys::text(primary, key)).collect();
    let mut plan = ReadPlan {
        filter: keys::among(primary, wanted),
        sort: Vec::new(),
        limit: None,
        offset: 0,
        ..plan
    };
    plan.select.push(Selected {
        when: None,
        alias: KEY.to_owned(),
        source: Source::Field(primary.clone()),
    });
    let rows = writer
        .tx
        .run(decide(writer.grants, Plan::Read(plan))?)
        .await?
        .into_rows();
    let mut by_key: std::collections::HashMap<String, Record> = rows
        .into_iter()
        .map(|mut row| {
            let key = match row.shift_remove(KEY) {
                Some(Value::String(text)) => text,
                Some(other) => other.to_string(),
                None => String::new(),
            };
            (key, row)
        })
        .collect();
    Ok(order.iter().filter_map(|key| by_key.remove(key)).collect())
}

/// The same problem is told once, however many items of one change have it; and of very many, the first.
fn told(problems: Problems) -> Problems {
    let mut seen = std::collections::HashSet::new();
    let mut told: Vec<Problem> = Vec::new();
    let mut more = 0_usize;
    for problem in problems.0 {
        let name = format!("{} {problem}", problem.code.name);
        if !seen.insert(name) {
            continue;
        }
        if told.len() < MOST_PROBLEMS {
            told.push(problem);
        } else {
            more += 1;
        }
    }
    if more > 0 {
        let message = format!("There are {more} more problems like these.");
        told.push(invalid(message).hint("Mend these first; the others will be named then."));
    }
    Problems(told)
}
