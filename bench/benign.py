#!/usr/bin/env python3
"""False alarms of `bartizan scan` on artefacts that real libraries write.

    python3 bench/benign.py --make FOLDER          write what the libraries of this interpreter can make
    python3 bench/benign.py --scan FOLDER          scan it and print flagged and incomplete files by library

`--make` may be run with several interpreters into one folder: every file is named after library, version and
kind. Libraries that are absent are said to be. A file counts as flagged when a finding of it is at least medium.
"""

import argparse
import bz2
import collections
import gzip
import importlib
import io
import json
import lzma
import pathlib
import pickle
import random
import shutil
import subprocess
import sys
import warnings
import zlib

import scan as plain

warnings.simplefilter("ignore")
TRAINED_ON = {"python", "numpy", "sklearn", "torch", "scipy"}


def have(name):
    try:
        return importlib.import_module(name)
    except Exception as error:
        print(f"skipped: {name} ({type(error).__name__})", file=sys.stderr)
        return None


class Writer:
    def __init__(self, folder):
        self.folder = folder
        self.count = collections.Counter()

    def put(self, library, version, kind, extension, content):
        self.count[library] += 1
        name = f"{library}-{version}-{sys.version_info[0]}.{sys.version_info[1]}-{self.count[library]:04}-{kind}.{extension}"
        (self.folder / name).write_bytes(content)

    def pickles(self, library, version, kind, value, protocols=range(6)):
        for protocol in protocols:
            try:
                content = pickle.dumps(value, protocol)
            except Exception:
                continue
            self.put(library, version, f"{kind}-p{protocol}", "pkl", content)


def python(out, rng):
    for index in range(240):
        value = plain.plain(rng) if index % 2 else plain.library(rng)
        out.pickles("python", "%d.%d.%d" % sys.version_info[:3], "value", value, [index % 6])


def numpy(out, rng):
    np = have("numpy")
    if not np:
        return
    for index, kind in enumerate(("f4", "f8", "i2", "i8", "u1", "?", "c16", "M8[s]", "S5", "U5", "O", "f2")):
        array = np.zeros((3, 4), dtype=kind)
        out.pickles("numpy", np.__version__, f"array-{index}", array)
        file = io.BytesIO()
        np.save(file, array, allow_pickle=True)
        out.put("numpy", np.__version__, "npy", "npy", file.getvalue())
    out.pickles("numpy", np.__version__, "generator", np.random.default_rng(1))
    out.pickles("numpy", np.__version__, "state", np.random.RandomState(1))
    out.pickles("numpy", np.__version__, "masked", np.ma.masked_array([1, 2], [True, False]))
    out.pickles("numpy", np.__version__, "record", np.zeros(3, dtype=[("a", "i4"), ("b", "O")]))
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(10), b=np.array([{}, []], dtype=object))
    out.put("numpy", np.__version__, "npz", "npz", file.getvalue())


def estimators():
    from sklearn.datasets import load_iris
    from sklearn.utils import all_estimators

    data, target = load_iris(return_X_y=True)
    for name, estimator in all_estimators(type_filter=["classifier", "regressor", "transformer", "cluster"]):
        try:
            yield name, estimator().fit(abs(data[::3]), target[::3])
        except Exception:
            continue


def sklearn(out, rng):
    module = have("sklearn")
    joblib = have("joblib")
    if not module:
        return
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data, target = load_iris(return_X_y=True)
    composed = [
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(data, target),
        make_pipeline(ColumnTransformer([("s", StandardScaler(), [0, 1])]), RandomForestClassifier(5)).fit(data, target),
        GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1]}, cv=2).fit(data, target),
    ]
    fitted = list(estimators()) + [(f"composed{index}", value) for index, value in enumerate(composed)]
    for name, value in fitted:
        out.pickles("sklearn", module.__version__, name, value, [2, 4, 5])
    if not joblib:
        return
    compressions = [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3)]
    for index, (name, value) in enumerate(fitted):
        for compression in (compressions[0], compressions[1 + index % 6]):
            file = io.BytesIO()
            try:
                joblib.dump(value, file, compress=compression)
            except Exception:
                continue
            word = compression[0] if compression else "raw"
            out.put("joblib", joblib.__version__, f"{name}-{word}", "joblib", file.getvalue())


