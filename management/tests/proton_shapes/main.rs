//! The checked-in code of `src/api/proton/{operations,shapes,model}.rs` is what `src/api/proton/model/` says.
//! `HADRON_REGENERATE=1 cargo test -p hadron-management --test proton_shapes` (or `cargo xtask gen`) writes it anew.

mod generator;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The text as `cargo fmt` leaves it.
fn formatted(text: &str, root: &Path) -> String {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root.join("rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is part of the toolchain");
    let mut stdin = rustfmt.stdin.take().expect("stdin was asked for");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = rustfmt.wait_with_output().expect("rustfmt ends");
    writer
        .join()
        .expect("the writer ends")
        .expect("rustfmt reads it all");
    assert!(
        output.status.success(),
        "rustfmt does not take the generated code"
    );
    String::from_utf8(output.stdout).expect("rustfmt writes text")
}

#[test]
fn generated_code_is_current() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = package.join("src/api/proton");
    let model =
        std::fs::read_to_string(folder.join("model/proton-2020-07-20.json")).expect("the model is there");
    let model = serde_json::from_str(&model).expect("the model is JSON");
    for (name, text) in generator::generate(&model) {
        let generated = formatted(&text, &package.join(".."));
        let path = folder.join(name);
        if std::env::var_os("HADRON_REGENERATE").is_some() {
            std::fs::write(&path, &generated).expect("the folder can be written");
        }
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            current == generated,
            "src/api/proton/{name} is out of date: run `cargo xtask gen` and commit the result"
        );
    }
}
