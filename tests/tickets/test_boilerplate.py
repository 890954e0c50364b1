"""Stock phrases that must go and short answers that must stay, and the most repeated answers."""

import time

import pytest

from rca_dist.tickets.cleaning.boilerplate import is_boilerplate, repeated_answers

GOES = """
Done|Solved.|Issue resolved!|The issue has been resolved.|closed by user|Thanks James|See attached screenshot.
voir pièce jointe|Problème résolu|Résolu.|Ticket clos|Gelöst|Problem behoben, danke|Resuelto|Problema risolto
It works now|no action required|cf PJ|Opgelost
Resolved. Thank you.|Issue resolved, thanks|RAS|erledigt|done.|DONE!!!|ok|OK, thanks|Fixed|Fixed now.|Issue fixed.
Closed|Closing ticket|Closing the ticket as resolved.|Ticket closed by user|Closed per user request|Resolved by caller
Resolved by user|Solved by user, closing.|User confirmed issue is resolved|User confirmed it is working
Confirmed by user. Closing.|Request completed|Request has been completed.|Completed successfully|Task done
Work completed|Issue resolved. Closing ticket.|No response from user|No response from the user, closing ticket
No reply from customer|All good now|Everything works fine now|It is working now|Working now, thanks|Works as expected
Now working fine|Back to normal|See attachment|Please see attached|See attached file|Refer to attached document
See comments|See work notes|Refer to work notes|see notes above|See above|same as above|Self resolved
Issue resolved itself|Not reproducible|Unable to reproduce|No longer needed|Not needed anymore|As discussed
As requested|Resolution provided|Solution provided|Support provided|Action taken|Necessary action taken
Information provided|Thanks|Thank you very much|Thanks a lot!|Many thanks for your help|Thank you for your support|thx
test|Auto closed|Automatically closed by system|Cancelled by user|Duplicate|Already resolved|Already fixed, thanks
Issue has been fixed now|This issue is now resolved|The problem was solved|The ticket is closed
Hi, issue resolved. Regards|Hello, done. Thanks
Terminé|Fait|C'est fait|Fait, merci|Clos|Clôturé|Ticket clôturé|Demande traitée|Demande clôturée par l'utilisateur
Incident résolu|Le problème est résolu|Le problème a été résolu.|Résolu, merci|Résolu par l'utilisateur|Réglé
C'est réglé|Ca marche|Ça fonctionne|Tout fonctionne|Tout est OK|Voir PJ|cf. pièce jointe|voir commentaire
Voir ci-dessus|Sans réponse de l'utilisateur|Pas de retour|Pas de réponse utilisateur
Pas de retour de l'utilisateur, clôture du ticket|Le nécessaire a été fait|Intervention terminée|Merci|Merci beaucoup
Merci pour votre aide|Rien à signaler|Bonjour, c'est fait. Cordialement
Behoben|Ist erledigt|Wurde erledigt|Problem gelöst|Problem wurde behoben|Störung behoben|Ticket geschlossen
Ticket kann geschlossen werden|Erledigt, danke|siehe Anhang|siehe Anlage|siehe oben|Funktioniert wieder|Geht wieder
Alles ok|Keine Rückmeldung|Keine Rückmeldung vom Benutzer|Vielen Dank|Fertig
Solucionado|Resuelto, gracias|Problema resuelto|Incidencia resuelta|El problema fue resuelto|Cerrado
Se cierra el ticket|Hecho|Listo|Ver adjunto|ver archivo adjunto|Ya funciona|Funciona correctamente
Sin respuesta del usuario|Gracias|Muchas gracias
Resolvido|Problema resolvido|Chamado encerrado|Chamado resolvido, obrigado|Concluído|Feito|Ver anexo
Sem resposta do usuário|Obrigado|Funcionando
Risolto|Problema risolto, grazie|Il problema è stato risolto|Chiuso|Fatto|Vedi allegato|Funziona
Nessuna risposta dall'utente|Grazie|Tutto a posto
Opgelost, bedankt|Probleem opgelost|Het probleem is opgelost|Gesloten|Afgehandeld|Zie bijlage|Werkt weer
Geen reactie van gebruiker|Bedankt|Klaar
User informed|User informed, ticket closed|Issue is resolved now and closing the ticket|Resolved and closed
Fixed and tested|Done and confirmed by user|Issue resolved - closing|Resolved (confirmed by user)|Fermé|Effectué
Utilisateur informé, ticket clos
"""
STAYS = """
Thanks, restarting the spooler fixed it|Thanks, the fix was to restart the spooler|Resolved by replacing the cable
Fixed DNS record|See attached KB0012345|Fermeture du port 443|Closed the stale session|Résolu en vidant le cache
Done: rebooted srv-01|next day everything worked|Restarted the spooler|Rebooted server|Cleared cache|Password reset
Reset the password|Account unlocked|Unlocked account|Replaced toner|Cable replaced|Disk cleaned|Reinstalled Office
Updated driver|Restarted service, works now|Rebooted, issue resolved|Cleared cache. Issue resolved, thanks.
Resolved after reboot|Fixed by rebooting|Issue resolved after restart|Solved by reinstalling the client
User had caps lock on|Wrong password|User error: wrong printer selected|License expired|Certificate renewed
VPN certificate expired|DNS flushed|Increased mailbox quota|Added user to group|Removed old profile
Granted access to share|Access granted to folder X|Permissions corrected|Firewall rule added|Port 443 opened
Patched to 10.2.1|Applied KB5034441|See KB0012345|Upgraded firmware|Rolled back the update|Network outage at provider
Power outage|Server was down|Disk full|Memory leak in service|Bad RAM module|Battery swollen|Monitor cable loose
Close the case of the laptop and press power|Closed port 25 on the firewall|The case fan was replaced
Fixed the broken link|Complete reinstall|Completed the migration|Request Tracker restarted|Test environment rebuilt
Thanks to the reboot it works|Done by restarting IIS|Working after the upgrade|It works with Chrome
Works with cable only|Works after reboot
Redémarrage du serveur|Mot de passe réinitialisé|Compte déverrouillé|Remplacement du toner|Cache vidé|Droits ajoutés
Résolu après redémarrage|Poste redémarré, ok|Câble débranché|Pilote mis à jour|Demande traitée par ajout au groupe
Fermé le port 25|Voir procédure KB5034151|Merci de redémarrer le poste|Ça marche après vidage du cache
Problème de câble|Erreur de saisie
Neustart durchgeführt|Passwort zurückgesetzt|Kabel getauscht|Durch Neustart behoben|Treiber aktualisiert
Problem mit dem DNS|Konto entsperrt|Geht nach Neustart wieder|Fehler im Skript
Reinicio del servidor|Contraseña restablecida|Se reinició el servicio|Cambio de cable|Resuelto reiniciando el equipo
Problema de red|Funciona con Chrome
Reiniciado o servidor|Senha redefinida|Resolvido com reinício|Cabo trocado
Riavviato il server|Password reimpostata|Risolto riavviando|Cavo sostituito
Server herstart|Wachtwoord gereset|Opgelost door herstart|Kabel vervangen|Werkt na herstart
"""


