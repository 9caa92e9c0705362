//! The keys of map-reduce: their bytes sort as the values do.
use crate::Error;

/// A key of a map-reduce program.
///
/// Equal keys have equal bytes, and bytes sort as the keys do, since reduce goes through the keys in
/// byte order: `String` and `Vec<u8>` are their own bytes, integers are big-endian (signed ones with
/// the sign bit flipped), `bool` is one byte, and a pair or triple is its parts one after the other,
/// text and bytes within it ended by `00 00` (a zero inside becomes `00 ff`). Floating-point numbers
/// are no keys: they have no total order and many bytes for one value. Implement this for a type of
/// your own by going through one of these.
pub trait Key: Sized {
    /// Appends the bytes of a key that stands alone.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// Reads a key from all of `bytes`.
    ///
    /// # Errors
    /// [`Error::Failed`] when these are not the bytes of such a key.
    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        let key = Self::decode_part(&mut rest)?;
        if rest.is_empty() {
            Ok(key)
        } else {
            Err(malformed())
        }
    }

    /// Appends the bytes of a key that others follow: one that ends by itself.
    fn encode_part(&self, bytes: &mut Vec<u8>) {
        self.encode(bytes);
    }

    /// Takes from the front of `bytes` what [`Key::encode_part`] wrote.
    ///
    /// # Errors
    /// [`Error::Failed`] when these are not the bytes of such a key.
    fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error>;
}

fn malformed() -> Error {
    Error::failed("a map-reduce key has malformed bytes")
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Error> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or_else(malformed)?;
    *bytes = rest;
    Ok(*head)
}

macro_rules! unsigned_keys {
    ($($ty:ty),*) => {$(
        impl Key for $ty {
            fn encode(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_be_bytes());
            }

            fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error> {
                take(bytes).map(Self::from_be_bytes)
            }
        }
    )*};
}

macro_rules! signed_keys {
    ($($ty:ty as $unsigned:ty),*) => {$(
        impl Key for $ty {
            fn encode(&self, bytes: &mut Vec<u8>) {
                (*self as $unsigned ^ 1 << (<$ty>::BITS - 1)).encode(bytes);
            }

            fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error> {
                <$unsigned>::decode_part(bytes).map(|key| (key ^ 1 << (<$ty>::BITS - 1)) as Self)
            }
        }
    )*};
}

unsigned_keys!(u8, u16, u32, u64, u128);
signed_keys!(i8 as u8, i16 as u16, i32 as u32, i64 as u64, i128 as u128);

impl Key for bool {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(*self));
    }

    fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error> {
        match take(bytes)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(malformed()),
        }
    }
}

impl Key for () {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode_part(_: &mut &[u8]) -> Result<Self, Error> {
        Ok(())
    }
}

impl Key for Vec<u8> {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(bytes.to_vec())
    }

    fn encode_part(&self, bytes: &mut Vec<u8>) {
        for &byte in self {
            bytes.push(byte);
            if byte == 0 {
                bytes.push(0xff);
            }
        }
        bytes.extend_from_slice(&[0, 0]);
    }

    fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error> {
        let mut key = Vec::new();
        loop {
            match take(bytes)? {
                [0] => match take(bytes)? {
                    [0] => return Ok(key),
                    [0xff] => key.push(0),
                    _ => return Err(malformed()),
                },
                [byte] => key.push(byte),
            }
        }
    }
}

impl Key for String {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        String::from_utf8(bytes.to_vec()).map_err(|_| malformed())
    }

    fn encode_part(&self, bytes: &mut Vec<u8>) {
        self.as_bytes().to_vec().encode_part(bytes);
    }

    fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error> {
        let text = Vec::<u8>::decode_part(bytes)?;
        String::from_utf8(text).map_err(|_| malformed())
    }
}

macro_rules! tuple_keys {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Key),*> Key for ($($name,)*) {
            fn encode(&self, bytes: &mut Vec<u8>) {
                $(self.$index.encode_part(bytes);)*
            }

            fn decode_part(bytes: &mut &[u8]) -> Result<Self, Error> {
                Ok(($($name::decode_part(bytes)?,)*))
            }
        }
    };
}

tuple_keys!(A 0, B 1);
tuple_keys!(A 0, B 1, C 2);

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn bytes(key: &impl Key) -> Vec<u8> {
        let mut bytes = Vec::new();
        key.encode(&mut bytes);
        bytes
    }

    fn check<K: Key + Ord + Debug>(mut keys: Vec<K>) {
        keys.sort();
        let encoded: Vec<_> = keys.iter().map(bytes).collect();
        assert!(
            encoded.is_sorted(),
            "{keys:?} sort otherwise as bytes: {encoded:?}"
        );
        for (key, bytes) in keys.iter().zip(&encoded) {
            assert_eq!(K::decode(bytes).as_ref(), Ok(key));
        }
    }

    #[test]
    fn bytes_sort_as_keys_do_and_give_them_back() {
        let texts = ["", "a", "a\0", "a\0b", "ab", "b", "é"].map(str::to_owned);
        check(texts.to_vec());
        check(vec![vec![], vec![0_u8], vec![0, 0], vec![0, 255], vec![1]]);
        check(vec![0_u32, 1, 255, 256, u32::MAX]);
        check(vec![i64::MIN, -256, -1, 0, 1, i64::MAX]);
        check(vec![false, true]);
        let mut pairs = Vec::new();
        for text in &texts {
            for number in [i16::MIN, -1, 0, 1] {
                pairs.push((text.clone(), number));
            }
        }
        check(pairs);
        check(vec![
            (1_u8, "b".to_owned(), true),
            (1, "a\0".to_owned(), false),
            (0, String::new(), true),
        ]);
    }

    #[test]
    fn text_and_bytes_that_stand_alone_are_themselves() {
        assert_eq!(bytes(&"a\0b".to_owned()), b"a\0b");
        assert_eq!(bytes(&vec![0_u8, 9]), [0, 9]);
    }

    #[test]
    fn malformed_bytes_are_refused() {
        assert!(u32::decode(&[1, 2, 3]).is_err());
        assert!(u32::decode(&[1, 2, 3, 4, 5]).is_err());
        assert!(bool::decode(&[2]).is_err());
        assert!(String::decode(&[255]).is_err());
        assert!(<(String, u8)>::decode(b"abc").is_err());
        assert!(<(String, u8)>::decode(b"a\0\x01\0\0").is_err());
    }
}
