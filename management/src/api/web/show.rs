//! What pages are made of.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use hadron_domain::authority::Action;
use hadron_domain::target::Target;
use hadron_proto::vocab::{Digest, Timestamp};

use super::assets;
use super::visit::Visit;
use crate::app::{AppError, ErrorKind};

/// Text that a template has made, and that no other template escapes again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Html(pub(super) String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl HtmlSafe for Html {}

impl Html {
    /// What a template makes of its values.
    pub(super) fn of(template: &impl Template) -> Result<Self, AppError> {
        template.render().map(Self).map_err(AppError::internal)
    }
}

/// A point in time: in UTC, and in the reader's zone where scripts run.
#[derive(Clone, Copy, Debug)]
pub(super) struct When(pub(super) Timestamp);

impl When {
    /// The same for something that may not have happened.
    pub(super) fn some(at: Option<Timestamp>) -> Option<Self> {
        at.map(Self)
    }

    fn seconds(self) -> String {
        let micros = self.0.as_micros();
        Timestamp::from_micros(micros - micros.rem_euclid(1_000_000)).to_string()
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.seconds();
        let plain = exact.replace('T', " ").replace('Z', " UTC");
        write!(f, "<time datetime=\"{exact}\" title=\"{plain}\">{plain}</time>")
    }
}
impl HtmlSafe for When {}

/// How something stands: never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Well.
    Good,
    /// Not well.
    Bad,
    /// Being worked on.
    Busy,
    /// Somebody has to decide.
    Waiting,
    /// Neither.
    Quiet,
}

/// A word of Proton's for how something stands, with a sign and a colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Badge(pub(super) String);

impl Badge {
    pub(super) fn of(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    pub(super) fn tone(&self) -> Tone {
        let word = self.0.as_str();
        match word {
            "PENDING" | "WANTED" | "WAITING" | "DRAFT" => Tone::Waiting,
            "REJECTED" | "BLOCKED" => Tone::Bad,
            "CONNECTED" | "APPLIED" | "PUBLISHED" | "ACTIVE" | "ONLINE" | "SUCCEEDED" | "DELETE_COMPLETE" => {
                Tone::Good
            }
            _ if word.contains("FAILED") => Tone::Bad,
            _ if word.contains("ROLLBACK") && word.ends_with("COMPLETE") => Tone::Bad,
            _ if word.contains("PROGRESS") || word.ends_with("ING") => Tone::Busy,
            _ if word.ends_with("COMPLETE") || word.ends_with("SUCCEEDED") => Tone::Good,
            _ => Tone::Quiet,
        }
    }

    pub(super) fn class(&self) -> &'static str {
        match self.tone() {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Busy => "busy",
            Tone::Waiting => "waiting",
            Tone::Quiet => "quiet",
        }
    }

    fn sign(&self) -> &'static str {
        match self.tone() {
            Tone::Good => "\u{2713}",
            Tone::Bad => "\u{2715}",
            Tone::Busy => "\u{21bb}",
            Tone::Waiting => "?",
            Tone::Quiet => "\u{2013}",
        }
    }
}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<span class=\"badge {}\"><span aria-hidden=\"true\">{}</span> ",
            self.class(),
            self.sign()
        )?;
        escape(f, &self.0)?;
        f.write_str("</span>")
    }
}
impl HtmlSafe for Badge {}

/// Text that may go on in another line behind each colon and slash, as ARNs do, rather than anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Soft(pub(super) String);

impl fmt::Display for Soft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive([':', '/']) {
            escape(f, part)?;
            if part.ends_with([':', '/']) {
                f.write_str("<wbr>")?;
            }
        }
        Ok(())
    }
}
impl HtmlSafe for Soft {}

fn escape(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '&' => f.write_str("&amp;")?,
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#x27;")?,
            c => fmt::Write::write_char(f, c)?,
        }
    }
    Ok(())
}

/// Where a thing has its page.
pub(super) fn href(target: &Target) -> String {
    match target {
        Target::Environment(name) => format!("/environments/{name}"),
        Target::Instance(service, name) => format!("/services/{service}/instances/{name}"),
        Target::Pipeline(service) => format!("/services/{service}/pipeline"),
        Target::Component(name) => format!("/components/{name}"),
    }
}

/// A link in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// To where.
    pub(super) href: String,
    /// In words.
    pub(super) label: String,
}

impl Link {
    pub(super) fn to(href: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            href: href.into(),
            label: label.into(),
        }
    }
}

/// Something that has to be said above a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// It went well.
    pub(super) good: bool,
    /// What happened.
    pub(super) message: String,
    /// How to go on.
    pub(super) help: String,
}

impl Notice {
    /// What an error tells those who asked.
    pub(super) fn of(error: &AppError) -> Self {
        let help = match (&error.help, error.code()) {
            (Some(help), Some(code)) => format!("{help} ({code})"),
            (Some(help), None) => help.clone(),
            (None, Some(code)) => format!("hadron help {code}"),
            (None, None) => String::new(),
        };
        Self {
            good: false,
            message: error.message.clone(),
            help,
        }
    }

    fn done(message: &str) -> Self {
        Self {
            good: true,
            message: message.to_owned(),
            help: String::new(),
        }
    }
}

/// Lines that are added one after another, and never change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Those that there are.
    pub(super) lines: Html,
    /// The number of the last one.
    pub(super) last: u64,
}