def phrases(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


def test_the_lists_are_long() -> None:
    assert len(set(phrases(GOES))) >= 150
    assert len(set(phrases(STAYS))) >= 100


@pytest.mark.parametrize("answer", phrases(GOES))
def test_stock_phrases_go(answer: str) -> None:
    for form in (answer, answer.upper(), f"  {answer} !\n"):
        assert is_boilerplate(form)


@pytest.mark.parametrize("answer", phrases(STAYS))
def test_short_answers_that_say_something_stay(answer: str) -> None:
    for form in (answer, answer.lower(), f"{answer}.", f"Issue resolved. {answer}", f"{answer}. Thanks"):
        assert not is_boilerplate(form)


@pytest.mark.parametrize(
    "unit", ["all ", "thanks ", "see the ", "ja ya ", "done ", "issue is done ", "by user ", "closed, ", "ok. ", "a"]
)
def test_repeated_words_take_no_long_time(unit: str) -> None:
    start = time.perf_counter()
    for length in range(1, 162):
        is_boilerplate((unit * 80)[:length])
        is_boilerplate((unit * 80)[:length] + "#x")
    assert time.perf_counter() - start < 1.0


def test_the_most_repeated_answers() -> None:
    answers = [
        "Reset  the password",
        "reset the password",
        "Reset the password",
        "Reboot",
        "reboot",
        "once",
        "",
        "",
        "b c",
        "b c",
    ]
    assert repeated_answers(answers) == [("Reset the password", 3), ("b c", 2), ("Reboot", 2)]
    assert repeated_answers(answers, most=1) == [("Reset the password", 3)]
    assert repeated_answers(answers[::-1]) == repeated_answers(answers)
    assert repeated_answers(iter(["one", "two"])) == []
