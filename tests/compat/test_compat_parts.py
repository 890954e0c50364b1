"""Adapter and configuration of the old form, and the new form through the public names."""

import warnings

import pytest
import torch
from compat_cases import exact_nll, settings, sides

import rca_dist
from rca_dist import CfgNode, Evaluator, HFModelAdapter, RCADataset, Trainer, set_seed, setup_logging
from rca_dist.errors import UserError


def test_the_adapter_calls_the_model(df, model):
    train, _ = sides(df, model)
    x, y = (part[None] for part in train[2])
    logits, loss = model(x, y)
    total, count = exact_nll(model, train, [int(train.ixes[2])])
    assert logits.shape == (1, 128, len(model.tokenizer))
    assert float(loss.detach()) == pytest.approx(total / count, rel=1e-5)
    assert model(x)[1] is None
    assert model.train().training and not model.eval().training
    assert set(model.state_dict()) == {f"hf_model.{name}" for name in model.hf_model.state_dict()}
    assert next(model.named_parameters())[0].startswith("hf_model.")
    assert isinstance(model.configure_optimizers(Trainer.get_default_config()), torch.optim.AdamW)
    assert model.hf_model.config.pad_token_id == model.tokenizer.pad_token_id


def test_drawing_follows_seed_and_temperature(model):
    def answer(seed, **options):
        set_seed(seed)
        return model.generate_from_prompt("VPN drops", max_new_tokens=12, **options)

    assert answer(1) == answer(1) != answer(2)
    greedy = answer(1, do_sample=False)
    assert answer(1, top_k=1) == answer(2, temperature=1e-6) == greedy
    whole = answer(1, do_sample=False, return_new_text_only=False)
    assert whole.startswith("VPN drops") and whole.endswith(greedy)


def test_weights_put_back_may_be_trained_again(df, model):
    train, _ = sides(df, model)
    first = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config, losses = settings(Trainer, max_iters=2, batch_size=4, learning_rate=1e-2), []
    for _ in range(2):
        model.load_state_dict(first)
        trainer = Trainer(config, model, train)
        trainer.run()
        losses.append(trainer.loss.item())
    assert losses[0] == losses[1]


def test_a_config_changed_after_construction_counts(df, model):
    config = Trainer.get_default_config()
    trainer, seen = Trainer(config, model, sides(df, model)[0]), []
    trainer.add_callback("on_batch_end", lambda t: seen.append(t.optimizer.param_groups[0]["lr"]))
    config.max_iters, config.batch_size, config.learning_rate = 3, 2, 1e-4
    trainer.run()
    assert seen == [1e-4] * 3


def test_config_nodes(tmp_path):
    config = CfgNode(system=CfgNode(work_dir=str(tmp_path / "work"), seed=1), rate=0.1)
    config.merge_from_args(["--rate=5e-6", "--system.seed=7", "--system.work_dir=" + str(tmp_path / "a=b")])
    config.merge_from_dict({"system": {"seed": 8}, "note": "x"})
    assert config.to_dict() == {"system": {"work_dir": str(tmp_path / "a=b"), "seed": 8}, "rate": 5e-6, "note": "x"}
    assert str(config) == f"system:\n    work_dir: {tmp_path / 'a=b'}\n    seed: 8\nrate: 5e-06\nnote: x\n"
    with pytest.raises(UserError, match=r"no 'system.sed'; did you mean 'seed'"):
        config.merge_from_args(["--rate=1", "--system.sed=7"])
    assert config.rate == 5e-6
    with pytest.raises(AttributeError, match=r"no 'rat'; did you mean 'rate'"):
        config.rat
    setup_logging(config)
    assert (tmp_path / "a=b" / "args.txt").is_file()
    assert '"seed": 8' in (tmp_path / "a=b" / "config.json").read_text()


def test_secrets_of_the_command_line_are_not_written(tmp_path, monkeypatch):
    secret = "hf_" + "Zq7" * 11
    monkeypatch.setattr("sys.argv", ["script.py", f"--token={secret}", "--max_iters=5"])
    setup_logging(CfgNode(system=CfgNode(work_dir=str(tmp_path))))
    text = (tmp_path / "args.txt").read_text()
    assert secret not in text and "--max_iters=5" in text


def test_the_new_form_goes_through_the_public_names(table, distributed):
    from rca_dist.evaluation.evaluator import Evaluator as RealEvaluator
    from rca_dist.model.adapter import HFModelAdapter as RealAdapter
    from rca_dist.tokens.encode import RCADataset as RealDataset
    from rca_dist.training.trainer import Trainer as RealTrainer

    train = table.rows("train")
    adapter = HFModelAdapter.load("builtin:tiny", texts=[*train["prompt"], *train["answer"]])

    def encode(cls, split):
        rows = table.rows(split)
        return cls.from_tickets(rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist(), adapter.tokenizer,
                                eos_id=adapter.eos_id, pad_id=adapter.pad_id, template="{ticket}\n", max_length=512)  # fmt: skip

    sets = {split: encode(RCADataset, split) for split in ("train", "validation", "test")}
    item = sets["test"][0]
    assert set(item) == {"input_ids", "labels", "ticket_id"}
    numbers, losses = [], []
    for trainer_class, evaluator_class, data in (
        (Trainer, Evaluator, sets), (RealTrainer, RealEvaluator, {split: encode(RealDataset, split) for split in sets})
    ):  # fmt: skip
        adapter = HFModelAdapter.load("builtin:tiny", texts=[*train["prompt"], *train["answer"]])
        trainer = trainer_class(adapter.model, adapter.step, data["train"], distributed=distributed, max_steps=2, log_steps=1,
                                global_batch_size=4, log_row=lambda row: losses.append(row["train/loss"]), progress=False)  # fmt: skip
        events = []
        trainer.set_callback("on_batch_end", lambda t, events=events: events.append(t.step))
        trainer.fit()
        assert isinstance(trainer, RealTrainer) and events[0] == 0
        evaluator = evaluator_class(adapter, table, data, distributed=distributed, systems=["model"], max_new_tokens=2)
        assert isinstance(evaluator, RealEvaluator)
        numbers.append(evaluator.loss("test"))
    assert losses[:2] == losses[2:]
    assert numbers[0] == numbers[1]
    assert isinstance(adapter, RealAdapter) and isinstance(sets["train"], RealDataset)
    assert type(sets["train"]) is RCADataset and type(trainer) is RealTrainer


def test_a_model_of_the_new_form_serves_the_old_one(df, folder):
    model = HFModelAdapter.load(folder)
    train, test = sides(df, model)
    Trainer(settings(Trainer, max_iters=1, batch_size=4), model, train).run()
    assert (
        Evaluator(settings(Evaluator), model, train, test).eval_split("test", max_new_tokens=2, print_examples=0)[0]["loss"] > 0
    )


def test_public_names_stay_lazy_and_documented():
    assert {"CfgNode", "setup_logging"} <= set(rca_dist.__all__)
    for name in ("Trainer", "Evaluator", "HFModelAdapter", "RCADataset"):
        assert "Old form" in getattr(rca_dist, name).__doc__


def test_no_warning_of_a_library_on_the_old_way(df, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.generate_from_prompt("VPN", max_new_tokens=2, do_sample=False) is not None
