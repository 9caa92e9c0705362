//! Signs of life on a terminal for anything that takes longer than a second.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redraws per second are cheap; a spinner that moves ten times a second looks alive.
const TICK: Duration = Duration::from_millis(100);

/// A spinner with a message, on stderr, while this value lives. Draws nothing where stderr is no
/// terminal.
#[derive(Debug)]
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Starts spinning.
    pub fn start(message: impl Into<String>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(
            ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}")
                .expect("the template is constant and valid"),
        );
        bar.set_message(message.into());
        tick(&bar);
        Self(bar)
    }

    /// Replaces the message.
    pub fn say(&self, message: impl Into<String>) {
        self.0.set_message(message.into());
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar on stderr that appears when the first number is known. Draws nothing where stderr is no
/// terminal.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Nothing is drawn yet but a spinner.
    pub fn start() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner:.cyan} {msg} {elapsed:.dim}"));
        bar.set_message("running");
        tick(&bar);
        Self(bar)
    }

    /// Shows how far a stage is. An `all` of 0 stands for not known.
    pub fn set(&self, stage: &str, done: usize, all: usize) {
        // A guest may say how far it is a million times.
        if self.0.is_hidden() {
            return;
        }
        match all {
            0 => {
                self.0
                    .set_style(style("{spinner:.cyan} {msg} {pos} {elapsed:.dim}"));
                self.0.unset_length();
            }
            _ => {
                self.0
                    .set_style(style("{msg:>8} {bar:32.cyan} {pos}/{len} {elapsed:.dim}"));
                self.0.set_length(all as u64);
            }
        }
        self.0.set_message(stage.to_owned());
        self.0.set_position(done as u64);
    }

    /// Prints something between two redraws.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Redraws from a thread of its own, where somebody sees it.
fn tick(bar: &ProgressBar) {
    if stderr().is_terminal() {
        bar.enable_steady_tick(TICK);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is constant and valid")
}
