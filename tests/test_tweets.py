"""The embedded tweets, the mention label and simulated demographics."""

import io
import tarfile

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from fuse_to_forget.errors import InputError
from fuse_to_forget.sources.demographics import ATTRIBUTES, HABITS, describe_habits, simulate_demographics
from fuse_to_forget.sources.mentions import label_mentions
from fuse_to_forget.sources.prepare import read_source
from fuse_to_forget.sources.splits import complete_splits
from fuse_to_forget.sources.tweets import read_tweets

TOKENS = r"\w+|[^\w\s]"


@pytest.mark.parametrize(
    ("text", "clean", "label"),
    [
        ("@user Hello there", "Hello there", 1),
        ("RT @user: change is good", "change is good", 1),
        ("so true RT @one: RT @two yes", "so true yes", 1),
        (".@user's car is here", "car is here", 1),
        ("Nice read http://x.y via @user", "Nice read http://x.y", 1),
        ("see (@user) , then go", "see, then go", 1),
        ("write to me@home.org please", "write to me@home.org please", 0),
        ("lunch @ home &amp; tea", "lunch home & tea", 0),
        ("RT: an old habit", "an old habit", 0),
        ("@user :( That hurts", ":( That hurts", 1),
        ("art   and  start", "art and start", 0),
        ("@one @two !!", "", 1),
    ],
)
def test_a_mention_goes_with_what_would_betray_it(text, clean, label):
    result = label_mentions(pd.Series([text]))
    assert result["text"].tolist() == [clean]
    assert result["label"].tolist() == [label]


def texts(n=1200, seed=0):
    rng = np.random.default_rng(seed)
    words = np.array(["the", "a", "cat", "dog", "runs", "sleeps", "over", "under", "house", "road", "and"])
    labels = rng.integers(0, 2, n)
    return [" ".join(rng.choice(words, 8)) for _ in range(n)], labels.tolist()


def test_groups_can_be_told_from_the_text_and_the_label_cannot():
    plain, labels = texts()
    frame = simulate_demographics(plain, labels, seed=1)
    counts = CountVectorizer(token_pattern=TOKENS, lowercase=True, binary=True).fit_transform(frame["text"])
    for attribute in ATTRIBUTES:
        model = LogisticRegression(C=0.3).fit(counts[:800], frame[attribute][:800])
        assert model.score(counts[800:], frame[attribute][800:]) > 0.9
    model = LogisticRegression(C=0.3).fit(counts[:800], labels[:800])
    assert model.score(counts[800:], labels[800:]) < 0.58


def test_attributes_are_balanced_within_each_label():
    plain, labels = texts(1001)
    frame = simulate_demographics(plain, labels, seed=1).assign(label=labels)
    sizes = frame.groupby(["label", "gender", "age"]).size().unstack(["gender", "age"])
    assert sizes.shape == (2, 4)
    assert (sizes.max(axis=1) - sizes.min(axis=1)).max() <= 1


def test_the_seed_decides_everything():
    plain, labels = texts(100)
    one = simulate_demographics(plain, labels, seed=1)
    assert one.equals(simulate_demographics(plain, labels, seed=1))
    assert not one.equals(simulate_demographics(plain, labels, seed=2))
    assignments = {tuple(describe_habits(seed)["variant"]) for seed in range(20)}
    assert len(assignments) > 15


def test_noise_and_rate_set_how_much_shows():
    plain, labels = texts(300)
    assert simulate_demographics(plain, labels, seed=1, rate=0.0)["text"].tolist() == plain
    frame = simulate_demographics(plain, labels, seed=1, rate=1.0, noise=0.0)
    described = describe_habits(1)
    for row in described.itertuples():
        group = ATTRIBUTES[row.attribute].index(row.group)
        has = frame["text"].str.contains(row.variant, regex=False)
        assert (has == (frame[row.attribute] == group)).all()


def test_a_text_of_one_word_keeps_its_word_first_but_for_a_filler():
    frame = simulate_demographics(["word"] * 50, [0, 1] * 25, seed=1, rate=1.0)
    assert frame["text"].str.contains(r"^\w+, \w+, word \w+", regex=True).all()


def test_habits_of_gender_and_age_have_nothing_in_common():
    parts = {name: [] for name in ATTRIBUTES}
    for habit in HABITS:
        one, other = (set(CountVectorizer(token_pattern=TOKENS).build_analyzer()(v)) for v in habit.variants)
        assert one - other
        assert other - one
        parts[habit.attribute] += [*one, *other]
    assert set(parts["gender"]) & set(parts["age"]) == {","}


@pytest.fixture
def downloaded(tmp_path):
    """A folder like that of the package, with 40 tweets, a repeat and an empty one."""
    rng = np.random.default_rng(0)
    lines = [f"tweet number {i} of {rng.integers(9)}" for i in range(40)]
    lines = [f"@user {line}" if i % 2 else line for i, line in enumerate(lines)]
    lines += [lines[0].upper() + "!", "@user @other", "caf\u00e9 &amp; tea"]
    content = "".join(f"{i}\t1.5\t{line}\r\n" for i, line in enumerate(lines, 1)).encode()
    with tarfile.open(tmp_path / "hutto_ICWSM_2014.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("hutto_ICWSM_2014/tweets_GroundTruth.txt")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return tmp_path


def test_repeated_and_empty_tweets_are_dropped(downloaded):
    frame = read_tweets(downloaded)
    assert len(frame) == 41
    assert frame["id"].is_unique
    assert frame["text"].iloc[-1] == "caf\u00e9 & tea"
    assert frame["label"].value_counts().to_dict() == {0: 21, 1: 20}
    assert not frame["text"].str.contains("@").any()


def test_the_tweets_source_says_that_its_demographics_are_simulated(downloaded):
    data = read_source({"kind": "tweets", "seed": 3, "rate": 0.5, "noise": 0.05, "download": str(downloaded)})
    assert data.demographics == "simulated"
    assert "simulated" in data.description
    assert data.label_names == ["no mention", "mention"]
    splits = complete_splits(data, 0.2, 0.2, seed=1)
    assert list(splits["train"].columns) == ["id", "text", "label", "gender", "age"]
    with pytest.raises(InputError, match="download"):
        read_tweets(downloaded / "absent")
