#!/usr/bin/env python3
"""Differential fuzzing of `bartizan scan` against CPython's real unpicklers.

Mutated pickles are loaded for real, by the C and the pure-Python unpickler, from memory and from a file, in a
child process that an audit hook watches (PEP 578). What the hook sees is refused before it happens: starting
programs, opening files for writing, connections, `exec` and `compile`, importing a module that is not allowed,
and every lookup by `find_class` of a name that is not allowed. Any such event for a file that `bartizan`
calls clean and complete is a fail-open, printed with its bytes.

    python3 bench/pickle_jail.py --bartizan target/release/bartizan --count 200000 --jobs 2

The child has limits on memory, file size and time.
"""

import argparse
import io
import json
import multiprocessing
import os
import pathlib
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings

import scan_oracle

warnings.simplefilter("ignore")
# Events after which something has happened outside the interpreter (docs.python.org, "Audit events table").
ACTING = (
    "os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty os.kill os.killpg os.remove os.rename os.rmdir os.mkdir "
    "os.chmod os.chown os.link os.symlink os.truncate os.putenv os.unsetenv os.chdir subprocess.Popen pty.spawn shutil.rmtree "
    "shutil.copyfile shutil.move socket.connect socket.bind socket.getaddrinfo socket.sendto urllib.Request ftplib.connect "
    "smtplib.connect imaplib.open poplib.connect telnetlib.Telnet.open webbrowser.open ctypes.dlopen ctypes.dlsym "
    "code.__new__ exec compile marshal.loads marshal.load builtins.input sqlite3.connect signal.pthread_kill "
    "sys.setprofile sys.settrace sys.unraisablehook glob.glob os.listdir os.scandir os.walk tempfile.mkstemp"
).split()


class Refused(BaseException):
    """An event that must not go on."""


def gadgets():
    """Pickles of published bypasses' shapes: every way to name and call something."""
    rng = random.Random(7)
    names = [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("subprocess", "check_output"),
        ("timeit", "timeit"),
        ("pdb", "run"),
        ("code", "interact"),
        ("pydoc", "pipepager"),
        ("logging", "FileHandler"),
        ("shutil", "rmtree"),
        ("ctypes", "CDLL"),
        ("urllib.request", "urlopen"),
        ("builtins", "__import__"),
        ("builtins", "open"),
        ("pkgutil", "resolve_name"),
        ("operator", "methodcaller"),
        ("functools", "partial"),
        ("collections", "_sys.modules"),
        ("numpy", "f2py.os.system"),
        ("runpy", "run_path"),
        ("bdb", "Bdb.run"),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
        ("distutils.file_util", "write_file"),
        ("lib2to3.pgen2.pgen", "ParserGenerator"),
        ("idlelib.pyshell", "ModifiedInterpreter.runcommand"),
    ]
    found = []
    for module, name in names:
        m, n = module.encode(), name.encode()
        short = lambda text: b"\x8c" + bytes([len(text)]) + text
        argument = rng.choice([short(b"id"), b"K\x01", b"N"])
        found += [
            b"c" + m + b"\n" + n + b"\n(S'id'\ntR.",
            b"(S'id'\ni" + m + b"\n" + n + b"\n.",
            b"(c" + m + b"\n" + n + b"\nS'id'\no.",
            b"\x80\x02c" + m + b"\n" + n + b"\n" + b"X\x02\0\0\0id\x85R.",
            b"\x80\x04" + short(m) + b"\x94" + short(n) + b"\x94\x93\x94" + argument + b"\x85\x94R\x94.",
            b"\x80\x04" + short(m) + short(n) + b"\x93" + argument + b"\x85\x81.",
            b"\x80\x04" + short(m) + short(n) + b"\x93)}\x92.",
            b"\x80\x04" + short(n) + b"\x940" + short(m) + b"h\x00\x93" + argument + b"\x85R.",
            b"\x80\x04]\x94(" + short(m) + short(n) + b"\x93" + argument + b"\x85Re.",
            b"\x80\x04}\x94(K\x01" + short(m) + short(n) + b"\x93" + argument + b"\x85Ru}b.",
        ]
    return found


def importing():
    """Whether Python's own importer is at work, for a module whose import was allowed."""
    frame = sys._getframe(1)
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def watch(allowed, seen):
    """An audit hook that notes what acts, and refuses it."""
    modules = {module for module, _ in allowed} | {"encodings", "copyreg", "_compat_pickle", "codecs"}

    def hook(event, arguments):
        if not seen.armed or event == "sys._getframe":
            return
        if event == "pickle.find_class":
            if tuple(arguments[:2]) not in allowed:
                seen.note(f"find_class {arguments[0]!r} {arguments[1]!r}")
                raise Refused
        elif event == "open":
            mode, flags = arguments[1], arguments[2]
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & 3):
                seen.note(f"open for writing {arguments[0]!r}")
                raise Refused
        elif event in ACTING:
            seen.armed = False
            inside_import = importing()
            seen.armed = True
            if inside_import:
                return
            seen.note(event)
            raise Refused
        elif event == "import" and arguments[0] not in modules and arguments[0].split(".")[0] not in modules:
            if arguments[0] not in sys.modules and not any(arguments[0].startswith(m.split(".")[0]) for m in modules):
                seen.note(f"import {arguments[0]}")
                raise Refused

    return hook


