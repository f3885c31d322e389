//! Jinja to text.
//!
//! The engine is `minijinja` with everything taken away that reaches outside: no loader (so no `include`, `import`,
//! `extends`), no `debug`, no globals but `range`, `dict` and `namespace`. Undefined names are errors. What is
//! bounded here: instructions (fuel), nesting, the size of the output, the size of all that expressions print, and
//! the widths of `format` and `indent`.
//!
//! Two things that no setting of the engine bounds would end the process by overflowing its stack: long chains of
//! operators, which are refused before parsing, and deeply nested values, for which the stack is made large.
//!
//! What is **not** bounded in this process is memory inside an expression: `s ~ s` in a loop doubles a text with
//! every instruction, and no setting of the engine counts bytes. Input values are capped (`shield.rs`), so a
//! developer cannot do that, but the author of a template can. The hub therefore renders in processes with a limit of
//! memory and computing; whoever else renders templates of authors that are not trusted has to do so too.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Rest, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;

use crate::diagnostic::{Fault, Faults, Place, Source, clip, listed, nearest, whole_name};
use crate::filters::{self, BREAK, CLOSE, OPEN, START};
use crate::inputs::{self, Values};

/// Most bytes of rendered text: what CloudFormation takes.
pub(crate) const OUTPUT: usize = 1024 * 1024;
/// Instructions. The largest pipelines known, with a hundred instances, need some ten thousand.
const FUEL: u64 = 500_000;
const NESTING: usize = 100;
/// Stands for what an expression prints.
pub(crate) const HOLLOW: char = '\u{fdd4}';
/// Operators in a row, see [`Template::shallow`].
const CHAIN: usize = 300;

/// Stack for work on a template. Values can be nested as deep as there is fuel for (`[[[...]]]`, one level with
/// each turn of a loop), and dropping or comparing them takes a frame or more for each level. Only what is used of
/// it takes memory.
const STACK: usize = 128 * 1024 * 1024;

/// Does work on a template where the stack is large enough for whatever the fuel lets the template build.
pub(crate) fn roomy<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Faults> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("template".to_owned())
            .stack_size(STACK);
        match thread.spawn_scoped(scope, work) {
            Ok(thread) => Ok(thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
            Err(error) => {
                let message = format!("there is no thread to render with: {error}");
                Err(Fault::error("render/no-thread", message)
                    .help("try again when the machine is less busy")
                    .into())
            }
        }
    })
}

/// A template that is ready to be rendered.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) source: Arc<Source>,
}

