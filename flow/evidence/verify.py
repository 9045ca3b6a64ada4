#!/usr/bin/env python3
"""Checks a file of evidence of Ringfence: verify.py FILE [--key PUBLIC-KEY] [--seen MARK] [--files LIST]

Written from docs/evidence.md alone; needs nothing but Python 3. Exit code: 0 good, 1 something was found, 2 not a file of evidence."""
import base64, datetime, functools, hashlib, json, os, re, sys

sha = lambda b: hashlib.sha256(b).digest()
u32, text = lambda n: n.to_bytes(4, "big"), lambda b: u32(len(b)) + b
ORDER = {"ringfence-evidence-1": 1, "key": 2, "checkpoint": 3, "tree": 4, "row": 4, "skip": 4, "unsealed": 5, "end": 6}


def form(right, why="a part is in another form"):
    if not right: raise ValueError(why)


def number(s, least=-2**63, most=2**63 - 1): return form(re.fullmatch("-?[0-9]{1,19}", s) and str(int(s)) == s and least <= int(s) <= most) or int(s)
def unhex(s, size=32): return form(len(s) == 2 * size and re.fullmatch("[0-9a-f]*", s)) or bytes.fromhex(s)


def b64(s):
    try: return base64.b64decode(s, validate=True)
    except ValueError: return b""


def unquoted(s):
    try: return str.encode(json.loads(s)).decode()
    except (ValueError, TypeError): return ""


