#!/usr/bin/env python3
"""Compare `bartizan scan` with CPython's own unpicklers on damaged pickles.

Every input is loaded with an unpickler that imports nothing: `find_class` notes what was asked for
and hands out a stub. Four readings are taken: the C and the Python unpickler, from memory and from a
file. An input is a fail-open when any reading asks for a name that is not allowed while bartizan
calls the file clean and complete.

    python3 bench/scan_oracle.py --bartizan target/release/bartizan --count 20000
"""

import argparse
import io
import json
import pathlib
import pickle
import random
import resource
import shutil
import subprocess
import sys
import tempfile


def seeds(folder):
    """Pickles that use every opcode, hostile and harmless."""

    class Call:
        def __init__(self, *parts):
            self.parts = parts

        def __reduce__(self):
            return self.parts

    harmless = [{"a": [1, 2.5, None, True, b"x" * 20, "é"], "b": (1, 2, 3, 4), "c": {1, 2}, "d": 2**80}, [[]] * 3]
    found = [pickle.dumps(value, protocol) for value in harmless for protocol in range(6)]
    for protocol in range(6):
        found.append(pickle.dumps(Call(eval, ("1",)), protocol))
        found.append(pickle.dumps([Call(exec, ("1",), {"x": 1}), "tail" * 30], protocol))
        found.append(pickle.dumps(Call(print, ("a", "b")), protocol))
    found += [
        b"(S'id'\nios\nsystem\n.",
        b"(cos\nsystem\nS'id'\no.",
        b"Vos\np2\n0Vsystem\np3\n0g2\ng3\n\x93(Vid\ntR.",
        b"\x80\x04(cos\nsystem\nX\x02\0\0\0ido0N.",
        b"\x80\x04\x95\x02\0\0\0\0\0\0\0B\x09\0\0\0cos\nsystem\nN1N.",
        b"\x80\x05\x96\x03\0\0\0\0\0\0\0abc\x8f(K\x01\x90N\x91Nl(N\x85\x86\x87d}(K\x01Nu.",
        b"\x80\x02]q\0(K\x01M\xe8\x03J\xff\xff\xff\x7f\x8a\x03abcG\0\0\0\0\0\0\0\0U\x02hie.",
    ]
    if folder and folder.is_dir():
        found += [path.read_bytes() for path in sorted(folder.glob("*.p*k*")) if path.stat().st_size < 2000]
    return found


def damage(content, found, rng):
    """One to six random edits."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(data))
        size = rng.randint(1, 12)
        kind = rng.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at : at + size]
        elif kind == 2:
            data[at:at] = data[at : at + size]
        elif kind == 3:
            other = rng.choice(found)
            start = rng.randint(0, len(other))
            data[at:at] = other[start : start + rng.randint(1, 40)]
        elif kind == 4:
            data[at:at] = rng.choice([b"0", b"1", b"2", b"(", b"\x94", b"N", b".", b"R", b"b", b"h\x00", b"h\x01", b"\x93"])
        elif kind == 5:
            data[at:at] = b"\x95" + rng.randint(0, 40).to_bytes(8, "little")
        else:
            data[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(data[:5000])


class Stub:
    """Stands for whatever would have been imported."""

    def __new__(cls, *arguments, **named):
        return object.__new__(cls)

    def __init__(self, *arguments, **named):
        pass

    def __call__(self, *arguments, **named):
        return Stub()

    def __setstate__(self, state):
        pass

    def append(self, item):
        pass

    def extend(self, items):
        pass

    def add(self, item):
        pass

    def __setitem__(self, key, value):
        pass


def asked(base, source):
    """Names that loading asks for."""
    names = set()

    class Noting(base):
        def find_class(self, module, name):
            names.add((module, name))
            return Stub

        def persistent_load(self, pid):
            return Stub()

    try:
        Noting(source).load()
    except RecursionError:
        pass
    except MemoryError:
        pass
    except Exception:
        pass
    return names


def allowed(path):
    """The pairs on the allowlist."""
    lines = path.read_text().splitlines()
    return {tuple(line.split()[:2]) for line in lines if line.strip() and line[0] not in "#["}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = pathlib.Path(__file__).resolve().parent.parent
    options.add_argument("--bartizan", default=shutil.which("bartizan") or "target/release/bartizan")
    options.add_argument("--count", type=int, default=20000)
    options.add_argument("--show", type=int, default=0, help="inconclusive inputs to print")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--hostile", type=pathlib.Path, default=here.parent / "shared/corpora/scan/picklescan")
    chosen = options.parse_args()
    # Damaged lengths ask for gigabytes: refused at once, as on a small machine.
    resource.setrlimit(resource.RLIMIT_AS, (300 << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))
    rng = random.Random(chosen.seed)
    found = seeds(chosen.hostile)
    harmless = allowed(here / "crates/model/artifact/src/pickle/allowed.txt")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        wanted = {}
        for index in range(chosen.count):
            content = damage(rng.choice(found), found, rng)
            path = folder / f"{index:07}.pkl"
            path.write_bytes(content)
            names = set()
            for base in (pickle.Unpickler, pickle._Unpickler):
                names |= asked(base, io.BytesIO(content))
                with open(path, "rb") as file:
                    names |= asked(base, file)
            wanted[path.name] = names - harmless
        resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
        output = subprocess.run([chosen.bartizan, "scan", "--format", "json", name], capture_output=True).stdout
        report = json.loads(output)
        flagged = {finding["location"]["path"].split("!")[0] for finding in report["findings"] if finding["severity"] != "low"}
        states = {file["path"]: file["state"] for file in report["files"]}
        hostile = [path for path, names in wanted.items() if names]
        clean = [path for path in hostile if path not in flagged and states[path] == "complete"]
        unseen = [path for path in hostile if path not in flagged and states[path] == "not-inspected"]
        partial = [path for path in hostile if path not in flagged and states[path] == "partial"]
        print(f"{chosen.count} inputs, Python {sys.version.split()[0]}; {len(hostile)} ask for a name that is not allowed")
        print(f"flagged {len(hostile) - len(clean) - len(unseen) - len(partial)}, inconclusive {len(partial)}")
        print(f"fail-open: {len(clean)} called clean, {len(unseen)} not inspected")
        reasons = {file["path"]: file["reason"] for file in report["files"]}
        for path in partial[: chosen.show]:
            print(path, reasons[path], sorted(wanted[path]), (folder / path).read_bytes()[:120])
        for path in (clean + unseen)[:10]:
            print(path, sorted(wanted[path]), (folder / path).read_bytes()[:300])
        sys.exit(1 if clean or unseen else 0)


if __name__ == "__main__":
    main()
