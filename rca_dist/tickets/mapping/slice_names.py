"""Names of the columns that describe a ticket's course and kind: state, outcome, related ticket, slices."""

from rca_dist.tickets.mapping.column_names import named_list

STATUS = named_list(
    """state, status, status name, incident state, ticket status, statut, etat, zustand, estado, stato, situacao, stand,
    staat, state name, ticket state"""
)
OUTCOME = named_list(
    """close code, closure code, closing code, resolution code, resolution name, resolution category, resolution type, solution
    code, solution type, status reason, state reason, close reason, closure reason, closing reason, outcome, disposition,
    substate, substatus, code de resolution, code de cloture, code de fermeture, type de solution, solution type de solution,
    motif de cloture, losungscode, losungsart, abschlusscode, schliessungscode, codigo de cierre, codigo de resolucion,
    codigo de solucion, tipo de solucion, motivo de cierre, codigo de resolucao, codigo de fechamento, codigo de encerramento,
    tipo de solucao, codice di chiusura, codice di risoluzione, tipo di soluzione, oplossingscode, sluitingscode, afsluitcode,
    resolution, losung, resolucion, resolucao, risoluzione, oplossing, solution"""
)
# Tickets equal in one of these belong together: a problem's incidents share their cause.
RELATED = named_list(
    """problem id, problem number, problem, problem key, related problem, parent, parent incident, parent id, parent number,
    parent key, parent ticket, parent ticket id, master incident, master ticket, original ticket, probleme, probleme lie,
    incident parent, ticket parent, problem display value, ubergeordnetes ticket, ubergeordneter incident, problema, incidente
    padre, ticket padre, incidente pai, chamado pai, probleem, hoofdincident"""
)
# One column of each kind is kept to break scores down by; the names of a kind, best first.
SLICES = {
    "category": named_list(
        """category, categorie, kategorie, categoria, itilcategories id, categorization tier 1, product categorization tier 1,
        operational categorization tier 1, category name, queue, topic, components, component s, component, composants,
        komponenten, componentes, componenti, componenten, service category"""
    ),
    "priority": named_list(
        "priority, priority name, priorite, prioritat, prioridad, prioridade, priorita, prioriteit, severity"
    ),
    "group": named_list(
        """assignment group, assigned group, assigned support group, group, group name, group id, support group,
        resolver group, team, assigned team,
        groupe d affectation, groupe d assignation, groupe affecte, attribue a groupe de techniciens,
        groupe,
        zuweisungsgruppe, zuordnungsgruppe, gruppe, bearbeitergruppe, grupo de asignacion, grupo, grupo de atribuicao, grupo
        designado, gruppo di assegnazione, gruppo, toewijzingsgroep, behandelaarsgroep, groep"""
    ),
    "language": named_list("language, lang, langue, sprache, idioma, lingua, taal, locale"),
    "channel": named_list(
        """channel, contact type, contact channel, via, via channel, reported source, source, source name, origin, mode, canal,
        source de la demande, kanal, meldeweg, origen, origem, canale, origine, kanaal, binnenkomst, requesttypes id"""
    ),
    "service": named_list(
        """business service, service, service name, service offering, service ci, serviceci, affected service, application,
        service metier, dienst, unternehmensservice, servicio, servicio de negocio, servico, servico de negocio, servizio,
        servizio aziendale, bedrijfsservice"""
    ),
    "type": named_list(
        """issue type, issuetype name, issuetype, ticket type, type, service type, request type, type de ticket, vorgangstyp,
        typ,
        tipo de incidencia, tipo de ticket, tipo, tipo de item, tipo ticket, soort, soort melding"""
    ),
}
