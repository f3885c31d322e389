//! `hadron-agent role`: the roles that an account needs, to read, to deploy, or to be made here and now.
//!
//! Documents and differences go to standard output, talk goes to standard error. Nothing is changed without a question,
//! and there is no question without a terminal: a script says --yes.

mod adopt;
mod create;
mod documents;

use std::io::{self, IsTerminal as _, Write};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::args::{Role as Args, RoleFormat};
use crate::aws::{CallerIdentity, Roles};
use adopt::Adoption;
use documents::Subject;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// What was asked for is so.
    Fine,
    /// The person said no.
    Declined,
    /// There was nobody to ask.
    NobodyToAsk,
}

/// Asks before something is changed.
pub trait Ask {
    /// `None`: there is nobody to ask.
    fn ask(&mut self, question: &str) -> Option<bool>;
}

/// Asks on the terminal.
#[derive(Debug)]
pub struct Terminal;

impl Ask for Terminal {
    fn ask(&mut self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() {
            return None;
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

/// Runs the command.
///
/// # Errors
/// When AWS refuses something, or the documents cannot be printed.
pub async fn run(
    args: &Args,
    sts: &impl CallerIdentity,
    iam: &impl Roles,
    ask: &mut impl Ask,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    let changes = args.create || args.adopt.is_some();
    let account = match args.account {
        Some(account) if !changes => account,
        given => {
            let caller = sts
                .identity()
                .await
                .context("cannot ask STS whose credentials these are (or give --account)")?;
            if let Some(given) = given.filter(|given| *given != caller.account) {
                bail!(
                    "--account is {given}, but the credentials belong to account {} ({})",
                    caller.account,
                    caller.arn
                );
            }
            caller.account
        }
    };
    let subject = Subject::new(args, account);
    if let Some(role) = &args.adopt {
        return adopt_role(args, role, &subject, iam, ask, out).await;
    }
    if args.create {
        return create::create(args, &subject, iam, ask, out).await;
    }
    let document = match args.format {
        RoleFormat::Json => documents::all(&subject),
        RoleFormat::Cloudformation => documents::template(&subject),
    };
    writeln!(out, "{}", pretty(&document))?;
    Ok(Done::Fine)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON of strings prints")
}

/// Leave to go on, from --yes or from a person.
fn leave(args: &Args, ask: &mut impl Ask, question: &str) -> Result<(), Done> {
    if args.yes {
        return Ok(());
    }
    match ask.ask(question) {
        Some(true) => Ok(()),
        Some(false) => Err(Done::Declined),
        None => Err(Done::NobodyToAsk),
    }
}

async fn adopt_role(
    args: &Args,
    role: &hadron_proto::vocab::RoleArn,
    subject: &Subject,
    iam: &impl Roles,
    ask: &mut impl Ask,
    out: &mut impl Write,
) -> anyhow::Result<Done> {
    if role.account() != subject.account {
        bail!(
            "{role} belongs to account {}, these credentials to {}: run this in the role's own account",
            role.account(),
            subject.account
        );
    }
    let found = iam
        .role(role.name())
        .await
        .with_context(|| format!("cannot read role {role}"))?;
    if found.arn != *role {
        bail!("the role of that name is {}, not {role}", found.arn);
    }
    let trust: Value = serde_json::from_str(&found.trust)
        .with_context(|| format!("the trust policy of {role} is no JSON"))?;
    let new = match adopt::adopt(&trust, subject) {
        Adoption::Nothing => {
            writeln!(
                out,
                "{role} trusts CloudFormation for stacks {}* already; nothing to change.",
                subject.prefix
            )?;
            return Ok(Done::Fine);
        }
        Adoption::NotProton(why) => bail!(
            "the trust policy of {role} is not that of an AWS Proton service role: {why}. It is left as it is; \
             `hadron-agent role --create` makes a new role"
        ),
        Adoption::Change(new) => new,
    };
    writeln!(
        out,
        "Trust policy of {role}:\n{}",
        adopt::diff(&pretty(&trust), &pretty(&new))
    )?;
    if let Err(done) = leave(
        args,
        ask,
        "Change the trust policy so? AWS Proton can no longer use the role then.",
    ) {
        return Ok(done);
    }
    let text = serde_json::to_string(&new)?;
    iam.set_trust(role.name(), &text)
        .await
        .with_context(|| format!("cannot change the trust policy of {role}"))?;
    writeln!(
        out,
        "Changed. Now list {role} in roles.provisioning of the agent's configuration, and allow it in the agent's own \
         policy (statements ChangeSets and Pass of `hadron-agent role --provisioning-role {}`).",
        // With its path: the policy needs the whole ARN.
        role.as_str()
            .split_once(":role/")
            .map_or_else(|| role.name(), |(_, name)| name)
    )?;
    Ok(Done::Fine)
}

#[cfg(test)]
mod tests;
