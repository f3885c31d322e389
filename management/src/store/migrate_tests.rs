use std::collections::BTreeMap;

use super::super::db::Row;
use super::super::db::testing::{TestDb, on_both, postgres, postgres_empty, sqlite, sqlite_empty};
use super::*;

const fn both(name: &'static str, script: &'static str) -> Migration {
    Migration {
        name,
        sqlite: script,
        postgres: script,
    }
}

const ONE: &[Migration] = &[both(
    "0001_one",
    "CREATE TABLE a (id TEXT PRIMARY KEY); CREATE TABLE b (id TEXT)",
)];
const TWO: &[Migration] = &[
    ONE[0],
    both(
        "0002_two",
        "INSERT INTO a (id) VALUES ('x'); CREATE TABLE c (id TEXT)",
    ),
];
const OTHER: &[Migration] = &[both("0001_one", "CREATE TABLE a (id TEXT PRIMARY KEY)")];
const BROKEN: &[Migration] = &[
    ONE[0],
    both(
        "0002_broken",
        "CREATE TABLE c (id TEXT); INSERT INTO nowhere VALUES (1)",
    ),
];
const WINDOWS: &[Migration] = &[both(
    "0001_one",
    "CREATE TABLE a (id TEXT PRIMARY KEY);\r CREATE TABLE b (id TEXT)\r",
)];

async fn steps(test: TestDb) {
    let db = &test.db;
    assert!(matches!(
        check(db).await,
        Err(MigrateError::Older { found: 0, .. })
    ));
    assert_eq!(run_steps(db, ONE).await.unwrap(), ["0001_one"]);
    assert!(run_steps(db, ONE).await.unwrap().is_empty());
    assert!(run_steps(db, WINDOWS).await.unwrap().is_empty());

    let changed = run_steps(db, OTHER).await.unwrap_err();
    assert!(
        matches!(&changed, MigrateError::Changed { name } if name == "0001_one"),
        "{changed:?}"
    );

    let broken = run_steps(db, BROKEN).await.unwrap_err();
    assert!(
        matches!(
            &broken,
            MigrateError::Failed {
                name: "0002_broken",
                ..
            }
        ),
        "{broken:?}"
    );
    // Nothing of the broken step remains, so the right one still runs.
    assert_eq!(run_steps(db, TWO).await.unwrap(), ["0002_two"]);

    let newer = run_steps(db, ONE).await.unwrap_err();
    assert!(
        matches!(newer, MigrateError::Newer { found: 2, known: 1 }),
        "{newer:?}"
    );
    assert!(newer.to_string().contains("newer hub"), "{newer}");
}

#[tokio::test]
async fn steps_on_sqlite() {
    steps(sqlite_empty().await).await;
}

#[tokio::test]
async fn steps_on_postgres() {
    steps(postgres_empty().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hubs_that_start_together_migrate_once() {
    let test = postgres_empty().await;
    let (one, two) = (test.open_again().await, test.open_again().await);
    let (one, two) = tokio::join!(run_steps(&one, TWO), run_steps(&two, TWO));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 2);
}

on_both! {
    async fn a_fresh_schema_is_current(test: TestDb) {
        check(&test.db).await.unwrap();
        assert!(run(&test.db).await.unwrap().is_empty());
    }
}

#[test]
fn every_file_is_in_the_list() {
    let listed: Vec<String> = MIGRATIONS
        .iter()
        .map(|step| format!("{}.sql", step.name))
        .collect();
    for dialect in ["sqlite", "postgres"] {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(dialect);
        let mut files: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, listed, "{dialect}");
    }
    for (at, step) in MIGRATIONS.iter().enumerate() {
        assert!(
            step.name.starts_with(&format!("{:04}_", at + 1)),
            "{} is number {}",
            step.name,
            at + 1
        );
        for script in [step.sqlite, step.postgres] {
            assert!(
                !script.to_ascii_uppercase().contains("DEFERR"),
                "{}: no deferrable constraints",
                step.name
            );
        }
    }
}

/// `table.column` to type and whether it may be NULL; indexes by name.
type Shape = BTreeMap<String, String>;

async fn rows(db: &Db, sql: &'static str) -> Vec<Row> {
    let rows: Result<Vec<Row>, StoreError> = db
        .read("shape", move |tx| {
            Box::pin(async move { tx.query(sql, &[]).await })
        })
        .await;
    rows.unwrap()
}

