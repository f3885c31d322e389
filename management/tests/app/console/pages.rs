//! Who may see which page, in which language, and what no page contains.

use hadron_domain::authority::{Action, Caller, Place, Role};
use hadron_management::app::effects::FailureKind;
use hadron_management::store::deployments::StackEvent;
use hadron_proto::vocab::Timestamp;
use http::{StatusCode, header};

use super::{Browser, EVIL, Things, own, things};
use crate::agent::{execute, failed};
use crate::world::{PRODUCTION, World, account};

/// The right that it takes to see a page, there where its thing is.
type Needed = Option<(Action, Option<Place>)>;

/// Every page with the right that it takes to see it, there where its thing is; `None` where everybody sees something.
fn pages(things: &Things) -> Vec<(String, Needed)> {
    let Things {
        connection,
        deployment,
    } = things;
    let page = |path: &str, action: Action| {
        let last = path.rsplit('/').next().unwrap();
        let one = path.split('/').count() > 2 && !path.contains("/catalog/") && !last.starts_with("new");
        let service = path.starts_with("/services").then(|| "web".parse().unwrap());
        let place = Place {
            account: Some(account(PRODUCTION)),
            environment: Some("prd".parse().unwrap()),
            service,
        };
        (path.to_owned(), Some((action, one.then_some(place))))
    };
    vec![
        ("/".to_owned(), None),
        page("/connections", Action::ReadConnection),
        page(&format!("/connections/{connection}"), Action::ReadConnection),
        page("/catalog", Action::ReadTemplate),
        page("/catalog/environment/minimal-env", Action::ReadTemplate),
        page("/catalog/environment/minimal-env/1.0", Action::ReadTemplate),
        page("/catalog/service/minimal-svc/1.0", Action::ReadTemplate),
        page("/catalog/service/minimal-svc/1.0/readme", Action::ReadTemplate),
        page(
            "/catalog/environment/minimal-env/1.0/changes",
            Action::ReadTemplate,
        ),
        page("/environments", Action::ReadEnvironment),
        page("/environments/new", Action::WriteEnvironment),
        page("/environments/new?template=minimal-env", Action::WriteEnvironment),
        page("/environments/prd", Action::ReadEnvironment),
        page("/environments/prd/edit", Action::WriteEnvironment),
        page("/environments/prd/delete", Action::WriteEnvironment),
        page("/services", Action::ReadService),
        page("/services/new", Action::WriteService),
        page("/services/new?template=minimal-svc", Action::WriteService),
        page("/services/web", Action::ReadService),
        page("/services/web/edit", Action::WriteService),
        page("/services/web/delete", Action::WriteService),
        page("/services/web/instances/blue", Action::ReadService),
        page("/services/web/instances/blue/edit", Action::WriteService),
        page("/services/web/pipeline", Action::ReadService),
        page("/services/web/pipeline/edit", Action::WriteService),
        page("/components", Action::ReadComponent),
        page("/components/side", Action::ReadComponent),
        page("/components/new", Action::WriteComponent),
        page("/components/side/edit", Action::WriteComponent),
        page("/catalog/new", Action::WriteTemplate),
        page("/catalog/environment/minimal-env/new", Action::WriteTemplate),
        page("/deployments", Action::ReadDeployment),
        page(&format!("/deployments/{deployment}"), Action::ReadDeployment),
        page(
            &format!("/deployments/{deployment}/template"),
            Action::ReadDeployment,
        ),
        page("/insights", Action::ReadDeployment),
        page("/insights?span=month", Action::ReadDeployment),
        page("/grants", Action::ReadGrant),
        page("/agents", Action::ReadAgent),
        page("/audit", Action::ReadAudit),
        page("/settings", Action::ReadSettings),
    ]
}

/// Everybody who can be told apart by a role.
const PEOPLE: [(Option<Role>, Option<&str>); 5] = [
    (Some(Role::Administrator), None),
    (Some(Role::Developer), None),
    (Some(Role::Owner), Some(PRODUCTION)),
    (Some(Role::Auditor), None),
    (None, None),
];

