"""Our own attacks and harmless look-alikes, made from rules in `grammar/*.txt`.

A rule is a name, a colon and alternatives, one a line, indented. `{name}` in an alternative stands for any alternative
of that rule, `{a|b|}` for one of the words. Rules whose names start with `attack` or `benign` are texts; what follows
the name there says of which kind: `attack.jailbreak`, `benign`.
"""

import random
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "grammar"
KINDS = {"attack.injection": 1, "attack.jailbreak": 2, "benign": 0}
SLOT = re.compile(r"\{([^{}]*)\}")


def rules():
    found, name = {}, None
    for path in sorted(FOLDER.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if not line.startswith(" "):
                name = line.strip().rstrip(":")
                found.setdefault(name, [])
            else:
                found[name].append(line.strip().replace("\\n", "\n"))
    return found


def expand(text, grammar, chance, depth=0):
    """`text` with every slot filled by chance."""
    if depth > 12:
        raise ValueError(f"a rule leads back to itself: {text}")

    def fill(slot):
        inside = slot.group(1)
        if "|" in inside:
            return chance.choice(inside.split("|"))
        if inside not in grammar:
            raise ValueError(f"no rule is called {inside}")
        return expand(chance.choice(grammar[inside]), grammar, chance, depth + 1)

    while SLOT.search(text):
        text = SLOT.sub(fill, text)
    return text


def texts(each, seed):
    """`each` texts of every alternative of every rule that is a text: label, rule, alternative and text."""
    grammar, chance = rules(), random.Random(seed)
    for name in sorted(grammar):
        kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), None)
        if kind is None:
            continue
        for alternative in grammar[name]:
            made = {expand(alternative, grammar, chance) for _ in range(each if SLOT.search(alternative) else 1)}
            for text in sorted(made):
                yield kind, name, alternative, text
