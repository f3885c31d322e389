//! Events on a bus.

use super::*;
use crate::fake::Call;

fn put(bus: &str, sources: &[&str]) -> Work {
    let entry = |source: &&str| EventEntry {
        source: (*source).to_owned(),
        detail_type: "AWS Proton Environment Status Change".to_owned(),
        detail: r#"{"name":"prd","status":"SUCCEEDED"}"#.to_owned(),
        resources: vec!["arn:aws:proton:eu-central-1:111122223333:environment/prd".to_owned()],
        at: hadron_proto::vocab::Timestamp::from_micros(1_800_000_000_000_000),
    };
    Work::PutEvents(PutEvents {
        bus: bus.to_owned(),
        entries: sources.iter().map(entry).collect(),
    })
}

#[tokio::test(start_paused = true)]
async fn events_arrive_in_order_and_refused_ones_are_named() {
    let world = World::new();
    let job = world.lease(1, 1, put("default", &["hadron", "aws.proton", "hadron"]));
    let outcome = world.run(&job).await;
    let Outcome::EventsPut { refused } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, 1);
    assert!(refused[0].1.contains("NotAuthorizedForSource"), "{refused:?}");
    assert_eq!(world.aws.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_not_there_is_a_failure_and_throttling_is_not() {
    let world = World::new();
    let job = world.lease(1, 1, put("other", &["hadron"]));
    let outcome = world.run(&job).await;
    let Outcome::Failed(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        failure.message.contains("cannot put events onto bus other"),
        "{}",
        failure.message
    );

    let line = Line::default();
    line.refuse(Some(Call::PutEvents), 3, "ThrottlingException", "Rate exceeded");
    let job = world.lease(2, 1, put("default", &["hadron"]));
    let put = world.run_over(&line, &job).await;
    assert_eq!(put, Outcome::EventsPut { refused: Vec::new() });
    assert_eq!(line.count(Call::PutEvents), 4);
    assert_eq!(world.aws.told().len(), 1);
}
