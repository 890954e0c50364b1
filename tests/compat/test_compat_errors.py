"""Where the old form would be wrong, the error says what to write instead, and the page lists it."""

import logging
import re

import pandas as pd
import pytest
from compat_cases import PAGE, make_tokenizer, settings, sides

from rca_dist import Evaluator, HFModelAdapter, RCADataset, Trainer
from rca_dist.errors import UserError


def train_twice(df, model, folder):
    config, (train, _) = settings(Trainer, max_iters=1, batch_size=2), sides(df, model)
    Trainer(config, model, train).run()
    Trainer(config, HFModelAdapter(model.hf_model, folder), train)


def run_twice(df, model, folder):
    trainer = Trainer(settings(Trainer, max_iters=1, batch_size=2), model, sides(df, model)[0])
    trainer.run()
    trainer.run()


def overlapping(df, model, folder):
    _, test = sides(df, model)
    Evaluator(Evaluator.get_default_config(), model, RCADataset(df, "train", model.tokenizer, indices=range(24)), test)


def other_fold(df, model, folder):
    folds = [RCADataset(df, "train", model.tokenizer, indices=rows) for rows in (range(0, 16), range(8, 24), range(0, 8))]
    Trainer(settings(Trainer, max_iters=1, batch_size=2), model, folds[0]).run()
    Evaluator(Evaluator.get_default_config(), model, folds[1], folds[2]).eval_split("test")


def other_tokenizer(df, model, folder):
    tokenizer = make_tokenizer(["quite other words for another vocabulary"] * 3)
    Trainer(settings(Trainer, max_iters=1), model, RCADataset(df, "train", tokenizer, seed=1))


def spread(df, model, folder):
    network = model.hf_model
    network.hf_device_map = {"model.layers.0": 0, "model.layers.1": "cpu"}
    HFModelAdapter(network, folder)


def small_model(df, model, folder):
    from transformers import LlamaConfig, LlamaForCausalLM

    HFModelAdapter(LlamaForCausalLM(LlamaConfig(vocab_size=100, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                                num_attention_heads=1)), folder)  # fmt: skip


def typo(owner, **changes):
    def call(df, model, folder):
        owner(settings(owner, **changes), model, *sides(df, model)[: 1 if owner is Trainer else 2])

    return call


def evaluate(**options):
    return lambda df, model, folder: Evaluator(Evaluator.get_default_config(), model, *sides(df, model)).eval_split(**options)


def data(**options):
    return lambda df, model, folder: RCADataset(df, "train", model.tokenizer, **options)


def columns(change):
    return lambda df, model, folder: RCADataset(change(df), "train", model.tokenizer, seed=1)


def run(**changes):
    return lambda df, model, folder: Trainer(settings(Trainer, **changes), model, sides(df, model)[0]).run()


def prompt(*args, **options):
    return lambda df, model, folder: model.generate_from_prompt(*args, **options)


