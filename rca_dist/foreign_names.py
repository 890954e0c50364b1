"""Option names of Hugging Face, TRL, Axolotl and the predecessor, as tables. `aliases.translate` reads them."""

RENAMED = {
    "model_name_or_path": "model.name_or_path", "model_name": "model.name_or_path", "base_model": "model.name_or_path",
    "model_revision": "model.revision", "trust_remote_code": "model.trust_remote_code",
    "attn_implementation": "model.attn_implementation", "load_in_4bit": "model.load_in_4bit",
    "output_dir": "run.output_dir", "run_name": "run.name", "wandb_name": "run.name", "seed": "run.seed",
    "overwrite_output_dir": "run.overwrite", "full_determinism": "run.deterministic",
    "train_file": "data.path", "dataset_path": "data.path", "data_path": "data.path", "val_set_size": "split.validation_size",
    "learning_rate": "train.learning_rate", "lr": "train.learning_rate", "weight_decay": "train.weight_decay",
    "max_grad_norm": "train.max_grad_norm", "grad_norm_clip": "train.max_grad_norm",
    "num_train_epochs": "train.epochs", "num_epochs": "train.epochs", "max_iters": "train.max_steps",
    "warmup_ratio": "train.warmup_ratio", "warmup_steps": "train.warmup_steps", "betas": "train.betas",
    "max_length": "train.max_length", "max_seq_length": "train.max_length", "sequence_len": "train.max_length",
    "block_size": "train.max_length", "gradient_checkpointing": "train.gradient_checkpointing",
    "torch_compile": "train.torch_compile", "label_smoothing_factor": "train.label_smoothing",
    "neftune_noise_alpha": "train.neftune_alpha", "early_stopping_patience": "train.early_stopping_patience",
    "logging_steps": "train.log_steps", "eval_steps": "train.eval_steps", "save_steps": "checkpoint.save_steps",
    "save_total_limit": "checkpoint.keep_last", "max_new_tokens": "eval.max_new_tokens",
    "lora_r": "lora.r", "lora_alpha": "lora.alpha", "lora_dropout": "lora.dropout",
    "lora_target_modules": "lora.target_modules", "use_dora": "lora.use_dora", "use_rslora": "lora.use_rslora",
    "wandb_project": "tracking.project", "wandb_entity": "tracking.entity", "global_batch_size": "train.global_batch_size",
    "max_steps": "train.max_steps", "epochs": "train.epochs", "batch_size": "train.global_batch_size",
}  # fmt: skip
PER_DEVICE = ("per_device_train_batch_size", "micro_batch_size")
# Two parts of one key of ours.
BETAS = {"adam_beta1": 0, "adam_beta2": 1}
SCHEDULERS = {
    "cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant",
    "warmup_stable_decay": "wsd", "wsd": "wsd",
}  # fmt: skip
# Change nothing about a result, or are always so here.
WITHOUT_EFFECT = {
    "per_device_eval_batch_size": "eval.batch_tokens is the memory knob of scoring and changes no number",
    "eval_accumulation_steps": "scores are kept as sums",
    "dataloader_num_workers": "examples are encoded before training",
    "dataloader_pin_memory": "batches are made in the training process",
    "remove_unused_columns": "data.columns names what is used",
    "ddp_find_unused_parameters": "gradients are reduced by our own step",
    "group_by_length": "batches of like length are made in every case",
    "logging_first_step": "the first step is always logged",
    "do_train": "a run trains and evaluates", "do_eval": "a run trains and evaluates",
    "completion_only_loss": "only the answer is supervised in every case",
    "assistant_only_loss": "only the answer is supervised in every case",
    "padding_free": "packed rows hold no padding in every case",
    "logging_strategy": "train.log_steps says when", "save_strategy": "checkpoint.save_steps says when",
    "bf16_full_eval": "eval.precision decides", "fp16_full_eval": "eval.precision decides", "tf32": "torch decides",
    "dataset_num_proc": "tickets are prepared once and cached", "push_to_hub": "nothing is uploaded",
    "disable_tqdm": "the bar shows on a terminal only", "lora_task_type": "it is always CAUSAL_LM",
}  # fmt: skip
# Switches of the other tools that mean something only when off (or on): value -> is refused.
MUST_BE_OFF = ("push_to_hub",)
MUST_BE_ON = ("do_train", "completion_only_loss", "assistant_only_loss")
REFUSED = {
    "deepspeed": "DeepSpeed comes from the launcher: --config_file configs/accelerate/zero3.yaml (or zero1, zero2)",
    "fsdp": "FSDP comes from the launcher: --config_file configs/accelerate/fsdp2.yaml",
    "fsdp_config": "FSDP comes from the launcher: --config_file configs/accelerate/fsdp2.yaml",
    "dataset_text_field": "name the columns: data.columns.prompt and data.columns.answer",
    "dataset_config": "give the file itself as data.path", "dataset_name": "give the ticket export as data.path",
    "load_in_8bit": "8-bit weights are not supported; use model.load_in_4bit, or lora.r alone",
    "lora_modules_to_save": "only adapters are trained under LoRA; leave it out, or train all weights with lora.r=0",
    "auto_find_batch_size": "global_batch_size is part of the result; train.max_tokens_per_micro_batch is the memory knob",
    "num_cycles": "the cosine goes down once", "hub_model_id": "nothing is uploaded",
    "max_prompt_length": "prompts leave room for the longest answer; train.max_length is the one limit",
}  # fmt: skip
TAKE_A_VALUE = {
    "per_device_eval_batch_size", "eval_accumulation_steps", "dataloader_num_workers", "logging_strategy", "save_strategy",
    "dataset_num_proc", "lora_task_type",
}  # fmt: skip
# Options that may stand without a value.
SWITCHES = {
    "bf16", "fp16", "packing", "sample_packing", "use_peft", "load_best_model_at_end", "overwrite_output_dir", "load_in_4bit",
    "load_in_8bit", "torch_compile", "gradient_checkpointing", "trust_remote_code", "use_dora", "use_rslora",
    "full_determinism", *(WITHOUT_EFFECT.keys() - TAKE_A_VALUE),
}  # fmt: skip
DTYPES = {
    "auto": "auto", "bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "bf16": "bf16", "fp16": "fp16", "fp32": "fp32",
}  # fmt: skip
