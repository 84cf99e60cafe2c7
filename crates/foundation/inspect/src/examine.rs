//! Driving inspectors over a source and everything that comes out of it.

use std::cell::RefCell;

use bartizan_core::{Completeness, Component, Finding};

use crate::{Area, Contents, Findings, Format, Inspect, Source, named_like_a_model, recognise};

/// What is known about one root source after all inspectors saw it and its members.
#[derive(Debug)]
pub struct Examination {
    /// What its bytes are.
    pub format: Format,
    /// Names of the inspectors that looked at it; empty when none knows such content.
    pub inspectors: Vec<&'static str>,
    /// How much was seen, members included.
    pub completeness: Completeness,
    /// What was found, members included.
    pub findings: Vec<Finding>,
    /// Parts of the project that were seen, members included.
    pub components: Vec<Component>,
    /// Members that were looked at.
    pub members: usize,
    /// Members, such as plain text, that no inspector knows.
    pub members_not_inspected: usize,
}

/// Looks at `root` with every inspector that claims it, then at the members that come out of it.
///
/// Content that no inspector claims is no verdict: where it is a model or archive, or is named
/// like one, the examination is partial, unless no inspector of models takes part.
pub fn examine(root: &Source, inspectors: &[&dyn Inspect]) -> Examination {
    examine_with(root, inspectors, None)
}

/// The same, and what is inside.
pub fn examine_contents(root: &Source, inspectors: &[&dyn Inspect]) -> (Examination, Contents) {
    let contents = RefCell::new(Contents::default());
    let examination = examine_with(root, inspectors, Some(&contents));
    (examination, contents.into_inner())
}

fn examine_with(root: &Source, inspectors: &[&dyn Inspect], contents: Option<&RefCell<Contents>>) -> Examination {
    let examination = RefCell::new(Examination {
        format: Format::Empty,
        inspectors: Vec::new(),
        completeness: Completeness::Complete,
        findings: Vec::new(),
        components: Vec::new(),
        members: 0,
        members_not_inspected: 0,
    });
    let (format, names, completeness) = visit(root, inspectors, contents, &examination);
    let mut examination = examination.into_inner();
    examination.format = format;
    examination.inspectors = names;
    examination.completeness = completeness.and(examination.completeness);
    examination
}

type Seen = (Format, Vec<&'static str>, Completeness);

/// Looks at one source, and through it at its members, whose part goes into `examination`.
fn visit(
    source: &Source,
    inspectors: &[&dyn Inspect],
    contents: Option<&RefCell<Contents>>,
    examination: &RefCell<Examination>,
) -> Seen {
    if let Err(exhausted) = source.budget().descend(source.depth()) {
        return (Format::Unknown, Vec::new(), Completeness::Partial(exhausted.to_string()));
    }
    let format = recognise(source);
    let visitor = |child: Source| {
        let (_, names, completeness) = visit(&child, inspectors, contents, examination);
        let completeness = in_member(&child, completeness);
        let mut examination = examination.borrow_mut();
        examination.members += 1;
        examination.members_not_inspected += usize::from(names.is_empty());
        examination.completeness = std::mem::take(&mut examination.completeness).and(completeness);
    };
    let mut findings = Findings::visiting(&visitor);
    if let Some(contents) = contents {
        findings = findings.describing(contents);
    }
    let mut names = Vec::new();
    let mut seen_as_model = false;
    let mut completeness = Completeness::Complete;
    for inspector in inspectors {
        if inspector.claims(source, format) {
            names.push(inspector.name());
            seen_as_model |= matches!(inspector.area(), Area::Models | Area::Containers);
            completeness = completeness.and(inspector.inspect(source, &mut findings));
        }
    }
    // Whoever reads a file as text has not looked at it as a model.
    if !seen_as_model && inspectors.iter().any(|inspector| inspector.area() == Area::Models) {
        completeness = completeness.and(not_inspected(source, format));
    }
    if findings.dropped() > 0 {
        completeness = completeness.and(Completeness::Partial(format!("{} more findings", findings.dropped())));
    }
    let (found, components) = findings.into_parts();
    let mut examination = examination.borrow_mut();
    examination.findings.extend(found);
    examination.components.extend(components);
    (format, names, completeness)
}

fn not_inspected(source: &Source, format: Format) -> Completeness {
    if format.may_hold_a_model() {
        Completeness::Partial(format!("{format} is recognised but not inspected"))
    } else if format != Format::Empty && named_like_a_model(source.member()) {
        Completeness::Partial(format!("named like a model, but the content is {format}"))
    } else {
        Completeness::Complete
    }
}

/// A failed member leaves its archive partly seen.
fn in_member(source: &Source, completeness: Completeness) -> Completeness {
    match completeness {
        Completeness::Complete => Completeness::Complete,
        Completeness::Partial(reason) | Completeness::Failed(reason) => {
            let member = source.name().split_once('!').map_or(source.name(), |(_, member)| member);
            if reason.starts_with(member) {
                Completeness::Partial(reason)
            } else {
                Completeness::Partial(format!("{member}: {reason}"))
            }
        }
    }
}
