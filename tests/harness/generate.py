"""Golden numbers of lm-evaluation-harness itself: its tasks, its HFLM, its evaluator, on local data.

    python -m venv venv && venv/bin/pip install -r tests/harness/requirements.txt
    cargo xtask model smollm2-135m-instruct
    venv/bin/python tests/harness/generate.py models/cache/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf

Each task is the harness' own one by name (its prompt, its preprocessing, its delimiters); only the data are replaced by
`data/*.jsonl`, which have the fields of the original data sets and were written for this purpose. Nothing is downloaded.
Written is `golden.json`: of every item the requests that the harness made of it, their log-likelihoods, and the metrics
per item.
"""

import argparse
import hashlib
import importlib.metadata
import json
import logging
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
METRICS = ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"]

# The harness' task, the template that it is here, and the number of shots.
TASKS = [
    ("arc_easy", "question-answer@1", 0),
    ("piqa", "question-answer@1", 0),
    ("copa", "copa@1", 0),
    ("hellaswag", "plain@1", 0),
    ("openbookqa", "plain@1", 0),
    ("winogrande", "winogrande@1", 0),
    ("boolq", "passage@1", 0),
    ("sciq", "passage@1", 0),
    ("mmlu_anatomy", "mmlu@1", 0),
    ("commonsense_qa", "lettered@1", 0),
    ("arc_easy", "question-answer@1", 2),
    ("copa", "copa@1", 2),
    ("winogrande", "winogrande@1", 2),
]


def config(task: str, shots: int) -> dict:
    """The harness' task with local data and all four metrics."""
    data = {"test": str(HERE / f"data/{task}.jsonl")}
    few_shot = {"fewshot_split": "test", "fewshot_config": None}
    if shots:
        data["train"] = str(HERE / f"data/{task}_shots.jsonl")
        # The shots in the file's order, the same for every item.
        few_shot = {"fewshot_split": "train", "fewshot_config": {"sampler": "first_n"}}
    return {
        "task": task,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": data},
        "training_split": "train" if shots else None,
        "validation_split": None,
        "test_split": "test",
        "num_fewshot": shots,
        "description": "",
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in METRICS],
        **few_shot,
    }


def item(sample: dict) -> dict:
    requests = list(sample["arguments"])
    values = [float(response[0]) for response in sample["filtered_resps"]]
    half = len(requests) // 2  # acc_mutual_info doubles the requests: the second half has an empty context
    assert all(context == "" for context, _ in requests[half:])
    return {
        "contexts": [context for context, _ in requests[:half]],
        "continuations": [continuation for _, continuation in requests[:half]],
        "log_likelihoods": values[:half],
        "unconditional": [continuation for _, continuation in requests[half:]],
        "unconditional_log_likelihoods": values[half:],
        **{metric: int(sample[metric]) for metric in METRICS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "golden.json")
    arguments = parser.parse_args()
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    folder, name = str(arguments.gguf.parent), arguments.gguf.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    harness = HFLM(pretrained=model.eval(), tokenizer=tokenizer, device="cpu", batch_size=8)
    manager = TaskManager()
    tasks = []
    for task, template, shots in TASKS:
        # A task of the harness' own index with overrides; a dict given to simple_evaluate would be a task of its own.
        built = manager._factory.build(manager.task_index[task], overrides=config(task, shots), registry=manager.task_index)
        found = simple_evaluate(
            model=harness, tasks=[built], task_manager=manager, num_fewshot=shots, log_samples=True, bootstrap_iters=0
        )
        samples = sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
        result = found["results"][task]
        tasks.append({
            "task": task,
            "template": template,
            "shots": shots,
            **{metric: result[f"{metric},none"] for metric in METRICS},
            "items": [item(sample) for sample in samples],
        })
        print(task, shots, len(samples), {metric: result[f"{metric},none"] for metric in METRICS})
    golden = {
        "versions": {name: importlib.metadata.version(name) for name in ["lm_eval", "transformers", "torch"]},
        "model": {"file": name, "sha256": hashlib.sha256(arguments.gguf.read_bytes()).hexdigest()},
        "prefix_token": harness.prefix_token_id,
        "add_bos_token": harness.add_bos_token,
        "tasks": tasks,
    }
    arguments.out.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
