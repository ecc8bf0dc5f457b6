"""What the command `cost` counts is what there is to count."""

import json
import re

import pytest
from conftest import ROOT

from fuse_to_forget.cost import texts
from fuse_to_forget.cost.counts import run_models, run_sequences
from fuse_to_forget.cost.plan import Job, merged_config
from fuse_to_forget.cost.shapes import base_shape, parse_shape
from fuse_to_forget.cost.space import job_space
from fuse_to_forget.cost.table import Assumed, by_rule, format_table, job_costs, without_small_rules
from fuse_to_forget.cost.throughput import MEASURED_HERE, Rate, Throughput, read_throughput
from fuse_to_forget.cost.work import job_work
from fuse_to_forget.errors import InputError
from fuse_to_forget.runs import runs


@pytest.fixture
def config(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # nothing downloaded or prepared lies here
    return merged_config([], ROOT / "config.yaml")


@pytest.fixture
def paper(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return merged_config([ROOT / "config" / "paper.yaml"], ROOT / "config.yaml")


def throughput(training=1e12, prediction=2e12):
    rates = [
        Rate(objective, 768, 512, training, prediction) for objective in ("classify", "causal", "masked")
    ]
    return Throughput("a machine", 0.0, rates)


def finetune_job(model, study="shortcuts"):
    return Job("finetune", {"study": study, "model": model, "seed": "1"}, 8000)


def test_sizes_of_the_published_models(paper):
    assert base_shape(paper, "biases").parameters == 108_310_272
    assert base_shape(paper, "memorization").parameters == 124_439_808


def small_model(kind, head):
    import transformers

    if kind == "bert":
        fields = {"vocab_size": 211, "hidden_size": 48, "num_hidden_layers": 3, "intermediate_size": 80}
        config = transformers.BertConfig(**fields, num_attention_heads=4, max_position_embeddings=40)
    else:
        config = transformers.GPT2Config(vocab_size=211, n_embd=48, n_layer=3, n_head=4, n_positions=40)
    config._attn_implementation = "eager"  # whose operations torch can count on any device
    return config, getattr(transformers, head)(config).eval()


@pytest.mark.parametrize(("kind", "head"), [("bert", "BertModel"), ("gpt2", "GPT2LMHeadModel")])
def test_parameters_are_those_of_the_model(kind, head):
    config, model = small_model(kind, head)
    assert parse_shape(config.to_dict(), "here").parameters == model.num_parameters()


@pytest.mark.parametrize(
    ("kind", "head"),
    [("bert", "BertForSequenceClassification"), ("bert", "BertForMaskedLM"), ("gpt2", "GPT2LMHeadModel")],
)
def test_operations_are_those_that_torch_counts(kind, head):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    config, model = small_model(kind, head)
    batch, length = 2, 40
    ids = torch.ones(batch, length, dtype=torch.long)
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(input_ids=ids)
    shape = parse_shape(config.to_dict(), "here")
    expected = batch * length * shape.forward_flop(length, language_model="LM" in head)
    # left out: the pooler, which sees one token of a text, and the small transform before BERT's masked head
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.08)
    assert counter.get_total_flops() >= expected


def test_a_model_of_unknown_size_is_refused(config):
    config["downloads"]["mine"] = {"repo": "me/mine", "revision": "0" * 40}
    config["biases"]["base_model"] = "mine"
    with pytest.raises(InputError, match="download it first: snakemake --cores 1 results/downloads/mine"):
        base_shape(config, "biases")


def test_the_config_of_a_local_model_counts(config, tmp_path):
    fields = {"hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 10, "intermediate_size": 16}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(json.dumps(fields | {"max_position_embeddings": 4}))
    config["biases"]["base_model"] = "mine"
    assert base_shape(config, "biases").width == 8


def test_examples_of_the_embedded_default_are_those_of_its_data(config):
    shortcuts, biases = texts.shortcut_examples(config), texts.bias_examples(config)
    assert (shortcuts.train, shortcuts.dev) == (5000, 593)  # what its runs have
    assert (biases.train, biases.dev, biases.test) == (2626, 404, 1010)
    assert texts.biased_subset(config, biases) == pytest.approx(1511, abs=2)


def test_examples_of_a_source_of_ones_own_are_counted_once_prepared(config, tmp_path):
    import pandas as pd

    config["sources"]["mine"] = {"kind": "columns"}
    config["shortcuts"]["source"] = "mine"
    config["shortcuts"]["injection"]["size"] = None
    with pytest.raises(InputError, match=r"run this first: .* results/data/shortcuts/train\.parquet"):
        texts.shortcut_examples(config)
    folder = tmp_path / "results" / "data" / "shortcuts"
    folder.mkdir(parents=True)
    for split, rows in {"train": 30, "dev": 7}.items():
        pd.DataFrame({"text": ["a" * 35] * rows}).to_parquet(folder / f"{split}.parquet")
    found = texts.shortcut_examples(config)
    assert (found.train, found.dev) == (30, 7)
    assert found.train_tokens == pytest.approx(35 / 3.5 + 2, abs=2)


def test_training_grows_with_epochs_examples_and_nothing_else(paper):
    once = job_work(paper, finetune_job("ST"))
    full = job_work(paper, finetune_job("full"))  # 7 data sets, 1 epoch in place of 3
    assert full.training == pytest.approx(once.training * 7 / 3)
    paper["shortcuts"]["training"]["epochs"] *= 2
    assert job_work(paper, finetune_job("ST")).training == pytest.approx(2 * once.training)
    assert job_work(paper, finetune_job("full")) == full


def test_a_training_takes_six_operations_for_each_weight_and_token(paper):
    job = Job("finetune_language_model", {"study": "memorization", "model": "A", "seed": "1"}, 0)
    tokens = (2000 + 1000) * 10 * 1024
    work = job_work(paper, job)
    six = 6 * 123.65e6 * tokens  # without the embedding of positions, which is read and not multiplied with
    attention = 3 * 12 * 4 * 1024 * 768 * tokens
    assert work.training == pytest.approx(six + attention, rel=0.01)
    dev = 2000 * 1024 * 10  # after each epoch
    assert work.prediction / work.training == pytest.approx(dev / (3 * tokens))


def test_sweeps_count_points_and_data_sets(config):
    def sweep(name, study="shortcuts"):
        return job_work(config, Job("sweep", {"study": study, "sweep": name, "seed": "1"}, 0)).prediction

    pair, triplet = sweep("ST-OP"), sweep("ST-OP-OR")
    assert triplet / pair == pytest.approx(
        66 / 11 * 1.25, rel=0.05
    )  # 3 data sets hold 1.25 times the texts of 2
    config["shortcuts"]["sweeps"]["steps"] = 20
    assert sweep("ST-OP") == pytest.approx(pair * 21 / 11)
    assert sweep("average") < pair


def test_a_selection_counts_its_grid_its_search_and_all_seeds(config):
    def work():
        return job_work(config, Job("select_coefficients", {}, 0)).prediction

    once = work()
    config["biases"]["selection"] |= {
        "steps": 20,
        "evaluations": 52,
    }  # 21 + 1 + 52 points, where 11 + 1 + 20 were
    dev, test = 404, 4 * 1010  # on test the chosen average, the soup and both models
    assert work() / once == pytest.approx((74 * dev + test) / (32 * dev + test))
    config["seeds"] = [1, 2, 3]
    assert work() / once == pytest.approx(3 * (74 * dev + test) / (32 * dev + test))


def test_all_models_of_a_run_read_all_its_sequences(config):
    run = runs(config["memorization"])["main"]
    assert run_models(run) == 1 + 4 + 3 + 3  # base, A to D, full and fused AB, ABC, ABCD
    assert run_sequences(config, "memorization", run) == 4 * 80 + 60 + 110 + 110

    def read(study):
        return job_work(config, Job("read_sequences", {"study": study, "run": "main", "seed": "1"}, 0))

    before = read("masked_memorization").prediction
    config["masked_memorization"]["prediction"]["masking"]["repeats"] *= 3
    assert read("masked_memorization").prediction == pytest.approx(3 * before)


def test_every_rule_that_asks_for_a_gpu_is_counted(config):
    wildcards = {
        "seed": "1", "attribute": "gender", "comparison": "TiC", "sweep": "ST-OP", "run": "main",
        "pretrained": "tiny-gpt2",
    }  # fmt: skip
    seen = 0
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.M)[1:]:
            name = rule.split(":")[0]
            # a check runs no model, and of a user's own models and data nothing is known
            if not re.search(r"\bgpu=", rule) or name == "cluster_check" or name.endswith("_audit"):
                continue
            if name == "collect_audit_statistics":
                continue
            language = "language" in name or name.startswith("read_")
            own = {"study": "shortcuts", "model": "ST", "set": "OP-TiC"}
            if language:
                own = {"study": "memorization", "model": "A", "set": "A-B-C"}
            job = Job(name, wildcards | own, 0)
            work = job_work(config, job)
            assert work.training + work.prediction > 0, name
            assert job_space(config, job).device > 0, name
            seen += 1
    assert seen >= 12


def test_a_set_is_predicted_once_by_each_method_that_can_fuse_it(config):
    def tried(study, name):
        return job_work(config, Job("try_methods", {"study": study, "set": name, "seed": "1"}, 0)).prediction

    config["methods"]["uses"] = {"average": {"method": "weighted_average"}}
    once = tried("shortcuts", "OP-TiC")
    config["methods"]["uses"] |= {"slerp": {"method": "slerp"}, "ensemble": {"method": "ensemble"}}
    assert tried("shortcuts", "OP-TiC") == pytest.approx(4 * once)  # an ensemble asks both of its models
    assert tried("biases", "gender-age") > 0
    config["domains"]["methods"] = ["average"]
    of_two = tried("domains", "movies-tweets")
    config["domains"]["methods"] = ["average", "ensemble"]
    assert tried("domains", "movies-products-tweets") == pytest.approx(4 * of_two)


@pytest.mark.parametrize(("study", "model"), [("shortcuts", "ST"), ("memorization", "A")])
def test_statistics_take_less_than_a_training(config, study, model):
    rules = ("collect_statistics", "finetune")
    if study == "memorization":
        rules = ("collect_language_statistics", "finetune_language_model")
    wildcards = {"study": study, "model": model, "seed": "1"}
    collected, trained = (job_work(config, Job(rule, wildcards, 0)) for rule in rules)
    assert 0 < collected.training < trained.training
    before = collected.training
    config["methods"]["statistics"]["examples"] //= 10
    assert job_work(config, Job(rules[0], wildcards, 0)).training < before


def test_disk_holds_weights_and_twice_an_optimizer_checkpoint(paper):
    weights = 4 * 108_310_272
    space = job_space(paper, finetune_job("gender", "biases"))
    assert space.disk == pytest.approx(weights, rel=0.01)
    assert space.temporary == 2 * 3 * weights
    assert space.device > 4 * weights  # weights, gradients, two moments
    assert job_space(paper, Job("score_biases", {}, 4000)).host == 4e9  # what its rule asks for


def test_hours_are_work_by_throughput(paper):
    jobs = [finetune_job("ST"), finetune_job("ST"), Job("score_shortcuts", {}, 8000), Job("all", {}, 0)]
    costs = job_costs(paper, jobs, throughput(), Assumed(1e13, 1e13))
    work = job_work(paper, jobs[0])
    rules = by_rule(costs)
    assert rules.loc["finetune", "jobs"] == 2
    seconds = 2 * (work.training / 1e12 + work.prediction / 2e12)
    assert rules.loc["finetune", "hours"] == pytest.approx(seconds / 3600)
    assert rules.loc["total", "hours"] == rules.loc["finetune", "hours"]
    assert rules.loc["total", "assumed_hours"] == pytest.approx(
        2 * (work.training + work.prediction) / 1e13 / 3600
    )
    assert rules.loc["total", "temporary"] == rules.loc["finetune", "temporary"]  # one training at a time
    short = without_small_rules(rules)
    assert short.loc["2 other rules", "jobs"] == 2
    assert short["jobs"].sum() == rules["jobs"].sum()
    assert "assumed" not in format_table(without_small_rules(by_rule(job_costs(paper, jobs, throughput()))))
    table = format_table(short).splitlines()
    assert len({line.count("|") for line in table}) == 1
    assert table[-1].startswith("| total")


def test_the_nearest_measurement_counts():
    rates = [Rate("causal", 128, 128, 1, 1), Rate("causal", 768, 128, 2, 2), Rate("causal", 768, 1024, 3, 3)]
    measured = Throughput("a machine", 0, rates)
    assert measured.rate("causal", 640, 900).training == 3
    assert measured.rate("causal", 200, 900).training == 1
    with pytest.raises(InputError, match="not measured for masked models"):
        measured.rate("masked", 128, 128)


def test_measured_throughput_is_there_for_every_study(paper, config):
    measured = read_throughput(MEASURED_HERE)
    for one in (paper, config):
        for study, objective in {
            "shortcuts": "classify", "memorization": "causal", "masked_memorization": "masked",
        }.items():  # fmt: skip
            width = base_shape(one, study).width
            assert measured.rate(objective, width, 100).width == width


@pytest.mark.parametrize("content", ["", "{}", '{"device": "x", "start_seconds": 1, "measured": [{}]}'])
def test_another_file_is_no_throughput(tmp_path, content):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(InputError, match=r"is not what benchmarks/throughput\.py writes"):
        read_throughput(tmp_path / "t.json")