def pandas(out, rng):
    pd = have("pandas")
    if not pd:
        return
    np = have("numpy")
    index = pd.date_range("2026-01-01", periods=8, freq="D")
    frame = pd.DataFrame({"a": range(8), "b": np.random.rand(8), "c": list("abcdefgh"), "d": index})
    values = {
        "frame": frame,
        "series": frame["b"],
        "text": frame["c"],
        "categorical": frame["c"].astype("category"),
        "index": index,
        "multi": frame.set_index(["a", "c"]),
        "nullable": frame["a"].astype("Int64"),
        "boolean": (frame["a"] > 3).astype("boolean"),
        "zoned": frame["d"].dt.tz_localize("UTC"),
        "delta": frame["d"] - frame["d"].iloc[0],
        "period": frame["d"].dt.to_period("M"),
        "interval": pd.cut(frame["b"], 3),
        "timestamp": pd.Timestamp("2026-01-01", tz="UTC"),
        "offset": pd.offsets.MonthEnd(2),
        "sparse": pd.Series([0, 0, 1]).astype("Sparse[int]"),
        "groups": {key: part for key, part in frame.groupby(frame["a"] % 2)},
        "missing": pd.DataFrame({"x": [1, None, pd.NaT]}),
    }
    for kind, value in values.items():
        out.pickles("pandas", pd.__version__, kind, value)
    for compression in ("gzip", "bz2", "xz", "zip"):
        path = out.folder / "pandas-temporary"
        frame.to_pickle(path, compression=compression)
        out.put("pandas", pd.__version__, compression, "pkl." + compression, path.read_bytes())
        path.unlink()


def boosters(out, rng):
    from sklearn.datasets import load_iris

    data, target = load_iris(return_X_y=True)
    for name, classes in (
        ("xgboost", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier"]),
        ("lightgbm", ["LGBMClassifier", "LGBMRegressor"]),
        ("catboost", ["CatBoostClassifier", "CatBoostRegressor"]),
    ):
        module = have(name)
        if not module:
            continue
        for kind in classes:
            for trees in (2, 5, 9):
                quiet = {"verbose": 0} if name == "catboost" else {"verbosity": -1} if name == "lightgbm" else {}
                model = getattr(module, kind)(n_estimators=trees, **quiet).fit(data, target)
                out.pickles(name, module.__version__, kind, model)
        if name == "xgboost":
            for extension in ("json", "ubj"):
                path = out.folder / f"temporary.{extension}"
                model.save_model(path)
                out.put(name, module.__version__, "native", extension, path.read_bytes())
                path.unlink()
            out.pickles(name, module.__version__, "booster", model.get_booster())
        if name == "lightgbm":
            out.put(name, module.__version__, "native", "txt", model.booster_.model_to_string().encode())
            out.pickles(name, module.__version__, "booster", model.booster_)
        if name == "catboost":
            path = out.folder / "temporary.cbm"
            model.save_model(str(path))
            out.put(name, module.__version__, "native", "cbm", path.read_bytes())
            path.unlink()


def statsmodels(out, rng):
    module = have("statsmodels")
    if not module:
        return
    import numpy as np
    import statsmodels.api as sm
    from statsmodels.tsa.arima.model import ARIMA

    data = np.random.default_rng(1).random((60, 3))
    fits = {
        "ols": lambda: sm.OLS(data[:, 0], data[:, 1:]).fit(),
        "logit": lambda: sm.Logit((data[:, 0] > 0.5).astype(int), data[:, 1:]).fit(disp=0),
        "glm": lambda: sm.GLM(data[:, 0], data[:, 1:], family=sm.families.Gamma(sm.families.links.Log())).fit(),
        "arima": lambda: ARIMA(data[:, 0], order=(1, 0, 0)).fit(),
        "rlm": lambda: sm.RLM(data[:, 0], data[:, 1:]).fit(),
    }
    for kind, fit in fits.items():
        out.pickles("statsmodels", module.__version__, kind, fit())


def torch(out, rng):
    module = have("torch")
    if not module:
        return
    nn = module.nn
    models = {
        "linear": nn.Linear(3, 4),
        "mlp": nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.Linear(8, 2)),
        "convolution": nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Softmax(1)),
        "lstm": nn.LSTM(4, 8, num_layers=2),
        "gru": nn.GRU(4, 8),
        "transformer": nn.TransformerEncoderLayer(8, 2, 16),
        "embedding": nn.EmbeddingBag(10, 4),
    }
    for kind, model in models.items():
        optimizer = module.optim.Adam(model.parameters())
        values = {
            "state": model.state_dict(),
            "module": model,
            "checkpoint": {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "loss": 0.5},
            "half": {key: value.half() for key, value in model.state_dict().items()},
        }
        for word, value in values.items():
            for zipped in (True, False):
                for protocol in (2, 4):
                    file = io.BytesIO()
                    module.save(value, file, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
                    out.put("torch", module.__version__, f"{kind}-{word}-{'zip' if zipped else 'old'}-p{protocol}", "pt", file.getvalue())
        try:
            file = io.BytesIO()
            module.jit.save(module.jit.script(model), file)
            out.put("torch", module.__version__, f"{kind}-script", "pt", file.getvalue())
        except Exception:
            pass
    for dtype in (module.float64, module.bfloat16, module.int8, module.bool, module.complex64):
        file = io.BytesIO()
        module.save(module.zeros(3, 3).to(dtype), file)
        out.put("torch", module.__version__, "tensor", "pt", file.getvalue())
    file = io.BytesIO()
    module.save(module.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (2, 2)), file)
    out.put("torch", module.__version__, "sparse", "pt", file.getvalue())


