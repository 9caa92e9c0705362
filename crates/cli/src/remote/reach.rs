//! Which node the commands talk to, and what it means to a person when it does not answer.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use opensky_api::{Client, ClientError, Code, EndpointError, Page, PageQuery};

use crate::{Problem, devnet::current, paths};

/// The variable that names a node's data folder.
pub const VARIABLE: &str = "OPENSKY_NODE";
/// How long a node that is waited for may be away: as long as it takes to finish what it runs, and to
/// start again on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The node to talk to.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct At {
    /// The data folder of the node to talk to [default: that of the devnet that runs, else of
    /// `opensky node start`].
    #[arg(long, value_name = "DIR")]
    pub node: Option<PathBuf>,
}

impl At {
    /// The client of that node. Nothing is asked yet.
    pub fn client(&self) -> Result<Client, Problem> {
        self.find()?.client().map_err(problem)
    }

    /// That node, to talk to it for longer than it may live.
    pub fn find(&self) -> Result<Found, Problem> {
        let folder = self.folder()?;
        tracing::info!(folder = %folder.display(), "the node to talk to");
        Ok(Found {
            folder,
            at: self.clone(),
        })
    }

    fn folder(&self) -> Result<PathBuf, Problem> {
        let named = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
        match (&self.node, named) {
            (Some(folder), _) => Ok(folder.clone()),
            (None, Some(folder)) => Ok(folder.into()),
            (None, None) => match current::running()? {
                Some(folder) => Ok(folder),
                None => default_folder(),
            },
        }
    }

    /// What a request to that node without a good answer means to a person.
    pub fn problem(&self, error: ClientError) -> Problem {
        let help = error.help().map(|help| self.complete(help));
        let problem = problem(error);
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    /// What is told, where each command that it quotes talks to the same node.
    fn complete(&self, told: &str) -> String {
        let quoted = told.split('`').enumerate().map(|(place, part)| {
            let is_command = place % 2 == 1 && part.starts_with("opensky ");
            let typed = if is_command {
                self.typed()
            } else {
                String::new()
            };
            format!("{part}{typed}")
        });
        quoted.collect::<Vec<_>>().join("`")
    }

    /// What has to be typed after a command so that it talks to the same node.
    pub fn typed(&self) -> String {
        let typed = |folder: &Path| format!(" --node {}", crate::term::typed(folder));
        self.node.as_deref().map(typed).unwrap_or_default()
    }
}

/// A node that was found. It stays the same one when it is restarted, and has another address and
/// token then.
#[derive(Clone, Debug)]
pub struct Found {
    folder: PathBuf,
    at: At,
}

impl Found {
    /// The client of the node as it runs now. Nothing is asked yet.
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::open(&self.folder)
    }

    /// Whether it will never be there again: its data folder was removed, as that of a devnet is which ends.
    pub fn is_gone(&self) -> bool {
        matches!(self.folder.try_exists(), Ok(false))
    }

    /// What was typed to find it.
    pub fn at(&self) -> &At {
        &self.at
    }
}

/// Patience with a node that is away for a while.
#[derive(Debug, Default)]
pub struct Patience {
    since: Option<Instant>,
}

impl Patience {
    /// Whether to try once more after this error. It ends two minutes after the first in a row.
    pub fn bears(&mut self, error: &ClientError) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        is_passing(error) && since.elapsed() < PATIENCE
    }

    /// The node has answered: there is patience for another while.
    pub fn renew(&mut self) {
        self.since = None;
    }
}

/// Whether it may be over after the node's restart, or when others leave it in peace.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Lost | ClientError::Away { .. } | ClientError::Silent { .. } => true,
        // Between two lives there is no endpoint, and for a moment one of the last life.
        ClientError::Endpoint(error) => matches!(error, EndpointError::NoNode { .. }),
        ClientError::Problem(problem) => matches!(
            problem.code,
            Code::Unauthorised | Code::Busy | Code::Draining
        ),
        _ => false,
    }
}

/// Where `opensky node start` keeps its things, if nobody says otherwise.
pub fn default_folder() -> Result<PathBuf, Problem> {
    Ok(paths::data()?.join("node"))
}

