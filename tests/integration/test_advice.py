#!/usr/bin/env python3
"""What the program, its page and its documents advise exists: every `rowferry COMMAND --OPTION`
between backquotes in a message or a document is a command and an option that there is."""

import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from rowferry import expect, main, run  # noqa: E402

SOURCE = pathlib.Path(os.environ["ROWFERRY_SOURCE"])
ROOMS = ("cli", "node", "capture", "apply", "ship", "engine", "log")
DESIGNED = ("reidentify", "replay", "restamp")  # words that only commands to come have


def literals(text):
    """The string literals of a C file, those that stand one after another as one."""
    joined = re.sub(r'"\s*\\?\n\s*"', "", text)
    return re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined)


def messages():
    for room in ROOMS:
        for path in sorted((SOURCE / room).glob("*.[ch]")):
            for literal in literals(path.read_text()):
                yield path.name, literal


def documents():
    for path in [SOURCE / "README.md", *sorted((SOURCE / "docs").glob("*.md"))]:
        for quoted in re.findall(r"`[^`\n]+`", path.read_text()):
            yield path.name, quoted


def check(command_help, name, text):
    for advice in re.findall(r"`rowferry ([^`]*)`", text):
        words = advice.split()
        while words and words[0].startswith("--"):  # before the command: --store DIR
            expect(words[0] in ("--store", "--json", "--help", "--version"), f"{name}: {advice}")
            words = words[2 if words[0] == "--store" else 1:]
        if not words or not words[0].isalpha() or words[0].isupper():
            continue
        expect(words[0] in command_help, f"{name}: there is no `rowferry {words[0]}`")
        for option in words[1:]:
            if option.startswith("--"):
                expect(f"{option} " in command_help[words[0]], f"{name}: `rowferry {advice}`")


def test_every_advice_can_be_followed(_):
    names = re.findall(r"^  ([a-z]+) ", run("--help").output, re.MULTILINE)
    expect(len(names) > 10, str(names))
    command_help = {name: run(name, "--help").output for name in names}
    count = 0
    for name, text in messages():
        for word in DESIGNED:
            expect(word not in text, f"{name}: '{word}' in {text!r}")
        count += text.count("`rowferry")
        check(command_help, name, text)
    expect(count > 10, f"only {count} advices in the messages")
    for name, text in documents():
        check(command_help, name, text)


main([test_every_advice_can_be_followed])
