#!/usr/bin/env python3
"""Pickles that are valid programs over allowed names: what `pickle_jail.py --grammar` loads.

Mutations of bytes rarely reach a second call. Here every program is composed: any name of the lists is callee, base,
element or attribute, through every opcode that calls, builds, sets, appends or iterates, with arguments made by
other calls. Most programs keep the rules that the scanner knows, so that it calls them clean, and whatever acts
while one of them loads is a fail-open. A program depends on its seed and the lists alone.
"""

import inspect
import random
import struct
import sys
import types

# Text that acts where it is taken for code, a command, a path, an address or a name.
BAIT = "/tmp/bartizan-bait"
TEXTS = [
    "os", "system", "os.system", "posix", "builtins", "eval", "__main__", "id", BAIT, "file://" + BAIT, "http://localhost:9/x",
    "__import__('os').system('true')", "y ~ I(__import__('os').system('true'))", "a", "x", "data", "1", "O", "V8", "f8", "|O8",
    "utf-8", "latin1", "rot13", "zlib", "import os", "callable", "UTC", "../../etc/passwd", "2020-01-01", "D", "@__import__('os').system('true')",
]  # fmt: skip
# Attributes that Python or a library looks up on an instance, and keys that hooks of the lists read.
ATTRIBUTES = (
    "append extend add keys items values update copy get pop func args keywords _target default_factory data dtype shape ndim "
    "__array__ __array_interface__ __array_struct__ __array_finalize__ __array_wrap__ __array_ufunc__ __array_priority__ __len__ "
    "__iter__ __getitem__ __setitem__ __new__ __init__ __dict__ __class__ __module__ __name__ __reduce__ __setstate__ __doc__ "
    "__wrapped__ __annotations__ __index__ __float__ __int__ __str__ __repr__ __hash__ __eq__ __call__ __del__ __get__ __slots__ "
    "__fspath__ __bases__ __mro__ __subclasshook__ __instancecheck__ __dataframe__ __arrow_c_stream__ __dlpack__ __cuda_array_interface__ "
    "tolist toarray tocsr asformat detach requires_grad_ read readline write close name mode _typ _data _mgr _values base obj "
    "elements most_common cast numpy cpu maps encode decode total_seconds utcoffset tzinfo tz freq n normalize"
).split()
# What the scanner reports by name: a program that keeps to the rules sets none of them.
REPORTED = set(
    "__class__ __setstate__ __reduce__ __call__ __del__ __new__ __array__ __array_interface__ __array_struct__ "
    "__cuda_array_interface__ __dlpack__".split()
)
# One opcode, so that a program shows what it does.
MARK, STOP, POP, REDUCE, BUILD, NEWOBJ, NEWOBJ_EX, OBJ, DUP = b"(", b".", b"0", b"R", b"b", b"\x81", b"\x92", b"o", b"2"


class Names:
    """The names of the lists that this interpreter resolves, by what they may be used for."""

    def __init__(self, lists, standard_library):
        self.call, self.new, self.name, self.signatures, self.hints = [], [], [], {}, {}
        self.restricted, self.absent = [], 0
        for path in lists:
            for line in path.read_text().splitlines():
                words = line.split()
                if len(words) < 2 or line[0] in "#[":
                    continue
                module, name, use = words[0], words[1], (words + ["call"])[2]
                if standard_library and module.split(".")[0] not in sys.stdlib_module_names:
                    continue
                found = resolve(module, name)
                if found is None:
                    self.absent += 1
                    continue
                pair = (module, name)
                kinds = {"call": self.call, "takes": self.call, "new": self.new, "name": self.name}
                kinds.get(use, self.restricted).append(pair)
                self.signatures[pair] = arity(found)
                self.hints[pair] = hints(found)

    def __len__(self):
        return len(self.signatures)


def resolve(module, name):
    try:
        found = __import__(module, fromlist=["_"])
        for part in name.split("."):
            found = getattr(found, part)
        return found
    except BaseException:
        return None


