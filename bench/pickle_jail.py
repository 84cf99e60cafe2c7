#!/usr/bin/env python3
"""Differential fuzzing of `bartizan scan` against CPython's real unpicklers.

Mutated pickles are loaded for real, by the C and the pure-Python unpickler, from memory and from a file, in a
child process that an audit hook watches (PEP 578). What the hook sees is refused before it happens: starting
programs, opening files for writing, connections, `exec` and `compile`, importing a module that is not allowed,
and every lookup by `find_class` of a name that is not allowed. Any such event for a file that `bartizan`
calls clean and complete is a fail-open, printed with its bytes.

    python3 bench/pickle_jail.py --bartizan target/release/bartizan --count 200000 --jobs 2

With `--grammar` the inputs are not mutations but programs that `pickle_grammar.py` composes from the names of the
lists, and every name that this interpreter resolves is imported beforehand; `--stdlib` takes names of the standard
library alone. Programs that end the child by a signal though called clean are counted apart.

The child has limits on memory, file size and time.
"""

import argparse
import ast
import dis
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

import pickle_grammar
import scan_oracle

warnings.simplefilter("ignore")
# Events after which something has happened outside the interpreter (docs.python.org, "Audit events table").
ACTING = (
    "os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty os.kill os.killpg os.remove os.rename os.rmdir os.mkdir "
    "os.chmod os.chown os.link os.symlink os.truncate os.putenv os.unsetenv os.chdir subprocess.Popen pty.spawn shutil.rmtree "
    "shutil.copyfile shutil.move socket.connect socket.bind socket.getaddrinfo socket.sendto urllib.Request ftplib.connect "
    "smtplib.connect imaplib.open poplib.connect telnetlib.Telnet.open webbrowser.open ctypes.dlopen ctypes.dlsym "
    "code.__new__ exec compile marshal.loads marshal.load builtins.input sqlite3.connect signal.pthread_kill "
    "sys.setprofile sys.settrace glob.glob os.listdir os.scandir os.walk tempfile.mkstemp"
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


def library_work():
    """Whether a library does what the pickle can't steer: Python's importer runs a module that was allowed, installed
    packages are listed, or text is parsed as a literal, which is compiled but not run."""
    frame = sys._getframe(1)
    while frame:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") or "importlib/metadata" in file or (file == ast.__file__ and frame.f_code.co_name == "parse"):  # fmt: skip
            return True
        frame = frame.f_back
    return False


def stated():
    """Whether an `import` statement is at work: its module stands in the code of a library, not in the pickle."""
    frame = sys._getframe(2)
    return frame.f_lasti >= 0 and dis.opname[frame.f_code.co_code[frame.f_lasti]] == "IMPORT_NAME"


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
            is_library_work = library_work()
            seen.armed = True
            if is_library_work:
                return
            seen.note(event)
            raise Refused
        elif event == "import" and not stated() and arguments[0] not in modules and arguments[0].split(".")[0] not in modules:
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
    """The four readings, or the two from memory where there is no path. Names as the file spells them: fix_imports
    maps them as CPython does."""
    for python in (False, True):
        for from_file in (False, True) if path else (False,):
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


def limit(memory):
    """Bounds memory, file size, stack and time of this process for ever."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(400)
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))


def nameable(lists):
    """The pairs that the lists allow, as a file spells them and as the unpickler asks for them."""
    import _compat_pickle

    allowed = set()
    for name in lists:
        allowed |= scan_oracle.allowed(pathlib.Path(name))
    # A pickle names Python 2 modules too; the unpickler asks for the mapped name.
    allowed |= {_compat_pickle.NAME_MAPPING.get(pair, pair) for pair in allowed}
    return allowed | {(_compat_pickle.IMPORT_MAPPING.get(module, module), name) for module, name in allowed}


def called_clean(bartizan, programs):
    """The keys of those programs in which bartizan finds nothing, and that it has seen to the end."""
    if not programs:
        return set()
    with tempfile.TemporaryDirectory() as name:
        for key, content in programs.items():
            (pathlib.Path(name) / f"{key:09}.pkl").write_bytes(content)
        command = [bartizan, "scan", "--only", "models", "--format", "json", name]
        report = json.loads(subprocess.run(command, capture_output=True).stdout)
    flagged = {finding["location"]["path"].split("!")[0] for finding in report["findings"] if finding["severity"] != "low"}
    seen = {file["path"] for file in report["files"] if file["state"] in ("complete", "not-inspected")} - flagged
    return {key for key in programs if f"{key:09}.pkl" in seen}


def composed(names, allowed, seed, first, last, sink):
    """A forked child: loads programs `first..last`, and writes a line before each and one for what acted."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.setpgid(0, 0)
    limit(6 << 30)
    seen = Seen()
    write = os.write
    # Python parses lines of source to print an exception of a destructor.
    sys.unraisablehook = lambda _: None
    sys.addaudithook(watch(allowed, seen))
    for index in range(first, last):
        write(sink, b"%d\n" % index)
        content = pickle_grammar.Composer(names, seed * 1_000_000_007 + index).program()
        seen.events = []
        # What Python code can't stop after a second, the second timer ends with the process.
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_VIRTUAL, 3)
        signal.setitimer(signal.ITIMER_REAL, 1)
        try:
            load_all(content, None, seen)
        except BaseException:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
        seen.armed = False
        if seen.events:
            write(sink, b"%d %s\n" % (index, json.dumps(sorted(set(seen.events))).encode()))
    os._exit(0)


