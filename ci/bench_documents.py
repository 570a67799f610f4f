"""The documents that ci/bench.py times: shapes and sizes as SOPS files have them."""


def leaf(rng, index):
    if index % 20 == 7:
        return rng.randrange(10**6)
    if index % 20 == 13:
        return rng.random() < 0.5
    return "value-%024x" % rng.getrandbits(96)


def as_text(value):
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def groups(count, rng):
    """YAML and JSON of `count` values, twenty to a group, as sops lays them out."""
    yaml, json = [], []
    for group in range((count + 19) // 20):
        size = min(20, count - 20 * group)
        values = [leaf(rng, index) for index in range(size)]
        yaml.append("group_%05d:\n" % group)
        yaml += ["    key_%02d: %s\n" % (index, as_text(value)) for index, value in enumerate(values)]
        inner = ",\n".join('\t\t"key_%02d": %s' % (index, quoted(value)) for index, value in enumerate(values))
        json.append('\t"group_%05d": {\n%s\n\t}' % (group, inner))
    return "".join(yaml), "{\n" + ",\n".join(json) + "\n}\n"


def quoted(value):
    return as_text(value) if not isinstance(value, str) else '"%s"' % value


def flat(count, rng):
    values = [leaf(rng, index) for index in range(count)]
    yaml = "".join("KEY_%06d: %s\n" % (index, as_text(value)) for index, value in enumerate(values))
    json = ",\n".join('\t"KEY_%06d": %s' % (index, quoted(value)) for index, value in enumerate(values))
    return yaml, "{\n" + json + "\n}\n"


def array(count, rng):
    return "list:\n" + "".join("    - value-%024x\n" % rng.getrandbits(96) for _ in range(count))


def dotenv(count, rng):
    return "".join("KEY_%06d=value-%024x\n" % (index, rng.getrandbits(96)) for index in range(count))


WORDS = ["password", "token", "secret", "apikey", "private_key", "client_secret", "access_key", "dsn", "cert", "salt",
         "passphrase", "credential", "signing", "webhook", "cookie", "session_key", "master", "pin", "otp"]


def deep(count, rng):
    """A file of depth 6 in which half of the names match one of 19 words."""
    lines, made, last = [], 0, ()
    while made < count:
        path = tuple("%s%d" % ("abcde"[level], (made // 4 ** (6 - level)) % (8 if level else 10**6)) for level in range(5))
        shared = 0
        while shared < 5 and last[:shared + 1] == path[:shared + 1]:
            shared += 1
        lines += ["%s%s:\n" % ("    " * level, path[level]) for level in range(shared, 5)]
        for _ in range(4):
            name = rng.choice(WORDS) if made % 2 else "plain"
            lines.append("%s%s_%d: value-%020x\n" % ("    " * 5, name, made, rng.getrandbits(80)))
            made += 1
        last = path
    return "".join(lines)


def commented(count, rng):
    """Groups as `groups` makes them, with a comment above every value and behind every third one."""
    lines = []
    for index in range(count):
        if index % 20 == 0:
            lines.append("group_%05d:\n" % (index // 20))
        lines.append("    # about value %d\n" % index)
        behind = " # see %d" % index if index % 3 == 0 else ""
        lines.append("    key_%02d: %s%s\n" % (index % 20, as_text(leaf(rng, index)), behind))
    return "".join(lines)


def spelled(count, rng):
    """A list of maps whose values and comments are written as no ciphertext can tell."""
    lines = ["items:\n"]
    for index in range(0, count, 4):
        lines += ["  -  name: 'item %d'\n" % index, "     mode: 0o%o  #  octal  \n" % rng.randrange(512),
                  "     mask: 0x%X\n" % rng.getrandbits(32), "     #  about the text  \n",
                  "     text: \"caf\\u00e9 %020x\"\n" % rng.getrandbits(80)]
    return "".join(lines)


def aliased(count, rng):
    """Anchors, and as many aliases to them: every second value is a copy."""
    lines = []
    for index in range(count // 2):
        lines += ["key_%06d: &a%d value-%024x\n" % (index, index, rng.getrandbits(96)),
                  "copy_%06d: *a%d\n" % (index, index)]
    return "".join(lines)


def documents(count, rng):
    """Documents of ten values."""
    return "".join("---\n" + "".join("key_%02d: %s\n" % (index, as_text(leaf(rng, index))) for index in range(10))
                   for _ in range(count // 10))
