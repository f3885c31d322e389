//! Names that would lead the hub or an agent somewhere else: AT-77 to AT-81.

use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_s3::primitives::ByteStream;
use hadron_proto::wire;
use tonic::Code;

use super::{Case, Ground, documents, hub_with};
use crate::process::free_port;
use crate::{DEV, MANAGEMENT, REGION, aws, wait};

const TEMPLATE: &str = "fetched";

/// Names an object of S3 as a bundle; what becomes of it: the refusal, or the status of the version with its message.
async fn fetch(ground: &mut Ground, bucket: &str, key: &str) -> Result<Result<String, tonic::Status>> {
    if ground
        .kept
        .insert("template fetched".to_owned(), String::new())
        .is_none()
    {
        ground.admin.template(TEMPLATE).await?;
    }
    let request = wire::CreateTemplateVersionRequest {
        source: Some(wire::S3Object {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        }),
        ..super::new_version(TEMPLATE, Vec::new())
    };
    let made = match ground
        .admin
        .templates()
        .create_template_version(ground.admin.request(request))
        .await
    {
        Ok(made) => made.into_inner(),
        Err(refused) => return Ok(Err(refused)),
    };
    let admin = &ground.admin;
    let ended = wait::until("a registration to end", Duration::from_secs(60), || async {
        let request = admin.request(wire::GetTemplateVersionRequest {
            kind: wire::TemplateKind::Environment.into(),
            template_name: TEMPLATE.to_owned(),
            version: made.version.clone(),
        });
        let version = admin
            .templates()
            .get_template_version(request)
            .await?
            .into_inner();
        Ok(Some(version).filter(|version| version.status != "REGISTRATION_IN_PROGRESS"))
    })
    .await?;
    Ok(Ok(format!("{}: {}", ended.status, ended.status_message)))
}

/// Refused at once, or by the agent that was to fetch it.
async fn refused(ground: &mut Ground, case: &mut Case, bucket: &str, key: &str) -> Result<()> {
    let what = format!("bucket {bucket:?}, key {key:?}");
    match fetch(ground, bucket, key).await? {
        Err(refused) => case.input(what, refused.code() == Code::InvalidArgument, refused),
        Ok(found) => case.input(what, found.starts_with("REGISTRATION_FAILED: "), found),
    }
    Ok(())
}

/// AT-77
pub(super) async fn buckets(ground: &mut Ground, case: &mut Case) -> Result<()> {
    // Whoever is called at this address would be asked for an object.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a listener")?;
    listener.set_nonblocking(true).context("a listener")?;
    let here = listener.local_addr().context("a listener")?.to_string();
    let names = [
        "169.254.169.254",
        "bucket/../x",
        "user@host",
        "bucket#x",
        "bucket\nx",
        "bucket?x",
        "http://example.com",
        "*",
        "a",
        "",
        "..",
        "bucket%2f",
    ];
    for bucket in names.into_iter().chain([here.as_str()]) {
        refused(ground, case, bucket, "bundle.tar.gz").await?;
    }
    case.hold(
        "nobody else was called",
        listener.accept().is_err(),
        "somebody connected",
    );
    case.logged("Refused");
    Ok(())
}

/// AT-78
pub(super) async fn keys(ground: &mut Ground, case: &mut Case) -> Result<()> {
    for key in [
        "x?versionId=1",
        "x\r\nX-Evil: 1",
        "../../x",
        "/",
        "x#y",
        "",
        "x\0y",
        "%2e%2e/x",
    ] {
        refused(ground, case, "bundles", key).await?;
    }
    case.logged("e");
    Ok(())
}

/// AT-79
pub(super) async fn other_owner(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let config = aws::root(ground.world.emulator.url(), DEV).await;
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    client
        .create_bucket()
        .bucket("somebody-elses")
        .send()
        .await
        .context("a bucket")?;
    // With a bundle in it that is as it should be.
    let good = documents::bundle(&[
        ("schema/schema.yaml", documents::SCHEMA),
        ("infrastructure/manifest.yaml", documents::MANIFEST),
        (
            "infrastructure/cloudformation.yaml",
            "Resources:\n  A:\n    Type: AWS::SNS::Topic\n",
        ),
    ])?;
    client
        .put_object()
        .bucket("somebody-elses")
        .key("bundle.tar.gz")
        .body(ByteStream::from(good))
        .send()
        .await
        .context("an object")?;
    refused(ground, case, "somebody-elses", "bundle.tar.gz").await?;
    case.logged("RegisterVersion");
    case.silent("the refusal is AWS's; the version's message tells it");
    Ok(())
}

/// AT-81
pub(super) async fn webhooks(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let folder = ground.world.folder().join("webhooks");
    std::fs::create_dir_all(&folder).context("a folder")?;
    let secret = folder.join("secret");
    std::fs::write(&secret, "a secret of the webhook that is long enough, it is said").context("a secret")?;
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .context("a secret")?;
    for (number, url) in [
        "http://events.example.com/",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00:ec2::254]/",
        "https://0.0.0.0/",
        "https://user:secret@events.example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
    ]
    .into_iter()
    .enumerate()
    {
        let data = folder.join(format!("hub-{number}"));
        let text = format!(
            "data_dir = \"{}\"\n[management]\naccount = \"{MANAGEMENT}\"\nregion = \"{REGION}\"\n\
             provisioning_role = \"arn:aws:iam::{MANAGEMENT}:role/p\"\npipeline_role = \"arn:aws:iam::{MANAGEMENT}:role/p\"\n\
             [listen]\nenrol = \"127.0.0.1:{}\"\njobs = \"127.0.0.1:{}\"\napi = \"127.0.0.1:{}\"\nadmin = \"127.0.0.1:{}\"\n\
             [access]\nadministrators = [\"arn:aws:iam::{MANAGEMENT}:role/a\"]\n\
             [events]\nwebhook_url = \"{url}\"\nwebhook_secret_file = \"{}\"\n",
            data.display(),
            free_port()?,
            free_port()?,
            free_port()?,
            free_port()?,
            secret.display()
        );
        let mut hub = hub_with(&data, &text)?;
        let ended = wait::until("the hub to end", Duration::from_secs(20), || {
            let ended = hub
                .ended()
                .map(|ended| ended.or_else(|| data.join("ready.json").exists().then(Default::default)));
            async move { ended }
        })
        .await?;
        let said = hub.printed();
        case.input(
            url,
            ended.code() == Some(64) && said.contains("events.webhook_url"),
            format!("{ended}: {said}"),
        );
    }
    case.silent("a hub with such a configuration does not start, and says why on its standard error");
    Ok(())
}
