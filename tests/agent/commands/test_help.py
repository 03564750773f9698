# SPDX-License-Identifier: Apache-2.0
"""Help that teaches, and exit codes of a wrong command line."""

import pytest

COMMANDS = ["run", "check", "sources", "status", "dump", "provision", "fleet", "version"]


def test_help_lists_the_commands_and_a_first_step(fieldpost):
    for words in (["--help"], ["help"], ["-h"]):
        answer = fieldpost(*words)
        assert answer.returncode == 0 and answer.stderr == ""
        for command in COMMANDS:
            assert f"\n  {command} " in answer.stdout
        assert "fieldpost sources" in answer.stdout and "exit codes" in answer.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_examples(fieldpost, command):
    answer = fieldpost(command, "--help")
    assert answer.returncode == 0 and answer.stderr == ""
    assert answer.stdout.startswith(f"usage: fieldpost {command}")
    assert "examples:\n  fieldpost " in answer.stdout
    assert "exit codes:" in answer.stdout
    assert fieldpost("help", command).stdout == answer.stdout


def test_nothing_prints_help_to_standard_error_and_ends_with_two(fieldpost):
    answer = fieldpost()
    assert answer.returncode == 2 and answer.stdout == ""
    assert "usage: fieldpost COMMAND" in answer.stderr


@pytest.mark.parametrize("words, line", [
    (["chekc"], 'fieldpost: unknown command "chekc"; did you mean "check"?'),
    (["frobnicate"], 'fieldpost: unknown command "frobnicate"; `fieldpost --help` lists the commands'),
    (["check", "--confg", "x"],
     'fieldpost check: unknown option "--confg"; did you mean --config?; see fieldpost check --help'),
    (["sources", "--format", "xml"],
     'fieldpost sources: --format is "xml"; it must be one of text|json|prometheus; '
     'see fieldpost sources --help'),
])
def test_a_wrong_command_line_is_one_line_and_exit_code_two(fieldpost, words, line):
    answer = fieldpost(*words)
    assert answer.returncode == 2
    assert answer.stdout == "" and answer.stderr == line + "\n"
