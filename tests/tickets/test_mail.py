"""Mail threads, signatures, notices and banners: what goes, and above all what stays."""

import time

import pytest

from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.cleaning.mail import strip_thread
from rca_dist.tickets.cleaning.notices import strip_notices
from rca_dist.tickets.cleaning.signatures import strip_signature


def clean(text: str) -> str:
    return Cleaner().column([text])[0]


NEW = "The printer on floor two shows error 0x80070005 since Monday."
OLD = "Earlier text about another printer that worked well."


@pytest.mark.parametrize(
    "head",
    [
        "From: Jane Roe <jane@example.com>\nSent: Tuesday, March 5, 2024 10:20 AM\nTo: IT Support\nSubject: RE: printer",
        "De : Jane Roe\nEnvoyé : mardi 5 mars 2024 10:20\nÀ : Support\nObjet : RE: imprimante",
        "De : Jane Roe\nDate : mardi 5 mars 2024\nÀ : Support\nCc : Paul Doe\nObjet : imprimante",
        "Von: Jane Roe\nGesendet: Dienstag, 5. März 2024 10:20\nAn: Support\nBetreff: AW: Drucker",
        "De: Jane Roe\nEnviado el: martes, 5 de marzo de 2024 10:20\nPara: Soporte\nAsunto: RE: impresora",
        "De: Jane Roe\nEnviada em: terça-feira, 5 de março de 2024\nPara: Suporte\nAssunto: RES: impressora",
        "Da: Jane Roe\nInviato: martedì 5 marzo 2024 10:20\nA: Supporto\nOggetto: R: stampante",
        "Van: Jane Roe\nVerzonden: dinsdag 5 maart 2024 10:20\nAan: Support\nOnderwerp: RE: printer",
        "*From:* Jane Roe\n*Sent:* Tuesday\n*To:* IT\n*Cc:* a@example.com;\nb@example.com\n*Subject:* RE: printer",
        "________________________________\nFrom: Jane Roe\nSent: Tuesday\nTo: IT\nSubject: RE: printer",
        "From: Jane Roe\n\nSent: Tuesday\n\nTo: IT\n\nSubject: printer",
        "-----Original Message-----\nFrom: jane@example.com\nSubject: RE: ticket",
        "-----Message d'origine-----\nDe : jane@example.com\nObjet : RE: ticket",
        "-----Ursprüngliche Nachricht-----",
        "-----Mensaje original-----",
        "-----Mensagem original-----",
        "-----Messaggio originale-----",
        "-----Oorspronkelijk bericht-----",
        "---------- Forwarded message ---------\nFrom: Jane Roe <jane@example.com>\nDate: Tue, Mar 5, 2024\nSubject: x\nTo: y",
        "Begin forwarded message:\n\nFrom: Jane Roe\nSubject: printer\nDate: 5 March 2024",
        "On Tue, Mar 5, 2024 at 10:20 AM Jane Roe <jane@example.com> wrote:",
        "On Tue, Mar 5, 2024 at 10:20 AM Jane Roe\n<jane@example.com> wrote:",
        "On 5 March 2024, Jane Roe wrote:",
        "Le mar. 5 mars 2024 à 10:20, Jane Roe <jane@example.com> a écrit :",
        "Am 05.03.2024 um 10:20 schrieb Jane Roe:",
        "El mar, 5 mar 2024 a las 10:20, Jane Roe (<jane@example.com>) escribió:",
        "Em ter., 5 de mar. de 2024 às 10:20, Jane Roe <jane@example.com> escreveu:",
        "Il giorno mar 5 mar 2024 alle ore 10:20 Jane Roe <jane@example.com> ha scritto:",
        "Op di 5 mrt 2024 om 10:20 schreef Jane Roe <jane@example.com>:",
    ],
)
@pytest.mark.parametrize("mark", ["", "> "])
def test_what_a_mail_quotes_below_its_text_goes(head: str, mark: str) -> None:
    cleaner = Cleaner()
    assert cleaner.column([f"{NEW}\n\n{head}\n\n{mark}{OLD}\n{mark}Second line."]) == [NEW]
    assert cleaner.counts["quoted mail"] == 1


