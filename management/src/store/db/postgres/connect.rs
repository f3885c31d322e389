//! Makes connections, with TLS where the way leads over a network.

use std::time::Duration;

use futures::future::poll_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, Notification};

use super::error::translate;
use super::session::Session;
use super::tls::Tls;
use super::{PostgresOptions, bad_address};
use crate::store::error::{CONNECTING, StoreError};

pub(super) struct Connector {
    config: Config,
    tls: Option<Tls>,
    timeout: Duration,
    statement: Duration,
}

impl Connector {
    pub(super) fn new(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        // The parser's error does not repeat the address, which may hold a password.
        let mut config: Config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| bad_address(chain(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(bad_address("it names no host"));
        }
        if config.get_application_name().is_none() {
            config.application_name("hadron-hub");
        }
        config.connect_timeout(options.connect);
        // Half a minute of silence from a vanished server, not the kernel's two hours.
        config
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        config.tcp_user_timeout(options.statement);
        let asked = config.get_ssl_mode() == SslMode::Require;
        let near = config.get_hosts().iter().all(is_near)
            && config.get_hostaddrs().iter().all(|addr| addr.is_loopback());
        let tls = if asked || !(near || options.allow_plaintext) {
            config.ssl_mode(SslMode::Require);
            Some(Tls::new(options.ca_file.as_deref()).map_err(bad_address)?)
        } else {
            config.ssl_mode(SslMode::Disable);
            None
        };
        Ok(Self {
            config,
            tls,
            timeout: options.connect,
            statement: options.statement,
        })
    }

    /// A connection for transactions.
    pub(super) async fn session(&self) -> Result<Session, StoreError> {
        let (client, _) = self.connect().await?;
        // Acknowledged means on disk, whatever the server's default is; a stronger setting is left alone. A statement is
        // planned once and not anew for its parameters, as on SQLite: each is written for one index, and planning took as
        // long as half of what PostgreSQL did for a job (management/docs/benchmarks.md).
        let millis = self.statement.as_millis();
        let settings = format!(
            "SELECT set_config('synchronous_commit', 'on', false) \
             WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write'); \
             SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}; \
             SET client_min_messages = warning; SET timezone = 'UTC'; SET standard_conforming_strings = on; \
             SET plan_cache_mode = force_generic_plan"
        );
        client
            .batch_execute(&settings)
            .await
            .map_err(|error| translate("open", error))?;
        Ok(Session::new(client))
    }

    /// A bare connection and what the server tells unasked.
    pub(super) async fn connect(
        &self,
    ) -> Result<(Client, mpsc::UnboundedReceiver<Notification>), StoreError> {
        let connect = async {
            match &self.tls {
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    Ok((client, drive(connection)))
                }
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    Ok((client, drive(connection)))
                }
            }
        };
        match tokio::time::timeout(self.timeout.saturating_mul(2), connect).await {
            Ok(outcome) => outcome.map_err(|error: tokio_postgres::Error| {
                // Whatever went wrong before there was a connection, nothing was done and it may be tried again.
                StoreError::unavailable(CONNECTING, error)
            }),
            Err(late) => Err(StoreError::unavailable(CONNECTING, late)),
        }
    }
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|addr: std::net::IpAddr| addr.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// Runs the connection until it ends. The number of unread notifications is bounded by the listener, who reads them all.
fn drive<S, T>(mut connection: Connection<S, T>) -> mpsc::UnboundedReceiver<Notification>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (heard, notifications) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            match message {
                // A connection for transactions has nobody who listens.
                Ok(AsyncMessage::Notification(notification)) => drop(heard.send(notification)),
                Ok(AsyncMessage::Notice(notice)) => tracing::debug!(%notice, "PostgreSQL says"),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        "connection to PostgreSQL lost"
                    );
                    return;
                }
            }
        }
    });
    notifications
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |source| format!("{error}: {}", chain(source)),
    )
}
