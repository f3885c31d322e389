//! YAML as it was written: raw scalar text, quoting, tags, places.
//!
//! A reader that turns YAML into typed values guesses, and the guesses lose account ids (`012345678901`) and
//! CloudFormation's tags (`!Ref`). This one keeps text and lets whoever knows the expected type decide; [`plain`]
//! has the rules for those that know none. It reads events, so its caps hold before anything is built: depth,
//! nodes, size. Aliases multiply nodes; they are refused except in infrastructure text, where each use is paid for
//! out of the same budget.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::diagnostic::{Fault, Faults, Source, Spot, clip};

/// How much YAML is read before it is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
    pub(crate) nodes: usize,
    /// Whether `*name` may stand for the value of `&name`.
    pub(crate) aliases: bool,
    /// Whether a key given twice is an error; otherwise it is a warning and the last one counts.
    pub(crate) unique: bool,
}

/// For what people write by hand: schemas, manifests, specs.
pub(crate) const HAND: Caps = Caps {
    bytes: 256 * 1024,
    depth: 64,
    nodes: 50_000,
    aliases: false,
    unique: true,
};
/// For rendered infrastructure text.
pub(crate) const STACK: Caps = Caps {
    bytes: 1024 * 1024,
    depth: 64,
    nodes: 50_000,
    aliases: true,
    unique: false,
};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) data: Data,
    /// A tag as written, such as `!Ref`; core tags as `!!str`.
    pub(crate) tag: Option<String>,
    pub(crate) at: Spot,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    /// Text; `plain` when it was written without quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that means a string, not null.
    pub(crate) fn string(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, plain } if !(*plain && is_null(text)) => Some(text),
            _ => None,
        }
    }

    /// The members of a map.
    pub(crate) fn members(&self) -> Option<&[(Node, Node)]> {
        match &self.data {
            Data::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<&[Node]> {
        match &self.data {
            Data::List(items) => Some(items),
            _ => None,
        }
    }

    /// The member of this name; the last one when it is given twice.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.members()?
            .iter()
            .rev()
            .find(|(key, _)| key.text() == Some(name))
            .map(|(_, value)| value)
    }

    /// Whether nothing was written here.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if is_null(text))
    }

    /// What kind of value this is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.data {
            Data::Scalar { .. } if self.is_null() => "nothing",
            Data::Scalar { .. } => "a single value",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }
}

/// What a plain scalar means to a reader that expects no type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Int(serde_json::Number),
    Float(serde_json::Number),
    Text,
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The type of a plain scalar. Whatever would lose text as a number stays text: leading zeros (account ids), signs
/// (`+5`), hexadecimal, sexagesimal, dates, and integers that do not fit 64 bits.
pub(crate) fn plain(text: &str) -> Plain {
    if is_null(text) {
        return Plain::Null;
    }
    match text {
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 40 || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Plain::Text;
    }
    if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") {
        return Plain::Text;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return serde_json::from_str(text)
            .ok()
            .filter(|n: &serde_json::Number| !n.is_f64())
            .map_or(Plain::Text, Plain::Int);
    }
    let float = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !float || !digits.contains('.') {
        return Plain::Text;
    }
    text.parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Plain::Text, Plain::Float)
}

struct Open {
    node: Node,
    anchor: usize,
    key: Option<Node>,
    /// Keys that were met, and the line of each. Looking them up in the list would be quadratic.
    seen: HashMap<String, u32>,
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    caps: Caps,
    faults: Faults,
    /// Each with its number of nodes and its depth.
    anchors: HashMap<usize, (Node, usize, usize)>,
    nodes: usize,
}

