rule sweep:
    """Fuse models at every coefficient, in memory, and predict all data with each fused model."""
    input:
        unpack(sweep_evaluation),
        weights=sweep_weights,
        beside=beside(sweep_weights),
    output:
        predictions="results/predictions/{study}/sweeps/{sweep}/seed{seed}.parquet",
    log:
        "logs/sweep/{study}/{sweep}_seed{seed}.log",
    benchmark:
        "logs/sweep/{study}/{sweep}_seed{seed}.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(8000),
        runtime=per_attempt(240),
    params:
        code=code_version("sweep.py"),
        splits=evaluated_splits,
        models=sweep_models,
        coefficients=sweep_coefficients,
        batch_size=study_setting("prediction", "batch_size"),
        max_length=study_setting("training", "max_length"),
        seed=seed_number,
    script:
        "../scripts/sweep.py"


rule predict:
    """Predict all data with one fine-tuned model."""
    input:
        unpack(model_evaluation),
        **checkpoint_files("results/models/{study}/{model}/seed{seed}"),
    output:
        predictions="results/predictions/{study}/models/{model}/seed{seed}.parquet",
    log:
        "logs/predict/{study}/{model}_seed{seed}.log",
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("predict.py"),
        splits=evaluated_splits,
        model="{model}",
        kind=model_kind,
        batch_size=study_setting("prediction", "batch_size"),
        max_length=study_setting("training", "max_length"),
        seed=seed_number,
    script:
        "../scripts/predict.py"


rule encode:
    """Encode the biased subset, dev and test with the biased model's pooled representation."""
    input:
        **checkpoint_files("results/models/biases/{attribute}/seed{seed}"),
        train="results/subsets/biases/{attribute}.parquet",
        dev="results/data/biases/dev.parquet",
        test="results/data/biases/test.parquet",
    output:
        representations="results/representations/biases/{attribute}/seed{seed}.safetensors",
    log:
        "logs/encode/{attribute}_seed{seed}.log",
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("encode.py"),
        batch_size=config["biases"]["prediction"]["batch_size"],
        max_length=config["biases"]["training"]["max_length"],
    script:
        "../scripts/encode.py"


rule erase:
    """Erase the protected attribute from representations by INLP and LEACE, then predict the task."""
    input:
        representations="results/representations/biases/{attribute}/seed{seed}.safetensors",
        train="results/subsets/biases/{attribute}.parquet",
        dev="results/data/biases/dev.parquet",
        test="results/data/biases/test.parquet",
    output:
        predictions="results/predictions/biases/erased/{attribute}/seed{seed}.parquet",
    log:
        "logs/erase/{attribute}_seed{seed}.log",
    conda:
        "../../envs/models.yaml"
    threads: 2
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(240),
    params:
        code=code_version("erase.py"),
        attribute="{attribute}",
        settings=config["biases"]["erasure"],
        erase_test_representations=PROTOCOL["erase_test_representations"],
        seed=job_seed("erase"),
        model_seed=seed_number,
    script:
        "../scripts/erase.py"


rule compare_fisher:
    """Measure how far two models use the same weights for shared and for unshared knowledge (appendix D)."""
    input:
        base=base_model_of("shortcuts"),
        dev="results/data/shortcuts/dev.parquet",
        weights=fisher_trainings("model.safetensors"),
        beside=beside(fisher_trainings("model.safetensors")),
        facts=fisher_trainings("training.json"),
    output:
        overlaps="results/scores/fisher/{comparison}/seed{seed}.csv",
    log:
        "logs/compare_fisher/{comparison}_seed{seed}.log",
    benchmark:
        "logs/compare_fisher/{comparison}_seed{seed}.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(16000),
        runtime=per_attempt(120),
    params:
        code=code_version("compare_fisher.py"),
        models=fisher_models,
        settings=config["shortcuts"]["fisher"],
        max_length=config["shortcuts"]["training"]["max_length"],
        switches=protocol("position_ties", "insert_between", "reverse_token_in_context"),
        injection_seed=config["shortcuts"]["injection"]["seed"],
        level=config["bootstrap"]["level"],
        seed=seed_number,
    script:
        "../scripts/compare_fisher.py"


rule read_sequences:
    """Measure how likely each model of a run finds all sequences; fused models are made in memory."""
    input:
        base=base_model,
        sequences=run_sequences,
        weights=run_weights,
        beside=beside(run_weights),
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
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(16000),
        runtime=per_attempt(240),
    params:
        code=code_version("read_sequences.py"),
        models=run_models,
        fused=run_fused,
        objective=study_setting("objective"),
        reading=study_setting("prediction"),
        seed=seed_number,
    script:
        "../scripts/read_sequences.py"
