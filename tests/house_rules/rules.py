# SPDX-License-Identifier: Apache-2.0
"""The house rules that a program can check. Each rule is a function of a tree and gives its violations; each violation names
file and line, what is wrong, and what to do instead. rules_can_fail_test.py breaks every rule once."""

import dataclasses
import json
import pathlib
import re
import subprocess

from . import include_table as table

LINES_MAX = 500
SPDX = "SPDX-License-Identifier: Apache-2.0"
FORBIDDEN_WORDS = {"util", "manager", "helper", "common", "misc", "data", "info", "handler", "base"}
ROOMS_OF_CODE = ("platform/", "hal/", "agent/", "ota/")
# What a captured machine calls its files, and what others wrote, is not ours to name or to licence.
NOT_OURS = ("tests/captured/", "build/")
ALLOWANCES = "tests/house_rules/allowances.json"


@dataclasses.dataclass(frozen=True)
class Violation:
    path: str
    line: int
    wrong: str
    instead: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.wrong}; {self.instead}"


class Tree:
    """The files of a working tree (tracked, or new and not ignored), or of any folder that is no repository."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self._texts = {}
        if (self.root / ".git").exists():
            listed = subprocess.run(
                ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                cwd=self.root, check=True, capture_output=True).stdout.decode().split("\0")
        else:
            listed = [str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        self.files = sorted({name for name in listed if name and (self.root / name).is_file()})
        self._set = set(self.files)

    def __contains__(self, name):
        return name in self._set

    def text(self, name):
        if name not in self._texts:
            self._texts[name] = (self.root / name).read_bytes().decode("utf-8", "replace")
        return self._texts[name]

    def lines(self, name):
        return enumerate(self.text(name).split("\n"), 1)

    def ours(self, *endings):
        return [name for name in self.files if name.endswith(endings) and not name.startswith(NOT_OURS)]

    def allowances(self, rule):
        """Paths that a rule leaves out, with the reason; the file is data, so that a reader sees them in one place."""
        if ALLOWANCES not in self:
            return {}
        return json.loads(self.text(ALLOWANCES)).get(rule, {})


def without_comments(text):
    """C++ text with comments and the inside of literals blanked out, line by line the same."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


# --- includes -------------------------------------------------------------------------------------------------------------


def room_of(path):
    folder = path.rpartition("/")[0]
    while folder and folder not in table.ROOMS:
        folder = folder.rpartition("/")[0]
    return folder


def is_wiring(path):
    return path in table.WIRING_FILES or path.startswith(table.WIRING_PREFIXES)


INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def includes(tree):
    for path in tree.ours(".cpp", ".hpp", ".h", ".hpp.in"):
        for number, line in tree.lines(path):
            match = INCLUDE.match(line)
            if match:
                yield path, number, match.group(1), match.group(2)


def include_directions(tree):
    """The table of DESIGN section 2."""
    for path, number, target, _ in includes(tree):
        if target is None or path.startswith(table.FREE_PREFIXES) or not (target in tree or f"{target}.in" in tree):
            continue  # what is no file of ours is includes_from_the_root's
        if target.startswith("tests/"):
            yield Violation(path, number, f'includes "{target}"', "the agent never leans on its tests")
            continue
        if is_wiring(path):
            continue
        here, there = room_of(path), room_of(target)
        if not here:
            yield Violation(path, number, f"stands in no room that {__package__}.include_table knows",
                            "put it into a room, or name it as wiring there and in DESIGN section 2")
            continue
        if is_wiring(target) and target != path.replace(".cpp", ".hpp"):
            yield Violation(path, number, f'{here} includes the wiring "{target}"', "wiring includes rooms, never the reverse; "
                            "take what is needed through the constructor")
            continue
        if there == here or there in table.ROOMS[here]:
            continue
        if here in table.OPTION_READERS and declares_options(tree, target):
            continue
        if f"{path} -> {target}" in tree.allowances("include_directions"):
            continue
        allowed = ", ".join(table.ROOMS[here]) or "nothing of ours"
        yield Violation(path, number, f'{here} includes "{target}" of {there or "no room"}; it may include {allowed}',
                        "declare the interface where it is needed and let the wiring join the two (DESIGN section 2)")


def declares_options(tree, header):
    return header in tree and re.search(r"^\s*struct \w*(Options|Policy)\b", tree.text(header), re.M) is not None


def includes_from_the_root(tree):
    """Names count from the root of the tree, so that a file can move and a reader can find it."""
    for path, number, target, _ in includes(tree):
        if target is None or target in tree or f"{target}.in" in tree:
            continue
        yield Violation(path, number, f'"{target}" is no file of this tree',
                        "name it from the root (\"platform/clock.hpp\"); the system's and third parties' headers stand in <>")


