"""What the documents say of the code is so."""

import re

import yaml
from conftest import ROOT

from fuse_to_forget.sources.demographics import HABITS

RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def test_every_habit_is_documented():
    page = (ROOT / "docs" / "simulated_demographics.md").read_text()
    rows = re.findall(r"^ *\| (gender|age) \| [^|]+ \| `(.+?)` / `(.+?)` \|$", page, flags=re.M)
    assert {(attribute, frozenset(pair)) for attribute, *pair in rows} == {
        (habit.attribute, frozenset(habit.variants)) for habit in HABITS
    }


def test_links_between_documents_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_cluster_profile_names_every_rule_that_asks_for_a_gpu():
    rules = [text for file in RULES for text in re.split(r"^rule ", file.read_text(), flags=re.M)[1:]]
    asking = {rule.split(":")[0] for rule in rules if re.search(r"\bgpu=", rule)}
    profile = (ROOT / "profiles/slurm/profile.yaml").read_text()
    assert set(re.findall(r"^#   (\w+): \{\}$", profile, flags=re.M)) == asking
    groups = yaml.safe_load(profile)["groups"]
    assert not asking & set(groups)  # in a group, GPUs would be added up
    assert set(groups) <= {rule.split(":")[0] for rule in rules}
