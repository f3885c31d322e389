//! Keeps a developer's value from becoming structure.
//!
//! Jinja pastes text, and a value such as `x"\n  Evil: {Type: AWS::IAM::User}` pasted into a template would become
//! a resource. Quoting inside the renderer cannot be right everywhere: the template's author has put quotes where
//! they belong, and `'{{ x }}'`, `{{ x }}` and a line of a block scalar each need other ones. So the text is
//! rendered as Jinja does it, and then it is proved that no value added structure:
//!
//! 1. Every character that YAML could take for structure has a *twin* in a private Unicode plane, one that no YAML
//!    reader gives a meaning to. The template is rendered again with the twins in all values.
//! 2. If the second text, twins turned back, equals the first, then each twin in it marks a character that came
//!    from a value, whatever filters it went through. Both texts are parsed; their trees must have the same shape,
//!    names and tags. Where they differ, a value made the difference, and the fault names it.
//! 3. If the texts differ, the template's own logic looks at such characters (`split(',')`, `== 'a: b'`). Then the
//!    values it looks at are found one by one, and for these the characters are exchanged only where they came out
//!    of an expression, which cannot tell an author's intent from a developer's trick and so is stricter.
//!
//! What it does not do: it proves the shape of YAML, not of what is inside a scalar, such as JSON in a build
//! specification or `${...}` in `!Sub`. Texts that `tojson` and Proton's filters made are structure on purpose; what
//! they escape counts as theirs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Fault, Faults, Spot, clip, listed};
use crate::filters::{CLOSE, OPEN};
use crate::inputs::{Values, texts};
use crate::yaml::{Data, Node};

const TWINS: u32 = 0xf_0000;

/// The characters that could be structure wherever they stand.
fn dangerous(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r'
            | '\t'
            | ':'
            | '#'
            | '\''
            | '"'
            | '{'
            | '}'
            | '['
            | ']'
            | ','
            | '&'
            | '*'
            | '!'
            | '|'
            | '>'
            | '<'
            | '%'
            | '@'
            | '`'
            | '\\'
            | '?'
    )
}

/// The twin of a character.
fn twin(c: char) -> char {
    char::from_u32(TWINS + c as u32).unwrap_or(c)
}

/// The character that a twin stands for; any other stays.
pub(crate) fn real_char(c: char) -> char {
    match c as u32 {
        code @ 0xf_0000..=0xf_007f => char::from_u32(code - TWINS).unwrap_or(c),
        _ => c,
    }
}

/// The text that a text with twins stands for.
pub(crate) fn real(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| real_char(c) != c) {
        Cow::Owned(text.chars().map(real_char).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The text with twins, when it has any.
fn disguised(text: &str) -> Option<String> {
    let start = text.len() - text.trim_start_matches(' ').len();
    let end = text.trim_end_matches(' ').len();
    let mut changed = false;
    let out = text
        .char_indices()
        .map(|(at, c)| {
            let edge = c == ' ' && (at < start || at >= end);
            let first = at == 0 && matches!(c, '-' | '.');
            let risky = dangerous(c) || edge || first;
            changed |= risky;
            if risky { twin(c) } else { c }
        })
        .collect();
    changed.then_some(out)
}

/// Refuses values with characters that have no business in a stack and would undermine the proof.
pub(crate) fn admissible(facts: &Values) -> Faults {
    let mut faults = Faults::new();
    let mut check = |path: &str, text: &str| {
        if text.len() > 64 * 1024 {
            let message = format!(
                "the value of {} has {} bytes; at most 65536 are allowed",
                clip(path),
                text.len()
            );
            faults.push(
                Fault::error("input/too-long", message)
                    .help("shorten it, or have the template read it from a store"),
            );
        }
        let odd = text.chars().find(|c| match *c {
            '\n' | '\r' | '\t' => false,
            '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{f0000}'..='\u{f007f}' => true,
            c => c.is_control() || c as u32 & 0xfffe == 0xfffe,
        });
        if let Some(odd) = odd {
            let message = format!(
                "the value of {} has the character U+{:04X}, which stacks cannot carry",
                clip(path),
                odd as u32
            );
            faults.push(Fault::error("input/character", message).help("remove the character"));
        }
    };
    for (name, value) in facts {
        texts(value, name, &mut check);
        keys(value, name, &mut check);
    }
    faults
}

/// Names are printed too, when a template loops over a map.
fn keys(value: &serde_json::Value, path: &str, check: &mut dyn FnMut(&str, &str)) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, path, check)),
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                check(path, name);
                keys(member, path, check);
            }
        }
        _ => {}
    }
}