/// Reads one document. Warnings come with the node, errors instead of it.
pub(crate) fn read(source: &Arc<Source>, caps: Caps) -> Result<(Node, Faults), Faults> {
    let text = source.text();
    if text.len() > caps.bytes {
        let message = format!(
            "{} has {} bytes; at most {} are read",
            source.file(),
            text.len(),
            caps.bytes
        );
        return Err(Fault::error("yaml/too-large", message)
            .help("split the file or remove what is not needed")
            .into());
    }
    let mut reader = Reader {
        source,
        caps,
        faults: Faults::new(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    match reader.document() {
        Ok(node) if !reader.faults.is_error() => Ok((node, reader.faults)),
        Ok(_) => Err(reader.faults),
        Err(faults) => {
            reader.faults.extend(faults);
            Err(reader.faults)
        }
    }
}

impl Reader<'_> {
    fn spot(&self, span: Span, length: usize) -> Spot {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (start, end) = (span.start, span.end);
        let spanned = if start.line() == end.line() {
            end.col().saturating_sub(start.col())
        } else {
            length
        };
        Spot::new(
            Arc::clone(self.source),
            small(start.line()),
            small(start.col() + 1),
            small(spanned.max(1)),
        )
    }

    fn count(&mut self, by: usize, at: &Spot) -> Result<(), Faults> {
        self.nodes += by;
        if self.nodes <= self.caps.nodes {
            return Ok(());
        }
        let message = format!("the YAML has more than {} values", self.caps.nodes);
        Err(Fault::error("yaml/too-many-values", message)
            .at(at)
            .help("aliases count for what they stand for; write less or without them")
            .into())
    }

    fn document(&mut self) -> Result<Node, Faults> {
        let mut parser = Parser::new_from_str(self.source.text());
        let mut stack: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        loop {
            let (event, span) = match parser.next_event() {
                None => break,
                Some(Ok(event)) => event,
                Some(Err(error)) => return Err(self.scan_error(&error).into()),
            };
            let done = match event {
                Event::StreamEnd => break,
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => continue,
                Event::DocumentStart(_) if root.is_some() => {
                    let message = "the file holds a second YAML document; only one is read";
                    return Err(Fault::error("yaml/two-documents", message)
                        .at(&self.spot(span, 3))
                        .help("remove the '---' line and what follows it, or make it a file of its own")
                        .into());
                }
                Event::DocumentStart(_) => continue,
                Event::Alias(id) => {
                    let at = self.spot(span, 1);
                    if !self.caps.aliases {
                        let message = "YAML aliases (*name) are not read here";
                        return Err(Fault::error("yaml/alias", message)
                            .at(&at)
                            .help("write the value out in full")
                            .into());
                    }
                    let Some((node, size, depth)) = self.anchors.get(&id).cloned() else {
                        let message = "this alias refers to a value that contains it";
                        return Err(Fault::error("yaml/alias", message)
                            .at(&at)
                            .help("write the value out in full")
                            .into());
                    };
                    self.count(size, &at)?;
                    self.deep(stack.len() + depth, &at)?;
                    Some((node, 0))
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let at = self.spot(span, 1);
                    self.count(1, &at)?;
                    let data = Data::Scalar {
                        text: text.into_owned(),
                        plain: style == ScalarStyle::Plain,
                    };
                    Some((
                        Node {
                            data,
                            tag: tag.map(|tag| tag_text(&tag)),
                            at,
                        },
                        anchor,
                    ))
                }
                Event::SequenceStart(anchor, tag) => {
                    self.open(
                        &mut stack,
                        Data::List(Vec::new()),
                        tag.map(|tag| tag_text(&tag)),
                        anchor,
                        span,
                    )?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.open(
                        &mut stack,
                        Data::Map(Vec::new()),
                        tag.map(|tag| tag_text(&tag)),
                        anchor,
                        span,
                    )?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let open = stack.pop().expect("the parser closes only what it opened");
                    Some((open.node, open.anchor))
                }
            };
            if let Some((node, anchor)) = done {
                if anchor != 0 && self.caps.aliases {
                    let (size, depth) = measure(&node);
                    // The copy is paid for too: anchors inside anchors would be copied once for each level.
                    self.count(size, &node.at.clone())?;
                    self.anchors.insert(anchor, (node.clone(), size, depth));
                }
                match stack.last_mut() {
                    None => root = Some(node),
                    Some(parent) => self.attach(parent, node),
                }
            }
        }
        root.ok_or_else(|| {
            let message = format!("{} is empty", self.source.file());
            Fault::error("yaml/empty", message)
                .help("write its content, or remove the file")
                .at(self.source.place(1, 1, 1))
                .into()
        })
    }

    fn open(
        &mut self,
        stack: &mut Vec<Open>,
        data: Data,
        tag: Option<String>,
        anchor: usize,
        span: Span,
    ) -> Result<(), Faults> {
        let at = self.spot(span, 1);
        self.count(1, &at)?;
        self.deep(stack.len() + 1, &at)?;
        stack.push(Open {
            node: Node { data, tag, at },
            anchor,
            key: None,
            seen: HashMap::new(),
        });
        Ok(())
    }

    fn deep(&self, depth: usize, at: &Spot) -> Result<(), Faults> {
        if depth <= self.caps.depth {
            return Ok(());
        }
        let message = format!("the YAML is nested more than {} levels deep", self.caps.depth);
        Err(Fault::error("yaml/too-deep", message)
            .at(at)
            .help("flatten the structure")
            .into())
    }

    fn attach(&mut self, parent: &mut Open, node: Node) {
        match &mut parent.node.data {
            Data::List(items) => items.push(node),
            Data::Map(members) => match parent.key.take() {
                None => {
                    let name = node.text().map(str::to_owned);
                    if let Some(first) = name.and_then(|name| parent.seen.insert(name, node.at.line())) {
                        let name = clip(node.text().unwrap_or_default());
                        let message =
                            format!("the key '{name}' is given twice; the first is on line {first}");
                        let fault = if self.caps.unique {
                            Fault::error("yaml/duplicate-key", message)
                        } else {
                            Fault::warning("yaml/duplicate-key", message + " and is ignored")
                        };
                        self.faults
                            .push(fault.at(&node.at).help("remove or rename one of them"));
                    }
                    parent.key = Some(node);
                }
                Some(key) => members.push((key, node)),
            },
            Data::Scalar { .. } => unreachable!("a scalar is never open"),
        }
    }

    fn scan_error(&self, error: &saphyr_parser::ScanError) -> Fault {
        let mark = error.marker();
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let place = self.source.place(small(mark.line()), small(mark.col() + 1), 1);
        let fault = Fault::error(
            "yaml/malformed",
            format!("this is not valid YAML: {}", error.info()),
        )
        .at(place);
        let line = self.source.line(small(mark.line()));
        if line.contains('\t') && line.trim_start_matches(' ').starts_with('\t') {
            fault.help("indent with spaces; YAML allows no tabs there")
        } else {
            fault.help("check the indentation and the quotes on this line and the one above")
        }
    }
}

fn tag_text(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() {
        format!("!!{}", tag.suffix)
    } else {
        format!("{}{}", tag.handle, tag.suffix)
    }
}

/// Number of nodes, and levels of nesting.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.data {
        Data::Scalar { .. } => return (1, 0),
        Data::List(items) => items.iter().collect(),
        Data::Map(members) => members.iter().flat_map(|(key, value)| [key, value]).collect(),
    };
    children
        .into_iter()
        .map(measure)
        .fold((1, 1), |(size, depth), (s, d)| (size + s, depth.max(d + 1)))
}