impl Template {
    /// Takes a template's text. Line breaks become `\n`, as Jinja does it.
    pub(crate) fn new(path: &str, bytes: &[u8]) -> Result<Self, Faults> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Fault::error("template/encoding", format!("{path} is not UTF-8"))
                .help("save it as UTF-8")
                .into());
        };
        let text = text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .replace("\r\n", "\n")
            .replace('\r', "\n");
        let source = Source::new(path, text);
        let odd = source
            .text()
            .char_indices()
            .find(|(_, c)| matches!(*c, '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..='\u{f007f}'));
        if let Some((at, odd)) = odd {
            let message = format!(
                "the template has the character U+{:04X}, which is reserved",
                odd as u32
            );
            return Err(Fault::error("template/character", message)
                .at(source.range(at..at + odd.len_utf8()))
                .help("remove the character")
                .into());
        }
        let template = Self { source };
        template.shallow()?;
        Ok(template)
    }

    /// Refuses expressions whose syntax tree would be too deep. The engine bounds brackets and blocks, but a chain
    /// such as `a.b.b.b` or `1+1+1` nests a level with each operator without any, and would end the process when
    /// the tree is walked: a stack that overflows cannot be caught.
    fn shallow(&self) -> Result<(), Faults> {
        let too_deep = |span: Span| {
            let at = self
                .source
                .range(span.start_offset as usize..span.end_offset as usize);
            Fault::error(
                "template/too-deep",
                "this expression or chain of conditions is too long",
            )
            .at(at)
            .help(format!(
                "at most {CHAIN} operators in a row are read; use 'set' to do it in steps"
            ))
        };
        // Operators so far inside each open bracket, and all of them together; and how many elif.
        let (mut open, mut sum, mut branches) = (vec![0_usize], 0_usize, 0_usize);
        for token in tokenize(self.source.text(), false, SyntaxConfig::default()) {
            // What cannot be split into tokens is told by the parser.
            let Ok((token, span)) = token else { return Ok(()) };
            let deeper = match token {
                Token::TemplateData(_) | Token::VariableEnd | Token::BlockEnd => {
                    (open, sum) = (vec![0], 0);
                    false
                }
                Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => true,
                Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                    if open.len() > 1 {
                        sum -= open.pop().unwrap_or(0);
                    }
                    false
                }
                Token::Comma | Token::Colon => {
                    if let Some(last) = open.last_mut() {
                        sum -= std::mem::take(last);
                    }
                    false
                }
                Token::Ident("elif") => {
                    branches += 1;
                    false
                }
                Token::Ident("endif") => {
                    branches = 0;
                    false
                }
                Token::Ident(word) => matches!(word, "and" | "or" | "not" | "if" | "else" | "is" | "in"),
                Token::VariableStart | Token::BlockStart | Token::Str(_) | Token::String(_) => false,
                Token::Int(_) | Token::Int128(_) | Token::Float(_) | Token::Assign => false,
                _ => true,
            };
            if deeper {
                sum += 1;
                if let Some(last) = open.last_mut() {
                    *last += 1;
                }
            }
            if matches!(token, Token::BracketOpen | Token::ParenOpen | Token::BraceOpen) {
                open.push(0);
            }
            if sum > CHAIN || branches > CHAIN {
                return Err(too_deep(span).into());
            }
        }
        Ok(())
    }

    /// Renders with these values. `change` may exchange texts by path; `marks` asks for [`OPEN`] and [`CLOSE`].
    pub(crate) fn render(
        &self,
        facts: &Values,
        change: &dyn Fn(&str, &str) -> Option<String>,
        marks: bool,
    ) -> Result<String, Faults> {
        let env = environment(marks);
        let template = env
            .template_from_named_str(self.source.file(), self.source.text())
            .map_err(|error| self.fault(&error, facts))?;
        let context = Value::from_pairs(
            facts
                .iter()
                .map(|(name, json)| (Value::from(name.as_str()), inputs::value(json, name, change))),
        );
        let mut out = Capped {
            text: Vec::new(),
            cap: OUTPUT + OUTPUT / 4,
        };
        template
            .render_captured_to(context, &mut out)
            .map_err(|error| self.fault(&error, facts))?;
        let text = String::from_utf8(out.text).expect("the engine writes text");
        let text = filters::settle(&text);
        let size = text
            .chars()
            .filter(|c| !matches!(*c, OPEN | CLOSE))
            .map(|c| crate::shield::real_char(c).len_utf8())
            .sum::<usize>();
        if size > OUTPUT {
            return Err(self.too_large(None).into());
        }
        Ok(text)
    }

    /// Renders with [`HOLLOW`] in place of each `{{ ... }}`, so that only the template's own text and the branches
    /// that these values take are left. What is not defined does no harm here, nor do the filters and tests in
    /// `unknown`, each with its kind. Nothing when that is not enough to get to the end.
    pub(crate) fn hollow(
        &self,
        facts: &Values,
        unknown: &BTreeSet<(&'static str, String)>,
    ) -> Option<String> {
        let whole = self.source.text();
        let (mut text, mut kept) = (String::with_capacity(whole.len()), 0);
        for token in tokenize(whole, false, SyntaxConfig::default()) {
            match token.ok()? {
                (Token::VariableStart, span) => {
                    text.push_str(whole.get(kept..span.end_offset as usize)?);
                    text.extend(['"', HOLLOW, '"']);
                }
                (Token::VariableEnd, span) => kept = span.start_offset as usize,
                _ => {}
            }
        }
        text.push_str(whole.get(kept..)?);
        let mut env = environment(false);
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        for (kind, name) in unknown {
            match *kind {
                "filter" => env.add_filter(name.clone(), |value: Value, _: Rest<Value>| value),
                _ => env.add_test(name.clone(), |_: Value, _: Rest<Value>| true),
            }
        }
        let template = env.template_from_named_str(self.source.file(), &text).ok()?;
        let context = facts.iter().map(|(name, json)| {
            let value = inputs::value(json, name, &|_, _| None);
            (Value::from(name.as_str()), value)
        });
        let mut out = Capped {
            text: Vec::new(),
            cap: OUTPUT,
        };
        template
            .render_captured_to(Value::from_pairs(context), &mut out)
            .ok()?;
        String::from_utf8(out.text).ok()
    }

    fn too_large(&self, at: Option<Place>) -> Fault {
        let message = format!(
            "the rendered text of {} would be larger than {OUTPUT} bytes, the most that CloudFormation takes",
            self.source.file()
        );
        let fault =
            Fault::error("render/too-large", message).help("render less in loops, or split the template");
        match at {
            Some(at) => fault.at(at),
            None => fault,
        }
    }

    /// What an error of the engine means to the template's author.
    pub(crate) fn fault(&self, error: &Error, facts: &Values) -> Fault {
        let text = self.source.text();
        let range = error
            .range()
            .filter(|range| range.end <= text.len() && range.start < range.end)
            .map(|range| whole_name(text, range.start)..range.end);
        let line = error
            .line()
            .and_then(|line| u32::try_from(line).ok())
            .unwrap_or(1);
        let at = match &range {
            Some(range) => self.source.range(range.clone()),
            None => self.source.whole_line(line),
        };
        let detail = error.detail().unwrap_or_default();
        let excerpt = range.and_then(|range| text.get(range)).unwrap_or_default();
        match error.kind() {
            ErrorKind::UndefinedError => missing(excerpt, facts).at(at),
            ErrorKind::SyntaxError => syntax(detail, self.source.line(line)).at(at),
            ErrorKind::OutOfFuel => Fault::error("render/too-long", "rendering takes too many steps")
                .at(at)
                .help("look for loops inside loops; a template may take 500000 steps"),
            ErrorKind::WriteFailure => self.too_large(Some(at)),
            ErrorKind::TemplateNotFound | ErrorKind::BadInclude => {
                Fault::error("template/no-include", "a template cannot refer to other files")
                    .at(at)
                    .help("put everything into this file")
            }
            ErrorKind::UnknownFilter
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownMethod => {
                let message = if detail.is_empty() {
                    error.kind().to_string()
                } else {
                    detail.to_owned()
                };
                Fault::error("render/unknown-function", clip_long(&message))
                    .at(at)
                    .help("filters, tests and methods are those of Jinja, and Proton's four filters")
            }
            kind => {
                let message = if detail.is_empty() {
                    kind.to_string()
                } else {
                    detail.to_owned()
                };
                Fault::error("render/failed", clip_long(&message))
                    .at(at)
                    .help("check the expression on this line and the values it uses")
            }
        }
    }
}

