"""The report as its reader has it: pages of tables that sort, figures with captions, versions, run times."""

import shutil
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from workflow_runs import make_project, rules_to_run, run

from fuse_to_forget.environment import describe_run
from fuse_to_forget.tables.claims import verdicts_by_statement, write_claims
from fuse_to_forget.tables.page import format_number, table_part, write_with_page

TABLE = pd.DataFrame(
    {
        "model": ["A", "fused_AB <b>", "A10", "A9", "", "B"],
        "alr": [0.5424, 10.07, np.nan, -0.0751, 9.5, -0.5],
        "alr_low": [0.51, 9.9, np.nan, -0.1, np.nan, -0.6],
        "alr_high": [0.58, 10.2, np.nan, -0.05, np.nan, -0.4],
        "perplexity": [283.01, 1165.38, 99.949, 100.0, 271.1, 8.25],
        "epochs": [20, 5, np.nan, 12, 12, 8],
    }
)
CLAIMS = pd.DataFrame(
    {
        "claim": ["kept", "forgotten", "kept", "kept"],
        "statement": ["It is kept.", "It is forgotten.", "It is kept.", "It is kept."],
        "value": [0.9, 0.2, 0.1, 0.5],
        "low": [0.8, 0.1, 0.0, 0.4],
        "high": [1.0, 0.3, 0.2, 0.6],
        "verdict": ["supported", "supported", "contradicted", "undecided"],
    }
)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.5424, 3, ".542"), (-0.0751, 3, "-.075"), (1.0926, 3, "1.093"), (0.9996, 3, "1.000"), (-0.0001, 3, ".000"),
     (283.01, 1, "283.0"), (20.0, 0, "20")],
)  # fmt: skip
def test_numbers_are_rounded_and_have_no_zero_before_the_point(value, digits, text):
    assert format_number(value, digits) == text


def test_a_page_joins_a_number_with_its_interval_and_keeps_it_whole_for_sorting():
    html = table_part(TABLE, "A & B")
    assert "<h2>A &amp; B</h2>" in html
    assert "alr_low" not in html
    assert 'data-value="0.5424">.542 <span class="interval">(.510 to .580)</span></td>' in html
    assert 'data-value="9.5">9.500</td>' in html  # no interval
    assert "fused_AB &lt;b&gt;" in html
    assert ">283.0</td>" in html
    assert ">20</td>" in html
    assert html.count('<td class="number"></td>') == 2
    assert "interval" not in table_part(TABLE[["model", "epochs"]])


def test_verdicts_are_counted_by_statement():
    counts = verdicts_by_statement(CLAIMS)
    assert counts.values.tolist() == [
        ["kept", "It is kept.", 1, 1, 1],
        ["forgotten", "It is forgotten.", 1, 0, 0],
    ]
    assert counts.columns.tolist()[2:] == ["supported", "contradicted", "undecided"]
    studies = verdicts_by_statement(CLAIMS.assign(study=["a", "a", "b", "b"]))
    assert studies["study"].tolist() == ["a", "a", "b"]


def test_a_run_is_described_by_versions_and_every_value_of_the_configuration():
    config = {"seeds": [1, 2], "size": None, "study": {"pairs": [["a", "b"]], "parts": [{"rate": 1e-3}]}}
    facts = {row["name"]: (row["kind"], row["value"]) for row in describe_run(config, "0123456789ab")}
    assert facts["seeds"] == ("config", "[1, 2]")
    assert facts["size"] == ("config", "null")
    assert facts["study.pairs"] == ("config", '[["a", "b"]]')
    assert facts["study.parts.0.rate"] == ("config", "0.001")
    assert facts["requirements.lock (sha256)"] == ("version", "0123456789ab")
    assert facts["pandas"] == ("version", pd.__version__)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with two tables made, and files of the right names and kinds in place of all other results."""
    folder = make_project(tmp_path_factory.mktemp("report") / "project")
    run(folder, "results/table3.html", "results/run.html")
    listed = run(folder, "all", "--summary").splitlines()
    for name in {line.split("\t")[0] for line in listed if line.startswith("results/")}:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            continue
        if "claims" in name and path.suffix == ".html":
            write_claims(CLAIMS, path.with_suffix(".csv"), path, name)
        elif path.suffix == ".html":
            write_with_page(TABLE, path.with_suffix(".csv"), path, name)
        elif path.suffix == ".png":
            figure, axes = plt.subplots(figsize=(7, 12))  # taller than the window
            axes.plot([0, 1])
            figure.savefig(path)
            plt.close(figure)
    return folder


def test_a_new_lock_file_only_records_the_run_anew(project):
    lock = project / "requirements.lock"
    before = lock.read_text()
    lock.write_text(before.replace("torch==", "torch==9", 1))
    assert rules_to_run(project, "results/table3.html", "results/run.html") == {"record_run"}
    lock.write_text(before)


@pytest.fixture(scope="module")
def browser():
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not (driver and chromium):
        pytest.skip("needs chromium and chromedriver on the PATH")
    reason = "needs selenium: pip install selenium"
    webdriver = pytest.importorskip("selenium.webdriver", reason=reason)
    service = pytest.importorskip("selenium.webdriver.chrome.service", reason=reason)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(service=service.Service(driver), options=options)
    yield started
    started.quit()


class Reader:
    """Someone who clicks through a report."""

    def __init__(self, browser):
        self.browser = browser

    def all(self, selector, within=None):
        return (within or self.browser).find_elements("css selector", selector)

    def wait(self, what, found):
        """Return what `found` returns as soon as that is true."""
        deadline = time.monotonic() + 60
        while not (result := found()):
            assert time.monotonic() < deadline, f"{what}: waited in vain"
            time.sleep(0.05)
        return result

    def menu(self):
        """Go home; return the links to categories by name."""
        self.all("nav a[href='#'] svg")[1].find_element("xpath", "..").click()
        return {link.text: link for link in self.all("nav li a") if link.text not in ("", *GENERAL)}

    def results(self, category):
        """Open a category; return its results by name, each with its eye and its i."""
        self.menu()[category].click()
        rows = self.wait(category, lambda: self.all("nav tbody tr"))
        return {row.text: self.all("a", row) for row in rows}

    def caption(self, of):
        return self.wait(f"caption of {of}", lambda: self.all("nav .prose"))[0].text.strip()


GENERAL = ("Workflow", "Statistics", "About")


STATE = """
const [table, column] = arguments, keys = [...table.tBodies[0].rows].map(row => row.cells[column]).map(
    cell => "value" in cell.dataset ? Number(cell.dataset.value) : cell.innerText || null);