@pytest.mark.parametrize(
    "note", ["", "FYI\n\n", "Hi team,\nplease see below and advise.\n\n", "Bonjour, voir ci-dessous, merci\n\n"]
)
@pytest.mark.parametrize(
    "head",
    [
        "---------- Forwarded message ---------\nFrom: Jane Roe <jane@example.com>\nDate: Tue, Mar 5, 2024\nSubject: x",
        "From: Jane Roe\nSent: Tuesday\nTo: IT\nSubject: FW: printer",
        "De : Jane Roe\nEnvoyé : mardi 5 mars 2024\nÀ : Support\nObjet : TR: imprimante",
        "-----Original Message-----",
        "On 5 March 2024, Jane Roe wrote:",
    ],
)
def test_a_forwarded_mail_keeps_its_body(note: str, head: str) -> None:
    result = clean(f"{note}{head}\n\n{NEW}\n\nFrom: Paul\nSent: Monday\nTo: Jane\nSubject: x\n\n{OLD}")
    assert result.endswith(NEW)
    assert result.startswith(note[:3])
    assert "Jane Roe" not in result
    assert OLD not in result


def test_a_cell_is_never_emptied() -> None:
    for text in (
        "> Only a quoted line of text here",
        "Best regards,\nJane Roe",
        "-----Original Message-----",
        "From: a\nSubject: b",
    ):
        assert clean(text)
    assert clean("> Only a quoted line of text here") == "Only a quoted line of text here"


@pytest.mark.parametrize(
    "text",
    [
        "Sent from my iPhone the printer fails with error 0x80070005",
        "CAUTION: External email. Error 0x80070005 on open.",
        "Sent from the mobile team: the tablet is broken.",
    ],
)
def test_a_phrase_of_a_mail_program_does_not_take_its_line_along(text: str) -> None:
    assert "0x80070005" in clean(f"Hello\n{text}") or clean(f"Hello\n{text}") == f"Hello\n{text}"


@pytest.mark.parametrize(
    "closing", ["Best regards, Jane Roe", "Thanks, Jane", "Cordialement", "Mit freundlichen Gr\u00fc\u00dfen, J. Roe"]
)
def test_a_closing_at_the_end_of_a_line_goes(closing: str) -> None:
    assert clean(f"{NEW} {closing}") == NEW
    assert clean(f"{NEW} {closing}\nJane Roe\nExample Ltd") == NEW
    assert clean(f"{NEW} {closing}\n\nIt fails with 0x80070005.") == f"{NEW} {closing}\n\nIt fails with 0x80070005."
    for text in ("Call the user. Thanks to the reboot it works", "It failed. Best option was a disk", "Restarted. Thanks"):
        assert clean(text) == text


def test_a_reply_line_of_a_ticket_system_cuts() -> None:
    assert clean(f"{NEW}\n\n##- Please type your reply above this line -##\n{OLD}") == NEW
    assert clean(f"##- Please type your reply above this line -##\n\n{NEW}") == NEW


def test_a_note_above_a_quoted_body_keeps_both() -> None:
    text = f"FYI\n\nOn 5 March 2024, Jane Roe wrote:\n> {NEW}\n> It is urgent."
    assert clean(text) == f"FYI\n\n{NEW}\nIt is urgent."


def test_a_device_line_alone_is_kept() -> None:
    assert clean("Sent from my iPhone") == "Sent from my iPhone"


def test_what_is_left_has_no_holes() -> None:
    assert (
        clean(f"[External]\n\n{NEW}\n\nThanks,\nJane\n\nIt still happens.\n\nFrom: a\nSent: b\nTo: c")
        == f"{NEW}\n\nIt still happens."
    )


def test_inline_answers_stay_without_the_quoted_questions() -> None:
    text = "> Which printer is it exactly?\nThe one on floor two.\n> Since when does it fail?\nSince Monday."
    assert clean(text) == "The one on floor two.\nSince Monday."


def test_a_separator_inside_a_line_cuts_too() -> None:
    assert clean(f"{NEW} -----Original Message----- From: Jane Sent: Monday Subject: x {OLD}") == NEW