fn clip_long(text: &str) -> String {
    crate::shield::real(text).chars().take(300).collect()
}

fn syntax(detail: &str, line: &str) -> Fault {
    let fault = Fault::error(
        "template/syntax",
        format!("this is not valid Jinja: {}", clip_long(detail)),
    );
    if line.contains("{{resolve:") {
        return fault.help("Jinja reads '{{' as its own; write {% raw %}{{resolve:...}}{% endraw %} around dynamic references");
    }
    fault.help("check that each '{{' and '{%' is closed and each block has its end tag")
}

/// A fault for a name that has no value. Says which part of it is missing, and what is there instead.
fn missing(expression: &str, facts: &Values) -> Fault {
    let path: Vec<&str> = expression.split('.').map(str::trim).collect();
    let plain = !expression.is_empty()
        && path
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let general = "make sure it has a value, or guard it: {% if ... is defined %} or the filter default";
    if !plain {
        let what = if expression.is_empty() {
            "a value".to_owned()
        } else {
            format!("'{}'", clip(expression))
        };
        return Fault::error("render/undefined", format!("{what} is not defined")).help(general);
    }
    let (mut members, mut so_far) = (Some(facts), String::new());
    for part in path {
        let Some(known) = members else { break };
        let whole = if so_far.is_empty() {
            part.to_owned()
        } else {
            format!("{so_far}.{part}")
        };
        let Some(value) = known.get(part) else {
            if so_far.is_empty() {
                break;
            }
            let message = format!(
                "'{}' is not defined: {so_far} has no '{}'",
                clip(&whole),
                clip(part)
            );
            let help = match nearest(part, known.keys().map(String::as_str)) {
                Some(near) => format!("did you mean '{}'?", clip(near)),
                None => format!("it has: {}", listed(known.keys())),
            };
            return Fault::error("render/undefined", message).help(help);
        };
        so_far = whole;
        members = match value {
            Json::Object(members) => Some(members),
            _ => None,
        };
    }
    Fault::error(
        "render/undefined",
        format!("'{}' is not defined", clip(expression)),
    )
    .help(general)
}

