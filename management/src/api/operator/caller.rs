//! Who is calling: the bearer of the token in `authorization`. Everything but the login asks this first.

use hadron_domain::authority::Caller;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::api::status::{status, with_info};
use crate::app::App;
use crate::identity::login::Token;

const HELP: &str = "hadron login\nor set HADRON_TOKEN to a token that an administrator minted (hadron-hub admin token create)";

fn unauthenticated(message: &str) -> Status {
    with_info(Code::Unauthenticated, "UNAUTHENTICATED", message, Some(HELP))
}

/// The token that a request with these metadata carries, good or not.
///
/// # Errors
/// `UNAUTHENTICATED` when there is none.
pub fn token(metadata: &MetadataMap) -> Result<Token, Status> {
    let mut given = metadata.get_all("authorization").iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return Err(unauthenticated("the call carries no token"));
    };
    let text = value
        .to_str()
        .map_err(|_| unauthenticated("the token is no text"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or(("", ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unauthenticated("authorization must be 'Bearer <token>'"));
    }
    Token::parse(token).ok_or_else(|| unauthenticated("this is no token of a hub"))
}

/// The caller of a request with these metadata.
///
/// # Errors
/// `UNAUTHENTICATED` when there is no token or it counts no more.
pub async fn authenticate(app: &App, metadata: &MetadataMap) -> Result<Caller, Status> {
    let token = token(metadata)?;
    app.caller_of(token.reveal())
        .await
        .map_err(|error| status(&error))
}