return [[...table.tHead.rows[0].cells].map(head => head.ariaSort), keys];
"""


def assert_sorts(browser, table):
    """Each head sorts up, then down, blanks last, then brings back the order that was."""
    buttons = table.find_elements("css selector", "thead th button")
    for index, button in enumerate(buttons):
        _, before = browser.execute_script(STATE, table, index)
        filled, blank = [v for v in before if v is not None], [v for v in before if v is None]
        for order in ("ascending", "descending", "none"):
            button.send_keys("\n")  # by keyboard, as by mouse
            sorts, after = browser.execute_script(STATE, table, index)
            assert sorts == [order if other == index else "none" for other in range(len(buttons))]
            if order == "none":
                assert after == before
                continue
            assert after[len(filled) :] == blank
            if filled and not isinstance(filled[0], str):
                assert after[: len(filled)] == sorted(filled, reverse=order == "descending")
            else:
                assert sorted(after[: len(filled)]) == sorted(filled)


def assert_filters(browser):
    """A count of verdicts shows these claims and the statements they are of, and no others."""
    rows = "return [...document.querySelectorAll('table')].map(table => [...table.tBodies[0].rows]"
    rows += ".filter(row => row.offsetHeight).map(row => row.innerText))"
    statements, claims = browser.execute_script(rows)
    for count in browser.find_elements("css selector", "button.verdict"):
        number, verdict = count.text.split()
        count.click()
        some_statements, some_claims = browser.execute_script(rows)
        assert some_claims == [claim for claim in claims if verdict in claim]
        assert len(some_claims) == int(number)
        held = CLAIMS.loc[CLAIMS["verdict"] == verdict, "claim"].unique()
        assert [row.split()[0] for row in some_statements] == list(held)
        count.click()
        assert browser.execute_script(rows) == [statements, claims]


@pytest.fixture
def reader(browser, project):
    """A reader in front of the opened report."""
    report = project / "report.html"
    if not report.exists():
        run(project, "--report", report.name)
    browser.get(report.as_uri())
    reader = Reader(browser)
    reader.wait("introduction", lambda: reader.all(".prose"))
    return reader


@pytest.mark.browser
def test_a_reader_finds_every_figure_table_and_claim(browser, project, reader):
    intro = reader.all(".prose")[0]
    assert "What did the fused model keep" in intro.text
    assert "tabulate_table3, 1" in ", ".join(intro.text.split())
    categories = list(reader.menu())
    studies = ["Domains", "Fusion methods", "Memorization", "Shortcuts", "Social biases"]
    assert categories == ["All studies", *studies, "This run"]
    seen = {"img": 0, "iframe": 0}
    for category in categories:
        for name in reader.results(category):
            eye, i = reader.results(category)[name]
            eye.click()
            (shown,) = reader.wait(name, lambda: reader.all("#app img:not(nav img), #app iframe"))
            seen[shown.tag_name] += 1
            if shown.tag_name == "img":
                reader.wait(name, lambda shown=shown: shown.get_property("naturalWidth") > 0)
                assert shown.rect["y"] >= 0, f"the top of {name} is out of reach"
            else:
                browser.switch_to.frame(shown)
                assert reader.all("h1")[0].text
                for table in reader.all("table"):
                    assert_sorts(browser, table)
                if name.startswith("Claims"):
                    assert_filters(browser)
                browser.switch_to.default_content()
            i.click()
            assert len(reader.caption(name)) > 60
            assert reader.all("#app img:not(nav img), #app iframe")[0].is_displayed()
    assert seen["img"] == len(list((project / "results").glob("*.png")))
    assert seen["iframe"] == len(list((project / "results").rglob("*.html")))
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.browser
def test_a_link_of_the_introduction_opens_its_category(reader):
    next(link for link in reader.all(".prose a") if link.text == "Social biases").click()
    reader.wait("results", lambda: any("Figure 5" in row.text for row in reader.all("nav tbody tr")))
