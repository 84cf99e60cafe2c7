//! Models, experiments, vector stores: the accounts of people who build AI.

use crate::checksum;
use crate::kind::{Anchor, Family, Kind};

pub(super) const KINDS: &[Kind] = &[
    Kind::token(
        Family::Ai,
        "openai-api-key",
        "OpenAI API key",
        &["sk-"],
        r"sk-(?:(?:proj|svcacct|admin|service)-)?[\w-]{20,100}T3BlbkFJ[\w-]{20,100}",
    )
    .anchored(Anchor::Dashed)
    .check(checksum::marked)
    .examples(
        &[
            "OPENAI_API_KEY=sk-{a:20}T3BlbkFJ{a:20}",
            r#""sk-proj-{w:74}T3BlbkFJ{w:74}""#,
            "sk-svcacct-{w:58}T3BlbkFJ{w:58}",
            "sk-admin-{w:58}T3BlbkFJ{w:58} ",
        ],
        &[
            "sk-{a:20}T3BlbkFX{a:20}",
            "task-{a:20}T3BlbkFJ{a:20}",
            "sk-${OPENAI_API_KEY}T3BlbkFJ",
            "sk-xxxxxxxxxxxxxxxxxxxxT3BlbkFJxxxxxxxxxxxxxxxxxxxx",
        ],
    ),
    Kind::token(Family::Ai, "anthropic-api-key", "Anthropic API key", &["sk-ant-api"], r"sk-ant-api\d\d-[\w-]{93}AA")
        .anchored(Anchor::Dashed)
        .examples(&[r#"key: "sk-ant-api03-{w:93}AA""#], &["sk-ant-api03-{w:40}", "sk-ant-api03-xxxxxxxxxxxxxxxx"]),
    Kind::token(
        Family::Ai,
        "anthropic-admin-key",
        "Anthropic admin key",
        &["sk-ant-admin"],
        r"sk-ant-admin\d\d-[\w-]{93}AA",
    )
    .anchored(Anchor::Dashed)
    .examples(&["sk-ant-admin01-{w:93}AA"], &["sk-ant-admin01-{w:50}AA"]),
    Kind::token(
        Family::Ai,
        "anthropic-oauth-token",
        "Anthropic OAuth token",
        &["sk-ant-oat", "sk-ant-ort"],
        r"sk-ant-o[ar]t\d\d-[\w-]{86,100}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-{w:95}"], &["sk-ant-oat01-{w:20}"]),
    Kind::token(Family::Ai, "huggingface-token", "Hugging Face access token", &["hf_"], "hf_[A-Za-z]{34}")
        .entropy(3.8)
        .check(checksum::both_cases)
        .examples(
            &["HF_TOKEN=hf_{L:34}", r#"login(token="hf_{L:34}")"#],
            &[
                "hf_{d:34}",
                "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "hf_hub_download_and_everything_else",
                "shelf_{L:34}",
            ],
        ),
    Kind::token(
        Family::Ai,
        "huggingface-organization-token",
        "Hugging Face organization token",
        &["api_org_"],
        "api_org_[A-Za-z]{34}",
    )
    .entropy(3.8)
    .check(checksum::both_cases)
    .examples(&["api_org_{L:34}"], &["api_org_{d:34}"]),
    Kind::token(Family::Ai, "replicate-api-token", "Replicate API token", &["r8_"], "r8_[0-9A-Za-z]{37}")
        .check(checksum::mixed)
        .examples(&["REPLICATE_API_TOKEN=r8_{a:37}"], &["r8_{a:30}", "vector8_{a:37}"]),
    Kind::token(Family::Ai, "groq-api-key", "Groq API key", &["gsk_"], "gsk_[0-9A-Za-z]{52}")
        .check(checksum::mixed)
        .examples(&[r#"GROQ_API_KEY="gsk_{a:52}""#], &["gsk_{a:40}", r#"GROQ_API_KEY="gsk_your_key""#]),
    Kind::token(Family::Ai, "xai-api-key", "xAI API key", &["xai-"], "xai-[0-9A-Za-z]{80}")
        .check(checksum::mixed)
        .examples(&["XAI_API_KEY=xai-{a:80}"], &["xai-{a:60}"]),
    Kind::token(Family::Ai, "perplexity-api-key", "Perplexity API key", &["pplx-"], "pplx-[0-9A-Za-z]{48}")
        .check(checksum::mixed)
        .examples(&["pplx-{a:48}"], &["pplx-{a:30}", "pplx-70b-online-chat-model-with-a-very-long-name-x"]),
    Kind::token(Family::Ai, "openrouter-api-key", "OpenRouter API key", &["sk-or-v1-"], "sk-or-v1-[0-9a-f]{64}")
        .anchored(Anchor::Dashed)
        .examples(&["sk-or-v1-{h:64}"], &["sk-or-v1-{h:60}"]),
    Kind::token(Family::Ai, "fireworks-api-key", "Fireworks AI API key", &["fw_"], "fw_[0-9A-Za-z]{24}")
        .check(checksum::mixed)
        .examples(&["fw_{a:24}"], &["fw_{a:20}", "hfw_{a:24}"]),
    Kind::token(Family::Ai, "nvidia-api-key", "NVIDIA API key", &["nvapi-"], r"nvapi-[\w-]{60,70}")
        .anchored(Anchor::Dashed)
        .examples(&["NVIDIA_API_KEY=nvapi-{w:64}"], &["nvapi-{w:30}"]),
    Kind::token(
        Family::Ai,
        "langsmith-api-key",
        "LangSmith API key",
        &["lsv2_pt_", "lsv2_sk_"],
        "lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
    )
    .examples(
        &["LANGSMITH_API_KEY=lsv2_pt_{h:32}_{h:10}", "lsv2_sk_{h:32}_{h:10}"],
        &["lsv2_pt_{h:32}", "lsv2_pt_{h:20}_{h:10}"],
    ),
    Kind::token(
        Family::Ai,
        "langfuse-secret-key",
        "Langfuse secret key",
        &["sk-lf-"],
        "sk-lf-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["sk-lf-{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"], &["pk-lf-{h:8}-{h:4}-{h:4}-{h:4}-{h:12}", "sk-lf-{h:32}"]),
    Kind::token(
        Family::Ai,
        "pinecone-api-key",
        "Pinecone API key",
        &["pcsk_"],
        "pcsk_[0-9A-Za-z]{5,6}_[0-9A-Za-z]{63}",
    )
    .examples(&["PINECONE_API_KEY=pcsk_{a:6}_{a:63}"], &["pcsk_{a:6}_{a:40}"]),
    Kind::named(
        Family::Ai,
        "pinecone-legacy-api-key",
        "Pinecone API key (UUID)",
        &["pinecone"],
        "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    )
    .entropy(2.5)
    .examples(
        &[r#"PINECONE_API_KEY="{h:8}-{h:4}-{h:4}-{h:4}-{h:12}""#],
        &[r#"PINECONE_API_KEY="your-key""#, r#"pinecone_index = "{h:8}""#],
    ),
    Kind::token(Family::Ai, "databricks-token", "Databricks access token", &["dapi"], r"dapi[0-9a-f]{32}(?:-\d)?")
        .examples(&["DATABRICKS_TOKEN=dapi{h:32}", "dapi{h:32}-2"], &["dapi{h:20}", "mydapi{h:32}"]),
    Kind::token(
        Family::Ai,
        "weights-and-biases-api-key",
        "Weights & Biases API key",
        &["wandb_v1_"],
        r"wandb_v1_[\w]{20,90}",
    )
    .examples(&["WANDB_API_KEY=wandb_v1_{a:77}"], &["wandb_v1_{a:10}"]),
    Kind::named(
        Family::Ai,
        "weights-and-biases-legacy-api-key",
        "Weights & Biases API key (hexadecimal)",
        &["wandb", "wandb.login(key"],
        "[0-9a-f]{40}",
    )
    .examples(
        &["WANDB_API_KEY={h:40}", r#"wandb.login(key="{h:40}")"#],
        &[r#"wandb_commit = "{h:40}""#, "WANDB_API_KEY={h:30}", "wandb_hash: {h:40}"],
    ),
    Kind::named(Family::Ai, "cohere-api-key", "Cohere API key", &["cohere", "co_api_key"], "[0-9A-Za-z]{40}")
        .entropy(4.0)
        .check(checksum::mixed)
        .examples(
            &["COHERE_API_KEY={a:40}", r#"cohere.Client("{a:40}")"#],
            &[
                "COHERE_API_KEY={a:30}",
                r#"coherence_sha = "{h:40}""#,
                r#"cohere_api_key = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx""#,
            ],
        ),
    Kind::named(Family::Ai, "mistral-api-key", "Mistral AI API key", &["mistral"], "[0-9A-Za-z]{32}")
        .entropy(3.8)
        .check(checksum::mixed)
        .examples(
            &[r#"MISTRAL_API_KEY="{a:32}""#, "mistral_api_key: {a:32}"],
            &[r#"MISTRAL_API_KEY="{a:20}""#, r#"mistral_model = "{h:32}""#],
        ),
    Kind::named(
        Family::Ai,
        "together-api-key",
        "Together AI API key",
        &["together_api", "togetherai", "together.api_key"],
        r"[0-9a-f]{64}|tgp_v1_[\w-]{43}",
    )
    .examples(&["TOGETHER_API_KEY={h:64}"], &["TOGETHER_API_KEY={h:30}"]),
    Kind::token(Family::Ai, "together-v1-api-key", "Together AI API key (marked)", &["tgp_v1_"], r"tgp_v1_[\w-]{43}")
        .examples(&["tgp_v1_{w:42}x"], &["tgp_v1_{w:20}"]),
    Kind::named(Family::Ai, "deepseek-api-key", "DeepSeek API key", &["deepseek"], "sk-[0-9a-f]{32}")
        .examples(&["DEEPSEEK_API_KEY=sk-{h:32}"], &["DEEPSEEK_API_KEY=sk-{h:20}"]),
    Kind::token(
        Family::Ai,
        "openai-compatible-api-key",
        "API key of the sk- form (Stability AI, gateways that speak OpenAI)",
        &["sk-"],
        "sk-[0-9A-Za-z]{48}",
    )
    .anchored(Anchor::Dashed)
    .entropy(4.2)
    .check(checksum::mixed)
    .examples(
        &["STABILITY_API_KEY=sk-{a:48}"],
        &["sk-{a:40}", "disk-{a:48}", "sk-this-is-a-css-class-name-for-spinners-and-more"],
    ),
    Kind::named(
        Family::Ai,
        "elevenlabs-api-key",
        "ElevenLabs API key",
        &["elevenlabs", "eleven_api", "xi-api-key"],
        "(?:sk_)?[0-9a-f]{32,48}",
    )
    .examples(&["ELEVENLABS_API_KEY=sk_{h:48}", "xi-api-key: {h:32}"], &[r#"ELEVENLABS_VOICE="{a:20}""#]),
    Kind::named(Family::Ai, "assemblyai-api-key", "AssemblyAI API key", &["assemblyai"], "[0-9a-f]{32}")
        .examples(&["ASSEMBLYAI_API_KEY={h:32}"], &["ASSEMBLYAI_API_KEY={h:20}"]),
    Kind::named(Family::Ai, "deepgram-api-key", "Deepgram API key", &["deepgram"], "[0-9a-f]{40}")
        .examples(&[r#"DEEPGRAM_API_KEY="{h:40}""#], &[r#"deepgram_commit="{h:40}""#]),
    Kind::named(Family::Ai, "ai21-api-key", "AI21 API key", &["ai21"], "[0-9A-Za-z]{32}")
        .entropy(3.8)
        .check(checksum::mixed)
        .examples(&["AI21_API_KEY={a:32}"], &["AI21_API_KEY={a:12}"]),
    Kind::named(Family::Ai, "voyage-api-key", "Voyage AI API key", &["voyage"], r"pa-[\w-]{43}")
        .examples(&["VOYAGE_API_KEY=pa-{w:42}x"], &["VOYAGE_API_KEY=pa-{w:20}"]),
    Kind::named(Family::Ai, "jina-api-key", "Jina AI API key", &["jina"], r"jina_[0-9a-f]{32}[\w-]{28}")
        .examples(&["JINA_API_KEY=jina_{h:32}{a:28}"], &["JINA_API_KEY=jina_{h:10}"]),
    Kind::named(Family::Ai, "qdrant-api-key", "Qdrant API key", &["qdrant"], r"[\w-]{54}(?:\|[\w-]{20,60})?")
        .entropy(4.2)
        .check(checksum::mixed)
        .examples(&["QDRANT_API_KEY={a:54}"], &["QDRANT_API_KEY={a:12}"]),
    Kind::named(
        Family::Ai,
        "weaviate-api-key",
        "Weaviate API key",
        &["weaviate", "wcd_api_key", "wcs_api_key"],
        "[0-9A-Za-z]{36,40}|[0-9A-Za-z+/]{60,140}={0,2}",
    )
    .entropy(3.8)
    .check(checksum::mixed)
    .examples(&[r#"WEAVIATE_API_KEY="{a:40}""#], &[r#"WEAVIATE_API_KEY="{a:10}""#]),
    Kind::named(
        Family::Ai,
        "milvus-token",
        "Milvus or Zilliz token",
        &["zilliz", "milvus_token", "milvus_api"],
        "[0-9a-f]{70,120}|[0-9A-Za-z]{60,120}",
    )
    .examples(&["ZILLIZ_TOKEN={h:80}"], &["ZILLIZ_TOKEN={h:12}"]),
    Kind::token(Family::Ai, "cerebras-api-key", "Cerebras API key", &["csk-"], "csk-[0-9a-z]{48}")
        .check(checksum::alphanumeric)
        .examples(&["csk-{l:48}"], &["csk-{l:30}"]),
    Kind::named(Family::Ai, "runpod-api-key", "RunPod API key", &["runpod"], "(?:rpa_)?[0-9A-Z]{40,46}[0-9a-z]{0,6}")
        .check(checksum::alphanumeric)
        .examples(&["RUNPOD_API_KEY=rpa_{u:40}{l:6}"], &["RUNPOD_API_KEY={u:12}"]),
    Kind::token(Family::Ai, "modal-token-secret", "Modal token secret", &["as-"], "as-[0-9A-Za-z]{22}")
        .anchored(Anchor::Dashed)
        .entropy(3.6)
        .check(checksum::mixed)
        .examples(&["MODAL_TOKEN_SECRET=as-{a:22}"], &["as-{a:10}", "as-simple-as-possible-really", "has-{a:22}"]),
    Kind::token(
        Family::Ai,
        "neptune-api-token",
        "Neptune API token",
        &["eyJhcGlfYWRkcmVzcyI6"],
        "eyJhcGlfYWRkcmVzcyI6[0-9A-Za-z+/]{60,}={0,2}",
    )
    .examples(&[r#"NEPTUNE_API_TOKEN="eyJhcGlfYWRkcmVzcyI6{B:120}==""#], &["eyJhcGlfYWRkcmVzcyI6{B:10}"]),
    Kind::named(Family::Ai, "comet-api-key", "Comet API key", &["comet"], "[0-9A-Za-z]{25}")
        .entropy(3.6)
        .check(checksum::mixed)
        .examples(&["COMET_API_KEY={a:25}"], &["COMET_API_KEY={a:10}", r#"comet_url = "{h:25}""#]),
    Kind::named(Family::Ai, "clarifai-token", "Clarifai personal access token", &["clarifai"], "[0-9a-f]{32}")
        .examples(&["CLARIFAI_PAT={h:32}"], &["CLARIFAI_PAT={h:8}"]),
    Kind::token(
        Family::Ai,
        "helicone-api-key",
        "Helicone API key",
        &["sk-helicone-"],
        "sk-helicone-(?:[a-z]{2}-)?[0-9a-z]{7}(?:-[0-9a-z]{7}){3}",
    )
    .anchored(Anchor::Dashed)
    .examples(&["sk-helicone-{l:7}-{l:7}-{l:7}-{l:7}"], &["sk-helicone-{l:7}"]),
    Kind::token(Family::Ai, "tavily-api-key", "Tavily API key", &["tvly-"], "tvly-(?:dev-)?[0-9A-Za-z-]{32}")
        .anchored(Anchor::Dashed)
        .check(checksum::mixed)
        .examples(&["tvly-{a:32}", "tvly-dev-{a:32}"], &["tvly-{a:12}"]),
    Kind::token(Family::Ai, "firecrawl-api-key", "Firecrawl API key", &["fc-"], "fc-[0-9a-f]{32}")
        .anchored(Anchor::Dashed)
        .examples(&["fc-{h:32}"], &["fc-{h:20}", "rfc-{h:32}"]),
    Kind::token(Family::Ai, "llamacloud-api-key", "LlamaCloud API key", &["llx-"], "llx-[0-9A-Za-z]{48}")
        .check(checksum::mixed)
        .examples(&["llx-{a:48}"], &["llx-{a:20}"]),
    Kind::token(Family::Ai, "apify-token", "Apify API token", &["apify_api_"], "apify_api_[0-9A-Za-z]{34,40}")
        .check(checksum::mixed)
        .examples(&["apify_api_{a:36}"], &["apify_api_{a:10}"]),
    Kind::named(
        Family::Ai,
        "azure-openai-key",
        "Azure OpenAI key",
        &["azure_openai", "openai_azure", "azure-openai", "cognitive", "ocp-apim-subscription-key"],
        "[0-9a-f]{32}",
    )
    .examples(&["AZURE_OPENAI_API_KEY={h:32}", "Ocp-Apim-Subscription-Key: {h:32}"], &["AZURE_OPENAI_API_KEY={h:20}"]),
    Kind::token(Family::Ai, "roboflow-api-key", "Roboflow publishable or private key", &["rf_"], "rf_[0-9A-Za-z]{28}")
        .check(checksum::mixed)
        .examples(&["rf_{a:28}"], &["rf_{a:12}", "perf_{a:28}"]),
    Kind::token(Family::Ai, "kaggle-token", "Kaggle API token", &["KGAT_"], "KGAT_[0-9a-f]{32}")
        .examples(&["KAGGLE_API_TOKEN=KGAT_{h:32}"], &["KGAT_{h:10}"]),
    Kind::named(Family::Ai, "kaggle-key", "Kaggle API key", &["kaggle_key"], "[0-9a-f]{32}")
        .examples(&["KAGGLE_KEY={h:32}"], &["KAGGLE_KEY={h:10}"]),
];
