//! Settings: what pipelines are provisioned with, and who plays which part.

use askama::Template;
use hadron_domain::authority::{Action, Right, Role, Scope};

use super::deed::{Deed, Outcome, again};
use super::show::{Html, Shown, When, wrong};
use super::target::PAGE;
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::app::access::PrincipalPattern;
use crate::app::keys::{Key, KeyId};

struct Binding {
    principal: String,
    role: &'static str,
    scope: String,
    created_by: String,
    created: When,
}

struct KeyRow {
    sort: &'static str,
    /// What the form says to end it.
    field: (&'static str, String),
    name: String,
    principal: String,
    role: &'static str,
    created: When,
    used: Option<When>,
    ends: Option<When>,
}

impl KeyRow {
    fn of(v: &Visit, key: Key) -> Self {
        let (sort, field, id) = match key.id {
            KeyId::Token(digest) => (v.t.key_token, ("token", digest.to_string()), String::new()),
            KeyId::AccessKey(id) => (v.t.key_access, ("access_key", id.clone()), id),
        };
        Self {
            sort,
            field,
            name: if key.name.is_empty() { id } else { key.name },
            principal: key.principal,
            role: key.role.map_or("", Role::word),
            created: When(key.created_at),
            used: When::some(key.last_used_at),
            ends: When::some(key.expires_at),
        }
    }
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings<'a> {
    v: &'a Visit,
    account: String,
    region: String,
    pipeline_role: String,
    codebuild_role: String,
    administrators: Vec<String>,
    developers: Vec<String>,
    auditors: Vec<String>,
    bindings: Option<Vec<Binding>>,
    keys: Vec<KeyRow>,
    writes: bool,
}

#[derive(Template)]
#[template(path = "settings_grant.html")]
struct Grant<'a> {
    v: &'a Visit,
    principal: &'a str,
    scope: &'a str,
    roles: Vec<(&'static str, bool)>,
}

/// The page.
pub(super) async fn show(v: &Visit) -> Result<Shown, AppError> {
    with(v, &Fields::default()).await
}

async fn with(v: &Visit, form: &Fields) -> Result<Shown, AppError> {
    let settings = v.app.get_settings(&v.caller).await?;
    let hub = v.app.settings();
    let bindings = if v.may(Action::ReadAccess) {
        let none = (String::new(), String::new(), String::new());
        let rows = v.app.list_access(&v.caller, none, PAGE).await?;
        let binding = |row: crate::store::bindings::BindingRow| Binding {
            principal: row.principal,
            role: row.right.role.word(),
            scope: row.right.scope.to_string(),
            created_by: row.created_by,
            created: When(row.created_at),
        };
        Some(rows.into_iter().map(binding).collect())
    } else {
        None
    };
    let list = |patterns: &[crate::app::access::Listed]| patterns.iter().map(ToString::to_string).collect();
    let role = |role: Option<hadron_proto::vocab::RoleArn>| role.map(String::from).unwrap_or_default();
    let shows = bindings.is_some();
    let page = Settings {
        v,
        account: hub.account.to_string(),
        region: hub.region.to_string(),
        pipeline_role: role(settings.pipeline_role),
        codebuild_role: role(settings.pipeline_codebuild_role),
        administrators: if shows {
            list(&hub.access.administrators)
        } else {
            Vec::new()
        },
        developers: if shows {
            list(&hub.access.developers)
        } else {
            Vec::new()
        },
        auditors: if shows {
            list(&hub.access.auditors)
        } else {
            Vec::new()
        },
        bindings,
        keys: if shows {
            let keys = v.app.list_keys(&v.caller, PAGE).await?;
            keys.into_iter().map(|key| KeyRow::of(v, key)).collect()
        } else {
            Vec::new()
        },
        writes: v.may(Action::WriteAccess),
    };
    let mut shown = Shown::titled(v.t.nav_settings);
    let mut fixed = Html::of(&page)?;
    if page.writes {
        let grant = Grant {
            v,
            principal: form.get("principal"),
            scope: form.get("scope"),
            roles: Role::ALL
                .iter()
                .map(|role| (role.word(), role.word() == form.get("role")))
                .collect(),
        };
        fixed.0.push_str(&Html::of(&grant)?.0);
    }
    shown.fixed = fixed;
    Ok(shown)
}

/// The part that a form names.
fn right(deed: &Deed) -> Result<Right, AppError> {
    let role: Role = deed.word("role")?;
    let scope: Scope = match deed.form.some("scope") {
        Some(_) => deed.word("scope")?,
        None => Scope::Hub,
    };
    Right::new(role, scope).map_err(|error| wrong("role", error))
}

/// Lets somebody play a part.
pub(super) async fn grant(deed: &Deed) -> Result<Outcome, AppError> {
    let granted = async {
        let principal: PrincipalPattern = deed.word("principal")?;
        let right = right(deed)?;
        deed.visit
            .app
            .grant_access(deed.request("GrantAccess"), principal, right)
            .await
    };
    match granted.await {
        Ok(_) => Ok(Outcome::Done("/settings?done=saved".to_owned())),
        Err(error) => Ok(again(error, with(&deed.visit, &deed.form).await?)),
    }
}

/// Takes a part away from somebody.
pub(super) async fn revoke(deed: &Deed) -> Result<Outcome, AppError> {
    let revoked = async {
        let principal = deed.form.get("principal").to_owned();
        let right = right(deed)?;
        deed.visit
            .app
            .revoke_access(deed.request("RevokeAccess"), principal, right)
            .await
    };
    match revoked.await {
        Ok(()) => Ok(Outcome::Done("/settings?done=saved".to_owned())),
        Err(error) => Ok(again(error, with(&deed.visit, &Fields::default()).await?)),
    }
}

/// Ends a token or an access key.
pub(super) async fn end_key(deed: &Deed) -> Result<Outcome, AppError> {
    let ended = async {
        let id = match deed.form.some("access_key") {
            Some(id) => KeyId::AccessKey(id.to_owned()),
            None => KeyId::Token(deed.word("token")?),
        };
        deed.visit.app.end_key(deed.request("EndKey"), id).await
    };
    match ended.await {
        Ok(()) => Ok(Outcome::Done("/settings?done=saved".to_owned())),
        Err(error) => Ok(again(error, with(&deed.visit, &Fields::default()).await?)),
    }
}
