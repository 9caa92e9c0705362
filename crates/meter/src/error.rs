//! Why a program is not metered.

/// Why the pass refuses a program. Never a weakness of the host: every host refuses the same.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// The bytes are not valid WebAssembly with the features of the profile; the message names the
    /// feature that is missing.
    #[error("{0}")]
    Invalid(#[from] wasmparser::BinaryReaderError),
    /// The program is metered already, or uses a name that belongs to the meter.
    #[error("`{0}` belongs to the meter: the program is metered already, or pretends to be")]
    Reserved(String),
    /// The program has a shape that cannot be metered exactly.
    #[error("{0} cannot be metered")]
    Unsupported(&'static str),
}

impl From<wasm_encoder::reencode::Error<MeterError>> for MeterError {
    fn from(error: wasm_encoder::reencode::Error<MeterError>) -> Self {
        use wasm_encoder::reencode::Error;
        match error {
            Error::UserError(error) => error,
            Error::ParseError(error) => Self::Invalid(error),
            Error::CanonicalizedHeapTypeReference => {
                Self::Unsupported("a reference to a canonical heap type")
            }
            Error::InvalidConstExpr => Self::Unsupported("a constant expression of this kind"),
            Error::InvalidCodeSectionSize => Self::Unsupported("a code section of a wrong size"),
            Error::UnexpectedNonCoreModuleSection | Error::UnexpectedNonComponentSection => {
                Self::Unsupported("a section in a wrong place")
            }
            _ => Self::Unsupported("this binary"),
        }
    }
}
