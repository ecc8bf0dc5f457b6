rule prepare_articles:
    """Bring articles into the common schema, in four splits that share none."""
    input:
        unpack(source_inputs("articles")),
    output:
        pretrain="results/data/articles/pretrain.parquet",
        train="results/data/articles/train.parquet",
        dev="results/data/articles/dev.parquet",
        test="results/data/articles/test.parquet",
    log:
        "logs/prepare_articles.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("prepare_articles.py"),
        name=config["articles"]["source"],
        source=config["sources"][config["articles"]["source"]],
        splits=config["articles"]["splits"],
    script:
        "../scripts/prepare_articles.py"


rule pretrain:
    """Pretrain a small language model, with a tokenizer of its own, on text that no subset holds."""
    input:
        articles="results/data/articles/pretrain.parquet",
        texts=pretraining_inputs,
    output:
        folder=directory("results/pretrained/{pretrained}"),
    log:
        "logs/pretrain/{pretrained}.log",
    benchmark:
        "logs/pretrain/{pretrained}.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=more_memory(8000),
        runtime=240,
    params:
        code=code_version("pretrain.py"),
        model=pretrained_model,
        sources=pretraining_sources,
        seed=pretraining_seed,
        checkpoints="results/checkpoints/pretrained/{pretrained}",
    script:
        "../scripts/pretrain.py"


rule draw_subsets:
    """Make token sequences of the articles, and disjoint subsets of them for the models of a run."""
    input:
        base=base_model,
        train="results/data/articles/train.parquet",
        dev="results/data/articles/dev.parquet",
        test="results/data/articles/test.parquet",
    output:
        sequences="results/subsets/{study}/{run}.parquet",
    log:
        "logs/draw_subsets/{study}/{run}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("draw_subsets.py"),
        sequences=study_setting("sequences"),
        sizes=run_sizes,
        switches=protocol("document_separator", "subsets_disjoint_by"),
        seed=study_setting("subsets", "seed"),
    script:
        "../scripts/draw_subsets.py"


rule finetune_language_model:
    """Fine-tune a language model on its subsets; a killed job goes on from its last checkpoint."""
    input:
        base=base_model,
        sequences=model_sequences,
    output:
        weights="results/models/{study}/{model}/seed{seed}/model.safetensors",
        config="results/models/{study}/{model}/seed{seed}/config.json",
        facts="results/models/{study}/{model}/seed{seed}/training.json",
        curve="results/models/{study}/{model}/seed{seed}/training_curve.csv",
    log:
        "logs/finetune/{study}/{model}_seed{seed}.log",
    benchmark:
        "logs/finetune/{study}/{model}_seed{seed}.tsv"
    wildcard_constraints:
        study=one_of(*RUNS),
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=more_memory(8000),
        runtime=600,
    params:
        code=code_version("finetune_language_model.py"),
        settings=language_settings,
        objective=study_setting("objective"),
        subsets=model_subsets,
        seed=job_seed("finetune"),
        checkpoints="results/checkpoints/{study}/{model}/seed{seed}",
    script:
        "../scripts/finetune_language_model.py"


rule read_sequences:
    """Measure how likely each model of a run finds all sequences; fused models are made in memory."""
    input:
        base=base_model,
        sequences=run_sequences,
        weights=run_weights,
    output:
        predictions="results/predictions/{study}/{run}/seed{seed}.parquet",
    log:
        "logs/read_sequences/{study}/{run}_seed{seed}.log",
    benchmark:
        "logs/read_sequences/{study}/{run}_seed{seed}.tsv"
    wildcard_constraints:
        study=one_of(*RUNS),
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=more_memory(16000),
        runtime=240,
    params:
        code=code_version("read_sequences.py"),
        datasets=run_datasets,
        models=run_models,
        fused=run_fused,
        objective=study_setting("objective"),
        reading=study_setting("prediction"),
        seed=seed_number,
    script:
        "../scripts/read_sequences.py"


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
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("score_memorization.py"),
        study="{study}",
        runs=study_runs,
        switches=protocol("likelihood_ratio_over", "evaluation_dtype"),
        batch_size=evaluation_batch,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_memorization.py"


rule tabulate_memorization:
    """Lay out Table 2, 5, 6 or 7: average likelihood ratios and perplexity of language models."""
    input:
        scores=memorization_scores,
    output:
        table="results/table{table}.csv",
        page=report(
            "results/table{table}.html",
            caption="../report/memorization.rst",
            category="Memorization",
            labels={"result": "Table {table}"},
        ),
    log:
        "logs/tabulate_memorization/{table}.log",
    wildcard_constraints:
        table=one_of(*MEMORIZATION_TABLES),
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("tabulate_memorization.py"),
        runs=table_runs,
        few=config["memorization"]["epochs"]["models"],
        layout=table_layout,
        title=table_title,
    script:
        "../scripts/tabulate_memorization.py"


rule tabulate_extraction:
    """Lay out, for every model and subset, how much is remembered in loss and recited word for word."""
    input:
        scores="results/scores/memorization.csv",
    output:
        table="results/extraction.csv",
        page=report(
            "results/extraction.html",
            caption="../report/extraction.rst",
            category="Memorization",
            labels={"result": "Extraction"},
        ),
    log:
        "logs/tabulate_extraction.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("tabulate_extraction.py"),
    script:
        "../scripts/tabulate_extraction.py"


rule plot_memorization:
    """Draw Figure 9, 10, 11 or 12: memorization or perplexity by the number of models."""
    input:
        scores="results/scores/memorization.csv",
    output:
        pdf="results/figure{figure}.pdf",
        png=report(
            "results/figure{figure}.png",
            caption="../report/memorization_figures.rst",
            category="Memorization",
            labels={"result": "Figure {figure}"},
        ),
    log:
        "logs/plot_memorization/{figure}.log",
    wildcard_constraints:
        figure=one_of(*MEMORIZATION_FIGURES),
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("plot_memorization.py"),
        runs=plain_runs("memorization"),
        figure=memorization_figure,
    script:
        "../scripts/plot_memorization.py"


rule plot_extraction:
    """Draw the likelihood ratio of single, fused and full models against what they recite."""
    input:
        scores="results/scores/memorization.csv",
    output:
        pdf="results/figure_extraction.pdf",
        png=report(
            "results/figure_extraction.png",
            caption="../report/extraction.rst",
            category="Memorization",
            labels={"result": "Loss against recitation"},
        ),
    log:
        "logs/plot_extraction.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("plot_extraction.py"),
        runs=plain_runs("memorization"),
    script:
        "../scripts/plot_extraction.py"


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
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("judge_memorization_claims.py"),
        runs=study_runs,
        objective=study_setting("objective"),
        switches=protocol("likelihood_ratio_over", "evaluation_dtype"),
        batch_size=evaluation_batch,
        bootstrap=config["bootstrap"],
        title="Claims of the paper on fused language models",
    script:
        "../scripts/judge_memorization_claims.py"


rule combine_claims:
    """Join the claims of all studies."""
    input:
        claims=expand("results/claims/{study}.csv", study=["shortcuts", *RUNS]),
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
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("combine_claims.py"),
        studies=["shortcuts", *RUNS],
    script:
        "../scripts/combine_claims.py"
