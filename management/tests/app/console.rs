//! The web console, asked as a browser asks it: who may see and do what, what forms do, and what pages never contain.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hadron_domain::authority::{Action, Caller, Place, Role};
use hadron_domain::template::TemplateKind;
use hadron_management::api::web::{self, Console, SIGN_IN};
use hadron_management::app::ErrorKind;
use hadron_management::app::console::{IDLE, LINK_LIFE, SESSION_LIFE, Secret};
use hadron_management::app::effects::FailureKind;
use hadron_management::store::StoreError;
use hadron_management::store::deployments::StackEvent;
use hadron_management::store::requests::{self, TokenRow};
use hadron_proto::vocab::{Digest, Timestamp};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::agent::{execute, failed};
use crate::scenarios;
use crate::world::{
    PRODUCTION, STAGING, World, account, asked, developer, environment, new_connection, owner, reason,
    service_spec,
};

const HOST: &str = "hub.example.com:8443";

/// What must never come back as it went in.
const EVIL: &str = "<script>alert('x')</script><img src=x onerror=\"y\">";

/// A token of somebody, by the digest of its text.
async fn token(
    world: &World,
    name: &str,
    role: Option<Role>,
    of: Option<&str>,
    life: Option<Duration>,
) -> Digest {
    let digest = Digest::of(name.as_bytes());
    let now = world.test.db.now().await.unwrap();
    let row = TokenRow {
        digest,
        name: name.to_owned(),
        principal: format!("token:{name}"),
        account: of.map(account),
        role,
        created_at: now,
        expires_at: life.map(|life| now.plus(life)),
        disabled: false,
        groups: Vec::new(),
    };
    let added = world.test.db.write("token", move |tx| {
        Box::pin(async move { requests::insert_token(tx, &row).await })
    });
    let added: Result<(), StoreError> = added.await;
    added.unwrap();
    digest
}

/// A page as it came.
struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn to(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .map_or("", |to| to.to_str().unwrap())
    }

    /// What every answer says to browsers, and what none contains.
    fn is_safe(&self, what: &str) {
        let policy = self.headers.get(header::CONTENT_SECURITY_POLICY);
        let policy = policy
            .unwrap_or_else(|| panic!("{what} has no policy"))
            .to_str()
            .unwrap();
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("unsafe"),
            "{what}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(self.headers[name], value, "{what}");
        }
        // Pages are looked at; what they load is not written by anybody here.
        let pages = self.headers.get(header::CONTENT_TYPE);
        if !pages.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
            return;
        }
        for word in [
            " style=",
            "<style",
            "<script>",
            " onclick=",
            " onload=",
            "javascript:",
        ] {
            assert!(!self.text.contains(word), "{what} contains {word}");
        }
        assert!(
            !self.text.contains("<img"),
            "{what} contains what was written into it"
        );
    }

    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> String {
        let before = format!("name=\"{name}\" value=\"");
        let rest = self.text.split(&before).nth(1);
        rest.and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned()
    }
}

/// A browser, with whoever is signed in.
struct Browser {
    router: Router,
    cookie: String,
    csrf: String,
}

impl Browser {
    /// A browser that nobody has signed in with.
    fn fresh(world: &World) -> Self {
        let console = Console::new(world.app.clone(), CancellationToken::new());
        Self {
            router: web::routes(console),
            cookie: String::new(),
            csrf: String::new(),
        }
    }

    /// A browser of somebody with this role.
    async fn of(world: &World, role: Option<Role>, of: Option<&str>) -> Self {
        let name = format!("{}-{}", role.map_or("nobody", Role::word), of.unwrap_or("none"));
        let digest = token(world, &name, role, of, None).await;
        let somebody = crate::world::caller(role.unwrap_or(Role::Auditor), of);
        let link = world.app.console_link(&somebody, digest).await.unwrap();
        let mut browser = Self::fresh(world);
        let entered = browser
            .send("POST", SIGN_IN, &[("link", link.reveal())], &[("origin", &own())])
            .await;
        assert_eq!((entered.status, entered.to()), (StatusCode::SEE_OTHER, "/"));
        let cookie = entered.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.starts_with("__Host-")
                && ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"]
                    .iter()
                    .all(|part| cookie.contains(part)),
            "{cookie}"
        );
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser.csrf = browser.get("/").await.hidden("csrf");
        assert_eq!(browser.csrf.len(), 64);
        browser
    }

    async fn send(&self, method: &str, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, HOST)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let answer = self
            .router
            .clone()
            .oneshot(request.body(Body::from(body)).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        let page = Page {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.to_vec()).unwrap(),
        };
        page.is_safe(path);
        page
    }

    async fn get(&self, path: &str) -> Page {
        self.send("GET", path, &[], &[]).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let mut form = form.to_vec();
        form.push(("csrf", &self.csrf));
        self.send("POST", path, &form, &[("origin", &own())]).await
    }
}

fn own() -> String {
    format!("https://{HOST}")
}

/// One of everything, in the production account.
struct Things {
    connection: String,
    deployment: String,
}

