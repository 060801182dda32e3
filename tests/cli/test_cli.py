"""The command line: answers on stdout, whole error texts on stderr, documented exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasbench_ws.images.loaders import load_images
from nasbench_ws.recipe import Recipe
from nasbench_ws.results.result import Result
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.checks import blank_columns, root_attributes
from nasbench_ws.tables.columns import CURVES, Content
from nasbench_ws.tables.table import load, shipped, write_table

COMMAND = [sys.executable, "-P", "-c", "from nasbench_ws.cli import main; main()"]
SMALL = Recipe(train_images=256, batch_size=64, channels=4, cells=1, epochs=1, points=1)
QUICK = ["--steps", "64", "--instances", "1", "--workers", "1", "--table", "small.h5"]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys, quick):
    """nasbench-ws in this process, in an empty folder: (exit code, stdout, stderr)."""
    from nasbench_ws.cli import group
    from nasbench_ws.cli.failures import guarded

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASBENCH_WS_CACHE", str(tmp_path / "cache"))
    write_small_table(tmp_path / "small.h5")

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["nasbench-ws", *words])
        with pytest.raises(SystemExit) as ended:
            guarded(group)
        code = ended.value.code
        out, err = capsys.readouterr()
        return (code if isinstance(code, int) else 0), out, err

    return call


def write_small_table(path: Path) -> None:
    """A table of made-up numbers whose super-nets train and score in a second, on the shipped images."""
    macro = build_macro(SMALL, 14, 14, 1, 10)
    columns = blank_columns(DEEPER64, macro, [0, 1], [1.0])
    rng = np.random.default_rng(0)
    for name in CURVES:
        columns[name][:] = rng.random(columns[name].shape)
    columns["status"][:] = 0
    columns["environment"][:] = 0
    digest = load_images("fashion14").digest
    environments = [{"versions": {"python": "3.11"}, "device": "none"}]
    attributes = root_attributes(SMALL, DEEPER64, macro, digest, environments, "MIT", "none")
    write_table(path, Content(attributes, columns))


def process(*words: str, cwd: Path, **more: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NASBENCH_WS_CACHE": str(cwd / "cache")}
    return subprocess.Popen(
        [*COMMAND, *words], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


# ------------------------------------------------------------------------------------------------ questions


def test_query_prints_one_json_object(run):
    code, out, _ = run("query", "434", "--json")
    found = json.loads(out)
    assert code == 0
    assert {"hash", "name", "spec", "index", "params", "macs", "valid_accuracy", "test_accuracy"} <= set(found)
    assert (found["name"], found["index"], found["hash"]) == ("434", 59, "889c9c1e36d3f058")
    entry = load("fashion14").query("434")
    assert found["test_accuracy"]["values"] == list(entry.test_accuracy.values)
    assert set(found["valid_accuracy"]) == {"mean", "std", "values"}


SPEC = "deeper64:|dil_conv_5x5~0|+|sep_conv_5x5~0|dil_conv_5x5~1|"


@pytest.mark.parametrize("name", ["434", "59", "889c9c1e36d3f058", "889c9", SPEC])
def test_query_by_any_name_for_people(run, name):
    code, out, _ = run("query", name)
    assert code == 0
    assert out.startswith("434 of deeper64 in fashion14 (index 59, hash 889c9c1e36d3f058)\n  0 -> 1  dil_conv_5x5\n")
    assert all(len(line) <= 80 for line in out.splitlines())


def test_top_is_sorted_by_what_it_says(run):
    code, out, _ = run("top", "-n", "64", "--by", "valid_accuracy", "--json")
    values = [child["valid_accuracy"]["mean"] for child in json.loads(out)["children"]]
    assert code == 0
    assert len(values) == 64
    assert values == sorted(values, reverse=True)


def test_tables_and_verify_and_data(run):
    assert json.loads(run("tables", "--json")[1])["fashion14"]["children"] == 64
    assert run("verify", "fashion14")[0] == 0
    code, out, _ = run("data", "check")
    assert code == 0
    assert "table fashion14: no problems" in out
    assert "cifar10" in run("data", "list")[1]


def test_strategies_lists_and_describes(run):
    from nasbench_ws.sharing.strategies import BUILT_IN

    out = run("strategies")[1]
    assert all(usage in out for built_in in BUILT_IN.values() for usage in built_in.usage.split(" | "))
    code, out, _ = run("strategies", "none")
    assert code == 0
    assert "64 super-nets that share nothing with one another, of 1 children" in out
    assert "(100.0%)" in out


def test_strategies_describes_whatever_it_lists(run):
    """And says how each differs from its paper, where it has one."""
    from nasbench_ws.rankers.named import NAMED, PROXIES
    from nasbench_ws.rankers.papers import PAPERS
    from nasbench_ws.rankers.rows import ROWS

    for name in [*ROWS, *NAMED]:
        code, out, _ = run("strategies", name)
        assert code == 0
        assert out.startswith({**ROWS, **NAMED}[name].usage)
        assert ("\nDifferences:\n* " in out) == (name in ROWS or name in PAPERS)
    assert PAPERS.keys() >= {*PROXIES, "wann"}
    assert set(PAPERS) <= set(NAMED)
    found = json.loads(run("strategies", "wann", "--json")[1])
    assert found["paper"] == "Gaier, Ha, Weight Agnostic Neural Networks, NeurIPS 2019"
    assert [text.partition(" ")[0] for text in found["differences"]] == ["published", "so", "nothing"]
    for wrong, text in (
        ("zen:3", "zen takes no arguments, and got '3'; write zen"),
        ("darts:thrd", "darts:thrd is not written like darts[:second][:lr=RATE]"),
    ):
        code, _, err = run("strategies", wrong)
        assert (code, err) == (2, f"Error: {text}\n")


def test_the_example_in_strategies_is_a_strategy(run, tmp_path):
    from nasbench_ws.cli.strategies import EXAMPLE

    Path("my.py").write_text(EXAMPLE)
    code, out, _ = run("strategies", "my.py:MyStrategy")
    assert code == 0
    assert "4 super-nets" in out


def test_doctor_says_which_path_computes(run):
    from nasbench_ws.training.backend import chosen

    code, out, _ = run("doctor")
    assert code == 0
    assert chosen().description(8) in out


def test_show_tells_a_child_and_draws_it(run, tmp_path):
    code, out, _ = run("show", "434", "-o", "434.svg")
    table = load("fashion14")
    assert code == 0
    assert out.startswith("434 of deeper64 in fashion14, hash 889c9c1e36d3f058\n\n  x1 = dil_conv_5x5(x0)\n")
    assert "  x2 = sep_conv_5x5(x0) + dil_conv_5x5(x1)\n  output = x1, x2\n" in out
    near = [line.split()[0] for line in out.split("best first\n")[1].splitlines()[:9]]
    assert sorted(near) == sorted(child.name for child in table.query("434").architecture.neighbours())
    accuracies = [table.query(name).test_accuracy.mean for name in near]
    assert accuracies == sorted(accuracies, reverse=True)
    assert out.endswith("its cell is drawn in 434.svg\n")
    assert (tmp_path / "434.svg").read_text().startswith("<svg ")
    assert all(len(line) <= 80 for line in out.splitlines())
    found = json.loads(run("show", "434", "--json")[1])
    assert list(found["neighbours"]) == near
    assert list(found["curve"].values())[-1] == table.query("434").valid_accuracy.mean


@pytest.mark.slow  # CI runs it
def test_report_writes_a_page_or_a_figure(run, tmp_path):
    assert run("evaluate", "full", *QUICK, "--out", "full.json")[0] == 0
    code, out, _ = run("report", "full.json", "--table", "small.h5", "-o", "full.html")
    assert code == 0
    assert re.fullmatch(r"full\.html: \d+ KiB\n", out)
    assert "<h2>Scores against the ground truth</h2>" in (tmp_path / "full.html").read_text()
    _, _, err = run("report", "full.json", "-o", "without.html")
    assert err == (
        "these results are of small.h5, which does not ship: what needs the table is left out; name its file with "
        "--table\n"
    )
    assert run("report", "full.json", "--table", "small.h5", "--figure", "scatter", "-o", "one.svg")[0] == 0
    assert (tmp_path / "one.svg").read_text().startswith("<svg ")
    for words, text in (
        ([], "there is nothing to report; give a result's file, or --table for the page of a table"),
        (["full.json", "--figure", "ranks"], "--figure takes one result, and the table that it was measured against"),
        (["full.json", "--table", "small.h5", "--figure", "ranks"],
         "that result has nothing for the figure ranks; see `nasbench-ws report` for why"),
    ):  # fmt: skip
        code, _, err = run("report", *words)
        assert (code, text in err) == (2, True), err
    assert run("report", "nothing.json")[0] == 9


# ------------------------------------------------------------------------------------------------- evaluate


def test_evaluate_json_has_the_documented_keys(run, tmp_path):
    code, out, err = run("evaluate", "full", *QUICK, "--json", "--out", "full.json")
    found = json.loads(out)
    assert code == 0
    assert np.array(found["scores"]).shape == (1, 64)
    for key in ("strategy", "table", "instances", "metrics", "ceiling", "recipe", "versions"):
        assert key in found
    assert {"random", "params", "macs"} <= set(found["baselines"])
    assert {"steps", "images", "child_updates", "macs", "seconds", "weight_bytes"} <= set(found["budget"])
    assert all({"mean", "std", "interval"} <= set(metric) for metric in found["metrics"].values())
    assert found["budget"]["steps"] == 64
    assert "evaluate full: 100%" in err
    assert Result.load("full.json").to_dict() == found
    assert not Path("full.json.parts").exists()


def test_evaluate_for_people_fits_a_terminal_and_gives_a_verdict(run):
    Path("my.py").write_text("def key(arch, slot):\n    return None\n")
    code, out, _ = run("evaluate", "my.py:key", *QUICK)
    assert code == 0
    assert "Counting parameters" in " ".join(out.split())
    assert "The table has too few seeds for a bound." in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines()), max(out.splitlines(), key=len)


def test_a_quick_look_says_what_it_is(run):
    code, out, _ = run("evaluate", "full", "--quick", "--table", "small.h5", "--steps", "64", "--valid-images", "100")
    assert code == 0
    assert "A quick look: 64 steps, 100 validation images." in out
    assert "full on small.h5: 1 instance, batch norm recalibrate:256" in out


def test_compare_orders_results(run, tmp_path):
    scores = load("small.h5").truth
    run("evaluate", "full", *QUICK, "--out", "good.json")
    outcome, truth = Result.load("good.json").outcome, load("small.h5")
    made = {}
    for name, one in (("good", scores), ("bad", 1 - scores)):
        rows = np.array([one, one + np.arange(64) * 1e-3, one])
        made[name] = Result.of(replace(outcome, strategy=name, seeds=(0, 1, 2), scores={"running": rows}), truth)
        made[name].save(f"{name}.json")
    code, out, _ = run("compare", "bad.json", "good.json", "--json")
    found = json.loads(out)
    assert code == 0
    assert [row["name"] for row in found["rows"]] == ["good", "bad"]
    assert found["pairs"][0]["verdict"] == "distinguishable"
    assert "good - bad" in run("compare", "bad.json", "good.json")[1]


@pytest.mark.slow  # trains in processes of its own
def test_an_interrupted_evaluation_keeps_what_is_finished_and_goes_on(run, tmp_path):
    words = ["evaluate", "groups:similar:4", *QUICK, "--steps", "800", "--out", "x.json"]
    child = process(*words, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("x.json.parts/*/*.json")):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    (kept_in,) = Path(tmp_path / "x.json.parts").iterdir()
    assert err.endswith(
        f"Interrupted: super-nets that were finished are kept in x.json.parts/{kept_in.name}; run the same command "
        "again to go on\n"
    )
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("x.json.parts/*/*.json")}
    assert kept
    code, _, err = run(*words, "--work", "x.json.parts")  # --work keeps the parts
    assert code == 0, err
    assert all(path.stat().st_mtime_ns == made for path, made in kept.items())
    assert Result.load(tmp_path / "x.json").scores.shape == (1, 64)


@pytest.mark.slow  # trains in processes of its own
def test_a_result_that_cannot_be_printed_is_not_lost(run, tmp_path):
    """A full disk behind standard output: the result is in the cache, and what was trained too."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NASBENCH_WS_CACHE": str(tmp_path / "cache")}
    command = [*COMMAND, "evaluate", "full", *QUICK]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 7, done.stderr
    cache = tmp_path / "cache"
    (copy,) = (cache / "results").iterdir()
    (part,) = (cache / "evaluate").glob("*/*.json")
    assert copy.name == f"full-{part.parent.name}-seeds-0-0.json"
    assert Result.load(copy).scores.shape == (1, 64)
    _, out, err = run("evaluate", "full", *QUICK)
    assert err.endswith(f"The result is kept in {copy}\n")
    assert out == f"{Result.load(copy)}\n"
    assert list((cache / "results").iterdir()) == [copy]
    assert not part.parent.exists()


