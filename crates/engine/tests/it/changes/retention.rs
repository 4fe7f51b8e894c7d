//! What need not be kept any more goes, and the record still verifies.

use jiff::SignedDuration;
use loggia_access::{Origin, TokenFacts, TokenMode};
use loggia_engine::changes::{ChangeFilter, Conflicts, RevertOptions, RevertTarget};
use loggia_engine::items::WriteOptions;
use loggia_journal::{Pruned, verify};
use loggia_model::{Record, Scalar};
use serde_json::{Value, json};

use super::{Shop, record, shop};
use crate::fixture::{administrator_with, insert, nobody};

impl Shop {
    async fn keep(&self, activity: Value, revisions: Value) {
        let settings = json!({"activity_retention": activity, "revisions_retention": revisions});
        self.set(settings).await.unwrap();
    }

    async fn set(&self, settings: Value) -> Result<(), loggia_engine::Error> {
        let options = WriteOptions::default();
        let written = self
            .engine
            .upsert_singleton(&self.admin, "directus_settings", record(settings), &options)
            .await;
        written.map(drop)
    }

    fn days(&self, days: i64) {
        self.engine
            .parts()
            .clock
            .advance(SignedDuration::from_hours(24 * days));
    }

    async fn prune(&self) -> Pruned {
        self.engine.prune(&self.admin).await.unwrap()
    }

    async fn broken(&self) -> Option<loggia_journal::Broken> {
        verify(&self.engine.parts().store, None).await.unwrap().broken
    }

    /// Revisions of one item, as (number, change).
    async fn kept(&self, collection: &str, item: &str) -> Vec<i64> {
        let rows = self.rows("directus_revisions").await;
        let of = rows
            .iter()
            .filter(|row| row["collection"] == collection && row["item"] == item);
        of.map(|row| row["number"].as_i64().unwrap()).collect()
    }
}

/// A maker that was changed twice on one day, and once ninety days later.
async fn old() -> Shop {
    let shop = shop().await;
    shop.create("makers", json!([{"name": "Acme"}, {"name": "Other"}]))
        .await;
    shop.update("makers", json!([1]), json!({"name": "Acme 2"})).await;
    shop.days(90);
    shop.update("makers", json!([1]), json!({"name": "Acme 3"})).await;
    shop
}

fn of(rows: &[Record], change: &Value) -> usize {
    rows.iter().filter(|row| row["change"] == *change).count()
}

#[tokio::test]
async fn everything_is_kept_for_ever_unless_it_is_said_otherwise() {
    let shop = old().await;
    let before = shop.changes().await;
    assert_eq!(shop.prune().await, Pruned::default());
    assert_eq!(shop.changes().await, before, "nothing to do is no change");
}

#[tokio::test]
async fn old_revisions_go_and_the_last_of_each_item_stays() {
    let shop = old().await;
    let changes = shop.changes().await;
    let headers: Vec<_> = changes.iter().map(|row| row["hash"].clone()).collect();
    shop.keep(Value::Null, json!(30)).await;
    let (activity, revisions) = (
        shop.rows("directus_activity").await.len(),
        shop.rows("directus_revisions").await.len(),
    );
    let pruned = shop.prune().await;
    assert!(pruned.revisions >= 2, "{pruned:?}");
    assert_eq!(pruned.activity, 0, "activity is kept for ever");
    assert_eq!(shop.kept("makers", "1").await, [3]);
    assert_eq!(shop.kept("makers", "2").await, [1], "old, and the last one");
    let left = shop.rows("directus_revisions").await.len();
    assert_eq!(revisions - left, usize::try_from(pruned.revisions).unwrap());
    // Headers stay as they are, and what was taken is a change.
    let after = shop.changes().await;
    assert!(
        after
            .iter()
            .map(|row| &row["hash"])
            .take(headers.len())
            .eq(headers.iter())
    );
    let change = after.last().unwrap();
    assert_eq!(change["id"], pruned.changes[0].as_str());
    assert_eq!(
        change["counts"]["directus_revisions"]["deleted"],
        json!(pruned.revisions)
    );
    assert_eq!(change["rows"], json!(pruned.revisions));
    assert_eq!(change["reversible"], false);
    assert_eq!(change["title"], "Kept: revisions for 30 days");
    assert_eq!(
        shop.rows("directus_activity").await.len(),
        activity + 1,
        "its own"
    );
    assert_eq!(shop.broken().await, None);
    // The numbers go on, and there is nothing more to be taken.
    shop.update("makers", json!([2]), json!({"name": "Other 2"}))
        .await;
    assert_eq!(shop.kept("makers", "2").await.last(), Some(&2));
    let again = shop.prune().await;
    assert_eq!(again.revisions, 1, "the one that was the last");
    assert_eq!(shop.kept("makers", "2").await, [2]);
    assert_eq!(shop.broken().await, None);
    let count = shop.changes().await.len();
    assert_eq!(shop.prune().await, Pruned::default());
    assert_eq!(shop.changes().await.len(), count);
}

