#!/usr/bin/env python3
"""Compare the search for secrets with detect-secrets: speed, and what is found, on a source tree.

Takes the source distribution of scikit-learn 1.5.2 (or a folder by --tree), runs both alternately on one
core, and prints CPU seconds, MB per CPU second and their ratio in the same run. Then every difference in what
is found, by category. Then both on a tree of invented secrets, one or more of each kind, and of texts that look
alike and hold none.

    cargo build --release -p bartizan-supply --example secrets
    python3 bench/secret_search.py --detect-secrets PATH [--tree FOLDER] [--bartizan target/release/bartizan]

Without --bartizan the inspector alone is measured (the example above, also needed for the invented secrets).
No secret is printed: of what differs, only place, kind and category are shown.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

PACKAGE = "scikit-learn==1.5.2"


def source_tree(folder):
    """The unpacked source distribution. pip would go on to build it; it is stopped when the archive is there."""
    scratch = folder / "pip"
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "-q", "download", "--no-binary", PACKAGE.split("=")[0], "--no-deps"]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    pip = subprocess.Popen([*command, "-d", str(scratch / "done"), PACKAGE], env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            for archive in scratch.rglob("scikit_learn-*.tar.gz"):
                try:
                    with tarfile.open(archive) as tar:
                        tar.extractall(folder, filter="data")
                    return next(folder.glob("scikit_learn-*"))
                except (tarfile.TarError, EOFError, OSError):
                    pass
            if pip.poll() is not None:
                return None
            time.sleep(1)
        return None
    finally:
        pip.kill()
        pip.wait()
        shutil.rmtree(scratch, ignore_errors=True)


def run(command, folder):
    """Standard output, CPU seconds and wall seconds of a command on one core."""
    pinned = ["taskset", "-c", "0", *command] if shutil.which("taskset") else command
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(pinned, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, cpu, time.monotonic() - start


def ours(output, is_report):
    """(path, line) -> kind."""
    found = {}
    findings = json.loads(output)["findings"] if is_report else [json.loads(line) for line in output.splitlines()]
    for finding in findings:
        if "kind" in finding["evidence"]:
            for line in finding["evidence"]["lines"]:
                found[finding["location"]["path"], line] = finding["evidence"]["kind"]
    return found


def theirs(output):
    found = {}
    for path, hits in json.loads(output)["results"].items():
        for hit in hits:
            found[path.removeprefix("./"), hit["line_number"]] = hit["type"]
    return found


CATEGORIES = [
    ("digest of a public download", r"checksum|sha-?(1|256|384|512)|md5|digest|integrity"),
    ("commit, tag or other git object", r"\bcommit|\brev\b|\btree/|/blob/|git"),
    ("identifier in a URL", r"https?://"),
    ("test or documentation password", r"password|passwd|secret"),
]


def category(tree, path, line):
    """Why the other tool stopped at a line: words on it and on the two lines before."""
    try:
        lines = (tree / path).read_text(errors="replace").splitlines()
    except OSError:
        return "unread"
    near = "\n".join(lines[max(0, line - 3) : line]).lower()
    here = lines[line - 1] if line <= len(lines) else ""
    for name, pattern in CATEGORIES:
        if re.search(pattern, near):
            return name
    runs = re.findall(r"[0-9a-fA-F]{16,}", here)
    return "hexadecimal data" if runs else "other"


def compare(tree, found, other):
    """Prints what only one of the two found."""
    both = found.keys() & other.keys()
    print(f"found by both: {len(both)}")
    for name, mine, against in (("bartizan", found, other), ("detect-secrets", other, found)):
        only = sorted(mine.keys() - against.keys())
        groups = collections.Counter((mine[place], category(tree, *place)) for place in only)
        print(f"found by {name} only: {len(only)}")
        for (kind, why), count in groups.most_common():
            places = [f"{path}:{line}" for path, line in only if (mine[path, line], category(tree, path, line)) == (kind, why)]
            print(f"  {count:4} {kind}: {why} ({', '.join(places[:3])}{', …' if count > 3 else ''})")


def invented(example, detect, folder):
    """Recall on invented secrets and false positives on their look-alikes, by file."""
    rows = [json.loads(line) for line in run([example, "--samples"], folder)[0].splitlines()]
    tree = folder / "invented"
    for index, row in enumerate(rows):
        place = tree / ("secret" if row["is_secret"] else "alike") / f"{row['kind']}-{index}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(row["text"] + "\n")
    found = {path for path, _ in ours(run([example, "."], tree)[0], False)}
    other = {path for path, _ in theirs(run([detect, "scan", "--all-files", "--no-verify", "."], tree)[0])} if detect else set()
    total = collections.Counter(place.parent.name for place in tree.rglob("*.txt"))
    print(f"\ninvented: {total['secret']} texts with a secret, {total['alike']} that look alike")
    print("(the texts come from our own table of kinds: this shows breadth, not an independent recall)")
    for name, hits in (("bartizan", found), ("detect-secrets", other)):
        if name == "bartizan" or detect:
            counts = collections.Counter(path.split("/")[0] for path in hits)
            print(f"  {name}: {counts['secret']} of the secrets, {counts['alike']} of the look-alikes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", default="target/release/examples/secrets", help="the inspector alone")
    parser.add_argument("--bartizan", help="the whole program instead")
    parser.add_argument("--detect-secrets", default=shutil.which("detect-secrets"))
    parser.add_argument("--tree", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5, help="runs of bartizan; detect-secrets gets a quarter, at least one")
    arguments = parser.parse_args()
    example = shutil.which(arguments.example)
    if not example:
        sys.exit(f"`{arguments.example}` is missing; build it, or name it by --example")
    example = os.path.abspath(example)
    detect = arguments.detect_secrets and os.path.abspath(shutil.which(arguments.detect_secrets) or arguments.detect_secrets)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        tree = arguments.tree or source_tree(scratch)
        if tree is None:
            print("skipped: the source distribution can't be had; give a folder by --tree")
        else:
            speed(arguments, example, detect, tree.resolve())
        invented(example, detect, scratch)


def speed(arguments, example, detect, tree):
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"{tree.name}: {size / 1e6:.1f} MB")
    command = [example, "."]
    if arguments.bartizan:
        command = [os.path.abspath(arguments.bartizan), "scan", "--only", "secrets", "--format", "json", "."]
    run(command, tree)
    mine, other = [], []
    found, found_other = {}, {}
    for index in range(arguments.runs):
        output, cpu, _ = run(command, tree)
        mine.append(cpu)
        found = ours(output, bool(arguments.bartizan))
        if detect and index % 4 == 0:
            output, cpu, _ = run([detect, "scan", "--all-files", "--no-verify", "."], tree)
            other.append(cpu)
            found_other = theirs(output)
    cpu = statistics.median(mine)
    shown = ", ".join(f"{seconds:.3f}" for seconds in mine)
    print(f"bartizan: {cpu:.3f} CPU s ({shown}), {size / 1e6 / cpu:.0f} MB per CPU s, {len(found)} found")
    if not detect:
        print("skipped: no detect-secrets to compare with")
        return
    cpu_other = statistics.median(other)
    print(f"detect-secrets: {cpu_other:.1f} CPU s, {size / 1e6 / cpu_other:.2f} MB per CPU s, {len(found_other)} found")
    print(f"ratio: {cpu_other / cpu:.0f}")
    compare(tree, found, found_other)


if __name__ == "__main__":
    main()
