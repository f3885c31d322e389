//! `hadron doctor`: why nothing works, asked step by step from here to the agents, and what to do about it.
//!
//! Each step needs the one before it; what cannot be asked because an earlier step failed is left out, not guessed.

use std::time::Duration;

use clap::Args;
use hadron_proto::codes::{self, ErrorCode};
use hadron_proto::vocab::Timestamp;
use hadron_proto::wire;
use serde_json::{Map, Value, json};
use tokio::net::{TcpStream, lookup_host};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request};

use super::session::{self, CLIENT};
use super::{Context, agents, at};
use crate::client::{plainly, within};
use crate::error::{Exit, Failure, Result};
use crate::output::{Card, Show, age, clean, emit, map, text};
use crate::settings::{Settings, Trust};

/// Flags of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron doctor
  hadron doctor --hub https://hub.example.com:8443 --hub-ca-pin sha256:...
  hadron doctor -o json | jq -r '.items[] | select(.status == \"failed\") | .next'

Looks at the settings, the hub's name, the way to it, its certificate, the clocks, who you are, the versions, the hub's
database and the agents, in this order, and changes nothing. The exit code is that of the first step that failed: 2 settings, 9 no way to
the hub, 4 not known to it, 1 anything else; warnings do not count.")]
pub(crate) struct Doctor {}

/// How long each step of the network may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A proof of identity that is further off than this is refused by the hub.
const CLOCKS_APART: i64 = 120;

/// From here on it is worth a word: clocks that run off go on doing so.
const CLOCKS_DRIFT: i64 = 30;

/// An agent's certificate lasts an hour and is renewed in the middle; one that ends so soon was not.
const CERTIFICATE_SHORT: i64 = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warning,
    Failed,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One step and what came of it.
#[derive(Debug)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    what: String,
    next: Vec<String>,
    exit: Exit,
    /// The code of the fault, when it has one.
    code: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            what: what.into(),
            next: Vec::new(),
            exit: Exit::Ok,
            code: None,
        }
    }

    fn warning(name: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            next: vec![next.into()],
            ..Self::ok(name, what)
        }
    }

    fn failed(name: &'static str, exit: Exit, what: impl Into<String>, next: &[&str]) -> Self {
        Self {
            verdict: Verdict::Failed,
            next: next.iter().map(|next| (*next).to_owned()).collect(),
            exit,
            ..Self::ok(name, what)
        }
    }

    fn coded(mut self, code: &ErrorCode) -> Self {
        self.code.get_or_insert_with(|| code.to_string());
        self
    }

    fn of(name: &'static str, failure: Failure) -> Self {
        let mut what = failure.what;
        for why in failure.why {
            what = format!("{what}: {why}");
        }
        Self {
            verdict: Verdict::Failed,
            next: failure.next,
            exit: failure.exit,
            code: failure.code,
            ..Self::ok(name, what)
        }
    }
}

impl Show for Check {
    const KIND: &'static str = "Check";
    const HEAD: &'static [&'static str] = &["CHECK", "STATUS", "WHAT"];

    fn name(&self) -> String {
        self.name.to_owned()
    }
    fn row(&self, _: Timestamp) -> Vec<String> {
        vec![
            self.name.to_owned(),
            self.verdict.word().to_owned(),
            self.what.clone(),
        ]
    }
    fn fields(&self) -> Map<String, Value> {
        map(json!({
            "name": self.name,
            "status": self.verdict.word(),
            "what": self.what,
            "next": text(&self.next.join("\n")),
            "code": self.code,
        }))
    }
    fn card(&self, card: &mut Card) {
        card.title(self.name);
        card.status("status", self.verdict.word());
        card.fact("what", &self.what);
    }
}

pub(super) async fn run(_: Doctor, cx: &Context) -> Result<()> {
    let mut checks = Vec::new();
    examine(cx, &mut checks).await;
    if cx.out.format.is_table() {
        emit(&lines(&checks))?;
    } else {
        cx.all(&checks)?;
    }
    let failed: Vec<&Check> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed)
        .collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => {
            let names: Vec<&str> = failed.iter().map(|check| check.name).collect();
            Err(Failure::new(
                first.exit,
                format!("not well: {}", names.join(", ")),
            ))
        }
    }
}

