//! The checked-in code of `src/gen` is what `wire/` says. `HADRON_REGENERATE=1 cargo test -p hadron-proto --test generated`
//! (or `cargo xtask gen`) writes it anew.

use std::path::Path;

use prost::Message as _;

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wire = root.join("wire");
    let files = ["agent", "operator", "types"].map(|name| wire.join(format!("hadron/v1/{name}.proto")));
    let descriptors = protox::compile(files, [wire]).expect("the .proto files compile");

    let fresh = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gen");
    std::fs::create_dir_all(&fresh).expect("a folder for generated code");
    std::fs::write(fresh.join("hadron.v1.bin"), descriptors.encode_to_vec())
        .expect("descriptors are written");
    tonic_prost_build::configure()
        .out_dir(&fresh)
        .bytes(".hadron.v1.ContentChunk")
        .bytes(".hadron.v1.PutContentRequest")
        .codec_path("crate::codec::SmallBuffers")
        .compile_fds(descriptors)
        .expect("code is generated");

    let checked_in = root.join("src/gen");
    for name in ["hadron.v1.rs", "hadron.v1.bin"] {
        let generated = std::fs::read(fresh.join(name)).expect("the generator wrote this file");
        if std::env::var_os("HADRON_REGENERATE").is_some() {
            std::fs::write(checked_in.join(name), &generated).expect("src/gen can be written");
        }
        let current = std::fs::read(checked_in.join(name)).unwrap_or_default();
        assert!(
            current == generated,
            "src/gen/{name} is out of date: run `cargo xtask gen` and commit the result"
        );
    }
}
