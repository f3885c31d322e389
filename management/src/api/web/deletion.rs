//! The form that is asked for before something is deleted: its name has to be typed, and what could not be deleted may be
//! left behind.

use askama::Template;

use super::deed::Deed;
use super::show::wrong;
use super::visit::{Fields, Visit};
use crate::app::AppError;
use crate::store::targets::TargetRow;

/// A question before something goes.
#[derive(Template)]
#[template(path = "delete.html")]
pub(super) struct Delete<'a> {
    pub(super) v: &'a Visit,
    pub(super) action: String,
    pub(super) name: String,
    pub(super) typed: &'a str,
    /// Resources that can be left behind, and whether they are chosen.
    pub(super) retain: Vec<(String, bool)>,
}

/// Resources that could not be deleted, and those that an address says are to stay.
pub(super) fn retainable(row: &TargetRow, chosen: &Fields) -> Vec<(String, bool)> {
    let is_chosen = |id: &str| {
        chosen
            .0
            .iter()
            .any(|(name, value)| name == "retain" && value == id)
    };
    row.resources
        .iter()
        .filter(|resource| resource.status == "DELETE_FAILED")
        .map(|resource| (resource.logical_id.clone(), is_chosen(&resource.logical_id)))
        .collect()
}

/// That a name was typed as it is.
pub(super) fn typed(deed: &Deed, name: &str) -> Result<(), AppError> {
    if deed.form.get("name").trim() == name {
        return Ok(());
    }
    Err(wrong(
        "name",
        format!("'{name}' has to be typed here, so that nothing else is deleted"),
    ))
}

/// What a form says is to be left behind.
pub(super) fn retained(deed: &Deed) -> Vec<String> {
    let chosen = deed.form.0.iter().filter(|(name, _)| name == "retain");
    chosen.map(|(_, value)| value.clone()).collect()
}
