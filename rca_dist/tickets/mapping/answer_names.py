"""Names of answer columns by rank, of journals, and of the words that mark a column as an answer in a longer name."""

from rca_dist.tickets.mapping.column_names import name_forms, named_list, normalise_name

_SOLVERS = named_list(
    "technician, technicians, tech, engineer, engineers, agent, agents, analyst, support, support engineer, technical, "
    "resolver, field engineer, field technician, helpdesk, service desk, it, operator"
)
_REMARKS = named_list("comment, comments, note, notes, remark, remarks, report, action, actions, findings, response, answer")
# Names that promise text; names that may hold text or a code; what was done about it; other words for an answer; remarks.
ANSWER_TIERS = (
    frozenset(
        named_list(
            """close notes, closing notes, closure notes, closing comments, resolution notes, resolution note, resolution
            text, resolution description, resolution details, resolution detail, resolution comment, resolution comments,
            resolution summary, resolution steps, root cause text, root cause details, root cause detail, root cause
            description, root cause summary, root cause analysis, root cause analysis text, root cause notes, fix notes, fix
            description, fix details, cause notes, cause and action, cause details, cause description, solution content,
            solution text, solution description, solution details, solution notes, solution solution, itilsolution content,
            itil solution content, resolution mitigation solution,
            notes de resolution, note de resolution, notes de cloture, notes de fermeture, commentaire de resolution,
            commentaires de resolution, commentaire de cloture, commentaires de cloture, description de la solution,
            description de la resolution, detail de la resolution, details de la resolution, solution apportee,
            solution appliquee, description de la cause,
            losungsbeschreibung, losungstext, losungsnotizen, losungsnotiz, losungshinweise, losungshinweis,
            losungsinformationen, losungskommentar, anmerkungen zur losung, hinweise zur losung, beschreibung der losung,
            abschlussnotizen, abschlussnotiz, abschlusshinweise, abschlusskommentar, schliessungsnotizen,
            ursachenbeschreibung, ursachenanalyse,
            notas de cierre, notas de resolucion, notas de solucion, nota de resolucion, comentarios de cierre,
            detalle de la solucion, detalles de la solucion, descripcion de la solucion, detalles de resolucion,
            notas de resolucao, nota de resolucao, notas de encerramento, notas de fechamento, notas de solucao, anotacoes de
            resolucao, anotacoes de encerramento, anotacoes de fechamento, descricao da solucao, descricao da resolucao,
            observacoes de resolucao, comentarios de resolucao, detalhes da solucao,
            note di risoluzione, note sulla risoluzione, note risoluzione, note di chiusura, note chiusura, note di
            soluzione, descrizione della soluzione, descrizione soluzione, dettagli soluzione,
            oplossingsnotities, oplossingsnotitie, opmerkingen bij oplossing, notities bij oplossing, oplossingstekst,
            omschrijving oplossing, beschrijving oplossing, sluitingsnotities, sluitingsopmerkingen, afsluitnotities,
            afsluitopmerkingen, sluitnotities"""
        )
    ),
    frozenset(
        named_list(
            """root cause, root causes, rca, cause, resolution, solution, solutions, fix, cause racine, cause initiale,
            cause profonde, cause fondamentale, cause premiere, cause du probleme, cause principale, analyse des causes,
            losung, losungen, ursache, grundursache, hauptursache, fehlerursache, problemursache, behebung,
            solucion, causa raiz, causa, causa principal, causa origen, resolucion, solucao, resolucao, causa raiz do problema,
            soluzione, risoluzione, causa radice, causa principale, causa scatenante, oplossing, oorzaak, hoofdoorzaak,
            grondoorzaak, onderliggende oorzaak, sap tab cause, saptab cause, correctif, remediation, corrective action,
            action corrective"""
        )
    ),
    frozenset(
        named_list(
            """workaround, contournement, solution de contournement, umgehungslosung, solucion alternativa, solucao de contorno,
            soluzione alternativa, tijdelijke oplossing, action taken, actions taken, actions
            performed, action performed, work done, work performed, work carried out, work summary, steps taken, steps to
            resolve, resolution action, resolution actions, fix applied, fixes applied, applied fix, applied solution, solution
            applied, solution provided, resolution provided, resolution given, repair, repairs, repair notes, repair details,
            repair description, repair action, what was done, what we did, treatment, diagnosis and fix, intervention,
            interventions, compte rendu d intervention, rapport d intervention, action realisee, actions realisees, actions
            effectuees, action menee, actions menees, travaux effectues, travail effectue, traitement, reparation, actions de
            resolution, durchgefuhrte massnahmen, massnahme, massnahmen, massnahmen zur behebung, durchgefuhrte arbeiten,
            reparatur, accion tomada, acciones tomadas, acciones realizadas, accion realizada, trabajo realizado, solucion
            aplicada, intervencion, acao tomada, acoes tomadas, acoes realizadas, acao realizada, trabalho realizado, servico
            realizado, solucao aplicada, intervencao, azione intrapresa, azioni intraprese, azioni eseguite, lavoro svolto,
            intervento, intervento eseguito, soluzione applicata, ondernomen actie, ondernomen acties, genomen actie,
            uitgevoerde werkzaamheden, uitgevoerde acties, werkzaamheden"""
        )
    ),
    frozenset(
        named_list(
            """answer, reponse, antwort, respuesta, resposta, risposta, antwoord, mitigation, mitigation details, long term
            mitigation, resolution notes html, resolution html, solution html, final answer, reply, response, target, output,
            completion, assistant"""
        )
    ),
    # What the person who solved it wrote down, perhaps on the way: taken where no better name holds text.
    frozenset(f"{who} {what}" for who in _SOLVERS for what in _REMARKS)
    | frozenset(
        named_list(
            """commentaire technicien, commentaires technicien, commentaire du technicien, commentaires du technicien, notes du
            technicien, note du technicien, notes technicien, commentaire technique, commentaires intervenant, remarques du
            technicien, technikerkommentar, technikernotiz, technikernotizen, bearbeiterkommentar, bearbeiternotiz,
            bearbeiternotizen, kommentar des technikers, notizen des technikers, kommentar des bearbeiters, anmerkungen des
            technikers, comentario tecnico, comentarios tecnicos, comentario del tecnico, comentarios del tecnico, notas del
            tecnico, notas tecnicas, observaciones del tecnico, comentario do tecnico, comentarios do tecnico, notas do tecnico,
            observacoes do tecnico, parecer tecnico, commento del tecnico, commenti del tecnico, note del tecnico, note tecnico,
            note tecniche, rapporto tecnico, opmerking technicus, opmerkingen technicus, notities technicus, opmerkingen van de
            technicus, opmerkingen behandelaar, notities behandelaar"""
        )
    ),
)
# 'Workaround / Fix' is made of names of answers, so it is one.
_NAME_PARTS = frozenset(
    named_list(
        """root, cause, causes, rca, fix, fixes, resolution, resolutions, solution, solutions, workaround, workarounds, remedy,
        remediation, mitigation, correction, racine, contournement, correctif, losung, ursache, behebung, umgehung, solucion,
        causa, raiz, resolucion, solucao, resolucao, soluzione, risoluzione, oplossing, oorzaak"""
    )
)
_BETWEEN = frozenset(named_list("and, or, the, et, ou, de, la, und, oder, y, o, e, en, of"))
# Written one entry a person or a day, during and after the work: an answer hides in its last entries.
JOURNALS = frozenset(
    named_list(
        """work notes, comments, comment, comment body, comments body, comments and work notes, additional comments, all
        comments, activity, activities, worklog, work log, worklogs, worklog description, work info, work info notes,
        journal, conversation, conversations, thread, correspondence, followup, followups, follow ups, history, audit log,
        suivi, suivis, suivis description, taches description, notes de travail, commentaire, commentaires, commentaires
        supplementaires, arbeitsnotizen, kommentar, kommentare, zusatzliche kommentare, verlauf, notas de trabajo, notas de
        trabalho, anotacoes de trabalho, comentario, comentarios, comentarios adicionales, comentarios adicionais,
        acompanhamentos, note di lavoro, commento, commenti, commenti aggiuntivi, werknotities, opmerking, opmerkingen,
        aanvullende opmerkingen, actie, acties, updates, status updates"""
    )
)
_CODES = frozenset(
    named_list(
        """close code, closure code, closing code, resolution code, solution code, status reason, code de resolution, code de
        cloture, losungscode, abschlusscode, codigo de cierre, codigo de resolucion, codigo de resolucao, codigo de
        fechamento, codice di chiusura, codice di risoluzione, oplossingscode, sluitingscode"""
    )
)
# Written after the fix or no text, so never part of a prompt on their own accord.
NEVER_PROMPT = JOURNALS | _CODES | ANSWER_TIERS[0]

