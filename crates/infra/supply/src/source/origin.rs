//! Calls that bring content from outside, and calls after which it is harmless.

use super::call::Call;
use super::value::Source;

/// Functions and methods of libraries that speak HTTP or fetch files, by their full name without the object's.
const DOWNLOADS: &[&str] = &[
    "requests.get",
    "requests.post",
    "requests.request",
    "requests.Session().get",
    "requests.Session().post",
    "requests.session().get",
    "requests.session().post",
    "httpx.get",
    "httpx.post",
    "httpx.Client().get",
    "httpx.AsyncClient().get",
    "aiohttp.ClientSession().get",
    "urllib.request.urlopen",
    "urllib.request.urlretrieve",
    "urllib2.urlopen",
    "urllib.urlopen",
    "urllib3.PoolManager().request",
    "wget.download",
    "gdown.download",
    "huggingface_hub.hf_hub_download",
    "huggingface_hub.snapshot_download",
    "huggingface_hub.cached_download",
    "kagglehub.model_download",
    "kagglehub.dataset_download",
    "torch.hub.download_url_to_file",
    "torch.hub.load_state_dict_from_url",
    "torchvision.datasets.utils.download_url",
    "tensorflow.keras.utils.get_file",
    "keras.utils.get_file",
    "pooch.retrieve",
    "wandb.Api().artifact().download",
    "mlflow.artifacts.download_artifacts",
    "socket.socket().recv",
    "socket.socket().accept",
    "boto3.client().get_object",
    "boto3.client().download_file",
    "boto3.resource().Object().get",
    "google.cloud.storage.Client().bucket().blob().download_as_bytes",
    "google.cloud.storage.Client().bucket().blob().download_as_string",
    "redis.Redis().get",
    "redis.StrictRedis().get",
    "zmq.Context().socket().recv",
];

/// Functions that put a download into the file that an argument names: function, position, keyword.
pub(super) const DOWNLOADS_TO_FILE: &[(&str, usize, &str)] = &[
    ("urllib.request.urlretrieve", 1, "filename"),
    ("wget.download", 1, "out"),
    ("gdown.download", 1, "output"),
    ("torch.hub.download_url_to_file", 1, "dst"),
    ("boto3.client().download_file", 2, "Filename"),
];

/// What names of calls to language models end with.
const MODEL_CALLS: &[&str] = &[
    ".chat.completions.create",
    ".chat.completions.parse",
    ".completions.create",
    ".responses.create",
    ".responses.parse",
    ".messages.create",
    ".messages.stream",
    ".models.generate_content",
    ".generate_content",
    ".chat.complete",
    ".text_generation",
    ".chat_completion",
    ".invoke_model",
    ".converse",
];

/// Functions that ask a language model.
const MODEL_FUNCTIONS: &[&str] = &[
    "openai.ChatCompletion.create",
    "openai.Completion.create",
    "litellm.completion",
    "litellm.acompletion",
    "ollama.chat",
    "ollama.generate",
    "replicate.run",
    "transformers.pipeline()",
    "cohere.Client().chat",
    "cohere.Client().generate",
    "cohere.ClientV2().chat",
    "vllm.LLM().generate",
    "vllm.LLM().chat",
    "llama_cpp.Llama()",
    "llama_cpp.Llama().create_completion",
    "llama_cpp.Llama().create_chat_completion",
];

/// Libraries whose objects are chains, agents and models.
const MODEL_LIBRARIES: &[&str] = &[
    "langchain",
    "llama_index",
    "haystack",
    "dspy",
    "crewai",
    "autogen",
    "semantic_kernel",
    "guidance",
    "pydantic_ai",
    "smolagents",
    "agents",
];

/// Methods by which those are asked.
const ASKING: &[&str] = &[
    "invoke",
    "ainvoke",
    "predict",
    "generate",
    "run",
    "run_sync",
    "complete",
    "acomplete",
    "chat",
    "achat",
    "query",
    "stream",
    "call_as_llm",
    "generate_reply",
];

/// Names that people give to such objects.
const MODEL_NAMES: &[&str] =
    &["llm", "chat_model", "language_model", "chain", "llm_chain", "agent", "agent_executor", "qa_chain"];

/// Calls after which content can't be code any more.
const HARMLESS: &[&str] = &[
    "int",
    "float",
    "bool",
    "len",
    "hash",
    "isinstance",
    "ord",
    "id",
    "type",
    "round",
    "abs",
    "ast.literal_eval",
    "shlex.quote",
    "pipes.quote",
    "html.escape",
    "hashlib.sha256",
    "hashlib.md5",
    "hmac.compare_digest",
    "os.path.exists",
    "os.path.getsize",
    "print",
];

/// Whether the name is that of an object of a library for chains, agents and models.
pub(super) fn is_of_a_model_library(path: &str) -> bool {
    MODEL_LIBRARIES.iter().any(|library| path.starts_with(library))
}

/// Whether the name is that of what somebody sent to a web server.
pub(super) fn is_request(path: &str) -> bool {
    const PARTS: &[&str] = &["data", "json", "form", "args", "values", "files", "stream", "get_data", "get_json"];
    path.strip_prefix("flask.request.").is_some_and(|part| PARTS.contains(&part))
}

/// What a call brings in.
pub(super) fn brings(call: &Call) -> Option<Source> {
    let path = call.path.as_str();
    if path.is_empty() {
        return None;
    }
    if DOWNLOADS.contains(&path) {
        return Some(Source::Download);
    }
    if MODEL_FUNCTIONS.contains(&path) || MODEL_CALLS.iter().any(|suffix| path.ends_with(suffix)) {
        return Some(Source::Model);
    }
    let receiver = call.receiver().rsplit('.').next().unwrap_or_default();
    let is_model =
        MODEL_NAMES.contains(&receiver) || MODEL_LIBRARIES.iter().any(|library| call.library().starts_with(library));
    if is_model && ASKING.contains(&call.method())
        || MODEL_NAMES.contains(&call.method()) && !call.receiver().is_empty()
    {
        return Some(Source::Model);
    }
    let loaded = path.starts_with("transformers.") && (path.ends_with(".generate") || path.ends_with(".pipeline()"));
    loaded.then_some(Source::Model)
}

/// Whether what comes out of the call carries nothing of what went in.
pub(super) fn is_harmless(call: &Call) -> bool {
    HARMLESS.contains(&call.path.as_str())
}

/// Decorators by which a function is offered to a model.
pub(super) fn offers_a_tool(decorator: &str) -> bool {
    let decorator = decorator.trim_end_matches("()");
    let name = decorator.rsplit('.').next().unwrap_or(decorator);
    matches!(
        name,
        "tool" | "function_tool" | "kernel_function" | "ai_function" | "agent_tool" | "register_for_llm" | "beta_tool"
    ) || matches!(name, "tool_plain" | "resource" if decorator.contains('.'))
}
