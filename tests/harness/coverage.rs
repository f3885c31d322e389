//! The table of Proton's operations in `tests/proton/COVERAGE.md`: what AWS's own clients have seen of each. Suites write
//! down what they see (see [`crate::clients::record`]); the table is made of all of that and of `tests/proton/unseen.toml`,
//! which says what cannot be seen here, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::{clients, paths};

/// Errors by the letter that they have in the table.
const LETTERS: [(&str, &str); 7] = [
    ("V", "ValidationException"),
    ("A", "AccessDeniedException"),
    ("N", "ResourceNotFoundException"),
    ("C", "ConflictException"),
    ("Q", "ServiceQuotaExceededException"),
    ("T", "ThrottlingException"),
    ("I", "InternalServerException"),
];

/// What `unseen.toml` says of an operation that cannot succeed yet.
const SUCCESS: &str = "success";

/// What one suite saw.
#[derive(Debug, Default, Deserialize)]
struct Record {
    operations: BTreeMap<String, Seen>,
    #[serde(default)]
    paginators: BTreeSet<String>,
    #[serde(default)]
    waiters: BTreeMap<String, BTreeSet<String>>,
}

/// What was seen of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Seen {
    success: BTreeSet<String>,
    errors: BTreeSet<String>,
}

/// What cannot be seen.
#[derive(Debug, Deserialize)]
struct Unseen {
    /// Operations that keep their shape, validation and state, and do nothing with Git yet: what is left to come.
    waits_for_git: BTreeMap<String, String>,
    /// Errors that no operation gives here, and why.
    everywhere: BTreeMap<String, String>,
    /// Errors that one operation declares and cannot give here, and why.
    #[serde(default)]
    operation: BTreeMap<String, BTreeMap<String, String>>,
    /// Lists whose token has length 0 in the model: always one page.
    one_page: BTreeSet<String>,
}

/// The committed table.
fn file() -> PathBuf {
    paths::root().join("tests/proton/COVERAGE.md")
}

/// Operations and the errors they declare, as the model has them.
fn declared() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let text = std::fs::read_to_string(paths::root().join("tests/proton/operations.json"))
        .context("tests/proton/operations.json")?;
    serde_json::from_str(&text).context("tests/proton/operations.json")
}

fn unseen() -> Result<Unseen> {
    let text = std::fs::read_to_string(paths::root().join("tests/proton/unseen.toml"))
        .context("tests/proton/unseen.toml")?;
    toml::from_str(&text).context("tests/proton/unseen.toml")
}

