//! What callers may do: the permissions as they are stored, compiled for one caller at a time.
//!
//! Permissions are read once and kept until they change ([`Book`]). What they come to is compiled once for each set of
//! policies, and where they name the caller once for each caller; only what names the time, or what is stored of the
//! caller's user, is worked out for each request.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use loggia_access::{
    Action, Caller, Claims, Conditions, Grants, Layer, Permission, Permit, RuleSet, Rulebook, Varies,
};
use loggia_model::plan::Plan;
use loggia_model::{Collection, Filter, Problems, Query, Record, Schema, system};
use loggia_store::Store;
use serde_json::Value;

use crate::query::{Facts, Resolver, Sight, plain_read, substituted, substituted_rule};
use crate::{Engine, Error};

/// Callers whose compiled permissions are kept, at most.
const MOST_CALLERS: usize = 2_000;

/// The permissions as they were read at one moment, and what was made of them.
pub(crate) struct Book {
    rows: Vec<Record>,
    rulebook: Rulebook,
    /// What was compiled under the schema that was asked for last.
    compiled: Mutex<Option<Arc<Compiled>>>,
    /// Broken permissions that were logged.
    told: Mutex<HashSet<(String, String, Action)>>,
}

/// What was compiled under one snapshot of the schema.
struct Compiled {
    schema: Arc<Schema>,
    layers: Mutex<HashMap<LayerKey, Arc<Layered>>>,
    callers: Mutex<HashMap<CallerKey, RuleSet>>,
}

/// What a compiled layer depends on besides the schema: its policies, and whether the Studio may be used.
type LayerKey = (Vec<String>, bool);

/// What it depends on besides, where permissions name the caller.
#[derive(PartialEq, Eq, Hash)]
struct CallerKey {
    layer: LayerKey,
    user: Option<String>,
    role: Option<String>,
    roles: Vec<String>,
    policies: Vec<String>,
}

/// One layer, compiled.
struct Layered {
    set: RuleSet,
    /// What must be known of the caller's user.
    paths: BTreeSet<String>,
}

impl Book {
    /// Reads every permission.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn read(store: &Store) -> Result<Self, Error> {
        let Some(definition) = system::collection("directus_permissions") else {
            return Ok(Self::of(Vec::new()));
        };
        let collection = Arc::new(definition.collection());
        let columns = collection.fields.values().filter(|field| !field.is_alias());
        let fields: Vec<_> = columns.cloned().collect();
        let plan = Plan::Read(plain_read(&collection, &fields, Filter::All));
        let reason = "permissions decide what every request may do";
        let rows = store.run(Permit::system(reason, plan)).await?.into_rows();
        Ok(Self::of(rows))
    }

    fn of(rows: Vec<Record>) -> Self {
        let rulebook = Rulebook::new(rows.iter().filter_map(permission));
        Self {
            rows,
            rulebook,
            compiled: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Whether another reading says the same.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.rows == other.rows
    }

    /// What was compiled under this schema so far.
    fn under(&self, schema: &Arc<Schema>) -> Arc<Compiled> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        let known = compiled
            .as_ref()
            .filter(|known| Arc::ptr_eq(&known.schema, schema));
        match known {
            Some(known) => known.clone(),
            None => compiled.insert(Arc::new(Compiled::under(schema.clone()))).clone(),
        }
    }

    /// Logs the permissions of a set that grant nothing because they cannot be compiled; each once.
    fn tell_broken(&self, set: &RuleSet) {
        for broken in set.broken() {
            let name = (broken.policy.clone(), broken.collection.clone(), broken.action);
            if self
                .told
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(name)
            {
                let why: Vec<_> = broken.problems.0.iter().map(ToString::to_string).collect();
                tracing::warn!(
                    policy = broken.policy,
                    collection = broken.collection,
                    action = broken.action.name(),
                    why = why.join("; "),
                    "a permission cannot be applied and grants nothing"
                );
            }
        }
    }
}

impl Compiled {
    fn under(schema: Arc<Schema>) -> Self {
        Self {
            schema,
            layers: Mutex::default(),
            callers: Mutex::default(),
        }
    }
}

