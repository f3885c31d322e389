//! What commands print: data to stdout in the asked form, talk to stderr.
//!
//! The JSON form is a promise to scripts: every object carries `apiVersion` and `kind`, every field is always there
//! (`null` when it is not set), and snapshots in the tests hold it. Tables are for people and may change.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::ColorChoice;
use clap::ValueEnum;
use comfy_table::{Cell, Color, Table, presets};
use hadron_proto::vocab::Timestamp;
use owo_colors::OwoColorize as _;
use serde_json::{Map, Value};

use crate::error::{Exit, Failure, Result};
use crate::yaml;

mod fit;
mod query;

pub(crate) use query::Query;

/// The forms that data can be printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people, as many as fit the terminal.
    Table,
    /// A table with all columns, as wide as it is.
    Wide,
    /// Stable objects for scripts.
    Json,
    /// The same objects, one in a line.
    Jsonl,
    /// The same objects as YAML.
    Yaml,
    /// Only the names, one per line.
    Name,
}

impl Format {
    /// Whether it is for people.
    pub(crate) const fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Whether it has all that is known of a thing.
    pub(crate) const fn is_object(self) -> bool {
        matches!(self, Self::Json | Self::Jsonl | Self::Yaml)
    }
}

/// A thing that can be printed. Each noun says once how it looks.
pub(crate) trait Show {
    /// The kind in JSON, such as `Environment`.
    const KIND: &'static str;
    /// Columns of a table.
    const HEAD: &'static [&'static str];
    /// Columns that only the wide table has.
    const WIDE: &'static [&'static str] = &[];

    /// What `-o name` prints.
    fn name(&self) -> String;
    /// Cells for `HEAD` and then for `WIDE`.
    fn row(&self, now: Timestamp) -> Vec<String>;
    /// The fields in JSON, without `apiVersion` and `kind`.
    fn fields(&self) -> Map<String, Value>;
    /// The page that `get` prints.
    fn card(&self, card: &mut Card);
}

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// The asked form.
    pub(crate) format: Format,
    /// Whether tables have a header line.
    pub(crate) headers: bool,
    /// Columns of the terminal; `None` when stdout is none, and then nothing is shortened.
    pub(crate) width: Option<u16>,
    /// Whether stdout takes colour.
    pub(crate) color: bool,
    /// Ages are relative to this.
    pub(crate) now: Timestamp,
}

impl Out {
    /// For this process's stdout. `NO_COLOR`, `CLICOLOR_FORCE` and `TERM=dumb` are honoured.
    #[must_use]
    pub(crate) fn stdout(format: Format, headers: bool, now: Timestamp) -> Self {
        let stdout = io::stdout();
        let width = stdout.is_terminal().then(|| Table::new().width()).flatten();
        let color = anstream::AutoStream::choice(&stdout) != ColorChoice::Never;
        Self {
            format,
            headers,
            width,
            color,
            now,
        }
    }

    /// One thing.
    pub(crate) fn one<T: Show>(&self, thing: &T) -> String {
        match self.format {
            Format::Table | Format::Wide => {
                let mut card = Card {
                    lines: Vec::new(),
                    out: *self,
                };
                thing.card(&mut card);
                card.text()
            }
            Format::Json => json(&object(T::KIND, thing.fields())),
            Format::Jsonl => json_line(&object(T::KIND, thing.fields())),
            Format::Yaml => yaml::text(&object(T::KIND, thing.fields())),
            Format::Name => format!("{}\n", clean(&thing.name())),
        }
    }

    /// One thing as a page, whatever the asked form: for questions.
    pub(crate) fn one_as_card<T: Show>(&self, thing: &T) -> String {
        Self {
            format: Format::Table,
            ..*self
        }
        .one(thing)
    }

    /// One thing as a value, for a query.
    pub(crate) fn value<T: Show>(&self, thing: &T) -> Value {
        Value::Object(object(T::KIND, thing.fields()))
    }

    /// Many things as a value, for a query.
    pub(crate) fn values<T: Show>(&self, things: &[T]) -> Value {
        let items = things.iter().map(|thing| self.value(thing)).collect();
        let list = Map::from_iter([("items".to_owned(), Value::Array(items))]);
        Value::Object(object(&format!("{}List", T::KIND), list))
    }

    /// Many things.
    #[cfg(test)]
    pub(crate) fn many<T: Show>(&self, things: &[T]) -> String {
        self.many_but(things).0
    }

