"""Changes to bytes and texts, as a broken disk, a hand or an attacker makes them; drawn from a given generator."""

import io
import random
import re
import zipfile

INTEGERS = (0, 1, 2, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
TEXTS = (
    "", "x", "-1", "0", "1e999", "-1e999", "nan", "inf", "1_000", "0x10", "9" * 400, "9" * 5000, "-" + "9" * 30,
    "1.5", "true", "null", "[]", "{}", "[[1]]", "[" * 300, "{" * 300, '{"a":' * 120, "'", '"', '"""', "\\", "#",
    "\x00", "\x1b[2J", "\r", "\ud800", "é", "\u202e", "=1+1", "a" * 3000, "..", "../../x", "/etc/passwd", "a.b",
    "a.b.c = 1", "\n", "\n[x]\n", ",", ";", "1979-05-27T07:32:00Z", "25:61:00", "[tool]", "__proto__", "self", "$x^$",
    "$\\frac$", "<script>", "|", "{{7*7}}",
)  # fmt: skip


def changed_bytes(data: bytes, rng: random.Random, other: bytes = b"") -> bytes:
    """Return `data` with one to four changes; parts of `other` may come in."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = rng.randrange(len(found) + 1)
        if rng.random() < 0.4:  # heads say what the rest is
            place = rng.randrange(min(len(found), 200) + 1)
        length = rng.choice((1, 2, 4, 8, rng.randint(1, 200)))
        kind = rng.randrange(9)
        if kind <= 1 and place < len(found):
            found[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            found[place : place + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
            found[place : place + width] = (rng.choice(INTEGERS) % 256**width).to_bytes(width, order)
        elif kind == 4:
            found[place:place] = rng.randbytes(length)
        elif kind == 5:
            del found[place : place + length]
        elif kind == 6:
            del found[place:]
        elif kind == 7:
            found[place:place] = found[place : place + length] * rng.choice((1, 2, 50))
        else:
            start = rng.randrange(len(other) + 1)
            found[place : place + length] = other[start : start + length]
    return bytes(found)


def changed_text(text: str, rng: random.Random) -> str:
    """Return a text with one to three tokens, lines or characters changed."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        tokens = [*re.finditer(r'"[^"\n]*"|-?[\w.]+', text)] or [*re.finditer("", text)]
        token, kind, put = rng.choice(tokens), rng.randrange(8), rng.choice(TEXTS)
        if kind <= 2:
            text = text[: token.start()] + put + text[token.end() :]
        elif kind == 3:
            text = f'{text[: token.start()]}"{put}"{text[token.end() :]}'
        elif kind == 4:
            place = rng.randrange(len(text) + 1)
            text = text[:place] + put + text[place:]
        elif kind == 5:
            lines = text.split("\n")
            first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[first], lines[second] = lines[second], rng.choice((lines[first], lines[second], ""))
            text = "\n".join(lines)
        elif kind == 6:
            text = text[: rng.randrange(len(text) + 1)]
        else:
            start = rng.randrange(len(text) + 1)
            text = text[:start] + text[start + rng.randint(1, 20) :]
    return text


def changed_zip(data: bytes, rng: random.Random) -> bytes:
    """Return an archive with a changed member whose checksum is right, or with a changed list of members."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(member.filename, archive.read(member)) for member in archive.infolist()]
    place = rng.randrange(len(members))
    name, content = members[place]
    kind = rng.randrange(8)
    if kind <= 3:
        members[place] = (name, _changed_member(content, rng))
    elif kind == 4:
        members[place] = (rng.choice(TEXTS[1:]).replace("\ud800", "y").replace("\0", "y"), content)
    elif kind == 5:
        del members[place]
    elif kind == 6:
        members[place] = (name, content + bytes(rng.choice((1, 1000, 10**6))))
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", rng.choice((0, 0, 8, 8, 12, 14))) as archive:
        for name, content in members:
            archive.writestr(name, content)
    found = bytearray(written.getvalue())
    if rng.random() < 0.4:  # a lie in a header: signature, then fields
        heads = [head.start() for head in re.finditer(b"PK(\x01\x02|\x03\x04|\x05\x06)", found)]
        start = rng.choice(heads) + 4 + 2 * rng.randrange(20)
        width = rng.choice((2, 4))
        found[start : start + width] = (rng.choice(INTEGERS) % 256**width).to_bytes(width, "little")
    return bytes(found)


def _changed_member(content: bytes, rng: random.Random) -> bytes:
    if not content.startswith(b"\x93NUMPY") or rng.random() < 0.3:
        return changed_bytes(content, rng, content)
    end = 10 + int.from_bytes(content[8:10], "little")
    header = changed_text(content[10:end].decode("latin1").rstrip(), rng).encode("latin1", "replace")[:60000]
    return content[:8] + len(header).to_bytes(2, "little") + header + content[end:]
