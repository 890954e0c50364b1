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
    "model": "model.name_or_path", "ddp_timeout": "dist.timeout_seconds", "eval_max_new_tokens": "eval.max_new_tokens",
}  # fmt: skip
PER_DEVICE = ("per_device_train_batch_size", "micro_batch_size")
# Two parts of one key of ours.
BETAS = {"adam_beta1": 0, "adam_beta2": 1}
SCHEDULERS = {
    "cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant",
    "warmup_stable_decay": "wsd", "wsd": "wsd",
}  # fmt: skip
OWN_SPLIT = "the split.* keys say which tickets are for what"
OWN_OPTIMIZER = "the optimizer is AdamW (adamw_torch_fused), its state in fp32"
OWN_EVALUATION = "the validation loss is part of every run; train.eval_steps says how often (default ten times)"
ADAMW = ("adamw_torch", "adamw_torch_fused", "adamw", "adamw_hf", "adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit",
         "paged_adamw_32bit")  # fmt: skip
# Have one meaning here: the values that say just that, and the meaning.
FIXED = {
    "metric_for_best_model": (("loss", "eval_loss", "eval/loss"), "the best weights are those of the lowest validation loss"),
    "optim": (ADAMW, OWN_OPTIMIZER), "optimizer": (ADAMW, OWN_OPTIMIZER),
    "adam_epsilon": (("1e-08",), "AdamW's epsilon is 1e-8"),
    "eval_strategy": (("steps", "epoch"), OWN_EVALUATION), "evaluation_strategy": (("steps", "epoch"), OWN_EVALUATION),
    "chat_template": (("tokenizer_default",), "prompt.style=chat uses the tokenizer's own template"),
    "dataset_train_split": (("train",), OWN_SPLIT), "dataset_test_split": (("test", "validation", "eval"), OWN_SPLIT),
}  # fmt: skip
KERNEL = "model.attn_implementation names the kernel; it changes no result"
WATCH = "a loss that is not finite always ends the run"
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
    "logging_dir": "metrics.jsonl lies in the run directory, run.output_dir", "local_rank": "the launcher says it",
    "pad_token": "padding is never learnt", "save_safetensors": "weights are always saved so",
    "model_type": "the model's own files say it", "tokenizer_type": "the model's own files say it",
    "strict": "unknown names are always refused", "debug": "there is no such mode",
    "dataset_prepared_path": "prepared tickets lie in data.cache_dir", "pad_to_sequence_len": "padding changes no number",
    "eval_sample_packing": "packing changes no score", "eval_batch_size": "eval.batch_tokens is the memory knob of scoring",
    "flash_attention": KERNEL, "sdp_attention": KERNEL, "xformers_attention": KERNEL,
    "train_on_inputs": "only the answer is supervised in every case",
    "evals_per_epoch": "train.eval_steps says when (default ten times a run)",
    "saves_per_epoch": "checkpoint.save_steps says when (default ten times a run)",
    "lora_fan_in_fan_out": "the kind of each layer says it", "eval_table_size": "answers stand in the report",
    "loss_watchdog_threshold": WATCH, "loss_watchdog_patience": WATCH, "wandb_watch": "gradients are not sent",
    "wandb_log_model": "no weights are sent", "gradient_checkpointing_kwargs": "it changes no number",
}  # fmt: skip
# Switches of the other tools that mean something only when off (or on): value -> is refused.
MUST_BE_OFF = ("push_to_hub", "train_on_inputs")
MUST_BE_ON = ("do_train", "completion_only_loss", "assistant_only_loss", "save_safetensors")
# What has no counterpart, and why.
PROCESSES = "say how many processes with --num_processes N of rca-dist train"
TOKENIZER = "the tokenizer that comes with model.name_or_path is used; leave it out"
REFUSED = {
    "deepspeed": "DeepSpeed comes from the launcher: --config_file configs/accelerate/zero3.yaml (or zero1, zero2)",
    "fsdp": "FSDP comes from the launcher: --config_file configs/accelerate/fsdp2.yaml",
    "fsdp_config": "FSDP comes from the launcher: --config_file configs/accelerate/fsdp2.yaml",
    "dataset_text_field": "name the columns: data.columns.prompt and data.columns.answer",
    "dataset_config": "give the file itself as data.path",
    "load_in_8bit": "8-bit weights are not supported; use model.load_in_4bit, or lora.r alone",
    "lora_modules_to_save": "only adapters are trained under LoRA; leave it out, or train all weights with lora.r=0",
    "auto_find_batch_size": "global_batch_size is part of the result; train.max_tokens_per_micro_batch is the memory knob",
    "num_cycles": "the cosine goes down once", "hub_model_id": "nothing is uploaded",
    "max_prompt_length": "prompts leave room for the longest answer; train.max_length is the one limit",
    "eos_token": "the end token of the model's own tokenizer is used; leave it out",
    "tokenizer_name_or_path": TOKENIZER, "tokenizer_name": TOKENIZER, "tokenizer_config": TOKENIZER,
    "nproc_per_node": PROCESSES, "gpus": PROCESSES, "num_gpus": PROCESSES,
    "lora_model_dir": "an adapter is trained from its start; the same command goes on with an unfinished run",
    "s2_attention": "attention is always over the whole example", "wandb_run_id": "the run's directory keeps its W&B id",
}  # fmt: skip
TAKE_A_VALUE = {
    "per_device_eval_batch_size", "eval_accumulation_steps", "dataloader_num_workers", "logging_strategy", "save_strategy",
    "dataset_num_proc", "lora_task_type", "logging_dir", "local_rank", "pad_token", "model_type", "tokenizer_type",
    "dataset_prepared_path", "eval_batch_size", "evals_per_epoch", "saves_per_epoch", "eval_table_size",
    "loss_watchdog_threshold", "loss_watchdog_patience", "wandb_watch", "wandb_log_model", "gradient_checkpointing_kwargs",
}  # fmt: skip
# Options that may stand without a value.
SWITCHES = {
    "bf16", "fp16", "packing", "sample_packing", "use_peft", "load_best_model_at_end", "overwrite_output_dir", "load_in_4bit",
    "load_in_8bit", "torch_compile", "gradient_checkpointing", "trust_remote_code", "use_dora", "use_rslora",
    "full_determinism", "lora_target_linear", *(WITHOUT_EFFECT.keys() - TAKE_A_VALUE),
}  # fmt: skip
DTYPES = {
    "auto": "auto", "bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "bf16": "bf16", "fp16": "fp16", "fp32": "fp32",
}  # fmt: skip
