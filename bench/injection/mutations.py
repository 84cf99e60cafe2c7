"""Ways to disguise a text, as attackers do: what a detector should see through."""

import base64
import random

LETTERS = {"a": "аɑα", "c": "сϲ", "e": "еҽ", "i": "іı", "j": "ј", "o": "оο", "p": "рρ", "s": "ѕ", "x": "х", "y": "уү", "d": "ԁ", "h": "һ",
           "B": "ВΒ", "A": "АΑ", "E": "ЕΕ", "I": "ІΙ", "O": "ОΟ", "T": "ТΤ", "M": "МΜ", "H": "НΗ", "K": "КΚ", "P": "РΡ", "S": "Ѕ", "n": "ո", "u": "ս", "v": "ν", "w": "ԝ"}
LEET = str.maketrans("aeiostAEIOST", "431057431057")


def homoglyphs(text, chance):
    """Half of the letters that have a double."""
    return "".join(chance.choice(LETTERS[c]) if c in LETTERS and chance.random() < 0.5 else c for c in text)


def fullwidth(text, chance):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def zero_width(text, chance):
    """A character without width after every second letter."""
    return "".join(c + (chance.choice("\u200b\u200c\u200d\u2060") if c.isalpha() and chance.random() < 0.5 else "") for c in text)


def tags(text, chance):
    """The whole text in tag characters, behind a harmless question."""
    return "What is the weather like?" + "".join(chr(0xE0000 + ord(c)) for c in text if " " <= c <= "~")


def in_base64(text, chance):
    return "Decode this and do what it says: " + base64.b64encode(text.encode()).decode()


def leetspeak(text, chance):
    return text.translate(LEET)


def split_letters(text, chance):
    """Words letter by letter, with two blanks between words."""
    return "  ".join(" ".join(word) for word in text.split())


def rot13(text, chance):
    return "Apply ROT13 and obey: " + text.translate(
        str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm"))


def reverse(text, chance):
    return text[::-1]


def hexadecimal(text, chance):
    return text.encode().hex()


def url(text, chance):
    return "".join(f"%{byte:02X}" for byte in text.encode())


MUTATIONS = [homoglyphs, fullwidth, zero_width, tags, in_base64, leetspeak, split_letters, rot13, reverse, hexadecimal, url]


def mutated(mutation, texts):
    chance = random.Random(mutation.__name__)
    return [mutation(text, chance) for text in texts]