    /// Many things, and the columns that did not fit.
    pub(crate) fn many_but<T: Show>(&self, things: &[T]) -> (String, Vec<&'static str>) {
        let text = match self.format {
            Format::Table => return self.fitted(things),
            Format::Wide => {
                let head: Vec<&str> = T::HEAD.iter().chain(T::WIDE).copied().collect();
                self.table(&head, things.iter().map(|thing| thing.row(self.now)))
            }
            Format::Json | Format::Yaml => {
                let list = map(self.values(things));
                if self.format == Format::Json {
                    json(&list)
                } else {
                    yaml::text(&list)
                }
            }
            Format::Jsonl => things
                .iter()
                .map(|thing| json_line(&object(T::KIND, thing.fields())))
                .collect(),
            Format::Name => things
                .iter()
                .map(|thing| format!("{}\n", clean(&thing.name())))
                .collect(),
        };
        (text, Vec::new())
    }

    /// A table of the usual columns, as many as the terminal has room for.
    fn fitted<T: Show>(&self, things: &[T]) -> (String, Vec<&'static str>) {
        let mut head = T::HEAD.to_vec();
        let mut rows: Vec<Vec<String>> = things
            .iter()
            .map(|thing| {
                thing
                    .row(self.now)
                    .into_iter()
                    .take(head.len())
                    .map(|text| cell(&text))
                    .collect()
            })
            .collect();
        let mut out = Vec::new();
        if let Some(room) = self.width {
            let titles = head
                .iter()
                .map(|title| if self.headers { title.len() } else { 0 });
            let mut natural: Vec<usize> = titles.collect();
            for row in &rows {
                for (widest, text) in natural.iter_mut().zip(row) {
                    *widest = (*widest).max(console::measure_text_width(text));
                }
            }
            let widths = fit::widths(&head, &natural, room.into());
            for row in &mut rows {
                *row = row
                    .iter()
                    .zip(&widths)
                    .zip(&head)
                    .filter_map(|((text, width), head)| {
                        Some(fit::shortened(text, (*width)?, head).into_owned())
                    })
                    .collect();
            }
            let is_shown = |at: &usize| widths[*at].is_some();
            out = (0..head.len())
                .filter(|at| !is_shown(at))
                .map(|at| head[at])
                .collect();
            head = (0..head.len()).filter(is_shown).map(|at| head[at]).collect();
        }
        (self.table(&head, rows.into_iter()), out)
    }

    fn table(&self, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        if self.headers && !head.is_empty() {
            table.set_header(head.to_vec());
        }
        let mut any = false;
        for row in rows {
            any = true;
            table.add_row(row.into_iter().enumerate().map(|(at, text)| {
                // In a table without headlines nobody looks for a missing value.
                let text = if head.is_empty() {
                    one_line(&text)
                } else {
                    cell(&text)
                };
                let state = head.get(at).is_some_and(|head| fit::STATES.contains(head));
                let cell = Cell::new(&text);
                match tone(&text) {
                    Some(color) if state => cell.fg(color),
                    _ => cell,
                }
            }));
        }
        if !any && !self.headers {
            return String::new();
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table
            .lines()
            .map(|line| format!("{}\n", line.trim_end()))
            .collect()
    }
}

/// Text from elsewhere as it stands in a row.
fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

/// The same where a missing value is shown.
fn cell(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The page of one thing: a title, facts, sections.
pub(crate) struct Card {
    lines: Vec<(Option<String>, String)>,
    out: Out,
}

impl Card {
    /// The first line.
    pub(crate) fn title(&mut self, text: impl Into<String>) {
        let text = clean(&text.into());
        let text = if self.out.color {
            text.bold().to_string()
        } else {
            text
        };
        self.lines.push((None, text));
    }

    /// What ages are relative to.
    pub(crate) fn now(&self) -> Timestamp {
        self.out.now
    }

    /// A fact; an empty one is left out.
    pub(crate) fn fact(&mut self, label: &str, value: impl AsRef<str>) {
        let value = clean(value.as_ref());
        if !value.trim().is_empty() {
            self.lines.push((Some(label.to_owned()), value));
        }
    }

    /// A status word, coloured by what it means.
    pub(crate) fn status(&mut self, label: &str, word: &str) {
        let word = clean(word);
        let shown = if self.out.color { paint(&word) } else { word };
        if !shown.is_empty() {
            self.lines.push((Some(label.to_owned()), shown));
        }
    }

    /// A point in time, with its age.
    pub(crate) fn time(&mut self, label: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            let text = format!("{at} ({} ago)", age(self.out.now, Some(at)));
            self.lines.push((Some(label.to_owned()), text));
        }
    }

    /// A part with a headline and a table; left out when there are no rows.
    pub(crate) fn section(&mut self, headline: &str, rows: Vec<Vec<String>>) {
        if rows.is_empty() {
            return;
        }
        let table = Out {
            headers: false,
            ..self.out
        }
        .table(&[], rows.into_iter());
        self.block(headline, &table);
    }

    /// A part with a headline and text as it is; left out when empty.
    pub(crate) fn block(&mut self, headline: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let headline = if self.out.color {
            headline.bold().to_string()
        } else {
            headline.to_owned()
        };
        let body: Vec<String> = text
            .trim_end()
            .lines()
            .map(|line| format!("  {line}").trim_end().to_owned())
            .collect();
        self.lines
            .push((None, format!("\n{headline}\n{}", body.join("\n"))));
    }

    fn text(self) -> String {
        let width = self
            .lines
            .iter()
            .filter_map(|(label, _)| label.as_ref())
            .map(String::len)
            .max()
            .unwrap_or(0);
        let indent = format!("\n{:pad$}", "", pad = width + 4);
        let mut text = String::new();
        for (label, value) in self.lines {
            match label {
                None => text.push_str(&value),
                Some(label) => text.push_str(&format!(
                    "  {label:<width$}  {}",
                    value.trim_end().replace('\n', &indent)
                )),
            }
            text.push('\n');
        }
        text
    }
}

fn object(kind: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), "hadron/v1".into());
    object.insert("kind".to_owned(), kind.into());
    object.extend(fields);
    object
}

