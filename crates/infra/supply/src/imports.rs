//! Which packages the Python code of a project imports: the ground for saying whether an affected
//! package is used by it directly.
//!
//! A line is looked at for `import` and `from` at its start, as in code that is not generated; what
//! imports by name at run time is not seen. Nothing is hidden by the answer, it only adds to findings.

use std::collections::BTreeSet;

use crate::ecosystem::Ecosystem;

/// Modules whose packages have other names.
const OTHERWISE_NAMED: [(&str, &[&str]); 34] = [
    ("attr", &["attrs"]),
    ("bs4", &["beautifulsoup4"]),
    ("cv2", &["opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"]),
    ("Crypto", &["pycryptodome", "pycrypto"]),
    ("Cryptodome", &["pycryptodomex"]),
    ("dateutil", &["python-dateutil"]),
    ("docx", &["python-docx"]),
    ("dotenv", &["python-dotenv"]),
    ("faiss", &["faiss-cpu", "faiss-gpu"]),
    ("fitz", &["pymupdf"]),
    ("git", &["gitpython"]),
    ("github", &["pygithub"]),
    ("google", &["protobuf", "google-cloud-aiplatform", "google-generativeai", "google-genai"]),
    ("grpc", &["grpcio"]),
    ("haystack", &["haystack-ai", "farm-haystack"]),
    ("jose", &["python-jose"]),
    ("jwt", &["pyjwt"]),
    ("llama_cpp", &["llama-cpp-python"]),
    ("magic", &["python-magic"]),
    ("MySQLdb", &["mysqlclient"]),
    ("OpenSSL", &["pyopenssl"]),
    ("PIL", &["pillow"]),
    ("pkg_resources", &["setuptools"]),
    ("psycopg2", &["psycopg2", "psycopg2-binary"]),
    ("pytorch_lightning", &["pytorch-lightning"]),
    ("qdrant_client", &["qdrant-client"]),
    ("serial", &["pyserial"]),
    ("skimage", &["scikit-image"]),
    ("sklearn", &["scikit-learn"]),
    ("socks", &["pysocks"]),
    ("tensorflow", &["tensorflow", "tensorflow-cpu", "tensorflow-gpu"]),
    ("umap", &["umap-learn"]),
    ("yaml", &["pyyaml"]),
    ("zmq", &["pyzmq"]),
];

/// Adds the canonical names of packages that a Python file may import.
pub fn imported_by(text: &str, packages: &mut BTreeSet<String>) {
    for line in text.lines() {
        // Notebooks keep each line as a JSON string.
        let line = line.trim_start().trim_start_matches('"').trim_start();
        if let Some(rest) = line.strip_prefix("import ") {
            rest.split(',').for_each(|module| add(module, packages));
        } else if let Some(module) = line.strip_prefix("from ") {
            add(module, packages);
        }
    }
}

fn add(module: &str, packages: &mut BTreeSet<String>) {
    let module = module.trim_start();
    let end = module.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(module.len());
    let Some(name) = module.get(..end).filter(|name| !name.is_empty()) else { return };
    match OTHERWISE_NAMED.iter().find(|(module, _)| *module == name) {
        Some((_, others)) => packages.extend(others.iter().map(|other| (*other).to_owned())),
        None => drop(packages.insert(Ecosystem::PyPi.canonical(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_traced_to_their_packages() {
        let mut packages = BTreeSet::new();
        let code = "import os, torch.nn as nn\nfrom sklearn.svm import SVC\nfrom . import own\nimportant = 1\n    import llama_index\n";
        imported_by(code, &mut packages);
        let found: Vec<&str> = packages.iter().map(String::as_str).collect();
        assert_eq!(found, ["llama-index", "os", "scikit-learn", "torch"]);
    }
}