/// For people: a line for each step, and beneath it how to go on.
fn lines(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut all = String::new();
    for check in checks {
        let what = clean(&check.what).replace('\n', " ");
        all.push_str(&format!(
            "{:<7}  {:<width$}  {what}\n",
            check.verdict.word(),
            check.name
        ));
        for next in &check.next {
            all.push_str(&format!("{:7}  {:width$}  next: {}\n", "", "", clean(next)));
        }
        if let Some(code) = &check.code {
            all.push_str(&format!("{:7}  {:width$}  more: hadron help {code}\n", "", ""));
        }
    }
    all
}

async fn examine(cx: &Context, checks: &mut Vec<Check>) {
    let (uri, said) = match settings(&cx.settings) {
        Ok(found) => found,
        Err(check) => return checks.push(check),
    };
    checks.push(said);
    let Some(addresses) = name(&uri, checks).await else {
        return;
    };
    if !reach(&addresses, checks).await {
        return;
    }
    let hub = match cx.hub() {
        Ok(hub) => hub,
        Err(failure) => return checks.push(Check::of("certificate", failure)),
    };
    // Nobody has signed in yet, so that the hub refuses: what counts is that it is the hub that does.
    let asked = tokio::time::timeout(
        PATIENCE,
        within(Box::pin(async {
            hub.auth().who_am_i(Request::new(wire::WhoAmIRequest {})).await
        })),
    );
    let heard = match asked.await {
        Ok(Ok(answer)) => answer.metadata().clone(),
        Ok(Err(status)) => {
            let status = plainly(status);
            if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) {
                let failure = Failure::from_status("there is no trusted answer", &status);
                let mut check = Check::of("certificate", failure);
                check.next = vec![
                    "compare with the hub's own: hadron-hub admin pin, on its machine; then --hub-ca-pin or --hub-ca"
                        .to_owned(),
                ];
                return checks.push(check);
            }
            status.metadata().clone()
        }
        Err(_) => {
            return checks.push(Check::failed(
                "certificate",
                Exit::Unreachable,
                format!("whoever listens there gave no answer within {} s", PATIENCE.as_secs()),
                &["is it the hub's API port (8443)? A proxy or balancer in between must pass TCP or HTTP/2 through"],
            ));
        }
    };
    checks.push(match uri.scheme_str() {
        Some("http") => Check::warning(
            "certificate",
            "plain HTTP: anybody in between can read and change what is said",
            "name the hub with https://, but for a test on this machine",
        ),
        _ => Check::ok("certificate", "the hub is the one that is trusted, over TLS"),
    });
    checks.push(clocks(hub_clock(&heard), cx.out.now));
    let me = match session::me(cx).await {
        Ok(me) => me,
        Err(failure) => return checks.push(Check::of("identity", failure)),
    };
    checks.push(identity(&me));
    checks.push(versions(&me.hub_version));
    if let Some(check) = restored(cx).await {
        checks.push(check);
    }
    match agents::all(cx, None, None).await {
        Ok(all) => checks.extend([reachable(&all, cx.out.now), agent_versions(&all, &me.hub_version)]),
        // Whoever may not see agents has nothing to do about them.
        Err(failure) if failure.exit == Exit::NotAuthorised => {}
        Err(failure) => checks.push(Check::of("agents", failure)),
    }
}

fn settings(settings: &Settings) -> Result<(http::Uri, Check), Check> {
    let uri = settings
        .hub_uri()
        .map_err(|failure| Check::of("settings", failure))?;
    let from = settings.hub.as_ref().map(|hub| hub.origin.to_string());
    let trust = match settings.trust.as_ref().map(|trust| &trust.value) {
        Some(Trust::File(path)) => format!("trusted by {}", path.display()),
        Some(Trust::Pin(_)) => "trusted by a pin".to_owned(),
        None => "nothing says what to trust".to_owned(),
    };
    let what = format!(
        "{uri} ({}), {trust}, profile {}",
        from.unwrap_or_default(),
        settings.profile.value
    );
    Ok((uri, Check::ok("settings", what)))
}