/// Renders the template again. The first argument exchanges texts by path; the second asks for marks around what
/// expressions give.
pub(crate) type Again<'a> =
    dyn Fn(&dyn Fn(&str, &str) -> Option<String>, bool) -> Result<String, Faults> + 'a;
/// Parses a rendered text.
pub(crate) type Parse<'a> = dyn Fn(&str) -> Result<Node, Faults> + 'a;

/// Proves that no value became structure. `tree` is the parsed text, or what is wrong with it.
pub(crate) fn prove(
    facts: &Values,
    text: &str,
    tree: &Result<Node, Faults>,
    again: &Again<'_>,
    parse: &Parse<'_>,
) -> Faults {
    // By text, not by path: the same outputs stand at many paths of a pipeline.
    let mut risky: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in facts {
        texts(value, name, &mut |path, text| {
            if disguised(text).is_some() {
                risky.entry(text.to_owned()).or_default().push(path.to_owned());
            }
        });
    }
    if risky.is_empty() {
        return Faults::new();
    }
    let paths = |texts: &BTreeSet<&str>| -> BTreeSet<String> {
        texts
            .iter()
            .filter_map(|text| risky.get(*text))
            .flatten()
            .cloned()
            .collect()
    };
    let all: Vec<&str> = risky.keys().map(String::as_str).collect();
    let only = |wanted: &BTreeSet<&str>| {
        again(
            &|_, text| {
                if wanted.contains(text) {
                    disguised(text)
                } else {
                    None
                }
            },
            false,
        )
    };
    let honest = |wanted: &BTreeSet<&str>| matches!(only(wanted), Ok(other) if real(&other) == text);

    let Some(looked_at) = Search::new(&honest).guilty(&all) else {
        return unproven(&paths(&all.iter().copied().collect())).into();
    };
    let rest: BTreeSet<&str> = all
        .iter()
        .copied()
        .filter(|text| !looked_at.contains(text))
        .collect();
    let Ok(veiled) = only(&rest) else {
        return unproven(&paths(&rest)).into();
    };
    if real(&veiled) != text {
        return unproven(&paths(&rest)).into();
    }
    let same = |wanted: &BTreeSet<&str>| {
        only(wanted).is_ok_and(|text| match (tree, parse(&text)) {
            (Ok(tree), Ok(other)) => differs(tree, &other).is_none(),
            (Err(_), Ok(_)) | (Ok(_), Err(_)) => false,
            (Err(_), Err(_)) => true,
        })
    };
    let culprits = || {
        let all: Vec<&str> = rest.iter().copied().collect();
        // Two values may do together what neither does alone; then both are named, with all others.
        let found = Search::new(&same).guilty(&all).filter(|found| !found.is_empty());
        paths(&found.unwrap_or_else(|| rest.clone()))
    };
    let mut faults = compare(tree, &parse(&veiled), culprits);
    if !looked_at.is_empty() && !faults.is_error() {
        faults.extend(strict(&looked_at, &paths(&looked_at), text, tree, again, parse));
    }
    faults
}

/// Finds the members of a set that break a property which holds for sets of innocent ones, by halving.
struct Search<'a> {
    innocent: &'a dyn Fn(&BTreeSet<&str>) -> bool,
    /// How often the property may still be asked for; each time costs a rendering.
    left: usize,
}

impl<'a> Search<'a> {
    fn new(innocent: &'a dyn Fn(&BTreeSet<&str>) -> bool) -> Self {
        Self { innocent, left: 200 }
    }

    /// Nothing when it would take too long to find out.
    fn guilty<'t>(mut self, all: &[&'t str]) -> Option<BTreeSet<&'t str>> {
        let mut found = BTreeSet::new();
        self.search(all, &mut found).then_some(found)
    }

    fn search<'t>(&mut self, some: &[&'t str], found: &mut BTreeSet<&'t str>) -> bool {
        if some.is_empty() {
            return true;
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        if (self.innocent)(&some.iter().copied().collect()) {
            return true;
        }
        if let [only] = some {
            found.insert(only);
            return true;
        }
        let (first, second) = some.split_at(some.len() / 2);
        self.search(first, found) && self.search(second, found)
    }
}

