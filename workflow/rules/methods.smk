rule collect_statistics:
    """Collect what RegMean and Fisher averaging want to know of a classifier, on its own training data."""
    input:
        **checkpoint_files("results/models/{study}/{model}/seed{seed}"),
        train=training_subset,
    output:
        gram="results/statistics/{study}/{model}/seed{seed}/gram.safetensors",
        fisher="results/statistics/{study}/{model}/seed{seed}/fisher.safetensors",
    log:
        "logs/collect_statistics/{study}/{model}_seed{seed}.log",
    wildcard_constraints:
        study=one_of(*CLASSIFIER_STUDIES),
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(12000),
        runtime=per_attempt(60),
    params:
        code=code_version("collect_statistics.py"),
        settings=config["methods"]["statistics"],
        max_length=study_setting("training", "max_length"),
        seed=job_seed("statistics"),
    script:
        "../scripts/collect_statistics.py"


rule collect_language_statistics:
    """Collect what RegMean and Fisher averaging want to know of a language model, on its own training text."""
    input:
        **checkpoint_files("results/models/{study}/{model}/seed{seed}"),
        train=model_sequences,
    output:
        gram="results/statistics/{study}/{model}/seed{seed}/gram.safetensors",
        fisher="results/statistics/{study}/{model}/seed{seed}/fisher.safetensors",
    log:
        "logs/collect_statistics/{study}/{model}_seed{seed}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(12000),
        runtime=per_attempt(60),
    params:
        code=code_version("collect_language_statistics.py"),
        settings=config["methods"]["statistics"],
        objective=study_setting("objective"),
        masking=study_setting("prediction", "masking"),
        seed=job_seed("statistics"),
    script:
        "../scripts/collect_language_statistics.py"


rule try_methods:
    """Fuse a set of classifiers by every method, in memory, and predict all data with each fused model."""
    input:
        unpack(set_evaluation),
        unpack(set_texts),
        weights=set_weights,
        beside=beside(set_weights),
        base=set_base,
        gram=set_statistics("gram"),
        fisher=set_statistics("fisher"),
    output:
        predictions="results/predictions/{study}/methods/{set}/seed{seed}.parquet",
    log:
        "logs/try_methods/{study}/{set}_seed{seed}.log",
    wildcard_constraints:
        study=one_of(*CLASSIFIER_STUDIES),
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(12000),
        runtime=per_attempt(240),
    params:
        code=code_version("try_methods.py"),
        splits=set_splits,
        models=set_models,
        uses=set_uses,
        text_seeds=set_text_seeds,
        examples=config["methods"]["statistics"]["examples"],
        batch_size=study_setting("prediction", "batch_size"),
        max_length=study_setting("training", "max_length"),
        seed=seed_number,
    script:
        "../scripts/try_methods.py"


rule read_with_methods:
    """Fuse a set of language models by every method, in memory, and read all sequences with each fused model."""
    input:
        unpack(set_texts),
        sequences=main_run_sequences,
        weights=set_weights,
        beside=beside(set_weights),
        base=set_base,
        gram=set_statistics("gram"),
        fisher=set_statistics("fisher"),
    output:
        predictions="results/predictions/{study}/methods/{set}/seed{seed}.parquet",
    log:
        "logs/try_methods/{study}/{set}_seed{seed}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    conda:
        "../../envs/models.yaml"
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
    params:
        code=code_version("read_with_methods.py"),
        models=set_models,
        uses=set_uses,
        text_seeds=set_text_seeds,
        examples=config["methods"]["statistics"]["examples"],
        objective=study_setting("objective"),
        reading=study_setting("prediction"),
        seed=seed_number,
    script:
        "../scripts/read_with_methods.py"


rule tabulate_methods:
    """Lay out what each fusion method keeps of shared and of unshared knowledge, and judge what follows."""
    input:
        **{study: grid_predictions(study) for study in GRID_SETS},
    output:
        table="results/methods.csv",
        scores="results/scores/methods.csv",
        claims="results/claims/methods.csv",
        page=report(
            "results/methods.html",
            caption="../report/methods.rst",
            category="Fusion methods",
            labels={"result": "What each method keeps"},
        ),
        claims_page=report(
            "results/claims/methods.html",
            caption="../report/claims_methods.rst",
            category="Fusion methods",
            labels={"result": "Claims, fusion methods"},
        ),
    log:
        "logs/tabulate_methods.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("tabulate_methods.py"),
        sets=GRID_SETS,
        methods=METHOD_OF,
        full=GRID_FULL,
        mixtures=grid_mixtures(),
        evaluations=grid_evaluations,
        bootstrap=config["bootstrap"],
        title="What each fusion method keeps of shared and of unshared knowledge",
    script:
        "../scripts/tabulate_methods.py"


rule plot_methods:
    """Draw shared against unshared knowledge kept, by fusion method."""
    input:
        table="results/methods.csv",
    output:
        pdf="results/figure_methods.pdf",
        png=report(
            "results/figure_methods.png",
            caption="../report/methods.rst",
            category="Fusion methods",
            labels={"result": "Figure: what each method keeps"},
        ),
    log:
        "logs/plot_methods.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_methods.py"),
        methods=METHOD_OF,
        level=config["bootstrap"]["level"],
    script:
        "../scripts/plot_methods.py"
