"""Every cure that a message names, a call or words, is followed, or a list says why not."""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

import xdrought
from tests.laws import inputs as given
from tests.laws.cures import CURES
from tests.laws.cures.elsewhere import FOLLOWED, OUTSIDE
from tests.laws.cures.tools import Cure
from xdrought.cli import main

PACKAGE = Path(xdrought.__file__).parent
VALUE = "\N{BULLET}"  # where a message shows a value
# A call, an attribute that is set, an argument with its value, an option of the command line.
A_CALL = re.compile(
    rf"\.\w+\(|\b(?:da|ds|record|second|first|reference) = |\b\w+=(?:[\w\"'\[({{]|{VALUE}|\.\.\.)"
    rf"|\b[a-z_.]+\.[a-z_]+\(|pip install|\.attrs\[|\bxdrought\.[a-z_.]+|--\w+"
)
# What a message asks for in words, after what is wrong.
IN_WORDS = re.compile(
    r"(?:[;:,] |\. |\bor )(?:add|ask|assign|bring|build|call|check|choose|compare|compute|convert|copy|correct|crop|cut"
    r"|decode|delete|divide|download|drop|explain|expected|fill|fit|get|give|go|insert|keep|leave|load|look|make|multiply|name|open"
    r"|pass|pick|put|read|regrid|remove|rename|resample|restore|save|say|score|select|set|simulate|sort|start|take|train"
    r"|try|unpack|update|use|wait|write)\b",
    re.IGNORECASE,
)
_A_FEW_WORDS = 10  # letters of a message that tell it from others


def told(cure: Cure) -> str:
    """The words of the refusal or the warning."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            cure.wrong()
        except Exception as error:
            message = str(error)
            if isinstance(error, KeyError):
                message = str(error.args[0])
        else:
            found = [str(one.message) for one in heard if cure.words in str(one.message)]
            message = found[0] if found else "no word was said"
    assert cure.words in message, message
    return message


@pytest.mark.parametrize("cure", CURES, ids=lambda cure: cure.words)
def test_cures_are_followed_and_give_a_result(cure):
    message = told(cure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cure.right(message) is not None


def messages() -> dict[str, str]:
    """Every text of an error or a warning that names a cure, by its place; values as a mark."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            said = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(said, ast.Call) or not said.args:
                continue
            if isinstance(node, ast.Raise) or ast.unparse(said.func).split(".")[-1] == "warn":
                text = text_of(said.args[0])
                if cure_of(text):
                    found[f"{path.relative_to(PACKAGE)}:{node.lineno}"] = text
    return found


def cure_of(text: str) -> str:
    """The part of a message that says what to do; empty where it names no cure."""
    parts = re.split(r"[;:.] |, e\.g\.", text, maxsplit=1)
    if len(parts) > 1 and A_CALL.search(parts[1]):
        return parts[1]
    asked = IN_WORDS.search(text)
    return text[asked.start() :] if asked else ""


def is_followed(text: str, words: str) -> bool:
    """Whether these words, in which there may be values, are those of a message."""
    parts = [one.strip(" ;:,.") for one in cure_of(text).split(VALUE)]
    whole = ".+?".join(map(re.escape, cure_of(text).split(VALUE)))
    says = len(cure_of(text).replace(VALUE, "")) >= _A_FEW_WORDS and re.search(whole, words)
    return words in text or bool(says) or any(one in words for one in parts if len(one) >= _A_FEW_WORDS)


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else VALUE


def not_followed() -> dict[str, str]:
    """Messages of which no list says how their cure is followed, or why not."""
    words, listed = [cure.words for cure in CURES], [*FOLLOWED, *OUTSIDE]
    return {
        place: text
        for place, text in messages().items()
        if not any(one in text for one in listed) and not any(is_followed(text, one) for one in words)
    }


def test_every_cure_is_followed_by_a_test():
    left = "\n".join(f"{place}: {text}" for place, text in not_followed().items())
    assert not left, f"add to the room in tests/laws/cures:\n{left}"


