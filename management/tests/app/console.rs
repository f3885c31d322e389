//! The web console, asked as a browser asks it. Here is the browser; each file beside is about one thing that it does.

mod audit;
mod contents;
mod forms;
mod issuers;
mod pages;
mod signing_in;
mod streams;
mod uploads;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hadron_domain::authority::Role;
use hadron_management::api::web::{self, Console, SIGN_IN};
use hadron_management::identity::tls::Peer;
use hadron_management::store::StoreError;
use hadron_management::store::requests::{self, TokenRow};
use hadron_proto::vocab::Digest;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::world::{PRODUCTION, World, account, asked, developer, environment, service_spec};

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
    async fn of(answer: http::Response<Body>) -> Self {
        let (parts, body) = answer.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(text.to_vec()).unwrap(),
        }
    }

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
        Self::at(Console::new(world.app.clone(), CancellationToken::new()))
    }

    /// The same, of any console.
    fn at(console: Console) -> Self {
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
        let mut request = request.body(Body::from(body)).unwrap();
        request.extensions_mut().insert(Peer {
            address: "127.0.0.1:4711".parse().unwrap(),
            identity: None,
        });
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let page = Page::of(answer).await;
        page.is_safe(path);
        page
    }

    /// Sends a form with files, each as field, name and content.
    async fn upload(&self, path: &str, form: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Page {
        const BOUNDARY: &str = "----of-the-tests";
        let mut body = Vec::new();
        let mut part = |head: String, content: &[u8]| {
            body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
            body.extend(content);
            body.extend(b"\r\n");
        };
        for (name, value) in [("csrf", self.csrf.as_str())].iter().chain(form) {
            part(format!("name=\"{name}\""), value.as_bytes());
        }
        for (field, name, content) in files {
            let head = format!("name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: application/gzip");
            part(head, content);
        }
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        let request = Request::post(path)
            .header(header::HOST, HOST)
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, own())
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={BOUNDARY}"),
            );
        let answer = self
            .router
            .clone()
            .oneshot(request.body(Body::from(body)).unwrap());
        let page = Page::of(answer.await.unwrap()).await;
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
    let (connection, agent) = world.environment_with_components(PRODUCTION, "prd").await;
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
