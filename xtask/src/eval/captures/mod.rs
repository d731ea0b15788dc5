//! `cargo xtask eval captures`: what `wirespan replay` tells of packet captures,
//! against what tshark reads in the same packets.
//!
//! Neither is the truth: every difference is printed, to be looked at.

mod difference;
mod exchange;
mod tshark;
mod wirespan;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use self::difference::Difference;

/// Which captures.
#[derive(Args)]
pub(crate) struct Options {
    /// Capture files, or directories in which all files are taken for captures
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only the figures
    #[arg(long)]
    brief: bool,
}

/// Compares all captures; fails if wirespan crashed or hung on one.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut files = Vec::new();
    for path in &options.paths {
        collect(path, &mut files)?;
    }
    files.sort();
    let mut total = Total::default();
    for file in &files {
        total.add(file, options.brief)?;
    }
    total.print();
    ensure!(total.failures == 0, "wirespan failed");
    Ok(())
}

#[derive(Debug, Default)]
struct Total {
    captures: u64,
    with_http: u64,
    unreadable: u64,
    failures: u64,
    sum: Difference,
}

impl Total {
    fn add(&mut self, file: &Path, brief: bool) -> Result<()> {
        let seen = match wirespan::read(file) {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                self.unreadable += 1;
                return Ok(());
            }
            Err(error) => {
                println!("{}: {error:#}", file.display());
                self.failures += 1;
                return Ok(());
            }
        };
        let read = tshark::read(file)?;
        self.captures += 1;
        self.with_http += u64::from(!read.is_empty());
        let difference = Difference::between(&read, &seen);
        if !brief && !difference.lines.is_empty() {
            println!("{}: {}", file.display(), difference.figures());
            for line in &difference.lines {
                println!("  {line}");
            }
        }
        self.sum.add(&difference);
        Ok(())
    }

    fn print(&self) {
        println!(
            "{} captures, {} with HTTP; {} are none that wirespan reads; {} crashes or hangs",
            self.captures, self.with_http, self.unreadable, self.failures
        );
        println!("{}", self.sum.figures());
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let shown = || path.display().to_string();
    let kind = fs::metadata(path).with_context(shown)?;
    if kind.is_file() {
        files.push(path.to_owned());
    } else if kind.is_dir() {
        for entry in fs::read_dir(path).with_context(shown)? {
            let entry = entry?;
            if !entry.file_type()?.is_symlink() {
                collect(&entry.path(), files)?;
            }
        }
    }
    Ok(())
}
