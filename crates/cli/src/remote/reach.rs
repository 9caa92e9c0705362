//! Which node the commands talk to, and what it means to a person when it does not answer.

use std::path::{Path, PathBuf};

use opensky_api::{Client, ClientError, Code, Page, PageQuery};

use crate::{Problem, devnet::current, paths};

/// The variable that names a node's data folder.
pub const VARIABLE: &str = "OPENSKY_NODE";

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
        Client::open(&self.folder()?).map_err(problem)
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

    /// What has to be typed after a command so that it talks to the same node.
    pub fn typed(&self) -> String {
        let typed = |folder: &Path| format!(" --node {}", crate::term::typed(folder));
        self.node.as_deref().map(typed).unwrap_or_default()
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
    mut page: impl FnMut(&PageQuery) -> Result<Page<T>, ClientError>,
) -> Result<(Vec<T>, bool), Problem> {
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
        let next = page(&query).map_err(problem)?;
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
