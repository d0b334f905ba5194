//! JSON bodies, taken strictly.

use std::fmt;
use std::marker::PhantomData;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::Problem;

/// A JSON object. serde's own structs are read from an array of their values too, which the
/// description does not know.
#[derive(Debug)]
pub struct Object<T>(pub T);

/// What a handler is given for a body.
pub type JsonBody<T> = Result<Json<Object<T>>, JsonRejection>;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// The body, or what is wrong with it; `hint` says what to send.
pub fn understood<T>(body: JsonBody<T>, hint: &str) -> Result<T, Problem> {
    let Json(Object(body)) = body.map_err(|rejection| {
        Problem::new(rejection.status(), "body not understood", rejection.body_text(), hint)
    })?;
    Ok(body)
}

/// Where nothing more is to be said.
pub const HINT: &str = "send JSON as /api/v1/openapi.json describes it";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Wish {
        name: Option<String>,
    }

    #[test]
    fn an_array_is_no_object() {
        let read = serde_json::from_str::<Object<Wish>>;
        assert_eq!(read(r#"{"name": "a"}"#).unwrap().0.name.unwrap(), "a");
        assert!(read("{}").unwrap().0.name.is_none());
        for other in [r#"["a"]"#, "[null]", "null", "1", "\"a\""] {
            assert!(read(other).unwrap_err().to_string().contains("a JSON object"), "{other}");
        }
    }
}
