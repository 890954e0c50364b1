"""Names of columns that hold persons: who called, who wrote, who solved, in seven languages."""

import re

from rca_dist.tickets.mapping.column_names import name_forms, named_list

_ROLES = named_list(
    """caller, caller id, opened by, opened for, assigned to, assigned agent, assigned user, resolved by, solved by, closed by,
    requester, requestor, requested by, requested for, request for, reported by, reporter, creator, created by, sys created by,
    updated by, sys updated by, last modified by, modified by, submitter, submitted by, logged by, raised by, assignee, author,
    owner, ticket owner, owned by, engineer, technician, agent, support agent, analyst, operator, handled by, agent assigned,
    responder, contact, contact person, affected user, affected end user, impacted user, on behalf of, user, end user, employee,
    manager, approver, approved by, watcher, watchers, watch list, commenter, actor, sender, recipient, performed by,
    full name, first name, last name, surname, internal contact, person, attendee, attendees, project lead, lead,
    demandeur, appelant, technicien, attribue a, assigne a, affecte a, ouvert par, cree par, creee par, resolu par, cloture par,
    ferme par, rapporteur, declarant, utilisateur, utilisateur concerne, auteur, responsable, intervenant, agent affecte,
    mis a jour par, modifie par, demandeur demandeur, attribue a technicien, dernier modificateur, observateur,
    observateurs, beneficiaire,
    prenom, contact utilisateur, demande par, appele par, saisi par, pris en charge par, destinataire, valideur,
    melder, anrufer, bearbeiter, zugewiesen an, zugewiesener bearbeiter, geoffnet von, eroffnet von, erstellt von, gelost von,
    geschlossen von, gemeldet von, autor, anwender, benutzer, nutzer, techniker, antragsteller, ansprechpartner, kontaktperson,
    verantwortlicher, aktualisiert von, geandert von, ersteller, vorname, nachname, angefordert von, angefordert fur,
    beobachter, zustandiger, zustandige person, mitarbeiter,
    solicitante, llamante, asignado a, abierto por, creado por, resuelto por, cerrado por, informador, usuario, tecnico,
    informante, autora, actualizado por, persona asignada, persona de contacto, usuario afectado, solicitado por, reportado por,
    notificador, encargado, apellido, apellidos, nombre del solicitante, contacto, creador,
    chamador, atribuido a, aberto por, criado por, resolvido por, fechado por, encerrado por, relator, requerente, atendente,
    usuario final, responsavel, criador, designado a, solicitado para, contato, sobrenome, atualizado por, analista,
    richiedente, chiamante, assegnato a, aperto da, creato da, risolto da, chiuso da, segnalato da, segnalatore, utente,
    assegnatario, autore, tecnico assegnato, referente, aggiornato da, richiesto da, richiesto per, contatto, cognome, creatore,
    aanvrager, beller, toegewezen aan, geopend door, aangemaakt door, opgelost door, gesloten door, gemeld door, aanmelder,
    behandelaar, gebruiker, auteur van, bijgewerkt door, gewijzigd door, contactpersoon, achternaam, voornaam, medewerker,
    aangevraagd door, maker, toegewezen persoon"""
)  # fmt: skip
_DETAILS = (
    "name|names|full name|fullname|display name|displayname|first name|last name|user name|username|user|login|account|email|"
    "emails|email address|e mail|mail|phone|phone number|mobile|id|ids|user id|nom|courriel|telephone|telefon|nombre|correo|"
    "nome|naam|person|contact"
)
_DETAIL = re.compile(rf" (?:{_DETAILS})$")
_ITS = re.compile(
    r"^(?:name of (?:the )?|nom (?:du |de l |de la )|nombre del? |nome d[oel]l? |naam |name des |name der )(?=\w)"
)
_PERSONS = frozenset(_ROLES)


def is_person_name(column: str) -> bool:
    """True for 'Caller', 'assigned_to.email', 'fields.reporter.displayName', 'Demandeur - Nom', 'Zugewiesen an'."""
    return any(form in _PERSONS or _bare(form) in _PERSONS for form in name_forms(column))


def _bare(form: str) -> str:
    return _ITS.sub("", _DETAIL.sub("", form))