async fn things(world: &World) -> Things {
    world.templates().await;
    let management = world.management_agent().await;
    let mut new = new_connection(PRODUCTION, "prd");
    new.component_role = Some(
        format!("arn:aws:iam::{PRODUCTION}:role/components")
            .parse()
            .unwrap(),
    );
    let request = asked(&owner(PRODUCTION), "RequestConnection");
    let connection = world
        .app
        .request_connection(request, new)
        .await
        .unwrap()
        .connection
        .id;
    world.accept(connection, PRODUCTION).await.unwrap();
    let agent = world.agent(connection).await;
    world.create_environment("prd", Some(connection)).await.unwrap();
    agent.succeed_all(world).await;
    let spec = service_spec(Some(""), &[("blue", "prd", "")]);
    world.create_service("web", "minimal-svc", &spec).await.unwrap();
    for _ in 0..2 {
        agent.succeed_all(world).await;
        management.succeed_all(world).await;
    }
    let request = asked(&developer(), "CreateComponent");
    let new = crate::components::free("side", "prd");
    world.app.create_component(request, new).await.unwrap();
    agent.succeed_all(world).await;
    Things {
        connection: connection.to_string(),
        deployment: world.last(&environment("prd")).await.deployment.id.to_string(),
    }
}

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
        page("/deployments", Action::ReadDeployment),
        page(&format!("/deployments/{deployment}"), Action::ReadDeployment),
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
async fn who_is_not_signed_in_is_sent_to_sign_in_and_back() {
    let world = World::sqlite().await;
    let nobody = Browser::fresh(&world);
    for path in ["/", "/environments", "/deployments", "/audit"] {
        let page = nobody.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(page.to().starts_with("/sign-in"), "{}", page.to());
    }
    assert_eq!(
        nobody.get("/live/environments").await.status,
        StatusCode::UNAUTHORIZED
    );
    let page = nobody.get("/sign-in").await;
    assert!(page.text.contains("hadron console"), "{}", page.text);
    for link in ["x".repeat(43), "short".to_owned()] {
        let page = nobody.get(&format!("/sign-in/{link}")).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    }
    for asset in [
        "console.css",
        "console.js",
        "htmx.min.js",
        "htmx-ext-sse.min.js",
        "icon.svg",
    ] {
        assert_eq!(
            nobody.get(&format!("/assets/{asset}")).await.status,
            StatusCode::OK,
            "{asset}"
        );
    }
    assert_eq!(
        nobody.get("/assets/LICENSES.md").await.status,
        StatusCode::NOT_FOUND
    );
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
}

scenarios! {
    async fn a_link_signs_one_browser_in_and_a_session_ends(world: World) {
        let app = &world.app;
        let caller = crate::world::caller(Role::Administrator, None);
        let digest = token(&world, "ann", Some(Role::Administrator), None, Some(Duration::from_secs(7_200))).await;
        let link = app.console_link(&caller, digest).await.unwrap();
        assert_eq!(app.link_of(&link).await.unwrap().principal.as_str(), "token:ann");
        let (session, signed_in) = app.sign_in(&link).await.unwrap();
        assert_eq!(signed_in.caller.role(), Some(Role::Administrator));
        assert_eq!(reason(app.sign_in(&link).await.map(|_| ())), "NO_LINK");
        assert_eq!(app.link_of(&link).await.unwrap_err().kind, ErrorKind::Unauthenticated);
        // A session is no link, and a link no session.
        assert!(app.session(&link, true).await.unwrap().is_none());
        assert_eq!(reason(app.sign_in(&session).await.map(|_| ())), "NO_LINK");
        assert!(app.session(&session, true).await.unwrap().is_some());
        assert!(Secret::parse("nonsense").is_none());

        // Of two who follow it at once one is signed in.
        let link = app.console_link(&caller, digest).await.unwrap();
        let (one, two) = tokio::join!(app.sign_in(&link), app.sign_in(&link));
        assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);

        // It ends when somebody signs out, for that browser only.
        let (other, _) = one.or(two).unwrap();
        app.sign_out(&other, &caller).await.unwrap();
        assert!(app.session(&other, true).await.unwrap().is_none());
        assert!(app.session(&session, true).await.unwrap().is_some());

        // And when its token is switched off.
        assert_eq!(app.disable_tokens("ann".to_owned()).await.unwrap(), 1);
        assert!(app.session(&session, true).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_end_in_time() {
    let world = World::sqlite().await;
    let app = &world.app;
    let caller = crate::world::caller(Role::Auditor, None);
    let digest = token(&world, "ann", Some(Role::Auditor), None, None).await;
    let open = async || {
        app.sign_in(&app.console_link(&caller, digest).await.unwrap())
            .await
            .unwrap()
    };

    let late = app.console_link(&caller, digest).await.unwrap();
    world.pass(LINK_LIFE).await;
    assert_eq!(reason(app.sign_in(&late).await.map(|_| ())), "NO_LINK");

    // Unused.
    let (session, signed_in) = open().await;
    assert_eq!(
        signed_in.ends_at.since(world.test.db.now().await.unwrap()),
        SESSION_LIFE
    );
    world.pass(IDLE).await;
    assert!(app.session(&session, true).await.unwrap().is_none());

    // Used all the time, and all the same.
    let (session, _) = open().await;
    let mut passed = Duration::ZERO;
    let step = IDLE / 2;
    while passed + step < SESSION_LIFE {
        world.pass(step).await;
        passed += step;
        assert!(
            app.session(&session, true).await.unwrap().is_some(),
            "after {passed:?}"
        );
    }
    world.pass(step).await;
    assert!(app.session(&session, true).await.unwrap().is_none());

    // A stream alone does not make it last.
    let (session, _) = open().await;
    for _ in 0..3 {
        world.pass(IDLE / 3).await;
        let _ = app.session(&session, false).await.unwrap();
    }
    assert!(app.session(&session, false).await.unwrap().is_none());

    // It never outlives the login that it came from.
    let digest = token(
        &world,
        "bob",
        Some(Role::Auditor),
        None,
        Some(Duration::from_secs(600)),
    )
    .await;
    let (session, signed_in) = app
        .sign_in(&app.console_link(&caller, digest).await.unwrap())
        .await
        .unwrap();
    assert_eq!(
        signed_in.ends_at.since(world.test.db.now().await.unwrap()),
        Duration::from_secs(600)
    );
    world.pass(Duration::from_secs(600)).await;
    assert!(app.session(&session, true).await.unwrap().is_none());
}
