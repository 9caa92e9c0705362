//! The API from outside: its document, every decoder with any input, and the client against peers
//! that are no nodes.

mod arbitrary;
mod client;
mod decoders;
mod document;
