#!/usr/bin/env python3
"""Compare `bartizan scan` with picklescan on benign and hostile pickles.

Makes benign pickles from the standard library (and NumPy and scikit-learn where the interpreter has
them), protocols 0 to 5, and prints: files flagged that should not be, hostile corpus files missed,
and the ratios of wall and CPU time in alternating runs.

    python3 bench/scan.py --bartizan target/release/bartizan [--picklescan PATH] [--hostile FOLDER]

Only the standard library is needed. Without picklescan the comparison is skipped, and that is said.
"""

import argparse
import collections
import datetime
import decimal
import fractions
import ipaddress
import json
import os
import pathlib
import pickle
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid


def plain(rng, depth=0):
    """A random value of plain data."""
    leaves = [
        lambda: rng.randint(-(2**70), 2**70),
        lambda: rng.random() * 10 ** rng.randint(-9, 9),
        lambda: "".join(chr(rng.choice([65, 97, 228, 0x4E2D, 0x1F600, 10, 39])) for _ in range(rng.randint(0, 40))),
        lambda: rng.randbytes(rng.randint(0, 300)),
        lambda: rng.choice([None, True, False, ..., NotImplemented]),
    ]
    if depth > 3 or rng.random() < 0.4:
        return rng.choice(leaves)()
    size = rng.randint(0, 6)
    children = [plain(rng, depth + 1) for _ in range(size)]
    return rng.choice(
        [
            lambda: children,
            lambda: tuple(children),
            lambda: {str(index): child for index, child in enumerate(children)},
            lambda: {repr(child) for child in children},
            lambda: frozenset(repr(child) for child in children),
            lambda: collections.OrderedDict(enumerate(children)),
            lambda: bytearray(rng.randbytes(50)),
        ]
    )()


def library(rng):
    """A value of a standard library class."""
    shared = [1, 2, 3]
    recursive = []
    recursive.append(recursive)
    return rng.choice(
        [
            lambda: datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(rng.random() * 999),
            lambda: [datetime.date.today(), datetime.time(3, 4), datetime.timedelta(1, 2, 3)],
            lambda: decimal.Decimal(rng.random()),
            lambda: fractions.Fraction(rng.randint(1, 99), 7),
            lambda: uuid.UUID(int=rng.getrandbits(128)),
            lambda: pathlib.PurePosixPath("a") / str(rng.random()),
            lambda: collections.Counter(rng.choices("abc", k=20)),
            lambda: collections.defaultdict(list, {1: [2]}),
            lambda: collections.defaultdict(int, {1: 2}),
            lambda: collections.deque(range(9), maxlen=20),
            lambda: complex(1, rng.random()),
            lambda: [slice(1, 2, 3), range(rng.randint(1, 9))],
            lambda: ValueError("no", rng.random()),
            lambda: [shared, shared, {"again": shared}],
            lambda: recursive,
            lambda: ipaddress.ip_network("10.0.0.0/8"),
            lambda: random.Random(rng.random()),
            lambda: {"weights": [rng.random() for _ in range(500)], "names": [f"layer.{i}" for i in range(50)]},
        ]
    )()


def scientific(rng):
    """Makers of NumPy and scikit-learn values, empty where the interpreter has neither."""
    makers = []
    try:
        import numpy

        for kind in ("f4", "f8", "i2", "i8", "u1", "?", "c16", "M8[s]", "S5", "U5", "O"):
            makers.append(lambda kind=kind: numpy.zeros((3, 4), dtype=kind))
        makers.append(lambda: numpy.asfortranarray(numpy.random.default_rng(1).random((20, 20))))
        makers.append(lambda: numpy.float32(1.5))
        makers.append(lambda: numpy.random.default_rng(rng.getrandbits(30)))
        makers.append(lambda: numpy.random.RandomState(3))
        makers.append(lambda: numpy.ma.masked_array([1, 2], [True, False]))
        makers.append(lambda: numpy.zeros(3, dtype=[("a", "i4"), ("b", "O")]))
    except ImportError:
        print("numpy: absent, no such pickles")
    try:
        import warnings

        import scipy.sparse
        from sklearn.datasets import load_iris
        from sklearn.utils import all_estimators

        warnings.simplefilter("ignore")
        data, target = load_iris(return_X_y=True)
        makers.append(lambda: scipy.sparse.csr_matrix(data))
        for name, estimator in all_estimators(type_filter=["classifier", "regressor", "transformer", "cluster"]):
            try:
                fitted = estimator().fit(abs(data[::5]), target[::5])
                pickle.dumps(fitted)
            except Exception:
                continue
            makers.append(lambda fitted=fitted: fitted)
    except ImportError:
        print("scikit-learn: absent, no such pickles")
    return makers