fn rights_of(role: Option<Role>, of: Option<&str>) -> Caller {
    let mut caller = crate::world::caller(role.unwrap_or(Role::Auditor), of);
    if role.is_none() {
        caller.rights.clear();
    }
    caller
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_the_pages_that_the_table_lets_them_see() {
    let world = World::sqlite().await;
    let things = things(&world).await;
    for (role, of) in PEOPLE {
        let browser = Browser::of(&world, role, of).await;
        let caller = rights_of(role, of);
        for (path, action) in pages(&things) {
            let page = browser.get(&path).await;
            let may = action.is_none_or(|(action, place)| match place {
                Some(place) => caller.may_at(action, &place).is_ok(),
                None => caller.may(action).is_ok(),
            });
            let what = format!("{path} for {role:?}");
            if may {
                assert_eq!(page.status, StatusCode::OK, "{what}: {}", page.text);
                assert!(
                    page.text.contains("<main") && page.text.contains("lang=\"en\""),
                    "{what}"
                );
            } else {
                // What is not theirs to know of is not there for them.
                let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&page.status);
                assert!(refused, "{what}: {}", page.status);
            }
            let shown = page.text.contains("href=\"/audit\"");
            assert_eq!(shown, caller.may(Action::ReadAudit).is_ok(), "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_japanese_for_those_who_read_it() {
    let world = World::sqlite().await;
    let things = things(&world).await;
    let mut browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let chosen = browser
        .send(
            "POST",
            "/language",
            &[("language", "ja"), ("back", "//evil.example")],
            &[("origin", &own())],
        )
        .await;
    assert_eq!(chosen.to(), "/");
    let cookie = chosen.headers[header::SET_COOKIE].to_str().unwrap();
    browser.cookie = format!("{}; {}", browser.cookie, cookie.split(';').next().unwrap());
    for (path, _) in pages(&things) {
        let page = browser.get(&path).await;
        assert!(
            page.text.contains("lang=\"ja\"") && page.text.contains("アカウント接続"),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_and_stacks_write_stays_text() {
    let world = World::sqlite().await;
    world.templates().await;
    let (_, agent) = world.environment(PRODUCTION, "prd").await;
    let browser = Browser::of(&world, Some(Role::Administrator), None).await;
    let spec =
        "proton: EnvironmentSpec\nspec:\n  greeting: \"<script>alert('x')</script><img src=x onerror=1>\"\n";
    let page = browser
        .post(
            "/environments/prd/edit",
            &[("spec", spec), ("description", EVIL), ("do", "yaml")],
        )
        .await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let path = page.to().split('?').next().unwrap().to_owned();
    let offer = agent.take_stack(&world).await;
    let event = StackEvent {
        event_id: "e1".to_owned(),
        at: Timestamp::from_micros(1_800_000_000_000_000),
        logical_id: EVIL.to_owned(),
        physical_id: EVIL.to_owned(),
        resource_type: EVIL.to_owned(),
        status: "CREATE_FAILED".to_owned(),
        reason: EVIL.to_owned(),
    };
    world
        .app
        .events(&agent.peer, offer.token, vec![event])
        .await
        .unwrap();
    agent.ask(&world, &offer, execute(&offer)).await;
    agent
        .report(&world, &offer, failed(&offer, FailureKind::StackFailed, EVIL))
        .await;

    for (path, times) in [
        (path.as_str(), 5),
        ("/environments/prd", 1),
        ("/environments/prd/edit", 1),
        ("/environments", 1),
        ("/", 1),
    ] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        let found =
            page.text.matches("&#60;script&#62;").count() + page.text.matches("&lt;script&gt;").count();
        assert!(found >= times, "{path} shows it {found} times: {}", page.text);
    }
    // What addresses and forms say is text as well.
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("environment", EVIL),
            ("service", EVIL),
            ("action", EVIL),
            ("name", EVIL),
        ])
        .finish();
    for path in [
        "/deployments",
        "/audit",
        "/environments/new",
        "/environments/prd/delete",
    ] {
        browser.get(&format!("{path}?{query}")).await;
    }
    for path in [
        "/environments/new",
        "/environments/prd/delete",
        "/settings/access/grant",
        "/services/new",
    ] {
        let form = [
            ("name", EVIL),
            ("template", "minimal-env"),
            ("spec", EVIL),
            ("principal", EVIL),
            ("scope", EVIL),
            ("in.greeting", EVIL),
            ("do", "yaml"),
        ];
        let page = browser.post(path, &form).await;
        assert!(page.status.is_client_error(), "{path}");
    }
}
