//! How typed values become the bytes that cross between a job and the host, and back.
use std::any::Any;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Error;

/// A type that a job can take: every owned type that serde can read.
///
/// | type | bytes |
/// | --- | --- |
/// | `Vec<u8>` | as they are |
/// | `String` | as they are; refused as invalid input unless they are UTF-8 |
/// | `()` | ignored |
/// | everything else | one JSON document; refused as invalid input unless it fits |
///
/// [`Json`] asks for JSON where the table says otherwise: `Json<String>` is a quoted string.
#[diagnostic::on_unimplemented(
    message = "a job cannot take `{Self}`",
    label = "not an owned type that serde can read",
    note = "take `Vec<u8>`, `String`, or a type that derives `serde::Deserialize`"
)]
pub trait Input: Sized + 'static {
    /// Reads a value.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] when the bytes are not what the type asks for.
    fn decode(bytes: Vec<u8>) -> Result<Self, Error>;
}

/// A type that a job can return: every owned type that serde can write. The bytes are the ones that
/// [`Input`] reads; `()` is no bytes at all. JSON is compact: one line, without a line end.
///
/// A map with text keys comes out in its own order, so return a `BTreeMap`, never a `HashMap`.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "not an owned type that serde can write",
    note = "return `Vec<u8>`, `String`, or a type that derives `serde::Serialize`"
)]
pub trait Output: 'static {
    /// Writes the value.
    ///
    /// # Errors
    /// [`Error::Failed`] when the value has no JSON form, such as a map whose keys are no text.
    fn encode(self) -> Result<Vec<u8>, Error>;
}

/// Asks for JSON where plain bytes or text would be used: for `Json<String>`, say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(
    /// The value.
    pub T,
);

impl<T: DeserializeOwned + 'static> Input for T {
    fn decode(bytes: Vec<u8>) -> Result<T, Error> {
        let bytes = match cast::<Vec<u8>, T>(bytes) {
            Ok(value) => return Ok(value),
            Err(bytes) => bytes,
        };
        if is_same::<T, String>() {
            let text = String::from_utf8(bytes).map_err(Error::invalid_input)?;
            return Ok(known(cast(text)));
        }
        if is_same::<T, ()>() {
            return Ok(known(cast(())));
        }
        serde_json::from_slice(&bytes).map_err(Error::invalid_input)
    }
}

impl<T: Serialize + 'static> Output for T {
    fn encode(self) -> Result<Vec<u8>, Error> {
        if is_same::<T, ()>() {
            return Ok(Vec::new());
        }
        let value = match cast::<T, Vec<u8>>(self) {
            Ok(bytes) => return Ok(bytes),
            Err(value) => value,
        };
        match cast::<T, String>(value) {
            Ok(text) => Ok(text.into_bytes()),
            Err(value) => Ok(serde_json::to_vec(&value)?),
        }
    }
}

/// Whether a value of this type is written as JSON, rather than as plain bytes.
pub(crate) fn is_json<T: 'static>() -> bool {
    !is_same::<T, Vec<u8>>() && !is_same::<T, String>() && !is_same::<T, ()>()
}

fn is_same<A: 'static, B: 'static>() -> bool {
    std::any::TypeId::of::<A>() == std::any::TypeId::of::<B>()
}

/// The value itself where `A` and `B` are one type; the compiler removes the branch not taken.
fn cast<A: 'static, B: 'static>(value: A) -> Result<B, A> {
    let mut slot = Some(value);
    if let Some(same) = (&mut slot as &mut dyn Any).downcast_mut::<Option<B>>() {
        return Ok(same.take().expect("the slot was filled above"));
    }
    Err(slot.expect("the slot was filled above"))
}

fn known<A, B>(cast: Result<B, A>) -> B {
    match cast {
        Ok(value) => value,
        Err(_) => unreachable!("the types were compared before"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: i32,
    }

    fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(
        value: T,
        bytes: &[u8],
    ) {
        assert_eq!(T::decode(bytes.to_vec()).as_ref(), Ok(&value));
        assert_eq!(value.encode().as_deref(), Ok(bytes));
    }

    #[test]
    fn bytes_and_text_are_plain_and_the_rest_is_json() {
        check(vec![0_u8, 255], &[0, 255]);
        check("héllo".to_owned(), "héllo".as_bytes());
        check((), b"");
        check(Point { x: -1 }, br#"{"x":-1}"#);
        check(Json("a".to_owned()), br#""a""#);
        check(vec![1_u16, 2], b"[1,2]");
        assert!(!is_json::<String>() && is_json::<Vec<u16>>());
    }

    #[test]
    fn floats_keep_every_bit() {
        let mut rng = crate::Rng::from_seed([4; 32]);
        for _ in 0..10_000 {
            let float = f64::from_bits(rng.next_u64());
            if float.is_finite() {
                let read = float.encode().and_then(f64::decode);
                assert_eq!(read.map(f64::to_bits), Ok(float.to_bits()));
            }
        }
    }

    #[test]
    fn bytes_that_do_not_fit_blame_the_input() {
        assert!(matches!(
            String::decode(vec![255]),
            Err(Error::InvalidInput(_))
        ));
        assert!(matches!(
            Point::decode(b"{}".to_vec()),
            Err(Error::InvalidInput(_))
        ));
        assert!(matches!(
            Point::decode(b"{\"x\":1} 2".to_vec()),
            Err(Error::InvalidInput(_))
        ));
    }

    #[test]
    fn a_value_without_a_json_form_is_the_programs_failure() {
        let map = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(map.encode(), Err(Error::Failed(_))));
    }
}
