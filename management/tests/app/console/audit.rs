//! The audit log as a file.

use hadron_domain::authority::Role;
use hadron_management::store::requests;
use http::{StatusCode, header};

use super::{Browser, EVIL};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_exported_with_its_filter_and_that_is_in_the_log() {
    let world = World::sqlite().await;
    let browser = Browser::of(&world, Some(Role::Auditor), None).await;
    // More than are read at once.
    let written = world.app.write("rows", |unit| {
        Box::pin(async move {
            for number in 0..4_500 {
                let object = format!("{number} {EVIL}");
                requests::audit(
                    unit.tx, unit.now, "token:x", None, "Bulk", &object, "done", "=1+1",
                )
                .await?;
            }
            Ok(())
        })
    });
    written.await.unwrap();

    let page = browser.get("/audit?action=Bulk&before=10").await;
    let link = "/audit/export?form=csv&#38;action=Bulk\"";
    assert!(
        page.text.contains(link) || page.text.contains(&link.replace("&#38;", "&")),
        "{}",
        page.text
    );
    let file = browser.get("/audit/export?form=csv&action=Bulk").await;
    assert_eq!(file.status, StatusCode::OK);
    assert_eq!(file.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    assert!(
        file.headers[header::CONTENT_DISPOSITION]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    let lines: Vec<&str> = file.text.lines().collect();
    assert_eq!(lines.len(), 4_501, "a headline and every row");
    assert!(
        lines[0].starts_with("sequence,time,") && lines[1].contains("\"'=1+1\""),
        "{}",
        lines[1]
    );

    let file = browser.get("/audit/export?form=cloudtrail&action=Bulk").await;
    let rows: Vec<serde_json::Value> = file
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 4_500);
    assert!(rows.iter().all(|row| row["eventName"] == "Bulk"));
    let numbers: Vec<i64> = rows
        .iter()
        .map(|row| row["additionalEventData"]["sequence"].as_i64().unwrap())
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next));

    // Nothing fits: a headline alone.
    let file = browser.get("/audit/export?form=csv&action=Nothing").await;
    assert_eq!(file.text.lines().count(), 1);
    let file = browser
        .get("/audit/export?form=cloudtrail&action=ExportAudit")
        .await;
    let exports: Vec<serde_json::Value> = file
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(exports.len(), 3, "this one is not in it");
    assert_eq!(exports[0]["requestParameters"]["resource"], "csv");
    assert_eq!(exports[0]["additionalEventData"]["detail"], "action Bulk");

    for wrong in [
        "/audit/export",
        "/audit/export?form=xml",
        "/audit/export?form=csv&since=x",
    ] {
        assert_eq!(
            browser.get(wrong).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wrong}"
        );
    }
    let developer = Browser::of(&world, Some(Role::Developer), None).await;
    assert_eq!(
        developer.get("/audit/export?form=csv").await.status,
        StatusCode::FORBIDDEN
    );
    let nobody = Browser::fresh(&world);
    assert_eq!(
        nobody.get("/audit/export?form=csv").await.status,
        StatusCode::SEE_OTHER
    );
}