def third_party_words(header):
    for beginning, words in table.THIRD_PARTY.items():
        if header.startswith(beginning):
            return words
    return None


def third_party_headers(tree):
    """A third party's header only where the file's name says so; such a file's own header counts as the third party's."""
    for path, number, own, system in includes(tree):
        if path.startswith("toolchains/"):
            continue
        stem = path.rpartition("/")[2].partition(".")[0].split("_")
        if own is not None:
            libraries = {word for words in table.THIRD_PARTY.values() for word in words}
            tags = libraries & set(own.rpartition("/")[2].partition(".")[0].split("_"))
            if own in tree and tags and third_party_inside(tree, own) and not tags & set(stem):
                tag = sorted(tags)[0]
                yield Violation(path, number, f'includes "{own}", which shows {tag}',
                                f"only a file with {tag} in its name may; put what you need behind a header of our own")
            continue
        words = third_party_words(system)
        if system in table.THIRD_PARTY_ANYWHERE:
            places = table.THIRD_PARTY_ANYWHERE[system]
            if path not in places and not path.startswith("tests/"):
                yield Violation(path, number, f"includes <{system}>", f"include {places[0]} instead")
        elif system.startswith(table.THIRD_PARTY_IN_SOURCES):
            if not path.endswith(".cpp"):
                yield Violation(path, number, f"a header includes <{system}>", "include it in the .cpp")
        elif system.startswith(table.TEST_LIBRARIES):
            if not path.startswith("tests/"):
                yield Violation(path, number, f"includes <{system}>", "test libraries stay below tests/")
        elif words is not None:
            if not set(words) & set(stem):
                names = " or ".join(f"x_{word}.cpp" for word in words) or "no file"
                yield Violation(path, number, f"includes <{system}>",
                                f"its place is {names}, behind a header of our own that does not show it")
        elif not is_system(system):
            yield Violation(path, number, f"includes <{system}>, which nobody has said what it is",
                            "name it in tests/house_rules/include_table.py: the system's, or a third party's with its file name")


def third_party_inside(tree, header):
    for _, line in tree.lines(header):
        match = INCLUDE.match(line)
        if match and match.group(2) and third_party_words(match.group(2)):
            return True
    return False


def is_system(header):
    standard = re.fullmatch(r"[a-z0-9_]+", header)
    return bool(standard) or header in table.SYSTEM_HEADERS or header.startswith(table.SYSTEM_FOLDERS)


# --- names ----------------------------------------------------------------------------------------------------------------

TYPE = re.compile(r"\b(?:class|struct|enum\s+class|enum|union|concept|using)\s+(?:\[\[\w+\]\]\s*)?([A-Z]\w*)")


def forbidden_words(words):
    plural = {word + "s" for word in FORBIDDEN_WORDS}
    return [word for word in words if word.lower() in FORBIDDEN_WORDS | plural]


def names_of_files(tree):
    for path in tree.ours(".cpp", ".hpp", ".h", ".c", ".py", ".cmake", ".md", ".sh", ".toml", ".in"):
        for part in path.split("/"):
            for word in forbidden_words(re.split(r"[_\-.]", part.partition(".")[0])):
                yield Violation(path, 1, f'"{word}" in a file\'s name says nothing',
                                "name the file after the one thing it holds (STYLE, Names)")


def names_of_types(tree):
    for path in tree.ours(".cpp", ".hpp"):
        for number, line in enumerate(without_comments(tree.text(path)).split("\n"), 1):
            for name in TYPE.findall(line):
                for word in forbidden_words(re.findall(r"[A-Z][a-z0-9]*|[A-Z]+(?![a-z])", name)):
                    yield Violation(path, number, f'"{word}" in the type {name} says nothing',
                                    "use the field's word for it: sample, series, window, segment, lane (STYLE, Names)")


# --- text of files --------------------------------------------------------------------------------------------------------


def licence_first(tree):
    for path in tree.ours(".cpp", ".hpp", ".h", ".c", ".py", ".cmake", ".sh", ".toml", "CMakeLists.txt", ".yml", "/run", "dev"):
        if path.endswith(("/run", "/dev")) and not tree.text(path).startswith("#!"):
            continue
        lines = tree.text(path).split("\n")
        number = 2 if lines[0].startswith("#!") else 1
        wanted = ("// " if path.endswith((".cpp", ".hpp", ".h", ".c")) else "# ") + SPDX
        if path.startswith("packaging/examples/"):
            continue  # the user's own file, once he has copied it
        if len(lines) < number or lines[number - 1].strip() not in (wanted, f"/* {SPDX}", f"/* {SPDX} */"):
            yield Violation(path, number, "the licence line is missing", f'begin with "{wanted}"')