def arity(found):
    """Fewest and most positional arguments, and the names of all."""
    try:
        parameters = list(inspect.signature(found).parameters.values())
    except (ValueError, TypeError):
        return 0, 4, []
    positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    fewest = sum(one.default is one.empty for one in positional)
    most = 5 if any(one.kind == one.VAR_POSITIONAL for one in parameters) else len(positional)
    return fewest, max(fewest, min(most, 6)), [one.name for one in parameters]


def hints(found):
    """Texts and attributes that the class's own hooks read."""
    texts = set()
    for cls in getattr(found, "__mro__", ())[:6]:
        for hook in ("__setstate__", "__new__", "__init__", "__iter__", "__getitem__", "__len__", "__setattr__", "__hash__", "__eq__", "append", "extend"):  # fmt: skip
            code = getattr(vars(cls).get(hook), "__code__", None)
            if isinstance(code, types.CodeType):
                texts |= {text for text in (*code.co_names, *code.co_consts) if isinstance(text, str) and text.isidentifier()}
    return sorted(texts)[:80]


class Composer:
    """Writes one program."""

    def __init__(self, names, seed):
        self.names, self.rng = names, random.Random(seed)
        self.memo = 0
        # Whether the program keeps to the rules that the scanner knows, as far as that is easily said.
        self.keeps_rules = self.rng.random() < 0.8

    def program(self):
        parts = [b"\x80\x04"]
        for _ in range(self.rng.randint(0, 3)):
            parts += [self.value(3), self.remember(), POP]
        parts += [self.recipe(), STOP]
        return b"".join(parts)

    def remember(self):
        self.memo += 1
        return b"q" + bytes([(self.memo - 1) % 256])

    def recipe(self):
        choice = self.rng.random()
        if choice < 0.01:
            # Proves that the jail sees what it must and that the scanner is asked.
            return self.value(2) + self.call(("posix", "system"), [self.text()])
        if choice < 0.12 and not self.keeps_rules:
            return self.through_a_hook()
        if choice < 0.22:
            return self.hooked() + self.changes()
        if choice < 0.40:
            return self.call(self.pick(self.names.call), [self.hooked() for _ in range(1)] + self.values(2, 2))
        if choice < 0.55:
            return self.instance() + self.state() + BUILD + self.changes()
        if choice < 0.65:
            return self.reconstructed()
        return self.value(4) + self.changes()

    def pick(self, pairs):
        return self.rng.choice(pairs or self.names.call)

    def text(self, text=None):
        encoded = (self.rng.choice(TEXTS) if text is None else text).encode()
        return b"X" + struct.pack("<I", len(encoded)) + encoded

    def attribute(self):
        while True:
            name = self.rng.choice(ATTRIBUTES)
            if not self.keeps_rules or name not in REPORTED:
                return name

    def named(self, pair):
        return b"c" + pair[0].encode() + b"\n" + pair[1].encode() + b"\n"

    def values(self, count, depth):
        return [self.value(depth) for _ in range(count)]

    def value(self, depth):
        """Code that pushes one value."""
        rng = self.rng
        if depth <= 0:
            return self.constant()
        kind = rng.randrange(14)
        if kind < 3:
            return self.constant()
        if kind == 3:
            return MARK + b"".join(self.values(rng.randint(0, 3), depth - 1)) + rng.choice([b"t", b"l", b"\x91"])
        if kind == 4:
            return b"](" + b"".join(self.values(rng.randint(0, 3), depth - 1)) + b"e"
        if kind == 5:
            return self.attributes(depth - 1)
        if kind == 6:
            return self.named(self.pick(rng.choice([self.names.call, self.names.name] if self.keeps_rules else [self.names.call, self.names.new, self.names.name])))  # fmt: skip
        if kind == 7:
            return self.instance(callable=self.keeps_rules)
        if kind == 8:
            return self.instance(callable=self.keeps_rules) + self.state() + BUILD
        if kind == 9:
            return self.hooked()
        if kind == 10 and self.memo:
            return b"h" + bytes([rng.randrange(self.memo) % 256])
        if kind == 11:
            return self.value(depth - 1) + DUP + b"\x86"
        return self.any_call(depth - 1)

    def constant(self):
        rng = self.rng
        kind = rng.randrange(10)
        if kind < 4:
            return self.text()
        if kind == 4:
            return rng.choice([b"N", b"\x88", b"\x89", b")", b"]", b"}", b"\x8f"])
        if kind == 5:
            return b"K" + bytes([rng.randrange(6)])
        if kind == 6:
            return b"J" + struct.pack("<i", rng.choice([-1, 0, 1, 3, 100, 2**31 - 1]))
        if kind == 7:
            return b"G" + struct.pack(">d", rng.choice([0.0, 1.5, float("nan"), 1e300]))
        content = rng.choice([b"", b"abc", b"\x80\x04N.", bytes(64), b"cos\nsystem\n", b"O"])
        return b"C" + bytes([len(content)]) + content

    def attributes(self, depth, hints=()):
        """A dictionary of attributes that matter, mostly with literal keys."""
        rng = self.rng
        pairs = []
        for _ in range(rng.randint(0, 4)):
            key = self.text(rng.choice(hints) if hints and rng.random() < 0.7 else self.attribute())
            if not self.keeps_rules and rng.random() < 0.15:
                key = self.named(("builtins", "str")) + key + b"\x85R"
            pairs.append(key + self.value(depth))
        opened = rng.random()
        if opened < 0.2:
            return MARK + b"".join(pairs) + b"d"
        if opened < 0.3 and not self.keeps_rules:
            items = b"".join(pair + b"\x86" for pair in pairs)
            return self.named(("builtins", "dict")) + MARK + items + b"l" + b"\x85R"
        return b"}(" + b"".join(pairs) + b"u"

    def state(self, hints=()):
        rng = self.rng
        filled = self.attributes(2, hints)
        shape = rng.random()
        if shape < 0.6:
            return filled
        if shape < 0.8:
            return b"N" + filled + b"\x86"
        if shape < 0.9:
            return filled + self.attributes(1) + b"\x86"
        return self.value(2)

    def instance(self, callable=False):
        """An empty object of a class that may be made only so, or what an allowed call gives."""
        if self.names.new and not callable and self.rng.random() < 0.7:
            pair = self.pick(self.names.new)
            made = self.named(pair) + b")\x81"
        else:
            pair = self.pick(self.names.call)
            made = self.named(pair) + b")" + self.rng.choice([REDUCE, NEWOBJ])
        found = self.names.hints.get(pair)
        if found and self.rng.random() < 0.5:
            made += self.state(found) + BUILD
        return made

    def hooked(self):
        """An object whose own attributes are callables and data of the program's choice."""
        rng = self.rng
        if rng.random() < 0.6:
            made = self.named(rng.choice([("types", "SimpleNamespace"), ("collections", "UserList"), ("collections", "UserDict"), ("builtins", "Exception")])) + b")R"  # fmt: skip
        else:
            made = self.instance(callable=self.keeps_rules)
        pairs = []
        for _ in range(rng.randint(1, 3)):
            callee = self.named(self.pick(rng.choice([self.names.call, self.names.name] if self.keeps_rules else [self.names.call, self.names.new, self.names.new, self.names.name])))  # fmt: skip
            pairs.append(self.text(self.attribute()) + rng.choice([callee, self.value(1)]))
        return made + b"}(" + b"".join(pairs) + b"u" + (b"b" if rng.random() < 0.8 else b"N\x86b")

    def through_a_hook(self):
        """A class called by an opcode or a function that takes it for a method of an object's own."""
        rng = self.rng
        callee = self.named(self.pick(rng.choice([self.names.new, self.names.new, self.names.call, self.names.name])))
        way = rng.randrange(5)
        attribute = ["append", "extend", "add", "__new__", rng.choice(["keys", "items", "__array__", "detach"])][way]
        made = self.named(("types", "SimpleNamespace")) + b")R"
        pairs = self.text(attribute) + callee + b"".join(self.text(rng.choice(ATTRIBUTES)) + self.value(1) for _ in range(rng.randrange(3)))
        made += b"}(" + pairs + b"u" + (b"b" if rng.random() < 0.8 else b"N\x86b")
        if way < 3:
            return made + (self.value(2) + b"a" if way == 0 else MARK + b"".join(self.values(rng.randint(1, 2), 2)) + [b"", b"e", b"\x90"][way])
        if way == 3:
            return self.named(("copyreg", "__newobj__")) + MARK + made + b"".join(self.values(rng.randint(0, 3), 2)) + b"tR"
        return self.call(self.pick(self.names.call), [made, *self.values(rng.randrange(2), 1)])

    def changes(self):
        """Opcodes that run methods of the object on top."""
        rng = self.rng
        out = []
        for _ in range(rng.choice([0, 1, 1, 2])):
            kind = rng.randrange(3 if self.keeps_rules else 0, 6)
            if kind == 0:
                out.append(self.value(2) + b"a")
            elif kind == 1:
                out.append(MARK + b"".join(self.values(rng.randint(1, 2), 2)) + b"e")
            elif kind == 2:
                out.append(MARK + b"".join(self.values(rng.randint(1, 2), 2)) + b"\x90")
            elif kind == 3:
                out.append(self.value(1) + self.value(2) + b"s")
            elif kind == 4:
                out.append(MARK + b"".join(self.values(2, 2)) + b"u")
            else:
                out.append(self.state() + BUILD)
        return b"".join(out)

    def any_call(self, depth):
        pair = self.pick(self.names.call if self.keeps_rules or self.rng.random() < 0.8 else self.names.restricted)
        fewest, most, _ = self.names.signatures.get(pair, (0, 3, []))
        return self.call(pair, self.values(self.rng.randint(fewest, most), depth))

    def call(self, pair, arguments):
        """A call through any opcode that calls."""
        rng = self.rng
        given, opcode = b"".join(arguments), rng.randrange(8)
        if opcode < 4:
            return self.named(pair) + MARK + given + b"t" + REDUCE
        if opcode == 4:
            return self.named(pair) + MARK + given + b"t" + NEWOBJ
        if opcode == 5:
            known = self.names.signatures.get(pair, (0, 0, []))[2] or ["x"]
            named = b"".join(self.text(rng.choice(known)) + self.value(1) for _ in range(rng.randint(0, 2)))
            return self.named(pair) + MARK + given + b"t}(" + named + b"u" + NEWOBJ_EX
        if opcode == 6:
            return MARK + given + b"i" + pair[0].encode() + b"\n" + pair[1].encode() + b"\n"
        return MARK + self.named(pair) + given + OBJ

    def reconstructed(self):
        """`copyreg`'s three ways to make an object, of classes and of objects that pass for one."""
        rng = self.rng
        cls = self.named(self.pick(rng.choice([self.names.new, self.names.call])))
        if not self.keeps_rules and rng.random() < 0.3:
            cls = self.hooked()
        way = rng.randrange(3)
        if way == 0:
            base = rng.choice([("builtins", "object"), ("builtins", "dict"), ("builtins", "list"), self.pick(self.names.call)])
            return self.named(("copyreg", "_reconstructor")) + cls + self.named(base) + self.value(2) + b"\x87R" + self.changes()
        arguments = b"".join(self.values(rng.randint(0, 3), 2))
        if way == 1:
            return self.named(("copyreg", "__newobj__")) + MARK + cls + arguments + b"tR" + self.changes()
        return self.named(("copyreg", "__newobj_ex__")) + cls + MARK + arguments + b"t" + self.attributes(1) + b"\x87R" + self.changes()