#[tokio::test]
async fn items_that_are_gone_keep_their_number_too() {
    let shop = old().await;
    shop.delete("makers", json!([1])).await;
    shop.keep(json!(1), json!(1)).await;
    shop.days(10);
    shop.prune().await;
    assert_eq!(shop.kept("makers", "1").await, [4]);
    shop.create("makers", json!({"id": 1, "name": "Again"})).await;
    assert_eq!(shop.kept("makers", "1").await.last(), Some(&5));
    assert_eq!(shop.broken().await, None);
}

#[tokio::test]
async fn old_activity_goes_with_its_revisions_and_so_does_who_signed_in() {
    let shop = shop().await;
    let happened = async |action: &str, moment: &str| {
        let event =
            json!({"action": action, "collection": "directus_users", "item": "x", "timestamp": moment});
        insert(&shop.engine, "directus_activity", std::slice::from_ref(&event)).await;
    };
    shop.create("makers", json!([{"name": "Acme"}, {"name": "Other"}]))
        .await;
    happened("login", "2026-11-21T12:00:00.000Z").await;
    shop.update("makers", json!([1]), json!({"name": "Acme 2"})).await;
    let updated = shop.last().await;
    shop.days(90);
    happened("logout", "2027-02-19T12:00:00.000Z").await;
    shop.update("makers", json!([1]), json!({"name": "Acme 3"})).await;
    shop.keep(json!(30), json!(30)).await;
    shop.days(1);
    let pruned = shop.prune().await;
    let activity = shop.rows("directus_activity").await;
    assert!(activity.iter().all(|row| row["action"] != "login"));
    assert!(activity.iter().any(|row| row["action"] == "logout"));
    assert!(pruned.activity > pruned.revisions, "{pruned:?}");
    // What a revision belongs to stays with it.
    let revisions = shop.rows("directus_revisions").await;
    assert!(
        revisions
            .iter()
            .all(|row| activity.iter().any(|one| one["id"] == row["activity"]))
    );
    assert_eq!(updated["rows"], 1);
    assert_eq!(
        (of(&activity, &updated["id"]), of(&revisions, &updated["id"])),
        (0, 0),
        "{updated:?}"
    );
    assert_eq!(shop.broken().await, None);
    // Keys are not given out again.
    let largest = |rows: &[Record]| rows.iter().map(|row| row["id"].as_i64().unwrap()).max().unwrap();
    let before = largest(&activity);
    shop.create("makers", json!({"name": "New"})).await;
    assert!(largest(&shop.rows("directus_activity").await) > before);
    assert_eq!(shop.broken().await, None);
}

#[tokio::test]
async fn activity_alone_goes_where_no_revision_needs_it() {
    let shop = shop().await;
    let meta = json!({"meta": {"accountability": "activity"}});
    shop.engine
        .update_collection(&shop.admin, "makers", meta)
        .await
        .unwrap();
    shop.create("makers", json!({"name": "Acme"})).await;
    let made = shop.last().await;
    shop.create("parts", json!({"name": "Bolt"})).await;
    let kept = shop.last().await;
    shop.days(90);
    shop.keep(json!(30), Value::Null).await;
    let pruned = shop.prune().await;
    assert!(pruned.activity > 0);
    assert_eq!(pruned.revisions, 0);
    let activity = shop.rows("directus_activity").await;
    assert_eq!((of(&activity, &made["id"]), of(&activity, &kept["id"])), (0, 1));
    assert_eq!(shop.broken().await, None);
}

