import functools
import os
import re

from snakemake.exceptions import WorkflowError

from fuse_to_forget import provenance, studies
from fuse_to_forget.coefficients import simplex_grid
from fuse_to_forget.errors import InputError
from fuse_to_forget.gpu import has_gpu
from fuse_to_forget.protocol import switches
from fuse_to_forget.runs import DEV, HELD_OUT, MAIN, SHARED, sizes_up_to
from fuse_to_forget.seeds import derive_seed
from fuse_to_forget.subsets.shortcuts import SPECIAL_TOKENS

# What a job of a model asks for: without any GPU here, as many jobs as there are processors run side by side.
GPUS = int(ON_CLUSTER or has_gpu())

os.environ["HF_HUB_OFFLINE"] = "1"  # for every job; only rule download takes it away


envvars:
    "HF_HUB_OFFLINE",


SEEDS = config["seeds"]
PROTOCOL = switches(config["protocol"], config["departures"])
MODELS = studies.models(config)
ATTRIBUTES = studies.attributes(config)
BIASES_PAIR = "-".join(ATTRIBUTES)
SINGLES = config["shortcuts"]["singles"]
MIXTURES = studies.shortcut_mixtures(config)
TRAINED_ON = {name: list(weights) for name, weights in MIXTURES.items()}
# Pairs, and for reference the first model of the first pair, compared with itself
FISHER = {"-".join(pair): pair for pair in config["shortcuts"]["fisher"]["pairs"]}
FISHER |= {next(iter(FISHER.values()))[0]: next(iter(FISHER.values()))[:1]}
SWEEPS = {
    "shortcuts": studies.shortcut_sweeps(config),
    "biases": {BIASES_PAIR: ATTRIBUTES},
}

CLASSIFIER_STUDIES = [*SWEEPS, "domains"]

CHECKPOINT = {
    "weights": "model.safetensors",
    "config": "config.json",
    "tokenizer": "tokenizer.json",
    "tokenizer_config": "tokenizer_config.json",
}


def one_of(*names):
    """A wildcard constraint: exactly one of these names, each once."""
    return "|".join(re.escape(name) for name in dict.fromkeys(names))


code_digest = functools.cache(provenance.code_version)


def code_version(script):
    """Return a params function: the digest of a script's code, which takes time, so only for jobs that are planned."""

    def digest(wildcards):
        return code_digest(script)

    return digest


def checked(function, *arguments):
    """Call a function of the library; its refusal becomes Snakemake's own kind of error."""
    try:
        return function(config, *arguments)
    except InputError as error:
        raise WorkflowError(str(error))


def protocol(*names):
    """Those switches of the protocol that concern a rule."""
    return {name: PROTOCOL[name] for name in names}


def mixture_weights(wildcards):
    """Shortcuts of a data set, each with its weight; pairs, because a cache would not see another order of a dict."""
    return [list(pair) for pair in MIXTURES[wildcards.mixture].items()]


def download_settings(wildcards):
    """What to fetch, and from where."""
    return config["downloads"][wildcards.download]


def study_setting(*keys):
    """Return a params function: one value of the config of the job's study."""

    def setting(wildcards):
        value = config[wildcards.study]
        for key in keys:
            value = value[key]
        return value

    return setting


def training_settings(wildcards):
    """Settings of a training; the full model of the shortcut study has an epoch limit of its own."""
    study = config[wildcards.study]
    own = wildcards.model == studies.FULL and "full_epochs" in study
    return study["training"] | ({"epochs": study["full_epochs"]} if own else {})


def training_dev(wildcards):
    """Data that a training is watched on: the study's dev split, or the model's own one."""
    if wildcards.study in ("shortcuts", "domains"):
        return f"results/subsets/{wildcards.study}/{wildcards.model}_dev.parquet"
    return "results/data/biases/dev.parquet"


def evaluation_data(datasets):
    """Files that predictions are made of, by split, for a study's evaluation on these data sets."""
    return {
        "dev": [
            f"results/subsets/shortcuts/{dataset}_dev.parquet" for dataset in datasets
        ]
    }


def evaluated_splits(wildcards):
    """Splits that a study's models are evaluated on."""
    return list(model_evaluation(wildcards))


def model_evaluation(wildcards):
    """What a single model is evaluated on: dev and test, of every domain, or dev of every single shortcut."""
    if wildcards.study == "shortcuts":
        return evaluation_data(SINGLES)
    if wildcards.study == "domains":
        return domain_evaluation()
    return {split: f"results/data/biases/{split}.parquet" for split in ("dev", "test")}


def sweep_evaluation(wildcards):
    """What a sweep is evaluated on: dev and test, or dev of the models' own shortcuts."""
    if wildcards.study == "shortcuts":
        return evaluation_data(studies.swept_datasets(config, sweep_models(wildcards)))
    return model_evaluation(wildcards)


