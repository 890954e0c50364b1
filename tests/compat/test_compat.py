"""Scripts as the predecessor's users wrote them: the same calls, and our numbers."""

import logging
import math
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from compat_cases import PAGE, TICKETS, exact_nll, fresh, make_tokenizer, save_model, settings, sides

from rca_dist import Evaluator, RCADataset, Trainer, set_seed
from rca_dist.compat import trainer as compat_trainer
from rca_dist.compat.dataset import FOOTER, HEADER

HERE = Path(__file__)


def test_the_script_of_the_page_runs(folder, df, tmp_path, monkeypatch, capsys):
    df.to_csv(tmp_path / "tickets.csv", sep=";", index=False)
    monkeypatch.chdir(tmp_path)
    script = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)[0]
    for old, new in (('"meta-llama/Llama-3.2-1B"', repr(folder)), ("max_iters = 200", "max_iters = 7")):
        assert old in script
        script = script.replace(old, new)
    names = {}
    exec(script, names)
    out = capsys.readouterr().out
    lines = re.findall(r"^(\d+) (\S+) (\S+)$", out, flags=re.M)
    assert [int(number) for number, _, _ in lines] == list(range(7))
    assert float(lines[0][1]) == 0.0
    assert all(float(seconds) > 0 for _, seconds, _ in lines[1:])
    assert names["trainer"].iter_num == 7
    assert "running on device cpu" in out
    assert out.count("QUESTION:") == 2
    assert "Eval test: byte_perplexity=" in out
    assert {
        "split",
        "examples_evaluated",
        "byte_perplexity",
        "bits_per_byte",
        "exact_match",
        "token_lvl_f1",
        "rougeL_f1",
    } <= set(names["metrics"])
    assert names["metrics"]["examples_evaluated"] == len(names["examples"]) == 4


def test_rows_and_tensors_of_a_data_set(df, model):
    train, test = sides(df, model, test_frac=0.25)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(3407)).tolist()
    assert test.ixes.tolist() == order[:6]
    assert train.ixes.tolist() == order[6:]
    assert len(sides(df, model, test_cap=2)[1]) == 2
    assert RCADataset(df.set_index("request_id"), "test", model.tokenizer, indices=np.array([3, 1])).ixes.tolist() == [3, 1]
    assert (train.get_length(), train.get_block_size(), train.block_size) == (18, 127, 128)
    x, y = train[0]
    assert x.shape == y.shape == (128,) and x.dtype == y.dtype == torch.long
    row = df.iloc[order[6]]
    learnt = y != -100
    assert model.tokenizer.decode(x[learnt]) == row["ticket_resolution"] + model.tokenizer.eos_token
    assert torch.equal(x[learnt], y[learnt])
    assert model.tokenizer.decode(x[: int(learnt.nonzero()[0])]) == HEADER + row["ticket_description"] + FOOTER
    assert sum(1 for _ in train) == 18
    with pytest.raises(IndexError):
        train[18]


def test_a_long_ticket_keeps_its_answer_and_the_cut_is_said(df, model, caplog):
    longer = df.assign(ticket_description=df["ticket_description"] * 6)
    with caplog.at_level(logging.WARNING):
        train, test = sides(longer, model, block_size=100)
    assert train.truncations["answers"] == 0 < train.truncations["prompts"]
    assert f"block_size=100 cut the text of {train.truncations['prompts']} descriptions and 0 answers" in caplog.text
    for n, row in enumerate(train.ixes.tolist()):
        x, y = train[n]
        assert model.tokenizer.decode(x[y != -100]) == longer["ticket_resolution"][row] + model.tokenizer.eos_token
    # No test prompt depends on its own answer.
    other = longer.assign(ticket_resolution=longer["ticket_resolution"].where(~longer.index.isin(test.ixes.tolist()), "ok"))
    prompts = []
    for frame in (longer, other):
        evaluator = Evaluator(Evaluator.get_default_config(), model, *sides(frame, model, block_size=100))
        prompts.append([evaluator.datasets["test"].prompt_ids(n).tolist() for n in range(len(test))])
    assert prompts[0] == prompts[1]


