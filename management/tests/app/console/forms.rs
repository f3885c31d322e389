//! What forms do, who may send them, and what becomes of those that somebody else sent.

use std::collections::BTreeSet;

use hadron_domain::authority::Role;
use hadron_domain::template::TemplateKind;
use http::StatusCode;

use super::{Browser, EVIL, own, things};
use crate::world::{PRODUCTION, STAGING, World, environment, service_spec};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_of_those_who_may_not_change_nothing_and_are_audited() {
    let world = World::sqlite().await;
    let things = things(&world).await;
    let pending = world.request(STAGING, "stg").await.unwrap().to_string();
    let browser = Browser::of(&world, Some(Role::Auditor), None).await;
    let before = world.denied().await.len();
    let spec = service_spec(Some(""), &[("blue", "prd", "")]);
    let forms: Vec<(String, Vec<(&str, &str)>)> = vec![
        (
            format!("/connections/{pending}/accept"),
            vec![("account", STAGING)],
        ),
        (
            format!("/connections/{pending}/reject"),
            vec![("account", STAGING)],
        ),
        (
            "/environments/new".to_owned(),
            vec![("do", "create"), ("template", "minimal-env"), ("name", "x")],
        ),
        ("/environments/prd/edit".to_owned(), vec![("do", "update")]),
        ("/environments/prd/redeploy".to_owned(), vec![]),
        ("/environments/prd/delete".to_owned(), vec![("name", "prd")]),
        (
            "/services/new".to_owned(),
            vec![
                ("do", "yaml"),
                ("template", "minimal-svc"),
                ("name", "x"),
                ("spec", &spec),
            ],
        ),
        ("/services/web/edit".to_owned(), vec![("spec", &spec)]),
        ("/services/web/delete".to_owned(), vec![("name", "web")]),
        ("/services/web/instances/blue/redeploy".to_owned(), vec![]),
        (
            "/services/web/instances/blue/edit".to_owned(),
            vec![("do", "update")],
        ),
        ("/services/web/pipeline/redeploy".to_owned(), vec![]),
        ("/services/web/pipeline/edit".to_owned(), vec![("do", "update")]),
        ("/components/side/delete".to_owned(), vec![("name", "side")]),
        (
            "/components/new".to_owned(),
            vec![("name", "x"), ("environment", "prd")],
        ),
        ("/components/side/edit".to_owned(), vec![]),
        (
            "/catalog/new".to_owned(),
            vec![("kind", "environment"), ("name", "x")],
        ),
        ("/catalog/environment/minimal-env/new".to_owned(), vec![]),
        (format!("/deployments/{}/cancel", things.deployment), vec![]),
        ("/catalog/environment/minimal-env/1.0/publish".to_owned(), vec![]),
        (
            "/settings/access/grant".to_owned(),
            vec![("principal", "token:x"), ("role", "auditor"), ("scope", "hub")],
        ),
        (
            "/settings/access/revoke".to_owned(),
            vec![("principal", "token:x"), ("role", "auditor"), ("scope", "hub")],
        ),
        (
            "/settings/keys/end".to_owned(),
            vec![("access_key", "HUBAAAAAAAAAAAAAAAAA")],
        ),
    ];
    for (count, (path, form)) in forms.iter().enumerate() {
        let page = browser.post(path, form).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.text);
        assert!(
            world.denied().await.len() > before + count,
            "{path} is not in the audit log"
        );
    }
    assert_eq!(world.active().await.len(), 0);
    let denied: BTreeSet<String> = world.denied().await.into_iter().collect();
    assert!(
        denied.iter().any(|line| line.contains("AcceptConnection")),
        "{denied:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_from_elsewhere_change_nothing() {
    let world = World::sqlite().await;
    let id = world.request(PRODUCTION, "prd").await.unwrap();
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let path = format!("/connections/{id}/accept");
    let (csrf, own) = (browser.csrf.as_str(), own());
    let good = [("account", PRODUCTION), ("csrf", csrf)];
    let forged = [("account", PRODUCTION), ("csrf", "0".repeat(64).leak() as &str)];
    for (what, form, headers) in [
        ("no origin", &good[..], vec![]),
        (
            "another origin",
            &good[..],
            vec![("origin", "https://evil.example")],
        ),
        (
            "no TLS",
            &good[..],
            vec![("origin", "http://hub.example.com:8443")],
        ),
        (
            "another site",
            &good[..],
            vec![("origin", own.as_str()), ("sec-fetch-site", "cross-site")],
        ),
        ("another token", &forged[..], vec![("origin", own.as_str())]),
        ("no token", &good[..1], vec![("origin", own.as_str())]),
    ] {
        let page = browser.send("POST", &path, form, &headers).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{what}");
    }
    let nobody = Browser::fresh(&world);
    let page = nobody.send("POST", &path, &good, &[("origin", &own)]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let signed_out = browser.send("POST", "/sign-out", &[("csrf", csrf)], &[]).await;
    assert_eq!(signed_out.status, StatusCode::FORBIDDEN);
    // And the same by the page itself.
    let page = browser.post(&path, &[("account", PRODUCTION)]).await;
    assert_eq!(page.to(), format!("/connections/{id}?done=accepted"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_accepted_with_its_account_typed() {
    let world = World::sqlite().await;
    let id = world.request(PRODUCTION, "prd").await.unwrap();
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let overview = browser.get("/").await;
    assert!(
        overview.text.contains(&format!("/connections/{id}")),
        "{}",
        overview.text
    );
    let mut page = browser.get(&format!("/connections/{id}")).await;
    assert!(
        page.text.contains(PRODUCTION) && page.text.contains("PENDING"),
        "{}",
        page.text
    );

    let path = format!("/connections/{id}/accept");
    for wrong in [STAGING, "", "12"] {
        page = browser.post(&path, &[("account", wrong)]).await;
        assert!(page.status.is_client_error(), "{wrong}: {}", page.text);
        assert!(page.text.contains("PENDING"), "{}", page.text);
        // Nothing that was written is lost.
        assert!(
            page.text.contains(&format!("name=\"account\" value=\"{wrong}\"")),
            "{}",
            page.text
        );
    }
    let request_id = page.hidden("request_id");
    for _ in 0..2 {
        let page = browser
            .post(&path, &[("account", PRODUCTION), ("request_id", &request_id)])
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    }
    let page = browser.get(&format!("/connections/{id}?done=accepted")).await;
    assert!(
        page.text.contains("CONNECTED") && page.text.contains("role=\"status\""),
        "{}",
        page.text
    );
    let lines = world
        .rows(
            "SELECT principal AS topic, action AS key, outcome AS more FROM audit ORDER BY sequence",
            &[],
        )
        .await;
    let accepted = lines
        .iter()
        .filter(|line| line.contains("AcceptConnection done"))
        .count();
    assert_eq!(accepted, 1, "{lines:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_is_made_by_a_form_from_its_schema() {
    let world = World::sqlite().await;
    world.environment_template().await;
    let connection = world.connected(PRODUCTION, "prd").await;
    let agent = world.agent(connection).await;
    let connection = connection.to_string();
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let page = browser
        .get(&format!("/environments/new?connection={connection}&name=prd"))
        .await;
    assert!(page.text.contains("minimal-env"), "{}", page.text);
    let to = format!("/environments/new?template=minimal-env&connection={connection}&name=prd");
    let page = browser.get(&to).await;
    for part in [
        "name=\"in.greeting\"",
        "minlength=\"1\" maxlength=\"200\"",
        "name=\"in.retention_days\" type=\"number\"",
        "min=\"1\" max=\"365\" step=\"1\"",
        "<select id=\"in-3\" name=\"in.tier\"",
        "<option value=\"staging\">",
        "How long services should keep their data.",
        "value=\"prd\"",
    ] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }

    let form = |days: &'static str, what: &'static str| {
        vec![
            ("template", "minimal-env"),
            ("version", "1.0"),
            ("name", "prd"),
            ("connection", connection.as_str()),
            ("description", EVIL),
            ("in.greeting", "no: \"really\""),
            ("in.retention_days", days),
            ("in.tier", ""),
            ("do", what),
        ]
    };
    // What is wrong stands beside its field, and nothing is lost.
    let page = browser.post("/environments/new", &form("4000", "create")).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.text);
    let field = page.text.split("name=\"in.retention_days\"").nth(1).unwrap();
    let field = field.split("</div>").next().unwrap();
    assert!(
        field.contains("aria-invalid=\"true\"") && field.contains("out of range"),
        "{field}"
    );
    assert!(
        page.text.contains("value=\"no: &#34;really&#34;\""),
        "{}",
        page.text
    );
    let page = browser.post("/environments/new", &form("7", "preview")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("retention_days: 7"), "{}", page.text);

    let page = browser.post("/environments/new", &form("7", "create")).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert!(page.to().starts_with("/deployments/dpl_"), "{}", page.to());
    let row = world.target(&environment("prd")).await;
    assert!(
        row.spec.contains("retention_days: 7") && !row.spec.contains("tier"),
        "{}",
        row.spec
    );
    let deployment = page.to().split('?').next().unwrap().to_owned();
    let page = browser.get(&deployment).await;
    assert!(
        page.text.contains("IN_PROGRESS") && page.text.contains("/cancel\""),
        "{}",
        page.text
    );
    agent.succeed_all(&world).await;
    let page = browser.get(&deployment).await;
    assert!(
        page.text.contains("SUCCEEDED") && !page.text.contains("/cancel\""),
        "{}",
        page.text
    );

    // The form that changes it shows what is deployed.
    let page = browser.get("/environments/prd/edit").await;
    assert!(
        page.text
            .contains("name=\"in.retention_days\" type=\"number\" value=\"7\""),
        "{}",
        page.text
    );
    let page = browser
        .post(
            "/environments/prd/edit",
            &[("in.retention_days", "9"), ("in.greeting", "x"), ("do", "update")],
        )
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let path = page.to().split('?').next().unwrap().to_owned();
    let page = browser.post(&format!("{path}/cancel"), &[]).await;
    assert_eq!(page.to(), format!("{path}?done=cancelling"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_made_changed_and_deleted_by_forms() {
    let world = World::sqlite().await;
    world.templates().await;
    let (_, agent) = world.environment(PRODUCTION, "prd").await;
    let browser = Browser::of(&world, Some(Role::Developer), None).await;
    let page = browser
        .get("/services/new?template=minimal-svc-no-pipeline")
        .await;
    assert!(
        page.text.contains("name=\"i.0.name\"") || page.text.contains("name=\"i.1.name\""),
        "{}",
        page.text
    );
    let form = [
        ("template", "minimal-svc-no-pipeline"),
        ("name", "web"),
        ("i.0.name", "blue"),
        ("i.0.environment", "prd"),
        ("do", "create"),
    ];
    let page = browser.post("/services/new", &form).await;
    assert_eq!(page.to(), "/services/web?done=begun", "{}", page.text);
    // What follows from a request is carried out by the hub's reconcilers.
    world.settle().await;
    agent.succeed_all(&world).await;
    world.settle().await;
    let page = browser.get("/services/web").await;
    assert!(
        page.text.contains("/services/web/instances/blue") && page.text.contains("ACTIVE"),
        "{}",
        page.text
    );
    let page = browser
        .post(
            "/services/web/instances/blue/edit",
            &[("do", "update"), ("version", "1.0")],
        )
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    agent.succeed_all(&world).await;
    let page = browser.post("/services/web/delete", &[("name", "wrong")]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = browser.post("/services/web/delete", &[("name", "web")]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_has_its_ways_out_as_buttons() {
    let world = World::sqlite().await;
    world.templates().await;
    let (_, agent) = world.environment(PRODUCTION, "prd").await;
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    browser.post("/environments/prd/redeploy", &[]).await;
    agent.fail_one(&world, "the quota of topics is reached").await;
    let page = browser.get("/environments/prd").await;
    assert!(
        page.text.contains("the quota of topics is reached"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("action=\"/environments/prd/redeploy\""),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("href=\"/environments/prd/edit\""),
        "{}",
        page.text
    );
    let overview = browser.get("/").await;
    assert!(
        overview.text.contains("href=\"/environments/prd\""),
        "{}",
        overview.text
    );
    let page = browser.post("/environments/prd/redeploy", &[]).await;
    assert!(page.to().starts_with("/deployments/"), "{}", page.text);
    agent.succeed_all(&world).await;
    assert_eq!(world.target(&environment("prd")).await.status, "SUCCEEDED");
    // Who may only read has no buttons.
    let reader = Browser::of(&world, Some(Role::Auditor), None).await;
    let page = reader.get("/environments/prd").await;
    assert!(
        !page.text.contains("/redeploy\"") && !page.text.contains("/edit\""),
        "{}",
        page.text
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_published_and_roles_are_granted() {
    let world = World::sqlite().await;
    world.environment_template().await;
    let bundle = crate::world::changed_example("minimal-env", "Hello from Hadron", "Hello again");
    let view = world
        .register(TemplateKind::Environment, "minimal-env", Some(1), bundle, &[])
        .await
        .unwrap();
    assert_eq!(view.row.version.to_string(), "1.1");
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let page = browser.get("/catalog/environment/minimal-env/1.1").await;
    assert!(
        page.text.contains("DRAFT") && page.text.contains("Hello again"),
        "{}",
        page.text
    );
    let page = browser
        .post("/catalog/environment/minimal-env/1.1/publish", &[])
        .await;
    assert!(page.to().ends_with("/1.1?done=published"), "{}", page.text);
    assert!(
        browser
            .get("/catalog/environment/minimal-env/1.1")
            .await
            .text
            .contains("PUBLISHED")
    );

    let form = [
        ("principal", "token:somebody"),
        ("role", "auditor"),
        ("scope", ""),
    ];
    assert_eq!(
        browser.post("/settings/access/grant", &form).await.to(),
        "/settings?done=saved"
    );
    assert!(browser.get("/settings").await.text.contains("token:somebody"));
    let audit = browser.get("/audit?action=GrantAccess").await;
    assert!(audit.text.contains("token:somebody"), "{}", audit.text);
    assert_eq!(
        browser.post("/settings/access/revoke", &form).await.to(),
        "/settings?done=saved"
    );
    assert!(!browser.get("/settings").await.text.contains("token:somebody"));

    let digest = super::token(&world, "leaked", Some(Role::Developer), None, None).await;
    assert!(browser.get("/settings").await.text.contains("token:leaked"));
    let digest = digest.to_string();
    let form = [("token", digest.as_str())];
    assert_eq!(
        browser.post("/settings/keys/end", &form).await.to(),
        "/settings?done=saved"
    );
    assert!(!browser.get("/settings").await.text.contains("token:leaked"));
    let refused = browser.post("/settings/keys/end", &form).await;
    assert!(refused.text.contains("has ended already"), "{}", refused.text);
}
