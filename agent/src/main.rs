//! The `wirespan` binary: the command line, and what each command is in the
//! library.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use wirespan::cli::{Cli, Command};
use wirespan::{doctor, explain, learnt, record, replay, run};

fn main() -> ExitCode {
    start_log();
    let result = match Cli::parse().command {
        Command::Run {
            filters,
            outputs,
            stitching,
            record,
        } => run::run(&filters, &outputs, &stitching, record.as_deref()),
        Command::Record { file, filters } => record::record(&file, &filters),
        Command::Replay {
            file,
            outputs,
            stitching,
        } => replay::replay(&file, &outputs, &stitching),
        Command::Explain {
            file: Some(file),
            id: Some(id),
            stitching,
            ..
        } => explain::explain(&file, &id, &stitching),
        Command::Explain {
            model, stitching, ..
        } => learnt::show(model.flatten().as_deref(), &stitching),
        Command::Doctor => {
            let report = doctor::examine();
            print!("{report}");
            return report.exit_code().into();
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wirespan: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Warnings and worse to standard error; `WIRESPAN_LOG=debug` asks for more.
fn start_log() {
    env_logger::Builder::from_env(env_logger::Env::new().filter_or("WIRESPAN_LOG", "warn"))
        .format(|out, record| {
            let level = record.level().as_str().to_ascii_lowercase();
            writeln!(out, "wirespan: {level}: {}", record.args())
        })
        .init();
}
