"""Times leaflock beside sops: whole processes, in turns, after checking what came out.

Called by ci/bench. Python standard library only. A case is skipped for a tool
whose output is wrong, so a wrong tool is never a fast one. Ratios are medians
of the quotients of neighbouring runs, so a drifting machine hurts both alike.
"""

import argparse
import fcntl
import math
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from bench_documents import WORDS, aliased, array, commented, deep, documents, dotenv, flat, groups, spelled

IDENTITIES = 1000
MEASURE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/wait.h>
/* measure OUT COMMAND...: peak memory of COMMAND in KiB, its output to OUT.
   A small parent of its own: a child's peak starts from its parent's. */
int main(int n, char **a) {
  pid_t p = fork();
  if (p == 0) {
    int fd = open(a[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, 1);
    execv(a[2], a + 2);
    _exit(127);
  }
  struct rusage u;
  int s;
  wait4(p, &s, 0, &u);
  fprintf(stderr, "%ld\n", u.ru_maxrss);
  return WIFEXITED(s) ? WEXITSTATUS(s) : 128;
}
"""

# From linux/fs.h.
FS_IOC_SETFLAGS, FS_TOPDIR_FL, FS_EXTENT_FL = 0x40086602, 0x00020000, 0x00080000


class Wrong(Exception):
    """A tool's output is not what it must be."""


class Bench:
    def __init__(self, args):
        self.args = args
        self.tools = {"leaflock": os.path.abspath(args.ours), "sops": os.path.abspath(args.sops)}
        self.root = tempfile.mkdtemp(prefix="leaflock-bench-")
        self.home = self.path("home")
        os.makedirs(self.path("home/.config/sops/age"))
        self.recipients = self.make_keys()
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home, "TMPDIR": self.root,
                    "SOPS_DISABLE_VERSION_CHECK": "1", "LC_ALL": "C.UTF-8"}
        self.meter = self.build_meter()

    def path(self, name):
        return os.path.join(self.root, name)

    def make_keys(self):
        """The recipients; ours, whose identity the tools hold, is the last."""
        found = []
        for index in range(IDENTITIES if not self.args.quick else 100):
            text = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
            found.append(re.search(r"age1\w+", text).group())
        with open(self.path("home/.config/sops/age/keys.txt"), "w") as f:
            f.write(text)
        return found

    def build_meter(self):
        source, program = self.path("measure.c"), self.path("measure")
        with open(source, "w") as f:
            f.write(MEASURE)
        for static in (["-static"], []):
            if subprocess.run(["cc", "-O2", *static, "-o", program, source], capture_output=True).returncode == 0:
                return program
        return None

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def fresh(self, name):
        """A new folder whose own folders go to other parts of an ext4 disk: for a minute or more, that passes by every
        inode that was given up, and whoever makes files where the last run replaced thousands pays for that run."""
        folder = tempfile.mkdtemp(prefix=name + "-", dir=self.root)
        try:
            opened = os.open(folder, os.O_RDONLY)
            fcntl.ioctl(opened, FS_IOC_SETFLAGS, struct.pack("l", FS_TOPDIR_FL | FS_EXTENT_FL))
            os.close(opened)
        except OSError:
            pass  # Another file system.
        return folder

    def once(self, argv, cwd=None):
        """Standard output of an unmeasured run."""
        done = subprocess.run(argv, env=self.env, cwd=cwd or self.root, capture_output=True, timeout=600)
        if done.returncode != 0:
            raise Wrong("exit %d: %s" % (done.returncode, done.stderr.decode(errors="replace")[:200].strip()))
        return done.stdout

    def timed(self, argv, cwd=None):
        """Seconds that a run takes."""
        os.chdir(cwd or self.root)
        null = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        start = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, self.env, file_actions=null)
        _, status = os.waitpid(pid, 0)
        took = time.perf_counter() - start
        if status != 0:
            raise Wrong("status %d in a timed run" % status)
        return took

    def peak(self, argv, cwd=None):
        """Peak memory of a run in KiB, or None."""
        if not self.meter or not os.path.isabs(argv[0]):
            return None
        done = subprocess.run([self.meter, os.devnull] + argv, env=self.env, cwd=cwd or self.root,
                              capture_output=True, text=True)
        return int(done.stderr.split()[-1]) if done.returncode == 0 else None

    def encrypted(self, plain, count=1):
        """What sops makes of a file, and how sops prints it again."""
        locked = self.path("locked/%d-%s" % (count, os.path.basename(plain)))
        if not os.path.exists(locked):
            os.makedirs(os.path.dirname(locked), exist_ok=True)
            text = self.once([self.tools["sops"], "encrypt", "--age", ",".join(self.recipients[-count:]), plain])
            with open(locked, "wb") as f:
                f.write(text)
        return locked


