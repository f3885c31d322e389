//! What a caller may see, as a condition in SQL: one parameter for any number of scopes, in a form that both databases
//! understand.

use std::fmt::Write as _;

use hadron_domain::authority::Sight;

/// Everything.
const ALL: &str = "*";

/// What a parameter of [`seen`] is.
pub(super) fn words(sight: &Sight) -> String {
    match sight {
        Sight::Everything => ALL.to_owned(),
        Sight::Within(scopes) => {
            let mut text = String::from(";");
            for scope in scopes {
                let _ = write!(text, "{scope};");
            }
            text
        }
    }
}

/// Rows in a column's scopes. A name holds none of the signs around it, so a word is found as a whole or not at all; LIKE
/// would take the `_` of a name for any sign.
macro_rules! seen {
    ($at:literal, $($scope:literal in $column:literal),+) => {
        concat!(
            "(", $at, " = '*'",
            $(" OR replace(", $at, ", ';", $scope, ":' || ", $column, " || ';', '') <> ", $at,)+
            ")"
        )
    };
}
pub(super) use seen;
