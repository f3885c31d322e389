//! Sends all numbers to a receiver of OTLP, where the standard variables name one: the same ones as `/metrics`. A receiver that
//! is away, or never answers, costs nothing but what it did not get.

use std::time::Duration;

use anyhow::Context as _;
use hadron_proto::trace::{self, Signal};
use hadron_proto::vocab::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio_util::sync::CancellationToken;
use tonic::metadata::{MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

use super::figures::Sources;
use crate::meter::{Family, Figure, Kind, Sample};

/// What it is called there, unless the environment says otherwise.
pub const SERVICE: &str = "hadron-hub";
/// How often numbers are sent, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise.
const EVERY: Duration = Duration::from_secs(60);
/// How long a receiver may take, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// A receiver of numbers.
#[derive(Debug)]
pub(super) struct Receiver {
    channel: Channel,
    headers: MetadataMap,
    every: Duration,
    patience: Duration,
    resource: Resource,
}

fn milliseconds(name: &str, value: Option<String>, otherwise: Duration) -> anyhow::Result<Duration> {
    let Some(value) = value else { return Ok(otherwise) };
    let number: u64 = value
        .trim()
        .parse()
        .with_context(|| format!("{name}={value}: a number of milliseconds is needed"))?;
    Ok(Duration::from_millis(number.max(1)))
}

/// `name=value,name=value`, as the variable has it.
fn headers(text: &str) -> anyhow::Result<MetadataMap> {
    let mut map = MetadataMap::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        // The value may be a secret, and is not shown.
        let parsed = pair.split_once('=').and_then(|(name, value)| {
            let name: MetadataKey<_> = name.trim().to_ascii_lowercase().parse().ok()?;
            let value: MetadataValue<_> = value.trim().parse().ok()?;
            Some((name, value))
        });
        let (name, value) =
            parsed.context("OTEL_EXPORTER_OTLP_HEADERS: pairs of name=value with commas between them")?;
        map.insert(name, value);
    }
    Ok(map)
}

impl Receiver {
    /// The one that the environment names, if it names one.
    ///
    /// # Errors
    /// When what it says cannot be used: the text names the variable.
    pub(super) fn from_environment() -> anyhow::Result<Option<Self>> {
        let Some(address) = trace::receiver(Signal::Metrics).map_err(anyhow::Error::msg)? else {
            return Ok(None);
        };
        let setting = |name| trace::setting(Signal::Metrics, name);
        let secure = address.starts_with("https://");
        let mut endpoint = Endpoint::from_shared(address.clone())
            .with_context(|| format!("OTEL_EXPORTER_OTLP_ENDPOINT={address}"))?;
        if secure {
            endpoint = endpoint
                .tls_config(ClientTlsConfig::new().with_enabled_roots())
                .context("OTEL_EXPORTER_OTLP_ENDPOINT: TLS")?;
        }
        let resource = trace::who(SERVICE, env!("CARGO_PKG_VERSION"));
        Ok(Some(Self {
            channel: endpoint.connect_lazy(),
            headers: headers(&setting("HEADERS").unwrap_or_default())?,
            every: milliseconds(
                "OTEL_METRIC_EXPORT_INTERVAL",
                trace::other("OTEL_METRIC_EXPORT_INTERVAL"),
                EVERY,
            )?,
            patience: milliseconds("OTEL_EXPORTER_OTLP_TIMEOUT", setting("TIMEOUT"), PATIENCE)?,
            resource: Resource {
                attributes: resource
                    .iter()
                    .map(|(name, value)| attribute(name, value))
                    .collect(),
                ..Resource::default()
            },
        }))
    }

    /// Sends them from now on until `end`.
    pub(super) async fn keep_sending(self, sources: Sources, end: CancellationToken) {
        let began = sources.app.clock().now();
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut said = false;
        while end.run_until_cancelled(ticks.tick()).await.is_some() {
            let families = sources.families().await;
            let now = sources.app.clock().now();
            let sent = end.run_until_cancelled(self.send(families, began, now)).await;
            let Some(sent) = sent else { return };
            // Said once for each time that the receiver is away.
            match sent {
                Ok(()) => said = false,
                Err(why) if !said => {
                    said = true;
                    tracing::warn!(
                        why,
                        "Metrics could not be sent to the receiver of OTLP, which is tried again"
                    );
                }
                Err(_) => {}
            }
        }
    }

    async fn send(&self, families: Vec<Family>, began: Timestamp, now: Timestamp) -> Result<(), String> {
        let metrics = families
            .into_iter()
            .filter(|family| !family.samples.is_empty())
            .map(|family| metric(family, began, now));
        let message = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: SERVICE.to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: metrics.collect(),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        let mut client = MetricsServiceClient::new(self.channel.clone());
        match tokio::time::timeout(self.patience, client.export(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(format!("{}: {}", status.code(), status.message())),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros())
        .unwrap_or_default()
        .saturating_mul(1_000)
}

fn metric(family: Family, began: Timestamp, now: Timestamp) -> Metric {
    let (began, now) = (nanos(began), nanos(now));
    let attributes = |sample: &Sample| {
        let labels = sample.labels.iter();
        labels
            .map(|(name, value)| attribute(name, value))
            .collect::<Vec<_>>()
    };
    let numbers = |samples: &[Sample]| {
        let points = samples.iter().filter_map(|sample| match &sample.figure {
            Figure::Number(value) => Some(NumberDataPoint {
                attributes: attributes(sample),
                start_time_unix_nano: began,
                time_unix_nano: now,
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..NumberDataPoint::default()
            }),
            Figure::Distribution(_) => None,
        });
        points.collect::<Vec<_>>()
    };
    // What stands in the database is older than this process, but grows with it.
    let temporality = AggregationTemporality::Cumulative.into();
    let data = match family.kind {
        Kind::Gauge => Data::Gauge(Gauge {
            data_points: numbers(&family.samples),
        }),
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers(&family.samples),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Kind::Histogram => {
            let points = family.samples.iter().filter_map(|sample| match &sample.figure {
                Figure::Distribution(of) => Some(HistogramDataPoint {
                    attributes: attributes(sample),
                    start_time_unix_nano: began,
                    time_unix_nano: now,
                    count: of.counts.iter().sum(),
                    sum: Some(of.seconds()),
                    bucket_counts: of.counts.clone(),
                    explicit_bounds: of.limits.clone(),
                    ..HistogramDataPoint::default()
                }),
                Figure::Number(_) => None,
            });
            Data::Histogram(Histogram {
                data_points: points.collect(),
                aggregation_temporality: temporality,
            })
        }
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: if family.name.ends_with("_seconds") {
            "s"
        } else {
            ""
        }
        .to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_and_what_is_wrong_is_not_shown() {
        let map = headers("Authorization=Basic abc=,x-tenant = one ,").unwrap();
        assert_eq!(map.get("authorization").unwrap(), "Basic abc=");
        assert_eq!(map.get("x-tenant").unwrap(), "one");
        let error = format!("{:#}", headers("secret-without-name").unwrap_err());
        assert!(
            error.contains("name=value") && !error.contains("secret"),
            "{error}"
        );
    }

    #[test]
    fn a_time_is_a_number_of_milliseconds() {
        let of = |value: &str| milliseconds("OTEL_X", Some(value.to_owned()), EVERY);
        assert_eq!(of(" 250 ").unwrap(), Duration::from_millis(250));
        assert_eq!(milliseconds("OTEL_X", None, EVERY).unwrap(), EVERY);
        assert!(format!("{:#}", of("1s").unwrap_err()).contains("OTEL_X=1s"));
    }
}
