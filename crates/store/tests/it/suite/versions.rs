//! What others compare to know whether something has changed, and what only one of several does at a time.

use std::time::Duration;

use loggia_model::plan::{Plan, SchemaPlan};
use loggia_store::{Leases, RUNS_OUT, Raises, Versions};
use serde_json::json;

use super::world::{World, newspaper, permit, run};

const NOTHING: Raises = Raises {
    rules: false,
    people: false,
};
const BOTH: Raises = Raises {
    rules: true,
    people: true,
};

fn author(world: &World) -> Plan {
    world.insert("authors", &[&[("name", json!("Ann"))]])
}

#[tokio::test]
async fn versions_rise_with_the_transactions_that_raise_them_and_only_then() {
    let Some(world) = newspaper().await else { return };
    let store = &world.store;
    let raised = async |raises: Raises| {
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.versions(), store.versions().await.unwrap());
        let name = format!("{raises:?}");
        run(&mut tx, world.insert("authors", &[&[("name", json!(name))]]))
            .await
            .unwrap();
        tx.raise(raises);
        tx.commit().await.unwrap();
        store.versions().await.unwrap()
    };
    let first = store.versions().await.unwrap();
    assert_eq!(raised(NOTHING).await, first, "an ordinary write raises nothing");
    let rules = Raises {
        rules: true,
        ..NOTHING
    };
    let second = raised(rules).await;
    assert_eq!((second.rules, second.people), (first.rules + 1, first.people));
    let people = Raises {
        people: true,
        ..NOTHING
    };
    let third = raised(people).await;
    assert_eq!((third.rules, third.people), (second.rules, second.people + 1));
    // What is dropped raises nothing.
    let mut tx = store.begin().await.unwrap();
    run(&mut tx, author(&world)).await.unwrap();
    tx.raise(BOTH);
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    tx.change_schema(permit(SchemaPlan { steps: Vec::new() }))
        .await
        .unwrap();
    tx.raise(BOTH);
    tx.commit().await.unwrap();
    let expected = Versions {
        schema: third.schema + 1,
        rules: third.rules + 1,
        people: third.people + 1,
    };
    assert_eq!(store.versions().await.unwrap(), expected);
    assert_eq!(store.begin().await.unwrap().versions(), expected);
}

/// Many that write at once, some of which raise: whoever begins meets nothing that is not committed yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_begins_after_a_raise_that_others_do_not_see() {
    let Some(world) = newspaper().await else { return };
    let tasks: Vec<_> = (0..40)
        .map(|i| {
            let store = world.store.clone();
            let plan = world.insert("authors", &[&[("name", json!(format!("a{i}")))]]);
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let met = tx.versions();
                let seen = store.versions().await.unwrap();
                assert_eq!(met, seen, "what a transaction meets is committed");
                run(&mut tx, plan).await.unwrap();
                if i % 3 == 0 {
                    tx.raise(BOTH);
                }
                tx.commit().await.unwrap();
                assert!(i % 3 != 0 || store.versions().await.unwrap().rules > met.rules);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.store.versions().await.unwrap().people, 14);
}

#[tokio::test]
async fn one_of_several_holds_a_lease_until_it_gives_it_back_or_is_gone() {
    let Some(world) = newspaper().await else { return };
    let leases = |holder: &str, runs_out| Leases::new(world.store.clone(), holder.to_owned(), runs_out);
    let (mut one, mut other) = (leases("one", RUNS_OUT), leases("other", RUNS_OUT));
    assert!(one.hold("prune").await.unwrap());
    assert!(one.hold("prune").await.unwrap(), "it holds on to it");
    assert!(!other.hold("prune").await.unwrap());
    assert!(!other.hold("prune").await.unwrap());
    assert!(other.hold("publish").await.unwrap(), "each lease for itself");
    one.give_back("prune").await.unwrap();
    assert!(other.hold("prune").await.unwrap());
    // Somebody for whom it runs out at once: not before they have seen that nothing moves.
    let mut third = leases("third", Duration::ZERO);
    assert!(!third.hold("prune").await.unwrap());
    assert!(other.hold("prune").await.unwrap());
    assert!(!third.hold("prune").await.unwrap(), "it has moved");
    assert!(third.hold("prune").await.unwrap());
    assert!(!other.hold("prune").await.unwrap(), "and is another's now");
    other.give_back("prune").await.unwrap();
    assert!(
        third.hold("prune").await.unwrap(),
        "nobody gives back what another holds"
    );
    let at_work = async |leases: &mut Leases| leases.during("prune", async { "done" }).await.unwrap();
    assert_eq!(at_work(&mut other).await, None);
    assert_eq!(at_work(&mut third).await, Some("done"));
    assert_eq!(at_work(&mut other).await, Some("done"), "it was given back");
}