/// Where something was taken away, what others take away, add or change still shows.
#[tokio::test]
async fn what_others_do_to_a_pruned_record_shows() {
    let shop = old().await;
    shop.keep(json!(30), json!(30)).await;
    shop.days(1);
    shop.prune().await;
    assert_eq!(shop.broken().await, None);
    let revisions = shop.rows("directus_revisions").await;
    let last = revisions
        .iter()
        .find(|row| row["collection"] == "makers" && row["item"] == "2")
        .unwrap();
    // A revision that stayed is changed by hand.
    shop.tamper("directus_revisions", &last["id"], "item", Scalar::from("9"))
        .await;
    assert!(shop.broken().await.is_some());
    shop.tamper("directus_revisions", &last["id"], "item", Scalar::from("2"))
        .await;
    assert_eq!(shop.broken().await, None);
    // What was written down of those that went is changed.
    let prunings = shop.rows("loggia_prunings").await;
    for (column, forged) in [
        ("activity", Scalar::Int(7)),
        ("rows", Scalar::from("{\"activity\":[],\"revisions\":[]}")),
        (
            "rows",
            Scalar::from("{\"activity\":[[1,\"x\"]],\"revisions\":[]}"),
        ),
        ("pruning", Scalar::from("99999999-9999-4999-8999-999999999999")),
        ("change", Scalar::from("99999999-9999-4999-8999-999999999999")),
    ] {
        let pruning = &prunings[0];
        let was = match &pruning[column] {
            Value::Number(number) => Scalar::Int(number.as_i64().unwrap()),
            Value::String(text) => Scalar::from(text.as_str()),
            other => Scalar::from(other.to_string()),
        };
        shop.tamper("loggia_prunings", &pruning["id"], column, forged)
            .await;
        assert!(shop.broken().await.is_some(), "{column}");
        shop.tamper("loggia_prunings", &pruning["id"], column, was).await;
        assert_eq!(shop.broken().await, None, "{column}");
    }
    // A revision that has none before it any more is said to be after another.
    let first = revisions
        .iter()
        .find(|row| row["collection"] == "makers" && row["item"] == "1")
        .unwrap();
    assert_eq!((&first["number"], &first["parent"]), (&json!(3), &Value::Null));
    shop.tamper(
        "directus_revisions",
        &first["id"],
        "parent",
        Scalar::Int(last["id"].as_i64().unwrap()),
    )
    .await;
    assert!(shop.broken().await.unwrap().what.contains("before it"));
    shop.tamper("directus_revisions", &first["id"], "parent", Scalar::Null)
        .await;
    // One that stayed is taken away by hand, and by hand it is said that it was old.
    let forged = json!({"change": last["change"], "pruning": prunings[0]["pruning"], "activity": 0, "revisions": 1,
        "rows": {"activity": [], "revisions": [[last["id"], "0".repeat(64), 0]]}});
    shop.remove("directus_revisions", &last["id"]).await;
    assert!(shop.broken().await.is_some());
    insert(&shop.engine, "loggia_prunings", std::slice::from_ref(&forged)).await;
    assert!(shop.broken().await.is_some());
}

