//! One file per noun: its verbs, their flags and examples, the calls they make, and how its things look.
//!
//! The messages of the wire are known here and in `client.rs`, nowhere else.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};

use crate::args::{Change, Command, Confirm, Follow, Wait, Write};
use crate::client::Hub;
use crate::error::{Exit, Failure, Result};
use crate::output::{self, Card, Out, Query, Show, emit, say};
use crate::prompt;
use crate::settings::Settings;
use crate::stop::Stop;

pub(crate) mod access;
pub(crate) mod agents;
pub(crate) mod complete;
pub(crate) mod components;
pub(crate) mod config;
pub(crate) mod connections;
pub(crate) mod console;
pub(crate) mod credentials;
pub(crate) mod deployments;
pub(crate) mod doctor;
pub(crate) mod environments;
pub(crate) mod follow;
pub(crate) mod grants;
pub(crate) mod instances;
mod listing;
#[cfg(test)]
mod looks;
pub(crate) mod open;
pub(crate) mod pipelines;
pub(crate) mod repositories;
pub(crate) mod services;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod summary;
pub(crate) mod sync;
pub(crate) mod tags;
pub(crate) mod templates;

/// What every command has at hand.
pub(crate) struct Context {
    /// Hub, identity, form of output.
    pub(crate) settings: Settings,
    /// How to print.
    pub(crate) out: Out,
    /// Whether to say more.
    pub(crate) verbose: bool,
    /// What of it to print.
    pub(crate) query: Option<Query>,
    /// Whether this process was asked to end.
    pub(crate) stop: Stop,
    hub: OnceCell<Hub>,
}

/// Does what the command line asks for.
pub(crate) async fn run(command: Command, cx: &Context) -> Result<()> {
    match command {
        Command::Connection(verb) => connections::run(verb, cx).await,
        Command::Template(verb) => templates::run(verb, cx).await,
        Command::Environment(verb) => environments::run(verb, cx).await,
        Command::Service(verb) => services::run(verb, cx).await,
        Command::Instance(verb) => instances::run(verb, cx).await,
        Command::Component(verb) => components::run(verb, cx).await,
        Command::Pipeline(verb) => pipelines::run(verb, cx).await,
        Command::Deployment(verb) => deployments::run(verb, cx).await,
        Command::Grant(verb) => grants::run(verb, cx).await,
        Command::Repository(verb) => repositories::run(verb, cx).await,
        Command::Sync(verb) => sync::run(verb, cx).await,
        Command::Tag(verb) => tags::run(verb, cx).await,
        Command::Summary(summary) => summary::run(summary, cx).await,
        Command::Access(verb) => access::run(verb, cx).await,
        Command::Agent(verb) => agents::run(verb, cx).await,
        Command::Settings(verb) => settings::run(verb, cx).await,
        Command::Login(login) => session::login(login, cx).await,
        Command::Logout(logout) => session::logout(logout, cx).await,
        Command::Whoami(_) => session::whoami(cx).await,
        Command::Console(console) => console::run(console, cx).await,
        Command::Open(open) => Box::pin(open::run(open, cx)).await,
        Command::Credentials(credentials) => Box::pin(credentials::run(credentials, cx)).await,
        Command::Version(version) => session::version(version, cx).await,
        Command::Config(verb) => config::run(verb, cx),
        Command::Doctor(doctor) => Box::pin(doctor::run(doctor, cx)).await,
        Command::Completion(_) | Command::Help(_) | Command::Man(_) | Command::Reference => Ok(()),
    }
}

impl Context {
    pub(crate) fn new(settings: Settings, out: Out, verbose: bool) -> Self {
        Self {
            settings,
            out,
            verbose,
            query: None,
            stop: Stop::default(),
            hub: OnceCell::new(),
        }
    }

    /// A command of this program as it has to be typed here, with what this one was told about the hub.
    pub(crate) fn again(&self, command: &str) -> String {
        let told = self.settings.told();
        if told.is_empty() {
            format!("hadron {command}")
        } else {
            format!("hadron {} {command}", told.join(" "))
        }
    }

    /// The hub; that none is named is found out here and not before a command needs one.
    pub(crate) fn hub(&self) -> Result<&Hub> {
        match self.hub.get() {
            Some(hub) => Ok(hub),
            None => {
                let hub = Hub::new(&self.settings, self.verbose)?;
                Ok(self.hub.get_or_init(|| hub))
            }
        }
    }

