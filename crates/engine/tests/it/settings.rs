//! The settings are read once, and again when they changed.

use loggia_access::Permit;
use loggia_model::plan::{Plan, UpdatePlan};
use loggia_model::{Filter, Scalar};

use crate::fixture::engine;

#[tokio::test]
async fn settings_that_others_changed_are_taken_in() {
    let engine = engine().await;
    assert!(!engine.settings().mcp_enabled());
    assert_eq!(engine.settings().record()["project_name"], "Loggia");
    let collection = engine.schema().collection("directus_settings").unwrap().clone();
    let assign = [
        ("mcp_enabled", Scalar::Bool(true)),
        ("mcp_max_rows", Scalar::Int(0)),
        ("mcp_max_tokens", Scalar::Int(500)),
        ("mcp_system_prompt", Scalar::from("  ")),
    ];
    let plan = Plan::Update(UpdatePlan {
        filter: Filter::All,
        assign: assign
            .into_iter()
            .map(|(name, value)| (collection.field(name).unwrap().clone(), value))
            .collect(),
        collection,
    });
    let mut tx = engine.parts().store.begin().await.unwrap();
    tx.run(Permit::system("settings of a test", plan)).await.unwrap();
    tx.commit().await.unwrap();
    engine.refresh().await.unwrap();
    let settings = engine.settings();
    assert!(settings.mcp_enabled());
    assert_eq!(settings.mcp_max_rows(), 100, "no bound is not a bound");
    assert_eq!(settings.mcp_max_tokens(), 500);
    assert_eq!(settings.mcp_system_prompt(), None, "blank is none");
}
