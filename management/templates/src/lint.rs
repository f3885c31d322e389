//! Finds names without a value before anything is rendered.
//!
//! A template with a misspelt name renders well until the branch with that name is taken, which may be months
//! later in one account. So the syntax tree is walked with what is known of each name: roots from the namespace,
//! inputs from the schema, loop variables from what they loop over. Tests (`is defined`), `default` and conditions
//! around a use guard it, as they do when the template is rendered.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::{Span, parse};
use minijinja::{Environment, Value};

use crate::diagnostic::{Fault, Faults, Source, clip, listed, nearest, whole_name};
use crate::namespace::{Known, Scope};
use crate::render::{self, Template};

/// What a template uses.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Outputs by whose they are; true when the template fails without it.
    pub(crate) outputs: BTreeMap<&'static str, BTreeMap<String, bool>>,
    /// Filters and tests that there are not, each with its kind.
    pub(crate) unknown: BTreeSet<(&'static str, String)>,
}

/// Checks all names of a template.
pub(crate) fn check(template: &Template, scope: Scope, roots: &BTreeMap<String, Known>) -> (Uses, Faults) {
    let source = &template.source;
    let tree = match parse(
        source.text(),
        source.file(),
        minijinja::syntax::SyntaxConfig::default(),
    ) {
        Ok(tree) => tree,
        Err(error) => {
            return (
                Uses::default(),
                template.fault(&error, &serde_json::Map::new()).into(),
            );
        }
    };
    let mut walker = Walker {
        source,
        scope,
        roots,
        locals: vec![BTreeMap::new()],
        guards: Vec::new(),
        uses: Uses::default(),
        faults: Faults::new(),
        told: BTreeSet::new(),
        env: render::environment(false),
        depth: 0,
    };
    walker.statement(&tree);
    (walker.uses, walker.faults)
}

struct Walker<'a> {
    source: &'a Source,
    scope: Scope,
    roots: &'a BTreeMap<String, Known>,
    locals: Vec<BTreeMap<String, Known>>,
    /// Chains that are known to have a value here.
    guards: Vec<String>,
    uses: Uses,
    faults: Faults,
    /// Where something was told already: chains are walked more than once.
    told: BTreeSet<(u32, u32)>,
    env: Environment<'static>,
    depth: usize,
}

