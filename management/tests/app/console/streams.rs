//! Pages that follow what happens.

use std::time::Duration;

use axum::body::Body;
use hadron_domain::authority::Role;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{Browser, HOST};
use crate::world::{PRODUCTION, World, environment};

/// The events of a stream until nothing comes for a while, each as name, id and data.
async fn heard(
    browser: &Browser,
    path: &str,
    last: Option<&str>,
    wait: Duration,
) -> Vec<(String, String, String)> {
    let mut request = Request::get(path)
        .header(header::COOKIE, &browser.cookie)
        .header(header::HOST, HOST);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let answer = browser
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut body = answer.into_body();
    let mut text = String::new();
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(wait, body.frame()).await {
        if let Ok(data) = frame.into_data() {
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
    let field = |event: &str, name: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix(name));
        lines.collect::<Vec<_>>().join("\n")
    };
    text.split("\n\n")
        .filter(|event| event.starts_with("event: "))
        .map(|event| {
            (
                field(event, "event: "),
                field(event, "id: "),
                field(event, "data: "),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_gives_what_is_missing_and_nothing_twice() {
    let world = World::sqlite().await;
    world.templates().await;
    let (_, agent) = world.environment(PRODUCTION, "prd").await;
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let wait = Duration::from_millis(1_500);
    let page = browser.get("/environments").await;
    let stream = page
        .text
        .split("sse-connect=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let stream = stream.replace("&#38;", "&").replace("&amp;", "&");
    assert!(stream.starts_with("/live/environments?have="), "{stream}");
    // The page has all there is.
    assert!(heard(&browser, &stream, None, wait).await.is_empty());
    browser.post("/environments/prd/redeploy", &[]).await;
    let events = heard(&browser, &stream, None, wait).await;
    let (name, id, data) = events.last().unwrap();
    assert!(name == "page" && data.contains("IN_PROGRESS"), "{events:?}");
    assert!(heard(&browser, &stream, Some(id), wait).await.is_empty());

    // Lines of a deployment go on behind the last one that came.
    let deployment = world.last(&environment("prd")).await.deployment.id;
    let stream = format!("/live/deployments/{deployment}?have=&seq=0");
    agent.succeed_all(&world).await;
    let all = heard(&browser, &stream, None, wait).await;
    let lines: Vec<_> = all.iter().filter(|(name, _, _)| name == "event").collect();
    assert!(lines.len() > 1, "{all:?}");
    assert_eq!(all.last().unwrap().0, "page");
    let rest = heard(&browser, &stream, Some(&lines[0].1), wait).await;
    let again: Vec<_> = rest
        .iter()
        .filter(|(name, _, _)| name == "event")
        .map(|event| &event.2)
        .collect();
    assert_eq!(again, lines[1..].iter().map(|event| &event.2).collect::<Vec<_>>());

    // A stream ends with its session.
    let signed_out = browser.post("/sign-out", &[]).await;
    assert_eq!(signed_out.to(), "/sign-in");
    assert_eq!(browser.get(&stream).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/environments").await.status, StatusCode::SEE_OTHER);
}
