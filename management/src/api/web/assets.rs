//! What pages load: style, scripts, the icon. Built into the program.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

macro_rules! assets {
    ($($name:literal $kind:literal),* $(,)?) => {
        &[$(($name, $kind, include_bytes!(concat!("../../../console/assets/", $name)))),*]
    };
}

/// Name, type and content of each.
const ASSETS: &[(&str, &str, &[u8])] = assets![
    "console.css" "text/css; charset=utf-8",
    "console.js" "text/javascript; charset=utf-8",
    "htmx.min.js" "text/javascript; charset=utf-8",
    "htmx-ext-sse.min.js" "text/javascript; charset=utf-8",
    "icon.svg" "image/svg+xml",
];

/// Changes with every release, so that browsers may keep what they have for as long as they like.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One of them.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some((_, kind, content)) = ASSETS.iter().find(|(known, _, _)| *known == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = Response::new(Body::from(*content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_do_nothing_that_the_policy_forbids() {
        for (name, kind, content) in ASSETS {
            let text = std::str::from_utf8(content).unwrap();
            assert!(!text.is_empty(), "{name}");
            if kind.starts_with("text/javascript") && name.starts_with("console") {
                for word in ["eval(", "new Function", "innerHTML", "document.write"] {
                    assert!(!text.contains(word), "{name} uses {word}");
                }
            }
        }
    }
}