struct Capped {
    text: Vec<u8>,
    cap: usize,
}

impl std::io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // Twins take four bytes where the real character takes one, so the cap counts with room for them.
        if self.text.len() + bytes.len() > self.cap * 4 {
            return Err(std::io::Error::other("too much output"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The engine as templates meet it.
pub(crate) fn environment(marks: bool) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(NESTING);
    env.set_debug(false);
    env.remove_global("debug");
    env.remove_filter("pprint");
    filters::add(&mut env);
    env.set_unknown_method_callback(filters::methods);
    let printed = AtomicUsize::new(0);
    env.set_formatter(move |out, _, value| {
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let before = printed.load(Ordering::Relaxed);
        if before > OUTPUT * 8 {
            return Err(Error::from(ErrorKind::WriteFailure));
        }
        let count = |text: &str| printed.fetch_add(text.len(), Ordering::Relaxed);
        let failed = |_| Error::from(ErrorKind::WriteFailure);
        match value.as_str() {
            Some(text) => {
                count(text);
                let marked = marks && !value.is_safe();
                if marked {
                    out.write_char(OPEN).map_err(failed)?;
                }
                out.write_str(text).map_err(failed)?;
                if marked {
                    out.write_char(CLOSE).map_err(failed)?;
                }
                Ok(())
            }
            None => {
                let mut text = String::new();
                python(value, 0, &mut text)?;
                count(&text);
                out.write_str(&text).map_err(failed)
            }
        }
    });
    env
}

/// Prints as Python does: `['a', 1]`, `{'k': True}`, `None`. The engine's own printing leaves out items of long
/// lists.
fn python(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > 64 || out.len() > OUTPUT {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "the value is too large to be printed",
        ));
    }
    match value.kind() {
        ValueKind::String if depth > 0 => quote(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
            out.push(open);
            let mut count = 0;
            for item in value.try_iter()? {
                if count > 0 {
                    out.push_str(", ");
                }
                count += 1;
                python(&item, depth + 1, out)?;
            }
            if value.is_tuple() && count == 1 {
                out.push(',');
            }
            out.push(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                python(&key, depth + 1, out)?;
                out.push_str(": ");
                python(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn quote(text: &str, out: &mut String) {
    let text: String = text.chars().filter(|c| !matches!(*c, START | BREAK)).collect();
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(mark);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(mark);
}
