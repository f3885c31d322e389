//! Grants: which account may pull which repository, and why.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use super::show::{Badge, Html, Shown, When};
use super::visit::Visit;
use crate::app::AppError;

/// What one account has to do with one repository.
struct Cell {
    state: Badge,
    reasons: Vec<String>,
    message: String,
    changed: When,
}

#[derive(Template)]
#[template(path = "grants.html")]
struct Matrix<'a> {
    v: &'a Visit,
    accounts: Vec<String>,
    rows: Vec<(String, Vec<Option<Cell>>)>,
    grants: usize,
}

/// The page.
pub(super) async fn show(v: &Visit) -> Result<Shown, AppError> {
    let views = v.app.list_grants(&v.caller).await?;
    let grants = views.len();
    let accounts: BTreeSet<String> = views.iter().map(|view| view.account.to_string()).collect();
    let mut cells: BTreeMap<String, BTreeMap<String, Cell>> = BTreeMap::new();
    for view in views {
        let repository = format!("{} ({})", view.repository.name, view.repository.region);
        let cell = Cell {
            state: Badge::of(view.state),
            reasons: view.reasons,
            message: view.message,
            changed: When(view.changed_at),
        };
        cells
            .entry(repository)
            .or_default()
            .insert(view.account.to_string(), cell);
    }
    let accounts: Vec<String> = accounts.into_iter().collect();
    let rows = cells
        .into_iter()
        .map(|(repository, mut of)| {
            let row = accounts.iter().map(|account| of.remove(account)).collect();
            (repository, row)
        })
        .collect();
    let matrix = Matrix {
        v,
        accounts,
        rows,
        grants,
    };
    let mut shown = Shown::titled(v.t.nav_grants);
    shown.lead = v.t.grants_lead.to_owned();
    shown.live = Some(Html::of(&matrix)?);
    Ok(shown)
}
