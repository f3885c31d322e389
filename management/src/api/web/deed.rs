//! Forms that change something: read, checked for who wrote them, handed to the noun that they are about.

use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use hadron_proto::vocab::Digest;

use super::show::{Shown, wrong};
use super::upload::{self, Upload};
use super::view::segments;
use super::visit::{self, Fields, Visit, is_own};
use super::{
    Console, catalog, component_form, components, connections, deployments, environments, parts, register,
    services, settings, sign_in,
};
use crate::app::{AppError, Request as Asked};

/// A form of somebody who is signed in, and who wrote it themselves.
#[derive(Debug)]
pub(super) struct Deed {
    /// Who.
    pub(super) visit: Visit,
    /// What they wrote.
    pub(super) form: Fields,
    /// Files that they chose.
    pub(super) uploads: Vec<Upload>,
}

/// Where a form that was done leads, or what is shown instead.
pub(super) enum Outcome {
    /// Done: look there.
    Done(String),
    /// Nothing was changed: this page again, with what was written in it.
    Again(Shown),
    /// Nothing was changed: this page again, and why.
    Refused(Box<AppError>, Shown),
}

impl Deed {
    /// What the use cases want to know about a change.
    pub(super) fn request(&self, operation: &'static str) -> Asked {
        let id = self
            .form
            .some("request_id")
            .filter(|id| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_graphic()));
        let mut said = self.form.clone();
        said.0.retain(|(name, _)| name != "csrf" && name != "request_id");
        let files: Vec<Digest> = self
            .uploads
            .iter()
            .map(|file| Digest::of(&file.content))
            .collect();
        let hash = format!("{operation}\n{}\n{}\n{files:?}", self.visit.path, said.encoded());
        Asked {
            caller: self.visit.caller.clone(),
            id: id.map(str::to_owned),
            operation,
            hash: Digest::of(hash.as_bytes()),
            repeatable: false,
            tags: Vec::new(),
        }
    }

    /// The file that was chosen in a field, if there is anything in it.
    pub(super) fn upload(&self, field: &str) -> Option<&Bytes> {
        let found = self.uploads.iter().find(|file| file.field == field);
        found
            .map(|file| &file.content)
            .filter(|content| !content.is_empty())
    }

    /// A field that has to be there.
    pub(super) fn word<T: FromStr<Err: std::fmt::Display>>(&self, field: &str) -> Result<T, AppError> {
        let text = self.form.get(field).trim();
        text.parse().map_err(|error| wrong(field, error))
    }

    /// A field that may be empty.
    pub(super) fn word_opt<T: FromStr<Err: std::fmt::Display>>(
        &self,
        field: &str,
    ) -> Result<Option<T>, AppError> {
        match self.form.some(field) {
            Some(_) => self.word(field).map(Some),
            None => Ok(None),
        }
    }

    /// A description: Proton allows 500 characters.
    pub(super) fn description(&self) -> Result<String, AppError> {
        let text = self.form.get("description").trim().to_owned();
        if text.chars().count() > 500 {
            return Err(wrong("description", "at most 500 characters are allowed"));
        }
        Ok(text)
    }
}

/// Any form.
pub(super) async fn act(State(console): State<Console>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let visit = match Visit::of(&console, &parts, true).await {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    if !is_own(&parts) {
        return sign_in::foreign(visit::language(&parts.headers));
    }
    let (form, uploads) = match upload::read(&parts, body).await {
        Ok(read) => read,
        Err(error) => return visit.refused(&error),
    };
    if !visit.wrote(&form) {
        return sign_in::foreign(visit::language(&parts.headers));
    }
    let path = visit.path.clone();
    let deed = Deed { visit, form, uploads };
    if path == "/sign-out" {
        return match deed
            .visit
            .app
            .sign_out(&deed.visit.session, &deed.visit.caller)
            .await
        {
            Ok(()) => sign_in::left(),
            Err(error) => deed.visit.refused(&error),
        };
    }
    match Box::pin(done(&deed, &path)).await {
        Ok(Outcome::Done(to)) => Redirect::to(&to).into_response(),
        Ok(Outcome::Again(shown)) => deed.visit.page(StatusCode::OK, &shown),
        Ok(Outcome::Refused(error, shown)) => deed.visit.page_with(&error, shown),
        Err(error) => deed.visit.refused(&error),
    }
}

/// Each form by its address.
async fn done(deed: &Deed, path: &str) -> Result<Outcome, AppError> {
    match segments(path)[..] {
        ["connections", id, "accept"] => connections::accept(deed, id).await,
        ["connections", id, "reject"] => connections::reject(deed, id).await,
        ["catalog", "new"] => register::create(deed).await,
        ["catalog", kind, name, "new"] => register::create_version(deed, kind, name).await,
        ["catalog", kind, name, version, "publish"] => catalog::publish(deed, kind, name, version).await,
        ["environments", "new"] => environments::create(deed).await,
        ["environments", name, "edit"] => environments::update(deed, name).await,
        ["environments", name, "redeploy"] => environments::redeploy(deed, name).await,
        ["environments", name, "delete"] => environments::remove(deed, name).await,
        ["services", "new"] => services::create(deed).await,
        ["services", name, "edit"] => services::update(deed, name).await,
        ["services", name, "delete"] => services::remove(deed, name).await,
        ["services", service, "pipeline", "edit"] => parts::update_part(deed, service, None).await,
        ["services", service, "instances", name, "edit"] => {
            parts::update_part(deed, service, Some(name)).await
        }
        ["services", service, "pipeline", "redeploy"] => parts::redeploy(deed, service, None).await,
        ["services", service, "instances", name, "redeploy"] => {
            parts::redeploy(deed, service, Some(name)).await
        }
        ["components", "new"] => component_form::create(deed).await,
        ["components", name, "edit"] => component_form::update(deed, name).await,
        ["components", name, "delete"] => components::remove(deed, name).await,
        ["deployments", id, "cancel"] => deployments::cancel(deed, id).await,
        ["settings", "access", "grant"] => settings::grant(deed).await,
        ["settings", "access", "revoke"] => settings::revoke(deed).await,
        ["settings", "keys", "end"] => settings::end_key(deed).await,
        _ => Err(AppError::not_found("form", path)),
    }
}

/// A part of an address as what it names.
pub(super) fn named<T: FromStr>(what: &'static str, text: &str) -> Result<T, AppError> {
    text.parse().map_err(|_| AppError::not_found(what, text))
}

/// The same page again with why it was refused.
pub(super) fn again(error: AppError, shown: Shown) -> Outcome {
    Outcome::Refused(Box::new(error), shown)
}
