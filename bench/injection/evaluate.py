#!/usr/bin/env python3
"""Prints how good the embedded model of `bartizan-prompt` is on text that it was not trained on.

Collects the data first where it is missing. Benchmarks that no package ships are read from folders:
`--benchmarks` (wildguard.json, BIPIA_text.json, BIPIA_code.json; default: the shared corpora) and `--notinject`
(NotInject_one.json, _two, _three, of the PIGuard repository). What is absent is said, never counted.
"""

import argparse
import json
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from mutations import MUTATIONS, mutated

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# About 512 tokens of English.
TOKENS_512 = 2500


def wilson(found, of, z=1.96):
    if of == 0:
        return 0.0, 1.0
    share, square = found / of, z * z
    middle, spread = share + square / (2 * of), z * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return (middle - spread) / (1 + square / of), (middle + spread) / (1 + square / of)


def percent(found, of):
    low, high = wilson(found, of)
    return f"{100 * found / max(of, 1):5.1f} %  [{100 * low:5.1f}, {100 * high:5.1f}]  of {of}"


class Judge:
    """Runs the crate's own code over texts."""

    def __init__(self, model):
        command = ["cargo", "run", "--release", "--quiet", "--package", "bartizan-prompt", "--example", "judge", "--"]
        self.command = command + ([model] if model else [])
        limits = subprocess.run([*self.command, "--limits"], check=True, capture_output=True, text=True, cwd=ROOT)
        self.limits = dict(zip(("5 %", "2 %", "1 %", "0.1 %"), map(float, limits.stdout.split())))

    def __call__(self, texts, *flags):
        lines = "\n".join(json.dumps(text) for text in texts) + "\n"
        done = subprocess.run([*self.command, *flags], input=lines, check=True, capture_output=True, text=True, cwd=ROOT)
        rows = [line.split(" ") for line in done.stdout.splitlines()]
        return [float(row[0]) for row in rows], [float(row[1]) for row in rows]


def prompts(path):
    return [row["prompt"] if isinstance(row, dict) else row for row in json.loads(path.read_text(encoding="utf-8"))]


def held_out(options):
    """Texts by (source, hostile)."""
    sets = defaultdict(list)
    for line in (options.data / "test.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        sets[row["source"], row["label"] > 0].append(row["text"])
    wanted = {"wildguard": options.benchmarks, "BIPIA_text": options.benchmarks, "BIPIA_code": options.benchmarks,
              "NotInject_one": options.notinject, "NotInject_two": options.notinject, "NotInject_three": options.notinject}
    for name, folder in wanted.items():
        path = folder / f"{name}.json"
        if not path.exists():
            print(f"absent: {name}, looked for in the folder given by --{'notinject' if 'Not' in name else 'benchmarks'}")
        elif name.startswith("BIPIA"):
            sets[name, True] = [text for group in json.loads(path.read_text(encoding="utf-8")).values() for text in group]
        else:
            sets[name, False] = prompts(path)
    return sets


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=ROOT / "target/injection")
    arguments.add_argument("--benchmarks", type=Path, default=ROOT.parent / "shared/corpora/guard/piguard")
    arguments.add_argument("--notinject", type=Path, default=ROOT / "target/injection")
    arguments.add_argument("--model", default="", help="another model than the embedded one")
    options = arguments.parse_args()
    options.data = options.data.resolve()
    if not (options.data / "test.jsonl").exists():
        subprocess.run([sys.executable, HERE / "collect.py", "--out", options.data], check=True)
    judge = Judge(options.model)
    sets = held_out(options)
    scores = {}
    for key, texts in sets.items():
        scores[key], _ = judge(texts)
    limit = judge.limits["1 %"]

    print(f"\nAt the model's own threshold for 1 % false alarms ({limit:.3f}), with 95 % Wilson intervals")
    for hostile, title in ((False, "false alarms"), (True, "recall")):
        for key in sorted(key for key in sets if key[1] == hostile):
            print(f"  {title:12} {key[0]:24} {percent(sum(score >= limit for score in scores[key]), len(scores[key]))}")
    print("\nFalse alarms on wildguard at each of the model's thresholds")
    for rate, other in judge.limits.items():
        print(f"  {rate:6} {percent(sum(score >= other for score in scores.get(('wildguard', False), [])), len(scores.get(('wildguard', False), [])))}")

    benign = sorted((score for key in scores if not key[1] for score in scores[key]), reverse=True)
    attacks = {key: values for key, values in scores.items() if key[1]}
    at_one = benign[len(benign) // 100]
    print(f"\nRecall at 1 % false alarms over all {len(benign)} benign texts held out (threshold {at_one:.3f})")
    for key, values in attacks.items():
        print(f"  {key[0]:24} {percent(sum(score > at_one for score in values), len(values))}")
    ours = [score for key, values in attacks.items() if not key[0].startswith("BIPIA") for score in values]
    print(f"  {'all but BIPIA':24} {percent(sum(score > at_one for score in ours), len(ours))}")

    groups = {
        "NotInject": [[score < limit for score in scores[key]] for key in scores if key[0].startswith("NotInject")],
        "benign": [[score < limit for score in scores[key]] for key in scores if not key[1] and not key[0].startswith("NotInject")],
        "injection": [[score >= limit for score in values] for values in attacks.values()],
    }
    means = {name: sum(sum(right) / len(right) for right in parts) / max(len(parts), 1) for name, parts in groups.items()}
    print("\nAccuracy, mean over sources: " + ", ".join(f"{name} {100 * mean:.1f} %" for name, mean in means.items()))
    print(f"Average of the three: {100 * sum(means.values()) / 3:.1f} %" + ("" if groups["NotInject"] else " (NotInject is absent)"))

    print("\nRecall under mutation, over attacks of packages, at the model's threshold for 1 %")
    texts = [text for key, values in sets.items() if key[1] and not key[0].startswith("BIPIA") for text in values]
    plain = sum(score >= limit for score in ours)
    print(f"  {'none':14} {percent(plain, len(texts))}")
    calm = [text for key, values in sets.items() if key[0] == "wildguard" for text in values]
    for mutation in MUTATIONS:
        found = sum(score >= limit for score in judge(mutated(mutation, texts))[0])
        alarms = sum(score >= limit for score in judge(mutated(mutation, calm))[0])
        print(f"  {mutation.__name__:14} {percent(found, len(texts))}  loss {100 * (plain - found) / len(texts):5.1f} points;"
              f" benign text so mutated is called hostile {100 * alarms / max(len(calm), 1):5.1f} %")

    long = " ".join(text for key, values in sets.items() if not key[1] for text in values)
    pieces = [long[at:at + TOKENS_512] for at in range(0, min(len(long), 2000 * TOKENS_512), TOKENS_512)]
    times = sorted(judge(pieces, "--time")[1])
    size = (ROOT / "crates/foundation/prompt/model/prompt.bzp").stat().st_size
    print(f"\nTime for 512 tokens ({TOKENS_512} characters, {len(times)} texts): median {times[len(times) // 2]:.0f} µs, "
          f"99th percentile {times[len(times) * 99 // 100]:.0f} µs. Model: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