def sweep_models(wildcards):
    """Names of the models of a sweep."""
    return SWEEPS[wildcards.study][wildcards.sweep]


def sweep_coefficients(wildcards):
    """The grid of a sweep: a line between two models, a triangle between three, or the plain average of many."""
    study, models = config[wildcards.study], sweep_models(wildcards)
    if wildcards.sweep == studies.AVERAGE:
        return [[1 / len(models)] * len(models)]
    steps = study.get("sweeps", study.get("sweep"))["steps"]
    return simplex_grid(len(models), steps)


def training_files(file, study, models, seeds):
    """A file of the checkpoint folder of each model and seed."""
    path = "results/models/{study}/{model}/seed{seed}/{file}"
    return expand(path, study=study, model=models, seed=seeds, file=file)


def checkpoint_files(folder):
    """The files of a checkpoint that others read, by name: what is not declared, no cache or storage keeps."""
    return {name: f"{folder}/{file}" for name, file in CHECKPOINT.items()}


def beside(weights):
    """Return an input function: the other files of the checkpoints whose weights a job reads."""

    def files(wildcards):
        return [
            f"{os.path.dirname(path)}/{file}"
            for path in weights(wildcards)
            for name, file in CHECKPOINT.items()
            if name != "weights"
        ]

    return files


def weights_of(study, models, seed):
    """Weights of fine-tuned models."""
    return training_files("model.safetensors", study, models, seed)


def sweep_weights(wildcards):
    """Weights of the models of a sweep."""
    return weights_of(wildcards.study, sweep_models(wildcards), wildcards.seed)


def biased_weights(wildcards):
    """Weights of the biased models, seed by seed."""
    return [path for seed in SEEDS for path in weights_of("biases", ATTRIBUTES, seed)]


def random_model_weights(wildcards):
    """Weights of the models whose distance from the base the random model has."""
    return weights_of(
        "shortcuts", config["shortcuts"]["random_distance"], wildcards.seed
    )


def fisher_models(wildcards):
    """Names of the models that a comparison of Fisher information is about: two, or one with itself."""
    return FISHER[wildcards.comparison]


def fisher_trainings(file):
    """Return an input function: a file of each training that a comparison is about; of one model, of its two seeds."""

    def files(wildcards):
        models = fisher_models(wildcards)
        reference = config["shortcuts"]["fisher"]["reference_seed"]
        seeds = [wildcards.seed] + [reference] * (len(models) == 1)
        return training_files(file, "shortcuts", models, seeds)

    return files


def new_tokens(wildcards):
    """Tokens that a study's text has and its base model has not."""
    return list(SPECIAL_TOKENS) if wildcards.study == "shortcuts" else []


def figure_pairs(wildcards):
    """The pairs of models whose interpolations a figure shows."""
    return config["shortcuts"]["sweeps"][f"figure{wildcards.figure}"]


def shortcut_predictions(kind):
    """Predictions of all sweeps, or of all models, of the shortcut study."""
    names = SWEEPS["shortcuts"] if kind == "sweeps" else MODELS["shortcuts"]
    path = "results/predictions/shortcuts/{kind}/{name}/seed{seed}.parquet"
    return expand(path, kind=kind, name=names, seed=SEEDS)


def seed_number(wildcards):
    """The training seed as a number."""
    return int(wildcards.seed)


def job_seed(use):
    """Return a params function: the seed of this job, from the wildcard {seed} and what it is for."""

    def seed(wildcards):
        identity = [value for key, value in sorted(wildcards.items()) if key != "seed"]
        return derive_seed(int(wildcards.seed), use, *identity)

    return seed


def model_kind(wildcards):
    """`full` for the model trained on all subsets, or on all parts of a domain, else `single`."""
    full = (studies.FULL, domains.PARTS_FULL)
    return "full" if wildcards.model in full else "single"


def recipe_models(wildcards):
    """Names of the models that a fused model is made from."""
    recipe = config[wildcards.study]["recipes"][wildcards.recipe]
    return studies.recipe_models(config, wildcards.study, recipe)


def recipe_coefficients(wildcards):
    """Their coefficients, in the same order."""
    return config[wildcards.study]["recipes"][wildcards.recipe]["coefficients"]


def recipe_weights(wildcards):
    """Their weights."""
    return weights_of(wildcards.study, recipe_models(wildcards), wildcards.seed)


def recipe_facts(wildcards):
    """What their trainings wrote down."""
    models, seed = recipe_models(wildcards), wildcards.seed
    return training_files("training.json", wildcards.study, models, seed)


def per_attempt(amount):
    """Return a resource function: this much memory or time, and as much again at each further attempt."""

    def grow(wildcards, attempt):
        return amount * attempt

    return grow
