//! The rules about source code: how models and data are loaded, and what is done with what a model says.

use bartizan_core::{Link, Rule, Severity};

const SUPPLY_CHAIN: &[Link] = &[Link::Atlas("AML.T0010"), Link::Owasp("LLM03:2025"), Link::Cwe(829)];
const DESERIALIZATION: &[Link] = &[Link::Atlas("AML.T0011.000"), Link::Owasp("LLM03:2025"), Link::Cwe(502)];

/// Code from a model repository is run.
pub const REMOTE_CODE: Rule = Rule {
    id: "BZ-SRC-001",
    title: "Code from a model repository is run",
    severity: Severity::High,
    explanation: "With `trust_remote_code=True`, or by `torch.hub`, loading a model runs Python files of its repository with the rights of \
        your process. Whoever can push there, now or later, runs code on every machine that loads the model.",
    remedy: "Use a model that needs no code of its own, or copy the code into your project and review it. At the least pin \
        `revision=` to a commit of 40 hexadecimal digits that was reviewed.",
    links: SUPPLY_CHAIN,
};

/// `torch.load` may run what the file says.
pub const TORCH_LOAD: Rule = Rule {
    id: "BZ-SRC-002",
    title: "torch.load without weights_only",
    severity: Severity::Medium,
    explanation: "A PyTorch file is a pickle: loading it can run any function that it names. `weights_only=True` is the default only \
        since PyTorch 2.6 and protects only since that release (CVE-2025-32434).",
    remedy: "Pass `weights_only=True` with PyTorch 2.6 or later, or load safetensors.",
    links: DESERIALIZATION,
};

/// What was downloaded is unpickled.
pub const UNPICKLED_DOWNLOAD: Rule = Rule {
    id: "BZ-SRC-003",
    title: "A download is deserialized by a format that runs code",
    severity: Severity::High,
    explanation: "Bytes that came over the network go to pickle, joblib, dill or a like format, whose files are programs. Whoever \
        controls the server, its storage or the way to it runs code here.",
    remedy: "Load a format without code (safetensors, ONNX, JSON, Parquet), or check a signature or pinned SHA-256 before loading, and \
        run `bartizan scan` on the file.",
    links: DESERIALIZATION,
};

/// A file is unpickled.
pub const UNPICKLED_FILE: Rule = Rule {
    id: "BZ-SRC-004",
    title: "A file is deserialized by a format that runs code",
    severity: Severity::Low,
    explanation: "pickle, joblib, dill, shelve, NumPy's object arrays and Keras without `safe_mode` run what the file says. That is safe for \
        files that only this program writes, and for no others.",
    remedy: "Where the file can come from somewhere else, use a format without code, or verify a signature first.",
    links: DESERIALIZATION,
};

/// YAML may make any object.
pub const YAML_LOAD: Rule = Rule {
    id: "BZ-SRC-005",
    title: "YAML is loaded with a loader that makes any object",
    severity: Severity::Medium,
    explanation: "`yaml.load` without a safe loader, `yaml.unsafe_load` and ruamel's `typ='unsafe'` call constructors that the document \
        names.",
    remedy: "Use `yaml.safe_load` or `Loader=yaml.SafeLoader`.",
    links: &[Link::Cwe(502), Link::Cwe(20)],
};

/// What a model said is run.
pub const MODEL_OUTPUT_RUN: Rule = Rule {
    id: "BZ-SRC-006",
    title: "What a model says is run as code",
    severity: Severity::High,
    explanation: "The text of a model goes to `eval`, `exec` or a shell. Whoever can put words before the model (a web page, a mail, a \
        document that is retrieved) decides what it says, and so what runs here.",
    remedy: "Ask for structured output and parse it (`json.loads`, `ast.literal_eval`), choose among functions of a fixed list, or run the code \
        in a sandbox without network and secrets.",
    links: &[Link::Atlas("AML.T0051"), Link::Atlas("AML.T0053"), Link::Owasp("LLM05:2025"), Link::Cwe(94)],
};

/// What was downloaded is run.
pub const DOWNLOAD_RUN: Rule = Rule {
    id: "BZ-SRC-007",
    title: "A download is run",
    severity: Severity::High,
    explanation: "Text from the network goes straight to an interpreter or a shell. Whoever controls the server or the way to it runs \
        code here, and nothing of it is kept to look at afterwards.",
    remedy: "Install it as a package with a pinned version and hash, or keep a reviewed copy.",
    links: &[Link::Atlas("AML.T0010"), Link::Cwe(494), Link::Cwe(94)],
};

