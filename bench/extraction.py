#!/usr/bin/env python3
"""Extraction of models of scikit-learn size: who is caught, when, and who is accused for nothing.

    cargo xtask bench extraction      (or: python3 bench/extraction.py [--seeds 3] [--learnt])

Drives the real monitor (crates/watch/monitor, example `replay`) with simulated clients and attackers.
Needs numpy, pillow and scikit-learn. All is drawn from seeds; those that thresholds were chosen with (0 to 9)
are not those that are reported (100 and up). With --learnt, models come without a profile, and the
monitor learns one from its clients.
"""
import argparse
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from extraction_lab import attackers, clients, victims  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
DAY = 86_400_000
KEYS = 10
ALARMS = ("extraction", "extraction-pool")
# Rows that an attacker asks in all; the copy that they give is the final one.
BUDGET = {"digits": 1500, "cancer": 500, "wine": 300, "synthetic": 1500}


class World:
    """Traffic of one model, and what the monitor says to it."""

    def __init__(self, victim, learnt):
        self.victim, self.learnt = victim, learnt
        self.principals, self.sources, self.records = [], [], []

    def sends(self, principal, source, times, batches):
        for words, word in ((self.principals, principal), (self.sources, source)):
            if word not in words:
                words.append(word)
        place = (self.principals.index(principal), self.sources.index(source))
        self.records += [(int(time), *place, principal, rows) for time, rows in zip(times, batches)]

    def sends_over_a_day(self, principal, batches, rng, day=0):
        times = np.sort(rng.integers(day * DAY, (day + 1) * DAY, len(batches)))
        self.sends(principal, f"at-{principal}", times, batches)

    def replay(self):
        """The signals, each with the number of attacker's rows that had been asked by then."""
        self.records.sort(key=lambda record: record[0])
        profile = np.empty((0, len(self.victim.low)), np.float32) if self.learnt else self.victim.profile
        head = {"width": len(self.victim.low), "profile": len(profile), "principals": self.principals, "sources": self.sources}
        stream = [json.dumps(head).encode(), b"\n", profile.astype("<f4").tobytes()]
        asked, so_far = [], 0
        for time, principal, source, name, rows in self.records:
            rows = np.atleast_2d(rows)
            stream += [np.array([principal, source, time, len(rows)], "<u4").tobytes(), rows.astype("<f4").tobytes()]
            so_far += len(rows) if name.startswith("attacker") else 0
            asked.append(so_far)
        run = subprocess.run([TARGET / "release/examples/replay"], input=b"".join(stream), capture_output=True, check=True)
        *signals, cost = map(json.loads, run.stdout.splitlines())
        for signal in signals:
            signal["asked"] = asked[signal["record"]]
            signal["who"] = signal["members"] or [signal["principal"]]
        return signals, cost["microseconds"]


def wilson(hits, trials, z=1.96):
    p, z2 = hits / trials, z * z
    centre, margin = p + z2 / (2 * trials), z * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials ** 2))
    return max(0.0, (centre - margin) / (1 + z2 / trials)), (centre + margin) / (1 + z2 / trials)


def honest(name, seed, learnt, days):
    """Client-days by kind, those accused, and the cost of an exchange of one row."""
    victim, rng = victims.victim(name, seed), np.random.default_rng([seed, 1])
    world, counts = World(victim, learnt), {kind: 0 for kind in clients.KINDS}
    for day in range(days):
        for number in range(20):
            for kind in clients.KINDS:
                world.sends_over_a_day(f"{kind}/{day}.{number}", clients.day(kind, victim, rng), rng, day)
                counts[kind] += 1
    signals, microseconds = world.replay()
    accused = {(signal["kind"] if signal["kind"] == "membership-probing" else "extraction", who)
               for signal in signals if signal["kind"] in ALARMS + ("membership-probing",) for who in signal["who"]}
    return counts, accused, microseconds


