//! Runs a target over the files named, as the fuzzer would:
//! `cargo run -p wirespan-fuzz --example once -- http FIND…`.

use std::process::ExitCode;
use std::{env, fs, panic};

use wirespan_fuzz::memory;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(target) = wirespan_fuzz::target(&name) else {
        eprintln!("{name:?} is no target");
        return ExitCode::FAILURE;
    };
    let mut code = ExitCode::SUCCESS;
    for path in arguments {
        let input = match fs::read(&path) {
            Ok(input) => input,
            Err(error) => {
                eprintln!("{path}: {error}");
                return ExitCode::FAILURE;
            }
        };
        if panic::catch_unwind(|| memory::bounded(target, &input)).is_ok() {
            println!("{path}: holds");
        } else {
            println!("{path}: breaks");
            code = ExitCode::FAILURE;
        }
    }
    code
}
