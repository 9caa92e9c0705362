//! Waits for a job: redraws a table on a terminal, says what is new elsewhere, and lets go on Ctrl-C.

use std::{
    io::{IsTerminal, stderr},
    sync::mpsc::{self, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use opensky_api::{ClientError, JobEvent, JobId, JobSummary, PageQuery, Why};

use super::{
    board::Board,
    explain, hint,
    reach::{self, At, Found, Patience},
};
use crate::{
    Problem, foreign,
    signals::Signals,
    term::{self, Format, NOTE, PLAIN, WARN},
};

/// How often the clock in the table moves.
const TICK: Duration = Duration::from_millis(200);
/// How long between two looks for a node that is away.
const PAUSE: Duration = Duration::from_millis(500);
/// How long nothing happens until it is asked why; it doubles up to the last.
const QUIET: Duration = Duration::from_secs(3);
const QUIETEST: Duration = Duration::from_secs(60);
/// Events that wait to be drawn. The node holds back what does not fit.
const WAITING: usize = 256;

/// How the waiting ended.
pub enum Followed {
    /// The job has ended, like this.
    Ended(Box<JobSummary>),
    /// The person does not wait any longer.
    Left(Left),
}

/// A job that nobody waits for any longer.
pub struct Left {
    /// The job as it was told of last, if it was.
    pub job: Option<Box<JobSummary>>,
    /// Whether its node answers, as far as is known.
    pub node: Presence,
}

/// Whether a node answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// It does.
    There,
    /// Not now.
    Away,
}

/// What comes to whoever waits.
enum News {
    Event(Box<JobEvent>),
    Away,
    Lost(ClientError),
}

/// Whether somebody looks at a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Show {
    /// A table, where stderr is a terminal; else lines.
    Progress,
    /// Nothing: what is printed is for a program.
    Nothing,
}

impl Show {
    /// What goes with a way to report.
    pub fn of(format: Format) -> Self {
        match format {
            Format::Text => Self::Progress,
            Format::Json => Self::Nothing,
        }
    }
}

/// Waits until the job ends, or until a signal. A node that is restarted meanwhile is waited for: clients
/// from before that are of no use afterwards.
pub fn follow(
    node: &Found,
    (job, name): (JobId, &str),
    show: Show,
    signals: &Signals,
) -> Result<Followed, Problem> {
    let (send, news) = mpsc::sync_channel(WAITING);
    let listener = node.clone();
    thread::spawn(move || listen(&listener, job, &send));
    let mut screen = Screen::new(name, show);
    let (tell, reasons) = mpsc::sync_channel(1);
    while !signals.came() {
        if let Ok(why) = reasons.try_recv() {
            screen.explain(&why, node.at());
        }
        if screen.wonders() {
            ask(node, job, &tell);
        }
        match news.recv_timeout(TICK) {
            Ok(News::Event(event)) => {
                let ended = match &*event {
                    JobEvent::End(job) => Some(job.clone()),
                    _ => None,
                };
                screen.hear(*event);
                if let Some(job) = ended {
                    return Ok(Followed::Ended(Box::new(job)));
                }
            }
            Ok(News::Away) => screen.miss(),
            Ok(News::Lost(_)) if node.is_gone() => return Err(gone_for_ever(job)),
            Ok(News::Lost(error)) => return Err(gone(error, job, node.at())),
            Err(RecvTimeoutError::Timeout) => screen.draw(),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(gone(ClientError::Lost, job, node.at()));
            }
        }
    }
    if node.is_gone() {
        return Err(gone_for_ever(job));
    }
    Ok(Followed::Left(Left {
        job: screen.board.job().cloned().map(Box::new),
        node: match screen.misses {
            true => Presence::Away,
            false => Presence::There,
        },
    }))
}

/// Has somebody ask why the job is where it is, and tell it.
fn ask(node: &Found, job: JobId, tell: &SyncSender<Why>) {
    let (node, tell) = (node.clone(), tell.clone());
    let page = PageQuery {
        limit: Some(1),
        after: None,
    };
    thread::spawn(move || {
        let why = node
            .client()
            .and_then(|client| client.why(&job.into(), &page));
        if let Ok(why) = why {
            // Whoever has not read the last one needs no other.
            let _ = tell.try_send(why);
        }
    });
}

fn gone_for_ever(job: JobId) -> Problem {
    let job = job.short();
    Problem::host(format!(
        "the node is gone with all that it had, and the job {job} with it"
    ))
    .because("its data folder was removed, as a devnet does when it ends")
    .help("a devnet that is started with --data DIR keeps its jobs")
}

