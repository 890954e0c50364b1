"""Default prompts by language, and who gets a chat.

Small models answer in the language of the prompt around a ticket, not only of the ticket.
"""

from collections.abc import Mapping

PLAIN = {
    "en": "Ticket:\n{ticket}\n\nResolution:\n",
    "fr": "Ticket :\n{ticket}\n\nRésolution :\n",
    "de": "Ticket:\n{ticket}\n\nLösung:\n",
    "es": "Incidencia:\n{ticket}\n\nSolución:\n",
    "pt": "Chamado:\n{ticket}\n\nSolução:\n",
    "it": "Segnalazione:\n{ticket}\n\nSoluzione:\n",
    "nl": "Melding:\n{ticket}\n\nOplossing:\n",
}
SYSTEM = {
    "en": "You work in IT support. Read the ticket and write its resolution: the cause, if it is known, and what fixes it.",
    "fr": "Tu travailles au support informatique. Lis le ticket et rédige sa résolution : la cause, si elle est connue, "
    "et ce qui corrige le problème.",
    "de": "Du arbeitest im IT-Support. Lies das Ticket und schreibe seine Lösung: die Ursache, soweit bekannt, "
    "und was sie behebt.",
    "es": "Trabajas en soporte informático. Lee la incidencia y escribe su solución: la causa, si se conoce, "
    "y lo que la corrige.",
    "pt": "Você trabalha no suporte de TI. Leia o chamado e escreva a solução: a causa, se for conhecida, e o que a corrige.",
    "it": "Lavori nel supporto informatico. Leggi la segnalazione e scrivi la soluzione: la causa, se è nota, "
    "e che cosa la risolve.",
    "nl": "Je werkt bij de IT-ondersteuning. Lees de melding en schrijf de oplossing: de oorzaak, voor zover bekend, "
    "en wat die verhelpt.",
}
CLEAR_MAJORITY = 0.6


def main_language(counts: Mapping[str, int]) -> str:
    """The language of a clear majority of the tickets whose language is known, if it has default texts; else English."""
    known = {language: count for language, count in counts.items() if language != "und"}
    for language, count in known.items():
        if language in PLAIN and count > CLEAR_MAJORITY * sum(known.values()):
            return language
    return "en"


def instruct_name(name: str) -> bool:
    """Whether a model's name says that it was taught to chat."""
    words = "".join(c if c.isalnum() else " " for c in name.rstrip("/").rpartition("/")[2].lower()).split()
    # "it" ends the names of Gemma's; elsewhere in a name it may stand for what these tickets are about.
    return words[-1:] == ["it"] or any(word in ("instruct", "chat", "sft", "dpo", "zephyr", "tulu") for word in words)