#[tokio::test]
async fn a_change_whose_revisions_are_gone_is_not_taken_back_and_says_why() {
    let shop = old().await;
    let changes = shop.changes().await;
    let updated = changes[changes.len() - 2]["id"].as_str().unwrap().to_owned();
    let read = async |id: &str| shop.engine.read_change(&shop.admin, id).await.unwrap();
    assert_eq!(read(&updated).await["reversible"], true);
    shop.keep(json!(30), json!(30)).await;
    shop.days(1);
    shop.prune().await;
    assert_eq!(read(&updated).await["reversible"], false);
    let listed = shop
        .engine
        .list_changes(&shop.admin, &ChangeFilter::default())
        .await
        .unwrap();
    let listed = listed
        .changes
        .iter()
        .find(|row| row["id"] == updated.as_str())
        .unwrap();
    assert_eq!(listed["reversible"], false);
    let revert = |conflicts| {
        let options = RevertOptions {
            conflicts,
            ..RevertOptions::default()
        };
        let (engine, admin, target) = (
            shop.engine.clone(),
            shop.admin.clone(),
            RevertTarget::Changes(vec![updated.clone()]),
        );
        async move { engine.revert(&admin, target, &options).await }
    };
    let refused = revert(Conflicts::Refuse).await.unwrap_err().problems();
    let said = serde_json::to_string(&refused.0[0].extensions).unwrap();
    assert!(said.contains("revisions_retention"), "{said}");
    let skipped = revert(Conflicts::Skip).await.unwrap();
    assert_eq!(skipped.change, None, "nothing of it is left");
    assert!(skipped.not_restored[0].what.contains("older than they are kept"));
    // A later one is untouched by that.
    let later = changes.last().unwrap()["id"].as_str().unwrap();
    assert_eq!(read(later).await["reversible"], true);
    let target = RevertTarget::Changes(vec![later.to_owned()]);
    let reverted = shop
        .engine
        .revert(&shop.admin, target, &RevertOptions::default())
        .await
        .unwrap();
    assert!(reverted.change.is_some());
    assert_eq!(shop.broken().await, None);
}

#[tokio::test]
async fn nothing_goes_that_comes_after_what_is_to_be_kept() {
    let shop = shop().await;
    shop.create("makers", json!({"name": "Acme"})).await;
    // The clock was ahead for a while.
    shop.days(400);
    shop.update("makers", json!([1]), json!({"name": "Acme 2"})).await;
    let ahead = shop.last().await;
    shop.engine
        .parts()
        .clock
        .advance(-SignedDuration::from_hours(24 * 400));
    shop.update("makers", json!([1]), json!({"name": "Acme 3"})).await;
    shop.keep(json!(30), json!(30)).await;
    shop.days(90);
    shop.prune().await;
    assert_eq!(shop.kept("makers", "1").await, [2, 3], "{ahead:?}");
    assert_eq!(shop.broken().await, None);
}

#[tokio::test]
async fn many_rows_go_in_portions() {
    let shop = shop().await;
    let rows: Vec<_> = (0..2_100)
        .map(|i| json!({"name": format!("Maker {i}")}))
        .collect();
    shop.create("makers", rows.into()).await;
    let keys: Vec<_> = (1..=2_100).map(Value::from).collect();
    let ahead = json!({"name": null});
    shop.update("makers", keys.into(), ahead).await;
    shop.days(90);
    shop.create("parts", json!({"name": "Bolt"})).await;
    shop.keep(json!(30), json!(30)).await;
    let pruned = shop.prune().await;
    assert!(pruned.revisions >= 2_100, "{pruned:?}");
    assert!(pruned.changes.len() > 1, "{pruned:?}");
    assert_eq!(shop.kept("makers", "1").await, [2]);
    assert_eq!(shop.broken().await, None);
}

#[tokio::test]
async fn only_administrators_themselves_take_away_or_say_for_how_long() {
    let shop = shop().await;
    let token = administrator_with(|claims| {
        claims.token = Some(TokenFacts {
            id: "22222222-2222-4222-8222-222222222222".to_owned(),
            name: "import".to_owned(),
            mode: TokenMode::Direct,
            changed_rows_per_hour: None,
        });
    });
    let assistant = administrator_with(|claims| claims.origin = Origin::Mcp);
    for caller in [&nobody(), &token, &assistant] {
        assert_eq!(
            shop.engine.prune(caller).await.unwrap_err().problems().0[0]
                .code
                .name,
            "FORBIDDEN"
        );
        let data = record(json!({"revisions_retention": 1}));
        let options = WriteOptions::default();
        let set = shop
            .engine
            .upsert_singleton(caller, "directus_settings", data, &options)
            .await;
        assert_eq!(set.unwrap_err().problems().0[0].code.name, "FORBIDDEN");
    }
    for days in [json!(0), json!(-1)] {
        let refused = shop
            .set(json!({"activity_retention": days}))
            .await
            .unwrap_err()
            .problems();
        assert_eq!(refused.0[0].code.name, "FAILED_VALIDATION");
    }
}
