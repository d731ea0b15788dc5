//! Compiles the `.proto` files, without `protoc`.

use std::error::Error;

const FILES: [&str; 2] = [
    "proto/wirespan/recording/v1/recording.proto",
    "proto/wirespan/state/v1/state.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new()
        .bytes(["."])
        .compile_fds(descriptors)?;
    Ok(())
}