def test_lines_that_say_where_a_mail_came_from_go() -> None:
    assert clean(f"received from: jane@example.com\n\n{NEW}") == NEW
    assert clean(f"Reçu de : Jane Roe\n\n{NEW}") == NEW
    kept = f"{NEW}\nReceived from: the vendor a new disk"
    assert clean(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Please open the firewall:\nFrom: 10.0.0.1\nTo: 10.0.0.2\nPort: 443",
        "Absence to enter.\nFrom: 5 March 2024\nTo: 9 March 2024",
        "Run these commands:\n> net stop spooler\n> net start spooler",
        "Do this:\n> Stop the spooler of the server.\n> Start the spooler again.",
        "The shell shows\n> Get-Service spooler | Stop-Service now.\n> Remove-Item C:\\spool -Recurse now.",
        "The prompt shows\n> show interface status\n> conf t",
        "Python says\n>>> import numpy\nImportError: no module",
        "The job log says:\nOn 2024-03-05 10:20 the backup service wrote:\n40 blocks to tape",
        "Mail is rejected, headers as follows.\nReceived: from mx.example.com\nFrom: a@example.com\nDate: Tue\nTo: b@example.com\n"
        "Message-ID: <1@example.com>\nSubject: test\n550 5.7.1 relaying denied",
        "Steps:\n-- stop the service\n-- start the service",
        "SELECT * FROM users -- all of them\nWHERE id = 3",
        "To: do later\nDate: tomorrow",
        "Subject: printer broken\nIt shows error 13 since today.",
    ],
)
def test_text_that_only_looks_like_mail_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "signature",
    [
        "Best regards,\nJane Roe",
        "Kind regards\n\nJane Roe\nSenior Engineer\nExample Ltd\n12 Example Street\nTel: +33 1 99 00 12 34\njane@example.com\nwww.example.com",
        "Thanks,\nJane",
        "Many thanks, Jane Roe",
        "Thanks & regards\nJane Roe | IT Support",
        "Cordialement,\nJane Roe\nResponsable Paie\n01 99 00 12 34",
        "Bien à vous,\n\nJane ROE",
        "Merci d'avance\nJane",
        "Mit freundlichen Grüßen\n\nJane Roe\nAbteilung Einkauf\nTelefon: 030 5550100",
        "Viele Grüsse\nJane",
        "MfG\nJ. Roe",
        "Saludos cordiales,\nJane Roe",
        "Atentamente\nJane Roe",
        "Atenciosamente,\nJane Roe\nAnalista",
        "Cordiali saluti\nJane Roe",
        "Met vriendelijke groet,\nJane Roe",
        "-- \nJane Roe\nExample Ltd",
        "Sent from my iPhone",
        "Envoyé de mon iPhone",
        "Von meinem iPhone gesendet",
        "Enviado desde mi iPhone",
        "Get Outlook for iOS",
        "Thanks,\nJane\n\nSent from my Samsung Galaxy smartphone.",
    ],
)
def test_signatures_go(signature: str) -> None:
    cleaner = Cleaner()
    assert cleaner.column([f"Hello,\n{NEW}\n\n{signature}"]) == [f"Hello,\n{NEW}"]
    assert cleaner.counts["signature"] == 1


