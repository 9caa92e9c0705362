//! The attribute macros of `opensky-sdk`; use them through that crate, which documents them.
mod job;
mod program;

use proc_macro::TokenStream;

/// Makes a function the program: `fn f(input: In) -> Result<Out, E>`.
///
/// `In` is an `Input` and `Out` an `Output`: bytes, text, or whatever serde reads and writes. `E` is
/// `opensky::Error` or anything else that can be displayed. The function stays an ordinary one, to be
/// called from tests. A program has one job.
///
/// ```
/// #[opensky::job]
/// fn shout(text: String) -> Result<String, opensky::Error> {
///     Ok(text.to_uppercase())
/// }
/// ```
///
/// A function of another form is refused:
///
/// ```compile_fail
/// #[opensky::job]
/// fn shout(text: &str) -> String {
///     text.to_uppercase()
/// }
/// ```
#[proc_macro_attribute]
pub fn job(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(job::expand(arguments.into(), item.into()))
}

/// Makes an `impl MapReduce for …` the program.
///
/// `#[opensky::map_reduce(finish)]` where the type implements `Finish` too: a type that does so without
/// saying so is refused.
#[proc_macro_attribute]
pub fn map_reduce(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(program::map_reduce(arguments.into(), item.into()))
}

/// Makes an `impl Stepper for …` the program.
#[proc_macro_attribute]
pub fn stepper(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(program::stepper(arguments.into(), item.into()))
}

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
