#!/usr/bin/env python3
"""List classes that a pickle may make because making them runs none of their own code.

    python3 bench/allowlist.py sklearn scipy pandas … [--blocked]

A pickle makes an object with NEWOBJ, which runs `__new__`, and gives it state with BUILD, which runs `__setstate__`
or fills `__dict__`. Later opcodes may hash it, compare it or append to it, and the collector may finalize it. A
class is listed when it inherits every one of those from `object`, a built-in type or a base whose hook was
reviewed (REVIEWED below, with the reason). Whatever else a class defines runs only when the program that
loaded the pickle calls it: the machine refuses to hand such a class, or an object of one, to a function that could.

The names go into `crates/model/artifact/src/pickle/classes.txt`; `--blocked` prints the hooks that keep classes out.
"""

import argparse
import collections
import importlib
import inspect
import os
import pathlib
import pkgutil
import re
import sys
import warnings

warnings.simplefilter("ignore")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

HOOKS = (
    "__new__ __setstate__ __setattr__ __delattr__ __getattr__ __getattribute__ __del__ __hash__ __eq__ __ne__ "
    "append extend add __setitem__ __iadd__ __set_name__ __init_subclass__ __bool__ __len__"
).split()
# Comparing and measuring happen at load only to keys of dictionaries and members of sets.
QUIET = {"__bool__", "__len__", "__ne__", "__init_subclass__", "__set_name__", "__delattr__", "__iadd__"}
REVIEWED = {
    ("sklearn.base", "BaseEstimator", "__setstate__"): "warns about another version, fills __dict__",
    ("pandas.core.generic", "NDFrame", "__setstate__"): "fills attributes from a dictionary of known keys",
    ("pandas.core.generic", "NDFrame", "__getattr__"): "looks names up in the object's own columns",
    ("pandas.core.generic", "NDFrame", "__setattr__"): "sets an attribute or a column",
    ("pandas.core.arraylike", "OpsMixin", "__eq__"): "compares values",
    ("torch.nn.modules.module", "Module", "__setstate__"): "fills __dict__ and adds missing hook dictionaries",
    ("torch.nn.modules.module", "Module", "__getattr__"): "looks names up in own parameters, buffers, modules",
    ("torch.nn.modules.module", "Module", "__setattr__"): "registers parameters and modules",
    ("torch.nn.modules.module", "Module", "__delattr__"): "unregisters them",
    ("torch.optim.optimizer", "Optimizer", "__setstate__"): "fills __dict__ and defaults",
    ("statsmodels.base.data", "ModelData", "__setstate__"): "rebuilds frames from the object's own arrays",
    ("statsmodels.base.wrapper", "ResultsWrapper", "__getattribute__"): "looks names up in the wrapped results",
    ("statsmodels.base.wrapper", "ResultsWrapper", "__setstate__"): "fills __dict__",
    ("statsmodels.tsa.deterministic", "DeterministicTerm", "__hash__"): "hashes its own name and parameters",
    ("statsmodels.tsa.statespace.mlemodel", "MLEModel", "__setitem__"): "sets a matrix of its state space",
    ("statsmodels.tsa.statespace.representation", "Representation", "extend"): "makes a longer copy",
    ("statsmodels.tsa.statespace.mlemodel", "MLEResults", "append"): "fits once more on more data",
    ("statsmodels.tsa.arima.model", "ARIMAResults", "append"): "fits once more on more data",
    ("statsmodels.tsa.statespace.mlemodel", "MLEResults", "extend"): "predicts from the end of the data",
    ("statsmodels.tsa.statespace.recursive_ls", "RecursiveLSResults", "append"): "fits once more on more data",
    ("statsmodels.tsa.statespace.sarimax", "SARIMAXResults", "extend"): "predicts from the end of the data",
    ("statsmodels.tsa.statespace.varmax", "VARMAXResults", "extend"): "predicts from the end of the data",
    ("statsmodels.tsa.statespace.dynamic_factor_mq", "DynamicFactorMQResults", "append"): "fits once more on more data",
    ("statsmodels.tsa.statespace.representation", "Representation", "__setitem__"): "sets a matrix",
    ("statsmodels.tsa.statespace.initialization", "Initialization", "__setitem__"): "sets a part of itself",
    ("statsmodels.tsa.ar_model", "AutoRegResults", "append"): "fits once more on more data",
    ("statsmodels.discrete.discrete_model", "NegativeBinomial", "__setstate__"): "fills __dict__, picks a method",
    ("sklearn.gaussian_process.kernels", "Kernel", "__eq__"): "compares parameters",
    ("sklearn.gaussian_process.kernels", "KernelOperator", "__eq__"): "compares its parts",
    ("scipy.sparse.linalg._interface", "LinearOperator", "__new__"): "makes the object and warns",
    ("scipy.sparse._base", "_spbase", "__eq__"): "compares values",
    ("scipy.interpolate._interpolate", "_PPolyBase", "extend"): "appends coefficients",
    ("pandas.api.extensions", "ExtensionDtype", "__eq__"): "compares its own attributes",
    ("pandas.api.extensions", "ExtensionDtype", "__hash__"): "hashes its own attributes",
    ("pandas.core.dtypes.base", "ExtensionDtype", "__eq__"): "compares its own attributes",
    ("pandas.core.dtypes.base", "ExtensionDtype", "__hash__"): "hashes its own attributes",
    ("pandas.core.arrays.masked", "BaseMaskedArray", "__setitem__"): "sets values",
    ("pandas.core.base", "NoNewAttributesMixin", "__setattr__"): "refuses unknown names",
    ("torch.nn.modules.conv", "_ConvNd", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.rnn", "RNNBase", "__setstate__"): "fills __dict__ and names of weights",
    ("torch.nn.modules.rnn", "RNNBase", "__setattr__"): "sets an attribute and its weight reference",
    ("torch.nn.modules.batchnorm", "_NormBase", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.activation", "MultiheadAttention", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.activation", "Softmax", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.activation", "Softmin", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.activation", "LogSoftmax", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.activation", "ReLU6", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.activation", "Threshold", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.transformer", "TransformerEncoderLayer", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.transformer", "TransformerDecoderLayer", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.upsampling", "Upsample", "__setstate__"): "fills __dict__ and a default",
    ("torch.nn.modules.container", "Sequential", "append"): "adds a module",
    ("torch.nn.modules.container", "Sequential", "extend"): "adds modules",
    ("torch.nn.modules.container", "Sequential", "__setitem__"): "replaces a module",
    ("torch.nn.modules.container", "ModuleList", "append"): "adds a module",
    ("torch.nn.modules.container", "ModuleList", "extend"): "adds modules",
    ("torch.nn.modules.container", "ModuleList", "__setitem__"): "replaces a module",
    ("torch.nn.modules.container", "ModuleDict", "__setitem__"): "adds a module",
    ("torch.nn.modules.container", "ParameterList", "append"): "adds a parameter",
    ("torch.nn.modules.container", "ParameterList", "extend"): "adds parameters",
    ("torch.nn.modules.container", "ParameterList", "__setitem__"): "replaces a parameter",
    ("torch.nn.modules.container", "ParameterDict", "__setitem__"): "adds a parameter",
}
# Classes that nothing loads, or that act on the machine whatever they inherit.
SKIPPED = ("test", "conftest", "_testing", "setup", "vendor", "externals", "_build_utils", "__main__", "distributed", "multiprocessing", "utils.data", "package", "hub", "jit", "fx.", "onnx.", "_inductor", "_dynamo")
# Modules and names that act on files, processes or the network in their other methods. Nothing on the lists may call
# those, and yet nobody needs them in a pickle.
ACTING_MODULES = (
    "torch.serialization torch.utils torch.backends torch.profiler torch._weights_only torch.cuda torch.testing torch._package "
    "pandas.compat.pickle_compat scipy.io scipy.odr sklearn.datasets statsmodels.datasets catboost.utils catboost.widget "
    "xgboost.tracker xgboost.spark xgboost.dask lightgbm.dask"
).split()
ACTING_NAMES = re.compile(r"(ExcelFile|ExcelWriter|HDFStore|JsonReader|StataReader|SAS\w*|Unpickler|\w*Reader|\w*Writer|\w*File)$")


LISTS = pathlib.Path(__file__).resolve().parent.parent / "crates/model/artifact/src/pickle"


def dangerous():
    """Modules of which the policy calls everything dangerous."""
    lines = (line.split() for line in (LISTS / "dangerous.txt").read_text().splitlines())
    return tuple(words[0] for words in lines if len(words) == 2 and words[1] == "*")


def owner(cls, hook):
    for base in cls.__mro__:
        if hook in vars(base):
            return base
    return None


def generated(function):
    code = getattr(function, "__code__", None)
    return code is not None and (code.co_filename.startswith("<") or "dataclasses" in code.co_filename)


def blocked(cls):
    """The first hook that runs the class's own code, or nothing."""
    if type(cls) is not type and type(cls).__name__ not in ("ABCMeta", "_ProtocolMeta", "GenericMeta"):
        return type(cls), "metaclass"
    if isinstance(vars(cls).get("__dict__"), property):
        return cls, "__dict__"
    for hook in HOOKS:
        base = owner(cls, hook)
        if base is None or base.__module__ in ("builtins", "abc", "typing") or hook in QUIET:
            continue
        if (base.__module__, base.__name__, hook) in REVIEWED:
            continue
        if hook in ("__eq__", "__hash__") and (vars(base)[hook] is None or generated(vars(base)[hook])):
            continue
        if hook == "__new__" and base.__module__ == "typing":
            continue
        return base, hook
    return None


def written_in(module, cls):
    """Whether a method of the class stands in the module's file."""
    files = {method.__code__.co_filename for method in vars(cls).values() if hasattr(method, "__code__")}
    return getattr(module, "__file__", None) in files


def classes(package):
    seen = set()
    root = importlib.import_module(package)
    names = [package] + [found.name for found in pkgutil.walk_packages(root.__path__, package + ".", onerror=lambda _: None)]
    for name in names:
        if any(word in name for word in SKIPPED):
            continue
        try:
            module = importlib.import_module(name)
        except BaseException:
            continue
        for attribute, cls in sorted(vars(module).items()):
            if not inspect.isclass(cls) or cls.__qualname__ != attribute or (name, attribute) in seen:
                continue
            # Libraries rename the module of public classes to the package; older versions did not.
            if cls.__module__ == name or (name.startswith(cls.__module__ + ".") and written_in(module, cls)):
                seen.add((name, attribute))
                yield name, cls


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("packages", nargs="+")
    options.add_argument("--blocked", action="store_true")
    chosen = options.parse_args()
    for package in chosen.packages:
        try:
            version = importlib.import_module(package).__version__
        except ImportError:
            print(f"skipped: {package} is not installed", file=sys.stderr)
            continue
        refused = dangerous()
        names, kept_out = [], collections.defaultdict(list)
        for name, cls in classes(package):
            if issubclass(cls, BaseException):
                continue
            reason = blocked(cls)
            if reason is None:
                names += [f"{cls.__module__} {cls.__qualname__}", f"{name} {cls.__qualname__}"]
            else:
                kept_out[f"{reason[0].__module__}.{reason[0].__qualname__}.{reason[1]}"].append(cls.__qualname__)
        if chosen.blocked:
            for hook, kept in sorted(kept_out.items(), key=lambda item: -len(item[1])):
                print(len(kept), hook, kept[:4])
        else:
            print(f"[{package} {version}: loading runs none of the class's own code; bench/allowlist.py]")
            for name in sorted(set(names)):
                module = name.split()[0] + "."
                if any(module.startswith(prefix + ".") for prefix in [*refused, *ACTING_MODULES]):
                    continue
                if ACTING_NAMES.match(name.split()[1]):
                    continue
                print(f"{name} new")
            print()


if __name__ == "__main__":
    main()
