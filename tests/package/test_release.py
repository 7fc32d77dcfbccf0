"""Version, changelog, tag and citation say the same; the licence names what is bundled; workflows run what is there."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import xdrought

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def releases(changelog: str) -> dict[str, str]:
    """What stands in brackets behind each version of a changelog, the newest first: a date, or "unreleased"."""
    return dict(re.findall(r"^## (\S+) \((.+)\)$", changelog, re.MULTILINE))


def disagreements(version: str, changelog: str, citation: dict, tags: list[str]) -> list[str]:
    """What does not fit together in one state of the project."""
    dates = releases(changelog)
    newest = next(iter(dates), "none")
    released = {name for name, date in dates.items() if date != "unreleased"}
    found = []
    if newest != version:
        found.append(f"the changelog begins with {newest}, the version is {version}")
    if str(citation["version"]) != version:
        found.append(f"CITATION.cff has {citation['version']}, the version is {version}")
    if str(citation.get("date-released", "unreleased")) != dates.get(version):
        found.append(
            f"CITATION.cff was released {citation.get('date-released')}, the changelog says {dates.get(version)}"
        )
    found += [f"the tag {tag} has no release in the changelog" for tag in tags if tag.removeprefix("v") not in released]
    return found


def tags_here() -> list[str]:
    """Tags of releases in this checkout, and the one that a workflow was started for."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "tag", "--list", "v*"], capture_output=True, text=True, check=False
    )
    started = [os.environ["GITHUB_REF_NAME"]] if os.environ.get("GITHUB_REF_TYPE") == "tag" else []
    return listed.stdout.split() + started


def test_version_changelog_tag_and_citation_agree():
    assert PROJECT["project"]["version"] == xdrought.__version__
    changelog = (ROOT / "docs" / "changelog.md").read_text()
    assert disagreements(xdrought.__version__, changelog, CITATION, tags_here()) == []


def test_disagreements_are_found():
    changelog = "# Changelog\n\n## 0.2.0 (unreleased)\n\n## 0.1.0 (2026-12-01)\n"
    assert releases(changelog) == {"0.2.0": "unreleased", "0.1.0": "2026-12-01"}
    assert disagreements("0.2.0", changelog, {"version": "0.2.0"}, ["v0.1.0"]) == []
    assert len(disagreements("0.3.0", changelog, {"version": "0.2.0"}, [])) == 3
    early = {"version": "0.2.0", "date-released": "2026-12-24"}
    assert disagreements("0.2.0", changelog, early, []) == [
        "CITATION.cff was released 2026-12-24, the changelog says unreleased"
    ]
    assert disagreements("0.2.0", changelog, {"version": "0.2.0"}, ["v0.2.0"]) == [
        "the tag v0.2.0 has no release in the changelog"
    ]


def test_the_licence_expression_names_the_licences_of_bundled_data():
    parts = PROJECT["project"]["license"].split(" AND ")
    assert parts[0] == CITATION["license"] == "BSD-3-Clause"
    texts = {path.name: path.read_text() for path in (ROOT / "xdrought").glob("*/LICENSE-*.txt")}
    assert len(texts) == len(parts) - 1
    for name, text in texts.items():
        assert any(re.search(rf"\b{re.escape(part)}\b", text) for part in parts[1:]), name


def test_bundled_data_have_a_licence_beside_them():
    data = [path for end in ("nc", "npz") for path in (ROOT / "xdrought").glob(f"*/*.{end}")]
    assert data != []
    for path in data:
        assert any(path.name in text.read_text() for text in path.parent.glob("LICENSE-*.txt")), path


def test_workflows_run_what_is_there_on_three_systems():
    texts = [path.read_text() for path in WORKFLOWS]
    jobs = [job for text in texts for job in yaml.safe_load(text)["jobs"].values()]
    systems = {job["runs-on"] for job in jobs} | {
        one for job in jobs for one in job.get("strategy", {}).get("matrix", {}).get("system", [])
    }
    assert {"ubuntu-latest", "macos-latest", "windows-latest"} <= systems
    scripts = {name for text in texts for name in re.findall(r"bash (ci/\w+)", text)}
    assert "ci/test" in scripts
    assert [name for name in sorted(scripts) if not (ROOT / name).exists()] == []
    extras = {name for text in texts for names in re.findall(r'"\.\[([\w,]+)\]"', text) for name in names.split(",")}
    assert extras <= set(PROJECT["project"]["optional-dependencies"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_actions_are_pinned_by_hash(path: Path):
    used = re.findall(r"uses: (\S+)", path.read_text())
    assert used != []
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []


def test_the_weekly_job_draws_at_random_and_takes_no_pins():
    text = (ROOT / ".github" / "workflows" / "weekly.yml").read_text()
    assert "--hypothesis-profile=random" in text
    assert "constraints.txt" not in text


CONDA = {"dask[array]": "dask-core", "cf-xarray": "cf_xarray", "torch": "pytorch", "matplotlib": "matplotlib-base"}
CONDA["geopandas"] = "geopandas-base"
NOT_ON_CONDA = {"causal-ccm"}


def as_conda(requirements: list[str]) -> set[str]:
    """Requirements of pyproject.toml in the names of conda-forge, without the package itself."""
    pairs = [each.split(">=") for each in requirements if not each.startswith("xdrought")]
    return {f"{CONDA.get(name, name)} >={least}" for name, least in pairs if name not in NOT_ON_CONDA}


def test_the_recipe_is_of_this_project():
    recipe = yaml.safe_load((ROOT / "ci" / "recipe" / "recipe.yaml").read_text())
    project, needs = PROJECT["project"], recipe["requirements"]
    assert (recipe["context"]["name"], recipe["context"]["version"]) == (project["name"], project["version"])
    assert recipe["about"]["license"] == project["license"]
    assert all((ROOT / path).is_file() for path in recipe["about"]["license_file"])
    python = f"python {project['requires-python']}"
    assert set(needs["run"]) == as_conda(project["dependencies"]) | {python}
    extras = [one for group in ("forecast", "plot", "distributed", "regions", "reference") for one in EXTRAS[group]]
    assert set(needs["run_constraints"]) == as_conda(extras)
    assert recipe["build"]["python"]["entry_points"] == [f"{k} = {v}" for k, v in project["scripts"].items()]
