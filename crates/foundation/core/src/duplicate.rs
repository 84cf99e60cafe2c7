//! Duplicate keys in JSON: every parser picks another one, so a guard that picks one can be walked around.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Deepest nesting of arrays and objects that is read.
const DEPTH: usize = 64;
/// Most keys of one object that are read.
const KEYS: usize = 1 << 16;

/// Reads a whole JSON text and refuses it when an object names a key twice, when it nests deeper
/// than 64 levels or names more than 65,536 keys in one object, or when it is not JSON.
///
/// # Errors
/// What is wrong and at which line and column.
pub fn refuse_duplicate_keys(text: &[u8]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    Walk { left: DEPTH }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Walk {
    left: usize,
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let left = self.left.checked_sub(1).ok_or_else(|| de::Error::custom("nested too deeply"))?;
        while seq.next_element_seed(Walk { left })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let left = self.left.checked_sub(1).ok_or_else(|| de::Error::custom("nested too deeply"))?;
        let mut keys = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if keys.len() >= KEYS {
                return Err(de::Error::custom("an object has too many keys"));
            }
            if !keys.insert(key) {
                return Err(de::Error::custom("an object names a key twice"));
            }
            map.next_value_seed(Walk { left })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(refuse_duplicate_keys(br#"{"a":1,"b":[{"a":2}]}"#).is_ok());
        assert!(refuse_duplicate_keys(br#"{"a":1,"a":2}"#).is_err());
        assert!(refuse_duplicate_keys(br#"[{"b":{"x":1,"\u0078":2}}]"#).is_err());
        assert!(refuse_duplicate_keys("[".repeat(100_000).as_bytes()).is_err());
        let keys = |count: usize| {
            format!("{{{}}}", (0..count).map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(","))
        };
        assert!(
            refuse_duplicate_keys(keys(KEYS).as_bytes()).is_ok()
                && refuse_duplicate_keys(keys(KEYS + 1).as_bytes()).is_err()
        );
    }
}