fn read(name: &str) -> Result<Record> {
    let file = clients::record(name);
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

/// Everything that was written down since [`forget`].
fn all() -> Result<Record> {
    let mut sum = Record::default();
    let folder = clients::records();
    let entries =
        std::fs::read_dir(&folder).with_context(|| format!("no suite has run: {}", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        let record = read(name)?;
        for (operation, seen) in record.operations {
            let into = sum.operations.entry(operation).or_default();
            into.success.extend(seen.success);
            into.errors.extend(seen.errors);
        }
        sum.paginators.extend(record.paginators);
        for (waiter, seen) in record.waiters {
            sum.waiters.entry(waiter).or_default().extend(seen);
        }
    }
    Ok(sum)
}

/// Takes away what earlier runs wrote down.
///
/// # Errors
/// When it cannot be removed.
pub fn forget() -> Result<()> {
    let folder = clients::records();
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// Checks that the committed table has what one suite saw. While the table is being written anew it need not.
///
/// # Errors
/// What is missing in it.
pub fn contains(name: &str) -> Result<()> {
    if writing() {
        return Ok(());
    }
    let committed = parse(&std::fs::read_to_string(file()).unwrap_or_default());
    for (operation, seen) in read(name)?.operations {
        let row = committed.get(&operation).cloned().unwrap_or_default();
        let new: Vec<&String> = seen
            .success
            .difference(&row.success)
            .chain(seen.errors.difference(&row.errors))
            .collect();
        ensure!(
            new.is_empty(),
            "tests/proton/COVERAGE.md does not have what suite {name} saw of {operation}: {new:?}; run `HADRON_WRITE=1 ./tests/run.sh`"
        );
    }
    Ok(())
}

/// Whether the table is to be written instead of compared.
#[expect(
    clippy::disallowed_methods,
    reason = "a developer's switch, as of the other files that tests write"
)]
fn writing() -> bool {
    std::env::var("HADRON_WRITE").is_ok_and(|value| value == "1")
}

/// Makes the table of everything that was written down, and compares it with the committed one, or writes that.
///
/// # Errors
/// When they differ, or something was neither seen nor explained.
pub fn compare() -> Result<String> {
    let record = all()?;
    let table = render(&record)?;
    if writing() {
        std::fs::write(file(), &table).context("tests/proton/COVERAGE.md")?;
    }
    let gaps = gaps(&record)?;
    ensure!(
        gaps.is_empty(),
        "neither seen nor explained in tests/proton/unseen.toml:\n  {}",
        gaps.join("\n  ")
    );
    let committed = std::fs::read_to_string(file()).context("tests/proton/COVERAGE.md")?;
    if committed != table {
        bail!(
            "tests/proton/COVERAGE.md is not what the suites saw; run `HADRON_WRITE=1 ./tests/run.sh` and look at the difference"
        );
    }
    Ok(table)
}

fn gaps(record: &Record) -> Result<Vec<String>> {
    let (declared, unseen) = (declared()?, unseen()?);
    let mut gaps = Vec::new();
    for (operation, errors) in &declared {
        let seen = record.operations.get(operation).cloned().unwrap_or_default();
        let without = unseen
            .operation
            .get(operation)
            .is_some_and(|why| why.contains_key(SUCCESS));
        if seen.success.is_empty() != without {
            gaps.push(format!("{operation}: success"));
        }
        for error in errors.difference(&seen.errors) {
            let explained = unseen.everywhere.contains_key(error)
                || unseen
                    .operation
                    .get(operation)
                    .is_some_and(|why| why.contains_key(error));
            if !explained {
                gaps.push(format!("{operation}: {error}"));
            }
        }
        for error in seen.errors.difference(errors) {
            gaps.push(format!("{operation}: {error} was seen and is not declared"));
        }
        let explained = unseen.operation.get(operation).into_iter().flatten();
        for (error, _) in explained.filter(|(error, _)| seen.errors.contains(*error)) {
            gaps.push(format!(
                "{operation}: {error} was seen: take it out of unseen.toml"
            ));
        }
    }
    for waiter in WAITERS {
        for outcome in ["success", "failure"] {
            if !record
                .waiters
                .get(waiter)
                .is_some_and(|seen| seen.contains(outcome))
            {
                gaps.push(format!("waiter {waiter}: {outcome}"));
            }
        }
    }
    for list in declared.keys().filter(|name| name.starts_with("List")) {
        let pages = if unseen.one_page.contains(list) {
            "one"
        } else {
            "many"
        };
        if !record.paginators.contains(&format!("{list}:{pages}")) {
            gaps.push(format!("paginator {list}: {pages} page(s)"));
        }
    }
    Ok(gaps)
}

/// Botocore's waiters.
const WAITERS: [&str; 10] = [
    "component_deleted",
    "component_deployed",
    "environment_deployed",
    "environment_template_version_registered",
    "service_created",
    "service_deleted",
    "service_instance_deployed",
    "service_pipeline_deployed",
    "service_template_version_registered",
    "service_updated",
];

fn letter(error: &str) -> &str {
    LETTERS
        .iter()
        .find(|(_, name)| *name == error)
        .map_or(error, |(letter, _)| letter)
}

fn render(record: &Record) -> Result<String> {
    let (declared, unseen) = (declared()?, unseen()?);
    let mut text = String::from(
        "# What AWS's clients have seen of each operation\n\n\
         Written by the suites of this folder (`HADRON_WRITE=1 ./tests/run.sh`), compared by `./tests/run.sh`. Success: the \
         clients that got it. Errors: ",
    );
    let legend: Vec<String> = LETTERS
        .iter()
        .map(|(letter, name)| format!("{letter} {name}"))
        .collect();
    let _ = writeln!(text, "{}.\n", legend.join(", "));
    for (error, why) in &unseen.everywhere {
        let _ = writeln!(
            text,
            "{} is declared by all; where it was not seen: {why}.",
            letter(error)
        );
    }
    let done = declared.len() - unseen.waits_for_git.len();
    let _ = writeln!(
        text,
        "\n{} operations; {done} with their whole behaviour, {} that wait for Git.\n",
        declared.len(),
        unseen.waits_for_git.len()
    );
    text.push_str("| Operation | Implemented | Success | Errors seen | Declared and not seen |\n|---|---|---|---|---|\n");
    for (operation, errors) in &declared {
        let seen = record.operations.get(operation).cloned().unwrap_or_default();
        let implemented = unseen.waits_for_git.get(operation).map_or("yes", String::as_str);
        let success: Vec<&str> = seen.success.iter().map(String::as_str).collect();
        let found: Vec<&str> = LETTERS
            .iter()
            .filter(|(_, name)| seen.errors.contains(*name))
            .map(|(letter, _)| *letter)
            .collect();
        let without = unseen.operation.get(operation).and_then(|why| why.get(SUCCESS));
        let without = without.map(|why| format!("success: {why}"));
        let missing = LETTERS
            .iter()
            .filter(|(_, name)| {
                errors.contains(*name)
                    && !seen.errors.contains(*name)
                    && !unseen.everywhere.contains_key(*name)
            })
            .map(|(letter, name)| {
                let why = unseen.operation.get(operation).and_then(|why| why.get(*name));
                format!("{letter}: {}", why.map_or("?", String::as_str))
            });
        let missing: Vec<String> = without.into_iter().chain(missing).collect();
        let _ = writeln!(
            text,
            "| {operation} | {implemented} | {} | {} | {} |",
            success.join(", "),
            found.join(" "),
            missing.join("; ")
        );
    }
    text.push_str("\n| Waiter | Ended with |\n|---|---|\n");
    for waiter in WAITERS {
        let seen = record.waiters.get(waiter).cloned().unwrap_or_default();
        let seen: Vec<&str> = seen
            .iter()
            .map(String::as_str)
            .filter(|outcome| ["success", "failure"].contains(outcome))
            .collect();
        let _ = writeln!(text, "| {waiter} | {} |", seen.join(", "));
    }
    text.push_str("\n| Paginator | Pages |\n|---|---|\n");
    for list in declared.keys().filter(|name| name.starts_with("List")) {
        let pages = if record.paginators.contains(&format!("{list}:many")) {
            "more than one"
        } else if unseen.one_page.contains(list) && record.paginators.contains(&format!("{list}:one")) {
            "one, as the model wants it"
        } else {
            ""
        };
        let _ = writeln!(text, "| {list} | {pages} |");
    }
    Ok(text)
}

/// The rows of a table.
fn parse(text: &str) -> BTreeMap<String, Seen> {
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .filter(|cells| cells.len() == 5 && cells[0] != "Operation");
    rows.map(|cells| {
        let success = cells[2].split(", ").map(|word| word.trim().to_owned()).collect();
        let errors = LETTERS
            .iter()
            .filter(|(letter, _)| cells[3].split(' ').any(|word| word == *letter))
            .map(|(_, name)| (*name).to_owned())
            .collect();
        (cells[0].to_owned(), Seen { success, errors })
    })
    .collect()
}