async fn name(uri: &http::Uri, checks: &mut Vec<Check>) -> Option<Vec<std::net::SocketAddr>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let port = uri.port_u16().unwrap_or(usual);
    let found = tokio::time::timeout(PATIENCE, lookup_host((host.as_str(), port))).await;
    let why = match found {
        Ok(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.collect();
            if addresses.is_empty() {
                "it has no address".to_owned()
            } else {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                checks.push(Check::ok("name", format!("{host} is {}", shown.join(", "))));
                return Some(addresses);
            }
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    checks.push(
        Check::failed(
            "name",
            Exit::Unreachable,
            format!("{host} cannot be found: {why}"),
            &[
                "look for a slip in the name: hadron config view",
                "a private name needs the network's resolver: a VPN, or a zone that this network asks",
            ],
        )
        .coded(&codes::HUB_UNREACHABLE),
    );
    None
}

async fn reach(addresses: &[std::net::SocketAddr], checks: &mut Vec<Check>) -> bool {
    let mut refused = Vec::new();
    for address in addresses {
        match tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                checks.push(Check::ok("way", format!("{address} takes connections")));
                return true;
            }
            Ok(Err(error)) => refused.push(format!("{address}: {error}")),
            Err(_) => refused.push(format!("{address}: no answer within {} s", PATIENCE.as_secs())),
        }
    }
    let silent = refused.iter().any(|one| one.contains("no answer"));
    let next = if silent {
        "a firewall drops it: security groups and routes must let this machine reach that port"
    } else {
        "nobody listens there: is the hub running, and is the port that of its API listener (listen.api, 8443)?"
    };
    checks.push(
        Check::failed("way", Exit::Unreachable, refused.join("; "), &[next]).coded(&codes::HUB_UNREACHABLE),
    );
    false
}

/// The time in the `date` of an answer (RFC 9110, 5.6.7), to a second.
fn hub_clock(answer: &MetadataMap) -> Option<i64> {
    let date = answer.get("date")?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date);
    at.ok().map(jiff::Timestamp::as_second)
}

fn seconds(at: Timestamp) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}

fn clocks(hub: Option<i64>, here: Timestamp) -> Check {
    const NAME: &str = "clocks";
    let Some(hub) = hub else {
        return Check::ok(
            NAME,
            "not compared: something in between takes the time out of answers",
        );
    };
    let ahead = seconds(here) - hub;
    let what = match ahead {
        -1..=1 => return Check::ok(NAME, "the hub's and this machine's agree"),
        2.. => format!("this machine's is {ahead} s ahead of the hub's"),
        _ => format!("this machine's is {} s behind the hub's", -ahead),
    };
    let next = "set both by NTP: timedatectl, or chronyc tracking";
    match ahead.abs() {
        apart if apart >= CLOCKS_APART => Check::failed(
            NAME,
            Exit::Failure,
            format!("{what}; proofs of identity are refused from {CLOCKS_APART} s on"),
            &[next],
        )
        .coded(&codes::CLOCK_SKEW),
        apart if apart >= CLOCKS_DRIFT => Check::warning(NAME, what, next).coded(&codes::CLOCK_SKEW),
        _ => Check::ok(NAME, what),
    }
}

fn identity(me: &wire::WhoAmIResponse) -> Check {
    const NAME: &str = "identity";
    let rights = if me.rights.is_empty() {
        me.role.clone()
    } else {
        me.rights.join(", ")
    };
    if rights.is_empty() || rights == "none" {
        return Check::warning(
            NAME,
            format!("{}, who may do nothing", me.principal),
            format!(
                "have an administrator grant a part: hadron access grant '{}' --role developer",
                me.principal
            ),
        )
        .coded(&codes::NOT_ALLOWED);
    }
    Check::ok(NAME, format!("{} ({rights})", me.principal))
}