def write(folder, count, seed):
    """Writes `count` benign pickles."""
    rng = random.Random(seed)
    makers = scientific(rng)
    for index in range(count):
        chosen = index % 4
        if makers and chosen == 0:
            value = makers[(index // 4) % len(makers)]()
        else:
            value = plain(rng) if chosen < 3 else library(rng)
        protocol = index % 6
        try:
            content = pickle.dumps(value, protocol)
        except Exception:
            content = pickle.dumps(value, 4)
        (folder / f"{index:05}.pkl").write_bytes(content)


def timed(command):
    """Wall and CPU seconds of a command, its exit code and output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.returncode, done.stdout


class Stopwatch:
    """A small process that runs commands: what a child of a large one reports as its peak is its parent's."""

    def __init__(self):
        self.orders, self.answers = os.pipe(), os.pipe()
        if os.fork() == 0:
            with os.fdopen(self.orders[0]) as orders, os.fdopen(self.answers[1], "w") as answers:
                os.close(self.orders[1])
                for line in orders:
                    start = time.perf_counter()
                    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                    child = subprocess.Popen(json.loads(line), **quiet)
                    _, status, usage = os.wait4(child.pid, 0)
                    wall = time.perf_counter() - start
                    code = os.waitstatus_to_exitcode(status)
                    row = [wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, code]
                    answers.write(json.dumps(row) + "\n")
                    answers.flush()
            os._exit(0)
        os.close(self.orders[0])
        self.send = os.fdopen(self.orders[1], "w")
        self.receive = os.fdopen(self.answers[0])

    def __call__(self, command):
        """Wall and CPU seconds, peak memory in MiB (at least that of this Python, about 10) and exit code."""
        self.send.write(json.dumps([str(part) for part in command]) + "\n")
        self.send.flush()
        return tuple(json.loads(self.receive.readline()))


measured = Stopwatch()


def compare(title, commands, runs):
    """Alternating runs of several commands; medians, and ratios to the first."""
    print(f"-- {title}")
    rows = {name: [] for name in commands}
    for number in range(runs + 1):
        for name, command in commands.items():
            row = measured(command)
            if number:
                rows[name].append(row)
    first = next(iter(rows.values()))
    for name, found in rows.items():
        wall, cpu, memory, code = (statistics.median(column) for column in zip(*found))
        ratio = statistics.median(theirs[1] / max(ours[1], 1e-4) for ours, theirs in zip(first, found))
        print(f"{name:24} wall {wall * 1000:9.1f} ms  cpu {cpu * 1000:9.1f} ms  peak {memory:6.1f} MiB  exit {code:.0f}  cpu x{ratio:.1f}")


def big_zip(path):
    """500 MB like torch.save writes it: a small pickle, and 50 stored members of raw tensors."""
    import zipfile

    names = [f"layer.{index}.weight" for index in range(50)]
    parts = [b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01("]
    for index, name in enumerate(names):
        key = str(index).encode()
        parts.append(
            b"X" + len(name).to_bytes(4, "little") + name.encode()
            + b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
            + b"X" + len(key).to_bytes(4, "little") + key
            + b"X\x03\0\0\0cpuJ\x00\x00\x28\x00tQK\x00J\x00\x00\x28\x00\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
        )
    parts.append(b"u.")
    chunk = random.Random(1).randbytes(10 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("big/data.pkl", b"".join(parts))
        archive.writestr("big/version", b"3\n")
        for index in range(50):
            archive.writestr(f"big/data/{index}", chunk)


def big(chosen, folder):
    path = folder / "big.pt"
    big_zip(path)
    name = str(path)
    commands = {"bartizan": [chosen.bartizan, "scan", "--only", "models", name]}
    for peer, arguments in (("picklescan", ["-p", name]), ("modelscan", ["-p", name]), ("modelaudit", ["scan", "--no-cache", "-q", name])):
        program = getattr(chosen, peer)
        if program:
            commands[peer] = [program, *arguments]
    compare(f"verdict on a PyTorch ZIP of {path.stat().st_size >> 20} MiB", commands, chosen.runs)
    hashing = {"bartizan --digests": [chosen.bartizan, "scan", "--only", "models", "--digests", name]}
    if shutil.which("openssl"):
        hashing["openssl dgst -sha256"] = ["openssl", "dgst", "-sha256", name]
    hashing["sha256sum"] = ["sha256sum", name]
    compare("the same, every byte read for its SHA-256", hashing, chosen.runs)
    path.unlink()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bartizan", default=shutil.which("bartizan") or "target/release/bartizan")
    options.add_argument("--picklescan", default=shutil.which("picklescan"))
    options.add_argument("--modelscan", default=shutil.which("modelscan"))
    options.add_argument("--modelaudit", help="not looked for: it takes minutes on 2,000 varied pickles")
    options.add_argument("--hostile", type=pathlib.Path, default=pathlib.Path("../shared/corpora/scan/picklescan"))
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write(folder, chosen.count, chosen.seed)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{chosen.count} benign pickles, {size} bytes, Python {sys.version.split()[0]}")
        *_, code, output = timed([chosen.bartizan, "scan", "--format", "json", name])
        report = json.loads(output)
        flagged = {finding["location"]["path"] for finding in report["findings"] if finding["severity"] != "low"}
        print(f"false positives: {len(flagged)} of {chosen.count} ({len(flagged) / chosen.count:.2%}), exit {code}")
        print(f"incomplete: {report['totals']['incomplete']}, not inspected: {report['totals']['not_inspected']}")
        names = collections.Counter(
            finding["message"] for finding in report["findings"] if finding["severity"] != "low"
        )
        for message, times in names.most_common(20):
            print(f"  {times:4} {message}")
        if chosen.hostile.is_dir():
            hostile = sorted(path for path in chosen.hostile.iterdir() if path.name.startswith("malicious"))
            missed = [path.name for path in hostile if timed([chosen.bartizan, "scan", str(path)])[2] == 0]
            print(f"hostile: {len(hostile) - len(missed)} of {len(hostile)} not clean; missed: {missed}")
        else:
            print(f"skipped: no hostile files at {chosen.hostile}")
        compare("start-up", {"bartizan": [chosen.bartizan, "scan", "--help"], "true": ["true"]}, chosen.runs)
        commands = {"bartizan": [chosen.bartizan, "scan", "--only", "models", name]}
        for peer, arguments in (("picklescan", ["-p", name]), ("modelscan", ["-p", name]), ("modelaudit", ["scan", "--no-cache", "-q", name])):
            program = getattr(chosen, peer)
            if program:
                commands[peer] = [program, *arguments]
                commands[peer + " --help"] = [program, "--help"]
        compare(f"{chosen.count} pickles; subtract each tool's start-up (--help)", commands, min(chosen.runs, 3))
        with tempfile.TemporaryDirectory() as large:
            big(chosen, pathlib.Path(large))
        if not chosen.picklescan:
            print("skipped: picklescan is not on PATH; name it with --picklescan")
            return
        commands = {
            "bartizan": [chosen.bartizan, "scan", name],
            "picklescan": [chosen.picklescan, "-p", name],
        }
        times = {tool: [] for tool in commands}
        for _ in range(chosen.runs):
            for tool, command in commands.items():
                times[tool].append(timed(command)[:2])
        for tool, runs in times.items():
            wall, cpu = (statistics.median(column) for column in zip(*runs))
            print(f"{tool:10} wall {wall:8.3f} s  cpu {cpu:8.3f} s  {chosen.count / wall:9.0f} files/s")
        for index, kind in enumerate(("wall", "cpu")):
            ratios = [theirs[index] / ours[index] for ours, theirs in zip(times["bartizan"], times["picklescan"])]
            print(f"picklescan / bartizan, {kind}: {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
