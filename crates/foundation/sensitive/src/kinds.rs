//! All kinds of secrets, by family.

mod ai;
mod cloud;
mod database;
mod generic;
mod messaging;
mod payment;
mod private_key;
mod service;
mod software;

use std::sync::LazyLock;

use crate::kind::Kind;

/// Every kind that is looked for; the order is stable within a release.
pub fn kinds() -> &'static [&'static Kind] {
    static ALL: LazyLock<Vec<&'static Kind>> = LazyLock::new(|| {
        let families: [&'static [Kind]; 9] = [
            ai::KINDS,
            cloud::KINDS,
            software::KINDS,
            payment::KINDS,
            messaging::KINDS,
            database::KINDS,
            private_key::KINDS,
            service::KINDS,
            generic::KINDS,
        ];
        families.into_iter().flatten().collect()
    });
    &ALL
}
