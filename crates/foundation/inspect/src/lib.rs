//! Looking into files that nobody vouches for.
//!
//! A [`Source`] is bounded random access to some bytes: a file, a part of one, or an archive member
//! that was inflated in memory. [`recognise`] says what the bytes are, by their content. Whoever
//! knows such content implements [`Inspect`]: it claims a source, adds findings and child sources
//! to [`Findings`], and says how much it saw. [`examine`] drives inspectors over a source and all
//! that comes out of it, under one [`Budget`].
//!
//! Nothing here executes what it reads, and nothing is extracted to disk.
//!
//! ```
//! use bartizan_inspect::{Format, Limits, Source, recognise};
//!
//! let source = Source::from_bytes("weights.gguf", b"GGUF\x03\0\0\0".to_vec(), Limits::default());
//! assert_eq!(recognise(&source), Format::Gguf);
//! ```

mod budget;
mod codec;
pub mod compressed;
mod contents;
mod examine;
mod format;
mod inspector;
mod mutation;
mod reader;
pub mod sevenz;
mod source;
pub mod tar;
mod unpacked;
mod window;
pub mod zip;

pub use budget::{Budget, Exhausted, Limits};
pub use contents::{Contents, Tensor};
pub use examine::{Examination, examine, examine_contents};
pub use format::{Format, named_like_a_model, recognise};
pub use inspector::{Area, Findings, Inspect};
pub use mutation::mutations;
pub use source::{ReadError, Source};
pub use window::Window;

use bartizan_core::Rule;

/// Every rule of this crate.
pub const RULES: &[&[&Rule]] =
    &[zip::RULES, &[&compressed::STREAM_BOMB, &tar::ESCAPING_MEMBER, &tar::AFTER_THE_END, &sevenz::MEMBER_BOMB]];

/// The inspectors of archives and compressed files.
pub const CONTAINERS: &[&dyn Inspect] =
    &[&zip::ZipArchive, &tar::TarArchive, &compressed::CompressedFile, &sevenz::SevenZipArchive];