def test_changed_prompt_texts_take_effect(df, model):
    train, _ = sides(df, model)
    before = train[0][0]
    train.prompt_description_addition = "Ticket: "
    assert model.tokenizer.decode(train[0][0]).startswith("Ticket: ")
    train.prompt_description_addition = HEADER
    assert torch.equal(train[0][0], before)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_scores_are_those_of_plain_transformers(df, model, batch_size):
    train, test = sides(df, model)
    evaluator = Evaluator(settings(Evaluator, batch_size=batch_size, print_examples=0), model, train, test)
    for split, side in (("test", test), ("train", train)):
        metrics, examples = evaluator.eval_split(split, max_examples=2, max_new_tokens=3)
        total, count = exact_nll(model, side, side.ixes.tolist())
        size = sum(len(df["ticket_resolution"][row].encode()) for row in side.ixes.tolist())
        assert metrics["loss"] == pytest.approx(total / count, rel=1e-6)
        assert metrics["bits_per_byte"] == pytest.approx(total / math.log(2) / size, rel=1e-6)
        assert metrics["byte_perplexity"] == pytest.approx(2 ** (total / math.log(2) / size), rel=1e-6)
        assert metrics["examples_evaluated"] == len(examples) == 2
        assert ("nearest_rougeL_f1" in metrics) == (split == "test")
        rows = {(side.df["ticket_description"][row], side.df["ticket_resolution"][row]) for row in side.ixes.tolist()}
        assert {example[:2] for example in examples} <= rows


def test_text_scores_are_ours_and_answers_those_of_the_model(df, model):
    from rca_dist.evaluation.text_metrics import score

    train, test = sides(df, model)
    metrics, examples = Evaluator(settings(Evaluator, print_examples=0), model, train, test).eval_split(
        "test", max_new_tokens=5
    )
    values = score([answer for _, _, answer in examples], [reference for _, reference, _ in examples])
    for old, new in (("exact_match", "exact_match"), ("token_lvl_f1", "token_f1"), ("rougeL_f1", "rouge_l"), ("chrf", "chrf")):
        assert metrics[old] == pytest.approx(values[new].mean())
    for question, _, answer in examples:
        prompt = test.prompt_description_addition + question + test.prompt_resolution_addition
        assert model.generate_from_prompt(prompt, max_new_tokens=5, do_sample=False) == answer
        ids = model.prompt_ids(prompt)
        plain = model.hf_model.generate(torch.tensor([ids]), max_new_tokens=5, do_sample=False)[0, len(ids) :]
        assert model.tokenizer.decode(plain, skip_special_tokens=True).strip() == answer
    assert len({answer for _, _, answer in examples} - {""}) > 1


def test_the_tickets_that_are_answered_and_how_they_are_drawn(df, model):
    train, test = sides(df, model)
    evaluator = Evaluator(settings(Evaluator, print_examples=0, max_new_tokens=8), model, train, test)
    order = list(range(len(train)))
    random.Random(3407).shuffle(order)
    _, examples = evaluator.eval_split("train", max_examples=3)
    assert [question for question, _, _ in examples] == [df["ticket_description"][int(train.ixes[n])] for n in order[:3]]

    def drawn(seed, **options):
        set_seed(seed)
        return [answer for _, _, answer in evaluator.eval_split("test", do_sample=True, **options)[1]]

    greedy = [answer for _, _, answer in evaluator.eval_split("test")[1]]
    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1, top_k=1) == drawn(2, temperature=1e-6) == greedy
    assert model.sampling is None


def test_none_of_the_tickets_answered_is_no_score(df, model):
    metrics, examples = Evaluator(settings(Evaluator), model, *sides(df, model)).eval_split("test", max_examples=0)
    assert examples == [] and metrics["rougeL_f1"] is None and metrics["loss"] > 0


