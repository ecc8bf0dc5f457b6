rule score_biases:
    """Score every model of the bias study, with bootstrap intervals, from its predictions."""
    input:
        sweeps=expand(
            f"results/predictions/biases/sweeps/{BIASES_PAIR}/seed{{seed}}.parquet",
            seed=SEEDS,
        ),
        full=expand(
            "results/predictions/biases/models/full/seed{seed}.parquet", seed=SEEDS
        ),
        erased=expand(
            "results/predictions/biases/erased/{attribute}/seed{seed}.parquet",
            attribute=ATTRIBUTES,
            seed=SEEDS,
        ),
    output:
        scores="results/scores/biases.csv",
    log:
        "logs/score_biases.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(4000),
        runtime=30,
    params:
        code=code_version("score_biases.py"),
        attributes=ATTRIBUTES,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_biases.py"


rule score_shortcuts:
    """Score every model of the shortcut study, with bootstrap intervals, from its predictions."""
    input:
        sweeps=shortcut_predictions("sweeps"),
        models=shortcut_predictions("models"),
    output:
        scores="results/scores/shortcuts.csv",
    log:
        "logs/score_shortcuts.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("score_shortcuts.py"),
        singles=SINGLES,
        mixtures={name: TRAINED_ON[name] for name in MIXTURES},
        learned_at=config["shortcuts"]["training"]["stop"]["accuracy"],
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_shortcuts.py"


rule judge_shortcut_claims:
    """Judge each statement of the paper on shared and unshared knowledge by what was measured."""
    input:
        sweeps=shortcut_predictions("sweeps"),
        models=shortcut_predictions("models"),
        table4="results/table4.csv",
    output:
        claims="results/claims/shortcuts.csv",
        page=report(
            "results/claims/shortcuts.html",
            caption="../report/claims.rst",
            category="Shortcuts",
            labels={"result": "Claims"},
        ),
    log:
        "logs/judge_claims/shortcuts.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("judge_shortcut_claims.py"),
        singles=SINGLES,
        mixtures={name: TRAINED_ON[name] for name in MIXTURES},
        sweeps=config["shortcuts"]["sweeps"],
        learned_at=config["shortcuts"]["training"]["stop"]["accuracy"],
        tolerance=config["shortcuts"]["claims"]["tolerance"],
        bootstrap=config["bootstrap"],
    script:
        "../scripts/judge_shortcut_claims.py"