fn versions(hub: &str) -> Check {
    let what = format!("this program {CLIENT}, the hub {hub}");
    if session::apart(CLIENT, hub) {
        Check::warning(
            "versions",
            format!("{what}: more than one minor version apart is not tested"),
            "install the hub's version here",
        )
        .coded(&codes::VERSION_MISMATCH)
    } else {
        Check::ok("versions", what)
    }
}

/// That the hub's database was restored and not everything was compared yet. Whoever may not see that has nothing to do
/// about it, and most hubs never were.
async fn restored(cx: &Context) -> Option<Check> {
    const NAME: &str = "database";
    let hub = cx.hub().ok()?;
    let asked = hub
        .call("cannot ask", wire::GetSummaryRequest {}, async |q| {
            hub.summary().get_summary(q).await
        })
        .await;
    let recovery = asked.ok()?.recovery?;
    let (what, next) = match recovery.state() {
        wire::recovery::State::Unannounced => (
            "it looks older than what the hub has done; agents are given no work".to_owned(),
            "if it was restored, say so on the hub's machine: hadron-hub recover",
        ),
        wire::recovery::State::Comparing => (
            format!(
                "it was restored: {} of {} stacks are compared with CloudFormation",
                recovery.compared, recovery.stacks
            ),
            "have the agents run that it waits for: hadron summary",
        ),
        wire::recovery::State::Done | wire::recovery::State::Unspecified => return None,
    };
    Some(Check::warning(NAME, what, next).coded(&codes::RESTORED))
}

fn agent_versions(all: &[wire::Agent], hub: &str) -> Check {
    const NAME: &str = "agent versions";
    let apart: Vec<String> = all
        .iter()
        .filter(|agent| session::apart(&agent.version, hub))
        .map(|agent| format!("{} in {} is {}", agent.account_id, agent.region, agent.version))
        .collect();
    if apart.is_empty() {
        return Check::ok(
            NAME,
            format!("none is more than one minor version from the hub's {hub}"),
        );
    }
    Check::warning(
        NAME,
        format!("the hub is {hub}: {}", apart.join(", ")),
        "update the hub first, then the agents that are behind",
    )
    .coded(&codes::VERSION_MISMATCH)
}

