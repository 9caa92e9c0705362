//! Greets whoever the input names.
use opensky::Error;

/// The program: a name in, a greeting out.
#[opensky::job]
pub fn hello(name: String) -> Result<String, Error> {
    match name.trim() {
        "" => Err(Error::invalid_input(
            "the input is a name, and this one is empty",
        )),
        name => Ok(format!("Hello, {name}!\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_greets_by_name() {
        let greeting = opensky::test::run(hello, "Ada\n".to_owned());
        assert_eq!(greeting, Ok("Hello, Ada!\n".to_owned()));
    }

    #[test]
    fn nobody_is_not_greeted() {
        let nobody = opensky::test::run(hello, " \n".to_owned());
        assert!(matches!(nobody, Err(Error::InvalidInput(_))));
    }
}
