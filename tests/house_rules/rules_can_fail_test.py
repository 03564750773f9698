# SPDX-License-Identifier: Apache-2.0
"""A rule that cannot fail checks nothing: a small tree that keeps every rule is broken in one place at a time, and exactly the
rule meant must say so, with file, line and what to do instead."""

import json
import subprocess

import pytest

from . import rules

CPP = "// SPDX-License-Identifier: Apache-2.0\n"
HASH = "# SPDX-License-Identifier: Apache-2.0\n"

GOOD = {
    "platform/clock.hpp": CPP + "// Time as the agent sees it.\n#pragma once\n\n#include <string>\n\nclass Clock {\n public:\n"
                          "  /// Errors: Io\n  Result<int> now();\n  Result<int> later();\n\n private:\n  Result<int> read_it();\n};\n",
    "platform/clock.cpp": CPP + '#include "platform/clock.hpp"\n\n#include <sys/timex.h>\n#include <time.h>\n',
    "platform/json.hpp": CPP + "// Reading JSON from outside.\n#pragma once\n",
    "platform/json_cjson.cpp": CPP + "// Reading JSON by means of cJSON.\n#include <cjson/cJSON.h>\n",
    "platform/CMakeLists.txt": HASH + "fieldpost_library(fieldpost_platform SOURCES clock.cpp json_cjson.cpp)\n",
    "hal/source.hpp": CPP + '// The contract of a driver.\n#pragma once\n#include "platform/clock.hpp"\n',
    "hal/driver_table.cpp": CPP + '// Every driver, one row each.\n#include "hal/host/load.hpp"\n'
                            'constexpr Driver kDrivers[]{\n    Driver{"load", "host", "averages"},\n};\n',
    "hal/host/load.hpp": CPP + '// Load averages.\n#pragma once\n#include "hal/source.hpp"\n',
    "hal/host/load.cpp": CPP + '#include "hal/host/load.hpp"\n// a database\'s "class FooManager" in a text is no type\n',
    "hal/CMakeLists.txt": HASH + "file(GLOB contract *.cpp)\n",
    "agent/link/link.hpp": CPP + '// One connection.\n#pragma once\n#include "platform/clock.hpp"\nstruct LinkOptions {\n};\n',
    "agent/store/store.hpp": CPP + '// The outbox.\n#pragma once\n#include "agent/aggregate/reading.hpp"\n',
    "agent/aggregate/reading.hpp": CPP + '// One reading.\n#pragma once\n#include "hal/source.hpp"\n',
    "agent/configuration/configuration.hpp": CPP + '// All options.\n#pragma once\n#include "agent/link/link.hpp"\n',
    "agent/main.cpp": CPP + '// Joins everything.\n#include "agent/link/link.hpp"\n#include "agent/store/store.hpp"\n',
    "agent/CMakeLists.txt": HASH + "fieldpost_program(fieldpost SOURCES main.cpp)\n",
    "tests/platform/clock_test.cpp": CPP + '#include "platform/clock.hpp"\n#include <gtest/gtest.h>\nTEST(Clock, Runs) {}\n',
    "tests/platform/json_cjson_test.cpp": CPP + '#include "platform/json.hpp"\n',
    "tests/platform/CMakeLists.txt": HASH + "foreach(name IN ITEMS clock json_cjson)\nendforeach()\n",
    "tests/hal/host/load_test.cpp": CPP + '#include "hal/host/load.hpp"\n',
    "tests/hal/host/CMakeLists.txt": HASH + "fieldpost_test(load_test SOURCES load_test.cpp)\n",
    "tests/captured/vm/proc/meminfo": "MemTotal: 1 kB\n",
    "README.md": "Sources: `load`\n",
    "CHANGELOG.md": "- `load`\n",
    "dev": "#!/bin/sh\n" + HASH,
    rules.ALLOWANCES: json.dumps({"every_source_has_a_test": {
        "hal/driver_table.cpp": "rows only; the golden test opens each of them",
        "agent/main.cpp": "joins the rest; the end-to-end tests run it",
    }}),
}