fn reachable(all: &[wire::Agent], now: Timestamp) -> Check {
    const NAME: &str = "agents";
    if all.is_empty() {
        return Check::warning(
            NAME,
            "none has enrolled: nothing can be deployed",
            "see which connections wait or are accepted: hadron connection list",
        );
    }
    let whose = |agent: &wire::Agent| format!("{} in {}", agent.account_id, agent.region);
    let away: Vec<String> = all
        .iter()
        .filter(|agent| !agent.online)
        .map(|agent| {
            format!(
                "{} (seen {} ago)",
                whose(agent),
                age(now, at(agent.last_seen.as_ref()))
            )
        })
        .collect();
    if !away.is_empty() {
        return Check::warning(
            NAME,
            format!("{} of {} are away: {}", away.len(), all.len(), away.join(", ")),
            "on the agent's machine, its log says what it waits for: journalctl -u hadron-agent",
        )
        .coded(&codes::AGENT_AWAY);
    }
    let short: Vec<String> = all
        .iter()
        .filter(|agent| {
            at(agent.certificate_expires_at.as_ref())
                .is_some_and(|ends| seconds(ends) - seconds(now) < CERTIFICATE_SHORT)
        })
        .map(whose)
        .collect();
    if !short.is_empty() {
        return Check::warning(
            NAME,
            format!("certificates that were not renewed in time: {}", short.join(", ")),
            "the agent proves itself anew to renew it: its log says why it cannot (STS, clock, a role made anew)",
        );
    }
    Check::ok(NAME, format!("all {} are connected", all.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_second(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn the_hubs_clock_is_read_from_its_answers() {
        let mut answer = MetadataMap::new();
        assert_eq!(hub_clock(&answer), None);
        answer.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert_eq!(hub_clock(&answer), Some(784_111_777));
        answer.insert("date", "yesterday".parse().unwrap());
        assert_eq!(hub_clock(&answer), None);
    }

    #[test]
    fn clocks_may_be_two_minutes_apart() {
        let verdict = |here| clocks(Some(10_000), at_second(here)).verdict;
        for (here, expected) in [
            (10_000, Verdict::Ok),
            (10_029, Verdict::Ok),
            (9_970, Verdict::Warning),
            (10_119, Verdict::Warning),
            (10_120, Verdict::Failed),
            (9_880, Verdict::Failed),
        ] {
            assert_eq!(verdict(here), expected, "{here}");
        }
        assert!(
            clocks(Some(10_000), at_second(9_800))
                .what
                .contains("200 s behind")
        );
        assert_eq!(clocks(None, at_second(5)).verdict, Verdict::Ok);
    }

    #[test]
    fn agents_that_are_away_or_could_not_renew_are_named() {
        let now = at_second(10_000);
        let stamp = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let agent = |online, seen, ends| wire::Agent {
            account_id: "222222222222".to_owned(),
            region: "eu-west-1".to_owned(),
            online,
            last_seen: stamp(seen),
            certificate_expires_at: stamp(ends),
            ..wire::Agent::default()
        };
        assert_eq!(reachable(&[], now).verdict, Verdict::Warning);
        assert_eq!(reachable(&[agent(true, 9_990, 13_000)], now).verdict, Verdict::Ok);
        let away = reachable(&[agent(true, 9_990, 13_000), agent(false, 9_000, 13_000)], now);
        assert!(
            away.verdict == Verdict::Warning && away.what.contains("222222222222"),
            "{away:?}"
        );
        let short = reachable(&[agent(true, 9_990, 10_100)], now);
        assert!(
            short.verdict == Verdict::Warning && short.what.contains("renewed"),
            "{short:?}"
        );
    }

    #[test]
    fn agents_of_other_versions_are_named() {
        let agent = |version: &str| wire::Agent {
            account_id: "222222222222".to_owned(),
            region: "eu-west-1".to_owned(),
            version: version.to_owned(),
            ..wire::Agent::default()
        };
        let ok = agent_versions(&[agent("0.2.1"), agent("")], "0.3.0");
        assert_eq!((ok.verdict, ok.code), (Verdict::Ok, None));
        let old = agent_versions(&[agent("0.2.1"), agent("0.1.9")], "0.3.0");
        assert!(
            old.verdict == Verdict::Warning && old.what.contains("222222222222 in eu-west-1 is 0.1.9"),
            "{old:?}"
        );
        assert_eq!(old.code.as_deref(), Some("HADRON-1004"));
    }

    #[test]
    fn who_may_do_nothing_is_told_whom_to_ask() {
        let me = |role: &str, rights: &[&str]| wire::WhoAmIResponse {
            principal: "arn:aws:iam::1:user/eve".to_owned(),
            role: role.to_owned(),
            rights: rights.iter().map(|right| (*right).to_owned()).collect(),
            ..wire::WhoAmIResponse::default()
        };
        assert_eq!(identity(&me("administrator", &[])).verdict, Verdict::Ok);
        assert_eq!(
            identity(&me("none", &["developer of service web"])).verdict,
            Verdict::Ok
        );
        let nothing = identity(&me("none", &[]));
        assert!(nothing.verdict == Verdict::Warning && nothing.next[0].contains("hadron access grant"));
    }

    #[test]
    fn people_get_a_line_each_and_how_to_go_on() {
        let checks = [
            Check::ok("settings", "https://hub:8443 (flag)"),
            Check::failed(
                "way",
                Exit::Unreachable,
                "10.0.0.1:8443: refused",
                &["start it", "or not"],
            )
            .coded(&codes::HUB_UNREACHABLE),
        ];
        assert_eq!(
            lines(&checks),
            "ok       settings  https://hub:8443 (flag)\n\
             failed   way       10.0.0.1:8443: refused\n                   next: start it\n                   next: or not\n\
             \x20                  more: hadron help HADRON-1001\n"
        );
    }
}