/// What a request without a good answer means to a person.
pub fn problem(error: ClientError) -> Problem {
    let what = error.to_string();
    let help = error.help().map(str::to_owned);
    let problem = match &error {
        ClientError::Problem(problem) => of_code(problem.code, what),
        ClientError::TooLarge { .. } | ClientError::Source(_) => Problem::usage(what),
        _ => Problem::host(what),
    };
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn of_code(code: Code, what: String) -> Problem {
    match code {
        Code::Invalid | Code::NotFound | Code::Ambiguous | Code::Range => Problem::usage(what),
        Code::Funds
        | Code::Refused
        | Code::NotYet
        | Code::TooLate
        | Code::TooLarge
        | Code::MediaType => Problem::refused(what),
        _ => Problem::host(what),
    }
}

/// At most `most` entries of a list, and whether there are more.
pub fn all<T>(
    most: usize,
    page: impl FnMut(&PageQuery) -> Result<Page<T>, ClientError>,
) -> Result<(Vec<T>, bool), Problem> {
    pages(most, page).map_err(problem)
}

/// The same, for who knows what to do about an error.
pub fn pages<T>(
    most: usize,
    mut page: impl FnMut(&PageQuery) -> Result<Page<T>, ClientError>,
) -> Result<(Vec<T>, bool), ClientError> {
    let mut items = Vec::new();
    let mut query = PageQuery::default();
    loop {
        let left = most
            .saturating_sub(items.len())
            .min(PageQuery::MAX as usize);
        if left == 0 {
            return Ok((items, true));
        }
        query.limit = u32::try_from(left).ok();
        let next = page(&query)?;
        items.extend(next.items);
        match next.next {
            Some(after) => query.after = Some(after),
            None => return Ok((items, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use opensky_api::Cursor;

    use super::*;
    use crate::Exit;

    #[test]
    fn codes_have_exits() {
        let exit = |code| {
            problem(ClientError::Problem(Box::new(opensky_api::Problem::new(
                code, "x",
            ))))
            .exit()
        };
        assert_eq!(exit(Code::NotFound), Exit::Usage);
        assert_eq!(exit(Code::Funds), Exit::Refused);
        assert_eq!(exit(Code::Busy), Exit::Host);
        assert_eq!(problem(ClientError::Lost).exit(), Exit::Host);
    }

    #[test]
    fn node_s_own_advice_is_passed_on() {
        let said = opensky_api::Problem::new(Code::Funds, "too little").help("ask for more");
        let error = problem(ClientError::Problem(Box::new(said)));
        let text = crate::problem::describe(&error.into());
        assert!(
            text.contains("too little") && text.contains("ask for more"),
            "{text}"
        );
    }

    #[test]
    fn restart_is_waited_for_and_a_refusal_is_not() {
        let mut patience = Patience::default();
        let mut bears = |error: ClientError| patience.bears(&error);
        let said = |code| ClientError::Problem(Box::new(opensky_api::Problem::new(code, "x")));
        let address = ([127, 0, 0, 1], 1).into();
        let folder = PathBuf::new();
        assert!(bears(ClientError::Lost));
        assert!(bears(ClientError::Away { address }));
        assert!(bears(EndpointError::NoNode { folder }.into()));
        for code in [Code::Unauthorised, Code::Busy, Code::Draining] {
            assert!(bears(said(code)), "{code}");
        }
        for code in [Code::NotFound, Code::Internal, Code::Invalid] {
            assert!(!bears(said(code)), "{code}");
        }
        assert!(!bears(ClientError::Garbled { address }));
    }

    #[test]
    fn patience_has_an_end_and_is_renewed() {
        let long_ago = Instant::now().checked_sub(PATIENCE);
        let mut patience = Patience {
            since: Some(long_ago.expect("the machine runs for longer")),
        };
        assert!(!patience.bears(&ClientError::Lost));
        patience.renew();
        assert!(patience.bears(&ClientError::Lost));
    }

    #[test]
    fn pages_are_read_until_there_are_enough() {
        let page = |query: &PageQuery| {
            let from: u32 = query
                .after
                .as_ref()
                .map_or(0, |at| at.as_str().parse().expect("a number"));
            let to = from + query.limit.expect("a limit").min(3);
            let next = (to < 8).then(|| Cursor::new(to.to_string()).expect("a cursor"));
            Ok(Page {
                items: (from..to.min(8)).collect(),
                next,
            })
        };
        assert_eq!(all(100, page).expect("a list"), ((0..8).collect(), false));
        assert_eq!(all(4, page).expect("a list"), ((0..4).collect(), true));
    }
}
