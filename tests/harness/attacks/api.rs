//! Requests that no client sends: AT-83 to AT-90.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hadron_proto::wire;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::client::GrpcService;
use tonic::{Code, Status};

use super::client::{self, Key, Proton, Signing, minted, raw, sign, status};
use super::{Case, Ground};
use crate::World;

const READ: &str = "GetAccountSettings";
/// Within this others are answered whatever somebody does.
const UNNOTICED: Duration = Duration::from_secs(2);

fn key(world: &World, case: &mut Case, name: &str) -> Result<Key> {
    let key = minted(world, name, "administrator")?;
    case.secret(key.secret.clone());
    Ok(key)
}

/// A signed request as the bytes of HTTP/1.1, with `more` as headers before the empty line and without a length.
fn head(world: &World, key: &Key, operation: &str, body: &str, more: &str) -> Result<String> {
    let url = format!("{}/", world.hub.ready().api);
    let headers = sign(&url, key, operation, body, &Signing::default())?;
    let host = client::socket(&url)?;
    let mut text = format!("POST / HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(format!("{text}{more}\r\n"))
}

/// AT-83
pub(super) async fn large_bodies(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let key = key(&ground.world, case, "at-83")?;
    let proton = Proton::new(&ground.world, case.address)?;
    for bytes in [1024 * 1024 + 1, 6 * 1024 * 1024] {
        let body = format!("{{\"x\":\"{}\"}}", "a".repeat(bytes - 8));
        let answer = proton.call(&key, READ, &body).await?;
        case.fault(
            format!("{bytes} bytes"),
            &answer,
            "ValidationException",
            &["larger than the 1048576 bytes"],
        );
    }
    // Chunks without an end: the hub says no after some megabytes, listens for a second more and hangs up.
    let mut stream = client::http1(&ground.world, case.address).await?;
    let text = head(&ground.world, &key, READ, "{}", "Transfer-Encoding: chunked\r\n")?;
    stream.write_all(text.as_bytes()).await.context("the head")?;
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x1_0000));
    let began = Instant::now();
    let mut ended = false;
    while !ended && began.elapsed() < Duration::from_secs(20) {
        let one = tokio::time::timeout(Duration::from_secs(12), stream.write_all(chunk.as_bytes())).await;
        ended = !matches!(one, Ok(Ok(())));
    }
    case.input("chunks without an end", ended, "after 20 s they are still taken");
    // One byte a second would take days.
    let text = head(&ground.world, &key, READ, "{}", "Content-Length: 100000\r\n")?;
    let began = Instant::now();
    let answer = raw(
        &ground.world,
        case.address,
        format!("{text}{{").as_bytes(),
        Duration::from_secs(20),
    )
    .await?;
    let right =
        (status(&answer) == 408 || answer.contains("closed")) && began.elapsed() < Duration::from_secs(15);
    case.input("a body that does not come", right, answer);
    case.logged("ValidationException");
    Ok(())
}

/// Bodies that are no JSON, or more than that: each has to be refused with an error of the model.
async fn bodies(ground: &Ground, case: &mut Case, key: &Key, all: Vec<(&str, Vec<u8>)>) -> Result<()> {
    let proton = Proton::new(&ground.world, case.address)?;
    for (what, body) in all {
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = if text.as_bytes() == body {
            proton.call(key, "GetEnvironment", &text).await?
        } else {
            // No text: cannot be signed as one, and is refused before that.
            let headers = sign(proton.url(), key, "GetEnvironment", "{}", &Signing::default())?;
            proton.send(&headers, body).await?
        };
        let names = [
            "SerializationException",
            "ValidationException",
            "InvalidSignatureException",
        ];
        case.input(
            what,
            answer.status == 400 && names.contains(&answer.error().as_str()),
            format!("{answer:?}"),
        );
    }
    Ok(())
}

/// AT-84
pub(super) async fn deep_json(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let key = key(&ground.world, case, "at-84")?;
    let all = vec![
        (
            "lists",
            format!("{{\"name\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes(),
        ),
        (
            "maps",
            format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)).into_bytes(),
        ),
        ("without an end", "[".repeat(100_000).into_bytes()),
    ];
    bodies(ground, case, &key, all).await?;
    case.logged("Exception");
    Ok(())
}