/// A row of `directus_permissions`; `None`: its action is not known, so it allows nothing.
pub(crate) fn permission(row: &Record) -> Option<Permission> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    // What is there and is no list names nothing: only null leaves a limit out.
    let list = |name: &str| match row.get(name)? {
        Value::Null => None,
        Value::Array(entries) => Some(
            entries
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        ),
        Value::String(entries) => Some(
            entries
                .split(',')
                .map(str::trim)
                .filter(|entry| !entry.is_empty())
                .map(str::to_owned)
                .collect(),
        ),
        _ => Some(Vec::new()),
    };
    Some(Permission {
        policy: text("policy")?.to_owned(),
        collection: text("collection")?.to_owned(),
        action: Action::parse(text("action")?)?,
        items: row.get("permissions").cloned().unwrap_or_default(),
        validation: row.get("validation").cloned().unwrap_or_default(),
        presets: match row.get("presets") {
            Some(Value::Object(presets)) => presets.clone(),
            _ => Record::new(),
        },
        fields: list("fields").unwrap_or_default(),
        locales: list("locales"),
        statuses: list("statuses"),
    })
}

impl Engine {
    /// What a caller may do now. Values that permissions take from the caller's user are read for it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn grants(&self, caller: &Caller) -> Result<Grants, Error> {
        self.grants_under(&self.schema(), caller).await
    }

    /// What a caller may do now, as far as can be said without reading the caller's user: good for what is shown and
    /// listed. Actions, collections and fields are all there; which items, is not.
    #[must_use]
    pub fn outline(&self, caller: &Caller) -> Grants {
        let schema = self.schema();
        let layers = self.layers(&schema, caller);
        Grants::assemble(caller, layers.into_iter().map(|(set, _)| set))
    }

    /// As [`Engine::grants`], under a snapshot of the schema that is at hand.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn grants_under(&self, schema: &Arc<Schema>, caller: &Caller) -> Result<Grants, Error> {
        let mut layers = self.layers(schema, caller);
        let moving = layers.iter().any(|(set, _)| set.varies() == Varies::ByMoment);
        if moving {
            let paths = layers
                .iter()
                .flat_map(|(_, layered)| layered.paths.clone())
                .collect();
            let facts = self.facts(schema, caller, &paths).await?;
            let book = self.book();
            self.with_conditions(schema, caller, &facts, |conditions| {
                for (set, _) in &mut layers {
                    if set.varies() == Varies::ByMoment {
                        *set = set.renewed(Varies::ByMoment, conditions);
                        book.tell_broken(set);
                    }
                }
            });
        }
        Ok(Grants::assemble(caller, layers.into_iter().map(|(set, _)| set)))
    }

    /// What each layer of a caller allows that does not allow everything: all but what is read of the caller's user.
    fn layers(&self, schema: &Arc<Schema>, caller: &Caller) -> Vec<(RuleSet, Arc<Layered>)> {
        let claims = caller.claims();
        let narrow: Vec<_> = claims.layers.iter().filter(|layer| !layer.admin).collect();
        if narrow.is_empty() {
            return Vec::new();
        }
        let book = self.book();
        let compiled = book.under(schema);
        narrow
            .into_iter()
            .map(|layer| {
                let layered = self.layered(schema, caller, layer, &book, &compiled);
                let set = match layered.set.varies() {
                    Varies::Never => layered.set.clone(),
                    Varies::ByCaller | Varies::ByMoment => {
                        self.of_caller(schema, caller, layer, &layered, &compiled)
                    }
                };
                (set, layered)
            })
            .collect()
    }

    fn layered(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        layer: &Layer,
        book: &Book,
        compiled: &Compiled,
    ) -> Arc<Layered> {
        let key = layer_key(layer, caller.claims());
        let known = compiled
            .layers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(known) = known {
            return known;
        }
        let paths = book
            .rulebook
            .user_paths(layer.policies.iter().map(String::as_str));
        let facts = Facts::unread(schema, &paths);
        let set = self.with_conditions(schema, caller, &facts, |conditions| {
            RuleSet::compile(&key.0, key.1, schema, &book.rulebook, conditions)
        });
        book.tell_broken(&set);
        let layered = Arc::new(Layered { set, paths });
        let mut layers = compiled.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if layers.len() >= MOST_CALLERS {
            layers.clear();
        }
        layers.insert(key, layered.clone());
        layered
    }

    fn of_caller(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        layer: &Layer,
        layered: &Layered,
        compiled: &Compiled,
    ) -> RuleSet {
        let claims = caller.claims();
        let key = CallerKey {
            layer: layer_key(layer, claims),
            user: claims.user.clone(),
            role: claims.role.clone(),
            roles: claims.roles.clone(),
            policies: claims.policies.clone(),
        };
        let known = compiled
            .callers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some(known) = known {
            return known;
        }
        let facts = Facts::unread(schema, &layered.paths);
        let set = self.with_conditions(schema, caller, &facts, |conditions| {
            layered.set.renewed(Varies::ByCaller, conditions)
        });
        let mut callers = compiled.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MOST_CALLERS {
            callers.clear();
        }
        callers.insert(key, set.clone());
        set
    }

    /// What these paths from the caller's user lead to.
    async fn facts(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        paths: &BTreeSet<String>,
    ) -> Result<Facts, Error> {
        let unread = Facts::unread(schema, paths);
        if unread.is_empty() {
            return Ok(unread);
        }
        let Some(user) = caller.user() else {
            return Ok(unread.of_nobody());
        };
        let blind = Grants::assemble(caller, []);
        let on = self.resolver_of_everything(schema, &blind);
        let Some(plan) = on.facts_plan(&unread, user) else {
            return Ok(unread.unreadable());
        };
        let reason = "permissions compare items with what is stored of the caller's user";
        let outcome = self
            .parts()
            .store
            .run(Permit::system(reason, Plan::Read(plan)))
            .await?;
        let rows = outcome.into_rows();
        Ok(rows
            .first()
            .map_or_else(|| unread.unreadable(), |row| unread.read(row)))
    }

    /// Calls `work` with what turns the filters of permissions into conditions.
    fn with_conditions<T>(
        &self,
        schema: &Arc<Schema>,
        caller: &Caller,
        facts: &Facts,
        work: impl FnOnce(&dyn Conditions) -> T,
    ) -> T {
        let blind = Grants::assemble(caller, []);
        let on = Resolver {
            facts: Some(facts),
            ..self.resolver_of_everything(schema, &blind)
        };
        work(&Rules { on })
    }

    /// Looks names up for the system's own questions: everything is there.
    fn resolver_of_everything<'a>(&'a self, schema: &'a Arc<Schema>, grants: &'a Grants) -> Resolver<'a> {
        Resolver {
            sight: Sight::Everything,
            ..self.resolver(schema, grants)
        }
    }
}

/// The filters of permissions, resolved with everything visible.
pub(crate) struct Rules<'a> {
    pub(crate) on: Resolver<'a>,
}

impl<'a> Rules<'a> {
    /// What permissions are checked against when they are saved: `on`, with everything visible, and these facts.
    pub(crate) fn for_checks(on: &Resolver<'a>, facts: &'a Facts) -> Self {
        Self {
            on: Resolver {
                sight: Sight::Everything,
                facts: Some(facts),
                ..*on
            },
        }
    }
}

impl Conditions for Rules<'_> {
    fn condition(&self, collection: &Arc<Collection>, filter: &Value) -> Result<Filter, Problems> {
        let query = Query {
            filter: Some(filter.clone()),
            ..Query::default()
        };
        self.on.condition(collection, &query)
    }

    fn substituted(&self, value: &Value) -> Value {
        substituted(&self.on, value)
    }

    fn substituted_rule(&self, rule: &Value) -> Value {
        substituted_rule(&self.on, rule)
    }
}

fn layer_key(layer: &Layer, claims: &Claims) -> LayerKey {
    (layer.policies.clone(), claims.app_access && claims.user.is_some())
}
