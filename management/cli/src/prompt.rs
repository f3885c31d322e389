//! Questions before something that cannot be undone.

use std::io::{self, BufRead, IsTerminal as _, Write};

use crate::error::{Exit, Failure, Result};

/// Asks for `expected` to be typed. Without a terminal there is nobody to ask: exit 2, with the command that needs no
/// answer.
pub(crate) fn typed(question: &str, expected: &str, unattended: &str) -> Result<()> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(
            Failure::usage("this needs a confirmation, and there is no terminal to ask on").next(unattended),
        );
    }
    ask(
        question,
        expected,
        &mut io::stdin().lock(),
        &mut io::stderr().lock(),
    )
}

fn ask(question: &str, expected: &str, from: &mut impl BufRead, to: &mut impl Write) -> Result<()> {
    let lost = |error: io::Error| Failure::new(Exit::Failure, "cannot ask for a confirmation").why(error);
    write!(to, "{question}: ")
        .and_then(|()| to.flush())
        .map_err(lost)?;
    let mut answer = String::new();
    from.read_line(&mut answer).map_err(lost)?;
    let answer = answer.trim();
    if answer == expected {
        return Ok(());
    }
    let given = if answer.is_empty() {
        "nothing was typed".to_owned()
    } else {
        format!("'{answer}' was typed")
    };
    Err(Failure::new(Exit::Failure, "not confirmed, nothing was changed")
        .why(format!("'{expected}' was expected, {given}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_answer_confirms() {
        let mut shown = Vec::new();
        assert!(ask("Type 'prd' to delete it", "prd", &mut &b"prd\n"[..], &mut shown).is_ok());
        assert_eq!(String::from_utf8(shown).unwrap(), "Type 'prd' to delete it: ");
        for wrong in ["", "\n", "y\n", "PRD\n", "prd2\n"] {
            let refused = ask("?", "prd", &mut wrong.as_bytes(), &mut Vec::new()).unwrap_err();
            assert_eq!(refused.exit, Exit::Failure, "{wrong:?}");
        }
    }
}
