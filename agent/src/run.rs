//! `wirespan run`: traces this host until interrupted.

use anyhow::Result;
use wirespan_stitch::engine::{self, Engine};
use wirespan_stitch::event::Event;
use wirespan_stitch::time::Timestamp;

use crate::account::Account;
use crate::live::{self, Sink};
use crate::outputs::Outputs;
use crate::probe::Capture;
use crate::{cli, filters};

/// Traces what was asked for; ends with the account on standard error.
pub fn run(wanted: &cli::Filters, outputs: &cli::Outputs) -> Result<()> {
    let filter = filters::resolve(wanted)?;
    let mut stitching = Stitching {
        engine: Engine::new(engine::Config::default()),
        outputs: Outputs::start(outputs, true)?,
    };
    let capture = live::watch(filter, &mut stitching)?;
    let Stitching {
        mut engine,
        outputs,
    } = stitching;
    engine.finish();
    outputs.give(std::iter::from_fn(|| engine.poll_span()));
    let losses = capture.losses();
    let account = Account {
        engine: engine.account(),
        exported: outputs.finish(),
        source: vec![
            ("lost in the kernel: ring full".to_owned(), losses.ring_full),
            ("lost in the kernel: map full".to_owned(), losses.map_full),
            ("unreadable records".to_owned(), losses.unreadable),
        ],
    };
    eprint!("{account}");
    Ok(())
}

struct Stitching {
    engine: Engine,
    outputs: Outputs,
}

impl Sink for Stitching {
    fn take(&mut self, event: Event) -> Result<()> {
        self.engine.handle_event(event);
        Ok(())
    }

    fn settle(
        &mut self,
        capture: &Capture,
        complete: Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        if let Some(complete) = complete {
            self.engine.handle_timeout(complete);
        }
        while let Some(verdict) = self.engine.poll_verdict() {
            capture.apply(verdict);
        }
        self.outputs
            .give(std::iter::from_fn(|| self.engine.poll_span()));
        Ok(self.engine.poll_timeout().map(|(due, _)| due))
    }
}