/// What is shown for an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// The headline.
    pub(super) title: String,
    /// A sentence below it.
    pub(super) lead: String,
    /// Where one goes from here.
    pub(super) actions: Vec<Link>,
    /// What stays as it is while somebody looks at it, such as forms.
    pub(super) fixed: Html,
    /// What follows what happens.
    pub(super) live: Option<Html>,
    /// What grows.
    pub(super) log: Option<Log>,
    /// What has to be said above it.
    pub(super) notice: Option<Notice>,
}

impl Shown {
    /// A page with a headline and nothing else yet.
    pub(super) fn titled(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Names what [`live`](Self::live) says, so that a browser that has it is not sent it again.
    pub(super) fn have(&self) -> String {
        let text = self.live.as_ref().map_or("", |live| live.0.as_str());
        Digest::of(text.as_bytes()).hex()[..16].to_owned()
    }
}

struct NavItem {
    href: &'static str,
    label: &'static str,
    here: bool,
}

/// The pages of the navigation, as far as the visitor may see what is on them.
fn navigation(v: &Visit) -> Vec<NavItem> {
    let t = v.t;
    let items = [
        ("/", t.nav_overview, None),
        ("/connections", t.nav_connections, Some(Action::ReadConnection)),
        ("/catalog", t.nav_catalog, Some(Action::ReadTemplate)),
        ("/environments", t.nav_environments, Some(Action::ReadEnvironment)),
        ("/services", t.nav_services, Some(Action::ReadService)),
        ("/components", t.nav_components, Some(Action::ReadComponent)),
        ("/deployments", t.nav_deployments, Some(Action::ReadDeployment)),
        ("/insights", t.nav_insights, Some(Action::ReadDeployment)),
        ("/grants", t.nav_grants, Some(Action::ReadGrant)),
        ("/agents", t.nav_agents, Some(Action::ReadAgent)),
        ("/audit", t.nav_audit, Some(Action::ReadAudit)),
        ("/settings", t.nav_settings, Some(Action::ReadSettings)),
    ];
    items
        .into_iter()
        .filter(|(_, _, action)| action.is_none_or(|action| v.may(action)))
        .map(|(href, label, _)| NavItem {
            href,
            label,
            here: v.path == href || (href != "/" && v.path.starts_with(&format!("{href}/"))),
        })
        .collect()
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    v: &'a Visit,
    shown: &'a Shown,
    nav: Vec<NavItem>,
    notice: Option<Notice>,
    live: String,
    version: &'static str,
    rights: String,
    ends: When,
}

/// A page in its frame.
pub(super) fn framed(v: &Visit, shown: &Shown) -> askama::Result<String> {
    let done = || v.t.done(v.query.get("done")).map(Notice::done);
    let mut query = v.query.clone();
    query.0.retain(|(name, _)| name != "done");
    query.0.push(("have".to_owned(), shown.have()));
    let last = shown.log.as_ref().map_or(0, |log| log.last);
    query.0.push(("seq".to_owned(), last.to_string()));
    let path = if v.path == "/" { "" } else { v.path.as_str() };
    let rights: Vec<String> = v.caller.rights.iter().map(ToString::to_string).collect();
    Frame {
        v,
        shown,
        nav: navigation(v),
        notice: shown.notice.clone().or_else(done),
        live: format!("/live{path}?{}", query.encoded()),
        version: assets::VERSION,
        rights: if rights.is_empty() {
            v.t.no_role.to_owned()
        } else {
            rights.join(", ")
        },
        ends: When(v.ends_at),
    }
    .render()
}

/// That a field of a form, or a part of an address, is wrong.
pub(super) fn wrong(field: &str, why: impl fmt::Display) -> AppError {
    AppError::new(ErrorKind::Invalid, "INVALID_ARGUMENT", format!("{field}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_tones() {
        let tone = |word: &str| Badge::of(word).tone();
        assert_eq!(tone("SUCCEEDED"), Tone::Good);
        assert_eq!(tone("CREATE_COMPLETE"), Tone::Good);
        assert_eq!(tone("UPDATE_ROLLBACK_COMPLETE"), Tone::Bad);
        assert_eq!(tone("DELETE_FAILED"), Tone::Bad);
        assert_eq!(tone("CREATE_IN_PROGRESS"), Tone::Busy);
        assert_eq!(tone("CANCELLING"), Tone::Busy);
        assert_eq!(tone("PENDING"), Tone::Waiting);
        assert_eq!(tone("CANCELLED"), Tone::Quiet);
    }

    #[test]
    fn what_is_not_a_template_escapes_by_itself() {
        let shown = Badge::of("<script>\"'&").to_string();
        assert!(shown.contains("&lt;script&gt;&quot;&#x27;&amp;"), "{shown}");
        let arn = Soft("arn:aws:iam::1:role/a<b>".to_owned()).to_string();
        assert_eq!(
            arn,
            "arn:<wbr>aws:<wbr>iam:<wbr>:<wbr>1:<wbr>role/<wbr>a&lt;b&gt;"
        );
        let at = When("2026-11-30T06:37:30.25Z".parse().unwrap()).to_string();
        assert_eq!(
            at,
            "<time datetime=\"2026-11-30T06:37:30Z\" title=\"2026-11-30 06:37:30 UTC\">2026-11-30 06:37:30 UTC</time>"
        );
    }
}
