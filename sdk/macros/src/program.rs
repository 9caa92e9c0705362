//! `#[opensky::map_reduce]` and `#[opensky::stepper]`: export an `impl` of the trait.
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, ItemImpl, Type};

/// Whether a map-reduce program has a last unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Partitions,
    Finish,
}

pub(crate) fn map_reduce(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let ending = parse_ending(arguments)?;
    let item: ItemImpl = syn::parse2(item)?;
    let program = implementor(&item, "MapReduce")?;
    let (reduce, finish) = match ending {
        Ending::Partitions => (format_ident!("reduce"), refuse_finish(program)),
        Ending::Finish => (format_ident!("reduce_framed"), export_finish(program)),
    };
    let export = export_map_reduce(program, &reduce);
    Ok(quote! { #item #export #finish })
}

pub(crate) fn stepper(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(
            arguments,
            "#[opensky::stepper] takes no arguments",
        ));
    }
    let item: ItemImpl = syn::parse2(item)?;
    let program = implementor(&item, "Stepper")?;
    Ok(quote! {
        #item

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::opensky::__private as sdk;
            use sdk::bindings::stepper::exports::opensky::compute::stepper::{Guest, Progress};

            struct Program;

            impl Guest for Program {
                fn init(
                    input: ::std::vec::Vec<u8>,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, sdk::JobError> {
                    sdk::init::<#program>(input)
                }

                fn step(
                    state: ::std::vec::Vec<u8>,
                ) -> ::std::result::Result<Progress, sdk::JobError> {
                    sdk::step::<#program>(state).map(|step| match step {
                        ::opensky::Step::More(state) => Progress::More(state),
                        ::opensky::Step::Done(output) => Progress::Done(output),
                    })
                }
            }

            sdk::bindings::stepper::export_stepper!(Program);
        };
    })
}

fn parse_ending(arguments: TokenStream) -> syn::Result<Ending> {
    if arguments.is_empty() {
        return Ok(Ending::Partitions);
    }
    let argument: Ident = syn::parse2(arguments)?;
    if argument == "finish" {
        return Ok(Ending::Finish);
    }
    Err(Error::new_spanned(
        argument,
        "the only argument is `finish`, for a type that implements `Finish`",
    ))
}

/// The type that the block implements `name` for.
fn implementor<'a>(item: &'a ItemImpl, name: &str) -> syn::Result<&'a Type> {
    let form = format!("this attribute belongs on an `impl {name} for …` without generics");
    let implemented = item
        .trait_
        .as_ref()
        .and_then(|(path, _)| path.segments.last());
    if implemented.is_none_or(|last| last.ident != name) || !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.self_ty, form));
    }
    Ok(&item.self_ty)
}

fn export_map_reduce(program: &Type, reduce: &Ident) -> TokenStream {
    quote! {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::opensky::__private as sdk;
            use sdk::bindings::map_reduce::exports::opensky::compute::map_reduce::Guest;

            struct Program;

            impl Guest for Program {
                fn map_shard(
                    shard: ::std::vec::Vec<u8>,
                ) -> ::std::result::Result<::std::vec::Vec<sdk::Kv>, sdk::JobError> {
                    sdk::map_shard::<#program>(shard)
                }

                fn combine(
                    key: ::std::vec::Vec<u8>,
                    values: ::std::vec::Vec<::std::vec::Vec<u8>>,
                ) -> ::std::result::Result<::std::vec::Vec<::std::vec::Vec<u8>>, sdk::JobError> {
                    sdk::combine::<#program>(key, values)
                }

                fn reduce(
                    key: ::std::vec::Vec<u8>,
                    values: ::std::vec::Vec<::std::vec::Vec<u8>>,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, sdk::JobError> {
                    sdk::#reduce::<#program>(key, values)
                }
            }

            sdk::bindings::map_reduce::export_map_reduce!(Program);
        };
    }
}

fn export_finish(program: &Type) -> TokenStream {
    quote! {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::opensky::__private as sdk;

            struct Program;

            impl sdk::bindings::finish::exports::opensky::compute::finish::Guest for Program {
                fn finish(
                    partitions: ::std::vec::Vec<::std::vec::Vec<u8>>,
                ) -> ::std::result::Result<::std::vec::Vec<u8>, sdk::JobError> {
                    sdk::finish::<#program>(partitions)
                }
            }

            sdk::bindings::finish::export_finish!(Program);
        };
    }
}

/// Without this, forgetting `(finish)` would silently leave out the last unit.
fn refuse_finish(program: &Type) -> TokenStream {
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use ::opensky::__private::NoFinish as _;
            assert!(
                !::opensky::__private::Probe::<#program>::FINISHES,
                "this type implements `Finish`: write #[opensky::map_reduce(finish)]",
            );
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_belongs_on_an_impl_of_its_trait() {
        for item in [
            quote! { impl Stepper for Census {} },
            quote! { impl Census {} },
            quote! { impl<T> MapReduce for Census<T> {} },
            quote! { struct Census; },
        ] {
            assert!(map_reduce(TokenStream::new(), item).is_err());
        }
        let qualified = quote! { impl opensky::MapReduce for Census {} };
        assert!(map_reduce(TokenStream::new(), qualified).is_ok());
    }

    #[test]
    fn finish_is_exported_when_asked_for() {
        let item = quote! { impl MapReduce for Census {} };
        let with = map_reduce(quote! { finish }, item.clone())
            .expect("the form is right")
            .to_string();
        let without = map_reduce(TokenStream::new(), item.clone())
            .expect("the form is right")
            .to_string();
        assert!(with.contains("export_finish") && with.contains("reduce_framed"));
        assert!(!without.contains("export_finish") && !without.contains("reduce_framed"));
        assert!(map_reduce(quote! { end }, item).is_err());
    }
}
