rule sweep_pair:
    """Fuse the two biased models at every coefficient, in memory, and predict dev and test with each."""
    input:
        weights=expand(
            "results/models/biases/{model}/seed{{seed}}/model.safetensors",
            model=ATTRIBUTES,
        ),
        dev="results/data/biases/dev.parquet",
        test="results/data/biases/test.parquet",
    output:
        predictions=f"results/predictions/biases/sweeps/{PAIR}/seed{{seed}}.parquet",
    log:
        f"logs/sweep_pair/{PAIR}_seed{{seed}}.log",
    benchmark:
        f"logs/sweep_pair/{PAIR}_seed{{seed}}.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=more_memory(8000),
        runtime=240,
    params:
        code=code_version("sweep_pair.py"),
        models=ATTRIBUTES,
        steps=config["biases"]["sweep"]["steps"],
        batch_size=config["biases"]["prediction"]["batch_size"],
        max_length=config["biases"]["training"]["max_length"],
        seed=seed_number,
    script:
        "../scripts/sweep_pair.py"


rule predict:
    """Predict dev and test with one fine-tuned model."""
    input:
        weights="results/models/{study}/{model}/seed{seed}/model.safetensors",
        dev="results/data/{study}/dev.parquet",
        test="results/data/{study}/test.parquet",
    output:
        predictions="results/predictions/{study}/models/{model}/seed{seed}.parquet",
    log:
        "logs/predict/{study}/{model}_seed{seed}.log",
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        code=code_version("predict.py"),
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
        weights="results/models/biases/{attribute}/seed{seed}/model.safetensors",
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
        gpu=1,
        mem_mb=more_memory(8000),
        runtime=60,
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
        mem_mb=more_memory(8000),
        runtime=240,
    params:
        code=code_version("erase.py"),
        attribute="{attribute}",
        settings=config["biases"]["erasure"],
        erase_test_representations=PROTOCOL["erase_test_representations"],
        seed=job_seed("erase"),
        model_seed=seed_number,
    script:
        "../scripts/erase.py"