def leaf(at, kind, version, salt, fields):
    b, k = b"\0ringfence-row-1\n" + at.to_bytes(8, "big", signed=True) + u32(version) + text(kind.encode()), 0
    for name, mark, value in zip(fields[::3], fields[1::3], fields[2::3]):
        n, v = name.encode(), value.encode()
        if mark == "=": s, k = sha(unhex(salt, 16) + u32(k // 2))[k % 2 * 16:][:16], k + 1
        else: s = unhex(mark, 16) if mark not in ("-", "#") else b""
        c = unhex(value) if mark == "#" else sha(s + text(n) + v)
        b += b"p" + text(n) + text(v) if mark == "-" else b"c" + text(n) + c
    return sha(b)


def grow(t, level, h):
    """Adds a subtree, if one can begin there."""
    size, t["size"] = t["size"], t["size"] + (1 << level)
    fits = size & (1 << level) - 1 == 0
    while fits and size >> level & 1: h, level = sha(b"\1" + t["nodes"].pop() + h), level + 1
    t["nodes"].append(h)
    return fits


def opened(note, keys):
    """The text of a signed note, if a key has signed it and no signature of a key is wrong."""
    body, _, end = note.rpartition("\n\n")
    lines = [re.fullmatch(r"— ([^\s+]+) (\S+)", l) for l in end[:-1].split("\n")]
    signed = [(m[1], b64(m[2])) for m in lines if m]
    if re.search("[\0-\t\v-\x1f]", note) or end[-1:] != "\n" or len(lines) > 100 or None in lines or any(len(raw) < 5 for _, raw in signed): return None
    first = {(name, raw[:4].hex()): raw[4:] for name, raw in reversed(signed)}
    known = {(k.split("+")[0], k.split("+")[1].lower()): b64(k.split("+", 2)[2])[1:] for k in keys}
    right = [ed25519(known[who], (body + "\n").encode(), signature) for who, signature in first.items() if who in known]
    return body + "\n" if right and all(right) else None


def public(key):
    name, short, raw = key.split("+", 2)
    form(re.fullmatch(r"[^\s+]+", name) and len(b64(raw)) == 33 and b64(raw)[0] == 1 and sha(name.encode() + b"\n" + b64(raw))[:4].hex() == short.lower(), "a key")
    return key


class Point:
    def __init__(self, body):
        m = re.fullmatch(r"ringfence checkpoint 1\nnumber (\S+)\nepoch (\S+)\nat (\S+)\nprevious (\S+)\n(?:lost (\S+) (\S+)\n)?((?:tree \S+ \S+ .*\n)*)", body)
        form(m)
        trees = [l.split(" ", 3)[1:] for l in m[7].split("\n")[:-1]]
        self.body, self.number, self.epoch, self.at, self.previous = body, number(m[1]), number(m[2]), m[3], m[4]
        self.us, self.hash, self.heads = micros(self.at), sha(body.encode()), {name: (number(size), root) for size, root, name in trees}
        form(stamp(self.us) == self.at and len(self.heads) == len(trees) and (m[5] is None or number(m[5])))
        form(all(len(b64(h)) == 32 and base64.b64encode(b64(h)).decode() == h for h in [m[4], m[6] or m[4]] + [root for _, root in self.heads.values()]))

    def follows(self, a):
        return not (self.number <= a.number or self.us < a.us or self.epoch < a.epoch or self.number == a.number + 1 and b64(self.previous) != a.hash
                    or any(self.heads.get(t, (0,))[0] < h[0] for t, h in a.heads.items()))


EPOCH = datetime.datetime(1970, 1, 1)
micros = lambda s: (datetime.datetime.strptime(s, "%Y-%m-%dT%H:%M:%S.%fZ") - EPOCH) // datetime.timedelta(microseconds=1)
stamp = lambda us: (EPOCH + datetime.timedelta(microseconds=us)).isoformat(timespec="microseconds") + "Z" if -62135596800000000 <= us < 253402300800000000 else str(us)


def verify(path, key=None):
    found, keys, named, points, trees, t, rows, place, total = [], [], [], [], {}, None, 0, 0, hashlib.sha256()
    say = found.append

    def finish(t):
        for a, b in [g for g in t["gaps"] if g[1] > g[0]] if t else ():
            say(f"removed: row {a} of tree {t['name']}" if b == a + 1 else f"removed: rows {a} to {b - 1} of tree {t['name']}")
        if t and not t["due"]: return say(f"inserted: tree {t['name']}, which no checkpoint names")
        p, (size, _) = t["due"][-1] if t else (None, (0, 0))
        if t and t["pos"] != size: say(f"{'inserted' if t['pos'] > size else 'removed'}: tree {t['name']} has {t['pos']} rows, and {size} in checkpoint {p.number}")

    with open(path, "rb") as f:
        for raw in f:
            if place == 6 and say("file: there are lines after its end") is None: break
            what, *p = re.sub("\n$", "", raw.decode()).split("\t")
            rest, before, place = "\t".join(p), place, ORDER.get(what, 0)
            form(place > 0 and place >= before + (before == 1 == place) and (before > 0) == (place > 1), f"a line {what!r} is out of its place")
            if place < 6: total.update(raw)
            if what == "end":
                t, body = finish(t), opened(unquoted(rest), keys)
                if body is None: say("file: its end is not signed with a key that is trusted")
                elif body != f"ringfence evidence end 1\nrows {rows}\nsha256 {total.hexdigest()}\n": say("file: it is not as it was when it was signed")
            elif what == "key": named, keys = named + [public(rest)], keys + ([rest] if key in (None, rest) else [])
            elif what == "checkpoint":
                c, note = None, unquoted(rest)
                try: c = Point(note.partition("\n\n")[0] + "\n")
                except ValueError: say("checkpoint: one of them cannot be read")
                if c and opened(note, keys) != c.body: say(f"checkpoint: {c.number} is not signed with a key that is trusted")
                elif c and points and not c.follows(points[-1]): say(f"checkpoint: {c.number} does not follow {points[-1].number}")
                elif c: points.append(c)
            elif what == "tree":
                if finish(t) or rest in trees: say(f"inserted: tree {rest} is there twice")
                due = [(c, c.heads[rest]) for c in points if rest in c.heads and c.heads[rest][0] > 0]
                t = trees[rest] = {"name": rest, "size": 0, "nodes": [], "pos": 0, "gaps": [], "broken": False, "due": due, "passed": 0, "proven": 0}
            elif what in ("row", "skip"):
                form(t and (len(p) == 3 if what == "skip" else len(p) > 5 and len(p) % 3 == 0 and (p[5] == "-" or unhex(p[5], 16))))
                n, level, name, gaps = number(p[0], 0, 2**62 - 1), number(p[1], 0, 60) if what == "skip" else 0, t["name"], t["gaps"]
                h, size = unhex(p[2] if what == "skip" else p[1]), 1 << level
                t["broken"] |= n != t["pos"]
                if n > t["pos"]: gaps.append((t["pos"], n))
                elif n < t["pos"]:
                    i = next((i for i, g in enumerate(gaps) if g[0] <= n and n + size <= g[1]), None)
                    say(f"inserted: row {n} of tree {name} is there twice" if i is None else f"reordered: row {n} of tree {name}")
                    if i is not None: gaps[i:i + 1] = [(gaps[i][0], n), (n + size, gaps[i][1])]
                t["pos"] = max(t["pos"], n + size)
                if what == "row":
                    rows, at, last = rows + 1, number(p[2]), next((c for c, (s, _) in reversed(t["due"]) if s <= n), None)
                    if leaf(at, p[3], number(p[4], 0, 2**32 - 1), p[5], p[6:]) != h: say(f"changed: row {n} of tree {name}")
                    if last and at < last.us - 600000000: say(f"back-dated: row {n} of tree {name} says {stamp(at)}, but was written after checkpoint {last.number} of {last.at}")
                if not t["broken"] and not grow(t, level, h): t["broken"] = None is say(f"file: row {n} of tree {name}: the hash of a subtree stands where none can begin")
                while t["passed"] < len(t["due"]) and t["due"][t["passed"]][1][0] <= t["pos"]:
                    (c, (s, root)), t["passed"] = t["due"][t["passed"]], t["passed"] + 1
                    if not t["broken"] and s < t["pos"]: say(f"file: checkpoint {c.number} cannot be compared with tree {name}")
                    elif not t["broken"] and functools.reduce(lambda r, left: sha(b"\1" + left + r), reversed(t["nodes"])) != b64(root): t["broken"] = None is say(
                        f"changed: rows {t['proven']} to {s - 1} of tree {name} are not those of checkpoint {c.number}")
                    elif not t["broken"]: t["proven"] = s
            elif what == "unsealed":
                form(len(p) > 5 and len(p) % 3 == 0 and p[1] == "-")
                rows, n, at = rows + 1, number(p[0], 0, 2**62 - 1), number(p[2])
                if points and (points[0].number > 1 or at > points[0].us + 600000000): say(f"inserted: fact {n} of {stamp(at)} is not sealed")
    finish(form(place, "it is empty") or t)
    if place < 6: say("file: its end is missing")
    if not points: say("checkpoint: there is none")
    for name, (size, _) in points[-1].heads.items() if points else ():
        if size > 0 and name not in trees: say(f"removed: tree {name}, which checkpoint {points[-1].number} names")
    return found, named, points, rows


def listed(path, keys):
    """What is wrong with the files of the folder that a signed list is in."""
    (folder, own), body = os.path.split(path), opened(open(path, encoding="utf-8", newline="").read(), keys)
    if body is None: return ["file: the list of files is not signed with a key that is trusted"]
    form(body.startswith("ringfence files 1\n"), "a list of files")
    sums = dict(l.split("  ", 1)[::-1] for l in body.split("\n")[1:-1])
    there = {os.path.relpath(os.path.join(d, f), folder or "."): os.path.join(d, f) for d, _, files in os.walk(folder or ".") for f in files}
    return ([f"removed: file {n}" for n in sums if n not in there] + [f"inserted: file {n}" for n in there if n not in sums and n != own]
            + [f"changed: file {n}" for n in sums if n in there and hashlib.sha256(open(there[n], "rb").read()).hexdigest() != sums[n]])


# Ed25519, after RFC 8032 section 5.1.7 and its appendix A.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, a):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, a)
        a, n = add(a, a), n >> 1
    return out


def point(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or not x and sign:
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


B = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519(public, message, signature):
    if len(signature) != 64:
        return False
    a, r, s = point(public), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if not a or not r or s >= Q:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    x, y = times(s, B), add(r, times(k, a))
    return (x[0] * y[2] - y[0] * x[2]) % P == 0 and (x[1] * y[2] - y[1] * x[2]) % P == 0


def main(args):
    if not args: return print(__doc__) or 2
    option = lambda name: (args + [None])[args.index(name) + 1] if name in args else None
    try:
        found, keys, points, rows = verify(args[0], option("--key"))
        found += listed(option("--files"), [k for k in keys if option("--key") in (None, k)]) if "--files" in args else []
    except (ValueError, OSError) as e: return print("not a file of evidence:", e) or 2
    seen = option("--seen")
    if seen and seen not in [f"{p.number}-{p.hash.hex()}" for p in points]: found.append(f"checkpoint: {seen} is not in the file")
    for k in keys: print("key", k, "fingerprint", " ".join(sha(k.encode())[:16].hex()[i:i + 4] for i in range(0, 32, 4)))
    print(*found, f"{rows} rows, {len(points)} checkpoints: {'something was found' if found else 'good'}", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