@pytest.mark.parametrize(
    "tail",
    [
        "Error code: 0x80070005",
        "ERR-6401 on every try",
        "2024-03-05 10:20:30 ERROR disk full",
        "1. Open the panel\n2. Press reset",
        "- restart the service\n- clear the queue",
        "Hostname: PC-1234",
        "Asset tag: 77",
        "PS: the printer is on floor two",
        "We have tried to restart the whole machine twice and it did not help at all.",
        "C:\\Windows\\System32\\spool is full",
        "java.lang.NullPointerException at Main.run()",
        "It still happens on the second screen",
        "D: drive is full",
        "Mail: cannot be sent",
    ],
)
def test_technical_content_behind_a_closing_stays(tail: str) -> None:
    for closing in ("Best regards,\nJane Roe\n\n", "Thanks\n", "Cordialement\n\n"):
        assert clean(f"The screen is black.\n\n{closing}{tail}").endswith(tail)
    assert clean(f"The screen is black.\n\nBest regards,\nJane Roe\n\n{tail}") == f"The screen is black.\n\n{tail}"


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, restarting the spooler fixed it",
        "The fix was simple.\nThanks to the reboot it works",
        "The queue was stuck.\nThanks, restarting the spooler helped",
        "We called the user.\nBest option was a new disk",
        "Restarted the spooler\nCleared the queue\nReplaced the toner",
        "Merci de redémarrer le poste\nPuis vider le cache",
        "Check the cable\n--\n1. unplug it\n2. plug it in again",
    ],
)
def test_lines_that_only_begin_like_a_closing_stay(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "notice",
    [
        "This e-mail and any attachments are confidential and intended solely for the addressee. If you have received it in error, "
        "please notify the sender and delete it.",
        "CONFIDENTIALITY NOTICE: The contents of this email message are intended solely for the addressee(s) and may contain "
        "privileged information. Any unauthorized disclosure is prohibited.",
        "Ce message et ses pièces jointes sont confidentiels et destinés exclusivement à leur destinataire. Si vous l'avez reçu par "
        "erreur, merci d'avertir l'expéditeur et de le supprimer.",
        "Diese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Adressat sind oder diese E-Mail irrtümlich "
        "erhalten haben, informieren Sie bitte sofort den Absender und vernichten Sie diese Mail.",
        "Este mensaje y sus archivos adjuntos son confidenciales y van dirigidos a su destinatario. Si lo ha recibido por error, "
        "notifíquelo al remitente y elimínelo.",
        "Esta mensagem e seus anexos são confidenciais e destinam-se ao destinatário. Se a recebeu por engano, avise o remetente e "
        "apague-a.",
        "Questo messaggio e i suoi allegati sono riservati e destinati al solo destinatario. Se ricevuto per errore, avvisare il "
        "mittente e cancellare il messaggio.",
        "Dit bericht is vertrouwelijk en uitsluitend bestemd voor de geadresseerde. Indien u dit bericht ten onrechte ontvangt, "
        "verwijder het en verwittig de afzender.",
        "Please consider the environment before printing this e-mail.",
        "Pensez à l'environnement avant d'imprimer ce message",
    ],
)
def test_notices_go(notice: str) -> None:
    for text in (f"{NEW}\n\n{notice}", f"{NEW}\n\nRegards,\nJane Roe\n\n{notice}"):
        assert clean(text) == NEW
    cleaner = Cleaner()
    cleaner.column([f"{NEW}\n\n{notice}"])
    assert cleaner.counts["mail notice"] == 1


def test_a_notice_on_the_line_of_the_text_goes_alone() -> None:
    notice = "This message is confidential and intended only for the addressee. If received in error, delete it."
    assert clean(f"{NEW} {notice}") == NEW


@pytest.mark.parametrize(
    "text",
    [
        "The user sent a confidential file by mistake to an external address; we recalled the message from all mailboxes.",
        "A mail with the attachment was not delivered to the intended recipient.\nThe queue was stuck.",
        "Hello.\nThe confidential mail was lost.",
        "Hello.\nThe message to the intended recipient is confidential; delete fails with 0x80070005, sender notified.",
        "Warning: mail from outside fails with 0x80070005.\nPlease look.",
        "Warning: the external disk is full.",
        "Attention: the extension 4021 is broken",
    ],
)
def test_texts_about_mail_are_no_notices(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "banner",
    [
        "[External]\n",
        "[EXTERNAL] ",
        "[EXT] ",
        "CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you "
        "recognize the sender and know the content is safe.\n\n",
        "CAUTION: External email. Do not click links. ",
        "ATTENTION : ce message provient de l'extérieur. Ne cliquez pas sur les liens ou pièces jointes.\n",
        "ACHTUNG: Diese E-Mail kommt von extern. Klicken Sie nicht auf Links oder Anhänge.\n",
        "ATENCIÓN: este correo proviene de fuera de la organización.\n",
        "LET OP: dit bericht komt van buiten de organisatie.\n",
    ],
)
def test_banners_go(banner: str) -> None:
    assert clean(banner + NEW) == NEW


