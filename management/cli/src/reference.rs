//! The whole command line as Markdown, from the same tree that parses it.

use std::fmt::Write as _;

use clap::{Arg, Command};

use crate::topics;

/// The reference page.
#[must_use]
pub fn markdown() -> String {
    let mut root = <crate::args::Cli as clap::CommandFactory>::command();
    root.build();
    let mut text = String::from(
        "# hadron: command line reference\n\nWritten by `hadron reference`; a test keeps it current. Do not edit.\n",
    );
    page(&root, None, "", 2, &mut text);
    for name in topics::NAMES {
        let topic = topics::find(name).unwrap_or_default();
        let _ = write!(
            text,
            "\n## hadron help {name}\n\n```text\n{}\n```\n",
            topic.trim_end()
        );
    }
    text
}

fn page(command: &Command, above: Option<&Command>, parent: &str, depth: usize, text: &mut String) {
    let path = format!("{parent} {}", command.get_name()).trim().to_owned();
    let _ = write!(text, "\n{} {path}\n", "#".repeat(depth.min(4)));
    let about = command
        .get_long_about()
        .or_else(|| command.get_about())
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = write!(text, "\n{}\n", about.trim_end());
    let aliases: Vec<String> = command
        .get_visible_aliases()
        .map(|alias| format!("`{alias}`"))
        .collect();
    if !aliases.is_empty() {
        let _ = write!(text, "\nShort: {}\n", aliases.join(", "));
    }
    let shown = |arg: &&Arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str());
    // Global options stand once, with the command that they are global below.
    let inherited = |arg: &&Arg| {
        let known = above.is_some_and(|above| above.get_arguments().any(|one| one.get_id() == arg.get_id()));
        arg.is_global_set() && known
    };
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(shown)
        .filter(|arg| !inherited(arg))
        .collect();
    if !command.has_subcommands() {
        let mut usage = path.clone();
        for arg in own.iter().filter(|arg| arg.is_positional()) {
            let name = arg
                .get_value_names()
                .and_then(<[_]>::first)
                .map_or("ARG", |name| name.as_str());
            let name = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) {
                format!("{name}...")
            } else {
                name.to_owned()
            };
            let _ = if arg.is_required_set() {
                write!(usage, " <{name}>")
            } else {
                write!(usage, " [{name}]")
            };
        }
        for arg in own
            .iter()
            .filter(|arg| !arg.is_positional() && arg.is_required_set())
        {
            let _ = write!(usage, " {}", flag(arg).rsplit(", ").next().unwrap_or_default());
        }
        if own
            .iter()
            .any(|arg| !arg.is_positional() && !arg.is_required_set())
        {
            usage.push_str(" [OPTIONS]");
        }
        let _ = write!(text, "\n```text\n{usage}\n```\n");
    }
    if !own.is_empty() {
        text.push_str("\n| Argument | Meaning |\n|---|---|\n");
        for arg in own {
            let help = arg
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default()
                .replace('|', "\\|")
                .replace('<', "&lt;");
            let mut notes = Vec::new();
            if let Some(env) = arg.get_env() {
                notes.push(format!("`{}`", env.to_string_lossy()));
            }
            let defaults: Vec<_> = arg
                .get_default_values()
                .iter()
                .map(|value| value.to_string_lossy())
                .collect();
            if !defaults.is_empty() && arg.get_action().takes_values() {
                notes.push(format!("default `{}`", defaults.join(", ")));
            }
            let possible: Vec<_> = arg
                .get_possible_values()
                .iter()
                .map(|value| format!("`{}`", value.get_name()))
                .collect();
            if !possible.is_empty() && arg.get_action().takes_values() {
                notes.push(format!("one of {}", possible.join(", ")));
            }
            let notes = if notes.is_empty() {
                String::new()
            } else {
                format!(" ({})", notes.join("; "))
            };
            let _ = writeln!(text, "| `{}` | {help}{notes} |", flag(arg));
        }
    }
    if let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        let _ = write!(text, "\n```text\n{}\n```\n", after.to_string().trim_end());
    }
    for sub in command.get_subcommands().filter(|sub| {
        !sub.is_hide_set() && sub.get_name() != "help" || parent.is_empty() && sub.get_name() == "help"
    }) {
        page(sub, Some(command), &path, depth + 1, text);
    }
}

fn flag(arg: &Arg) -> String {
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(format!("-{short}"));
    }
    if let Some(long) = arg.get_long() {
        names.push(format!("--{long}"));
    }
    let value = arg
        .get_value_names()
        .and_then(<[_]>::first)
        .map(ToString::to_string)
        .unwrap_or_default();
    if arg.is_positional() {
        return value;
    }
    let names = names.join(", ");
    if arg.get_action().takes_values() {
        format!("{names} {value}")
    } else {
        names
    }
}
