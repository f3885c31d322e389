//! Signing in at an issuer of OpenID Connect.

use hadron_domain::authority::{Right, Role, Scope};
use hadron_management::api::web::Console;
use hadron_management::app::oidc::Logins;
use http::{StatusCode, header};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Browser, EVIL, HOST, Page};
use crate::oidc::Desk;
use crate::world::{administrator, asked};

const BEGIN: &str = "/sign-in/with/corp?next=/environments";

/// The cookie of this name that an answer sets, whole.
fn cookie<'a>(page: &'a Page, name: &str) -> &'a str {
    page.headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().unwrap())
        .find(|value| value.starts_with(name))
        .unwrap_or_default()
}

fn value(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

/// A console whose people sign in at an issuer.
async fn console() -> (Desk, Browser) {
    let desk = Desk::new().await;
    let given = crate::oidc::issuers(&desk.app, vec![crate::oidc::people(desk.issuer.url())]);
    let logins = Logins::new(desk.app.clone(), given);
    let console = Console::new(desk.app.clone(), CancellationToken::new()).with_logins(logins);
    (desk, Browser::at(console))
}

/// Goes to the issuer and agrees; gives the path that the issuer sends the browser back to.
async fn agreed(desk: &Desk, browser: &mut Browser) -> String {
    let page = browser.get(BEGIN).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    let kept = cookie(&page, "__Host-hadron-login");
    for part in [
        "; Secure",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/",
        "; Max-Age=600",
    ] {
        assert!(kept.contains(part), "{kept}");
    }
    browser.cookie = value(kept).to_owned();
    let back = desk.issuer.agree(page.to());
    // What finishes the login is not in the address.
    let verifier = value(kept).split('.').nth(1).unwrap().to_owned();
    assert!(!page.to().contains(&verifier));
    let path = back.as_str().strip_prefix(&format!("https://{HOST}")).unwrap();
    assert!(path.starts_with("/sign-in/with/corp/back?"), "{path}");
    path.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_in_at_an_issuer() {
    let (desk, mut browser) = console().await;
    let page = browser.get("/sign-in?next=/environments").await;
    let link = "href=\"/sign-in/with/corp?next=%2Fenvironments\"";
    assert!(
        page.text.contains(link) && page.text.contains("Sign in with corp"),
        "{}",
        page.text
    );

    // Whom the issuer knows and who has no part here is not let in.
    let back = agreed(&desk, &mut browser).await;
    let page = browser.get(&back).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    assert!(page.text.contains("oidc:corp:ann has no role"), "{}", page.text);
    assert_eq!(cookie(&page, "__Host-hadron-session"), "");
    assert!(cookie(&page, "__Host-hadron-login").contains("Max-Age=0"));
    let denied = desk.world.denied().await;
    assert!(
        denied.iter().any(|line| line.contains("FinishOidcLogin")),
        "{denied:?}"
    );

    let right = Right::new(Role::Auditor, Scope::Hub).unwrap();
    let request = asked(&administrator(), "GrantAccess");
    let who = "oidc-group:corp:platform".parse().unwrap();
    desk.app.grant_access(request, who, right).await.unwrap();
    let back = agreed(&desk, &mut browser).await;
    let page = browser.get(&back).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(
        page.text.contains("content=\"0; url=/environments\""),
        "{}",
        page.text
    );
    let session = cookie(&page, "__Host-hadron-session");
    assert!(session.contains("; SameSite=Strict"), "{session}");
    let kept = std::mem::replace(&mut browser.cookie, value(session).to_owned());
    let page = browser.get("/").await;
    assert!(
        page.text.contains("oidc:corp:ann") && page.text.contains("auditor"),
        "{}",
        page.text
    );

    // The same answer once more, by the same browser.
    browser.cookie = kept;
    assert_eq!(browser.get(&back).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_in_the_browser_that_asked() {
    let (desk, mut browser) = console().await;
    // Somebody is given the address that another one's browser was sent back to.
    let back = agreed(&desk, &mut browser).await;
    browser.cookie.clear();
    let page = browser.get(&back).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.text);
    assert!(page.text.contains("begun by somebody else"), "{}", page.text);
    let other = agreed(&desk, &mut browser).await;
    assert_eq!(browser.get(&back).await.status, StatusCode::UNAUTHORIZED);
    // A state of their own with another's code.
    let code = |path: &str| {
        path.split(['?', '&'])
            .find(|part| part.starts_with("code="))
            .unwrap()
            .to_owned()
    };
    let mixed = other.replace(&code(&other), &code(&back));
    let page = browser.get(&mixed).await;
    assert!(
        page.status.is_client_error() && page.text.contains("invalid_grant"),
        "{}",
        page.text
    );
    // Under the name of another issuer.
    let back = agreed(&desk, &mut browser).await.replace("/corp/", "/other/");
    assert!(browser.get(&back).await.status.is_client_error());

    // A token that was made for another login.
    let back = agreed(&desk, &mut browser).await;
    desk.issuer.behaviour().claims = json!({"nonce": "another"}).as_object().unwrap().clone();
    let page = browser.get(&back).await;
    assert!(
        page.text.contains("does not belong to this login"),
        "{}",
        page.text
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_said_in_words() {
    let (desk, mut browser) = console().await;
    let back = agreed(&desk, &mut browser).await;
    let state = back
        .split(['?', '&'])
        .find(|part| part.starts_with("state="))
        .unwrap();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("error", "access_denied")
        .append_pair("error_description", EVIL)
        .finish();
    let page = browser
        .get(&format!("/sign-in/with/corp/back?{state}&{query}"))
        .await;
    assert!(
        page.text.contains("the issuer refused: access_denied"),
        "{}",
        page.text
    );
    assert!(page.text.contains("Sign in with corp"), "{}", page.text);
    let page = browser.get("/sign-in/with/nobody").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.text);
    // One who goes elsewhere afterwards does not.
    let page = browser.get("/sign-in?next=//evil.example").await;
    assert!(
        page.text.contains("/sign-in/with/corp?next=%2F%2Fevil.example"),
        "{}",
        page.text
    );
    let page = browser.get("/sign-in/with/corp?next=//evil.example").await;
    let kept = value(cookie(&page, "__Host-hadron-login"));
    assert!(kept.ends_with(".Lw"), "{kept}");
}
