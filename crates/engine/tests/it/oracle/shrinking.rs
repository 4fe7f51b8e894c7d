//! A difference made small: without the parts of the question, the permissions and the rows that it does not need.

use loggia_engine::Engine;
use serde_json::Value;

use super::answers::Question;
use super::building;
use super::comparing::compare;
use super::copy::Copy;
use super::requests::Attempt;
use super::world::{Who, World};
use super::writing;

/// A question that is answered wrongly in a world.
pub(super) struct Case {
    pub(super) world: World,
    pub(super) who: Who,
    pub(super) question: Question,
}

impl Case {
    /// How the answers differ; `None`: they do not.
    async fn difference(&self, engine: &Engine) -> Option<String> {
        let (full, copy) = (Copy::full(&self.world), Copy::masked(&self.world, &self.who));
        let caller = building::caller(&self.who);
        compare(engine, &caller, &self.who, &copy, &full, &self.question)
            .await
            .err()
    }

    /// What is left of it, and how its answers differ, in words.
    pub(super) async fn shrunk(mut self) -> String {
        let mut engine = building::build(&self.world).await;
        self.smaller_question(&engine).await;
        let parts = self.world.permissions.len() + self.world.rows.values().map(Vec::len).sum::<usize>();
        for i in (0..parts).rev() {
            let smaller = Self {
                world: without(&self.world, i),
                who: self.who.clone(),
                question: self.question.clone(),
            };
            let other = building::build(&smaller.world).await;
            if smaller.difference(&other).await.is_some() {
                (self, engine) = (smaller, other);
            }
        }
        for layer in (0..self.who.layers.len())
            .rev()
            .filter(|_| self.who.layers.len() > 1)
        {
            let mut who = self.who.clone();
            who.layers.remove(layer);
            let smaller = Self {
                who,
                world: self.world.clone(),
                question: self.question.clone(),
            };
            if smaller.difference(&engine).await.is_some() {
                self = smaller;
                break;
            }
        }
        self.smaller_question(&engine).await;
        let difference = self.difference(&engine).await.unwrap_or_default();
        self.told(&difference)
    }

    async fn smaller_question(&mut self, engine: &Engine) {
        let mut at = 0;
        while let Some(query) = less(&self.question.query, &mut at.clone()) {
            let smaller = Self {
                world: self.world.clone(),
                who: self.who.clone(),
                question: Question {
                    query,
                    ..self.question.clone()
                },
            };
            if smaller.difference(engine).await.is_some() {
                *self = smaller;
            } else {
                at += 1;
            }
        }
    }

    fn told(&self, difference: &str) -> String {
        let mut text = told(&self.world, &self.who);
        text += &format!(
            "asked {} {:?}: {}\n{difference}",
            self.question.collection, self.question.key, self.question.query
        );
        text
    }
}

/// A world in words.
fn told(world: &World, who: &Who) -> String {
    let mut text = format!("seed {}, {} {who:?}\n", world.seed, who.name);
    for collection in &world.collections {
        let fields: Vec<_> = collection
            .fields
            .iter()
            .map(|field| format!("{}: {}", field.name, field.ty.name()))
            .collect();
        text += &format!(
            "{} (sort {:?}): {}\n",
            collection.name,
            collection.sort_field,
            fields.join(", ")
        );
        for row in world.rows.get(&collection.name).into_iter().flatten() {
            text += &format!("    {}\n", Value::Object(row.clone()));
        }
    }
    for relation in &world.relations {
        text += &format!("{relation:?}\n");
    }
    for permission in &world.permissions {
        text += &format!("{permission:?}\n");
    }
    text
}

/// A write that goes wrong in a world.
#[derive(Clone)]
pub(super) struct WriteCase {
    pub(super) world: World,
    pub(super) who: Who,
    pub(super) attempt: Attempt,
}

impl WriteCase {
    /// What goes wrong; `None`: nothing. A write changes what it is tried on, so each has a database of its own.
    async fn difference(&self) -> Option<String> {
        let mut world = self.world.clone();
        world.count();
        let engine = building::build(&world).await;
        writing::compare(&engine, &world, &self.who, &self.attempt)
            .await
            .err()
    }

    /// What is left of it, and what goes wrong, in words.
    pub(super) async fn shrunk(mut self) -> String {
        let Some(mut difference) = self.difference().await else {
            return format!(
                "it goes wrong only after what was written before\n{}",
                self.told("")
            );
        };
        let mut at = 0;
        while let Some(data) = less(&self.attempt.data, &mut at.clone()) {
            let mut smaller = self.clone();
            smaller.attempt.data = data;
            match smaller.difference().await {
                Some(still) => (self, difference) = (smaller, still),
                None => at += 1,
            }
        }
        let parts = self.world.permissions.len() + self.world.rows.values().map(Vec::len).sum::<usize>();
        for i in (0..parts).rev() {
            let mut smaller = self.clone();
            smaller.world = without(&self.world, i);
            if let Some(still) = smaller.difference().await {
                (self, difference) = (smaller, still);
            }
        }
        for layer in (0..self.who.layers.len()).rev() {
            let mut smaller = self.clone();
            smaller.who.layers.remove(layer);
            if smaller.who.layers.is_empty() {
                break;
            }
            if let Some(still) = smaller.difference().await {
                (self, difference) = (smaller, still);
            }
        }
        self.told(&difference)
    }

    fn told(&self, difference: &str) -> String {
        let Attempt {
            action,
            collection,
            keys,
            data,
        } = &self.attempt;
        let text = told(&self.world, &self.who);
        format!("{text}tried to {action} {collection} {keys:?}: {data}\n{difference}")
    }
}

/// The world without its i-th permission or row.
fn without(world: &World, i: usize) -> World {
    let mut world = world.clone();
    if i < world.permissions.len() {
        world.permissions.remove(i);
        return world;
    }
    let mut i = i - world.permissions.len();
    for (name, rows) in &mut world.rows {
        if i < rows.len() {
            let gone = rows.remove(i)["id"].clone();
            let name = name.clone();
            let pointing: Vec<_> = world
                .relations
                .iter()
                .filter(|relation| relation.one.as_ref() == Some(&name))
                .cloned()
                .collect();
            for relation in pointing {
                for row in world.rows.get_mut(&relation.many).into_iter().flatten() {
                    if row[&relation.field] == gone {
                        row.insert(relation.field.clone(), Value::Null);
                    }
                }
            }
            return world;
        }
        i -= rows.len();
    }
    world
}

/// The value without its `at`-th member or entry, counted at every depth; `None`: there are not so many.
fn less(value: &Value, at: &mut usize) -> Option<Value> {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let mut smaller = members.clone();
                if *at == 0 {
                    smaller.shift_remove(name);
                    return Some(smaller.into());
                }
                *at -= 1;
                if let Some(inner) = less(inner, at) {
                    smaller.insert(name.clone(), inner);
                    return Some(smaller.into());
                }
            }
            None
        }
        Value::Array(entries) => {
            for (i, inner) in entries.iter().enumerate() {
                let mut smaller = entries.clone();
                if *at == 0 {
                    smaller.remove(i);
                    return Some(smaller.into());
                }
                *at -= 1;
                if let Some(inner) = less(inner, at) {
                    smaller[i] = inner;
                    return Some(smaller.into());
                }
            }
            None
        }
        _ => None,
    }
}