fn gone(error: ClientError, job: JobId, at: &At) -> Problem {
    let show = hint::command(at, &format!("job show {}", job.short()));
    match error {
        ClientError::Problem(_) => reach::problem(error),
        error => Problem::host("the node is gone")
            .because(error)
            .help(format!(
                "the job goes on when the node does: start it again, then: {show}"
            )),
    }
}

/// Tells of all events. A node that is restarted meanwhile is found again: its events say how things
/// are, so none that was missed matters.
fn listen(node: &Found, job: JobId, news: &SyncSender<News>) {
    let mut patience = Patience::default();
    while let Err(error) = tell(node, job, news, &mut patience) {
        if node.is_gone() || !patience.bears(&error) {
            // Nobody waits any more if it cannot be said.
            let _ = news.send(News::Lost(error));
            return;
        }
        if news.send(News::Away).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Tells of events until the last, or until nobody listens.
fn tell(
    node: &Found,
    job: JobId,
    news: &SyncSender<News>,
    patience: &mut Patience,
) -> Result<(), ClientError> {
    for event in node.client()?.watch(&job.into())? {
        let event = event?;
        patience.renew();
        if news.send(News::Event(Box::new(event))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Where the progress goes.
struct Screen<'a> {
    board: Board,
    name: &'a str,
    since: Instant,
    show: Show,
    table: Option<ProgressBar>,
    /// Whether the node is away, as far as is known.
    misses: bool,
    /// Since when nothing has happened, or been asked, and how long that may last.
    quiet: (Instant, Duration),
    /// Why nothing happens, as it was told last.
    told: String,
}

impl<'a> Screen<'a> {
    fn new(name: &'a str, show: Show) -> Self {
        let drawn = show == Show::Progress && stderr().is_terminal();
        Self {
            board: Board::default(),
            name,
            since: Instant::now(),
            show,
            table: drawn.then(table),
            misses: false,
            quiet: (Instant::now(), QUIET),
            told: String::new(),
        }
    }

    /// The node is away.
    fn miss(&mut self) {
        if !self.misses {
            self.tell("the node does not answer: waiting until it does");
        }
        self.misses = true;
    }

    /// Says a line that stays, above the table if there is one.
    fn tell(&self, line: &str) {
        match (&self.table, self.show) {
            (_, Show::Nothing) => {}
            (None, Show::Progress) => say(line),
            (Some(table), Show::Progress) => table.suspend(|| say(line)),
        }
    }

    /// Whether it is time to ask why nothing happens.
    fn wonders(&mut self) -> bool {
        let (since, most) = self.quiet;
        if self.show == Show::Nothing || since.elapsed() < most || self.board.is_somebody_at_it() {
            return false;
        }
        self.quiet = (Instant::now(), (most * 2).min(QUIETEST));
        true
    }

    /// Says why nothing happens, unless that is known, or something does.
    fn explain(&mut self, why: &Why, at: &At) {
        if !self.board.is_funding() && !explain::is_stuck(why) {
            return;
        }
        let sentence = foreign::message(&why.sentence);
        if sentence != self.told {
            let more = hint::command(at, &format!("job why {}", why.job.short()));
            self.tell(&format!("{WARN}{sentence}{PLAIN}: {NOTE}{more}{PLAIN}"));
            self.told = sentence;
        }
    }

    fn hear(&mut self, event: JobEvent) {
        self.quiet = (Instant::now(), QUIET);
        if std::mem::take(&mut self.misses) {
            self.tell("the node answers again");
        }
        let news = self.board.hear(event);
        news.iter()
            .for_each(|news| tracing::debug!("{}", news.text));
        // The table has what is usual; what is not stays above it.
        let all = self.table.is_none();
        let stays = news.iter().filter(|news| all || news.odd);
        stays.for_each(|news| self.tell(&news.text));
        self.draw();
    }

    fn draw(&self) {
        if let Some(table) = &self.table {
            let lines = self.board.lines(self.name, self.since.elapsed());
            table.set_message(crate::foreign::styled(&lines.join("\n")).into_owned());
        }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if let Some(table) = &self.table {
            table.finish_and_clear();
        }
    }
}

fn say(line: &str) {
    term::to_stderr(&format!("  {line}\n"));
}

fn table() -> ProgressBar {
    let table = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    table.set_style(ProgressStyle::with_template("{msg}").expect("the template is valid"));
    table
}