    /// Prints one thing as a page.
    pub(crate) fn print<T: Show>(&self, thing: &T) -> Result<()> {
        match &self.query {
            Some(query) => emit(&query.find(&self.out.value(thing), self.out.format)?),
            None => emit(&self.out.one(thing)),
        }
    }

    /// Prints one thing after a write: a line for people, the whole object for scripts.
    pub(crate) fn brief<T: Show>(&self, thing: &T) -> Result<()> {
        if self.out.format.is_table() {
            self.all(std::slice::from_ref(thing))
        } else {
            self.print(thing)
        }
    }

    /// Prints a list; that it is empty is said on stderr.
    pub(crate) fn list<T: Show>(&self, things: &[T], none: &str) -> Result<()> {
        if things.is_empty() && self.out.format.is_table() {
            say(none);
            return Ok(());
        }
        self.all(things)
    }

    /// Prints many things; which columns had no room is said on stderr.
    pub(crate) fn all<T: Show>(&self, things: &[T]) -> Result<()> {
        if let Some(query) = &self.query {
            return emit(&query.find(&self.out.values(things), self.out.format)?);
        }
        let (text, left_out) = self.out.many_but(things);
        emit(&text)?;
        if !left_out.is_empty() {
            say(format!("No room for {}; -o wide shows all.", left_out.join(", ")));
        }
        Ok(())
    }

    /// The idempotency token of a write.
    pub(crate) fn request_id(&self, write: &Write) -> String {
        let id = write.request_id.clone().unwrap_or_else(crate::clock::request_id);
        if self.verbose {
            say(format!("request id: {id}"));
        }
        id
    }

    /// How long to wait; `None` when not at all.
    pub(crate) fn waits(&self, wait: &Wait) -> Option<Duration> {
        (wait.wait || (self.settings.wait.value && !wait.no_wait)).then_some(wait.timeout)
    }

    /// Asks for the name of what is to be deleted.
    pub(crate) fn confirm(&self, confirm: &Confirm, what: &str, name: &str, command: &str) -> Result<()> {
        if confirm.yes {
            return Ok(());
        }
        prompt::typed(
            &format!("Type '{name}' to delete {what}"),
            name,
            &format!("{command} --yes"),
        )
    }

    /// Prints a thing that is deployed, after its last deployment has ended where that is wanted.
    pub(crate) async fn shown<T: Show>(
        &self,
        follow: &Follow,
        get: impl AsyncFn() -> Result<T>,
        state: impl Fn(&T) -> Option<&wire::DeploymentState>,
    ) -> Result<()> {
        let thing = get().await?;
        let id = state(&thing).map(|state| state.last_attempted_deployment_id.clone());
        let Some(id) = id.filter(|id| follow.watch && !id.is_empty()) else {
            return self.print(&thing);
        };
        let ended = Box::pin(follow::deployment(self, &id, 0, follow.timeout)).await?;
        self.print(&get().await?)?;
        deployments::verdict(&ended)
    }

    /// Waits for what a write began and prints how it ended; without waiting, prints how to follow it.
    pub(crate) async fn after_write<T: Show>(
        &self,
        thing: T,
        state: Option<&wire::DeploymentState>,
        wait: &Wait,
        again: impl AsyncFn() -> Result<Option<T>>,
    ) -> Result<()> {
        let id = state
            .map(|state| state.last_attempted_deployment_id.clone())
            .unwrap_or_default();
        if id.is_empty() {
            return self.brief(&thing);
        }
        let Some(timeout) = self.waits(wait) else {
            self.brief(&thing)?;
            say(format!("Accepted. Follow it with: hadron deployment watch {id}"));
            return Ok(());
        };
        let ended = Box::pin(follow::deployment(self, &id, 0, timeout)).await?;
        if let Some(thing) = again().await? {
            self.brief(&thing)?;
        }
        deployments::verdict(&ended)
    }
}

/// A point in time from the wire.
pub(crate) fn at(time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    let time = time?;
    let micros = time
        .seconds
        .checked_mul(1_000_000)?
        .checked_add(i64::from(time.nanos / 1_000))?;
    Some(Timestamp::from_micros(micros))
}

/// Reads a spec from a file, or from stdin for `-`.
pub(crate) fn read_spec(path: &Path) -> Result<String> {
    read_file("spec", path)
}

/// Reads a text from a file, or from stdin for `-`; `what` names it when it cannot be read.
pub(crate) fn read_file(what: &str, path: &Path) -> Result<String> {
    let text = if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text
        .map_err(|error| Failure::usage(format!("cannot read the {what} {}", path.display())).why(error))?;
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("the {what} {} is empty", path.display())));
    }
    Ok(text)
}

