"""What the rules of the fusion methods ask of the config: sets of models, and the methods that can fuse them."""

from types import SimpleNamespace

from fuse_to_forget import method_grid

GRID_SETS = method_grid.method_sets(config, studies.single_models(config))
GRID_FULL = method_grid.full_models(config, studies.single_models(config))
JUDGED = ["shortcuts", *RUNS, "domains", "methods"]  # what has claims
METHOD_OF = {label: use["method"] for label, use in config["methods"]["uses"].items()}
METHOD_SETS = {study: dict(sets) for study, sets in GRID_SETS.items()}


def set_models(wildcards):
    """Names of the models of a set."""
    return METHOD_SETS[wildcards.study][wildcards.set]


def set_uses(wildcards):
    """The methods that fuse a set, by label, each with its settings."""
    labels = config[wildcards.study].get("methods")
    return method_grid.uses_of(config, labels, len(set_models(wildcards)))


def set_weights(wildcards):
    """Weights of the models of a set."""
    return weights_of(wildcards.study, set_models(wildcards), wildcards.seed)


def set_base(wildcards):
    """What the models of a set were trained from, if a method needs it."""
    if not method_grid.needs_base(set_uses(wildcards)):
        return []
    return base_of(wildcards.study, set_models(wildcards)[0], wildcards.seed)


def set_statistics(kind):
    """Return an input function: statistics of this kind of each model of a set, if a method needs them."""

    def files(wildcards):
        if kind not in method_grid.statistics_of(set_uses(wildcards)):
            return []
        return expand(
            "results/statistics/{study}/{model}/seed{seed}/{kind}.safetensors",
            study=wildcards.study,
            model=set_models(wildcards),
            seed=wildcards.seed,
            kind=kind,
        )

    return files


def set_texts(wildcards):
    """What each model of a set was trained on, as texts1 and so on, if a method needs it."""
    if not method_grid.needs_texts(set_uses(wildcards)):
        return {}
    trained_on = model_sequences if wildcards.study in RUNS else training_subset
    return {
        f"texts{position}": trained_on(
            SimpleNamespace(study=wildcards.study, model=model)
        )
        for position, model in enumerate(set_models(wildcards), start=1)
    }


def set_text_seeds(wildcards):
    """By which some of these texts are drawn: the same as each model's statistics are made of."""
    return {
        name: derive_seed(int(wildcards.seed), "statistics", model, wildcards.study)
        for name, model in zip(set_texts(wildcards), set_models(wildcards))
    }


def set_evaluation(wildcards):
    """What a set is evaluated on: as single models are, or dev of the models' own shortcuts."""
    if wildcards.study == "shortcuts":
        datasets = studies.swept_datasets(config, set_models(wildcards))
        return evaluation_data(datasets)
    return model_evaluation(wildcards)


def set_splits(wildcards):
    """Splits that a set is evaluated on."""
    return list(set_evaluation(wildcards))


def training_subset(wildcards):
    """What a classifier was trained on."""
    return f"results/subsets/{wildcards.study}/{wildcards.model}.parquet"


def grid_predictions(study):
    """Predictions of the sets of the grid, of one study, of their models alone, and of those trained on all data."""
    path = "results/predictions/{study}/methods/{set}/seed{seed}.parquet"
    sets = GRID_SETS[study]
    fused = expand(path, study=study, set=sets, seed=SEEDS)
    if study in RUNS:  # one file holds all models, and the base
        alone = "results/predictions/{study}/main/seed{seed}.parquet"
        return fused + expand(alone, study=study, seed=SEEDS)
    alone = "results/predictions/{study}/models/{model}/seed{seed}.parquet"
    models = dict.fromkeys(model for names in sets.values() for model in names)
    models |= dict.fromkeys(GRID_FULL[study].values())
    return fused + expand(alone, study=study, model=models, seed=SEEDS)


def grid_mixtures():
    """The shortcuts of each model of the grid's sets."""
    sets = GRID_SETS.get("shortcuts", {}).values()
    return {model: TRAINED_ON[model] for models in sets for model in models}


def grid_evaluations(wildcards):
    """How the studies of language models are evaluated."""
    return {study: evaluation_of(study) for study in GRID_SETS if study in RUNS}