# --- cases -----------------------------------------------------------------

class Case:
    def __init__(self, name, goal, commands, check=None, prepare=None, family=None, size=None, cwd=None, memory=None):
        self.name, self.goal, self.commands, self.check = name, goal, commands, check
        self.prepare, self.family, self.size, self.cwd, self.memory = prepare, family, size, cwd, memory


def decrypting(b, name, goal, plain, count=1, **more):
    def commands(tool):
        return [b.tools[tool], "decrypt", b.encrypted(plain, count)]

    def check(tool):
        if b.once(commands(tool)) != open(plain, "rb").read():
            raise Wrong("it decrypts to something else")
    return Case("decrypt " + name, goal, commands, check, memory=os.path.getsize(plain) * 4, **more)


def encrypting(b, name, goal, plain, count=1, cwd=None, **more):
    def commands(tool):
        keys = [] if cwd else ["--age", ",".join(b.recipients[-count:])]
        return [b.tools[tool], "encrypt"] + keys + [plain]

    def check(tool):
        out = b.write("check/" + os.path.basename(plain), b.once(commands(tool), cwd))
        if b.once([b.tools["sops"], "decrypt", out]) != open(plain, "rb").read():
            raise Wrong("sops decrypts it to something else")
    return Case("encrypt " + name, goal, commands, check, cwd=cwd, memory=os.path.getsize(plain) * 4, **more)


def both(b, name, goals, plain, count=1, **more):
    return [decrypting(b, name, goals[0], plain, count, **more), encrypting(b, name, goals[1], plain, count, **more)]


def small_cases(b, rng):
    cases = [Case("start-up (`--version`)", 0.075, lambda tool: [b.tools[tool], "--version"])]
    yaml, json = groups(10, rng)
    cases += both(b, "YAML, 10 values", (0.075, 0.075), b.write("s10.yaml", yaml))
    cases += both(b, "JSON, 10 values", (0.075, 0.075), b.write("s10.json", json))
    return cases


def large_cases(b, rng):
    many = 1000 if b.args.quick else 10000
    name = "{:,} values".format(many)
    yaml, json = groups(many, rng)
    yaml, json = b.write("many.yaml", yaml), b.write("many.json", json)
    cases = both(b, "YAML, " + name, (0.04, 0.04), yaml)
    cases += both(b, "JSON, " + name, (0.05, 0.03), json)
    if not b.args.quick:
        wide, object_ = flat(30000, rng)
        cases += both(b, "YAML, one mapping of 30,000", (0.015, 0.015), b.write("wide.yaml", wide))
        cases += both(b, "JSON, one object of 30,000", (0.015, 0.015), b.write("wide.json", object_))
    size = 4000 if b.args.quick else 40000
    where = b.path("deep")
    rule = "creation_rules:\n  - age: %s\n    encrypted_regex: '^(%s)'\n" % (b.recipients[-1], "|".join(WORDS))
    plain = b.write("deep/deep.yaml", deep(size, rng))
    b.write("deep/.sops.yaml", rule)
    locked = b.path("locked/1-deep.yaml")
    os.makedirs(os.path.dirname(locked), exist_ok=True)
    with open(locked, "wb") as f:
        f.write(b.once([b.tools["sops"], "encrypt", plain], where))
    label = "YAML, {:,} values 6 deep, encrypted_regex of 19 words".format(size)
    cases.append(decrypting(b, label, 0.01, plain))
    cases.append(encrypting(b, label, 0.01, plain, cwd=where))
    return cases + changing_cases(b, yaml, many)


