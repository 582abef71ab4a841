//! What a running experiment shows: a bar with what happens now on a terminal, else plain lines.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use em_core::engine::EventKind;
use em_core::experiment::Experiment;
use em_core::report::Report;
use em_summarize::BuiltInAnalyst;
use indicatif::{ProgressBar, ProgressStyle};

use crate::screen;
use crate::view::progress::{self, Now};

/// How often the bar moves although nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// The screen of one run.
#[derive(Debug, Clone)]
pub(super) struct Live {
    bar: Option<ProgressBar>,
    now: Now,
}

impl Live {
    /// For an experiment as it stands when the run begins.
    pub(super) fn new(experiment: &Experiment) -> Self {
        let now = Now::of(experiment);
        let bar = is_terminal().then(|| {
            let bar = match now.planned() {
                Some(planned) => ProgressBar::new(planned),
                None => ProgressBar::no_length(),
            };
            bar.set_style(style(now.planned().is_some()));
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { bar, now }
    }

    /// Shows an event.
    pub(super) fn take(&mut self, event: &EventKind) {
        self.now.take(event);
        if let Some(line) = progress::line(event) {
            self.say(&line);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.now.done());
            bar.set_message(self.now.to_string());
        }
    }

    /// Whether it is time to look who is best: a bar has room for that, lines have not.
    pub(super) fn wants_best(&self, event: &EventKind) -> bool {
        self.bar.is_some() && matches!(event, EventKind::BlockDrawn { .. })
    }

    /// Shows who is best so far.
    pub(super) fn take_best(&mut self, experiment: &Experiment) {
        self.now.take_best(&Report::of(experiment, &BuiltInAnalyst));
        if let Some(bar) = &self.bar {
            bar.set_message(self.now.to_string());
        }
    }

    /// One line that stays.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| screen::say(line)),
            None => screen::say(line),
        }
    }

    /// Leaves the screen to the result.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn is_terminal() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !is_dumb
}

fn style(has_end: bool) -> ProgressStyle {
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let bar = if is_plain {
        "{bar:20}"
    } else {
        "{bar:20.cyan}"
    };
    let template = if has_end {
        format!("{{elapsed}} {bar} {{pos}}/{{len}}, {{eta}} left  {{wide_msg}}")
    } else {
        "{elapsed} {spinner} {pos}  {wide_msg}".to_owned()
    };
    let style = ProgressStyle::with_template(&template).expect("the template is a constant");
    style.progress_chars("=> ")
}
