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
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
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
        facts=training_files("training.json", "shortcuts", MIXTURES, SEEDS),
    output:
        scores="results/scores/shortcuts.csv",
    log:
        "logs/score_shortcuts.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("score_shortcuts.py"),
        singles=SINGLES,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_shortcuts.py"


rule judge_shortcut_claims:
    """Judge each statement of the paper on shared and unshared knowledge by what was measured."""
    input:
        sweeps=shortcut_predictions("sweeps"),
        models=shortcut_predictions("models"),
        facts=training_files("training.json", "shortcuts", MIXTURES, SEEDS),
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
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("judge_shortcut_claims.py"),
        singles=SINGLES,
        sweeps=config["shortcuts"]["sweeps"],
        tolerance=config["shortcuts"]["claims"]["tolerance"],
        bootstrap=config["bootstrap"],
    script:
        "../scripts/judge_shortcut_claims.py"


rule score_memorization:
    """Score every model of a memorization study, with bootstrap intervals, from its likelihoods."""
    input:
        predictions=study_predictions,
    output:
        scores="results/scores/{study}.csv",
    log:
        "logs/score_memorization/{study}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("score_memorization.py"),
        study="{study}",
        runs=study_runs,
        evaluation=evaluation,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_memorization.py"


rule judge_memorization_claims:
    """Judge each statement of the paper on fused language models by what was measured."""
    input:
        predictions=study_predictions,
    output:
        claims="results/claims/{study}.csv",
        page=report(
            "results/claims/{study}.html",
            caption="../report/claims_memorization.rst",
            category="Memorization",
            labels={"result": "Claims, {study}"},
        ),
    log:
        "logs/judge_claims/{study}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("judge_memorization_claims.py"),
        runs=study_runs,
        objective=study_setting("objective"),
        evaluation=evaluation,
        bootstrap=config["bootstrap"],
        title="Claims of the paper on fused language models",
    script:
        "../scripts/judge_memorization_claims.py"


rule combine_claims:
    """Join the claims of all studies."""
    input:
        claims=expand("results/claims/{study}.csv", study=JUDGED),
    output:
        claims="results/claims.csv",
        page=report(
            "results/claims.html",
            caption="../report/claims_all.rst",
            category="All studies",
            labels={"result": "Claims"},
        ),
    log:
        "logs/combine_claims.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("combine_claims.py"),
        studies=JUDGED,
    script:
        "../scripts/combine_claims.py"
