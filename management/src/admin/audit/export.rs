//! Rows of the audit log, printed for others.

use std::io::{self, Write};

use super::super::told;
use super::open;
use crate::app::App;
use crate::app::trail::{Export, Form};
use crate::args;
use crate::store::audit::Filter;

pub(super) async fn run(task: args::Export) -> anyhow::Result<()> {
    let config = task.source.load()?;
    let (app, _) = open(&config).await?;
    let now = app.db().now().await?;
    let filter = Filter {
        since: task.since.map(|when| when.at(now)),
        until: task.until.map(|when| when.at(now)),
        account: task.account.map(|account| account.to_string()),
        action: task.event_name,
    };
    let written = write(&app, filter, &mut io::stdout().lock()).await;
    app.db().close().await;
    match written {
        // Whoever reads has seen enough.
        Err(error) if is_closed(&error) => Ok(()),
        other => other,
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn write(app: &App, filter: Filter, out: &mut impl Write) -> anyhow::Result<()> {
    let mut export = Export::new(filter, Form::CloudTrail);
    while let Some(text) = app.exported(&mut export).await.map_err(told)? {
        out.write_all(text.as_bytes())?;
    }
    Ok(out.flush()?)
}