fn json(object: &Map<String, Value>) -> String {
    let mut text = serde_json::to_string_pretty(object).expect("a JSON value has a text form");
    text.push('\n');
    text
}

fn json_line(object: &Map<String, Value>) -> String {
    let text = serde_json::to_string(object).expect("a JSON value has a text form");
    format!("{text}\n")
}

/// Fields of a JSON object from `json!({...})`.
pub(crate) fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// An empty text on the wire means "not set".
pub(crate) fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// A point in time in JSON.
pub(crate) fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.to_string().into())
}

/// How long ago, in the largest unit that fits.
pub(crate) fn age(now: Timestamp, at: Option<Timestamp>) -> String {
    let Some(at) = at else { return String::new() };
    let seconds = now.since(at).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Text from elsewhere without what could move a terminal's cursor or hide other text.
pub(crate) fn clean(text: &str) -> String {
    let hostile = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if hostile(c) { '\u{fffd}' } else { c })
        .collect()
}

fn tone(word: &str) -> Option<Color> {
    let word = word.split([' ', ',']).next().unwrap_or_default();
    if word.contains("FAILED")
        || word.contains("ROLLBACK")
        || ["REJECTED", "BLOCKED", "offline", "no"].contains(&word)
    {
        Some(Color::Red)
    } else if word.contains("IN_PROGRESS")
        || ["PENDING", "CANCELLING", "WANTED", "WITHDRAWING", "DRAFT"].contains(&word)
    {
        Some(Color::Yellow)
    } else if word.ends_with("COMPLETE")
        || [
            "SUCCEEDED",
            "ACTIVE",
            "CONNECTED",
            "PUBLISHED",
            "APPLIED",
            "online",
            "yes",
        ]
        .contains(&word)
    {
        Some(Color::Green)
    } else {
        None
    }
}

/// A status word in its colour.
pub(crate) fn paint(word: &str) -> String {
    match tone(word) {
        Some(Color::Red) => word.red().to_string(),
        Some(Color::Yellow) => word.yellow().to_string(),
        Some(Color::Green) => word.green().to_string(),
        _ => word.to_owned(),
    }
}

/// Writes data to stdout. A reader that has gone away, such as `head`, is no failure.
pub(crate) fn emit(text: &str) -> Result<()> {
    emit_more(text).map(drop)
}

/// The same for data that more is to follow: says whether anybody reads it.
pub(crate) fn emit_more(text: &str) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(Exit::Failure, "cannot write to stdout").why(error)),
    }
}

/// Says something to the person; scripts do not see it.
pub(crate) fn say(line: impl AsRef<str>) {
    anstream::eprintln!("{}", clean_keeping_colour(line.as_ref()));
}

