//! While a release rolls out, the hub before it works on the new schema. `tests/previous/statements.sql` holds every
//! statement of the store of the last release; here each is prepared on the present schema of both databases, and each of
//! its INSERTs is really done.
//!
//! At a release the file is written anew: `HADRON_RELEASE=1 cargo nextest run -p hadron-management --all-features
//! -E 'test(statements_of_the_last_release)'` (see `migrations/README.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hadron_management::store::db::testing;
use rusqlite::types::Value as Lite;

const FILE: &str = "tests/previous/statements.sql";
const END: &str = "\n;\n";

// --- statements in source text

/// A piece of source text that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Word(String),
    Sign(char),
}

/// Cuts Rust source into strings, words and signs; comments are dropped, and so are tests at the end.
fn pieces(source: &str) -> Vec<Piece> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or(source);
    let chars: Vec<char> = source.chars().collect();
    let (mut at, mut pieces) = (0, Vec::new());
    while at < chars.len() {
        let rest = &chars[at..];
        match rest[0] {
            '/' if rest.get(1) == Some(&'/') => {
                at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
            }
            '\'' => {
                // A character, or a lifetime.
                at += match rest {
                    ['\'', '\\', ..] => rest[2..].iter().position(|c| *c == '\'').map_or(1, |end| end + 3),
                    ['\'', _, '\'', ..] => 3,
                    _ => 1,
                };
            }
            '"' => {
                let (text, length) = string(&rest[1..]);
                pieces.push(Piece::Text(text));
                at += length + 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let length = rest
                    .iter()
                    .position(|c| !c.is_alphanumeric() && *c != '_')
                    .unwrap_or(rest.len());
                pieces.push(Piece::Word(rest[..length].iter().collect()));
                at += length;
            }
            c => {
                if !c.is_whitespace() {
                    pieces.push(Piece::Sign(c));
                }
                at += 1;
            }
        }
    }
    pieces
}

/// The value of a string from behind its quote, and its length in the source.
fn string(rest: &[char]) -> (String, usize) {
    let (mut text, mut at) = (String::new(), 0);
    while at < rest.len() && rest[at] != '"' {
        if rest[at] != '\\' {
            text.push(rest[at]);
            at += 1;
            continue;
        }
        match rest.get(at + 1) {
            // The line goes on where the next one begins.
            Some('\n') => {
                at += 2;
                while rest.get(at).is_some_and(|c| c.is_whitespace()) {
                    at += 1;
                }
            }
            Some('n') => {
                text.push('\n');
                at += 2;
            }
            Some(other) => {
                text.push(*other);
                at += 2;
            }
            None => at += 1,
        }
    }
    (text, at)
}

/// A macro of one arm: the names of its parameters, in order, and its body.
type Macro = (Vec<String>, Vec<Piece>);

/// Where the bracket that opens at `at` closes.
fn closing(pieces: &[Piece], at: usize) -> usize {
    let mut depth = 0;
    for (place, piece) in pieces.iter().enumerate().skip(at) {
        match piece {
            Piece::Sign('(' | '{' | '[') => depth += 1,
            Piece::Sign(')' | '}' | ']') => depth -= 1,
            Piece::Sign(_) | Piece::Text(_) | Piece::Word(_) => {}
        }
        if depth == 0 {
            return place;
        }
    }
    panic!("a bracket that does not close")
}

/// The names behind `$` in these pieces.
fn parameters(pieces: &[Piece]) -> Vec<String> {
    let named = |pair: &[Piece]| match pair {
        [Piece::Sign('$'), Piece::Word(name)] => Some(name.clone()),
        _ => None,
    };
    pieces.windows(2).filter_map(named).collect()
}

/// Takes the definitions of macros out of a file.
fn macros(pieces: &mut Vec<Piece>) -> BTreeMap<String, Macro> {
    let mut found = BTreeMap::new();
    while let Some(at) = pieces
        .iter()
        .position(|piece| *piece == Piece::Word("macro_rules".to_owned()))
    {
        // macro_rules ! name { ( pattern ) => { body } ; }
        let end = closing(pieces, at + 3);
        let pattern = closing(pieces, at + 4);
        let body = pattern + 3;
        if let Piece::Word(name) = &pieces[at + 2] {
            let parameters = parameters(&pieces[at + 4..pattern]);
            let body = pieces[body + 1..closing(pieces, body)].to_vec();
            found.insert(name.clone(), (parameters, body));
        }
        pieces.drain(at..=end);
    }
    found
}

