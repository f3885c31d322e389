//! Forms with files: bundles that are registered, and components.

use hadron_domain::authority::Role;
use hadron_domain::template::TemplateKind;
use http::StatusCode;

use super::{Browser, EVIL};
use crate::world::{PRODUCTION, World, environment, example_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_and_its_versions_are_registered_with_their_bundles() {
    let world = World::sqlite().await;
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let page = browser.get("/catalog").await;
    assert!(page.text.contains("href=\"/catalog/new\""), "{}", page.text);
    let form = [
        ("kind", "environment"),
        ("name", "net"),
        ("display_name", EVIL),
        ("description", "a network"),
    ];
    // What is wrong is told all at once, nothing that was written is lost, and no empty template is left behind.
    let broken = example_with(
        "minimal-env",
        &[
            ("infrastructure/manifest.yaml", "infrastructure: {}"),
            ("schema/schema.yaml", "schema: [<b>]"),
        ],
    );
    let page = browser
        .upload("/catalog/new", &form, &[("bundle", "v1.tar.gz", &broken)])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    assert!(
        page.text.contains("manifest.yaml") && page.text.contains("schema.yaml"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("value=\"net\"") && page.text.contains("Choose the file again"),
        "{}",
        page.text
    );
    let kind = TemplateKind::Environment;
    let name = "net".parse().unwrap();
    let administrator = crate::world::administrator();
    assert!(world.app.get_template(&administrator, kind, &name).await.is_err());
    for files in [
        &[][..],
        &[("bundle", "v1.tar.gz", &b""[..])],
        &[("bundle", EVIL, b"no archive")],
    ] {
        let page = browser.upload("/catalog/new", &form, files).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    }

    let good = example_with("minimal-env", &[]);
    let page = browser
        .upload("/catalog/new", &form, &[("bundle", "v1.tar.gz", &good)])
        .await;
    assert_eq!(
        page.to(),
        "/catalog/environment/net/1.0?done=registered",
        "{}",
        page.text
    );
    let page = browser.get(page.to()).await;
    assert!(
        page.text.contains("DRAFT") && page.text.contains("role=\"status\""),
        "{}",
        page.text
    );
    let page = browser
        .upload("/catalog/new", &form, &[("bundle", "v1.tar.gz", &good)])
        .await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text);

    let more = example_with("minimal-env", &[("README.md", "# Net")]);
    let page = browser.get("/catalog/environment/net/new").await;
    assert!(
        page.text.contains("<option value=\"1\" selected>"),
        "{}",
        page.text
    );
    for (major, version) in [("1", "1.1"), ("new", "2.0")] {
        let files = [("bundle", "v1.tar.gz", more.as_slice())];
        let page = browser
            .upload("/catalog/environment/net/new", &[("major", major)], &files)
            .await;
        assert_eq!(
            page.to(),
            format!("/catalog/environment/net/{version}?done=registered"),
            "{}",
            page.text
        );
    }

    // More than a bundle can be.
    let large = vec![0; 6 * 1024 * 1024];
    let page = browser
        .upload("/catalog/new", &form, &[("bundle", "v1.tar.gz", &large)])
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("5 MiB"), "{}", page.text);
    let developer = Browser::of(&world, Some(Role::Developer), None).await;
    let page = developer
        .upload("/catalog/new", &form, &[("bundle", "v1.tar.gz", &good)])
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    // And somebody else's form.
    let stranger = Browser {
        csrf: "0".repeat(64),
        ..browser
    };
    let page = stranger
        .upload("/catalog/new", &form, &[("bundle", "v1.tar.gz", &good)])
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

const TEMPLATE: &str = "Resources:\n  Note:\n    Type: AWS::SSM::Parameter\n    Properties: { Type: String, Value: \"{{ component.name }}\" }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_is_made_and_changed() {
    let world = World::sqlite().await;
    world.templates().await;
    let (_, agent) = world.environment_with_components(PRODUCTION, "prd").await;
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let page = browser.get("/components/new").await;
    assert!(
        page.text.contains("<option>prd</option>") && page.text.contains("rendering_engine: jinja"),
        "{}",
        page.text
    );
    let manifest = "infrastructure:\r\n  templates:\r\n    - file: c.yaml\r\n      rendering_engine: jinja\r\n      template_language: cloudformation\r\n";
    let form = [
        ("name", "side"),
        ("environment", "prd"),
        ("manifest", manifest),
        ("template", EVIL),
        ("description", EVIL),
    ];
    let page = browser.upload("/components/new", &form, &[]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    assert!(
        page.text.contains("&#60;script&#62;") || page.text.contains("&lt;script&gt;"),
        "what was written is kept"
    );
    // A file stands in for what was written.
    let files = [("template_file", "c.yaml", TEMPLATE.as_bytes())];
    let page = browser.upload("/components/new", &form, &files).await;
    assert!(page.to().starts_with("/deployments/dpl_"), "{}", page.text);
    agent.succeed_all(&world).await;

    let page = browser.get("/components/side/edit").await;
    assert!(page.text.contains("AWS::SSM::Parameter"), "{}", page.text);
    let changed = TEMPLATE.replace("Note:", "Other:");
    let form = [
        ("template", changed.as_str()),
        ("change", "keep"),
        ("description", "other"),
    ];
    let page = browser.upload("/components/side/edit", &form, &[]).await;
    assert!(page.to().starts_with("/deployments/dpl_"), "{}", page.text);
    agent.succeed_all(&world).await;
    let page = browser.get("/components/side").await;
    assert!(
        page.text.contains("Other:") && page.text.contains("href=\"/components/side/edit\""),
        "{}",
        page.text
    );
    let form = [
        ("template", changed.as_str()),
        ("change", "attach"),
        ("attach", "nonsense"),
    ];
    let page = browser.upload("/components/side/edit", &form, &[]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    let page = browser
        .upload(
            "/components/side/edit",
            &[("template", "\u{0}")],
            &[("template_file", "x", &[0xff])],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
}
