"""Expected matches of advisories, from pip-audit and cargo-audit over the same databases.

    python3 bench/advisories_oracle.py golden --write      writes the golden lists of the tests
    python3 bench/advisories_oracle.py golden              compares them with the tools of today
    python3 bench/advisories_oracle.py serve DATABASE      answers like OSV's API, for pip-audit

pip-audit can't read a database from disk, so it is pointed at a small server that speaks OSV's
`/v1/query` over PyPA's YAML and evaluates as the OSV schema's "Evaluation" section says, with the
version order of the `packaging` library. cargo-audit reads RustSec's Markdown itself.

Needs Python with `packaging`, `pyyaml` and `pip-audit`, and `cargo-audit`; PIP_AUDIT and CARGO_AUDIT name other ones.
"""

import argparse
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "crates/infra/supply/tests/fixtures/golden"
CORPORA = ROOT.parent / "shared/corpora/scan"


class Database:
    """OSV records in YAML, by package."""

    def __init__(self, folder):
        import yaml

        class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            """Times stay the text that OSV's API answers with."""

        Loader.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in Loader.yaml_implicit_resolvers.items()
        }
        self.records = {}
        for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
            record = yaml.load(path.read_text(), Loader=Loader)
            for affected in record.get("affected", []):
                package = affected["package"]
                self.records.setdefault(canonical(package["name"]), []).append((record, affected))

    def query(self, name, version):
        found = []
        for record, affected in self.records.get(canonical(name), []):
            if not record.get("withdrawn") and is_affected(version, affected) and record not in found:
                found.append(record)
        return found


def canonical(name):
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def is_affected(text, affected):
    from packaging.version import InvalidVersion, Version

    version = Version(text)
    for listed in affected.get("versions", []):
        try:
            if Version(str(listed)) == version or (version.local and str(listed) == version.public):
                return True
        except InvalidVersion:
            continue
    for span in affected.get("ranges", []):
        if span["type"] != "ECOSYSTEM":
            continue
        events = [(key, str(value)) for event in span["events"] for key, value in event.items()]
        try:
            events.sort(key=lambda event: (event[1] != "0", Version(event[1])))
        except InvalidVersion:
            continue
        inside = False
        for key, bound in events:
            if key == "introduced" and (bound == "0" or version >= Version(bound)):
                inside = True
            elif key == "fixed" and version >= Version(bound):
                inside = False
            elif key == "last_affected" and version > Version(bound):
                inside = False
        if inside:
            return True
    return False


def server(database, port=0):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = database.query(query["package"]["name"], query["version"])
            body = json.dumps({"vulns": found} if found else {}, default=str).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)


def pip_audit(requirements, database, times=None):
    """Runs pip-audit against `database`; rows of package, version and names of the advisory. Seconds of the run are
    added to `times`."""
    program = os.environ.get("PIP_AUDIT", "pip-audit")
    if not shutil.which(program):
        return None
    listener = server(database)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        run = subprocess.run(
            [program, "-r", str(requirements), "--no-deps", "--disable-pip", "-s", "osv", "--format", "json",
             "--aliases", "on", "--progress-spinner", "off", "--cache-dir", cache,
             "--osv-url", f"http://127.0.0.1:{listener.server_address[1]}/v1/query"],
            capture_output=True, text=True)
        if times is not None:
            times.append(time.perf_counter() - start)
    listener.shutdown()
    if not run.stdout.startswith("{"):
        sys.exit(f"pip-audit: {run.stderr}")
    rows = []
    for package in json.loads(run.stdout)["dependencies"]:
        for vulnerability in package.get("vulns", []):
            names = sorted({vulnerability["id"], *vulnerability.get("aliases", [])})
            rows.append([canonical(package["name"]), package["version"], names])
    return sorted(rows)


def cargo_audit(lockfile, folder, times=None):
    """Runs cargo-audit; rows of package, version, names of the advisory and its kind. Seconds of the run alone,
    without laying out its database, are added to `times`."""
    program = os.environ.get("CARGO_AUDIT", "cargo-audit")
    if not shutil.which(program):
        return None
    with tempfile.TemporaryDirectory() as work:
        database = pathlib.Path(work) / "database"
        shutil.copytree(folder, database / "crates")
        git = ["git", "-c", "user.name=oracle", "-c", "user.email=oracle@localhost", "-C", str(database)]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "database"]):
            subprocess.run([*git, *words], check=True)
        start = time.perf_counter()
        run = subprocess.run(
            [program, "audit", "--db", str(database), "--no-fetch", "--stale", "--file", str(lockfile), "--json"],
            capture_output=True, text=True)
        if times is not None:
            times.append(time.perf_counter() - start)
    if not run.stdout.startswith("{"):
        sys.exit(f"cargo-audit: {run.stderr}")
    report = json.loads(run.stdout)
    entries = [("vulnerability", entry) for entry in report["vulnerabilities"]["list"]]
    entries += [(kind, entry) for kind, group in report["warnings"].items() for entry in group]
    rows = []
    for kind, entry in entries:
        if entry.get("advisory"):
            names = sorted({entry["advisory"]["id"], *entry["advisory"]["aliases"]})
            rows.append([entry["package"]["name"], entry["package"]["version"], names, kind])
    return sorted(rows)


def golden(write):
    results = {
        "pip-audit": pip_audit(GOLDEN / "requirements.txt", Database(CORPORA / "advisories-pypa")),
        "cargo-audit": cargo_audit(GOLDEN / "Cargo.lock", CORPORA / "advisories-rustsec"),
    }
    code = 0
    for tool, rows in results.items():
        path = GOLDEN / f"{tool}.json"
        if rows is None:
            print(f"{tool}: not installed, not compared")
        elif write:
            path.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
            print(f"{tool}: {len(rows)} matches written")
        else:
            same = json.loads(path.read_text()) == rows
            code |= not same
            print(f"{tool}: {len(rows)} matches, {'as before' if same else 'DIFFERENT'}")
    sys.exit(code)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("golden").add_argument("--write", action="store_true")
    serve = verbs.add_parser("serve")
    serve.add_argument("database")
    serve.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.verb == "golden":
        golden(arguments.write)
    else:
        listener = server(Database(arguments.database), arguments.port)
        print(f"http://127.0.0.1:{listener.server_address[1]}/v1/query", flush=True)
        listener.serve_forever()


if __name__ == "__main__":
    main()