# ---------------------------------------------------------------------------------------------------- build


FAST_BUILD = ["--recipe", "train_images=256,batch_size=64,epochs=1,points=1,channels=4,cells=1"]


def test_build_merge_verify_query_and_train(run):
    code, out, _ = run("build", "runs", "--seeds", "0-1", "--archs", "111,434", "--workers", "1", *FAST_BUILD)
    assert code == 0
    assert "4 of 4 runs are finished in runs" in out
    assert run("merge", "runs", "-o", "mine.h5")[0] == 0
    assert run("verify", "mine.h5")[0] == 0
    assert json.loads(run("query", "434", "--table", "mine.h5", "--json")[1])["status"] == ["ok", "ok"]
    for name, seed in (("111", 0), ("434", 0), ("434", 1)):  # rows are what their recipe and seed make of them
        code, out, _ = run("train", name, "--seed", str(seed), "--table", "mine.h5")
        assert code == 0
        assert out.endswith("equal in every number\n")
    code, _, err = run("train", "112", "--table", "mine.h5")
    assert code == 4
    text = "mine.h5 has no run of 112 seed 0 to compare with: it is missing; name another, or build it"
    assert err == f"Error: {text}\n"
    code, _, err = run("evaluate", "full", "--table", "mine.h5")
    assert code == 4
    assert "mine.h5 gives no ground truth: it lacks" in err