def test_the_lists_of_cures_are_of_messages_that_there_are():
    said = "\n".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    known = "\n".join(messages().values())
    assert [one for one in (*FOLLOWED, *OUTSIDE) if one not in known] == []
    assert said
    for words, test in FOLLOWED.items():
        text = (PACKAGE.parent / test).read_text(encoding="utf-8")
        assert re.search(r"follow|cure", text), f"{test} follows no cure, {words!r}"
    assert all(len(reason) > 15 for reason in OUTSIDE.values())


def test_a_message_that_is_in_no_list_is_seen(monkeypatch, tmp_path):
    (tmp_path / "new.py").write_text('raise ValueError(f"{x} is wrong; use .right({x!r})")\nraise ValueError("no")')
    (tmp_path / "words.py").write_text('checks.warn(f"{x} is odd; take the longer half of it")')
    monkeypatch.setattr("tests.laws.test_cures.PACKAGE", tmp_path)
    assert messages() == {
        "new.py:1": f"{VALUE} is wrong; use .right({VALUE})",
        "words.py:1": f"{VALUE} is odd; take the longer half of it",
    }
    with pytest.raises(AssertionError, match=r"new.py:1.*\n.*words.py:1"):
        test_every_cure_is_followed_by_a_test()


def test_the_cures_of_the_command_line_lead_to_a_result(tmp_path, capsys):
    """Each message names the option that is missing; with it the call ends well."""
    series = given.soil().isel(site=0, drop=True)
    table, out = tmp_path / "it.csv", tmp_path / "out.csv"
    series.reset_coords(drop=True).rename("sm").to_series().rename_axis("day").to_csv(table)
    two = tmp_path / "two.csv"
    pd.read_csv(table).assign(other=1.0).to_csv(two, index=False)
    calls = [
        ([], "name the column of dates with --time"),
        (["--time", "day", "--variable", "theta"], "use --variable"),
        (["--time", "day", "--variable", "sm", "--set", "upper"], "write NAME=VALUE, e.g. --set upper=50"),
    ]
    for options, words in calls:
        assert main(["events", str(two), str(out), *options]) == 1
        assert words in capsys.readouterr().err
    assert main(["events", str(two), str(out), "--time", "day", "--variable", "sm", "--set", "upper=50"]) == 0
    assert out.is_file()


def test_what_the_command_line_says_of_tables_leads_to_a_result(tmp_path, capsys):
    """What a spreadsheet wrote is refused; written as the message says, it is read."""
    lines = [f"{day:%Y-%m-%d},0.{k % 7 + 1}" for k, day in enumerate(given.DAYS[:200])]
    wrong = {
        "save it as CSV UTF-8": "\n".join(["day,sm", *lines]).encode("utf-16"),
        "each line needs as many fields as the header": "\n".join(["day,sm", *lines, "2001-07-20,1,2,3"]),
        "leave fields without a value empty": "\n".join(["day,sm", *lines, "2001-07-20,none yet"]),
        "write the numbers alone": "\n".join(["day,sm", *(f"{line}%" for line in lines)]),
        "write all of them as YYYY-MM-DD": "\n".join(["day,sm", *lines, "Sum,12"]),
        "give the rows of each in a table of its own": "\n".join(["day,sm", *lines, *lines]),
        "give the output another name": "\n".join(["day,sm", *lines]),
        "check the export": "day,sm\n",
    }
    for words, content in wrong.items():
        path = tmp_path / "it.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        target = path if "another name" in words else tmp_path / "out.csv"
        assert main(["percentiles", str(path), str(target), "--time", "day"]) == 1
        assert words in capsys.readouterr().err
    (tmp_path / "it.csv").write_text("\n".join(["day,sm", *lines, "2001-07-20,"]))
    assert main(["percentiles", str(tmp_path / "it.csv"), str(tmp_path / "out.csv"), "--time", "day"]) == 0
    assert len(pd.read_csv(tmp_path / "out.csv")) == 201