def head_comments(tree):
    """Each C++ file says what it is and why it exists; a .cpp leaves that to its own header, a unit test to what it tests."""
    for path in tree.ours(".cpp", ".hpp"):
        if path.endswith("_test.cpp") or path.replace(".cpp", ".hpp") != path and path.replace(".cpp", ".hpp") in tree:
            continue
        if not any(re.match(r"// \S.{10,}", line) for line in tree.text(path).split("\n")[1:3]):
            yield Violation(path, 2, "the file does not say what it is", "two to six lines of // below the licence line (STYLE)")


def lengths(tree):
    allowed = tree.allowances("lengths")
    for path in tree.ours(".cpp", ".hpp", ".h", ".c", ".py", ".cmake", ".sh", "CMakeLists.txt", "dev"):
        count = tree.text(path).count("\n")
        if count > LINES_MAX and path not in allowed:
            yield Violation(path, LINES_MAX + 1, f"{count} lines, at most {LINES_MAX}", "it asks for a second noun: split it")


CONFLICT = re.compile(r"(?:<<<<<<<|>>>>>>>)(?: |$)")


def no_conflict_markers(tree):
    for path in tree.ours(""):
        for number, line in tree.lines(path):
            if CONFLICT.match(line):
                yield Violation(path, number, "a merge left its marker", "decide what stays, and take the marker out")


# Put together, so that the rule does not break itself.
HOSTS = ["deb.debian" + ".org", "security.debian" + ".org", "snapshot.debian" + ".org", "archive.ubuntu" + ".com",
         "pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "crates" + ".io", "proxy.golang" + ".org",
         "rubygems" + ".org"]
MACHINE_PATHS = re.compile(r"(?<![\w./$}-])/(?:work|root|home/\w+)/\w")


def no_places_of_this_machine(tree):
    """No host of a package registry, no path that only one machine has."""
    for path in tree.files:
        if path.startswith(NOT_OURS) or "\0" in tree.text(path)[:1000]:
            continue
        for number, line in tree.lines(path):
            for host in HOSTS:
                if host in line:
                    yield Violation(path, number, f"names the host {host}", "the machine's own package settings say where from")
            match = MACHINE_PATHS.search(line)
            if match:
                yield Violation(path, number, f'names "{match.group()}...", a path of one machine',
                                "take it from the environment, an option, or relative to the tree")


# --- documentation --------------------------------------------------------------------------------------------------------

FALLIBLE = re.compile(r"^\s*(?:(?:virtual|static|\[\[nodiscard\]\]|inline|friend)\s+)*Result<.*>\s+(\w+)\s*\(")


def doc_blocks(tree):
    """What can fail touches the world, and its header says how: a Result<> function in a header has a /// block, or stands
    in a run of declarations that shares one. Private members and overrides are the implementer's business."""
    for path in tree.ours(".hpp"):
        if path.startswith("tests/"):
            continue
        lines = tree.text(path).split("\n")
        depth_private = False
        for number, line in enumerate(lines, 1):
            if re.match(r"^\s*(private|protected):", line):
                depth_private = True
            elif re.match(r"^\s*public:|^(class|struct)\b|^};", line):
                depth_private = False
            match = FALLIBLE.match(line)
            if not match or depth_private:
                continue
            statement = line
            for following in lines[number:number + 6]:
                if ";" in statement or "{" in statement:
                    break
                statement += following
            if " override" in statement or documented(lines, number - 1):
                continue
            yield Violation(path, number, f"{match.group(1)}() can fail and does not say how",
                            "give it a /// block with its Errors (STYLE, Doc block)")


def documented(lines, index):
    """A /// line above, with nothing but declarations (no blank line) in between, or a /// at the end of the line."""
    if "///" in lines[index]:
        return True
    for above in reversed(lines[:index]):
        if "///" in above:
            return True
        if not above.strip() or re.match(r"^\s*(public|private|protected):|.*\{\s*$", above):
            return False
    return False


# --- tests ----------------------------------------------------------------------------------------------------------------


def every_source_has_a_test(tree):
    allowed = tree.allowances("every_source_has_a_test")
    for path in tree.ours(".cpp"):
        if not path.startswith(ROOMS_OF_CODE):
            continue
        test = f"tests/{path[:-len('.cpp')]}_test.cpp"
        if test in tree or path in allowed:
            continue
        yield Violation(path, 1, f"{test} is missing", f"write it, or give the reason in {ALLOWANCES}")


