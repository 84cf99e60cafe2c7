"""Dependencies: size and opening of the advisory index, and lockfiles of 1,000 packages beside pip-audit and cargo-audit.

    python3 bench/dependencies.py

Reads RustSec's and PyPA's databases from ../shared. Times inside Bartizan are the median of 20 runs in one process
after the index was opened, for lockfiles in which half of the packages have advisories (hostile) and in which one in
twenty has (ordinary); ratios compare whole processes, ours with start-up and index. pip-audit asks a local
server that speaks OSV's API over the same records (bench/advisories_oracle.py). PIP_AUDIT and CARGO_AUDIT name the
peers; one that is not installed is said to be.
"""

import json
import pathlib
import random
import subprocess
import tempfile
import time

import advisories_oracle as oracle

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = 1000


def main():
    databases = [oracle.CORPORA / "advisories-rustsec", oracle.CORPORA / "advisories-pypa"]
    if not all(database.is_dir() for database in databases):
        print(f"skipped: no advisories in {oracle.CORPORA}")
        return
    build = ["cargo", "build", "--release", "--quiet", "--package", "bartizan-supply", "--example", "dependencies",
             "--message-format", "json"]
    lines = subprocess.run(build, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    program = next(json.loads(line)["executable"] for line in lines if '"executable":"' in line)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        index = work / "advisories.idx"
        compiled = run([program, "compile", index, *databases])
        print(f"index: {compiled['records']} records, {compiled['bytes'] / 1e6:.2f} MB, "
              f"compiled in {compiled['milliseconds'] / 1e3:.2f} s (due: at most 30 MB)")
        for lockfile in [*lockfiles(work / "hostile", 500), *lockfiles(work / "ordinary", 50)]:
            ours = run([program, "measure", index, lockfile, "20"])
            print(f"{lockfile.parent.name} {lockfile.name}: {ours['packages']} packages, {ours['findings']} findings: index opened and hashed "
                  f"in {ours['open']:.2f} ms (due: 10), read and compared in {ours['lockfile']:.2f} ms (due: 5)")
        peers(program, index, work / "hostile")


def run(command):
    return json.loads(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout)


def lockfiles(work, affected_packages):
    """Lockfiles in which so many of the names have advisories, at versions by chance; the same on every run."""
    work.mkdir()
    chance = random.Random(7)
    affected = {
        "python": sorted(path.name for path in (oracle.CORPORA / "advisories-pypa").iterdir() if path.is_dir()),
        "rust": sorted(path.name for path in (oracle.CORPORA / "advisories-rustsec").iterdir() if path.is_dir()),
    }

    def rows(language):
        known = chance.sample(affected[language], affected_packages)
        names = sorted([*known, *(f"ordinary-package-{number}" for number in range(PACKAGES - len(known)))])
        return [(name, f"{chance.randrange(4)}.{chance.randrange(20)}.{chance.randrange(9)}") for name in names]

    def digest():
        return f"{chance.getrandbits(256):064x}"

    python, rust = rows("python"), rows("rust")
    requirements = work / "requirements.txt"
    requirements.write_text("".join(f"{name}=={version}\n" for name, version in python))
    hashed = work / "hashed-requirements.txt"
    hashed.write_text("".join(f"{name}=={version} \\\n    --hash=sha256:{digest()} \\\n    --hash=sha256:{digest()}\n"
                              for name, version in python))
    uv = work / "uv.lock"
    uv.write_text("version = 1\n\n" + "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{ registry = "https://pypi.org/simple" }}\n'
        "wheels = [\n" + "".join(f'    {{ url = "https://files.example.org/{name}-{version}-{part}.whl", '
                                 f'hash = "sha256:{digest()}", size = 4711 }},\n' for part in range(4)) + "]\n\n"
        for name, version in python))
    cargo = work / "Cargo.lock"
    cargo.write_text("version = 3\n\n" + "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n'
        f'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "{digest()}"\n\n'
        for name, version in rust))
    return [requirements, hashed, uv, cargo]


def peers(program, index, work):
    def mine(lockfile):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            run([program, "measure", index, lockfile, "1"])
            times.append(time.perf_counter() - start)
        return min(times)

    database = oracle.Database(oracle.CORPORA / "advisories-pypa")
    for name, lockfile, action in [
        ("pip-audit", work / "requirements.txt", lambda path, times: oracle.pip_audit(path, database, times)),
        ("cargo-audit", work / "Cargo.lock",
         lambda path, times: oracle.cargo_audit(path, oracle.CORPORA / "advisories-rustsec", times)),
    ]:
        times = []
        rows = action(lockfile, times)
        if rows is None:
            print(f"{name}: not installed, not compared")
            continue
        theirs, ours = times[0], mine(lockfile)
        print(f"{name} on {lockfile.name}: {theirs:.2f} s and {len(rows)} matches; bartizan {ours * 1e3:.1f} ms, "
              f"{theirs / ours:.0f} times faster")


if __name__ == "__main__":
    main()
