"""Answers that say nothing: stock phrases in seven languages, matched whole, and the most repeated answers to judge."""

import re
from collections import Counter
from collections.abc import Iterable

from rca_dist.tickets.words import fold

_THING = (
    r"(?:(?:the|this|that|your|my|le|la|l|ce|cet|cette|votre|das|der|die|el|este|esta|su|o|a|il|lo|het|de|dit) ?)?"
    r"(?:issue|problem|incident|ticket|case|request|task|matter|error|it|call|user request|"
    r"probleme|demande|appel|anomalie|dossier|tache|souci|"
    r"vorfall|storung|stoerung|anfrage|fall|aufgabe|fehler|"
    r"problema|incidente|incidencia|solicitud|caso|peticion|tarea|chamado|solicitacao|demanda|richiesta|segnalazione|"
    r"probleem|melding|verzoek|storing)"
)
_WAS = (
    r"(?:is|are|was|c est|has been|have been|had been|got|can be|to be|should be|being|seems|appears|est|a ete|a bien ete|"
    r"semble|"
    r"ist|wurde|"
    r"ist nun|fue|ha sido|ha quedado|esta|queda|foi|e|e stato|e stata|is nu|werd|now|sont|were|been)"
)
_DONE_WORDS = (
    r"solved|resolved|closed|fixed|done|complete|completed|finished|cancelled|canceled|duplicate|ok|okay|okey|good|handled|"
    r"processed|actioned|sorted|sorted out|rectified|cleared|tested|verified|addressed|taken care of|dealt with|"
    r"resolue?s?|regle|reglee|traite|traitee|clos|close|cloture|cloturee|ferme|fermee|fait|faite|termine|terminee|"
    r"effectue|effectuee|corrige|corrigee|repare|realise|annule|"
    r"gelost|geloest|erledigt|behoben|geschlossen|fertig|abgeschlossen|beendet|bearbeitet|"
    r"resuelto|resuelta|solucionado|solucionada|cerrado|cerrada|hecho|listo|terminado|completado|finalizado|arreglado|"
    r"resolvido|resolvida|fechado|fechada|feito|concluido|concluida|encerrado|encerrada|finalizada|"
    r"risolto|risolta|chiuso|chiusa|fatto|completato|completata|sistemato|terminato|"
    r"opgelost|gesloten|klaar|afgehandeld|gedaan|afgerond|verholpen"
)
_ADVERB = (
    r"auto(?:matically)?|already|now|successfully|all|fully|remotely|been|deja|bien|maintenant|desormais|bereits|nun|jetzt|"
    r"alles|"
    r"ya|todo|ja|agora|gia|tutto|ora|nu|reeds"
)
_DONE = rf"(?:(?:{_ADVERB}) ?)*(?:{_DONE_WORDS})(?: (?:{_ADVERB}|again|today|itself))?"
_WHO = (
    r"(?:by|with|per|from) (?:the |our )?(?:user|caller|customer|client|agent|system|requester|requestor|end user|support|"
    r"phone|"
    r"service desk|helpdesk|it|technician|me|us)(?: request)?|on (?:user|caller|customer) (?:request|confirmation)|"
    r"(?:as )?per (?:user|customer) (?:request|confirmation)|"
    r"par (?:l |le |la )?(?:utilisateur|demandeur|appelant|client|usager|support|technicien)|(?:a|"
    r"sur) (?:la )?demande (?:de l |du )?"
    r"(?:utilisateur|demandeur|client)|vom (?:benutzer|anwender|kunden|melder|nutzer)|durch (?:den )?(?:benutzer|anwender|"
    r"kunden|nutzer)|"
    r"por (?:el |o )?(?:usuario|cliente|solicitante|utilizador)|(?:dall |da )(?:utente|cliente)|door (?:de )?(?:gebruiker|"
    r"klant|melder)"
)
_THANKS = (
    r"thanks(?: a lot| so much| very much| again| for (?:your|the) (?:help|support|assistance|patience))?|thx|ty|"
    r"many thanks(?: for (?:your|the) (?:help|support|assistance))?|thank you(?: very much| so much| again| for (?:your|"
    r"the) (?:help|support|assistance|patience|"
    r"cooperation))?|"
    r"merci(?: beaucoup| bien| pour votre (?:aide|retour|patience)| de votre (?:aide|retour))?|danke(?: schon| schoen)?|"
    r"(?:vielen|besten) dank|"
    r"(?:muchas )?gracias|(?:muito )?obrigad[oa]|(?:mille )?grazie(?: mille)?|(?:hartelijk )?(?:be)?dank(?:t)?(?: je| u)?"
)
_TAIL = (
    rf"(?: (?:today|as requested|as discussed|as agreed|comme demande|wie besprochen|according to user|over the phone|"
    rf"via phone|"
    rf"par telephone|telefonisch|per telefono|por telefono|por telefone|{_WHO}|{_THANKS}))*"
)
_ATTACHED = (
    r"(?:please |pls |kindly )?(?:see|find|refer to|check|cf|voir|ver|siehe|vedi|zie|veuillez trouver|vea|veja|consulter)"
    r"(?: (?:the|a|la|le|les|l|en|el|l|o|in|im|in the|my|our|d|de|du|da|dans|na|no|nel|nella|attached|additional|latest|last|"
    r"mail|de))*"
    r" (?:attach(?:ed|ment|ments)|pieces? jointes?|pj|anhang|anlage|anbei|adjuntos?|archivo adjunto|anexos?|allegat[oi]|"
    r"bijlagen?|"
    r"ci joint|above|below|comments?|commentaires?|work ?notes|notes?|ci dessus|ci dessous|notes above|comments (?:above|"
    r"below)|notes below|oben|unten|arriba|abajo|acima|sopra|"
    r"comentarios?|kommentare?|notizen|notas|suivis?|historique|email|mail|e mail|screenshot|history|opmerkingen|hierboven|"
    r"worklog|journal)"
    r"(?: (?:file|files|screenshot|screenshots|document|documents|email|mail|image|ci jointe?|for (?:more )?details|section|"
    r"notes|tab))*"
)
_PHRASES = (
    rf"{_THANKS}|"
    r"(?:(?:it|everything|all|issue|now|that|this) )*(?:is |s |are )?(?:now )?(?:work(?:s|ing|ed)?|functional|operational|"
    r"back to normal)"
    r"(?: (?:fine|well|ok|properly|correctly|normally|as expected|good))?(?: (?:now|again))?(?: for (?:me|us|the user))?|"
    r"(?:all |everything |looks )?(?:is )?good(?: now)?|all (?:set|done|ok)|fine now|no longer (?:needed|required|an issue|"
    r"relevant)|not (?:needed|required|relevant)(?: anymore| any more)?|"
    r"(?:c est |tout est )?(?:ok|bon|en ordre|rentre dans l ordre)|(?:tout |ca |cela )?(?:re)?(?:marche|fonctionne)(?: bien|"
    r" correctement| a nouveau)?|(?:rien|ras|r a s)(?: a signaler)?|"
    r"(?:es |alles )?(?:funktioniert|geht|lauft|ok|in ordnung)(?: wieder| jetzt| nun)*|(?:ya |todo |ja |tutto )?(?:funciona|"
    r"funcionando|"
    r"funziona|ok|bien|bene)(?: bien| bene| correctamente| corretamente| correttamente)?|"
    r"(?:alles )?werkt(?: weer| nu| goed)*|todo (?:en orden|correcto)|tudo (?:certo|ok|bem)|tutto a posto|"
    r"no (?:further )?(?:action|actions|work|assistance)(?: is| was)? (?:required|needed|taken|necessary)|nothing (?:to do|"
    r"else needed|further)|aucune action(?: requise| necessaire)?|keine (?:weitere )?aktion(?: erforderlich| notig)?|"
    r"ninguna accion(?: requerida)?|nessuna azione(?: richiesta)?|geen actie(?: nodig| vereist)?|"
    r"(?:user (?:is )?)?(?:no (?:response|reply|answer|feedback)|not responding|unreachable|"
    r"never replied)(?: (?:received )?from (?:the )?(?:user|caller|customer|requester|client))?|(?:no )?user response|"
    r"(?:pas de|sans|aucune|aucun|absence de) (?:reponse|retour|suite|nouvelles?)(?: (?:de la part )?(?:de l |"
    r"du )?(?:utilisateur|demandeur|client|user))?|"
    r"keine (?:ruckmeldung|antwort|reaktion)(?: (?:vom|des) (?:benutzer|anwender|kunden|benutzers|anwenders|nutzer))?|"
    r"sin respuesta(?: del (?:usuario|cliente))?|sem resposta(?: do (?:usuario|cliente))?|nessuna risposta(?: (?:dall|"
    r"dal) (?:utente|cliente))?|geen (?:reactie|antwoord)(?: van (?:de )?(?:gebruiker|klant))?|"
    r"(?:re)?confirmed(?: by (?:the )?(?:user|caller|customer))?|confirme(?:e)?(?: par l utilisateur)?|bestatigt|"
    r"confirmado(?: por (?:el )?usuario)?|confermato|bevestigd|"
    r"(?:the )?(?:user|caller|customer|client)(?: has| is)? (?:confirmed|satisfied|happy|informed|notified|contacted|called|"
    r"advised|updated|okay|ok)(?: (?:resolution|closure|fix|that it is (?:working|resolved|fixed)|it is (?:working|resolved|"
    r"fixed)|(?:issue|ticket) (?:is )?(?:resolved|fixed|closed|solved)))?|"
    r"(?:l )?utilisateur (?:informe|prevenu|contacte|ok|satisfait|averti)|benutzer (?:informiert|zufrieden|kontaktiert)|"
    r"(?:el )?usuario (?:informado|notificado|satisfecho|conforme)|utente informato|gebruiker (?:geinformeerd|tevreden)|"
    rf"(?:i am |we are |am )?clos(?:e|ing)(?: (?:of )?(?:the|this))?(?: (?:ticket|case|incident|request|"
    rf"call))?(?: as (?:resolved|complete[d]?|requested))?{_TAIL}|(?:ticket|case|incident) closure|ticket to be closed|"
    rf"please close(?: (?:the|this))?(?: (?:ticket|case|incident|request))?|"
    r"(?:je |nous )?(?:cloture|fermeture|clos|ferme)(?: d[ue]| le| la| l| de la)?(?: (?:ticket|incident|demande|dossier|"
    r"appel))?|(?:ticket|vorgang) (?:kann )?(?:geschlossen|schliessen)(?: werden)?|cierro (?:el )?ticket|"
    r"se cierra(?: el)? (?:ticket|caso|incidencia)|cierre de(?:l)? (?:ticket|caso)|encerrando (?:o )?chamado|"
    r"chiudo (?:il )?ticket|chiusura ticket|ticket (?:sluiten|gesloten)|"
    r"tests?(?: ticket)?|testing|see above|same as above|as above|idem|dito|ditto|(?:request )?(?:fulfilled|satisfied|"
    r"granted)|as discussed|as requested|as per (?:discussion|email|mail|call)|per email|comme convenu|comme demande|"
    r"wie besprochen|como acordado|"
    r"self (?:resolved|solved|healed)|resolved itself|(?:issue |problem )?(?:not reproducible|could not reproduce|"
    r"cannot reproduce|unable to reproduce)|"
    r"(?:provided|given|gave) (?:the )?(?:solution|support|assistance|information|help)(?: to (?:the )?user)?|"
    r"(?:solution|resolution|support|assistance|help) (?:provided|given|applied)|(?:necessary )?action (?:taken|done|"
    r"completed)|necessary action taken|work (?:done|"
    r"completed)|service (?:restored|provided)|information (?:provided|given|sent)|fix (?:applied|deployed|done)|"
    r"solution (?:apportee|donnee)|intervention (?:effectuee|terminee|faite)|action (?:effectuee|realisee)|"
    r"le necessaire a ete fait|necessaire fait|informations? transmises?|"
    r"(?:resolution|solution|root cause|cause|close notes?|status) ?(?:n a|na|none|unknown|tbd|pending|see notes)?|"
    r"(?:hello|hi|bonjour|hallo|hola|ola|ciao|dear user|dear customer|good (?:morning|afternoon|day))(?: (?:all|team|user|"
    r"sir|madam|a tous))?|"
    r"(?:best |kind )?regards|cordialement|bien cordialement|mit freundlichen grussen|mfg|saludos|un saludo|atenciosamente|"
    r"cordiali saluti|met vriendelijke groet|bonne journee|have a (?:nice|good|great) day|you re welcome|de rien|yes|no|oui|"
    r"non|si|none|nothing|x{1,5}"
)  # fmt: skip
_STOCK = re.compile(
    rf"(?:(?:(?:{_THING}|{_ADVERB}) )?(?:{_WAS} )?{_DONE}(?: {_THING})?{_TAIL}|{_WHO}|{_THING}(?: {_WAS})?(?: {_THANKS})?|"
    rf"{_ATTACHED}|{_PHRASES})"
)
_THANKS_NAME = re.compile(rf"\s*(?:{_THANKS})[ ,]+[^\W\d_]+\W*", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.,;:!?\n\r/()|]+|\s[-\u2013\u2014]+\s|\b(?:and|et|und|y|e|en|so|but|\+|&)\b", re.IGNORECASE)
_NOT_WORD = re.compile(r"[\W_]+")
_LONGEST, _MOST_CLAUSES = 160, 6


