//! Quotas: how many requests, tokens, bytes and how much money a tenant, a principal or a model may use
//! up in a window of time, and how many requests of theirs may be open at once.
//!
//! A check before and a charge after let everybody through who asks in between. Here a request *reserves*
//! what it can use up at most, in all buckets that it belongs to at once or in none; a stream that lasts
//! longer than thought asks for more and is cut where there is none; what was not used is given back when
//! the request ends, however it ends. So no bucket is ever overdrawn, whatever runs at the same time.

mod amounts;
mod book;
mod headers;
mod hold;
mod meter;
mod prices;
mod request;
mod rule;

pub use book::QuotaBook;
pub use prices::Price;
pub use rule::{Each, Quota, Window};

pub(crate) use headers::describe;
pub(crate) use hold::{Hold, recordable};
pub(crate) use meter::fuzz_one;
pub(crate) use prices::amounts;
pub(crate) use request::{Odd, asked};
pub(crate) use rule::{Subject, Usage};
