//! What can be wrong with a pickle.

use bartizan_core::{Link, Rule, Severity};

const LINKS: &[Link] =
    &[Link::Atlas("AML.T0010.003"), Link::Atlas("AML.T0011.000"), Link::Owasp("LLM03:2025"), Link::Cwe(502)];
const REMEDY: &str = "Do not load it. Ask the publisher for safetensors or ONNX, or load it only in a sandbox without \
    network and secrets.";

/// A pickle names something that runs code, opens files or reaches the network.
pub const DANGEROUS_CALLABLE: Rule = Rule {
    id: "BZ-PKL-001",
    title: "Pickle names a dangerous function",
    severity: Severity::Critical,
    explanation: "A pickle is a program for a small machine, and loading it runs that program. This one imports a \
        function that runs commands or code, loads further pickles, touches files or opens connections. The evidence \
        shows which opcode imports it and which calls it, with what.",
    remedy: REMEDY,
    links: LINKS,
};

/// A pickle names something that is not on the list of harmless names.
pub const UNKNOWN_CALLABLE: Rule = Rule {
    id: "BZ-PKL-002",
    title: "Pickle names a function that is not known to be harmless",
    severity: Severity::High,
    explanation: "Loading a pickle imports what it names, and importing runs code; what is imported can be called with \
        arguments that the pickle chooses. Only exact names that were reviewed are let pass, because lists of bad names \
        are never complete. A class of your own project appears here too: then its module must be trusted and present.",
    remedy: "If the name belongs to code that you trust, review it and accept the finding; otherwise do not load the file.",
    links: LINKS,
};

/// The name of an import is computed while loading.
pub const COMPUTED_IMPORT: Rule = Rule {
    id: "BZ-PKL-003",
    title: "Pickle computes the name of what it imports",
    severity: Severity::High,
    explanation: "STACK_GLOBAL takes module and name from the stack. Every pickler puts literal text there; here it is \
        something else, so that the import is known only when it happens.",
    remedy: REMEDY,
    links: LINKS,
};

/// A call whose callee is not an import.
pub const COMPUTED_CALL: Rule = Rule {
    id: "BZ-PKL-004",
    title: "Pickle calls something that it computed",
    severity: Severity::High,
    explanation: "The object that is called is not an import but came out of another call, from the loader or from a \
        place that can't be followed. No pickler writes this for data.",
    remedy: REMEDY,
    links: LINKS,
};

/// Frames that unpicklers read differently.
pub const LYING_FRAME: Rule = Rule {
    id: "BZ-PKL-005",
    title: "Pickle frame cuts through an opcode",
    severity: Severity::High,
    explanation: "Protocol 4 groups opcodes in frames of a stated length. Here an opcode or its argument crosses the end \
        of its frame, or a frame starts within another. Python before 3.13.15 and 3.14.7 then runs other opcodes than a \
        disassembler shows, and loading from a file differs from loading from memory.",
    remedy: REMEDY,
    links: &[Link::Atlas("AML.T0010.003"), Link::Cwe(436), Link::Advisory("cpython#154848")],
};

/// State is set on an import itself.
pub const CHANGED_IMPORT: Rule = Rule {
    id: "BZ-PKL-006",
    title: "Pickle changes an object that it imported",
    severity: Severity::High,
    explanation: "BUILD, SETITEM or APPEND is applied to an imported class, function or module instead of to a new object: \
        the change stays in the process after loading and can replace code that others call.",
    remedy: REMEDY,
    links: LINKS,
};

/// Bytes follow the last opcode.
pub const TRAILING_BYTES: Rule = Rule {
    id: "BZ-PKL-007",
    title: "Bytes follow the end of the pickle",
    severity: Severity::Medium,
    explanation: "Loading stops at the STOP opcode, and what follows is ignored, unless the program that loads reads on. \
        The bytes were searched for further pickles.",
    remedy: "Find out what the bytes are for.",
    links: LINKS,
};

/// Extension registry codes.
pub const EXTENSION_CODE: Rule = Rule {
    id: "BZ-PKL-008",
    title: "Pickle names an object by extension code",
    severity: Severity::High,
    explanation: "EXT opcodes name an import by a number that the loading program registered. What the number means is \
        not in the file, so what is called can't be known.",
    remedy: REMEDY,
    links: LINKS,
};

/// A harmless callable is used in a way that is not.
pub const FORBIDDEN_ARGUMENT: Rule = Rule {
    id: "BZ-PKL-009",
    title: "Pickle uses a restricted function outside its rule",
    severity: Severity::High,
    explanation: "The function is harmless with the arguments that picklers give it and allowed with those only: here it is \
        called with others, handed to another function that may call it, or makes an object whose state contradicts \
        itself, which compiled code believes.",
    remedy: REMEDY,
    links: LINKS,
};

/// Special attributes are set.
pub const SPECIAL_ATTRIBUTE: Rule = Rule {
    id: "BZ-PKL-010",
    title: "Pickle sets an attribute that changes behaviour",
    severity: Severity::Medium,
    explanation: "The state holds a key such as `__setstate__`, `__class__` or `__reduce__`: restored into an object it \
        decides which code runs when the object is used or restored again.",
    remedy: REMEDY,
    links: LINKS,
};

/// A pickle hides in another one's data.
pub const NESTED_PICKLE: Rule = Rule {
    id: "BZ-PKL-011",
    title: "Pickle carries another pickle as data",
    severity: Severity::Low,
    explanation: "A byte string in the pickle is itself a pickle. Loading the outer one does not run the inner one; it was \
        inspected all the same, and what it does is reported separately.",
    remedy: "Find out which code loads the inner pickle.",
    links: LINKS,
};

/// A pickle lies behind bytes that no pickle accounts for.
pub const HIDDEN_PICKLE: Rule = Rule {
    id: "BZ-PKL-012",
    title: "A pickle that calls something lies behind the end of another",
    severity: Severity::Medium,
    explanation: "After the end of the first pickle and some other bytes, another pickle follows that imports or calls \
        something. A program that seeks there loads it.",
    remedy: REMEDY,
    links: LINKS,
};

/// Every rule about pickles.
pub const RULES: &[&Rule] = &[
    &DANGEROUS_CALLABLE,
    &UNKNOWN_CALLABLE,
    &COMPUTED_IMPORT,
    &COMPUTED_CALL,
    &LYING_FRAME,
    &CHANGED_IMPORT,
    &TRAILING_BYTES,
    &EXTENSION_CODE,
    &FORBIDDEN_ARGUMENT,
    &SPECIAL_ATTRIBUTE,
    &NESTED_PICKLE,
    &HIDDEN_PICKLE,
];