def changing_cases(b, yaml, many):
    locked = b.encrypted(yaml)
    index = '["group_%05d"]["key_05"]' % (many // 40)
    work = b.path("work.yaml")

    def extracted(tool):
        text = b.once([b.tools[tool], "decrypt", "--extract", index, locked])
        if text.strip() != b.once([b.tools["sops"], "decrypt", "--extract", index, locked]).strip():
            raise Wrong("another value")

    def changed(tool):
        shutil.copyfile(locked, work)
        b.once([b.tools[tool], "set", work, index, '"changed"'])
        if b.once([b.tools["sops"], "decrypt", "--extract", index, work]) != b"changed":
            raise Wrong("not changed")
    name = "one of {:,} values".format(many)
    return [
        Case("`--extract` " + name, 0.06, lambda tool: [b.tools[tool], "decrypt", "--extract", index, locked], extracted),
        Case("`set` " + name, 0.03, lambda tool: [b.tools[tool], "set", work, index, '"changed"'], changed,
             prepare=lambda: shutil.copyfile(locked, work)),
    ]


def other_cases(b, rng):
    yaml, _ = groups(10, rng)
    plain = b.write("few.yaml", yaml)
    count = len(b.recipients)
    recipients = "{:,} recipients".format(count)
    cases = [decrypting(b, "YAML, %s, ours the last" % recipients, 0.015, plain, count),
             encrypting(b, "YAML, %s" % recipients, 0.3, plain, count)]
    size = (5 if b.args.quick else 50) * 10**6
    blob = b.write("blob.bin", rng.randbytes(size))
    cases += both(b, "a binary of %d MB" % (size // 10**6), (0.05, 0.09), blob)
    return cases + [tree_case(b, rng, 100 if b.args.quick else 2000),
                    swap_case(b, rng, 50 if b.args.quick else 500),
                    check_case(b, rng, 50 if b.args.quick else 1000)] + git_cases(b, rng, 20 if b.args.quick else 200)


def tree_case(b, rng, count):
    """Decrypts many files in place: one call of ours, a loop of sops."""
    sources = []
    for index in range(10):
        yaml, _ = groups(20, rng)
        sources.append((yaml, b.encrypted(b.write("tree-source/%d.yaml" % index, yaml))))
    tops = []

    def prepare():
        tops.append(b.fresh("tree"))
        for index in range(count):
            path = os.path.join(tops[-1], "d%02d/f%04d.yaml" % (index // 100, index))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copyfile(sources[index % 10][1], path)

    def commands(tool):
        if tool == "leaflock":
            return [b.tools[tool], "decrypt", "-i", tops[-1]]
        return ["/bin/sh", "-ec", 'for f in "$1"/*/*.yaml; do "$0" decrypt -i "$f"; done', b.tools[tool], tops[-1]]

    def check(tool):
        prepare()
        b.once(commands(tool))
        for index in (0, count // 2, count - 1):
            with open(os.path.join(tops[-1], "d%02d/f%04d.yaml" % (index // 100, index))) as f:
                if f.read() != sources[index % 10][0]:
                    raise Wrong("file %d is not decrypted" % index)
    return Case("decrypt {:,} files in place: one call, a loop of sops".format(count), 0.01, commands, check, prepare)


def check_case(b, rng, count):
    """Looks at many files without a key: our check, a loop of sops's filestatus, which sees less."""
    ours = b.recipients[-1]
    top = b.path("checked")
    os.makedirs(top)
    sources = []
    for index in range(10):
        plain = b.write("check-source/%d.yaml" % index, groups(20, rng)[0])
        sources.append(b.once([b.tools["sops"], "encrypt", "--age", ours, plain]))
    for index in range(count):
        b.write("checked/d%02d/f%04d.yaml" % (index // 50, index), sources[index % 10])
    b.write("checked/.sops.yaml", "creation_rules:\n  - path_regex: \\.yaml$\n    age: %s\n" % ours)
    for words in (["init", "-q"], ["add", "."]):
        b.once(["git"] + words, top)

    def commands(tool):
        if tool == "leaflock":
            return [b.tools[tool], "check"]
        return ["/bin/sh", "-ec", 'for f in */*.yaml; do "$0" filestatus "$f"; done', b.tools[tool]]

    def check(tool):
        b.once(commands(tool), top)
        path = os.path.join(top, "d00/f0000.yaml")
        with open(path, "rb") as f:
            whole = f.read()
        with open(path, "wb") as f:
            f.write(re.sub(rb"ENC\[[^]]*\]", b"plain", whole, count=1))
        try:
            found = subprocess.run(commands(tool), env=b.env, cwd=top, capture_output=True)
            if tool == "leaflock" and (found.returncode != 1 or b"plaintext-value" not in found.stdout):
                raise Wrong("a plaintext value is not found")
        finally:
            with open(path, "wb") as f:
                f.write(whole)
    return Case("`check` of {:,} files, a loop of `sops filestatus`".format(count), 0.1, commands, check, cwd=top)


def swap_case(b, rng, count):
    """Swaps one recipient of many files: one call of ours, a loop of sops."""
    ours, gone, new = b.recipients[-1], b.recipients[0], b.recipients[1]
    top = b.path("swapped")
    sources = []
    for index in range(10):
        plain = b.write("swap-source/%d.yaml" % index, groups(20, rng)[0])
        sources.append((open(plain).read(), b.once([b.tools["sops"], "encrypt", "--age", ours + "," + gone, plain])))

    def prepare():
        new_top = b.fresh("swap")
        if os.path.islink(top):
            os.remove(top)
        os.symlink(new_top, top)
        for index in range(count):
            b.write(os.path.join(new_top, "d%02d/f%04d.yaml" % (index // 50, index)), sources[index % 10][1])
        b.write(os.path.join(new_top, ".sops.yaml"), "creation_rules:\n  - age: %s,%s\n" % (ours, new))

    def commands(tool):
        if tool == "leaflock":
            return [b.tools[tool], "updatekeys", "--yes", "--all"]
        return ["/bin/sh", "-ec", 'for f in */*.yaml; do "$0" updatekeys --yes "$f"; done', b.tools[tool]]

    def check(tool):
        prepare()
        b.once(commands(tool), top)
        for index in range(count):
            path = os.path.join(top, "d%02d/f%04d.yaml" % (index // 50, index))
            with open(path) as f:
                text = f.read()
            if new not in text or gone in text:
                raise Wrong("file %d has other recipients" % index)
            if index % 50 == 0 and b.once([b.tools["sops"], "decrypt", path]).decode() != sources[index % 10][0]:
                raise Wrong("file %d decrypts to something else" % index)
    return Case("`updatekeys` of {:,} files: one call, a loop of sops".format(count), 1 / 30, commands, check, prepare,
                cwd=top)


def git_cases(b, rng, count):
    """git's own commands with each tool as the diff driver, over revisions of a file of 1,000 values."""
    top = b.path("git")
    git = shutil.which("git")
    recipient = b.recipients[-1]
    plain = groups(1000, rng)[0].splitlines(keepends=True)
    values = [index for index, line in enumerate(plain) if line.startswith(" ")]
    path = b.write("git/s.yaml", "".join(plain))
    b.write("git/.gitattributes", "*.yaml diff=locked\n")
    for argv in (["init", "-q", "."], ["config", "user.name", "b"], ["config", "user.email", "b@b.test"],
                 ["config", "gc.auto", "0"]):
        b.once([git] + argv, top)
    b.once([b.tools["leaflock"], "encrypt", "-i", "--age", recipient, path], top)
    for revision in range(count):
        if revision:
            at = rng.choice(values)
            plain[at] = "%s: changed-%d\n" % (plain[at].split(":")[0], revision)
            b.write("git/s.yaml", "".join(plain))
            b.once([b.tools["leaflock"], "encrypt", "-i", "--age", recipient, path], top)
        b.once([git, "add", "-A"], top)
        b.once([git, "commit", "-q", "-m", "revision %d" % revision], top)

    # The name that `git setup` uses where it is there.
    textconv = b.path("leaflock-textconv")
    os.symlink(b.tools["leaflock"], textconv)

    def call(driver, *argv):
        return [git, "-C", top, "-c", "diff.locked.textconv=" + driver, "--no-pager", *argv, "s.yaml"]

    def case(name, goal, *argv):
        def commands(tool):
            return call(textconv if tool == "leaflock" else b.tools[tool] + " decrypt", *argv)

        def check(tool):
            if b"changed-%d" % (count - 1) not in b.once(commands(tool)):
                raise Wrong("it does not show what changed")
        return Case("`git %s`, %s" % (argv[0], name), goal, commands, check)
    all_of_them = "{:,} revisions of 1,000 values".format(count)
    two = ["diff", "HEAD~1", "HEAD", "--"]
    floor = statistics.median(b.timed(call(shutil.which("cat"), *two)) for _ in range(b.args.runs))
    return [case(all_of_them, 0.05, "log", "-p"),
            case(all_of_them, 0.05, "show", "HEAD~%d..HEAD" % (count - 1), "--"),
            case("two revisions of 1,000 values (with `cat` as its driver: %s)" % seconds(floor), 0.05, *two),
            case(all_of_them, 0.05, "blame")]


def growth_cases(b, rng):
    """Ours alone, from 10,000 to 100,000 values in each shape."""
    sizes = (1000, 10000) if b.args.quick else (10000, 30000, 100000)
    cases = []
    for size in sizes:
        grouped, flattened = groups(size, rng), flat(size, rng)
        shapes = [("YAML, groups", "g.yaml", grouped[0]), ("JSON, groups", "g.json", grouped[1]),
                  ("YAML, one mapping", "m.yaml", flattened[0]), ("JSON, one object", "m.json", flattened[1]),
                  ("YAML, one list", "l.yaml", array(size, rng)), ("dotenv", "d.env", dotenv(size, rng)),
                  ("INI", "i.ini", "[main]\n" + dotenv(size, rng).replace("=", " = ")),
                  ("YAML, deep with a rule", "deep.yaml", None),
                  ("YAML, comments", "c.yaml", commented(size, rng)),
                  ("YAML, spellings", "s.yaml", spelled(size, rng)),
                  ("YAML, aliases", "a.yaml", aliased(size, rng)),
                  ("YAML, documents of ten", "n.yaml", documents(size, rng))]
        for family, name, text in shapes:
            where, keys = None, ["--age", b.recipients[-1]]
            if text is None:
                where, keys, text = b.path("deep"), [], deep(size, rng)
            plain = b.write("grow/%d-%s" % (size, name), text)
            locked = b.path("grow/locked-%d-%s" % (size, name))
            with open(locked, "wb") as f:
                f.write(b.once([b.tools["leaflock"], "encrypt"] + keys + [plain], where))
            cases.append(Case("decrypt", None, lambda tool, locked=locked: [b.tools[tool], "decrypt", locked],
                              family="decrypt " + family, size=size))
            if family in ("YAML, groups", "YAML, comments", "YAML, spellings", "YAML, aliases"):
                to_json = lambda tool, locked=locked: [b.tools[tool], "decrypt", "--output-type", "json", locked]
                cases.append(Case("decrypt", None, to_json, family="decrypt to JSON " + family, size=size))
            cases.append(Case("encrypt", None, lambda tool, plain=plain, keys=keys: [b.tools[tool], "encrypt"] + keys + [plain],
                              family="encrypt " + family, size=size, cwd=where))
    return cases


# --- measuring -------------------------------------------------------------

def measure(b, case, tools):
    """Seconds per tool and run, in turns."""
    for tool in tools:
        if case.check:
            case.check(tool)
    times = {tool: [] for tool in tools}
    start, rounds = time.perf_counter(), 0
    while rounds < b.args.runs and (rounds < 3 or time.perf_counter() - start < b.args.budget):
        for tool in tools:
            if case.prepare:
                case.prepare()
            times[tool].append(b.timed(case.commands(tool), case.cwd))
        rounds += 1
        if rounds >= 1 and time.perf_counter() - start > 6 * b.args.budget:
            break
    return times


def seconds(value):
    if value >= 1:
        return "%.2f s" % value
    return "%.3g ms" % (value * 1000) if value < 0.1 else "%.0f ms" % (value * 1000)


def compare(b, cases):
    """The table of leaflock beside sops; returns lines and how many goals were missed."""
    lines = ["| case | leaflock | sops | leaflock ÷ sops | at most | peak MiB | sops |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    missed = 0
    for case in cases:
        try:
            times = measure(b, case, ["leaflock", "sops"])
        except (Wrong, subprocess.TimeoutExpired) as error:
            lines.append("| %s | failed: %s | | | | | |" % (case.name, str(error).replace("|", "/").replace("\n", " ")))
            missed += 1
            print(lines[-1], file=sys.stderr)
            continue
        ratio = statistics.median(ours / theirs for ours, theirs in zip(times["leaflock"], times["sops"]))
        kept = ratio <= case.goal
        missed += not kept
        peaks = []
        for tool in ("leaflock", "sops"):
            if case.prepare:
                case.prepare()
            peak = b.peak(case.commands(tool), case.cwd)
            peaks.append("" if peak is None else "%.1f" % (peak / 1024))
        lines.append("| %s | %s | %s | %.4f%s | %.3g | %s | %s |" % (
            case.name, seconds(statistics.median(times["leaflock"])), seconds(statistics.median(times["sops"])), ratio,
            "" if kept else " **missed**", case.goal, *peaks))
        print(lines[-1], file=sys.stderr)
    return lines, missed


def growth(b, cases):
    families = {}
    for case in cases:
        times = measure(b, case, ["leaflock"])["leaflock"]
        peak = b.peak(case.commands("leaflock"), case.cwd)
        size = os.path.getsize(case.commands("leaflock")[-1])
        families.setdefault(case.family, []).append((case.size, statistics.median(times), peak, size))
    lines = ["| shape | " + " | ".join("{:,}".format(size) for size, *_ in next(iter(families.values())))
             + " | local exponent of the last step | µs a value | peak MiB | ÷ input |",
             "|---|" + "---:|" * (len(next(iter(families.values()))) + 4)]
    missed = 0
    for family, points in families.items():
        (n1, t1, *_), (n2, t2, peak, size) = points[-2:]
        exponent = math.log(t2 / t1) / math.log(n2 / n1)
        missed += exponent > 1.1
        memory = "| | |" if peak is None else "| %.0f | %.1f |" % (peak / 1024, peak * 1024 / size)
        lines.append("| %s | %s | %.2f%s | %.2f %s" % (
            family, " | ".join(seconds(took) for _, took, *_ in points), exponent, "" if exponent <= 1.1 else " **missed**",
            (t2 - t1) / (n2 - n1) * 1e6, memory))
        print(lines[-1], file=sys.stderr)
    return lines, missed


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*:\s*(.*)", f.read())
    return "%s, %d cores" % (model.group(1) if model else "unknown processor", os.cpu_count())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ours", required=True)
    parser.add_argument("--sops", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--cases", metavar="REGEX")
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--budget", type=float, default=8.0, metavar="SECONDS")
    args = parser.parse_args()
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../src/docs/bench.md")
    b = Bench(args)
    try:
        rng = random.Random(1)
        cases = small_cases(b, rng) + large_cases(b, rng) + other_cases(b, rng)
        if args.cases:
            cases = [case for case in cases if re.search(args.cases, case.name)]
        table, missed = compare(b, cases)
        grown, bent = ([], 0) if args.cases else growth(b, growth_cases(b, rng))
        size = os.path.getsize(b.tools["leaflock"]) / 1e6
        version = b.once([b.tools["sops"], "--version"]).decode().split("\n")[0]
        text = PAGE % (machine(), version, "\n".join(table), "\n".join(grown), size)
        print(text)
        if not (args.cases or args.quick):
            with open(page, "w") as f:
                f.write(text)
        print("%d goals missed" % (missed + bent + (size > 8)), file=sys.stderr)
    finally:
        os.chdir("/")
        shutil.rmtree(b.root, ignore_errors=True)


PAGE = """# Speed and size

Written by `ci/bench` on: %s. Whole processes, leaflock and %s in turns, output checked before anything is timed. Times are
medians; the ratio is the median of neighbouring pairs; peak memory is the process's high-water mark.

%s

## Growth, leaflock alone

%s

The release binary has %.1f MB.
"""

if __name__ == "__main__":
    main()
