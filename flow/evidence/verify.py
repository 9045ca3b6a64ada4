#!/usr/bin/env python3
"""Checks a file of evidence of Ringfence: verify.py FILE [--key PUBLIC-KEY] [--seen MARK] [--files LIST]

Written from docs/evidence.md alone; needs nothing but Python 3. Exit code: 0 good, 1 something was found, 2 not a file of evidence."""
import base64, datetime, functools, hashlib, json, os, sys

sha = lambda b: hashlib.sha256(b).digest()
u32 = lambda n: n.to_bytes(4, "big")
text = lambda b: u32(len(b)) + b
LATE = 10 * 60 * 1000000


def leaf(at, kind, version, salt, fields):
    b, k = b"\0ringfence-row-1\n" + at.to_bytes(8, "big", signed=True) + u32(version) + text(kind.encode()), 0
    for name, mark, value in zip(fields[::3], fields[1::3], fields[2::3]):
        n, v = name.encode(), value.encode()
        s = bytes.fromhex(mark) if mark not in "-=#" else b""
        if mark == "=":
            s, k = sha(bytes.fromhex(salt) + u32(k // 2))[k % 2 * 16:][:16], k + 1
        c = bytes.fromhex(value) if mark == "#" else sha(s + text(n) + v)
        b += b"p" + text(n) + text(v) if mark == "-" else b"c" + text(n) + c
    return sha(b)


class Tree:
    def __init__(self):
        self.size, self.nodes = 0, []

    def add(self, level, h):
        if self.size & ((1 << level) - 1): return False
        size, self.size = self.size, self.size + (1 << level)
        while size >> level & 1:
            h, level = sha(b"\1" + self.nodes.pop() + h), level + 1
        self.nodes.append(h)
        return True

    def root(self):
        return functools.reduce(lambda root, left: sha(b"\1" + left + root), reversed(self.nodes))


def opened(note, keys):
    """The text of a signed note, if one of the keys has signed it."""
    body, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        name, _, signature = line.removeprefix("— ").rpartition(" ")
        raw = base64.b64decode(signature)
        for key in keys:
            kname, khash, public = key.split("+", 2)
            if name == kname and raw[:4].hex() == khash and ed25519(base64.b64decode(public)[1:], (body + "\n").encode(), raw[4:]): return body + "\n"
    return None


class Point:
    def __init__(self, body):
        lines = body.splitlines()
        get = {l.split(" ")[0]: l.split(" ", 1)[1] for l in lines[1:] if not l.startswith("tree ")}
        self.number, self.epoch, self.at, self.previous = int(get["number"]), int(get["epoch"]), get["at"], get["previous"]
        self.us, self.hash = micros(self.at), sha(body.encode())
        self.heads = {l.split(" ", 3)[3]: (int(l.split(" ")[1]), l.split(" ")[2]) for l in lines if l.startswith("tree ")}

    def follows(self, a):
        return not (self.number <= a.number or self.us < a.us or self.epoch < a.epoch
                    or self.number == a.number + 1 and self.previous != base64.b64encode(a.hash).decode()
                    or any(self.heads.get(t, (0,))[0] < h[0] for t, h in a.heads.items()))


EPOCH = datetime.datetime(1970, 1, 1)
micros = lambda s: (datetime.datetime.strptime(s, "%Y-%m-%dT%H:%M:%S.%fZ") - EPOCH) // datetime.timedelta(microseconds=1)
stamp = lambda us: (EPOCH + datetime.timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def verify(path, key=None):
    found, keys, named, points, trees, t = [], [], [], [], {}, None
    rows, ended, total, say = 0, False, hashlib.sha256(), found.append

    def finish(t):
        for a, b in [g for g in t["gaps"] if g[1] > g[0]] if t else ():
            say(f"removed: row {a} of tree {t['name']}" if b == a + 1 else f"removed: rows {a} to {b - 1} of tree {t['name']}")
        if t and not t["due"]: return say(f"inserted: tree {t['name']}, which no checkpoint names")
        p, (size, _) = t["due"][-1] if t else (None, (0, 0))
        if t and t["pos"] != size: say(f"{'inserted' if t['pos'] > size else 'removed'}: tree {t['name']} has {t['pos']} rows, and {size} in checkpoint {p.number}")

    with open(path, "rb") as f:
        for raw in f:
            what, *p = raw.decode().rstrip("\n").split("\t")
            if ended: say("file: there are lines after its end")
            elif what == "end":
                finish(t)
                body, t, ended = opened(json.loads(p[0]), keys), None, True
                if body is None: say("file: its end is not signed with a key that is trusted")
                elif body != f"ringfence evidence end 1\nrows {rows}\nsha256 {total.hexdigest()}\n": say("file: it is not as it was when it was signed")
            if ended: continue
            total.update(raw)
            if what == "key": named, keys = named + p[:1], keys + (p[:1] if key in (None, p[0]) else [])
            elif what == "checkpoint":
                note = json.loads(p[0])
                c = Point(note.rpartition("\n\n")[0] + "\n")
                if opened(note, keys) is None: say(f"checkpoint: {c.number} is not signed with a key that is trusted")
                elif points and not c.follows(points[-1]): say(f"checkpoint: {c.number} does not follow {points[-1].number}")
                else: points.append(c)
            elif what == "tree":
                finish(t)
                if p[0] in trees: say(f"inserted: tree {p[0]} is there twice")
                due = [(c, c.heads[p[0]]) for c in points if p[0] in c.heads and c.heads[p[0]][0] > 0]
                t = trees[p[0]] = {"name": p[0], "tree": Tree(), "pos": 0, "gaps": [], "broken": False, "due": due, "passed": 0, "proven": 0}
            elif what in ("row", "skip"):
                n, level = int(p[0]), int(p[1]) if what == "skip" else 0
                h, size = bytes.fromhex(p[2] if what == "skip" else p[1]), 1 << level
                rows += what == "row"
                if n > t["pos"]: t["gaps"], t["broken"] = t["gaps"] + [(t["pos"], n)], True
                elif n < t["pos"]:
                    t["broken"] = True
                    gap = next((g for g in t["gaps"] if g[0] <= n and n + size <= g[1]), ())
                    if gap:
                        i = t["gaps"].index(gap)
                        t["gaps"][i:i + 1] = [(gap[0], n), (n + size, gap[1])]
                        say(f"reordered: row {n} of tree {t['name']}")
                    else: say(f"inserted: row {n} of tree {t['name']} is there twice")
                t["pos"] = max(t["pos"], n + size)
                if what == "row":
                    if leaf(int(p[2]), p[3], int(p[4]), p[5], p[6:]) != h: say(f"changed: row {n} of tree {t['name']}")
                    before = [c for c, (s, _) in t["due"] if s <= n]
                    if before and int(p[2]) < before[-1].us - LATE: say(f"back-dated: row {n} of tree {t['name']} says {stamp(int(p[2]))}, but was written after checkpoint {before[-1].number} of {before[-1].at}")
                if not t["broken"] and not t["tree"].add(level, h):
                    t["broken"] = True
                    say(f"file: row {n} of tree {t['name']}: the hash of a subtree stands where none can begin")
                while t["passed"] < len(t["due"]) and t["due"][t["passed"]][1][0] <= t["pos"]:
                    (c, (s, root)), t["passed"] = t["due"][t["passed"]], t["passed"] + 1
                    if t["broken"]: pass
                    elif s < t["pos"]: say(f"file: checkpoint {c.number} cannot be compared with tree {t['name']}")
                    elif base64.b64encode(t["tree"].root()).decode() != root:
                        t["broken"] = True
                        say(f"changed: rows {t['proven']} to {s - 1} of tree {t['name']} are not those of checkpoint {c.number}")
                    else: t["proven"] = s
            elif what == "unsealed":
                rows += 1
                if points and int(p[2]) > points[0].us + LATE: say(f"inserted: fact {p[0]} of {stamp(int(p[2]))} is not sealed")
            elif what != "ringfence-evidence-1": raise ValueError(what)
    finish(t)
    if not ended: say("file: its end is missing")
    if not points: say("checkpoint: there is none")
    for name, (size, _) in points[-1].heads.items() if points else ():
        if size > 0 and name not in trees: say(f"removed: tree {name}, which checkpoint {points[-1].number} names")
    return found, named, points, rows


def listed(path, keys):
    """What is wrong with the files of the folder that a signed list is in."""
    (folder, own), body = os.path.split(path), opened(open(path, encoding="utf-8", newline="").read(), keys)
    if body is None: return ["file: the list of files is not signed with a key that is trusted"]
    sums = dict(l.split("  ", 1)[::-1] for l in body.splitlines()[1:])
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
    option = lambda name: args[args.index(name) + 1] if name in args else None
    try:
        found, keys, points, rows = verify(args[0], option("--key"))
        found += listed(option("--files"), [k for k in keys if option("--key") in (None, k)]) if "--files" in args else []
    except (ValueError, IndexError, KeyError, TypeError, OSError) as e:
        print("not a file of evidence:", e)
        return 2
    seen = option("--seen")
    if seen and seen not in [f"{p.number}-{p.hash.hex()}" for p in points]: found.append(f"checkpoint: {seen} is not in the file")
    for k in keys: print("key", k, "fingerprint", " ".join(sha(k.encode())[:16].hex()[i:i + 4] for i in range(0, 32, 4)))
    for line in found: print(line)
    print(rows, "rows,", len(points), "checkpoints:", "something was found" if found else "good")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
