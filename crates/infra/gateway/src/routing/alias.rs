//! Puts a model's name where an alias stood, in a body or a path, and leaves every other byte as it was.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    model: &'a RawValue,
}

/// `body` with `model` as the value of its member `model`; none where it is no JSON object with that member.
pub(crate) fn rename_body(body: &Bytes, model: &str) -> Option<Bytes> {
    // A list would be read as members in their order.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let named: Named<'_> = is_object.then(|| serde_json::from_slice(body).ok())??;
    let value = named.model.get();
    // The value borrows from the body, so the distance of their beginnings is its place.
    let start = (value.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    let (head, tail) = (body.get(..start)?, body.get(start + value.len()..)?);
    let name = serde_json::to_vec(model).ok()?;
    let mut renamed = BytesMut::with_capacity(head.len() + name.len() + tail.len());
    renamed.put_slice(head);
    renamed.put_slice(&name);
    renamed.put_slice(tail);
    Some(renamed.freeze())
}

/// `target` with `model` instead of `alias` as the segment behind `/models/` or `/predictions/`.
pub(crate) fn rename_path(target: &str, alias: &str, model: &str) -> Option<String> {
    let start =
        ["/v2/models/", "/predictions/"].iter().find_map(|lead| target.starts_with(lead).then_some(lead.len()))?;
    let rest = target.get(start..)?.strip_prefix(alias)?;
    let is_whole = rest.is_empty() || rest.starts_with(['/', '?']);
    is_whole.then(|| format!("{}{model}{rest}", target.get(..start).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_changes() {
        let body = Bytes::from_static(b"{ \"messages\" : [{\"model\":\"x\"}],\n\"model\":  \"fa\\u0073t\" ,\"n\":1.0}");
        let renamed = rename_body(&body, "llama \"3\"").unwrap();
        assert_eq!(renamed, &b"{ \"messages\" : [{\"model\":\"x\"}],\n\"model\":  \"llama \\\"3\\\"\" ,\"n\":1.0}"[..]);
        assert!(rename_body(&Bytes::from_static(b"{}"), "m").is_none());
        assert!(rename_body(&Bytes::from_static(b"[1]"), "m").is_none());
        assert_eq!(rename_path("/v2/models/a/infer", "a", "b").as_deref(), Some("/v2/models/b/infer"));
        assert_eq!(rename_path("/predictions/a?x=1", "a", "b").as_deref(), Some("/predictions/b?x=1"));
        assert_eq!(rename_path("/v2/models/ab/infer", "a", "b"), None);
        assert_eq!(rename_path("/v1/models/a", "a", "b"), None);
    }
}