/// A tool runs what the model passes.
pub const TOOL_RUNS_ARGUMENT: Rule = Rule {
    id: "BZ-SRC-008",
    title: "A tool runs what the model passes to it",
    severity: Severity::High,
    explanation: "A function that is offered to a model as a tool hands its argument to `eval`, `exec` or a shell. The model, and whoever \
        steers it by injected text, thereby runs any command with the rights of the agent.",
    remedy: "Give the tool one narrow task: parse the argument, compare it with a fixed list, pass it as one element of an argument \
        list without a shell, and run the tool in a sandbox.",
    links: &[Link::Atlas("AML.T0053"), Link::Owasp("LLM06:2025"), Link::Cwe(78)],
};

/// Certificates are not checked.
pub const TLS_OFF: Rule = Rule {
    id: "BZ-SRC-009",
    title: "The other side of a connection is not verified",
    severity: Severity::Medium,
    explanation: "Certificates are not checked, so anybody on the way can read and change what is sent: prompts, keys, datasets and models.",
    remedy: "Leave verification on; for a private authority pass its certificate (`verify='ca.pem'`).",
    links: &[Link::Cwe(295), Link::Atlas("AML.T0010")],
};

/// A framework's safety is switched off.
pub const SAFETY_OFF: Rule = Rule {
    id: "BZ-SRC-010",
    title: "A safety of the framework is switched off",
    severity: Severity::Medium,
    explanation: "The framework refuses this by default because it runs code or unpickles files that others can write.",
    remedy: "Remove the switch, or make sure that what is loaded or run can't come from outside, in a sandbox.",
    links: &[Link::Owasp("LLM06:2025"), Link::Cwe(502), Link::Cwe(94)],
};

/// A model or dataset may change under its name.
pub const UNPINNED_MODEL: Rule = Rule {
    id: "BZ-SRC-011",
    title: "A model or dataset is fetched without a fixed revision",
    severity: Severity::Info,
    explanation: "Without `revision=` a hub serves whatever its owner pushed last, or whoever took over the name.",
    remedy: "Pin `revision=` to a commit, or serve a verified copy.",
    links: SUPPLY_CHAIN,
};

/// A cell or script downloads and runs.
pub const SHELL_DOWNLOAD_RUN: Rule = Rule {
    id: "BZ-SRC-012",
    title: "A shell command downloads and runs",
    severity: Severity::High,
    explanation: "A command hands a download to a shell or interpreter, unseen and different on every run. In a notebook it runs when \
        somebody runs all cells.",
    remedy: "Download, look at it, compare its hash, then run it; or install a pinned package.",
    links: &[Link::Cwe(494), Link::Atlas("AML.T0010"), Link::Atlas("AML.T0011")],
};

/// A cell installs from an untrusted place.
pub const SHELL_INSTALL: Rule = Rule {
    id: "BZ-SRC-013",
    title: "A package is installed from a place that does not vouch for it",
    severity: Severity::Medium,
    explanation: "The package comes over an unprotected connection, from a host whose certificate is not checked, or from a branch that \
        can change. Its install script runs with your rights.",
    remedy: "Install a pinned version from a registry over https, or a repository at a fixed commit.",
    links: &[Link::Cwe(494), Link::Cwe(829), Link::Atlas("AML.T0010.001")],
};

/// An output of a notebook holds a program.
pub const ACTIVE_OUTPUT: Rule = Rule {
    id: "BZ-SRC-014",
    title: "Notebook output loads a script from elsewhere",
    severity: Severity::Low,
    explanation: "A stored output holds HTML that loads or runs a script. In a trusted notebook it runs when the notebook is opened, with \
        access to the server behind it: it can run cells.",
    remedy: "Clear the outputs before committing (`jupyter nbconvert --clear-output`).",
    links: &[Link::Cwe(79), Link::Cwe(829)],
};

/// Every rule about source code.
pub const RULES: &[&Rule] = &[
    &REMOTE_CODE,
    &TORCH_LOAD,
    &UNPICKLED_DOWNLOAD,
    &UNPICKLED_FILE,
    &YAML_LOAD,
    &MODEL_OUTPUT_RUN,
    &DOWNLOAD_RUN,
    &TOOL_RUNS_ARGUMENT,
    &TLS_OFF,
    &SAFETY_OFF,
    &UNPINNED_MODEL,
    &SHELL_DOWNLOAD_RUN,
    &SHELL_INSTALL,
    &ACTIVE_OUTPUT,
];
