#!/usr/bin/env python3
"""The search for secrets in a history beside gitleaks, on a repository that is made here and is the same every time.

    python3 bench/history.py --bartizan target/release/bartizan

2,000 commits over 120 files, with merges; every 50th commit brings an invented token and the next takes it out again. Prints
seconds, MB of inflated files per second, peak memory and what was found; where gitleaks is not on PATH (or named by --tools),
that is said and nothing is compared. No secret is printed.
"""

import argparse
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import zlib

import scan

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORDS = "import return value model layer index batch tensor config train loss epoch shape data path open read".split()


def token(source):
    """Letters and digits with the checksum by which GitHub's tokens are known."""
    body = "".join(source.choice(ALPHABET) for _ in range(30))
    checksum, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        checksum, digit = divmod(checksum, 62)
        digits = ALPHABET[digit] + digits
    return "ghp_" + body + digits


def stream(commits, lines):
    """The history in the language of `git fast-import`; how many tokens it holds."""
    source = random.Random(7)
    line = lambda: " ".join(source.choice(WORDS) for _ in range(8)) + "\n"
    files = {f"src/part{number % 12}/file{number}.py": [line() for _ in range(lines)] for number in range(120)}
    names, out, tokens = sorted(files), [], 0
    for commit in range(commits):
        out.append(f"commit refs/heads/main\nmark :{commit + 1}\ncommitter a <a@example.org> {1700000000 + commit * 600} +0000\n")
        out.append("data 4\nwork\n")
        if commit and commit % 97 == 0:
            out.append(f"from :{commit}\nmerge :{max(1, commit - 40)}\n")
        changed = names if commit == 0 else source.sample(names, 3)
        for name in changed:
            text = files[name]
            text[source.randrange(len(text))] = line()
            body = "".join(text)
            if name == changed[0] and commit % 50 == 25:
                body, tokens = body + f'token = "{token(source)}"\n', tokens + 1
            out.append(f"M 100644 inline {name}\ndata {len(body)}\n{body}\n")
    return "".join(out).encode(), tokens


def repository(folder, commits, lines):
    git = ["git", "-C", str(folder), "-c", "gc.auto=0"]
    folder.mkdir()
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    text, tokens = stream(commits, lines)
    subprocess.run([*git, "fast-import", "--quiet"], input=text, check=True)
    subprocess.run([*git, "gc", "--quiet"], check=True)
    return tokens


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bartizan", default=shutil.which("bartizan") or "target/release/bartizan")
    options.add_argument("--tools", type=pathlib.Path, help="folder that holds gitleaks")
    options.add_argument("--commits", type=int, default=2000)
    options.add_argument("--lines", type=int, default=400)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    if not shutil.which("git"):
        print("skipped: git is not installed, and makes the repository")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "repository"
        tokens = repository(folder, chosen.commits, chosen.lines)
        command = [chosen.bartizan, "scan", "--quiet", "--history", "--only", "secrets"]
        said = subprocess.run([*command, "--format", "json", str(folder)], capture_output=True, check=False)
        report = json.loads(said.stdout)
        entry = next(file for file in report["files"] if file["format"] == "git")
        found = len(report["findings"])
        megabytes = entry["bytes"] / 1e6
        print(f"{chosen.commits} commits, {entry['members']} versions of files, {megabytes:.1f} MB inflated, {tokens} tokens")
        rows = [scan.measured([*command, str(folder)]) for _ in range(chosen.runs)]
        wall, cpu, memory, code = (statistics.median(column) for column in zip(*rows))
        print(
            f"{'bartizan':10} wall {wall:7.2f} s  cpu {cpu:7.2f} s  {megabytes / wall:7.1f} MB/s"
            f"  peak {memory:6.1f} MiB  found {found}  exit {code:.0f}"
        )
        peer = shutil.which("gitleaks", path=str(chosen.tools)) if chosen.tools else shutil.which("gitleaks")
        if peer:
            ask = [peer, "git", "--no-banner", "--log-level", "error", "--redact", "--report-path", "/dev/null", str(folder)]
            rows = [scan.measured(ask) for _ in range(chosen.runs)]
            peer_wall, peer_cpu, peer_memory, peer_code = (statistics.median(column) for column in zip(*rows))
            print(f"{'gitleaks':10} wall {peer_wall:7.2f} s  cpu {peer_cpu:7.2f} s  peak {peer_memory:6.1f} MiB  exit {peer_code:.0f}")
            print(f"gitleaks / bartizan, wall: {peer_wall / wall:.1f}; cpu: {peer_cpu / cpu:.1f}")
        else:
            print("absent: gitleaks; nothing is compared")
        if found != tokens:
            sys.exit(f"{tokens} tokens were hidden and {found} found")


if __name__ == "__main__":
    main()
