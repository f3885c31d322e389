//! What is in bundles: what publishers wrote, and what is different between versions.

use hadron_domain::authority::Role;
use hadron_domain::template::TemplateKind;
use http::StatusCode;

use super::{Browser, EVIL};
use crate::world::World;

/// The files of an example with some of them replaced or added.
fn bundle(files: &[(&str, &str)]) -> Vec<u8> {
    crate::world::example_with("minimal-env", files)
}

const README: &str = "# Shared topic\n\nSee [the runbook](https://wiki.example.com/topic).\n\n\
    <script>alert('x')</script><img src=x onerror=\"y\">\n\n![logo](https://evil.example/x.png) [x](javascript:alert(1))\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_readme_is_shown_and_does_nothing() {
    let world = World::sqlite().await;
    world.environment_template().await;
    let archive = bundle(&[("README.md", README)]);
    let kind = TemplateKind::Environment;
    world
        .register(kind, "minimal-env", Some(1), archive, &[])
        .await
        .unwrap();
    let browser = Browser::of(&world, Some(Role::Auditor), None).await;
    let page = browser.get("/catalog/environment/minimal-env/1.1").await;
    assert!(
        page.text
            .contains("href=\"/catalog/environment/minimal-env/1.1/readme\""),
        "{}",
        page.text
    );
    let page = browser.get("/catalog/environment/minimal-env/1.1/readme").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for part in [
        "<h2>Shared topic</h2>",
        "<a href=\"https://wiki.example.com/topic\">the runbook</a>",
        "&lt;script&gt;",
        "logo",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(!page.text.contains("evil.example"), "{}", page.text);
    let page = browser.get("/catalog/environment/minimal-env/1.0/readme").await;
    assert!(page.text.contains("has no README.md"), "{}", page.text);
    let page = browser.get("/catalog/environment/minimal-env/1.7/readme").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_are_compared() {
    let world = World::sqlite().await;
    world.environment_template().await;
    let schema = crate::world::example_file("minimal-env", "schema/schema.yaml");
    let schema = schema.replace("maximum: 365", "maximum: 30");
    assert!(schema.contains("maximum: 30"), "{schema}");
    let archive = bundle(&[("schema/schema.yaml", &schema), ("docs/notes.txt", EVIL)]);
    let kind = TemplateKind::Environment;
    world
        .register(kind, "minimal-env", Some(1), archive, &[])
        .await
        .unwrap();
    let browser = Browser::of(&world, Some(Role::Developer), None).await;
    let page = browser.get("/catalog/environment/minimal-env").await;
    let to = "/catalog/environment/minimal-env/1.1/changes";
    assert!(page.text.contains(&format!("href=\"{to}\"")), "{}", page.text);
    let page = browser.get(to).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for part in [
        "What is different from version 1.0",
        "retention_days",
        ">maximum</span>: <span class=\"code\">365</span> \u{2192} <span class=\"code\">30</span>",
        "docs/notes.txt",
        "class=\"gone\">-",
        "class=\"new\">+",
    ] {
        assert!(page.text.contains(part), "{part}: {}", page.text);
    }
    assert!(
        page.text.contains("script&#62;") || page.text.contains("script&gt;"),
        "{}",
        page.text
    );
    // The other way round, and against itself's only neighbour by name.
    let page = browser
        .get("/catalog/environment/minimal-env/1.0/changes?from=1.1")
        .await;
    assert!(
        page.text.contains("docs/notes.txt") && page.text.contains("is gone"),
        "{}",
        page.text
    );
    for (query, status) in [
        ("?from=x", StatusCode::UNPROCESSABLE_ENTITY),
        ("?from=7.0", StatusCode::NOT_FOUND),
        ("?from=1.1", StatusCode::OK),
    ] {
        assert_eq!(
            browser.get(&format!("{to}{query}")).await.status,
            status,
            "{query}"
        );
    }
    // Who may read no values sees which files are different, and not how.
    let auditor = Browser::of(&world, Some(Role::Auditor), None).await;
    let page = auditor.get(to).await;
    assert!(
        page.text.contains("docs/notes.txt") && !page.text.contains("script&"),
        "{}",
        page.text
    );
}
