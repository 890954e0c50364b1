"""Words that tell what a column's values are: ticket endings, yes/no values, repairs, particles of names."""


def _set_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


YES_NO_VALUES = _set_of(
    """true false yes no y n x 0 1 oui non o ja nein j si sim nao s vrai faux wahr falsch verdadero falso verdadeiro vero waar
    onwaar nee on off checked unchecked"""
)
# A value of nothing but these words says how a ticket ended, not what was done.
ENDING_WORDS = _set_of(
    """done solved resolved fixed closed complete completed cancelled canceled withdrawn rejected declined duplicate duplicated
    unresolved incomplete successful success failed pending open new unknown other none permanently permanent temporarily
    temporary remotely remote work around workaround by the caller user requester customer client agent support service desk
    self automatically auto not no cannot can could t wont won don do did reproduce reproducible reproduced fix bug defect
    works working as designed intended expected known error issue problem incident request change invalid obsolete too costly
    action required needed further provided solution resolution given clarified answered confirmed satisfied response
    partially fully with without and or of to in for after first call contact level time

    traite traitee resolu resolue clos close cloture cloturee ferme fermee termine terminee annule annulee rejete rejetee refuse
    doublon abandonne abandonnee contournement definitif definitivement provisoire par l le la un de du utilisateur demandeur
    appelant sans suite non reproductible corrige corrigee a distance

    gelost erledigt geschlossen abgeschlossen behoben storniert abgebrochen abgelehnt duplikat dauerhaft vorubergehend durch
    den anwender benutzer melder nicht reproduzierbar umgehung kein fehler fertig

    resuelto resuelta cerrado cerrada cancelado cancelada rechazado rechazada duplicado hecho solucionado terminado
    permanentemente por el usuario solicitante reproducible solucion

    resolvido resolvida fechado fechada encerrado encerrada rejeitado rejeitada duplicada concluido concluida feito pelo usuario
    nao reprodutivel solucao contorno

    risolto risolta chiuso chiusa annullato annullata rifiutato duplicato completato fatto dall utente richiedente

    opgelost gesloten afgesloten geannuleerd afgewezen dubbel duplicaat gereed voltooid door gebruiker aanvrager niet"""
)
# In 'Password Reset' each word begins with a capital, as in a name; the beginnings of such words tell them apart.
REPAIR_STEMS = (
    "reset|replac|restart|reboot|reinstall|install|updat|upgrad|clear|delet|remov|added|creat|chang|repair|unlock|config|"
    "enabl|disabl|remplac|redemarr|ersetzt|neustart|reinici|reemplaz|substitu|riavvi|sostitu|vervang|herstart|printer|server|"
    "network|password|software|hardware|access|account|driver|cable|toner|outlook|vpn"
)
NAME_PARTICLES = _set_of("de von van der den del di da la le el al bin ten ter du dos")