def is_boilerplate(answer: str) -> bool:
    """True when the whole answer is stock phrases ('Issue resolved, thanks', 'see attachment', 'voir piece jointe').

    Matched whole and never in part: 'Thanks, the fix was to restart the spooler' stays.
    """
    if len(answer) > _LONGEST:
        return False
    whole = _plain(answer)
    if not whole or _STOCK.fullmatch(whole):
        return True
    clauses = [clause for clause in map(_plain, _CLAUSE_END.split(fold(answer))) if clause]
    if len(clauses) > _MOST_CLAUSES:
        return False
    return all(_STOCK.fullmatch(clause) for clause in clauses) or _THANKS_NAME.fullmatch(fold(answer)) is not None


def repeated_answers(answers: Iterable[str], most: int = 10) -> list[tuple[str, int]]:
    """The answers that occur most, with their counts, for the user to judge; case and white space make no difference.

    Each is shown as it is most often written. Answers that occur once are left out; ties are in order of the text.
    """
    counts: Counter[str] = Counter()
    texts = list(answers)
    keys = [" ".join(text.split()).casefold() for text in texts]
    counts.update(key for key in keys if key)
    top = sorted((item for item in counts.items() if item[1] > 1), key=lambda item: (-item[1], item[0]))[:most]
    forms: dict[str, Counter[str]] = {key: Counter() for key, _ in top}
    for key, text in zip(keys, texts, strict=True):
        if key in forms:
            forms[key][" ".join(text.split())] += 1
    return [(min(forms[key].items(), key=lambda form: (-form[1], form[0]))[0], count) for key, count in top]


def _plain(text: str) -> str:
    return _NOT_WORD.sub(" ", fold(text)).strip()