ERRORS = [
    ("a second training", train_twice, r"trained before.*load fresh weights first: model = HFModelAdapter\("),
    ("a second training", run_twice, r"trained before.*load fresh weights"),
    ("shared tickets", overlapping, r"share 4 tickets.*with one seed, RCADataset\(df, 'train', tokenizer, seed=3407\)"),
    ("that the model was trained on", other_fold, r"the tickets that the model was trained on and test_dataset share 8 tickets"),
    ("without a seed", data(), r"share tickets; give both the same one: RCADataset\(df, 'train', tokenizer, seed=3407\)"),
    ("as a mask", data(indices=[True] * 24), r"write indices=numpy.flatnonzero\(mask\)"),
    ("with repetitions", data(indices=[1, 2, 2]), r"row 2 more than once.*numpy.unique"),
    ("out of range", data(indices=[1, -1]), r"indices has -1, but rows are counted 0 to 23"),
    ("out of range", data(indices=[24]), r"indices has 24"),
    ("out of range", data(indices=[0.5]), r"flat list of row numbers"),
    ("without `ticket_description`", columns(lambda df: df.rename(columns={"ticket_description": "ticket_descr"})),
     r"columns are ticket_descr, ticket_resolution, request_id; no ticket_description; did you mean 'ticket_descr'.*rename.*rca-dist data FILE"),
    ("without `ticket_description`", columns(lambda df: pd.DataFrame({"ticket_description;ticket_resolution": []})),
     r"write pd.read_csv\(path, sep=';'\)"),
    ("rows without text", columns(lambda df: df.assign(ticket_resolution=["", None, *df["ticket_resolution"][2:]])),
     r"[12] of 20 rows have no ticket_resolution \(first: row [01]\); drop them first"),
    ("rows without text", lambda df, model, folder: RCADataset("tickets.csv", "train", model.tokenizer, seed=1), r"pd.read_csv"),
    ("`max_iters` not set", run(batch_size=2), r"would never end; set it, e.g. config.max_iters = 200"),
    ("a misspelt setting", typo(Trainer, max_iter=5), r"config.max_iter is not a setting; did you mean 'max_iters'"),
    ("a misspelt setting", typo(Evaluator, max_example=5), r"config.max_example is not a setting; did you mean 'max_examples'"),
    ("a misspelt setting", run(max_iters=2.5), r"max_iters=2.5 must be a whole number of at least 1"),
    ("a misspelt setting", run(max_iters=1, betas=0.9), r"betas=0.9 must be two numbers"),
    ("a misspelt setting", run(max_iters=1, learning_rate="1e-4"), r"learning_rate='1e-4' must be a number above 0"),
    ("`grad_norm_clip = 0`", run(max_iters=1, grad_norm_clip=0), r"grad_norm_clip=0 must be a number above 0; .*float\('inf'\)"),
    ("`device` other than", run(device="tpu"), r"device='tpu'; write 'auto', 'cpu' or 'cuda'"),
    ("`device` other than", typo(Evaluator, device="cuda:1"), r"write 'cuda' and start Python with CUDA_VISIBLE_DEVICES=1"),
    ("a tokenizer of another model", other_tokenizer, r"another tokenizer.*RCADataset\(df, 'train', model.tokenizer"),
    ("a tokenizer of another model", small_model, r"makes ids up to \d+ but the model has 100 embeddings.*Load model and tokenizer from one"),
    ("a tokenizer of another model", lambda df, model, folder: HFModelAdapter(model.hf_model, folder + "x"), r"no tokenizer can be loaded"),
    ("a tokenizer of another model", lambda df, model, folder: HFModelAdapter("gpt2", "gpt2"), r"AutoModelForCausalLM.from_pretrained\('gpt2'\)"),
    ("beyond the model's window", lambda df, model, folder: Trainer(settings(Trainer, max_iters=1), model, sides(
        df.assign(ticket_description=df["ticket_description"] * 20), model, block_size=512)[0]), r"window is 256; write RCADataset\(..., block_size=256\)"),
    ("`device_map` over several devices", spread, r"device_map has spread the model over 0, cpu.*without device_map"),
    ("`temperature=0`", prompt("a", do_sample=True, temperature=0), r"temperature=0 must be a number above 0 .*do_sample=False"),
    ("`temperature=0`", evaluate(do_sample=True, temperature=0.0), r"write do_sample=False"),
    ("`temperature=0`", prompt("a", top_k=0), r"top_k=0 must be a whole number of at least 1"),
    ("an empty prompt", prompt(" "), r"give it a text to go on from"),
    ("an empty prompt", prompt("a", device="cuda"), r"the model is on cpu, not on cuda"),
    ("an empty prompt", prompt("printer " * 300), r"the model's window 256; shorten it"),
    ("the test side", evaluate(split="validation"), r"eval_split\('train'\) or eval_split\('test'\)"),
    ("the test side", lambda df, model, folder: Evaluator(Evaluator.get_default_config(), model, sides(df, model)[0]).eval_split(),
     r"there is no test side; write Evaluator\(config, model, train_dataset, test_dataset\)"),
    ("a misspelt setting", lambda df, model, folder: Trainer({"max_iters": 3}, model, sides(df, model)[0]), r"write config = Trainer.get_default_config\(\)"),
    ("a misspelt setting", lambda df, model, folder: Trainer(Trainer.get_default_config(), model.hf_model, sides(df, model)[0]),
     r"HFModelAdapter\(hf_model, model_type\)"),
    ("a misspelt setting", lambda df, model, folder: Trainer(Trainer.get_default_config(), model, df), r"train_dataset = RCADataset\(df, 'train'"),
    ("beyond the model's window", data(seed=1, block_size=20), r"block_size=20 is too short"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "call", "message"), ERRORS, ids=[f"{n}-{row}" for n, (row, _, _) in enumerate(ERRORS)])
def test_what_would_be_wrong_is_refused_saying_what_to_write(row, call, message, df, model, folder):
    assert row in PAGE.split("## Errors")[1]
    with pytest.raises(UserError) as caught:
        call(df, model, folder)
    text = str(caught.value)
    assert re.search(message, text), text
    assert not re.search(r"\btrain\.(?!py)|model\.name_or_path", text)


def test_a_quantized_model_is_refused(model, folder):
    model.hf_model.is_quantized = True
    with pytest.raises(UserError, match=r"quantized.*--lora.r=16"):
        HFModelAdapter(model.hf_model, folder)


def test_copies_on_both_sides_are_said(df, model, caplog):
    twice = pd.concat([df, df], ignore_index=True)
    parts = [
        RCADataset(twice, split, model.tokenizer, indices=rows)
        for split, rows in (("train", range(24)), ("test", range(24, 30)))
    ]
    with caplog.at_level(logging.WARNING):
        Evaluator(Evaluator.get_default_config(), model, *parts)
    assert "6 of 6 test tickets stand word for word" in caplog.text


def test_one_numbering_of_two_tables_is_no_overlap(df, model):
    halves = [df.iloc[:12], df.iloc[12:]]
    parts = [
        RCADataset(half, split, model.tokenizer, indices=range(12))
        for half, split in zip(halves, ("train", "test"), strict=True)
    ]
    assert len(Evaluator(Evaluator.get_default_config(), model, *parts).datasets["test"]) == 12