@pytest.mark.slow  # CI runs it
def test_an_interrupted_build_keeps_what_is_finished(tmp_path):
    words = ["build", "runs", "--seeds", "0-9", "--workers", "1", *FAST_BUILD]
    child = process(*words, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/*.json")):
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "of 640 runs are finished and kept in runs; the same command goes on from there" in err


# --------------------------------------------------------------------------------------------------- errors


def test_an_unknown_architecture(run):
    assert run("query", "999")[::2] == (
        3,
        "Error: deeper64 has no child '999'; name one by its digits (111 to 444), index (0 to 63), hash (16 hex "
        "digits, or the first 4 or more) or canonical string "
        "(deeper64:|max_pool_3x3~0|+|max_pool_3x3~0|max_pool_3x3~1|)\n",
    )


def test_an_unknown_table(run):
    code, _, err = run("query", "434", "--table", "fashion15")
    assert code == 4
    assert err == (
        "Error: there is no table 'fashion15' (did you mean fashion14 or "
        "fashion14-topology?): neither a file nor shipped; shipped are "
        f"{', '.join(shipped())}; give one of these, or the path of a file\n"
    )


def test_a_truncated_table(run):
    Path("cut.h5").write_bytes(shipped()["fashion14"].read_bytes()[:5000])
    code, _, err = run("verify", "cut.h5")
    assert code == 4
    assert "cut.h5" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("code", "words", "text"),
    [
        (6, ["evaluate", "groups:similar:3"], "do not divide into 3 groups; allowed are 1, 2, 4, 8, 16, 32, 64"),
        (6, ["evaluate", "no.py:S"], "no strategy file 'no.py'; write FILE.py:NAME with the path of an existing file"),
        (2, ["evaluate", "full", "--recipe", "epoch=3"], "unknown recipe key 'epoch' (did you mean epochs?)"),
        (2, ["evaluate", "full", "--batch-norm", "runing"], "'runing' (did you mean running?)"),
        (2, ["evaluate", "full", "--match", "step"], "Invalid value for '--match'"),
        (2, ["build", "runs", "--seeds", "a"], "seeds 'a' cannot be read at 'a'; write 0-9 or 0,1,5"),
        (2, ["build", "runs", "--lockstep", "4", "--workers", "2"],
         "--lockstep 4 is one program, and --workers 2 are many; give one of them"),
        (2, ["build", "runs", "--shard", "2"], "shard '2' cannot be read; write i/n, counted from 0, such as 0/8"),
        (2, ["top", "--by", "accuracy"], "accuracy"),
        (5, ["build", "runs", "--recipe", "images=cifar10,macro=paper"], "cifar10 does not ship"),
        (7, ["evaluate", "full", "--out", "no/such/folder/x.json"], "no/such/folder/x.json cannot be written"),
        (9, ["compare", "a.json", "b.json"], "a.json cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_have_messages_and_codes(run, code, words, text):
    found, out, err = run(*words)
    assert (found, out) == (code, "")
    assert text in err
    assert "Traceback" not in err


def test_a_strategy_that_raises_shows_its_own_traceback(run):
    Path("my.py").write_text("def key(arch, slot):\n    return 1 / (arch.index - 3)\n")
    code, _, err = run("evaluate", "my.py:key")
    assert code == 6
    lines = err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "my.py" in lines[1]
    assert "nasbench_ws" not in "".join(lines[:-1])
    assert lines[-2] == "ZeroDivisionError: division by zero"
    assert lines[-1].startswith(
        "Error: the strategy's key raised ZeroDivisionError: division by zero, for child 114 at"
    )


def test_an_answer_that_cannot_be_written(tmp_path):
    """Not a traceback, and not a success: the answer was the point."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, "query", "434"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        7, "Error: standard output cannot be written: No space left on device; free some space there, or redirect it\n"
    )  # fmt: skip
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "query", "434"]
    done = subprocess.run(closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        7, "Error: standard output is closed, and the answer goes there; redirect it, perhaps to /dev/null\n"
    )  # fmt: skip


def test_a_strategy_whose_keys_cannot_be_compared(run):
    Path("my.py").write_text("def key(arch, slot):\n    return [1]\n")
    code, _, err = run("evaluate", "my.py:key")
    assert code == 6
    assert "which is not hashable; return a string, a number, None or a tuple of those" in err
