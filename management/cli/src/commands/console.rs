//! `hadron console`: asks the hub for a link that signs its first user into the web console, and opens it.

use std::process::{Command, Stdio};

use clap::Args;
use hadron_proto::wire;
use url::form_urlencoded;

use super::Context;
use crate::error::Result;
use crate::output::{emit, say};

/// Flags of `console`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hadron console
  hadron console --print
  hadron open environment prd          the same, on the page of a thing

Asks the hub for a link, as whoever you are to it here (hadron whoami), and opens it in your browser. The link is good once
and for a minute. The session that it opens may do what you may do, and ends after 8 hours, after one hour in which nobody
uses it, or when your login ends, whichever is first.

The hub's certificate comes from its own CA. Unless it stands behind something that has another one, browsers have to be
told to trust that CA: `hadron-hub admin ca-pin` writes its certificate.")]
pub(crate) struct Console {
    /// Print the link instead of opening it
    #[arg(long)]
    print: bool,
}

pub(super) async fn run(args: Console, cx: &Context) -> Result<()> {
    open(cx, "/", args.print).await
}

/// Opens a page of the console, or prints the link that leads there.
pub(super) async fn open(cx: &Context, page: &str, print: bool) -> Result<()> {
    let hub = cx.hub()?;
    let link = hub
        .call(
            "cannot get a link into the console",
            wire::CreateConsoleLinkRequest {},
            async |q| hub.auth().create_console_link(q).await,
        )
        .await?;
    let mut url = format!("{}{}", hub.address().trim_end_matches('/'), link.path);
    if page != "/" {
        let next = form_urlencoded::Serializer::new(String::new())
            .append_pair("next", page)
            .finish();
        url.push_str(&format!("?{next}"));
    }
    if print {
        return emit(&format!("{url}\n"));
    }
    if opened(&url) {
        say("Opened in your browser. The link is good for a minute, and once.");
        return Ok(());
    }
    say("No browser could be started here. Open this within a minute; it is good once:");
    emit(&format!("{url}\n"))
}

/// Hands an address to whatever opens addresses on this machine.
fn opened(url: &str) -> bool {
    let openers: &[&str] = if cfg!(target_os = "macos") {
        &["open"]
    } else {
        &["xdg-open", "wslview"]
    };
    openers.iter().any(|opener| {
        let status = Command::new(opener)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    })
}
