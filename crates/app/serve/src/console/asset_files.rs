//! Style, script and icon: compiled in, so that the console needs no folder beside the binary.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use hyper::header::CONTENT_TYPE;

use super::failure::Failure;

const FILES: [(&str, &str, &str); 3] = [
    ("console.css", "text/css; charset=utf-8", include_str!("../../assets/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_str!("../../assets/console.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
];

pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match FILES.iter().find(|(file, _, _)| *file == name) {
        Some((_, kind, text)) => ([(CONTENT_TYPE, *kind)], *text).into_response(),
        None => Failure::missing("There is no such file").into_response(),
    }
}
