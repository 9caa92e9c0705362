//! `#[opensky::job]`: checks the function's form and exports it.
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, FnArg, ItemFn, ReturnType, Safety, Signature, Type, spanned::Spanned};

const FORM: &str = "a job has the form `fn name(input: In) -> Result<Out, E>`";

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "#[opensky::job] takes no arguments",
        ));
    }
    let function: ItemFn = syn::parse2(item)?;
    let (input, output) = check(&function.sig)?;
    let name = &function.sig.ident;
    let conversion = quote_spanned! { input.span() => ::opensky::__private::run::<#input, _, _> };
    let assertion = quote_spanned! { output.span() => ::opensky::__private::assert_job(#name) };
    Ok(quote! {
        #function

        const _: () = #assertion;

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Program;

            impl ::opensky::__private::bindings::job::exports::opensky::compute::job::Guest for Program {
                fn run(
                    input: ::std::vec::Vec<u8>,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, ::opensky::__private::JobError> {
                    #conversion(#name, input)
                }
            }

            ::opensky::__private::bindings::job::export_job!(Program);
        };
    })
}

/// The types of the input and of the whole return value.
fn check(signature: &Signature) -> syn::Result<(&Type, &Type)> {
    let refuse =
        |what: &dyn ToTokens, why: &str| Err(Error::new_spanned(what, format!("{FORM}: {why}")));
    if let Some(what) = &signature.asyncness {
        return refuse(what, "it is not async, a host call never waits");
    }
    if let Safety::Unsafe(what) = &signature.safety {
        return refuse(what, "it is safe");
    }
    if !signature.generics.params.is_empty() {
        return refuse(&signature.generics, "it is not generic");
    }
    let mut inputs = signature.inputs.iter();
    let (Some(FnArg::Typed(input)), None) = (inputs.next(), inputs.next()) else {
        return refuse(
            signature,
            "it takes exactly one input (what else a job needs are params and blobs)",
        );
    };
    if let Type::Reference(what) = &*input.ty {
        return refuse(
            what,
            "it owns its input (`String`, not `&str`; `Vec<u8>`, not `&[u8]`)",
        );
    }
    match &signature.output {
        ReturnType::Type(_, output) => Ok((&input.ty, output)),
        ReturnType::Default => refuse(signature, "it returns a `Result`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(item: TokenStream) -> String {
        expand(TokenStream::new(), item)
            .expect_err("the form is wrong")
            .to_string()
    }

    #[test]
    fn a_wrong_form_is_refused_with_the_right_one_and_the_reason() {
        for (item, reason) in [
            (
                quote! { async fn f(i: String) -> Result<String, E> {} },
                "not async",
            ),
            (
                quote! { unsafe fn f(i: String) -> Result<String, E> {} },
                "it is safe",
            ),
            (quote! { fn f<T>(i: T) -> Result<T, E> {} }, "not generic"),
            (
                quote! { fn f() -> Result<String, E> {} },
                "exactly one input",
            ),
            (
                quote! { fn f(a: u8, b: u8) -> Result<String, E> {} },
                "exactly one input",
            ),
            (
                quote! { fn f(&self) -> Result<String, E> {} },
                "exactly one input",
            ),
            (
                quote! { fn f(i: &str) -> Result<String, E> {} },
                "owns its input",
            ),
            (quote! { fn f(i: String) {} }, "returns a `Result`"),
        ] {
            let message = message(item);
            assert!(
                message.starts_with(FORM) && message.contains(reason),
                "{message}"
            );
        }
    }

    #[test]
    fn arguments_and_other_items_are_refused() {
        let function = quote! { fn f(i: String) -> Result<String, E> {} };
        assert!(expand(quote! { finish }, function).is_err());
        assert!(expand(TokenStream::new(), quote! { struct S; }).is_err());
    }
}