def tree_of(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_good_tree_keeps_every_rule(tmp_path):
    assert {rule: found for rule, found in rules.check(tree_of(tmp_path, GOOD)).items() if found} == {}


def with_line(name, line):
    return {name: GOOD[name] + line + "\n"}


def number_of(name, part):
    return next(number for number, line in enumerate(GOOD[name].split("\n"), 1) if part in line)


LAST = -1  # the line that with_line() added

BROKEN = [
    # rule, files changed or added, the violation's path, its line, a part of its text
    ("include_directions", with_line("platform/clock.cpp", '#include "hal/source.hpp"'), "platform/clock.cpp", LAST, "nothing of ours"),
    ("include_directions", with_line("hal/source.hpp", '#include "hal/host/load.hpp"'), "hal/source.hpp", LAST, "it may include platform"),
    ("include_directions", {"hal/sensors/hwmon.hpp": CPP + '// Chips that measure.\n#include "hal/host/load.hpp"\n'}, "hal/sensors/hwmon.hpp", 3,
     "hal/sensors includes"),
    ("include_directions", with_line("agent/aggregate/reading.hpp", '#include "agent/store/store.hpp"'), "agent/aggregate/reading.hpp",
     LAST, "let the wiring join the two"),
    ("include_directions", with_line("agent/store/store.hpp", '#include "agent/link/link.hpp"'), "agent/store/store.hpp", LAST, "agent/link"),
    ("include_directions", with_line("agent/link/link.hpp", '#include "hal/source.hpp"'), "agent/link/link.hpp", LAST, "may include platform"),
    ("include_directions", with_line("agent/configuration/configuration.hpp", '#include "agent/store/store.hpp"'),
     "agent/configuration/configuration.hpp", LAST, "agent/store"),  # declares no options
    ("include_directions", {"agent/wiring.hpp": CPP + "// Joins everything.\n", **with_line("agent/link/link.hpp", '#include "agent/wiring.hpp"')},
     "agent/link/link.hpp", LAST, "never the reverse"),
    ("include_directions", {"agent/strange/x.hpp": CPP + '// In no room.\n#include "platform/clock.hpp"\n'}, "agent/strange/x.hpp", 3, "no room"),
    ("include_directions", {"tests/support/loop.hpp": CPP + "// A loop moved by hand.\n", **with_line("platform/clock.hpp", '#include "tests/support/loop.hpp"')},
     "platform/clock.hpp", LAST, "never leans on its tests"),
    ("includes_from_the_root", with_line("platform/clock.cpp", '#include "clock.hpp"'), "platform/clock.cpp", LAST, "from the root"),
    ("includes_from_the_root", with_line("platform/clock.cpp", '#include "../platform/clock.hpp"'), "platform/clock.cpp", LAST, "from the root"),
    ("third_party_headers", with_line("platform/clock.cpp", "#include <cjson/cJSON.h>"), "platform/clock.cpp", LAST, "x_cjson.cpp"),
    ("third_party_headers", with_line("platform/json_cjson.cpp", "#include <sqlite3.h>"), "platform/json_cjson.cpp", LAST, "x_sqlite3.cpp"),
    ("third_party_headers", with_line("platform/clock.cpp", "#include <openssl/ssl.h>"), "platform/clock.cpp", LAST, "no file"),
    ("third_party_headers", with_line("platform/clock.cpp", "#include <tl/expected.hpp>"), "platform/clock.cpp", LAST, "platform/result.hpp"),
    ("third_party_headers", with_line("platform/clock.hpp", "#include <fmt/format.h>"), "platform/clock.hpp", LAST, "in the .cpp"),
    ("third_party_headers", with_line("platform/clock.cpp", "#include <gtest/gtest.h>"), "platform/clock.cpp", LAST, "below tests/"),
    ("third_party_headers", with_line("platform/clock.cpp", "#include <libfoo/foo.h>"), "platform/clock.cpp", LAST, "include_table.py"),
    ("third_party_headers", {"agent/link/tls_mbedtls.hpp": CPP + "// Shows Mbed TLS.\n#include <mbedtls/ssl.h>\n",
                             **with_line("agent/link/link.hpp", '#include "agent/link/tls_mbedtls.hpp"')},
     "agent/link/link.hpp", LAST, "behind a header of our own"),
    ("names_of_files", {"platform/string_utils.hpp": CPP + "// Things for strings.\n"}, "platform/string_utils.hpp", 1, "utils"),
    ("names_of_files", {"agent/common/x.hpp": CPP + "// Things for all.\n"}, "agent/common/x.hpp", 1, "common"),
    ("names_of_types", with_line("platform/clock.hpp", "class ClockManager;"), "platform/clock.hpp", LAST, "ClockManager"),
    ("names_of_types", with_line("platform/clock.hpp", "enum class DataKind { a };"), "platform/clock.hpp", LAST, "Data"),
    ("names_of_types", with_line("hal/source.hpp", "using BaseHandler = int;"), "hal/source.hpp", LAST, "Base"),
    ("licence_first", {"platform/x.hpp": "// A file without a licence line.\n" + CPP}, "platform/x.hpp", 1, "begin with"),
    ("licence_first", {"tests/CMakeLists.txt": "add_subdirectory(support)\n"}, "tests/CMakeLists.txt", 1, "begin with"),
    ("licence_first", {"dev": "#!/bin/sh\necho\n"}, "dev", 2, "begin with"),
    ("head_comments", {"platform/x.hpp": CPP + "#pragma once\n"}, "platform/x.hpp", 2, "does not say what it is"),
    ("lengths", {"platform/x.hpp": CPP + "// A very long file.\n" + "\n" * rules.LINES_MAX}, "platform/x.hpp", rules.LINES_MAX + 1, "split it"),
    ("no_conflict_markers", with_line("README.md", "<" * 7 + " ours"), "README.md", LAST, "merge"),
    ("no_conflict_markers", with_line("platform/clock.cpp", ">" * 7 + " theirs"), "platform/clock.cpp", LAST, "merge"),
    ("no_places_of_this_machine", with_line("README.md", "see /ro" + "ot/thing"), "README.md", LAST, "a path of one machine"),
    ("no_places_of_this_machine", with_line("dev", "cd /wo" + "rk/main"), "dev", LAST, "a path of one machine"),
    ("no_places_of_this_machine", with_line("README.md", "get it from pypi" + ".org"), "README.md", LAST, "package settings"),
    ("doc_blocks", {"platform/file.hpp": CPP + "// A file on a disk.\n\nResult<int> open_it(int x);\n"}, "platform/file.hpp", 4, "open_it()"),
    ("doc_blocks", {"platform/file.hpp": CPP + "// A file on a disk.\nclass File {\n public:\n  virtual Result<int> read(int x,\n    int y) = 0;\n};\n"},
     "platform/file.hpp", 5, "read()"),
    ("every_source_has_a_test", {"platform/log.cpp": CPP + "// Writes lines.\n",
                                 "platform/CMakeLists.txt": GOOD["platform/CMakeLists.txt"].replace("clock.cpp", "clock.cpp log.cpp")},
     "platform/log.cpp", 1, "tests/platform/log_test.cpp is missing"),
    ("allowances_are_needed", {rules.ALLOWANCES: GOOD[rules.ALLOWANCES].replace("{\"hal/", "{\"platform/clock.cpp\": \"has its test by now\", \"hal/")},
     rules.ALLOWANCES, 1, "needs no allowance"),
    ("allowances_are_needed", {rules.ALLOWANCES: GOOD[rules.ALLOWANCES].replace("joins the rest; the end-to-end tests run it", "later")},
     rules.ALLOWANCES, 1, "no reason"),
    ("allowances_are_needed", {rules.ALLOWANCES: GOOD[rules.ALLOWANCES].replace("]", "").replace("{\"every", "{\"no_such_rule\": {}, \"every")},
     rules.ALLOWANCES, 1, "no rule"),
    ("tests_do_not_sleep", with_line("tests/platform/clock_test.cpp", "void f() { std::this_thread::sleep_for(seconds{1}); }"),
     "tests/platform/clock_test.cpp", LAST, "ManualClock"),
    ("tests_do_not_sleep", with_line("tests/platform/clock_test.cpp", "void f() { ::usleep (1); }"),
     "tests/platform/clock_test.cpp", LAST, "usleep()"),
    ("no_test_is_switched_off", with_line("tests/platform/clock_test.cpp", "TEST(Clock, DISABLED_Stops) {}"),
     "tests/platform/clock_test.cpp", LAST, "GTEST_SKIP"),
    ("no_test_is_switched_off", with_line("tests/platform/clock_test.cpp", "// TEST(Clock, Stops) {}"),
     "tests/platform/clock_test.cpp", LAST, "switched off"),
    ("every_source_is_compiled", {"tests/platform/CMakeLists.txt": HASH + "foreach(name IN ITEMS json_cjson) # clock\nendforeach()\n"},
     "tests/platform/clock_test.cpp", 1, "no CMakeLists.txt names it"),
    ("every_source_is_compiled", {"platform/CMakeLists.txt": GOOD["platform/CMakeLists.txt"].replace("clock.cpp", "wall_clock.cpp")},
     "platform/clock.cpp", 1, "no CMakeLists.txt names it"),
    ("drivers_are_announced", {"README.md": "Sources: load\n"}, "hal/driver_table.cpp", number_of("hal/driver_table.cpp", '"load"'), "README.md"),
    ("drivers_are_announced", {"CHANGELOG.md": "- `cpu`\n"}, "hal/driver_table.cpp", number_of("hal/driver_table.cpp", '"load"'), "CHANGELOG.md"),
]


@pytest.mark.parametrize("rule, changed, path, line, part", BROKEN, ids=[f"{row[0]}-{number}" for number, row in enumerate(BROKEN)])
def test_a_broken_tree_is_found_out(tmp_path, rule, changed, path, line, part):
    found = rules.check(tree_of(tmp_path, {**GOOD, **changed}))
    if line == LAST:
        line = GOOD[path].count("\n") + 1
    matching = [violation for violation in found[rule] if (violation.path, violation.line) == (path, line)]
    assert matching, f"not found at {path}:{line}; found {found[rule]}"
    assert any(part in str(violation) for violation in matching), [str(violation) for violation in matching]
    assert all(violation.instead for violation in matching)
    others = {name for name, violations in found.items() if violations and name != rule}
    assert not others, f"one thing was broken, but these complain, too: { {name: list(map(str, found[name])) for name in others} }"


def test_every_rule_is_broken_by_some_row():
    assert {rule.__name__ for rule in rules.RULES} == {row[0] for row in BROKEN}


def test_a_repository_is_read_as_git_sees_it(tmp_path):
    tree_of(tmp_path, {**GOOD, ".gitignore": "/build/\n/scratch.hpp\n", "scratch.hpp": "no licence", "new.hpp": "no licence"})
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "platform"], cwd=tmp_path, check=True)
    paths = {violation.path for violation in rules.check(tmp_path)["licence_first"]}
    assert paths == {"new.hpp"}  # new files count, ignored ones do not


def test_blanking_comments_keeps_the_lines():
    text = 'int a; // class XManager\n/* struct\nYData */ char c = \'"\'; const char* s = "class Z\\"Info";\nR"(class\nUtil)" int b;\n'
    blanked = rules.without_comments(text)
    assert blanked.count("\n") == text.count("\n")
    assert "Manager" not in blanked and "YData" not in blanked and "Info" not in blanked and "Util" not in blanked
    assert "int a;" in blanked and "int b;" in blanked
