//! What a form has in its body: fields, and files where it has any. Both are bounded before anything is done with them.

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use multer::{Constraints, Multipart, SizeLimit};

use super::visit::Fields;
use crate::app::{AppError, ErrorKind};

/// A spec and a template of 51,200 characters each are the most that a form can have, and each byte may be written as three.
const LARGEST: usize = 512 * 1024;
/// A bundle of 5 MiB, and what is said about it.
const LARGEST_WITH_FILES: u64 = 5 * 1024 * 1024 + 256 * 1024;
/// More parts than any form has.
const MOST: usize = 64;

/// A file that came with a form.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    /// The field that it was chosen in.
    pub(super) field: String,
    /// What it holds.
    pub(super) content: Bytes,
}

fn too_large() -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        "TOO_LARGE",
        "what was sent is larger than this form can be: a bundle may have 5 MiB",
    )
    .help("leave build results and dependencies out of the bundle; or have the hub fetch it from S3: hadron template create NAME s3://BUCKET/KEY")
}

fn broken() -> AppError {
    AppError::new(
        ErrorKind::Invalid,
        "BROKEN_FORM",
        "the form did not arrive as a whole",
    )
    .help("send it again")
}

/// Reads the body of a form.
///
/// # Errors
/// When it is too large, or none.
pub(super) async fn read(parts: &Parts, body: Body) -> Result<(Fields, Vec<Upload>), AppError> {
    let kind = parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if let Ok(boundary) = multer::parse_boundary(kind) {
        return with_files(body, boundary).await;
    }
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(|_| too_large())?.to_bytes();
    Ok((Fields::read(&body), Vec::new()))
}

async fn with_files(body: Body, boundary: String) -> Result<(Fields, Vec<Upload>), AppError> {
    let limit = SizeLimit::new().whole_stream(LARGEST_WITH_FILES);
    let constraints = Constraints::new().size_limit(limit);
    let mut parts = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let (mut fields, mut files) = (Fields::default(), Vec::new());
    let fault = |error: multer::Error| match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => too_large(),
        _ => broken(),
    };
    for _ in 0..=MOST {
        let Some(part) = parts.next_field().await.map_err(fault)? else {
            return Ok((fields, files));
        };
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = part.file_name().is_some();
        let content = part.bytes().await.map_err(fault)?;
        if is_file {
            files.push(Upload { field: name, content });
        } else if content.len() > LARGEST {
            return Err(too_large());
        } else {
            let text = String::from_utf8(content.to_vec()).map_err(|_| broken())?;
            fields.0.push((name, text));
        }
    }
    Err(broken())
}