/// What an update asks for, in the hub's words.
pub(crate) struct Update {
    pub(crate) kind: wire::DeploymentType,
    pub(crate) spec: String,
    pub(crate) template_version: String,
}

impl Update {
    /// From flags. `present` is the version that is deployed now, asked for only when it decides.
    pub(crate) async fn of(
        change: &Change,
        metadata: bool,
        present: impl AsyncFn() -> Result<String>,
    ) -> Result<Self> {
        let spec = change
            .spec
            .as_deref()
            .map(read_spec)
            .transpose()?
            .unwrap_or_default();
        let kind = if change.minor {
            wire::DeploymentType::MinorVersion
        } else if change.major {
            wire::DeploymentType::MajorVersion
        } else if let Some(version) = &change.template_version {
            let wanted = major(version)
                .ok_or_else(|| Failure::usage(format!("'{version}' is not a version such as 2 or 2.1")))?;
            match major(&present().await?) {
                Some(now) if now == wanted => wire::DeploymentType::MinorVersion,
                _ => wire::DeploymentType::MajorVersion,
            }
        } else if change.redeploy || !spec.is_empty() {
            wire::DeploymentType::CurrentVersion
        } else if metadata {
            wire::DeploymentType::None
        } else {
            return Err(Failure::usage("nothing to update was given")
                .why("give --spec, --template-version, --minor, --major or --redeploy"));
        };
        Ok(Self {
            kind,
            spec,
            template_version: change.template_version.clone().unwrap_or_default(),
        })
    }
}

fn major(version: &str) -> Option<u32> {
    let mut parts = version.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next().is_none_or(|minor| minor.parse::<u32>().is_ok());
    (minor && parts.next().is_none()).then_some(major)
}

/// A thing that is not there, with the name that was probably meant.
pub(crate) fn did_you_mean(failure: Failure, noun: &str, given: &str, known: &[String]) -> Failure {
    if failure.exit != Exit::NotFound {
        return failure;
    }
    match crate::suggest::closest(given, known.iter().map(String::as_str)) {
        Some(close) => Failure {
            next: Vec::new(),
            ..failure
        }
        .why(format!("did you mean '{close}'?"))
        .next(format!("hadron {noun} get {close}")),
        None => failure.next(format!("hadron {noun} list")),
    }
}

/// The deployment part of a thing in JSON.
pub(crate) fn state_json(state: Option<&wire::DeploymentState>) -> Value {
    let Some(state) = state else { return Value::Null };
    json!({
        "status": output::text(&state.status),
        "statusMessage": output::text(&state.status_message),
        "lastAttemptedDeploymentId": output::text(&state.last_attempted_deployment_id),
        "lastSucceededDeploymentId": output::text(&state.last_succeeded_deployment_id),
        "lastAttemptedAt": output::time(at(state.last_attempted_at.as_ref())),
        "lastSucceededAt": output::time(at(state.last_succeeded_at.as_ref())),
        "stackName": output::text(&state.stack_name),
        "stackArn": output::text(&state.stack_arn),
        "accountId": output::text(&state.account_id),
        "region": output::text(&state.region),
        "outputs": outputs_json(&state.outputs),
        "resources": state.resources.iter().map(resource_json).collect::<Vec<_>>(),
        "waysOut": state.ways_out,
    })
}

pub(crate) fn outputs_json(outputs: &[wire::Output]) -> Value {
    outputs
        .iter()
        .map(|output| (output.key.clone(), Value::from(output.value.as_str())))
        .collect::<Map<_, _>>()
        .into()
}

fn resource_json(resource: &wire::StackResource) -> Value {
    json!({
        "logicalId": resource.logical_id,
        "physicalId": output::text(&resource.physical_id),
        "type": resource.resource_type,
        "status": resource.status,
    })
}

/// The deployment part of a page.
pub(crate) fn state_card(card: &mut Card, state: Option<&wire::DeploymentState>) {
    let Some(state) = state else { return };
    card.status("status", &state.status);
    card.fact("message", &state.status_message);
    card.fact("account", &state.account_id);
    card.fact("region", &state.region);
    card.fact("stack", &state.stack_name);
    card.fact("last deployment", &state.last_attempted_deployment_id);
    card.time("attempted", at(state.last_attempted_at.as_ref()));
    card.time("succeeded", at(state.last_succeeded_at.as_ref()));
}

