//! All help as snapshots, and what it promises: commands that help names can be typed.

use std::collections::BTreeMap;

use clap::{Command, CommandFactory as _};
use hadron_proto::codes;

use crate::args::Cli;

/// The help of every command, by noun, in a terminal of so many columns.
fn pages(width: usize) -> BTreeMap<String, String> {
    fn walk(command: &Command, width: usize, noun: &str, pages: &mut BTreeMap<String, String>) {
        // `help` of clap itself comes with each noun and says nothing of its own.
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let name = sub.get_name();
            let noun = if noun.is_empty() { name } else { noun };
            if name == "help" && noun != "help" {
                continue;
            }
            // Global options stand once, on the first page.
            let own = sub.clone().mut_args(|arg| {
                let hidden = arg.is_hide_set() || arg.is_global_set() && arg.get_id() != "print";
                arg.hide(hidden)
            });
            let text = own.term_width(width).render_long_help().to_string();
            pages
                .entry(noun.to_owned())
                .or_default()
                .push_str(&format!("{text}\n\n{:-<60}\n", ""));
            walk(sub, width, noun, pages);
        }
    }
    let mut root = Cli::command().max_term_width(width).term_width(width);
    root.build();
    let text = root.render_long_help().to_string();
    let mut pages = BTreeMap::from([("hadron".to_owned(), text)]);
    walk(&root, width, "", &mut pages);
    pages
}

#[test]
fn every_page_of_help() {
    for (noun, text) in pages(80) {
        insta::assert_snapshot!(format!("help_{noun}"), text);
    }
}

#[test]
fn help_fits_a_narrow_terminal() {
    let pages = pages(60);
    insta::assert_snapshot!("help_hadron_60", pages["hadron"]);
    for (noun, text) in &pages {
        for line in text.lines().map(str::trim_end) {
            let width = console::measure_text_width(line);
            // What cannot be broken stays whole: usage, and words that are longer than the line.
            let whole = line.starts_with("Usage:") || !line.trim_start().contains(' ');
            assert!(width <= 60 || whole, "{noun}: {line}");
        }
    }
}

/// Whether clap takes a line, help being asked for included.
fn taken(line: &str) -> Result<(), String> {
    let words = line.split_whitespace().map(|word| match word {
        "ACCOUNT" => "111111111111",
        "ARN" => "arn:aws:iam::111111111111:role/hadron",
        "SERVICE/INSTANCE" => "web/prd",
        "sha256:..." => "sha256:00",
        word => word,
    });
    match Cli::command().try_get_matches_from(words) {
        Err(error) if error.use_stderr() => Err(format!("{line}\n{error}")),
        _ => Ok(()),
    }
}

#[test]
fn commands_that_error_codes_name_can_be_typed() {
    let mut wrong = Vec::new();
    for code in codes::ALL {
        let looks = code.look.iter().map(|(command, _)| *command);
        let ways = code.ways.iter().map(|(_, how)| *how);
        for line in looks.chain(ways).filter(|line| line.starts_with("hadron ")) {
            wrong.extend(taken(line).err().map(|error| format!("{code}: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken("hadron environment gett prd").is_err(), "the test can fail");
}