impl Walker<'_> {
    fn tell(&mut self, span: Span, fault: Fault) {
        if self.faults.len() < 200 && self.told.insert((span.start_offset, span.end_offset)) {
            let start = whole_name(self.source.text(), span.start_offset as usize);
            self.faults
                .push(fault.at(self.source.range(start..span.end_offset as usize)));
        }
    }

    fn body(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    /// Walks a body with names of its own and with more chains guarded.
    fn inside(&mut self, guards: Vec<String>, names: Vec<(String, Known)>, statements: &[Stmt<'_>]) {
        let before = self.guards.len();
        self.guards.extend(guards);
        self.locals.push(names.into_iter().collect());
        self.body(statements);
        self.locals.pop();
        self.guards.truncate(before);
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(node) => self.body(&node.children),
            Stmt::EmitExpr(node) => drop(self.value(&node.expr)),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => {}
            Stmt::ForLoop(node) => {
                let item = match self.value(&node.iter) {
                    Known::List(item) => *item,
                    _ => Known::Any,
                };
                let mut names = vec![("loop".to_owned(), Known::Any)];
                targets(&node.target, &item, &mut names);
                if let Some(filter) = &node.filter_expr {
                    self.locals.push(names.iter().cloned().collect());
                    self.value(filter);
                    self.locals.pop();
                }
                self.inside(Vec::new(), names, &node.body);
                self.inside(Vec::new(), Vec::new(), &node.else_body);
            }
            Stmt::IfCond(node) => {
                self.value(&node.expr);
                self.inside(guarded(&node.expr, true), Vec::new(), &node.true_body);
                self.inside(guarded(&node.expr, false), Vec::new(), &node.false_body);
            }
            Stmt::WithBlock(node) => {
                let mut names = Vec::new();
                for (target, expr) in &node.assignments {
                    let known = self.value(expr);
                    targets(target, &known, &mut names);
                }
                self.inside(Vec::new(), names, &node.body);
            }
            Stmt::Set(node) => {
                let known = self.value(&node.expr);
                self.assign(&node.target, &known);
            }
            Stmt::SetBlock(node) => {
                self.inside(Vec::new(), Vec::new(), &node.body);
                if let Some(filter) = &node.filter {
                    self.value(filter);
                }
                self.assign(&node.target, &Known::Leaf);
            }
            Stmt::AutoEscape(node) => self.inside(Vec::new(), Vec::new(), &node.body),
            Stmt::FilterBlock(node) => {
                self.value(&node.filter);
                self.inside(Vec::new(), Vec::new(), &node.body);
            }
            Stmt::Block(node) => self.inside(Vec::new(), Vec::new(), &node.body),
            Stmt::Import(node) => self.no_files(node.span()),
            Stmt::FromImport(node) => self.no_files(node.span()),
            Stmt::Extends(node) => self.no_files(node.span()),
            Stmt::Include(node) => self.no_files(node.span()),
            Stmt::Macro(node) => {
                self.local(node.name, Known::Any);
                for default in &node.defaults {
                    self.value(default);
                }
                let mut names = vec![
                    ("caller".to_owned(), Known::Any),
                    ("varargs".to_owned(), Known::Any),
                    ("kwargs".to_owned(), Known::Any),
                ];
                node.args
                    .iter()
                    .for_each(|arg| targets(arg, &Known::Any, &mut names));
                self.inside(Vec::new(), names, &node.body);
            }
            Stmt::CallBlock(node) => {
                self.value(&node.call.expr);
                self.arguments(&node.call.args);
                let mut names = vec![("caller".to_owned(), Known::Any)];
                node.macro_decl
                    .args
                    .iter()
                    .for_each(|arg| targets(arg, &Known::Any, &mut names));
                self.inside(Vec::new(), names, &node.macro_decl.body);
            }
            Stmt::Do(node) => {
                self.callee(&node.call.expr);
                self.arguments(&node.call.args);
            }
        }
    }

    fn no_files(&mut self, span: Span) {
        let fault = Fault::error("template/no-include", "a template cannot refer to other files")
            .help("put everything into this file");
        self.tell(span, fault);
    }

    fn local(&mut self, name: &str, known: Known) {
        if let Some(scope) = self.locals.last_mut() {
            scope.insert(name.to_owned(), known);
        }
    }

    fn assign(&mut self, target: &Expr<'_>, known: &Known) {
        let mut names = Vec::new();
        targets(target, known, &mut names);
        for (name, known) in names {
            self.local(&name, known);
        }
    }

    fn arguments(&mut self, args: &[CallArg<'_>]) {
        for arg in args {
            match arg {
                CallArg::Pos(expr)
                | CallArg::Kwarg(_, expr)
                | CallArg::PosSplat(expr)
                | CallArg::KwargSplat(expr) => drop(self.value(expr)),
            }
        }
    }

    /// Walks an expression whose value is needed.
    fn value(&mut self, expr: &Expr<'_>) -> Known {
        self.look(expr, false)
    }

    /// Walks an expression. `soft`: it may turn out to have no value.
    fn look(&mut self, expr: &Expr<'_>, soft: bool) -> Known {
        self.depth += 1;
        // The parser has a limit of its own; this one keeps the stack safe if that ever grows.
        let known = if self.depth > 400 {
            Known::Any
        } else {
            self.expression(expr, soft)
        };
        self.depth -= 1;
        known
    }

    fn expression(&mut self, expr: &Expr<'_>, soft: bool) -> Known {
        match expr {
            Expr::Const(_) => Known::Leaf,
            Expr::Var(var) => self.name(var.id, var.span(), soft),
            Expr::GetAttr(node) => {
                let base = self.value(&node.expr);
                self.member(expr, &base, node.name, node.span(), soft)
            }
            Expr::GetItem(node) => {
                let base = self.value(&node.expr);
                self.value(&node.subscript_expr);
                match &node.subscript_expr {
                    Expr::Const(name) if name.value.as_str().is_some() => {
                        let name = name.value.as_str().unwrap_or_default().to_owned();
                        self.member(expr, &base, &name, node.span(), soft)
                    }
                    _ => match base {
                        Known::List(item) => *item,
                        Known::Outputs(_) => Known::Leaf,
                        _ => Known::Any,
                    },
                }
            }
            Expr::Slice(node) => {
                let base = self.value(&node.expr);
                for part in [&node.start, &node.stop, &node.step].into_iter().flatten() {
                    self.value(part);
                }
                base
            }
            Expr::UnaryOp(node) => {
                self.value(&node.expr);
                Known::Leaf
            }
            Expr::BinOp(node) => {
                self.value(&node.left);
                let before = self.guards.len();
                match node.op {
                    BinOpKind::ScAnd => self.guards.extend(guarded(&node.left, true)),
                    BinOpKind::ScOr => self.guards.extend(guarded(&node.left, false)),
                    _ => {}
                }
                self.value(&node.right);
                self.guards.truncate(before);
                Known::Any
            }
            Expr::Compare(node) => {
                self.value(&node.expr);
                for op in &node.ops {
                    self.value(&op.expr);
                }
                Known::Leaf
            }
            Expr::IfExpr(node) => {
                self.value(&node.test_expr);
                let before = self.guards.len();
                self.guards.extend(guarded(&node.test_expr, true));
                self.look(&node.true_expr, soft);
                self.guards.truncate(before);
                self.guards.extend(guarded(&node.test_expr, false));
                if let Some(other) = &node.false_expr {
                    self.look(other, soft);
                }
                self.guards.truncate(before);
                Known::Any
            }
            Expr::Filter(node) => {
                let default = matches!(node.name, "default" | "d");
                if let Some(inner) = &node.expr {
                    self.look(inner, default);
                }
                self.arguments(&node.args);
                self.function("filter", node.name, node.span());
                Known::Any
            }
            Expr::Test(node) => {
                self.look(&node.expr, matches!(node.name, "defined" | "undefined"));
                self.arguments(&node.args);
                self.function("test", node.name, node.span());
                Known::Leaf
            }
            Expr::Call(node) => {
                self.callee(&node.expr);
                self.arguments(&node.args);
                Known::Any
            }
            Expr::List(node) => {
                node.items.iter().for_each(|item| drop(self.value(item)));
                Known::List(Box::new(Known::Any))
            }
            Expr::Tuple(node) => {
                node.items.iter().for_each(|item| drop(self.value(item)));
                Known::Any
            }
            Expr::Map(node) => {
                node.keys
                    .iter()
                    .chain(&node.values)
                    .for_each(|item| drop(self.value(item)));
                Known::Any
            }
        }
    }

    /// What is called: a function by name, or a method, whose name is none of a member.
    fn callee(&mut self, expr: &Expr<'_>) {
        match expr {
            Expr::Var(var) if matches!(var.id, "range" | "dict" | "namespace" | "caller" | "loop") => {}
            Expr::GetAttr(node) => drop(self.value(&node.expr)),
            other => drop(self.value(other)),
        }
    }

    fn function(&mut self, kind: &'static str, name: &str, span: Span) {
        let mut state = self.env.empty_state();
        let known = state.perform_test(kind, &[Value::from(name)]);
        if matches!(known, Ok(false)) {
            self.uses.unknown.insert((kind, name.to_owned()));
            let fault = Fault::error(
                "template/unknown-function",
                format!("Jinja has no {kind} '{}'", clip(name)),
            );
            let known = [
                "proton_cfn_ecs_task_definition_formatted_env_vars",
                "proton_cfn_lambda_function_formatted_env_vars",
                "proton_cfn_iam_policy_arns",
                "proton_cfn_sanitize",
                "default",
                "defined",
                "truncate",
                "replace",
                "length",
                "upper",
                "lower",
                "join",
                "tojson",
                "first",
                "last",
                "sort",
                "trim",
                "indent",
                "string",
                "int",
            ];
            let help = match nearest(name, known) {
                Some(near) => format!("did you mean '{near}'?"),
                None => "the built-in ones of Jinja are there, and Proton's four filters".to_owned(),
            };
            self.tell(span, fault.help(help));
        }
    }

    fn name(&mut self, name: &str, span: Span, soft: bool) -> Known {
        if let Some(known) = self.locals.iter().rev().find_map(|scope| scope.get(name)) {
            return known.clone();
        }
        if let Some(known) = self.roots.get(name) {
            return known.clone();
        }
        if soft
            || matches!(name, "loop" | "self" | "caller" | "range" | "dict" | "namespace")
            || self.guards.iter().any(|guard| guard == name)
        {
            return Known::Any;
        }
        let before = self.source.text()[..span.start_offset as usize].trim_end();
        let help =
            if before.ends_with('-') && before[..before.len() - 1].ends_with(|c: char| c.is_alphanumeric()) {
                "a hyphen subtracts in Jinja; write names with hyphens as outputs[\"my-name\"]".to_owned()
            } else if name == "service_instance" && self.scope == Scope::Pipeline {
                "loop over service_instances and use the loop's variable".to_owned()
            } else if name == "var" {
                "Terraform's var. is not known in Jinja; begin with the name itself".to_owned()
            } else {
                let roots = self.roots.keys().map(String::as_str);
                let local = self
                    .locals
                    .iter()
                    .flat_map(|scope| scope.keys().map(String::as_str));
                match nearest(name, roots.clone().chain(local)) {
                    Some(near) => format!("did you mean '{}'?", clip(near)),
                    None => format!("{} may use: {}", self.scope.what(), listed(roots)),
                }
            };
        self.tell(
            span,
            Fault::error(
                "template/undefined",
                format!("'{}' is not defined here", clip(name)),
            )
            .help(help),
        );
        Known::Any
    }

    fn member(&mut self, expr: &Expr<'_>, base: &Known, name: &str, span: Span, soft: bool) -> Known {
        let whole = chain(expr);
        let guarded = soft || whole.as_ref().is_some_and(|whole| self.guards.contains(whole));
        match base {
            Known::Any | Known::List(_) | Known::Leaf => Known::Any,
            Known::Outputs(whose) => {
                let needed = self
                    .uses
                    .outputs
                    .entry(whose)
                    .or_default()
                    .entry(name.to_owned())
                    .or_default();
                *needed |= !guarded;
                Known::Leaf
            }
            Known::Members(members) => {
                let shown = whole.unwrap_or_else(|| name.to_owned());
                match members.get(name) {
                    Some(member) if member.sure || guarded => member.known.clone(),
                    Some(member) => {
                        let message = format!(
                            "'{}' may be without a value: it is optional and has no default",
                            clip(&shown)
                        );
                        let help = format!(
                            "guard it with {{% if {shown} is defined %}}, or give it a default in the schema"
                        );
                        self.tell(
                            span,
                            Fault::warning("template/maybe-undefined", message).help(help),
                        );
                        member.known.clone()
                    }
                    None if guarded => Known::Any,
                    None => {
                        let message =
                            format!("'{}' is not defined: there is no '{}'", clip(&shown), clip(name));
                        let help = self.instead(&shown, name, members);
                        self.tell(span, Fault::error("template/undefined", message).help(help));
                        Known::Any
                    }
                }
            }
        }
    }

    fn instead(
        &self,
        shown: &str,
        name: &str,
        members: &BTreeMap<String, super::namespace::Member>,
    ) -> String {
        if shown == "environment.inputs" {
            return "services see the outputs of their environment, not its inputs: add an output to the environment template".to_owned();
        }
        if shown == "environment.outputs" {
            return "an environment's outputs exist only after it is deployed; use environment.inputs"
                .to_owned();
        }
        if let Some(near) = nearest(name, members.keys().map(String::as_str)) {
            return format!("did you mean '{}'?", clip(near));
        }
        if shown.contains(".inputs.") {
            return format!(
                "add it to schema/schema.yaml, or use one of: {}",
                listed(members.keys())
            );
        }
        format!("there are: {}", listed(members.keys()))
    }
}

fn targets(target: &Expr<'_>, known: &Known, names: &mut Vec<(String, Known)>) {
    match target {
        Expr::Var(var) => names.push((var.id.to_owned(), known.clone())),
        Expr::List(list) => list
            .items
            .iter()
            .for_each(|item| targets(item, &Known::Any, names)),
        Expr::Tuple(tuple) => tuple
            .items
            .iter()
            .for_each(|item| targets(item, &Known::Any, names)),
        _ => {}
    }
}

/// The dotted name of an expression, when it is one.
fn chain(expr: &Expr<'_>) -> Option<String> {
    match expr {
        Expr::Var(var) => Some(var.id.to_owned()),
        Expr::GetAttr(node) => Some(format!("{}.{}", chain(&node.expr)?, node.name)),
        Expr::GetItem(node) => match &node.subscript_expr {
            Expr::Const(key) => Some(joined(&chain(&node.expr)?, &key.value)),
            _ => None,
        },
        _ => None,
    }
}

/// `a["b"]` is the same as `a.b`; `a[0]` has only this form.
fn joined(base: &str, key: &Value) -> String {
    match key.as_str() {
        Some(name) => format!("{base}.{name}"),
        None => format!("{base}[{key}]"),
    }
}

/// The names that have a value wherever this condition is true, or false.
fn guarded(condition: &Expr<'_>, truth: bool) -> Vec<String> {
    match condition {
        Expr::Test(node) if node.name == "defined" && truth || node.name == "undefined" && !truth => {
            chain(&node.expr).into_iter().collect()
        }
        Expr::UnaryOp(node) if matches!(node.op, UnaryOpKind::Not) => guarded(&node.expr, !truth),
        Expr::BinOp(node)
            if matches!(
                (node.op, truth),
                (BinOpKind::ScAnd, true) | (BinOpKind::ScOr, false)
            ) =>
        {
            let mut all = guarded(&node.left, truth);
            all.extend(guarded(&node.right, truth));
            all
        }
        Expr::BinOp(node) if matches!(node.op, BinOpKind::In) && truth => contained(&node.left, &node.right),
        Expr::Compare(node) => match node.ops.as_slice() {
            [op] if matches!(
                (op.op, truth),
                (CompareOpKind::In, true) | (CompareOpKind::NotIn, false)
            ) =>
            {
                contained(&node.expr, &op.expr)
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn contained(name: &Expr<'_>, map: &Expr<'_>) -> Vec<String> {
    match (name, chain(map)) {
        (Expr::Const(name), Some(map)) => vec![joined(&map, &name.value)],
        _ => Vec::new(),
    }
}
