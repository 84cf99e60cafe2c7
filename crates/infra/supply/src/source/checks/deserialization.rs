//! Loading formats that run code.

use bartizan_core::Severity;

use super::super::call::Call;
use super::super::rules::{TORCH_LOAD, UNPICKLED_DOWNLOAD, UNPICKLED_FILE, YAML_LOAD};
use super::super::value::{Source, Value};
use super::Verdict;

/// Functions that run what their first argument says.
const UNPICKLERS: &[&str] = &[
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "_pickle.load",
    "_pickle.loads",
    "_pickle.Unpickler",
    "cPickle.load",
    "cPickle.loads",
    "pickle5.load",
    "pickle5.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "cloudpickle.pickle.loads",
    "dill.load",
    "dill.loads",
    "dill.load_session",
    "joblib.load",
    "sklearn.externals.joblib.load",
    "pandas.read_pickle",
    "shelve.open",
    "marshal.load",
    "marshal.loads",
    "jsonpickle.decode",
    "skops.io.load",
    "mlflow.pyfunc.load_model",
    "torch.package.PackageImporter",
    "compress_pickle.load",
    "compress_pickle.loads",
    "pickletools.optimize",
];

/// Functions of PyTorch that unpickle unless told not to.
const TORCH_LOADERS: &[&str] =
    &["torch.load", "torch.serialization.load", "torch.hub.load_state_dict_from_url", "torch.utils.model_zoo.load_url"];

/// Functions for which only an argument makes a file dangerous: the name, the argument, the dangerous value.
const SWITCHED: &[(&str, usize, &str, bool)] = &[
    ("numpy.load", 2, "allow_pickle", true),
    ("numpy.lib.format.read_array", 1, "allow_pickle", true),
    ("keras.models.load_model", 3, "safe_mode", false),
    ("keras.saving.load_model", 3, "safe_mode", false),
    ("keras.layers.deserialize", 2, "safe_mode", false),
    ("tensorflow.keras.models.load_model", 3, "safe_mode", false),
];

/// `torch.load` without `weights_only=True`.
pub(super) fn torch_load(call: &Call) -> Option<Verdict> {
    if !TORCH_LOADERS.contains(&call.path.as_str()) {
        return None;
    }
    let name = &call.path;
    let switch = call.keyword("weights_only");
    if switch.is_some_and(|value| !value.is(false)) {
        return None;
    }
    let is_off = switch.is_some();
    if let Some(entry) = call.arguments.first().and_then(foreign) {
        let message = format!("`{name}` without `weights_only=True` of what `{}` brought", entry.what);
        return Some(Verdict::new(&UNPICKLED_DOWNLOAD, message).from(&entry));
    }
    if name.ends_with("_url") {
        return Some(Verdict::new(&UNPICKLED_DOWNLOAD, format!("`{name}` without `weights_only=True`")));
    }
    if call.is_open && !is_off {
        return None;
    }
    let message = if is_off {
        format!("`{name}` with `weights_only=False`")
    } else {
        format!("`{name}` without `weights_only=True`")
    };
    Some(Verdict::new(&TORCH_LOAD, message))
}

/// pickle and its kin.
pub(super) fn unpickling(call: &Call) -> Option<Verdict> {
    let name = call.path.as_str();
    let switched = SWITCHED.iter().find(|(function, ..)| *function == name);
    let message = match switched {
        Some((_, position, argument, dangerous)) => {
            call.argument(*position, argument).filter(|value| value.is(*dangerous))?;
            format!("`{name}` with `{argument}={}`", if *dangerous { "True" } else { "False" })
        }
        None if UNPICKLERS.contains(&name) => format!("`{name}`"),
        None => return None,
    };
    match call.arguments.first().or_else(|| call.keywords.first().map(|(_, value)| value)).and_then(foreign) {
        Some(entry) => {
            let message = format!("{message} of what `{}` brought", entry.what);
            Some(Verdict::new(&UNPICKLED_DOWNLOAD, message).from(&entry))
        }
        None => Some(Verdict::new(&UNPICKLED_FILE, message)),
    }
}

/// YAML with a loader that makes objects.
pub(super) fn yaml_load(call: &Call) -> Option<Verdict> {
    const UNSAFE: &[&str] = &["UnsafeLoader", "CUnsafeLoader", "Loader", "CLoader"];
    const SAFE: &[&str] = &["SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader", "FullLoader", "CFullLoader"];
    let name = call.path.as_str();
    let message = match name {
        "yaml.unsafe_load" | "yaml.unsafe_load_all" => format!("`{name}`"),
        "yaml.load" | "yaml.load_all" => {
            let loader = call.argument(1, "Loader");
            let named =
                loader.and_then(|loader| loader.path.as_deref()).map(|path| path.rsplit('.').next().unwrap_or(path));
            match named {
                Some(loader) if UNSAFE.contains(&loader) => format!("`{name}` with `{loader}`"),
                Some(loader) if SAFE.contains(&loader) => return None,
                // A loader of the project's own is for its author to know.
                Some(_) => return None,
                None if loader.is_some() || call.is_open => return None,
                None => format!("`{name}` without a loader"),
            }
        }
        "ruamel.yaml.YAML" => {
            call.argument(0, "typ").filter(|value| value.as_text() == Some("unsafe"))?;
            "`ruamel.yaml.YAML` with `typ='unsafe'`".to_owned()
        }
        _ => return None,
    };
    let verdict = Verdict::new(&YAML_LOAD, message);
    match call.arguments.first().and_then(foreign) {
        Some(entry) => {
            let message = format!("{} of what `{}` brought", verdict.message, entry.what);
            Some(Verdict { message, ..verdict }.with_severity(Severity::High).from(&entry))
        }
        None => Some(verdict),
    }
}

/// Whether the value came over the network, or is an address.
fn foreign(value: &Value) -> Option<super::Entry> {
    if let Some(entry) = value.origins.get(Source::Download) {
        return Some(entry.clone());
    }
    let address = value.as_text()?;
    let is_address =
        ["http://", "https://", "ftp://", "s3://", "gs://"].iter().any(|scheme| address.starts_with(scheme));
    is_address.then(|| super::Entry { what: address.into(), offset: u32::MAX })
}
