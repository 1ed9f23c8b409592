"""The examples of the documentation: jobs are checked, Python is run, commands and links exist."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT, Block, all_blocks, blocks
from tocsin.compiler.checker import check_text
from tocsin.compiler.diagnostics import JobError
from tocsin.foundation.project import find_project

WRAPPERS = Path(__file__).with_name("wrappers")
SPAN = re.compile(r"`([^`\n]+)`")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the schemas and tables that the examples name; the working folder."""
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    shutil.copytree(ROOT / "registry", tmp_path / "registry")
    for table in Path(__file__).with_name("tables").iterdir():
        shutil.copy(table, tmp_path / "registry")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_job(block: Block) -> str:
    """The whole job: the block itself, or its steps within the wrapper that its marker names."""
    if block.text.startswith("pipeline:"):
        return block.text
    kind, _, name = block.marker.rpartition(" ")
    assert kind == "fragment of", f"{block}: steps without a marker `fragment of NAME`"
    before, hole, after = (WRAPPERS / f"{name}.yaml").read_text("utf-8").partition("    # The fr")
    assert hole, f"{name}.yaml has no place for the fragment"
    steps = "".join(f"    {line}" for line in block.text.splitlines(keepends=True))
    return before + steps + "    # The fr" + after


# The job that a tutorial writes into a file is run by the tutorial's own test.
JOBS = [one for one in all_blocks("yaml") if not one.marker.startswith("file ")]


@pytest.mark.parametrize("block", JOBS, ids=str)
def test_a_yaml_block_is_a_good_job(block: Block, project: Path) -> None:
    job, _ = check_text("jobs/example.yaml", as_job(block))
    assert job.steps


def test_a_mistake_in_a_fragment_is_found(project: Path) -> None:
    block = next(one for one in JOBS if one.marker == "fragment of air")
    wrong = block._replace(text=block.text.replace("of: mean", "of: maen"))
    with pytest.raises(JobError, match="no column 'maen' in its input, did you mean 'mean'"):
        check_text("jobs/example.yaml", as_job(wrong))


def test_the_mistakes_in_the_readme_are_those_of_its_job(project: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    job = next(one.text for one in JOBS if one.page.name == "README.md")
    job = job.replace("p95(value)", "p95(value_mx)").replace("input: Aggregate", "input: Agregate")
    with pytest.raises(JobError) as raised:
        check_text("jobs/air.yaml", job)
    for line in str(raised.value).splitlines():
        assert line in readme


def test_the_mistakes_in_units_are_those_of_the_checker() -> None:
    goldens = "".join(one.read_text("utf-8") for one in (ROOT / "tests/errors").glob("*.txt"))
    page = (ROOT / "docs/quality.md").read_text("utf-8")
    lines = re.findall(r"^jobs/air.yaml(:\d+:\d+: .*)", page, re.MULTILINE)
    assert len(lines) == 2
    assert all(line in goldens for line in lines)


@pytest.mark.parametrize("block", all_blocks("python", "py"), ids=str)
def test_a_python_block_runs(block: Block, project: Path) -> None:
    if block.marker.startswith("not run: "):
        assert len(block.marker.split()) > 5, "the reason is missing"
        compile(block.text, str(block), "exec")
        return
    exec(compile(block.text, str(block), "exec"), {})


def test_settings_of_a_project_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = all_blocks("toml")
    assert blocks
    for block in blocks:
        (tmp_path / "tocsin.toml").write_text(block.text, "utf-8")
        assert find_project() is not None


def test_every_marker_is_known_and_blocks_have_a_known_language() -> None:
    for block in all_blocks("yaml", "python", "py", "sh", ""):
        assert re.match(r"$|fragment of \w+$|file \S+$|not run: ", block.marker), block
    languages = {
        one for page in PAGES for one in re.findall(r"^```(\w+)", page.read_text(), re.MULTILINE)
    }
    assert languages <= {"yaml", "python", "py", "sh", "toml"}


def commands(program: str) -> list[tuple[str, str]]:
    """Each call of a program in code of the documentation: where, and its arguments."""
    found = []
    for page in PAGES:
        # Blocks without a language hold what commands print.
        text = re.sub(r"```\n.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        shell = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        spans = SPAN.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        for code in [*spans, *"\n".join(shell).replace("\\\n", " ").splitlines()]:
            call = re.match(rf"\s*(?:\S*/bin/)?{program} (.*)", code.partition(" #")[0])
            if call:
                found.append((str(page.relative_to(ROOT)), call[1].strip()))
    return found


@cache
def help_of(verb: str) -> str:
    """What `tocsin VERB --help` prints; empty for a verb that does not exist."""
    from tocsin.cli.main import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        main([verb, "--help"])
    return out.getvalue() if f"tocsin {verb}" in out.getvalue() else ""


def test_every_verb_and_option_in_the_documentation_exists() -> None:
    calls = commands("tocsin")
    assert len(calls) > 40
    for page, arguments in calls:
        verb = arguments.split()[0]
        if re.fullmatch(r"[a-z]+", verb):
            assert help_of(verb), f"{page}: tocsin {verb}"
            for flag in FLAG.findall(arguments):
                assert flag in help_of(verb), f"{page}: tocsin {verb} has no {flag}"


def test_a_verb_that_does_not_exist_is_noticed() -> None:
    assert not help_of("frobnicate")


def test_every_make_target_in_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    calls = commands("make")
    assert len(calls) > 10
    for page, arguments in calls:
        for target in arguments.split():
            assert target in targets or "=" in target, f"{page}: make {target}"


def test_every_module_and_its_options_in_the_documentation_exist() -> None:
    calls = commands("python -m")
    assert calls
    for page, arguments in calls:
        module = arguments.split()[0]
        spec = importlib.util.find_spec(module)
        assert spec is not None, f"{page}: python -m {module}"
        folders = spec.submodule_search_locations
        main = Path(next(iter(folders))) / "__main__.py" if folders else Path(str(spec.origin))
        if module.split(".")[0] in {"benchmarks", "infra", "tests"}:
            for flag in set(FLAG.findall(arguments)) - {"--help"}:
                assert flag in main.read_text("utf-8"), f"{page}: {module} has no {flag}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


NAMED = re.compile(
    r"(?<![\w/.-])((?:tests|tocsin|docs|infra|benchmarks|transforms|engines|steps|kernels|kafka"
    r"|foundation|compiler|flink|jobs|schemas)/[\w/.-]*\w)(?![\w/*])"
)
# Names of the past, and placeholders.
PAST = {"CHANGELOG.md", "mutants.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = re.sub(r"```.*?```|\]\([^)]*\)", "", page.read_text("utf-8"), flags=re.DOTALL)
    written = {one.marker.removeprefix("file ") for one in blocks(page)}
    for name in {*NAMED.findall(text)} - written:
        if page.name in PAST or re.search(r"[A-Z]{3}|spread|stuck_pump", name):
            continue
        assert (ROOT / name).exists() or (ROOT / "tocsin" / name).exists(), name
