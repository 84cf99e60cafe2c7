//! Precision and recall of imitated names.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

use std::path::Path;

use bartizan_supply::ecosystem::Ecosystem;
use bartizan_supply::impersonation::Popularity;

fn called_imitations(names: impl Iterator<Item = String>) -> (usize, Vec<String>) {
    let popularity = Popularity::default();
    let mut count = 0;
    let called = names
        .inspect(|_| count += 1)
        .filter_map(|name| {
            popularity.imitated_by(&name).map(|found| format!("{name} ~ {} ({:?})", found.popular, found.how))
        })
        .collect();
    (count, called)
}

#[test]
fn real_packages_are_rarely_called_imitations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    let folder = root.and_then(Path::parent).map(|beside| beside.join("shared/corpora/scan/advisories-pypa"));
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!("skipped: no corpus advisories-pypa");
        return;
    };
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (count, called) = called_imitations(names);
    println!("{} of {count} packages with advisories: {called:#?}", called.len());
    assert!(count > 600 && called.len() * 100 <= count, "{called:#?}");
}

#[test]
fn nothing_in_an_ordinary_lockfile_is_called_an_imitation() {
    let pins = include_str!("fixtures/golden/requirements.txt");
    let names = pins.lines().filter_map(|line| line.split_once("==")).map(|(name, _)| Ecosystem::PyPi.canonical(name));
    let (count, called) = called_imitations(names);
    assert!(count > 90 && called.is_empty(), "{called:?}");
}

/// Names under which attacks were published, as reported by researchers and registries.
#[test]
fn published_typosquats_are_recognised() {
    let published = [
        "reqeusts",
        "requesst",
        "requsets",
        "request",
        "urlib3",
        "matplotlb",
        "pandsa",
        "numppy",
        "tensoflow",
        "tensorfow",
        "pytoch-lightning",
        "scikitlearn",
        "beautifulsoup",
        "colourama",
        "coloramma",
        "selennium",
        "djago",
        "djanga",
        "cryptographyy",
        "openaii",
        "langchian",
        "huggingfacehub",
        "transfomers",
        "toorch",
        "torchvison",
    ];
    let (count, called) = called_imitations(published.iter().map(|name| (*name).to_owned()));
    println!("{} of {count}", called.len());
    assert!(called.len() * 5 >= count * 4, "{called:#?}");
}