/// What stands below everything else on a page: outputs, warnings, ways out.
pub(crate) fn state_sections(card: &mut Card, state: Option<&wire::DeploymentState>, warnings: &[String]) {
    if let Some(state) = state {
        card.section(
            "Outputs",
            state
                .outputs
                .iter()
                .map(|one| vec![one.key.clone(), one.value.clone()])
                .collect(),
        );
    }
    card.block("Warnings", &warnings.join("\n"));
    card.block(
        "Ways out",
        &state.map(|state| state.ways_out.join("\n")).unwrap_or_default(),
    );
}

/// Status and last deployment for a table's row.
pub(crate) fn state_word(state: Option<&wire::DeploymentState>) -> String {
    state.map(|state| state.status.clone()).unwrap_or_default()
}

/// One output of one target.
pub(crate) struct OutputLine {
    target: String,
    key: String,
    value: String,
}

impl Show for OutputLine {
    const KIND: &'static str = "Output";
    const HEAD: &'static [&'static str] = &["KEY", "VALUE"];
    const WIDE: &'static [&'static str] = &["TARGET"];

    fn name(&self) -> String {
        self.key.clone()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![self.key.clone(), self.value.clone(), self.target.clone()]
    }
    fn fields(&self) -> Map<String, Value> {
        output::map(json!({ "target": self.target, "key": self.key, "value": self.value }))
    }
    fn card(&self, card: &mut Card) {
        card.title(&self.key);
        card.fact("value", &self.value);
    }
}

/// One resource of one target.
pub(crate) struct ResourceLine {
    target: String,
    resource: wire::StackResource,
}

impl Show for ResourceLine {
    const KIND: &'static str = "Resource";
    const HEAD: &'static [&'static str] = &["LOGICAL ID", "TYPE", "STATUS"];
    const WIDE: &'static [&'static str] = &["PHYSICAL ID", "TARGET"];

    fn name(&self) -> String {
        self.resource.logical_id.clone()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        let wire::StackResource {
            logical_id,
            physical_id,
            resource_type,
            status,
        } = self.resource.clone();
        vec![
            logical_id,
            resource_type,
            status,
            physical_id,
            self.target.clone(),
        ]
    }
    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("target".to_owned(), self.target.as_str().into());
        fields.extend(output::map(resource_json(&self.resource)));
        fields
    }
    fn card(&self, card: &mut Card) {
        card.title(&self.resource.logical_id);
        card.status("status", &self.resource.status);
    }
}

/// What `outputs` prints: all outputs of some targets, or only the value of one.
pub(crate) fn print_outputs(
    cx: &Context,
    targets: &[(String, Option<&wire::DeploymentState>)],
    key: Option<&str>,
) -> Result<()> {
    let mut lines = Vec::new();
    for (target, state) in targets {
        for wire::Output { key, value } in state.map(|state| state.outputs.as_slice()).unwrap_or_default() {
            lines.push(OutputLine {
                target: target.clone(),
                key: key.clone(),
                value: value.clone(),
            });
        }
    }
    let Some(key) = key else {
        return cx.list(&lines, "There are no outputs.");
    };
    let known: Vec<String> = lines.iter().map(|line| line.key.clone()).collect();
    lines.retain(|line| line.key == key);
    match lines.as_slice() {
        [] => {
            let close = crate::suggest::closest(key, known.iter().map(String::as_str));
            let failure = Failure::new(Exit::NotFound, format!("there is no output '{key}'"));
            Err(match close {
                Some(close) => failure.why(format!("did you mean '{close}'?")),
                None if known.is_empty() => failure.why("there are no outputs at all"),
                None => failure.why(format!("there are: {}", known.join(", "))),
            })
        }
        // The bare value, for $(...) in scripts.
        [line] if cx.out.format.is_table() => emit(&format!("{}\n", line.value)),
        [line] => cx.print(line),
        _ => cx.list(&lines, ""),
    }
}

/// What `resources` prints.
pub(crate) fn print_resources(
    cx: &Context,
    targets: &[(String, Option<&wire::DeploymentState>)],
) -> Result<()> {
    let mut lines = Vec::new();
    for (target, state) in targets {
        for resource in state.map(|state| state.resources.as_slice()).unwrap_or_default() {
            lines.push(ResourceLine {
                target: target.clone(),
                resource: resource.clone(),
            });
        }
    }
    cx.list(&lines, "There are no resources.")
}

/// Says what the hub warned about.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        say(format!("warning: {}", output::clean(warning)));
    }
}

/// `key=value` pairs of a flag that may be repeated.
pub(crate) fn pairs(given: &[String]) -> Result<BTreeMap<String, String>> {
    given
        .iter()
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Failure::usage(format!("'{pair}' is not of the form KEY=VALUE"))),
        })
        .collect()
}
