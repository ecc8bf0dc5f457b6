"""What the rules of section 6 ask of the config: runs of models, their subsets and their settings."""

import dataclasses
from pathlib import Path

RUNS = {study: checked(studies.study_runs, study) for study in studies.LANGUAGE_STUDIES}
SUBSETS = {
    study: [subset for run in runs.values() for subset in run.evaluated()]
    for study, runs in RUNS.items()
}


def run_of_model(wildcards):
    """The run that a model belongs to."""
    return next(
        run
        for run in RUNS[wildcards.study].values()
        if wildcards.model in run.trained()
    )


def subset_files(study, subsets):
    """Files of subsets of sequences, in the order in which they are drawn."""
    ordered = [SHARED, *(subset for subset in subsets if subset != SHARED)]
    return expand(
        "results/subsets/{study}/{subset}.parquet", study=study, subset=ordered
    )


def model_sequences(wildcards):
    """The files with the sequences that a model is trained on."""
    return subset_files(wildcards.study, model_subsets(wildcards))


def run_sequences(wildcards):
    """The files with the sequences that a run's models are evaluated on."""
    subsets = RUNS[wildcards.study][wildcards.run].evaluated()
    return subset_files(wildcards.study, subsets)


def main_run_sequences(wildcards):
    """The files with the sequences that a study's main run is evaluated on."""
    subsets = RUNS[wildcards.study][MAIN].evaluated()
    return subset_files(wildcards.study, subsets)


def subset_articles(wildcards):
    """The articles that a subset is drawn from."""
    split = {DEV: "dev", HELD_OUT: "test"}.get(wildcards.subset, "train")
    return f"results/data/articles/{split}.parquet"


def subset_sizes(wildcards):
    """How many sequences a subset has, after those that are drawn before it."""
    return sizes_up_to(config[wildcards.study], wildcards.subset)


def model_subsets(wildcards):
    """Names of the subsets that a model is trained on."""
    return run_of_model(wildcards).trained()[wildcards.model]


def language_settings(wildcards):
    """Settings of a training, with the epochs of the model's run."""
    epochs = run_of_model(wildcards).epochs
    return config[wildcards.study]["training"] | {"epochs": epochs}


def run_models(wildcards):
    """Names of the models that a run trains."""
    return list(RUNS[wildcards.study][wildcards.run].trained())


def run_weights(wildcards):
    """Their weights."""
    return weights_of(wildcards.study, run_models(wildcards), wildcards.seed)


def run_fused(wildcards):
    """The fused models of a run, each with those that it is the average of."""
    return RUNS[wildcards.study][wildcards.run].constituents()


def pretrained_model(wildcards):
    """What the config says of a language model that is pretrained here, but for its seed and where its text comes from."""
    entry = config["pretrained"][wildcards.pretrained]
    return {key: entry[key] for key in entry if key not in ("seed", "texts")}


def pretraining_seed(wildcards):
    """The seed of a pretraining."""
    return config["pretrained"][wildcards.pretrained]["seed"]


def pretraining_names(wildcards):
    """Names of the sources of a pretraining."""
    return config["pretrained"][wildcards.pretrained]["texts"]


def pretraining_downloads(wildcards):
    """Names of the downloads that they are read from, each once."""
    sources = [config["sources"][name] for name in pretraining_names(wildcards)]
    return list(
        dict.fromkeys(
            source["download"] for source in sources if source.get("download")
        )
    )


def pretraining_folders(wildcards):
    """The folders of these downloads, in the same order."""
    return expand("results/downloads/{name}", name=pretraining_downloads(wildcards))


def pretraining_inputs(wildcards):
    """Files of the user that the texts of a pretraining are read from."""
    found = [source_files(name) for name in pretraining_names(wildcards)]
    return [
        path for files in found if "download" not in files for path in files.values()
    ]


def pretraining_sources(wildcards):
    """What the config says of the sources of a pretraining."""
    return [config["sources"][name] for name in pretraining_names(wildcards)]


def pretraining_contents(wildcards):
    """Digests of the user's files and folders of these sources."""
    return [source_contents(name) for name in pretraining_names(wildcards)]


def base_name(study):
    """What a study's base model is called: its name in the config, or that of its folder."""
    return Path(config[study]["base_model"]).name


# Tables of section 6: their study, layout and title; Table 6 and Figures 11 and 12 where their runs are asked for
MEMORIZATION_TABLES = {
    "2": (
        "memorization",
        "few",
        f"Table 2: memorization by {base_name('memorization')}",
    ),
    "5": (
        "memorization",
        "all",
        f"Table 5: memorization by {base_name('memorization')}, more models",
    ),
    "6": (
        "memorization",
        "epochs",
        f"Table 6: memorization by {base_name('memorization')}, by number of epochs",
    ),
    "7": (
        "masked_memorization",
        "all",
        f"Table 7: memorization by {base_name('masked_memorization')}",
    ),
}
if not config["memorization"]["epochs"]["values"]:
    del MEMORIZATION_TABLES["6"]


def memorization_scores(wildcards):
    """The scores that a table is made of."""
    study, _, _ = MEMORIZATION_TABLES[wildcards.table]
    return f"results/scores/{study}.csv"


def table_layout(wildcards):
    """Which rows a table has."""
    return MEMORIZATION_TABLES[wildcards.table][1]


def table_title(wildcards):
    """The title of a table's page."""
    return MEMORIZATION_TABLES[wildcards.table][2]


def plain_runs(study):
    """The runs of a study as plain values."""
    return {name: dataclasses.asdict(run) for name, run in RUNS[study].items()}


def table_runs(wildcards):
    """The runs that a table is about."""
    return plain_runs(MEMORIZATION_TABLES[wildcards.table][0])


def study_runs(wildcards):
    """The runs of a study."""
    return plain_runs(wildcards.study)


def study_predictions(wildcards):
    """Predictions of all runs of a study."""
    path = "results/predictions/{study}/{run}/seed{seed}.parquet"
    runs = RUNS[wildcards.study]
    return expand(path, study=wildcards.study, run=runs, seed=SEEDS)


def evaluation_of(study):
    """How a study is evaluated; a batch of the authors' evaluation is 4 sequences of GPT-2, 1 of BERT."""
    batch_size = {"causal": 4, "masked": 1}[config[study]["objective"]]
    switches = protocol("likelihood_ratio_over", "evaluation_dtype")
    return switches | {"batch_size": batch_size}


def evaluation(wildcards):
    """How the job's study is evaluated."""
    return evaluation_of(wildcards.study)


MEMORIZATION_FIGURES = {
    "9": (
        "count",
        "alr",
        "memorization by the number of models fused, or trained on together",
    ),
    "10": (
        "count",
        "perplexity",
        "perplexity by the number of models fused, or trained on together",
    ),
    "11": (
        "total",
        "alr",
        "memorization by the number of models that share out the same sequences",
    ),
    "12": (
        "total",
        "perplexity",
        "perplexity by the number of models that share out the same sequences",
    ),
}
if not config["memorization"]["totals"]:
    del MEMORIZATION_FIGURES["11"], MEMORIZATION_FIGURES["12"]


def memorization_figure(wildcards):
    """What a figure of section 6 shows."""
    return dict(zip(("by", "metric", "title"), MEMORIZATION_FIGURES[wildcards.figure]))