def allowances_are_needed(tree):
    """An allowance that nothing needs any more, or that gives no reason, is removed."""
    if ALLOWANCES not in tree:
        return
    for rule in json.loads(tree.text(ALLOWANCES)):
        function = next((known for known in RULES if known.__name__ == rule), None)
        if function is None:
            yield Violation(ALLOWANCES, 1, f"there is no rule {rule}", "name one of tests/house_rules/rules.py")
            continue
        strict = StrictTree(tree)
        needed = list(function(strict))
        for entry, reason in tree.allowances(rule).items():
            path, _, target = entry.partition(" -> ")
            if not any(violation.path == path and target in violation.wrong for violation in needed):
                yield Violation(ALLOWANCES, 1, f"{rule}: {entry} needs no allowance", "remove the line")
            elif len(reason) < 20:
                yield Violation(ALLOWANCES, 1, f'{rule}: {entry}: "{reason}" is no reason', "say who does check it, or why nobody can")


class StrictTree:
    """A tree in which nothing is allowed."""

    def __init__(self, tree):
        self._tree = tree

    def __getattr__(self, name):
        return getattr(self._tree, name)

    def __contains__(self, name):
        return name in self._tree

    def allowances(self, _):
        return {}


def tests_do_not_sleep(tree):
    for path in tree.ours("_test.cpp"):
        if path in tree.allowances("tests_do_not_sleep"):
            continue
        for number, line in enumerate(without_comments(tree.text(path)).split("\n"), 1):
            match = re.search(r"\b(sleep|usleep|nanosleep|clock_nanosleep|sleep_for|sleep_until)\s*\(", line)
            if match:
                yield Violation(path, number, f"{match.group(1)}() in a unit test",
                                "move a ManualClock, or wait for the event itself (tests/support)")


def no_test_is_switched_off(tree):
    for path in tree.ours("_test.cpp"):
        for number, line in tree.lines(path):
            if re.search(r"\bDISABLED_|^\s*//\s*TEST(_[FP])?\(|^\s*#\s*if\s+0", line):
                yield Violation(path, number, "a test is switched off", "mend it, remove it, or GTEST_SKIP() << why")


def every_source_is_compiled(tree):
    """A file that no CMakeLists.txt knows is not built, and a test that is not built is a test that is silently skipped."""
    for path in tree.ours(".cpp"):
        if not path.startswith(ROOMS_OF_CODE + ("tests/",)):
            continue
        folder, _, name = path.rpartition("/")
        stem = name[:-len(".cpp")].removesuffix("_test")
        known = False
        while folder and not known:
            listing = f"{folder}/CMakeLists.txt"
            if listing in tree:
                text = re.sub(r"#[^\n]*", "", tree.text(listing))
                known = "file(GLOB" in text or re.search(rf"(?<![\w]){re.escape(stem)}(?:_test)?(?:\.cpp)?(?![\w])", text) is not None
            folder = folder.rpartition("/")[0]
        if not known:
            yield Violation(path, 1, "no CMakeLists.txt names it", "add it to the one of its folder")


# --- drivers --------------------------------------------------------------------------------------------------------------


def driver_rows(tree):
    if "hal/driver_table.cpp" not in tree:
        return
    for number, line in tree.lines("hal/driver_table.cpp"):
        match = re.match(r'\s*(?:Driver)?\{\s*(?:\.name\s*=\s*)?"(\w+)"', line)
        if match:
            yield number, match.group(1)


def drivers_are_announced(tree):
    readme = "".join(tree.text(document) for document in ("README.md", "hal/README.md") if document in tree)
    changes = tree.text("CHANGELOG.md") if "CHANGELOG.md" in tree else ""
    for number, name in driver_rows(tree):
        if not re.search(rf"`{name}`|^\| *{name}\b", readme, re.M):
            yield Violation("hal/driver_table.cpp", number, f"neither README.md nor hal/README.md mentions `{name}`",
                            "a row in hal/README.md, or the name in backquotes in README.md")
        if f"`{name}`" not in changes:
            yield Violation("hal/driver_table.cpp", number, f"CHANGELOG.md does not mention `{name}`", "one line there, in backquotes")


RULES = [
    include_directions, includes_from_the_root, third_party_headers, names_of_files, names_of_types, licence_first, head_comments,
    lengths, no_conflict_markers, no_places_of_this_machine, doc_blocks, every_source_has_a_test, allowances_are_needed, tests_do_not_sleep,
    no_test_is_switched_off, every_source_is_compiled, drivers_are_announced,
]


def check(root):
    tree = Tree(root)
    return {rule.__name__: list(rule(tree)) for rule in RULES}