@pytest.mark.parametrize(
    "hostile",
    [
        "-" * 200_000, "_" * 200_000, ">" * 200_000, "> " * 100_000, ">\n" * 100_000, "From: " * 40_000, "From: a\n" * 25_000,
        "On " * 70_000 + "wrote:", "On a\n" * 40_000, "Thanks,\nJane\n" * 15_000, "a:" * 100_000, "confidential " * 16_000,
        "This mail is intended. " * 9_000, "(" * 200_000, "<" * 200_000, "<p " * 70_000, "<p>" + " " * 200_000 + "x</p>",
        "<a href=" * 25_000, "<pre>" * 40_000, "<div>" * 40_000, "&lt;p&gt; " * 20_000, "[" * 200_000 + "]", "{'a':" * 40_000 + "}",
        "[" + "'a', " * 40_000 + "]", "x" + " " * 200_000 + "y \n z", "\t" * 200_000 + "x", "\\n" * 100_000, "\\\\" * 100_000,
        "CAUTION: mail outside. " * 9_000, "\u00e9" * 200_000, "2024-03-05 10:20:30 - " * 9_000,
        "2024-03-05 10:20:30 - J (W)\nx\n" * 6_000, "12/Mar/24 9:41 AM;" * 11_000, "Jane, " * 33_000, "Sent from " * 20_000,
        "best " * 40_000, "\x0c" * 200_000 + "<b>x</b>", "<br>" * 50_000, "\n" * 200_000 + "x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("journal", [False, True])
def test_hostile_text_takes_no_long_time(hostile: str, journal: bool) -> None:
    start = time.perf_counter()
    Cleaner().column([hostile], journal=journal, answer=journal)
    assert time.perf_counter() - start < 2.0


def test_text_without_mail_comes_back_as_it_is() -> None:
    for rule in (strip_thread, strip_notices, strip_signature):
        assert rule(NEW) is NEW


@pytest.mark.parametrize(
    "signature",
    [
        "Mit freundlichen Grüßen\ni. A. Hans-Peter Müller\nIT-Betrieb",
        "Mit freundlichen Grüßen\n\nHans-Peter Müller\nContoso GmbH\nGeschäftsführer: Dr. Karl Schmidt | HRB 12345 München",
        "Viele Grüße\ni.V. Sabine Lang\nUSt-Id: DE123456789\nSitz: Berlin",
        "Mit freundlichen Grüßen\nppa. Sabine Lang\nContoso AG, Sitz der Gesellschaft: München, Registergericht: Amtsgericht "
        "München HRB 12345, USt-IdNr. DE123456789, Vorstand: Karl Schmidt",
        "Cordialement,\n\nJean Dupont\nContoso SAS au capital de 40 000 €\nRCS Paris B 123 456 789 - SIRET 123 456 789 00012\n"
        "TVA intracommunautaire FR12345678901",
        "Kind regards,\nAnn Lee\nContoso Ltd. Registered in England and Wales, Company No. 01234567\n"
        "Registered office: 1 High Street, London",
        "Saludos,\nAna\nContoso SL, CIF B12345678, Registro Mercantil de Madrid",
        "Cordiali saluti\nGino Verdi\nContoso SpA, capitale sociale € 100.000, P.IVA 01234567890",
    ],
)
def test_signatures_of_firms_go(signature: str) -> None:
    assert clean(f"{NEW}\n\n{signature}") == NEW


@pytest.mark.parametrize(
    "tail",
    [
        "Thanks,\nDirector: service does not start",
        "Regards,\nAnn\nCapital: letters fail in the login field",
        "Grüße\ni. O. ist das nicht, der Drucker steht",
        "Cordialement,\nJean\nTVA : le calcul est faux dans le module",
    ],
)
def test_what_only_looks_like_a_firm_stays(tail: str) -> None:
    assert tail.rpartition("\n")[2] in clean(f"{NEW}\n\n{tail}")