_ANSWER_WORDS = frozenset(
    named_list(
        """resolution, resolutions, solution, solutions, resolved, cause, causes, rca, fix, remedy, workaround, losung, ursache,
        solucion, causa, resolucion, solucao, resolucao, soluzione, risoluzione, oplossing, oorzaak"""
    )
)
# 'Time to resolution' or 'Root cause category' is no answer, whatever its cells hold.
_OTHER_WORDS = frozenset(
    named_list(
        """date, time, at, on, by, sla, due, target, code, codes, category, categories, type, status, state, group, team, id,
        key, number, count, duration, hours, minutes, days, breached, breach, met, owner, user, agent, assignee, name, email,
        level, tier, flag, rating, score, satisfaction, version, versions, link, url, method, first, expected, confirmed,
        applied, required, percent, cost, html, temps, delai, duree, heure, categorie, datum, zeit, dauer, kategorie,
        fecha, tiempo, hora, codigo, tipo, estado, categoria, tempo, ora, codice, stato, data, tijd, soort, par, von, por, da,
        door, le, am, el, em, il, op, summary of request, not"""
    )
)


def answer_rank(column: str) -> int | None:
    """0 to 4 for an answer's name (0 promises text), 5 when the name only contains a word for it, else None."""
    forms = name_forms(column)
    for rank, tier in enumerate(ANSWER_TIERS):
        if not tier.isdisjoint(forms):
            return rank
    if not NEVER_PROMPT.isdisjoint(forms):
        return None
    words = set(forms[0].split())
    if len(words & _NAME_PARTS) > 1 and words <= _NAME_PARTS | _BETWEEN:
        return 1
    return len(ANSWER_TIERS) if not words.isdisjoint(_ANSWER_WORDS) and words.isdisjoint(_OTHER_WORDS) else None


def is_journal(column: str) -> bool:
    """True for a column whose name says that it holds one entry after the other (comments, work notes...)."""
    return not JOURNALS.isdisjoint(name_forms(column))


def is_oracle(column: str) -> bool:
    """True for the columns in which generated data carries its own best answer."""
    return normalise_name(column) in ("oracle nll", "oracle answer")
