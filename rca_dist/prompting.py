"""Which prompt a run uses: the settings, the tickets' language and the model's tokenizer decide."""

import logging
from typing import TYPE_CHECKING

from rca_dist.config import Config
from rca_dist.errors import UserError
from rca_dist.tokens.chat import chat_format, default_chat_format, is_instruct
from rca_dist.tokens.prompt import MARKER, PromptFormat
from rca_dist.tokens.prompt_texts import PLAIN, SYSTEM, instruct_name, main_language

if TYPE_CHECKING:
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.tickets.table import TicketTable

log = logging.getLogger(__name__)


def settle_template(config: Config, table: "TicketTable") -> None:
    """Write the default template into `config` where no chat template can take its place. Needs no tokenizer.

    Raises: UserError when a system text is given that would go nowhere.
    """
    prompt, name = config.prompt, config.model.name_or_path
    if prompt.style == "chat" or (prompt.style == "auto" and instruct_name(name)):
        return
    _no_system(config)
    if prompt.template is None:
        prompt.template = plain_template(config, table)


def _no_system(config: Config) -> None:
    if config.prompt.system not in ("auto", ""):
        raise UserError(
            f"prompt.system is given, but {config.model.name_or_path} gets plain prompts (prompt.style={config.prompt.style}), "
            "which have no system turn: use --prompt.style=chat, or put the text into prompt.template"
        )


def plain_template(config: Config, table: "TicketTable") -> str:
    """`prompt.template`, or the default one in the tickets' language."""
    return config.prompt.template or PLAIN[_language(config, table)]


def _language(config: Config, table: "TicketTable") -> str:
    language = config.prompt.language
    return main_language(table.facts.get("languages", {})) if language == "auto" else language


def prompt_format(config: Config, table: "TicketTable", adapter: "HFModelAdapter") -> PromptFormat:
    """How tickets become prompts for this model. Raises: UserError for a chat template that cannot serve."""
    prompt, name = config.prompt, adapter.name
    if prompt.style == "plain" or (prompt.style == "auto" and not is_instruct(name, adapter.tokenizer)):
        _no_system(config)
        return PromptFormat.from_template(plain_template(config, table))
    template = prompt.template or MARKER
    if prompt.system != "auto":
        return chat_format(adapter.tokenizer, name=name, system=prompt.system or None, template=template)
    found, note = default_chat_format(adapter.tokenizer, name=name, system=SYSTEM[_language(config, table)], template=template)
    if note:
        log.info(note)
    return found