/// AT-85
pub(super) async fn odd_json(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let key = key(&ground.world, case, "at-85")?;
    let all = vec![
        ("a key twice", br#"{"name":"a","name":"b"}"#.to_vec()),
        ("infinity", br#"{"name":1e999}"#.to_vec()),
        ("a lone surrogate", br#"{"name":"\ud800"}"#.to_vec()),
        (
            "two surrogates the wrong way",
            br#"{"name":"\udc00\ud800"}"#.to_vec(),
        ),
        ("no UTF-8", b"{\"name\":\"\xff\"}".to_vec()),
        ("NUL", b"{\"name\":\"a\\u0000\"}".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a text", b"\"x\"".to_vec()),
        ("something behind it", br#"{"name":"a"}{"name":"b"}"#.to_vec()),
        ("a comment", br#"{"name":"a"/**/}"#.to_vec()),
        ("a number for a name", br#"{"name":7}"#.to_vec()),
        ("nothing for a name", br#"{"name":null}"#.to_vec()),
        (
            "a byte order mark",
            "\u{feff}{\"name\":\"a\"}".as_bytes().to_vec(),
        ),
    ];
    bodies(ground, case, &key, all).await?;
    case.logged("Exception");
    Ok(())
}

/// AT-86
pub(super) async fn odd_requests(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let key = key(&ground.world, case, "at-86")?;
    let world = &ground.world;
    let proton = Proton::new(world, case.address)?;
    for target in [
        "AwsProton20200720.Nothing",
        "AwsProton20200720.",
        "Proton.GetEnvironment",
        "",
        "DynamoDB_20120810.ListTables",
        "AwsProton20200720.GetEnvironment\u{e9}",
    ] {
        let mut headers = sign(proton.url(), &key, READ, "{}", &Signing::default())?;
        headers.retain(|(name, _)| name != "x-amz-target");
        headers.push(("x-amz-target".to_owned(), target.to_owned()));
        let answer = proton.send(&headers, "{}").await?;
        case.fault(
            format!("target '{target}'"),
            &answer,
            "UnknownOperationException",
            &[],
        );
    }
    let right = head(world, &key, READ, "{}", "Content-Length: 2\r\n")?;
    let good = raw(
        world,
        case.address,
        format!("{right}{{}}").as_bytes(),
        client::PATIENCE,
    )
    .await?;
    case.hold("as it should be", status(&good) == 200, good);
    let host = client::socket(&world.hub.ready().api)?;
    let second = format!("Host: {host}\r\nHost: evil.example\r\n");
    let line = |from: &str, to: &str| format!("{}{{}}", right.replacen(from, to, 1));
    for (what, bytes) in [
        ("two hosts", line(&format!("Host: {host}\r\n"), &second)),
        (
            "two targets",
            line(
                "x-amz-target:",
                "x-amz-target: AwsProton20200720.DeleteService\r\nx-amz-target:",
            ),
        ),
        (
            "a line break in a header",
            line("x-amz-target: ", "x-amz-target: x\rX-Evil: 1"),
        ),
        (
            "a header without a colon",
            line("x-amz-target: ", "evil\r\nx-amz-target: "),
        ),
        (
            "a folded header",
            line("x-amz-target: ", "X-Folded: a\r\n b\r\nx-amz-target: "),
        ),
        (
            "a space before the colon",
            line("x-amz-target: ", "x-amz-target : x\r\nx-amz-target: "),
        ),
        (
            "length and chunks",
            line(
                "Content-Length: 2\r\n",
                "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
            )
            .replace("{}", "0\r\n\r\nPOST /evil HTTP/1.1\r\nHost: x\r\n\r\n"),
        ),
        (
            "two lengths",
            line(
                "Content-Length: 2\r\n",
                "Content-Length: 2\r\nContent-Length: 3\r\n",
            ),
        ),
        (
            "a length with a sign",
            line("Content-Length: 2\r\n", "Content-Length: +2\r\n"),
        ),
        (
            "chunked by another name",
            line("Content-Length: 2\r\n", "Transfer-Encoding: xchunked\r\n"),
        ),
        (
            "chunked twice",
            line("Content-Length: 2\r\n", "Transfer-Encoding: chunked, chunked\r\n"),
        ),
        (
            "a megabyte and more of header",
            line(
                "x-amz-target: ",
                &format!("X-Large: {}\r\nx-amz-target: ", "a".repeat(1_500_000)),
            ),
        ),
        (
            "a proxy's request",
            line("POST / HTTP/1.1", "POST http://169.254.169.254/latest HTTP/1.1"),
        ),
        ("another method", line("POST / ", "CONNECT 169.254.169.254:80 ")),
        ("no HTTP", "\0\0\0\0".repeat(100)),
    ] {
        let answer = raw(world, case.address, bytes.as_bytes(), Duration::from_secs(12)).await?;
        // What the signature does not cover is of no use to anybody; what two readers read differently must not get here.
        // A path that there is not is told in gRPC's words.
        let refused = (400..600).contains(&status(&answer))
            || answer.contains("closed")
            || answer.contains("grpc-status: 12");
        let once = answer.matches("HTTP/1.1 ").count() <= 1;
        case.input(what, refused && once, answer);
    }
    case.logged("UnknownOperationException");
    Ok(())
}

/// AT-87
pub(super) async fn slow_loris(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let mut open = Vec::new();
    for _ in 0..500 {
        let mut stream = client::http1(&ground.world, case.address).await?;
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: hub\r\nX-Slow: ")
            .await
            .context("half a head")?;
        open.push(stream);
    }
    case.inputs += 500;
    let began = Instant::now();
    ground.normal().await?;
    case.hold(
        "others are answered",
        began.elapsed() < UNNOTICED,
        format!("{:?}", began.elapsed()),
    );
    // A byte now and then does not keep a connection.
    let mut last = open.pop().context("a connection")?;
    let began = Instant::now();
    let mut some = [0; 512];
    let mut ended = false;
    while began.elapsed() < Duration::from_secs(40) && !ended {
        match tokio::time::timeout(Duration::from_secs(3), last.read(&mut some)).await {
            Ok(Ok(0) | Err(_)) => ended = true,
            Ok(Ok(_)) => {}
            Err(_) => ended = last.write_all(b"x").await.is_err(),
        }
    }
    case.hold(
        "the hub hangs up",
        ended,
        "after 40 s the connection is still open",
    );
    let mut left = 0;
    for stream in &mut open {
        let one = tokio::time::timeout(Duration::from_millis(100), async {
            loop {
                match stream.read(&mut some).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        });
        left += u32::from(one.await.is_err());
    }
    case.hold("on all of them", left == 0, format!("{left} are still open"));
    case.silent("whoever sends no request is not told of: there may be thousands of them");
    Ok(())
}

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `:method POST`, `:scheme https`, `:path /`, and an authority.
const HEADERS: &[u8] = b"\x83\x87\x84\x41\x03hub";

/// What came of many frames.
#[derive(Debug, Default)]
struct Http2 {
    refused: u32,
    goaway: Option<u32>,
    closed: bool,
}

/// Sends frames for as long as the hub takes them, and reads what it says.
async fn http2(ground: &Ground, case: &Case, frames: impl Iterator<Item = Vec<u8>>) -> Result<Http2> {
    let ready = ground.world.hub.ready();
    let stream = client::shake(client::trusting(ready, &[b"h2"])?, &ready.api, case.address).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    let reading = tokio::spawn(async move {
        let mut seen = Http2::default();
        let mut head = [0; 9];
        loop {
            if from.read_exact(&mut head).await.is_err() {
                seen.closed = true;
                return seen;
            }
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; length];
            if from.read_exact(&mut payload).await.is_err() {
                seen.closed = true;
                return seen;
            }
            match head[3] {
                3 => seen.refused += 1,
                7 => {
                    seen.goaway = payload
                        .get(4..8)
                        .and_then(|code| code.try_into().ok())
                        .map(u32::from_be_bytes);
                    return seen;
                }
                _ => {}
            }
        }
    });
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    to.write_all(&bytes).await.context("the preface")?;
    let sending = async {
        let mut part = Vec::new();
        for frame in frames {
            part.extend(frame);
            if part.len() > 16 * 1024 {
                if to.write_all(&part).await.is_err() {
                    return;
                }
                part.clear();
            }
        }
        let _ = to.write_all(&part).await;
        let _ = to.flush().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    let _ = tokio::time::timeout(Duration::from_secs(15), sending).await;
    let _ = to.shutdown().await;
    let seen = tokio::time::timeout(Duration::from_secs(10), reading).await;
    seen.context("the hub says nothing, and does not hang up")?
        .context("reading")
}

/// AT-88
pub(super) async fn http2_floods(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let began = Instant::now();
    let reset = (0..10_000_u32).flat_map(|n| {
        let id = 2 * n + 1;
        [frame(1, 0x4, id, HEADERS), frame(3, 0, id, &8_u32.to_be_bytes())]
    });
    let seen = http2(ground, case, reset).await?;
    case.input(
        "10,000 streams opened and reset",
        seen.goaway.is_some_and(|code| code != 0) || seen.closed,
        format!("{seen:?}"),
    );
    ground.normal().await?;

    let first = std::iter::once(frame(1, 0, 1, HEADERS));
    // Literal headers without indexing, 1,000 of them in each frame, none the last.
    let more: Vec<u8> = b"\x00\x01a\x01b".repeat(3_000);
    let flood = first.chain((0..2_000).map(move |_| frame(9, 0, 1, &more)));
    let seen = http2(ground, case, flood).await?;
    case.input(
        "CONTINUATION without an end",
        seen.goaway.is_some() || seen.closed,
        format!("{seen:?}"),
    );
    ground.normal().await?;

    let open = (0..10_000_u32).map(|n| frame(1, 0x4, 2 * n + 1, HEADERS));
    let seen = http2(ground, case, open).await?;
    case.input(
        "10,000 streams at once",
        seen.refused > 0 || seen.goaway.is_some(),
        format!("{seen:?}"),
    );

    let pings = (0..100_000_u32).map(|_| frame(6, 0, 0, &[0; 8]));
    let seen = http2(ground, case, pings).await?;
    case.input(
        "100,000 pings",
        seen.goaway.is_some() || seen.closed,
        format!("{seen:?}"),
    );

    let settings = (0..50_000_u32).map(|_| frame(4, 0, 0, &[]));
    let seen = http2(ground, case, settings).await?;
    case.input(
        "50,000 settings",
        seen.goaway.is_some() || seen.closed,
        format!("{seen:?}"),
    );
    let normal = Instant::now();
    ground.normal().await?;
    case.hold(
        "others are answered",
        normal.elapsed() < UNNOTICED,
        format!("{:?} after {:?}", normal.elapsed(), began.elapsed()),
    );
    case.silent("the HTTP/2 library ends such connections, and logs nothing of it");
    Ok(())
}

/// Bytes as they are, in the place of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes;

impl tonic::codec::Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;
    fn encode(&mut self, item: Vec<u8>, buffer: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), Status> {
        use bytes::BufMut as _;
        buffer.put_slice(&item);
        Ok(())
    }
}

impl tonic::codec::Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;
    fn decode(&mut self, buffer: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use bytes::Buf as _;
        let mut all = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut all);
        Ok(Some(all))
    }
}

impl tonic::codec::Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        *self
    }
    fn decoder(&mut self) -> Self {
        *self
    }
}

/// AT-89
pub(super) async fn grpc_messages(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let admin = ground.admin.clone();
    let large = "x".repeat(5 * 1024 * 1024);
    let mut client = wire::environment_service_client::EnvironmentServiceClient::new(admin.channel.clone())
        .max_encoding_message_size(64 * 1024 * 1024);
    let request = admin.request(wire::CreateEnvironmentRequest {
        name: "large".to_owned(),
        spec: large,
        ..Default::default()
    });
    let answer = client.create_environment(request).await;
    let code = answer.as_ref().err().map(Status::code);
    case.input(
        "5 MiB",
        matches!(code, Some(Code::OutOfRange | Code::ResourceExhausted)),
        format!("{answer:?}"),
    );
    let answer = admin.register("none", vec![0; 9 * 1024 * 1024]).await;
    let code = answer.as_ref().err().map(Status::code);
    case.input(
        "9 MiB where bundles may be 8",
        matches!(code, Some(Code::OutOfRange | Code::ResourceExhausted)),
        format!("{answer:?}"),
    );

    let call = async |bytes: Vec<u8>, encoding: Option<&'static str>| {
        let mut grpc = tonic::client::Grpc::new(admin.channel.clone());
        grpc.ready().await.context("the hub")?;
        let mut request = admin.request(bytes);
        if let Some(encoding) = encoding {
            request
                .metadata_mut()
                .insert("grpc-encoding", encoding.parse().context("a word")?);
        }
        let path = "/hadron.v1.TemplateService/ListTemplates"
            .parse()
            .context("a path")?;
        anyhow::Ok(
            grpc.unary(request, path, Bytes)
                .await
                .map(|answer| answer.into_inner().len()),
        )
    };
    // Groups inside groups of a field that nobody knows, then texts inside texts.
    let mut groups = [0x9b, 0x06].repeat(50_000);
    groups.extend([0x9c, 0x06].repeat(50_000));
    let answer = call(groups, None).await?;
    case.input("groups in groups", answer.is_err(), format!("{answer:?}"));
    let answer = call(vec![0xff; 1_000], None).await?;
    case.input("no message", answer.is_err(), format!("{answer:?}"));
    let answer = call(vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], None).await?;
    case.input("a length beyond the end", answer.is_err(), format!("{answer:?}"));
    for encoding in ["gzip", "zstd", "deflate", "x"] {
        let answer = call(Vec::new(), Some(encoding)).await?;
        // Said to be compressed but is not: the hub takes none that is.
        let right = answer
            .as_ref()
            .map_or_else(|refused| refused.code() != Code::Unknown, |_| true);
        case.input(format!("said to be {encoding}"), right, format!("{answer:?}"));
    }
    // A bomb: forty megabytes of zeros in forty kilobytes, marked as compressed.
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gz, &vec![0; 40 * 1024 * 1024]).context("a bomb")?;
    let bomb = gz.finish().context("a bomb")?;
    let mut framed = vec![1];
    framed.extend(u32::try_from(bomb.len())?.to_be_bytes());
    framed.extend(bomb);
    let message = tonic::codegen::http::Request::post("/hadron.v1.TemplateService/ListTemplates")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", "gzip")
        .header("authorization", format!("Bearer {}", admin.token))
        .body(tonic::body::Body::new(http_body_util::Full::new(
            bytes::Bytes::from(framed),
        )))
        .context("a bomb")?;
    let mut channel = admin.channel.clone();
    std::future::poll_fn(|cx| GrpcService::<tonic::body::Body>::poll_ready(&mut channel, cx))
        .await
        .context("the hub")?;
    let answer = GrpcService::<tonic::body::Body>::call(&mut channel, message)
        .await
        .context("a bomb")?;
    let told = answer
        .headers()
        .get("grpc-status")
        .and_then(|code| code.to_str().ok())
        .unwrap_or("0")
        .to_owned();
    case.input(
        "a compressed bomb",
        told != "0" || !answer.status().is_success(),
        format!("{} {told}", answer.status()),
    );
    case.silent("the gRPC library refuses these before anything of the hub sees them");
    Ok(())
}