def attack(name, seed, kind, learnt, keys=1, together=False):
    """Queries asked when the attacker was first named, which of its keys were named in the end, honest
    clients that a pool named with them, and how good the copy is at each of the two moments."""
    victim, rng = victims.victim(name, seed), np.random.default_rng([seed, 2, len(kind)])
    world = World(victim, learnt)
    for number in range(20):
        kind_of_client = clients.KINDS[number % 3]
        world.sends_over_a_day(f"honest/{number}", clients.day(kind_of_client, victim, rng)[:150], rng)
    rows = attackers.queries(kind, victim, BUDGET[name], rng)
    times = np.linspace(DAY / 2, DAY * 0.9, len(rows))
    for key in range(keys):
        source = "together" if together else f"at-{key}"
        world.sends(f"attacker/{key}", source, times[key::keys], rows[key::keys])
    signals, _ = world.replay()
    found = [signal for signal in signals if signal["kind"] in ALARMS and any(who.startswith("attacker") for who in signal["who"])]
    named = {who for signal in found for who in signal["who"] if who.startswith("attacker")}
    blamed = {who for signal in signals if signal["kind"] in ALARMS for who in signal["who"] if who.startswith("honest")}
    pooled = [signal["asked"] for signal in found if signal["kind"] == "extraction-pool"]
    return {"victim": victim, "rows": rows, "first": found[0]["asked"] if found else None, "named": len(named),
            "blamed": len(blamed), "pool": pooled[0] if pooled else None}


def gain(victim, rows, asked):
    """Fidelity after so many queries: as a share of what all of them gain over no query, and itself."""
    answers = victim.answers(rows)
    none, final = attackers.fidelity(victim, rows[:0], answers), attackers.fidelity(victim, rows, answers)
    caught = attackers.fidelity(victim, rows[:asked], answers[:asked])
    return min(1.0, max(0.0, (caught - none) / max(final - none, 1e-9))), caught, final


def report_honest(names, seeds, learnt, days):
    total, wrong, probes = {kind: 0 for kind in clients.KINDS}, {kind: 0 for kind in clients.KINDS}, 0
    for name in names:
        for seed in seeds:
            counts, accused, microseconds = honest(name, seed, learnt, days)
            for kind in clients.KINDS:
                total[kind] += counts[kind]
                wrong[kind] += sum(what == "extraction" and who.startswith(kind) for what, who in accused)
            probes += sum(what == "membership-probing" for what, _ in accused)
        print(f"  cost of an exchange of one row, {name}: {microseconds:.1f} us (median)")
    for kind in clients.KINDS:
        print(f"  {kind}: {wrong[kind]} of {total[kind]} client-days accused")
    all_wrong, all_days = sum(wrong.values()), sum(total.values())
    low, high = wilson(all_wrong, all_days)
    print(f"false alarms of extraction: {all_wrong} of {all_days} client-days, {100 * all_wrong / all_days:.2f} % "
          f"(95 %: {100 * low:.2f} to {100 * high:.2f} %); target at most 0.5 %")
    low, high = wilson(probes, all_days)
    print(f"false alarms of membership probing: {probes} of {all_days} client-days (95 %: at most {100 * high:.2f} %)")
    return all_wrong / all_days <= 0.005


def report_attacks(names, seeds, learnt):
    met = True
    for kind in attackers.KINDS + attackers.HIDDEN:
        for name in names:
            runs = [attack(name, seed, kind, learnt) for seed in seeds]
            caught = [run for run in runs if run["first"]]
            shares = [gain(run["victim"], run["rows"], run["first"]) for run in caught]
            early = sum(share < 0.6 for share, _, _ in shares)
            text = f"  {kind}, {name}: caught {len(caught)} of {len(runs)}"
            if caught:
                text += (f", after {np.median([run['first'] for run in caught]):.0f} queries (median), at "
                         f"{100 * np.median([share for share, _, _ in shares]):.0f} % of the gain (most "
                         f"{100 * max(share for share, _, _ in shares):.0f} %), before 60 % in {early}; fidelity then "
                         f"{np.median([now for _, now, _ in shares]):.2f}, final {np.median([final for _, _, final in shares]):.2f}")
            print(text, flush=True)
            met &= kind in attackers.HIDDEN or early == len(runs)
    return met


