"""What the documents say of the code is so."""

import re

from conftest import ROOT

from fuse_to_forget.sources.demographics import HABITS


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