/// Puts the bodies of macros where they are called.
fn expanded(pieces: &[Piece], macros: &BTreeMap<String, Macro>) -> Vec<Piece> {
    let (mut at, mut out) = (0, Vec::new());
    while at < pieces.len() {
        let called = match &pieces[at..] {
            [Piece::Word(name), Piece::Sign('!'), Piece::Sign('('), ..] => macros.get(name),
            _ => None,
        };
        let Some((parameters, body)) = called else {
            out.push(pieces[at].clone());
            at += 1;
            continue;
        };
        let end = closing(pieces, at + 2);
        let given = pieces[at + 3..end]
            .iter()
            .filter(|piece| **piece != Piece::Sign(','));
        let given: BTreeMap<&String, &Piece> = parameters.iter().zip(given).collect();
        let mut filled = Vec::new();
        let mut place = 0;
        while place < body.len() {
            match &body[place..] {
                [Piece::Sign('$'), Piece::Word(name), ..] => {
                    filled.push(given[name].clone());
                    place += 2;
                }
                rest => {
                    filled.push(rest[0].clone());
                    place += 1;
                }
            }
        }
        out.extend(expanded(&filled, macros));
        at = end + 1;
    }
    out
}

fn is_statement(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    matches!(first, "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "WITH") && text.split_whitespace().count() > 3
}

/// Every statement in these files, in their order.
fn extract(sources: &[String]) -> Vec<String> {
    let mut files: Vec<_> = sources.iter().map(|source| pieces(source)).collect();
    let own: Vec<_> = files.iter_mut().map(macros).collect();
    let shared: BTreeMap<String, Macro> = own
        .iter()
        .flatten()
        .map(|(name, each)| (name.clone(), each.clone()))
        .collect();
    let mut found = Vec::new();
    for (pieces, own) in files.iter().zip(own) {
        // A file's own macro counts before one of the same name elsewhere.
        let mut known = shared.clone();
        known.extend(own);
        let pieces = expanded(pieces, &known);
        let mut at = 0;
        while at < pieces.len() {
            match &pieces[at] {
                Piece::Word(word) if word == "concat" && pieces.get(at + 1) == Some(&Piece::Sign('!')) => {
                    let end = closing(&pieces, at + 2);
                    let text = |piece: &Piece| match piece {
                        Piece::Text(text) => text.clone(),
                        Piece::Word(_) | Piece::Sign(_) => String::new(),
                    };
                    found.push(pieces[at..end].iter().map(text).collect());
                    at = end;
                }
                Piece::Text(text) => found.push(text.clone()),
                Piece::Word(_) | Piece::Sign(_) => {}
            }
            at += 1;
        }
    }
    found.retain(|text| is_statement(text));
    found
}

/// The sources of a store: one file per noun, and the statement that draws numbers.
fn sources(store: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(store)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .filter(|path| !path.file_stem().unwrap().to_str().unwrap().ends_with("_tests"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn kept() -> Vec<String> {
    let text = std::fs::read_to_string(root().join(FILE)).unwrap();
    let (_, statements) = text.split_once("\n\n").unwrap();
    statements
        .split(END)
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

#[test]
fn the_statements_of_the_last_release_can_be_told_from_the_source() {
    let own = extract(&sources(&root().join("src/store")));
    let has = |what: &str| {
        own.iter().any(|text| {
            text.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .contains(what)
        })
    };
    for what in [
        // A plain one, one over several lines, one made of a list of columns, one that begins in a variable.
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
        "UPDATE job SET status = $2, at = $3, holder = $4",
        "SELECT id, account, region, connection_id, deployment_id, kind, label",
        "SELECT id FROM agent WHERE session_id IS NOT NULL AND last_seen < $1 LIMIT 1",
    ] {
        assert!(has(what), "not found: {what}");
    }
    assert!(own.len() > 150, "only {} statements", own.len());
    if let Some(from) = std::env::var_os("HADRON_RELEASE") {
        let store = if from == "1" {
            root().join("src/store")
        } else {
            from.into()
        };
        let statements: BTreeSet<String> = extract(&sources(&store)).into_iter().collect();
        let list: Vec<String> = statements.into_iter().collect();
        let head = "-- Every statement of the store of the last release. Written by a test: see migrations/README.md.\n\n";
        std::fs::write(root().join(FILE), format!("{head}{}{END}", list.join(END))).unwrap();
    }
    assert!(kept().len() > 150, "only {} statements are kept", kept().len());
}

// --- on the present schema

/// Table and columns of an INSERT of values.
fn insert(sql: &str) -> Option<(String, BTreeSet<String>)> {
    let rest = sql.strip_prefix("INSERT INTO ")?;
    if !sql.contains("VALUES") {
        return None;
    }
    let (table, rest) = rest.split_once('(')?;
    let (columns, _) = rest.split_once(')')?;
    let columns = columns
        .split(',')
        .map(|column| column.trim().to_owned())
        .collect();
    Some((table.trim().to_owned(), columns))
}

/// The column that each parameter of an INSERT of values goes into.
fn places(sql: &str) -> BTreeMap<String, String> {
    let list = |text: &str| -> Vec<String> {
        let (mut depth, mut items, mut item) = (0, Vec::new(), String::new());
        for c in text.chars() {
            match c {
                '(' => depth += 1,
                ')' if depth == 0 => break,
                ')' => depth -= 1,
                ',' if depth == 0 => {
                    items.push(std::mem::take(&mut item).trim().to_owned());
                    continue;
                }
                _ => {}
            }
            item.push(c);
        }
        items.push(item.trim().to_owned());
        items
    };
    let (columns, rest) = sql.split_once('(').unwrap().1.split_once("VALUES").unwrap();
    let values = rest.split_once('(').unwrap().1;
    list(values)
        .into_iter()
        .zip(list(columns))
        .filter(|(value, _)| value.starts_with('$'))
        .collect()
}

#[tokio::test]
async fn the_last_release_works_on_the_schema_of_sqlite() {
    let test = testing::sqlite().await;
    let database = rusqlite::Connection::open(&test.place).unwrap();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    let mut required = BTreeMap::<String, BTreeSet<String>>::new();
    let mut kinds = BTreeMap::<(String, String), String>::new();
    let mut columns = database
        .prepare(
            "SELECT t.name, c.name, c.type, c.\"notnull\" AND c.dflt_value IS NULL FROM sqlite_schema t
             JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
        )
        .unwrap();
    let mut rows = columns.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (table, column, kind, must): (String, String, String, bool) = (
            row.get(0).unwrap(),
            row.get(1).unwrap(),
            row.get(2).unwrap(),
            row.get(3).unwrap(),
        );
        if must {
            required.entry(table.clone()).or_default().insert(column.clone());
        }
        kinds.insert((table, column), kind);
    }
    drop(rows);
    drop(columns);
    let (mut prepared, mut done) = (0, 0);
    for sql in kept() {
        let mut statement = database
            .prepare(&sql)
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        prepared += 1;
        let Some((table, given)) = insert(&sql) else {
            continue;
        };
        let missing: Vec<_> = required[&table].difference(&given).collect();
        assert!(
            missing.is_empty(),
            "the last release does not fill {table}.{missing:?}, which has no default"
        );
        let places = places(&sql);
        let value = |at: usize| {
            let name = statement.parameter_name(at + 1).unwrap_or_default();
            let column = places.get(name).cloned().unwrap_or_default();
            match kinds.get(&(table.clone(), column)).map(String::as_str) {
                // Far from what is there already.
                Some("INTEGER") => Lite::Integer(1_000_001),
                Some("BLOB") => Lite::Blob(vec![1]),
                _ => Lite::Text(format!("x{at}")),
            }
        };
        let values: Vec<Lite> = (0..statement.parameter_count()).map(value).collect();
        database.execute_batch("SAVEPOINT each_one").unwrap();
        let ran = statement
            .query(rusqlite::params_from_iter(values))
            .and_then(|mut rows| {
                while rows.next()?.is_some() {}
                Ok(())
            });
        ran.unwrap_or_else(|error| panic!("{error}: {sql}"));
        drop(statement);
        database
            .execute_batch("ROLLBACK TO each_one; RELEASE each_one")
            .unwrap();
        done += 1;
    }
    assert!(prepared > 150 && done > 20, "{prepared} prepared, {done} done");
}

#[tokio::test]
async fn the_last_release_works_on_the_schema_of_postgres() {
    let test = testing::postgres().await;
    let (client, connection) = tokio_postgres::connect(&test.place, tokio_postgres::NoTls)
        .await
        .unwrap();
    let driving = tokio::spawn(connection);
    client
        .batch_execute("SET session_replication_role = replica")
        .await
        .unwrap();
    let (mut prepared, mut done) = (0, 0);
    for sql in kept() {
        let sql = sql
            .replace("/*for-update*/", "FOR UPDATE")
            .replace("/*skip-locked*/", "FOR UPDATE SKIP LOCKED");
        let statement = client
            .prepare(&sql)
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        prepared += 1;
        if insert(&sql).is_none() {
            continue;
        }
        let values: Vec<Box<dyn tokio_postgres::types::ToSql + Sync + Send>> = statement
            .params()
            .iter()
            .enumerate()
            .map(
                |(at, kind)| -> Box<dyn tokio_postgres::types::ToSql + Sync + Send> {
                    match kind.name() {
                        "int8" => Box::new(1_000_001_i64),
                        "bytea" => Box::new(vec![1_u8]),
                        "text" => Box::new(format!("x{at}")),
                        other => panic!("a parameter of type {other}: {sql}"),
                    }
                },
            )
            .collect();
        let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = values
            .iter()
            .map(|value| &**value as &(dyn tokio_postgres::types::ToSql + Sync))
            .collect();
        client.batch_execute("BEGIN").await.unwrap();
        client
            .query(&statement, &values)
            .await
            .unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        client.batch_execute("ROLLBACK").await.unwrap();
        done += 1;
    }
    assert!(prepared > 150 && done > 20, "{prepared} prepared, {done} done");
    drop(client);
    let _ = driving.await;
}