def report_sybil(names, seeds, learnt):
    met = True
    for together in (False, True):
        hits = trials = named = blamed = 0
        when = []
        for kind in attackers.KINDS:
            for name in names:
                for seed in seeds:
                    run = attack(name, seed, kind, learnt, KEYS, together)
                    early = bool(run["pool"]) and gain(run["victim"], run["rows"], run["pool"])[0] < 0.6
                    hits, trials, named, blamed = hits + bool(run["pool"]), trials + 1, named + run["named"], blamed + run["blamed"]
                    when.append(early)
        low, high = wilson(hits, trials)
        where = "one source" if together else "ten sources"
        print(f"  {KEYS} keys, {where}: pooled in {hits} of {trials} runs ({100 * hits / trials:.0f} %, 95 %: {100 * low:.0f} to "
              f"{100 * high:.0f} %), before 60 % of the gain in {sum(when)}; {named} of {trials * KEYS} keys named; "
              f"{blamed} of {trials * 20} honest clients beside them accused", flush=True)
        met &= hits / trials >= 0.9
    return met


def report_hardening(names, seeds):
    """What top 1 and two digits take from a copy by training, and from one by solving equations."""
    losses = {}
    for way, kinds in (("trained", ("knockoff", "random", "jacobian")), ("solved", ("random",))):
        for name in names:
            for kind in kinds:
                plain, hard = [], []
                for seed in seeds:
                    victim = victims.victim(name, seed, linear=way == "solved")
                    width = len(victim.low)
                    budget = BUDGET[name] if way == "trained" else 2 * (width + 1)
                    rows = attackers.queries(kind, victim, budget, np.random.default_rng([seed, 3]))
                    answers = victim.answers(rows)
                    assert (attackers.hardened(answers).argmax(1) == answers.argmax(1)).all(), "hardening changed a best class"
                    measure = attackers.fidelity if way == "trained" else attackers.solved
                    plain.append(measure(victim, rows, answers))
                    hard.append(measure(victim, rows, attackers.hardened(answers)))
                losses.setdefault(way, []).append(np.mean(plain) - np.mean(hard))
                print(f"  {way}, {kind}, {name}: fidelity {np.mean(plain):.2f}, hardened {np.mean(hard):.2f}", flush=True)
    for way, lost in losses.items():
        print(f"hardening (top 1, two digits) takes {100 * np.mean(lost):.1f} points from a copy that is {way}, and changes no best class; target 10")
    return all(np.mean(lost) >= 0.1 for lost in losses.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=100, help="the first seed")
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--victims", nargs="+", default=victims.NAMES)
    parser.add_argument("--only", choices=("honest", "attacks", "sybil", "hardening"))
    parser.add_argument("--learnt", action="store_true", help="models without a profile")
    parser.add_argument("--no-build", action="store_true")
    given = parser.parse_args()
    if not given.no_build:
        subprocess.run(["cargo", "build", "--quiet", "--release", "--package", "bartizan-monitor", "--example", "replay"], cwd=ROOT, check=True)
    seeds = range(given.first, given.first + given.seeds)
    parts = {
        "honest": lambda: report_honest(given.victims, seeds, given.learnt, given.days),
        "attacks": lambda: report_attacks(given.victims, seeds, given.learnt),
        "sybil": lambda: report_sybil(given.victims, seeds, given.learnt),
        "hardening": lambda: report_hardening(given.victims, seeds),
    }
    missed = []
    for name, part in parts.items():
        if given.only in (None, name):
            print(f"== {name}", flush=True)
            missed += [] if part() else [name]
    if missed:
        print(f"targets missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
