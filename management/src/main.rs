//! The hub of Hadron. See the library for what it does.

use std::process::ExitCode;

use clap::Parser as _;
use hadron_management::args::{Cli, Task};
use hadron_management::config::{self, Invalid};
use hadron_management::{admin, limits, render, shutdown, telemetry, wiring};
use hadron_proto::trace::Export;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A worker is nothing but what it renders: no run-time, no log, no configuration.
    if let Task::RenderWorker(allowed) = cli.command {
        return render::work(allowed);
    }
    start(cli)
}

#[tokio::main]
async fn start(cli: Cli) -> ExitCode {
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<Invalid>() {
                ExitCode::from(config::EXIT)
            } else if error.is::<admin::audit::Changed>() {
                ExitCode::from(admin::audit::EXIT)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    hadron_proto::tls::install_provider();
    // Whoever only looks at something is no step of a trace.
    let serves = matches!(cli.command, Task::Serve(_));
    let export = if serves {
        Export::begin(wiring::SERVICE, env!("CARGO_PKG_VERSION")).map_err(anyhow::Error::msg)?
    } else {
        None
    };
    telemetry::start(cli.log_format, &cli.log, export.as_ref()).map_err(anyhow::Error::from_boxed)?;
    let done = perform(cli).await;
    if let Some(export) = export {
        // It waits for a thread that waits for this run-time.
        let _ = tokio::task::spawn_blocking(move || export.end()).await;
    }
    done
}

async fn perform(cli: Cli) -> anyhow::Result<()> {
    hadron_proto::fault::arm_from_environment().map_err(anyhow::Error::msg)?;
    match cli.command {
        Task::Serve(source) => {
            let config = source.load()?;
            limits::raise_files(config.agent_connections);
            wiring::serve(config, shutdown::on_signal()?).await?;
        }
        Task::Migrate(source) => wiring::migrate(&source.load()?).await?,
        Task::CheckConfig(source) => print!("{}", source.load()?),
        Task::Backup(backup) => admin::backup(backup).await?,
        Task::Recover(recover) => admin::recover(recover).await?,
        Task::Audit(task) => admin::audit::run(task).await?,
        Task::Ca(task) => admin::ca::run(task).await?,
        Task::Keys(task) => admin::keys::run(task).await?,
        Task::Admin(task) => admin::run(task).await?,
        // Is on its way before anything is set up.
        Task::RenderWorker(_) => {}
        Task::Version => println!("hadron-hub {}", env!("CARGO_PKG_VERSION")),
    }
    Ok(())
}