/// A change to the value of a header.
type Spoil<'a> = &'a (dyn Fn(&str) -> String + Send + Sync);

/// AT-90
pub(super) async fn signatures(ground: &mut Ground, case: &mut Case) -> Result<()> {
    let world = &ground.world;
    let key = key(world, case, "at-90")?;
    let proton = Proton::new(world, case.address)?;
    let url = proton.url().to_owned();
    const BAD: &[&str] = &[
        "InvalidSignatureException",
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
    ];
    let one_of = |case: &mut Case, what: &str, answer: &client::Answer, names: &[&str]| {
        case.input(
            what,
            answer.status == 400 && names.contains(&answer.error().as_str()),
            format!("{answer:?}"),
        );
    };
    let plain = Signing::default();
    for (what, signing) in [
        (
            "the operation is not signed",
            Signing {
                target: false,
                ..plain.clone()
            },
        ),
        (
            "another service",
            Signing {
                service: "sts".to_owned(),
                ..plain.clone()
            },
        ),
        (
            "another Region",
            Signing {
                region: "eu-west-1".to_owned(),
                ..plain.clone()
            },
        ),
        (
            "six minutes old",
            Signing {
                shift: -360,
                ..plain.clone()
            },
        ),
        (
            "six minutes too new",
            Signing {
                shift: 360,
                ..plain.clone()
            },
        ),
        (
            "a year old",
            Signing {
                shift: -365 * 86_400,
                ..plain.clone()
            },
        ),
    ] {
        let headers = sign(&url, &key, READ, "{}", &signing)?;
        one_of(case, what, &proton.send(&headers, "{}").await?, BAD);
    }
    let headers = sign(&url, &key, READ, "{}", &plain)?;
    one_of(
        case,
        "another body",
        &proton.send(&headers, "{\"a\":1}").await?,
        BAD,
    );
    let change = |name: &str, change: Spoil<'_>| -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(each, value)| {
                let value = if each.eq_ignore_ascii_case(name) {
                    change(value)
                } else {
                    value.clone()
                };
                (each.clone(), value)
            })
            .collect()
    };
    let spoilt: [(&str, Spoil<'_>); 10] = [
        ("another algorithm", &|value| {
            value.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")
        }),
        ("no algorithm", &|value| value.replace("AWS4-HMAC-SHA256", "none")),
        ("an empty key id", &|value| value.replace(&key.id, "")),
        ("SQL for a key id", &|value| value.replace(&key.id, "' OR '1'='1")),
        ("another key id", &|value| {
            value.replace(&key.id, "HUBAAAAAAAAAAAAAAAAA")
        }),
        ("an empty signature", &|value| {
            value.split("Signature=").next().unwrap_or_default().to_owned() + "Signature="
        }),
        ("a signature of zeros", &|value| {
            value.split("Signature=").next().unwrap_or_default().to_owned() + "Signature=" + &"0".repeat(64)
        }),
        ("signed headers without the host", &|value| {
            value.replace("host;", "")
        }),
        ("two signatures", &|value| {
            format!("{value}, Signature={}", "0".repeat(64))
        }),
        ("nothing", &|_| String::new()),
    ];
    for (what, spoil) in spoilt {
        one_of(
            case,
            what,
            &proton.send(&change("authorization", spoil), "{}").await?,
            BAD,
        );
    }
    for (what, hash) in [
        ("an unsigned payload", "UNSIGNED-PAYLOAD"),
        ("a streamed payload", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ] {
        let mut more = headers.clone();
        more.push(("x-amz-content-sha256".to_owned(), hash.to_owned()));
        one_of(case, what, &proton.send(&more, "{}").await?, BAD);
    }
    let mut twice = headers.clone();
    let again = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-amz-date"))
        .cloned();
    twice.extend(again);
    one_of(case, "a date twice", &proton.send(&twice, "{}").await?, BAD);
    let authorization = headers
        .iter()
        .find(|(name, _)| name == "authorization")
        .map(|(_, value)| value.clone());
    let query = format!(
        "{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F20260101%2Fus-east-1%2Fproton%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
        key.id,
        "0".repeat(64)
    );
    let unsigned: Vec<_> = headers
        .iter()
        .filter(|(name, _)| name != "authorization")
        .cloned()
        .collect();
    one_of(
        case,
        "signed in the query",
        &proton.send_to(&query, &unsigned, "{}").await?,
        BAD,
    );
    one_of(
        case,
        "with a query",
        &proton.send_to(&format!("{url}?x=1"), &headers, "{}").await?,
        BAD,
    );
    let mut bearer = unsigned.clone();
    bearer.push((
        "authorization".to_owned(),
        format!("Bearer {}", ground.admin.token),
    ));
    one_of(case, "a token instead", &proton.send(&bearer, "{}").await?, BAD);
    case.secret(
        authorization
            .and_then(|text| text.split("Signature=").nth(1).map(str::to_owned))
            .unwrap_or_default(),
    );
    // A change counts once: the same bytes again.
    let body = json!({"name": "replayed"}).to_string();
    let signed = sign(&url, &key, "CreateEnvironmentTemplate", &body, &plain)?;
    let first = proton.send(&signed, body.clone()).await?;
    case.hold("the first time", first.status == 200, format!("{first:?}"));
    let again = proton.send(&signed, body).await?;
    one_of(case, "a change again", &again, &["ThrottlingException"]);
    case.logged("denied GetAccountSettings");
    Ok(())
}