fn text(row: &Row, column: &str) -> String {
    row.get(column).unwrap()
}

async fn shape_of_sqlite(db: &Db) -> Shape {
    let columns =
        "SELECT t.name AS tab, t.strict AS strict, c.name AS col, c.type AS type, c.\"notnull\" AS required
        FROM pragma_table_list AS t JOIN pragma_table_info(t.name) AS c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'";
    let mut shape = Shape::new();
    for row in rows(db, columns).await {
        let (table, column) = (text(&row, "tab"), text(&row, "col"));
        assert!(row.get::<bool>("strict").unwrap(), "{table} is not STRICT");
        let kind = match text(&row, "type").as_str() {
            "INTEGER" => "bigint",
            "TEXT" => "text",
            "BLOB" => "bytea",
            other => panic!("{table}.{column} has type {other}"),
        };
        shape.insert(
            format!("{table}.{column}"),
            format!("{kind} {}", row.get::<bool>("required").unwrap()),
        );
    }
    let indexes = "SELECT m.tbl_name AS tab, m.name AS name, l.\"unique\" AS uniq, i.name AS col
        FROM sqlite_schema AS m JOIN pragma_index_list(m.tbl_name) AS l ON l.name = m.name
        JOIN pragma_index_info(m.name) AS i WHERE m.type = 'index' AND m.sql IS NOT NULL ORDER BY m.name, i.seqno";
    let mut unique_columns = BTreeMap::new();
    for row in rows(db, indexes).await {
        let unique = row.get::<bool>("uniq").unwrap();
        let key = format!("index {}", text(&row, "name"));
        let entry: &mut String = shape
            .entry(key.clone())
            .or_insert_with(|| format!("{} {unique}", text(&row, "tab")));
        entry.push(' ');
        entry.push_str(&row.get::<Option<String>>("col").unwrap().unwrap_or_default());
        if unique {
            unique_columns.insert(key, entry.clone());
        }
    }
    let count = unique_columns.len();
    let distinct: std::collections::BTreeSet<String> = unique_columns.into_values().collect();
    assert_eq!(
        distinct.len(),
        count,
        "two unique indexes on the same columns cannot be told apart on SQLite"
    );
    shape
}

async fn shape_of_postgres(db: &Db) -> Shape {
    let columns = "SELECT CAST(c.relname AS TEXT) AS tab, CAST(a.attname AS TEXT) AS col,
            CAST(format_type(a.atttypid, a.atttypmod) AS TEXT) AS type, a.attnotnull AS required,
            CAST(coalesce(l.collname, '-') AS TEXT) AS collation
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped";
    let mut shape = Shape::new();
    for row in rows(db, columns).await {
        let place = format!("{}.{}", text(&row, "tab"), text(&row, "col"));
        let kind = text(&row, "type");
        assert!(
            matches!(kind.as_str(), "bigint" | "text" | "bytea"),
            "{place} has type {kind}"
        );
        let collation = text(&row, "collation");
        assert!(kind != "text" || collation == "C", "{place} needs COLLATE \"C\"");
        shape.insert(place, format!("{kind} {}", row.get::<bool>("required").unwrap()));
    }
    let indexes =
        "SELECT CAST(t.relname AS TEXT) AS tab, CAST(n.relname AS TEXT) AS name, i.indisunique AS uniq,
            CASE WHEN i.indkey[a.attnum - 1] = 0 THEN '' ELSE CAST(a.attname AS TEXT) END AS col -- expressions have no name
        FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid JOIN pg_class AS n ON n.oid = i.indexrelid
        JOIN pg_attribute AS a ON a.attrelid = n.oid
        WHERE t.relnamespace = current_schema()::regnamespace AND NOT EXISTS
            (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
        ORDER BY n.relname, a.attnum";
    for row in rows(db, indexes).await {
        let unique = row.get::<bool>("uniq").unwrap();
        let start = || format!("{} {unique}", text(&row, "tab"));
        let entry: &mut String = shape
            .entry(format!("index {}", text(&row, "name")))
            .or_insert_with(start);
        entry.push(' ');
        entry.push_str(&text(&row, "col"));
    }
    shape
}

#[tokio::test]
async fn both_dialects_make_the_same_tables_columns_and_indexes() {
    let (sqlite, postgres) = (sqlite().await, postgres().await);
    assert_eq!(
        shape_of_sqlite(&sqlite.db).await,
        shape_of_postgres(&postgres.db).await
    );
}
