#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let target = hadron_tests::fuzz::find("s3uri").expect("the target is there");
    (target.run)(input);
});