def batch(names, allowed, seed, first, last):
    """What acted and what ended the child, in programs `first..last`. Each child starts where the last one ended."""
    acted, ended = {}, {}
    while first < last:
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(source)
            try:
                composed(names, allowed, seed, first, last, sink)
            finally:
                os._exit(1)
        os.close(sink)
        with os.fdopen(source, "rb") as file:
            lines = file.read().decode().splitlines()
        status = os.waitpid(child, 0)[1]
        for line in lines:
            index, _, events = line.partition(" ")
            first = int(index) + 1
            if events:
                acted[int(index)] = json.loads(events)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) not in (signal.SIGVTALRM, signal.SIGKILL):
            ended[first - 1] = signal.Signals(os.WTERMSIG(status)).name
        elif status == 0:
            break
    return acted, ended


def compose(job):
    """One worker: composes, loads in forked children, lets bartizan judge what acted."""
    seed, count, bartizan, lists, stdlib, keep = job
    names = pickle_grammar.Names([pathlib.Path(name) for name in lists], stdlib)
    allowed = nameable(lists)
    acted, failures, crashes, clean = 0, [], [], 0
    sample = min(count, 500)
    program = lambda index: pickle_grammar.Composer(names, seed * 1_000_000_007 + index).program()
    clean = len(called_clean(bartizan, {index: program(index) for index in range(sample)}))
    for first in range(0, count, 500):
        events, ended = batch(names, allowed, seed, first, min(first + 500, count))
        acted += len(events)
        for index in called_clean(bartizan, {index: program(index) for index in {*events, *ended}}):
            bucket, what = (failures, events[index]) if index in events else (crashes, [ended[index]])
            bucket.append((what, program(index)))
            if keep:
                (pathlib.Path(keep) / f"{seed}-{index}-{what[0].split()[0]}.pkl").write_bytes(program(index))
    return acted, failures, crashes, len(names), names.absent, clean / max(sample, 1)


def work(job):
    """One child: mutates, loads, lets bartizan judge, reports fail-opens."""
    seed, count, bartizan, lists, hostile, keep = job
    limit(2 << 30)
    rng = random.Random(seed)
    allowed = nameable(lists)
    found = scan_oracle.seeds(pathlib.Path(hostile)) + gadgets()
    seen = Seen()
    sys.addaudithook(watch(allowed, seen))
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
    options.add_argument("--grammar", action="store_true", help="compose programs instead of mutating")
    options.add_argument("--stdlib", action="store_true", help="with --grammar: names of the standard library alone")
    chosen = options.parse_args()
    lists = [str(here / "crates/model/artifact/src/pickle" / name) for name in ("allowed.txt", "classes.txt")]
    bartizan = str(pathlib.Path(chosen.bartizan).resolve())
    share = chosen.count // chosen.jobs
    if chosen.grammar:
        sys.exit(grammar(chosen, share, bartizan, lists))
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


def grammar(chosen, share, bartizan, lists):
    """Runs the workers and prints what they found; the exit code."""
    jobs = [(chosen.seed + number, share, bartizan, lists, chosen.stdlib, chosen.keep) for number in range(chosen.jobs)]
    with multiprocessing.get_context("spawn").Pool(chosen.jobs, maxtasksperchild=1) as pool:
        results = pool.map(compose, jobs, chunksize=1)
    failures = [failure for result in results for failure in result[1]]
    crashes = [crash for result in results for crash in result[2]]
    _, _, _, names, absent, clean = results[0]
    print(f"{share * chosen.jobs} programs over {names} names ({absent} absent), Python {sys.version.split()[0]}")
    print(f"{clean:.0%} of a sample are called clean; {sum(result[0] for result in results)} programs reach an audited event")
    print(f"ended by a signal though called clean: {len(crashes)}")
    print(f"fail-open: {len(failures)}")
    for what, content in (failures + crashes)[:20]:
        print(what, content[:300])
    return 1 if failures or not any(result[0] for result in results) else 0


if __name__ == "__main__":
    main()