def test_steps_are_those_of_a_plain_loop(df, folder, monkeypatch):
    """Exact token mean, constant rate, old betas, decay on matrices, clipping; also where a step takes several micro-batches."""
    set_seed(11)
    reference, model = fresh(folder), fresh(folder)
    train, _ = sides(df, model)
    changes = {"max_iters": 4, "batch_size": 5, "learning_rate": 3e-3, "weight_decay": 0.3, "grad_norm_clip": 0.7}
    monkeypatch.setattr(compat_trainer, "MOST_TOKENS", 100)
    trainer = Trainer(settings(Trainer, **changes), model, train)
    losses = []
    trainer.set_callback("on_batch_end", lambda t: losses.append((t.iter_num, t.loss.item())))
    steps = list(trainer.plan.steps(0, 4))
    assert len(steps[0].micro_batches) > 1
    trainer.run()

    network = reference.hf_model.train()
    groups = [{"params": [p for p in network.parameters() if (p.ndim >= 2) == matrix], "weight_decay": decay}
              for matrix, decay in ((True, 0.3), (False, 0.0))]  # fmt: skip
    optimizer, expected = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95)), []
    for step in steps:
        x, y = (torch.stack(part) for part in zip(*(train[n] for n in step.examples), strict=True))
        _, loss = reference(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.7)
        optimizer.step()
        optimizer.zero_grad()
        expected.append(float(loss.detach()))
    assert [n for n, _ in losses] == [0, 1, 2, 3]
    assert [loss for _, loss in losses] == pytest.approx(expected, rel=1e-5)
    for ours, theirs in zip(model.parameters(), network.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    total, count = exact_nll(fresh(folder), train, [int(train.ixes[n]) for n in steps[0].examples])
    assert losses[0][1] == pytest.approx(total / count, rel=1e-6)


def test_each_ticket_once_per_epoch_in_an_order_of_the_seed(df, folder):
    orders = []
    for seed in (1, 1, 2):
        set_seed(seed)
        model = fresh(folder)
        trainer = Trainer(settings(Trainer, max_iters=10, batch_size=4), model, sides(df, model)[0])
        orders.append([n for step in trainer.plan.steps(0, 5) for n in step.examples.tolist()])
        assert sorted(orders[-1]) == list(range(20))
    assert orders[0] == orders[1] != orders[2]


def test_16_bit_weights_are_trained_in_32(df, folder):
    model = fresh(folder, dtype=torch.bfloat16)
    before = next(model.parameters()).detach().float().clone()
    trainer = Trainer(settings(Trainer, max_iters=1, batch_size=8), model, sides(df, model)[0])
    trainer.run()
    after = next(model.parameters())
    assert after.dtype == torch.float32
    moved = (after.detach() - before).abs()
    assert 0 < float(moved.max()) < 2e-5
    assert model.hf_model.config.dtype == torch.float32


def test_bos_is_in_training_and_in_generation(df, tmp_path):
    tokenizer = make_tokenizer([t for pair in TICKETS for t in pair], bos=True)
    model = fresh(save_model(tmp_path / "bos", tokenizer))
    train, _ = sides(df, model)
    question = df["ticket_description"][int(train.ixes[0])]
    assert train.prompt_ids(0).tolist() == model.prompt_ids(HEADER + question + FOOTER)
    assert train.prompt_ids(0)[0] == tokenizer.bos_token_id


def on_a_rank(place):
    """Train and score as an old script does, on this rank's share; the same numbers come back from every rank."""
    import sys

    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    import pandas as pd
    from compat_cases import TICKETS, fresh, settings, sides

    set_seed(3407)
    model = fresh(place)
    train, test = sides(pd.DataFrame(TICKETS, columns=["ticket_description", "ticket_resolution"]), model)
    trainer, losses = Trainer(settings(Trainer, max_iters=4, batch_size=3, learning_rate=1e-2), model, train), []
    trainer.set_callback("on_batch_end", lambda t: losses.append(t.loss.item()))
    trainer.run()
    evaluator = Evaluator(settings(Evaluator, print_examples=0), model, train, test)
    metrics, examples = evaluator.eval_split("test", max_new_tokens=4)
    return {"world": trainer.distributed.world_size, "losses": losses, "metrics": metrics, "examples": examples}


@pytest.mark.process
def test_two_processes_change_no_number(folder):
    from gloo import run_ranks

    (alone,), pair = (run_ranks(world, HERE, "on_a_rank", folder, timeout=240) for world in (1, 2))
    assert [rank["world"] for rank in pair] == [2, 2]
    for rank in pair:
        assert rank["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert rank["examples"] == alone["examples"]
        split, theirs = rank["metrics"].pop("split"), {k: v for k, v in alone["metrics"].items() if k != "split"}
        assert split == "test"
        assert rank["metrics"] == pytest.approx(theirs, rel=1e-5)
