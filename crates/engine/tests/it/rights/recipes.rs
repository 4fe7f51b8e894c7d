//! The policies that every project starts with allow what they say, and no more.

use loggia_access::Action;
use loggia_model::system::recipes::RECIPES;
use serde_json::json;

use super::desk::BOB;
use crate::fixture::holder;
use crate::items::newspaper::newspaper;

#[tokio::test]
async fn recipes_allow_what_they_say() {
    let paper = newspaper().await;
    let stored = paper
        .rows(
            "directus_policies",
            json!({"sort": ["id"], "fields": ["id", "name", "admin_access"]}),
        )
        .await;
    let schema = paper.engine.schema();
    for (name, collection, may) in [
        ("Content editor", "articles", "create read update"),
        ("Content editor", "directus_files", "create read update"),
        ("Content editor", "directus_folders", "create read update"),
        ("Content editor", "directus_users", ""),
        ("Content editor", "directus_policies", ""),
        ("Analyst", "articles", "read"),
        ("Analyst", "directus_users", ""),
        ("Assistant", "articles", "create read update"),
        ("Assistant", "directus_files", ""),
        ("Assistant", "directus_settings", ""),
        ("Developer", "articles", ""),
    ] {
        let recipe = RECIPES.iter().find(|recipe| recipe.name == name).unwrap();
        let row = json!({"id": recipe.key, "name": name, "admin_access": recipe.admin});
        assert!(stored.contains(&row), "{name}: {stored:?}");
        assert_eq!(recipe.admin, name == "Developer");
        let caller = holder(BOB, &[&[recipe.key]]);
        let grants = paper.engine.grants(&caller).await.unwrap();
        let collection = schema.collection(collection).unwrap();
        let granted: Vec<_> = Action::ALL
            .into_iter()
            .filter(|(_, action)| grants.may(*action, collection))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(granted.join(" "), may, "{name} {}", collection.name);
    }
    // Nobody holds them.
    let held = paper.rows("directus_access", json!({"fields": ["policy"]})).await;
    assert!(
        held.iter()
            .all(|row| RECIPES.iter().all(|recipe| row["policy"] != recipe.key)),
        "{held:?}"
    );
}