class Seen:
    armed = False

    def __init__(self):
        self.events = []

    def note(self, event):
        self.events.append(event)


def load_all(content, path, seen):
    """The four readings. Names as the file spells them: fix_imports maps them as CPython does."""
    for python in (False, True):
        for from_file in (False, True):
            seen.armed = True
            try:
                if python:
                    if from_file:
                        with open(path, "rb") as file:
                            pickle._Unpickler(file).load()
                    else:
                        pickle._Unpickler(io.BytesIO(content)).load()
                elif from_file:
                    with open(path, "rb") as file:
                        pickle.Unpickler(file).load()
                else:
                    pickle.loads(content)
            except (Exception, Refused, RecursionError, MemoryError):
                pass
            finally:
                seen.armed = False


def work(job):
    """One child: mutates, loads, lets bartizan judge, reports fail-opens."""
    seed, count, bartizan, lists, hostile, keep = job
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    sys.setrecursionlimit(400)
    rng = random.Random(seed)
    allowed = set()
    for name in lists:
        allowed |= scan_oracle.allowed(pathlib.Path(name))
    # A pickle names Python 2 modules too; the unpickler asks for the mapped name.
    import _compat_pickle

    allowed |= {_compat_pickle.NAME_MAPPING.get(pair, pair) for pair in allowed}
    allowed |= {(_compat_pickle.IMPORT_MAPPING.get(module, module), name) for module, name in allowed}
    found = scan_oracle.seeds(pathlib.Path(hostile)) + gadgets()
    seen = Seen()
    sys.addaudithook(watch(allowed, seen))
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
    failures, acted = [], 0
    batch = 5000
    for start in range(0, count, batch):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            events = {}
            for index in range(start, min(start + batch, count)):
                content = scan_oracle.damage(rng.choice(found), found, rng)
                path = folder / f"{index:07}.pkl"
                path.write_bytes(content)
                seen.events = []
                signal.setitimer(signal.ITIMER_REAL, 2)
                try:
                    load_all(content, path, seen)
                except TimeoutError:
                    pass
                signal.setitimer(signal.ITIMER_REAL, 0)
                seen.armed = False
                if seen.events:
                    events[path.name] = sorted(set(seen.events))
            acted += len(events)
            command = [bartizan, "scan", "--only", "models", "--format", "json", name]
            report = json.loads(subprocess.run(command, capture_output=True).stdout)
            flagged = {finding["location"]["path"].split("!")[0] for finding in report["findings"] if finding["severity"] != "low"}
            states = {file["path"]: file["state"] for file in report["files"]}
            for path, what in events.items():
                if path not in flagged and states[path] in ("complete", "not-inspected"):
                    content = (folder / path).read_bytes()
                    failures.append((what, content))
                    if keep:
                        (pathlib.Path(keep) / f"{seed}-{path}").write_bytes(content)
    return acted, failures


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parent.parent
    options.add_argument("--bartizan", default=shutil.which("bartizan") or "target/release/bartizan")
    options.add_argument("--count", type=int, default=20000)
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--keep", help="folder for inputs that failed open")
    options.add_argument("--hostile", default=str(here.parent / "shared/corpora/scan/picklescan"))
    chosen = options.parse_args()
    lists = [str(here / "crates/model/artifact/src/pickle" / name) for name in ("allowed.txt", "classes.txt")]
    bartizan = str(pathlib.Path(chosen.bartizan).resolve())
    share = chosen.count // chosen.jobs
    jobs = [(chosen.seed + number, share, bartizan, lists, chosen.hostile, chosen.keep) for number in range(chosen.jobs)]
    with multiprocessing.get_context("spawn").Pool(chosen.jobs, maxtasksperchild=1) as pool:
        results = pool.map(work, jobs, chunksize=1)
    acted = sum(count for count, _ in results)
    failures = [failure for _, found in results for failure in found]
    print(f"{share * chosen.jobs} inputs, Python {sys.version.split()[0]}; {acted} reach an audited event")
    print(f"fail-open: {len(failures)}")
    for what, content in failures[:20]:
        print(what, content[:200])
    sys.exit(1 if failures or not acted else 0)


if __name__ == "__main__":
    main()