/// Talk is built here and may carry colours, so only what is never part of one is taken out.
fn clean_keeping_colour(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, '\u{7}' | '\u{8}' | '\r' | '\u{9b}'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Thing(&'static str, &'static str);
    impl Show for Thing {
        const KIND: &'static str = "Thing";
        const HEAD: &'static [&'static str] = &["NAME", "STATUS"];
        const WIDE: &'static [&'static str] = &["NOTE"];
        fn name(&self) -> String {
            format!("thing/{}", self.0)
        }
        fn row(&self, _: Timestamp) -> Vec<String> {
            vec![
                self.0.to_owned(),
                self.1.to_owned(),
                "a note of some length".to_owned(),
            ]
        }
        fn fields(&self) -> Map<String, Value> {
            map(json!({ "name": self.0, "status": self.1 }))
        }
        fn card(&self, card: &mut Card) {
            card.title(format!("Thing {}", self.0));
            card.status("status", self.1);
            card.fact("missing", "");
            card.fact("long label", "two\nlines");
            card.section("Rows", vec![vec!["a".to_owned(), "b".to_owned()]]);
        }
    }

    fn out(format: Format) -> Out {
        Out {
            format,
            headers: true,
            width: None,
            color: false,
            now: Timestamp::EPOCH,
        }
    }

    const THINGS: [Thing; 2] = [Thing("prd", "SUCCEEDED"), Thing("staging", "")];

    #[test]
    fn tables_are_plain_columns() {
        insta::assert_snapshot!(out(Format::Table).many(&THINGS), @r"
        NAME     STATUS
        prd      SUCCEEDED
        staging  -
        ");
        insta::assert_snapshot!(Out { headers: false, ..out(Format::Wide) }.many(&THINGS), @r"
        prd      SUCCEEDED  a note of some length
        staging  -          a note of some length
        ");
        assert_eq!(out(Format::Name).many(&THINGS), "thing/prd\nthing/staging\n");
    }

    #[test]
    fn a_narrow_terminal_gets_what_fits_and_wide_gets_all() {
        let at = |format, width| Out { width, ..out(format) };
        let long = [Thing("prd", "UPDATE_IN_PROGRESS")];
        let (shown, left) = at(Format::Table, Some(12)).many_but(&long);
        insta::assert_snapshot!(shown, @r"
        NAME  STATUS
        prd   UPDATE_IN_PROGRESS
        ");
        assert!(left.is_empty(), "a state is never given up: {left:?}");
        let wide = at(Format::Wide, Some(12)).many(&long);
        assert_eq!(wide, at(Format::Wide, None).many(&long));
    }

    #[test]
    fn cards_align_their_facts() {
        insta::assert_snapshot!(out(Format::Table).one(&THINGS[0]), @r"
        Thing prd
          status      SUCCEEDED
          long label  two
                      lines

        Rows
          a  b
        ");
    }

    #[test]
    fn json_names_version_and_kind_first() {
        insta::assert_snapshot!(out(Format::Json).many(&THINGS[..1]), @r#"
        {
          "apiVersion": "hadron/v1",
          "kind": "ThingList",
          "items": [
            {
              "apiVersion": "hadron/v1",
              "kind": "Thing",
              "name": "prd",
              "status": "SUCCEEDED"
            }
          ]
        }
        "#);
        assert_eq!(
            out(Format::Jsonl).many(&THINGS),
            "{\"apiVersion\":\"hadron/v1\",\"kind\":\"Thing\",\"name\":\"prd\",\"status\":\"SUCCEEDED\"}\n\
             {\"apiVersion\":\"hadron/v1\",\"kind\":\"Thing\",\"name\":\"staging\",\"status\":\"\"}\n"
        );
        insta::assert_snapshot!(out(Format::Yaml).many(&THINGS[..1]), @r"
        apiVersion: hadron/v1
        kind: ThingList
        items:
          - apiVersion: hadron/v1
            kind: Thing
            name: prd
            status: SUCCEEDED
        ");
    }

    #[test]
    fn colour_is_only_where_it_was_asked_for() {
        assert!(
            Out {
                color: true,
                ..out(Format::Table)
            }
            .many(&THINGS)
            .contains("\u{1b}[")
        );
        assert!(!out(Format::Table).many(&THINGS).contains('\u{1b}'));
    }

    #[test]
    fn text_from_elsewhere_cannot_drive_the_terminal() {
        let shown = out(Format::Table).many(&[Thing("a\u{1b}[2Jb\u{202e}", "x\ny")]);
        assert!(
            !shown.contains('\u{1b}') && !shown.contains('\u{202e}') && shown.contains("x y"),
            "{shown:?}"
        );
    }

    #[test]
    fn ages_use_the_largest_unit() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let ago = |seconds: i64| {
            age(
                now,
                Some(Timestamp::from_micros(1_000_000_000_000 - seconds * 1_000_000)),
            )
        };
        assert_eq!(
            [ago(5), ago(300), ago(10_000), ago(900_000)],
            ["5s", "5m", "2h", "10d"]
        );
        assert_eq!(age(now, None), "");
    }
}