def keras(out, rng):
    module = have("keras")
    if not module:
        return
    import tempfile

    layers = module.layers
    models = {
        "mlp": module.Sequential([layers.Input((4,)), layers.Dense(8, "relu"), layers.Dropout(0.1), layers.Dense(3, "softmax")]),
        "convolution": module.Sequential(
            [layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
        ),
        "lstm": module.Sequential([layers.Input((5, 3)), layers.LSTM(4), layers.Dense(1)]),
        "attention": module.Sequential([layers.Input((5, 8)), layers.LayerNormalization(), layers.GlobalAveragePooling1D()]),
        "normalization": module.Sequential([layers.Input((4,)), layers.Rescaling(0.5), layers.Dense(1)]),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for kind, model in models.items():
            model.compile("adam", "mse", metrics=["mae"])
            for extension in ("keras", "h5"):
                path = folder / f"m.{extension}"
                model.save(path)
                out.put("keras", module.__version__, kind, extension, path.read_bytes())
            weights = folder / "m.weights.h5"
            model.save_weights(weights)
            out.put("keras", module.__version__, kind + "-weights", "h5", weights.read_bytes())
            out.put("keras", module.__version__, kind, "json", model.to_json().encode())
            try:
                import tensorflow

                model.export(folder / kind)
                for path in (folder / kind).rglob("*.pb"):
                    out.put("tensorflow", tensorflow.__version__, f"{kind}-{path.stem}", "pb", path.read_bytes())
                converted = tensorflow.lite.TFLiteConverter.from_keras_model(model).convert()
                out.put("tensorflow", tensorflow.__version__, kind, "tflite", converted)
            except Exception as error:
                print(f"skipped: export of {kind} ({type(error).__name__})", file=sys.stderr)


def others(out, rng):
    np = have("numpy")
    safetensors = have("safetensors.numpy")
    if safetensors and np:
        for index in range(20):
            content = safetensors.save({"w": np.random.rand(3, index + 1).astype("f4")}, {"format": "pt"})
            out.put("safetensors", have("safetensors").__version__, "weights", "safetensors", content)
    onnx = have("skl2onnx")
    if onnx:
        from skl2onnx import to_onnx

        for name, value in list(estimators())[::4]:
            try:
                content = to_onnx(value, np.zeros((1, 4), dtype="f4")).SerializeToString()
            except Exception:
                continue
            out.put("onnx", onnx.__version__, name, "onnx", content)
    imblearn = have("imblearn")
    if imblearn:
        from imblearn.over_sampling import SMOTE
        from imblearn.pipeline import make_pipeline
        from sklearn.linear_model import LogisticRegression

        out.pickles("imblearn", imblearn.__version__, "pipeline", make_pipeline(SMOTE(), LogisticRegression()))
    encoders = have("category_encoders")
    if encoders:
        out.pickles("category_encoders", encoders.__version__, "target", encoders.TargetEncoder())
    networkx = have("networkx")
    if networkx:
        out.pickles("networkx", networkx.__version__, "graph", networkx.karate_club_graph())
    spacy = have("spacy")
    if spacy:
        nlp = spacy.blank("en")
        out.pickles("spacy", spacy.__version__, "vocabulary", nlp.vocab)
        out.pickles("spacy", spacy.__version__, "document", nlp("a small document"))
    gensim = have("gensim")
    if gensim:
        from gensim.models import Word2Vec

        out.pickles("gensim", gensim.__version__, "word2vec", Word2Vec([["a", "b"], ["c"]], min_count=1, vector_size=4))
    scipy = have("scipy")
    if scipy:
        import scipy.sparse

        for kind in ("csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "lil_matrix", "dia_matrix"):
            if hasattr(scipy.sparse, kind):
                out.pickles("scipy", scipy.__version__, kind, getattr(scipy.sparse, kind)(np.eye(3)))


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    out, rng = Writer(folder), random.Random(1)
    for part in (python, numpy, sklearn, pandas, boosters, statsmodels, torch, keras, others):
        try:
            part(out, rng)
        except Exception as error:
            print(f"skipped: rest of {part.__name__} ({type(error).__name__}: {error})", file=sys.stderr)
    wrappers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "z": zlib.compress}
    for index, path in enumerate(sorted(folder.glob("python-*.pkl"))[:40]):
        extension, compress = list(wrappers.items())[index % 4]
        out.put("python", "compressed", "value", f"pkl.{extension}", compress(path.read_bytes()))
    print(dict(out.count))


def scan(folder, bartizan, show):
    output = subprocess.run([bartizan, "scan", "--only", "models", "--format", "json", str(folder)], capture_output=True).stdout
    report = json.loads(output)
    flagged, reasons = set(), collections.defaultdict(collections.Counter)
    for finding in report["findings"]:
        if finding["severity"] in ("medium", "high", "critical"):
            path = finding["location"]["path"].split("!")[0]
            flagged.add(path)
            reasons[path.split("-")[0]][f"{finding['rule']} {finding['message']}"] += 1
    table = collections.defaultdict(lambda: [0, 0, 0])
    gaps = collections.Counter()
    for file in report["files"]:
        library = file["path"].split("-")[0]
        table[library][0] += 1
        table[library][1] += file["path"] in flagged
        if file["state"] != "complete":
            table[library][2] += 1
            gaps[f"{library}: {file['state']}: {file['reason']}"] += 1
    print(f"{'library':20} files flagged incomplete")
    total = [0, 0, 0]
    for library, row in sorted(table.items()):
        total = [a + b for a, b in zip(total, row)]
        role = "reviewed" if library in TRAINED_ON else "held out"
        print(f"{library:20} {row[0]:5} {row[1]:7} {row[2]:10}  {role}")
        for reason, times in reasons[library].most_common(show):
            print(f"    {times:4} {reason[:150]}")
    for gap, times in gaps.most_common(show):
        print(f"  incomplete {times:4} {gap[:160]}")
    print(f"all: {total[1]} of {total[0]} flagged ({total[1] / max(total[0], 1):.2%}), {total[2]} incomplete")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--make", type=pathlib.Path)
    options.add_argument("--scan", type=pathlib.Path)
    options.add_argument("--bartizan", default=shutil.which("bartizan") or "target/release/bartizan")
    options.add_argument("--show", type=int, default=12, help="reasons to print for each library")
    chosen = options.parse_args()
    if chosen.make:
        make(chosen.make)
    if chosen.scan:
        scan(chosen.scan, chosen.bartizan, chosen.show)


if __name__ == "__main__":
    main()