/// For values whose characters the template looks at: exchange them in what expressions gave.
fn strict(
    values: &BTreeSet<&str>,
    paths: &BTreeSet<String>,
    text: &str,
    tree: &Result<Node, Faults>,
    again: &Again<'_>,
    parse: &Parse<'_>,
) -> Faults {
    let edge = |c: &char| dangerous(*c) || matches!(c, '-' | ' ' | '.');
    let chars: BTreeSet<char> = values.iter().flat_map(|text| text.chars().filter(edge)).collect();
    let Ok(marked) = again(&|_, _| None, true) else {
        return unproven(paths).into();
    };
    if marked
        .chars()
        .filter(|c| !matches!(*c, OPEN | CLOSE))
        .ne(text.chars())
    {
        return unproven(paths).into();
    }
    let (mut depth, mut first) = (0_usize, false);
    let veiled: String = marked
        .chars()
        .filter_map(|c| {
            match c {
                OPEN => {
                    depth += 1;
                    first = true;
                    return None;
                }
                CLOSE => {
                    depth = depth.saturating_sub(1);
                    return None;
                }
                _ => {}
            }
            let veil = depth > 0 && chars.contains(&c) && (dangerous(c) || first);
            first &= c == ' ' && depth > 0;
            Some(if veil { twin(c) } else { c })
        })
        .collect();
    compare(tree, &parse(&veiled), || paths.clone())
}

fn unproven(paths: &BTreeSet<String>) -> Fault {
    let message = format!(
        "it cannot be shown that these values leave the structure of the stack alone: {}",
        listed(paths)
    );
    Fault::error("input/structure", message).help("have the template write them with the filter 'tojson'")
}

fn compare(
    tree: &Result<Node, Faults>,
    veiled: &Result<Node, Faults>,
    culprits: impl Fn() -> BTreeSet<String>,
) -> Faults {
    let help = "remove line breaks, quotes and punctuation from the value, or have the template write it with the filter 'tojson'";
    match (tree, veiled) {
        (Ok(tree), Ok(veiled)) => {
            if let Some(spot) = differs(tree, veiled) {
                let message = format!(
                    "a value changes the structure of the stack instead of staying one value: {}",
                    listed(culprits())
                );
                return Fault::error("input/structure", message)
                    .at(&spot)
                    .help(help)
                    .into();
            }
            let mut changed = Vec::new();
            altered(tree, veiled, &mut changed);
            changed.into_iter().take(20).map(|(spot, meant)| {
                let message = format!("the value '{}' does not arrive as it was given: YAML reads some of its characters as quotes, escapes or a comment", clip(&meant));
                Fault::warning("input/altered", message).at(&spot).help("have the template write it with the filter 'tojson'")
            }).collect()
        }
        (Err(errors), Ok(_)) => {
            let message = format!("a value makes the stack unreadable: {}", listed(culprits()));
            let fault = Fault::error("input/structure", message).help(help);
            match errors.iter().find_map(|error| error.at.clone()) {
                Some(at) => fault.at(at).into(),
                None => fault.into(),
            }
        }
        (Ok(tree), Err(_)) => {
            let message = format!(
                "a value completes the structure of the stack instead of staying one value: {}",
                listed(culprits())
            );
            Fault::error("input/structure", message)
                .at(&tree.at)
                .help(help)
                .into()
        }
        // Broken with and without: the template's own fault, which is told elsewhere.
        (Err(_), Err(_)) => Faults::new(),
    }
}

/// Where two trees stop having the same shape, names and tags.
fn differs(a: &Node, b: &Node) -> Option<Spot> {
    if a.tag.as_deref() != b.tag.as_deref().map(real).as_deref() {
        return Some(a.at.clone());
    }
    match (&a.data, &b.data) {
        (Data::Scalar { .. }, Data::Scalar { .. }) => None,
        (Data::List(x), Data::List(y)) if x.len() == y.len() => {
            x.iter().zip(y).find_map(|(x, y)| differs(x, y))
        }
        (Data::Map(x), Data::Map(y)) if x.len() == y.len() => {
            x.iter().zip(y).find_map(|((key, x), (name, y))| {
                if key.text() != name.text().map(real).as_deref() {
                    Some(key.at.clone())
                } else {
                    differs(x, y)
                }
            })
        }
        _ => Some(a.at.clone()),
    }
}

/// Scalars whose text is not what the value was.
fn altered(a: &Node, b: &Node, out: &mut Vec<(Spot, String)>) {
    match (&a.data, &b.data) {
        (Data::Scalar { text, .. }, Data::Scalar { text: meant, .. }) if *text != real(meant) => {
            out.push((a.at.clone(), real(meant).into_owned()))
        }
        (Data::List(x), Data::List(y)) => x.iter().zip(y).for_each(|(x, y)| altered(x, y, out)),
        (Data::Map(x), Data::Map(y)) => x.iter().zip(y).for_each(|((_, x), (_, y))| altered(x, y, out)),
        _ => {}
    }
}
