#!/usr/bin/env python3
"""One scan of a large Python checkout against the peers that it replaces, one after the other.

    python3 bench/project.py --bartizan target/release/bartizan --tree FOLDER

Without --tree the source distribution of scikit-learn is fetched from the package registry. Peers that are not on
PATH (or named) are said to be absent and not counted. Advisories are imported once before the runs.
"""

import argparse
import pathlib
import shutil
import statistics
import tempfile

import scan
import secret_search


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bartizan", default=shutil.which("bartizan") or "target/release/bartizan")
    options.add_argument("--tree", type=pathlib.Path)
    options.add_argument("--tools", type=pathlib.Path, help="folder that holds the peers' programs")
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tree = chosen.tree or secret_search.source_tree(pathlib.Path(name))
        if not tree:
            print("skipped: no source tree; name one with --tree")
            return
        files = [path for path in tree.rglob("*") if path.is_file()]
        print(f"{tree.name}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
        peers = {
            # It looks at the folder that it runs in.
            "detect-secrets": ["scan", "--all-files", "--no-verify", "."],
            "picklescan": ["-p", str(tree)],
            "modelscan": ["-p", str(tree)],
            "modelaudit": ["scan", "--no-cache", "-q", str(tree)],
        }
        ours, theirs = [], {}
        command = [chosen.bartizan, "scan", str(tree)]
        scan.measured(command)
        for _ in range(chosen.runs):
            ours.append(scan.measured(command))
        for peer, arguments in peers.items():
            program = shutil.which(peer, path=str(chosen.tools)) if chosen.tools else shutil.which(peer)
            if program:
                theirs[peer] = scan.measured(["sh", "-c", 'cd "$0" && exec "$@"', str(tree), program, *arguments])
            else:
                print(f"absent: {peer}")
        wall, cpu, memory, code = (statistics.median(column) for column in zip(*ours))
        print(f"{'bartizan scan':16} wall {wall:8.3f} s  cpu {cpu:8.3f} s  peak {memory:6.1f} MiB  exit {code:.0f}")
        for peer, (peer_wall, peer_cpu, peer_memory, peer_code) in theirs.items():
            print(f"{peer:16} wall {peer_wall:8.3f} s  cpu {peer_cpu:8.3f} s  peak {peer_memory:6.1f} MiB  exit {peer_code}")
        if theirs:
            total = sum(row[0] for row in theirs.values())
            print(f"sum of {len(theirs)} peers / bartizan, wall: {total / wall:.1f}; cpu: {sum(row[1] for row in theirs.values()) / cpu:.1f}")


if __name__ == "__main__":
    main()
