#!/usr/bin/env python3
"""How long an attacker with a stolen key is served: many drills against one daemon.

    cargo xtask bench drills      (or: python3 bench/drills.py [--count 200])

Prints the distribution of "first hostile request to last hostile answer served" and of the time to
detection, and fails when the p99 of the first is over one second.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--no-build", action="store_true", help="use the binary that lies there")
    arguments = parser.parse_args()
    count = arguments.count
    binary = TARGET / "release/bartizan"
    if not arguments.no_build:
        subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "bartizan-cli"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_STATE_HOME": f"{folder}/xdg", "BARTIZAN_STATE": f"{folder}/state"}
        daemon = subprocess.Popen(
            [binary, "up", "--format", "json", "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            daemon.stdout.readline()
            reports = []
            for _ in range(count):
                ran = subprocess.run([binary, "incident", "drill", "stolen-key", "--format", "json"],
                                     cwd=folder, env=environment, capture_output=True, text=True)
                reports.append(json.loads(ran.stdout))
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(20)
    quantile = lambda values, q: sorted(values)[min(len(values) - 1, int(q * len(values)))]
    contained = [r for r in reports if r["contained"]]
    served = [r["last_hostile_answer_seconds"] or 0.0 for r in contained]
    seen = [r["detected_seconds"] for r in contained]
    print(f"{count} stolen-key drills: {len(contained)} contained, {sum(r['proof']['verified'] for r in contained if r['proof'])} proved, "
          f"{sum(r['honest_refused'] for r in reports)} of {sum(r['honest_requests'] for r in reports)} honest requests refused")
    for name, values in (("first hostile request to incident", seen), ("first hostile request to last hostile answer", served)):
        print(f"{name}: p50 {quantile(values, 0.5):.3f} s, p99 {quantile(values, 0.99):.3f} s, max {max(values):.3f} s")
    if len(contained) < count or quantile(served, 0.99) > 1.0:
        sys.exit("target missed: all contained, p99 of the last hostile answer within 1 s")


if __name__ == "__main__":
    main()
